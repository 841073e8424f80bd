/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Run an administrator's script without blocking the event loop: its output goes to the log line by line under its name,
 * it has a time limit, and a callback reports its end.
 *
 * Model. A script runs in a process group of its own, with none of our descriptors, and with the environment that it is given. On
 * its time limit the group gets SIGTERM, two seconds later SIGKILL. It has ended when its first process has; what others
 * write after that is not read.
 *
 * Threads. The control thread's alone.
 *
 * Errors. script_run() returns 0 or -errno and fills *err. Later errors are passed to done().
 */
#ifndef XBAR_SCRIPT_H
#define XBAR_SCRIPT_H

#include "vswitch/base/err.h"

struct event_base;
struct script;

struct script_opts {
	const char *name; /* in the log: "vif-bridge online vif1.0" */
	const char *path; /* absolute */
	const char *const *argv; /* NULL at the end; copied */
	const char *const *envp; /* likewise */
	unsigned timeout_s;
	/*
	 * Called once, from the loop. `why` is NULL if the script exited 0; otherwise a sentence: its last line on standard
	 * error if it wrote one, or how it ended.
	 */
	void (*done)(void *arg, const char *why);
	void *arg;
};

/* Start it. *out is valid until done() is called. */
int script_run(struct event_base *base, const struct script_opts *opts, struct script **out, struct err *err);
/* Kill it, wait for its end and free it; done() is not called. */
void script_abort(struct script *script);

#endif
