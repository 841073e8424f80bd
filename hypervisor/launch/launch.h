/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Launching guests: one struct per hypervisor, and the choice among them.
 *
 * Model. A launcher says whether its hypervisor is here, whether it can run a given guest, and with what command line;
 * the keeper (keeper.h) runs that command and looks after it. Xen is different: xl and libxl keep their guests
 * themselves, so that its launcher has no command line and `native` is set; callers hand the whole task to xl.
 *
 * A NIC of a guest is a vhost-user socket. With User-Mode Linux the switch listens on it before the guest starts; with
 * QEMU the guest's process listens and the switch connects, again and again, so that a restarted switch finds its way
 * back to running guests.
 *
 * Choice. Xen where this is a Xen control domain with xl; else QEMU where KVM works; else User-Mode Linux; else QEMU
 * without KVM, which runs anywhere and slowly. $XBAR_HYPERVISOR or the caller names another. KVM "works" where /dev/kvm
 * makes a machine and the processor has vmx or svm: paravirtual KVM, as some clouds' machines have it, makes machines
 * too, but ones in which an ordinary kernel hangs. $XBAR_ACCEL=kvm or tcg overrules what was found.
 *
 * Threads: none. Errors: 0 or -errno, and then a sentence in *err.
 */
#ifndef HV_LAUNCH_H
#define HV_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "argv.h"
#include "hypervisor/cfg/guestcfg.h"

#define HV_LAUNCH_NAME_MAX 59 /* bytes of a guest's name, so that NAME.DEVID is a port's name */
#define HV_LAUNCH_VIFS_MAX 16

struct hv_launch_vif {
	const char *socket; /* of the vhost-user port */
	uint8_t mac[6];
	uint32_t mtu; /* bytes of IP packet; 0: the guest's own default */
	unsigned queues; /* queue pairs */
};

struct hv_launch {
	const struct hv_guest *guest;
	const char *dir; /* the guest's run directory: absolute, exists */
	const struct hv_launch_vif *vif; /* in the order in which the guest is to find them */
	size_t nvif;
};

enum hv_available { HV_ABSENT, HV_SLOW, HV_READY };

struct hv_why { /* one sentence without a full stop */
	char text[256];
};

struct hv_launcher {
	const char *name; /* as --hypervisor takes it */
	const char *title;
	bool native; /* xl does it all: nothing below but available() is set */
	bool vif_server; /* the switch listens on the vifs' sockets, and does so before the guest starts */
	unsigned queues_max; /* queue pairs that a NIC can have */
	enum hv_available (*available)(struct hv_why *why);
	/* Can it run `guest`? Adds a sentence to `notes` for each setting that it passes over. */
	int (*check)(const struct hv_guest *guest, struct hv_argv *notes, struct err *err);
	/* The command that is the guest: in the foreground, with the guest's console as its terminal. */
	int (*argv)(const struct hv_launch *launch, struct hv_argv *argv, struct err *err);
	/* Ask the guest whose run directory is `dir` to shut itself down; returns when it was told. */
	int (*shutdown)(const char *dir, struct err *err);
};

extern const struct hv_launcher hv_launch_xl, hv_launch_qemu, hv_launch_uml;

/* The launcher called `name`, or NULL. */
const struct hv_launcher *hv_launcher_find(const char *name);

/*
 * Choose: `wanted` (NULL: $XBAR_HYPERVISOR, else what is here). *why says which and why. -EINVAL: no such name; -ENOENT:
 * the one wanted, or any at all, is not here.
 */
int hv_launcher_choose(const char *wanted, const struct hv_launcher **out, struct hv_why *why, struct err *err);

/*
 * Letters, digits and "_", "-", "." or "+", not first a sign, at most HV_LAUNCH_NAME_MAX bytes. Else -EINVAL.
 */
int hv_launch_check_name(const char *name, struct err *err);

/* ---- for launchers ----------------------------------------------------------------------------------------------- */

/* The file that execvp(3) would run as `program`, in path[size]; or false. */
bool hv_find_program(const char *program, char *path, size_t size);
/*
 * Make the name of a readable file absolute, against the working directory, into out[size]. `what` names the setting
 * in the error.
 */
int hv_launch_file(const char *what, const char *path, char *out, size_t size, struct err *err);
/* Connect to the unix socket at `path`; `type` is SOCK_STREAM or SOCK_DGRAM. A descriptor, or -errno. */
int hv_unix_connect(const char *path, int type);

#endif
