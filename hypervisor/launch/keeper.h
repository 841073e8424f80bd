/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keeper: one small process per guest that looks after the guest's process, so that neither the switch's daemon nor
 * a terminal has to live as long as the guest does.
 *
 * Model. The keeper is a session of its own. It runs the guest on a pseudo-terminal, writes what the guest prints to
 * DIR/console.log (beyond HV_KEEPER_LOG_MAX bytes it begins anew and keeps one older part, console.log.1), and passes it
 * to whoever is connected to DIR/console.sock, whose input goes to the guest. DIR/keeper.pid and DIR/guest.pid are
 * pidfiles (process.h). SIGTERM to the keeper kills the guest at once. When the guest has ended, by whatever cause, the
 * keeper kills what is left of its processes, calls `ended`, and exits. A guest does not outlive its keeper: the kernel
 * kills it then.
 *
 * Limits. A reader of the console that is slower than its guest loses output; it never holds the guest up.
 *
 * Threads: the caller must have one thread only. Errors: 0 or -errno with a sentence in *err.
 */
#ifndef HV_KEEPER_H
#define HV_KEEPER_H

#include "hypervisor/cfg/text.h"

#define HV_KEEPER_LOG_MAX (4u << 20)
#define HV_KEEPER_CLIENTS_MAX 8 /* readers of one console */

struct hv_keeper {
	const char *dir; /* the guest's run directory: absolute, exists */
	char *const *argv; /* the guest: a NULL at its end */
	int lock; /* a descriptor that stays open as long as the keeper lives, and that the guest does not inherit */
	void (*ended)(void *arg); /* called in the keeper when the guest has ended after it was started */
	void *arg;
};

/*
 * Start keeper and guest. Returns 0 when the guest runs: it has printed something, or run for a while, without ending.
 * On failure nothing of it runs, and `ended` was not called; what the guest printed last is in the error.
 */
int hv_keeper_start(const struct hv_keeper *keeper, struct err *err);

#endif
