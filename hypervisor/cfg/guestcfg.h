/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest as its cfg file describes it: what xl.cfg(5) and the old xm python files say, as far as they are data.
 *
 * Model. hypervisor/cfg.h reads the grammar; here the settings that a launcher or the switch acts on are checked and put
 * into a struct. Settings that are xl's or xm's but matter to nobody here are passed over in silence, others are noted.
 * A setting of the wrong kind or range is an error where it is one of ours (xl would warn, ignore it and start another
 * guest than was written).
 *
 * Threads: none. Ownership: struct hv_guest owns all it points to; free with hv_guest_free().
 */
#ifndef HV_GUESTCFG_H
#define HV_GUESTCFG_H

#include "vifspec.h"

#define HV_GUEST_VIFS_MAX 64

enum hv_guest_type { HV_GUEST_PV, HV_GUEST_HVM, HV_GUEST_PVH, HV_GUEST_TYPE_MAX };

/* What happens to the domain when the guest ends; the names are libxl's, with '-' for '_'. */
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
	char *uuid; /* strings: NULL where not given */
	enum hv_guest_type type;
	unsigned memory_mb; /* 0: not given */
	unsigned maxmem_mb; /* 0: not given */
	unsigned vcpus; /* 1 where not given */
	char *kernel, *ramdisk;
	char *root, *extra;
	char *cmdline; /* the kernel's whole command line: cmdline=, else "root=ROOT EXTRA" as xl joins them; or NULL */
	char *bootloader;
	char **disk; /* as written */
	size_t ndisk;
	struct hv_vif
		*vif; /* devid is set in each: as given, else the place in the list, as with xl; no two the same */
	size_t nvif;
	enum hv_on on_poweroff, on_reboot, on_crash; /* xl's defaults: destroy, restart, destroy */
	struct hv_notes notes; /* warnings: print them */
};

const char *hv_guest_type_name(enum hv_guest_type type);
const char *hv_on_name(enum hv_on action);

/* Returns 0, or -errno (-EINVAL for what the file says, -ENOMEM, else from reading it) with *out NULL. */
int hv_guest_load(const char *path, struct hv_guest **out, struct err *err);
int hv_guest_parse(const struct hv_text *text, struct hv_guest **out, struct err *err);
void hv_guest_free(struct hv_guest *guest); /* NULL: nothing */

#endif
