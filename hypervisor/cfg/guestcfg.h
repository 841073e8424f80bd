/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest as its cfg file describes it: the settings of xl.cfg(5) and of old xm files, as far as these are data.
 *
 * Model. cfg.h reads the grammar; here the settings that a launcher or the switch acts on are checked and put into a
 * struct. Other settings of xl and xm are ignored silently, unknown ones with a note. If a setting that is acted on has
 * the wrong kind or range, that is an error (xl would warn, ignore it, and start a guest that differs from the file).
 *
 * Threads: none. Ownership: struct hv_guest owns all it points to; free with hv_guest_free().
 */
#ifndef HV_GUESTCFG_H
#define HV_GUESTCFG_H

#include "vifspec.h"

#define HV_GUEST_VIFS_MAX 64

enum hv_guest_type { HV_GUEST_PV, HV_GUEST_HVM, HV_GUEST_PVH, HV_GUEST_TYPE_MAX };

/* What happens to the domain when the guest ends. The names are libxl's, with '-' instead of '_'. */
enum hv_on {
	HV_ON_DESTROY,
	HV_ON_RESTART,
	HV_ON_RENAME_RESTART,
	HV_ON_PRESERVE,
	HV_ON_COREDUMP_DESTROY,
	HV_ON_COREDUMP_RESTART,
	HV_ON_SOFT_RESET,
	HV_ON_MAX
};

struct hv_guest {
	char *path; /* of the file it was read from */
	char *name; /* never NULL */
	char *uuid; /* strings: NULL if not given */
	enum hv_guest_type type;
	unsigned memory_mb; /* 0: not given */
	unsigned maxmem_mb; /* 0: not given */
	unsigned vcpus; /* 1 if not given */
	char *kernel, *ramdisk;
	char *root, *extra;
	char *cmdline; /* the kernel's whole command line: cmdline=, else "root=ROOT EXTRA" as xl joins them; or NULL */
	char *bootloader;
	char **disk; /* as written */
	size_t ndisk;
	struct hv_vif *vif; /* each with a devid: as given, else, as with xl, its index; no two have the same */
	size_t nvif;
	enum hv_on on_poweroff, on_reboot, on_crash; /* xl's defaults: destroy, restart, destroy */
	struct hv_notes notes; /* warnings: print them */
};

const char *hv_guest_type_name(enum hv_guest_type type);
const char *hv_on_name(enum hv_on action);

/* Returns 0, or -EINVAL, -ENOMEM with *out NULL. */
int hv_guest_parse(const struct hv_text *text, struct hv_guest **out, struct err *err);
void hv_guest_free(struct hv_guest *guest); /* NULL is allowed */

#endif
