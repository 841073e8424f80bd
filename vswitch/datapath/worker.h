/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Workers: the threads that move frames (forward.h), and when they poll and sleep. See the top of worker.c for how.
 *
 * Threads. All calls here are the control thread's.
 */
#ifndef XBAR_WORKER_H
#define XBAR_WORKER_H

#include "forward.h"
#include "vswitch/base/err.h"

/* Workers that are started from now on give up what they do not need: capabilities, and most system calls. */
void workers_confine(void);
/* Start `n` workers, pinned from `first_cpu` on (-1: the last CPUs there are). 0 or -errno with *err. */
int workers_start(unsigned n, int first_cpu, unsigned poll_us, struct err *err);
void workers_stop(void);
unsigned workers_count(void);
/* The epoll set of worker `id`, to which a port's driver adds what wakes it. */
int worker_epfd(unsigned id);
/*
 * Give all workers `dp`, wake them, and wait until none uses the one before, which is returned (NULL at first) and the
 * caller's to free.
 */
struct dp_conf *worker_publish(struct dp_conf *dp);

struct worker_info {
	unsigned id;
	int cpu; /* -1: not pinned */
	uint64_t passes, busy_passes, sleeps; /* turns of the loop; those that moved a frame; times it slept */
	uint64_t cycles_busy, cycles_total; /* TSC */
};
void worker_info(unsigned id, struct worker_info *info);

#endif
