/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Giving up what is not needed: capabilities of the process, capabilities and system calls of a thread. Nothing that was
 * given up can be had again.
 *
 * A system call that is not on a thread's list fails with EPERM, is counted, and logged by confine_report(). The thread is
 * not killed: that would be the end of the process, and so of all guests' network, for a call that a library has come to
 * make since; and the call has failed all the same.
 *
 * Errors. 0 or -errno. Threads. A thread's own business, but for confine_process() and confine_report(): the control thread's.
 */
#ifndef XBAR_CONFINE_H
#define XBAR_CONFINE_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define CAPABILITY(name) (1ULL << CAP_##name) /* with <linux/capability.h> */

/*
 * Keep the capabilities in `keep` alone, in this thread and those that it will start, whatever programs they start: a
 * program that runs as root gets what we have left (no_new_privs). To be called before there are other threads.
 */
int confine_process(uint64_t keep, struct err *err);
/* The capabilities that this thread has now. */
uint64_t confine_kept(void);

/* A system call that a thread may make; with `arg` of 0 to 5, only if that argument's low 32 bits are `value`. */
struct confine_call {
	int number;
	int arg; /* -1: whatever the arguments are */
	uint32_t value;
};

/* This thread has no use for any capability. */
int confine_capabilities(void);
/* Nor for system calls other than the `n`, at most 100, in `calls`: those that it makes most often should come first. */
int confine_calls(const struct confine_call *calls, size_t n);
/* Once a second: log what was refused since, at a bounded rate. */
void confine_report(void);

#endif
