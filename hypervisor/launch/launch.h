/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Launching guests: one struct per hypervisor, and the choice among them.
 *
 * Model. A launcher knows whether its hypervisor is available, whether it can run a given guest, and by which command;
 * the supervisor (supervisor.h) runs that command. Xen is different: xl and libxl manage their guests themselves, so its
 * launcher has no command and sets `native`; callers hand the whole task to xl.
 *
 * Unless told otherwise, a launcher confines the guest's process (confine.h).
 *
 * A guest's NIC is a vhost-user socket. With User-Mode Linux the switch listens on it before the guest starts. With QEMU
 * the guest's process listens and the switch keeps trying to connect, so that a restarted switch finds running guests.
 *
 * Choice. Xen if this is a Xen control domain with xl; else QEMU if KVM works; else User-Mode Linux; else QEMU without
 * KVM, which runs anywhere but slowly. $XBAR_HYPERVISOR or the caller can name another. KVM "works" if /dev/kvm creates a
 * VM and the processor has vmx or svm: the paravirtual KVM of some clouds' machines creates VMs too, but an ordinary
 * kernel hangs in them. $XBAR_ACCEL=kvm or tcg overrides the test.
 *
 * Threads: none. Errors: 0 or -errno with a struct err.
 */
#ifndef HV_LAUNCH_H
#define HV_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "command.h"
#include "hypervisor/cfg/guestcfg.h"

#define HV_LAUNCH_NAME_MAX 59 /* bytes of a guest's name, so that NAME.DEVID fits a port's name */
#define HV_LAUNCH_VIFS_MAX 16
#define HV_LAUNCH_RUN "run" /* in the guest's run directory: the directory of its sockets, which exists */

struct hv_launch_vif {
	const char *socket; /* of the vhost-user port; of a confined guest that root launches, in HV_LAUNCH_RUN */
	uint8_t mac[6];
	uint32_t mtu; /* bytes of IP packet; 0: the guest's own default */
	unsigned queues; /* queue pairs */
};

struct hv_launch {
	const struct hv_guest *guest;
	bool confined; /* see confine.h */
	uid_t uid; /* of the confined guest */
	const char *dir; /* the guest's run directory: absolute, exists */
	const struct hv_launch_vif *vif; /* in the guest's order */
	size_t nvif;
};

enum hv_available { HV_ABSENT, HV_SLOW, HV_READY };

struct hv_why { /* one sentence without a full stop */
	char text[256];
};

struct hv_launcher {
	const char *name; /* as --hypervisor takes it */
	const char *title;
	bool native; /* xl does everything: only available() is set below */
	bool vif_server; /* the switch listens on the vifs' sockets, from before the guest starts */
	unsigned queues_max; /* queue pairs that a NIC can have */
	enum hv_available (*available)(struct hv_why *why);
	/*
	 * Can it run launch->guest? `dir` and `vif` are not set yet. Adds a sentence to `notes` for each setting that it
	 * ignores.
	 */
	int (*check)(const struct hv_launch *launch, struct hv_argv *notes, struct err *err);
	/*
	 * Build the command that runs the guest in the foreground, with the guest's console as its terminal. `command` is
	 * empty, and on failure for the caller to free too.
	 */
	int (*command)(const struct hv_launch *launch, struct hv_command *command, struct err *err);
	/* Ask the guest whose run directory is `dir` to shut down; does not wait until it has. */
	int (*shutdown)(const char *dir, struct err *err);
};

extern const struct hv_launcher hv_launch_xl, hv_launch_qemu, hv_launch_uml;

/* The launcher called `name`, or NULL. */
const struct hv_launcher *hv_launcher_find(const char *name);

/*
 * Choose the launcher `wanted` (NULL: $XBAR_HYPERVISOR, else the best available); *why says why that one. -EINVAL: no
 * such name; -ENOENT: the one wanted, or any at all, is not available.
 */
int hv_launcher_choose(const char *wanted, const struct hv_launcher **out, struct hv_why *why, struct err *err);

/*
 * -EINVAL unless `name` is 1 to HV_LAUNCH_NAME_MAX letters, digits, "_", "-", "." and "+", and begins with a letter or
 * digit.
 */
int hv_launch_check_name(const char *name, struct err *err);

/* ---- for launchers ----------------------------------------------------------------------------------------------- */

/*
 * Put the absolute path of the file `path`, which the guest's process must be able to read, into out[size]. `what` names
 * the setting in the error.
 */
int hv_launch_file(const struct hv_launch *launch, const char *what, const char *path, char *out, size_t size,
		   struct err *err);

#endif
