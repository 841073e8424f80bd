/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The supervisor: one small process per guest that holds its console and waits for its end, so that neither the switch's
 * daemon nor a terminal has to live as long as the guest does.
 *
 * Model. The supervisor leads its own session. It runs the guest on a pseudo-terminal and writes what the guest prints to
 * DIR/console.log (at HV_SUPERVISOR_LOG_MAX bytes the file becomes console.log.1, which is the only older part that is
 * kept) and to every client of DIR/console.sock, whose input goes to the guest. DIR/supervisor.pid and DIR/guest.pid are
 * pidfiles (process.h). SIGTERM to the supervisor kills the guest at once. When the guest has ended, for whatever reason,
 * the supervisor kills its remaining processes, calls `ended`, and exits. A guest does not outlive its supervisor: the
 * kernel kills it then.
 *
 * Limits. A console client that is slower than its guest loses output; it never blocks the guest.
 *
 * Threads: the caller must have only one thread. Errors: 0 or -errno with a struct err.
 */
#ifndef HV_SUPERVISOR_H
#define HV_SUPERVISOR_H

#include "command.h"

#define HV_SUPERVISOR_LOG_MAX (4u << 20) /* bytes */
#define HV_SUPERVISOR_CLIENTS_MAX 8 /* of one console */

struct hv_supervisor {
	const char *dir; /* the guest's run directory: absolute, exists */
	const struct hv_command *command; /* of the guest */
	int lock; /* a descriptor that stays open as long as the supervisor lives; the guest does not inherit it */
	void (*ended)(void *arg); /* called in the supervisor when the guest, once running, has ended */
	void *arg;
};

/*
 * Start the supervisor and the guest. Returns 0 when the guest is running: it has printed something, or lived for a
 * while. On failure nothing is left running and `ended` was not called; the error quotes the end of the guest's output.
 */
int hv_supervisor_start(const struct hv_supervisor *supervisor, struct err *err);

#endif
