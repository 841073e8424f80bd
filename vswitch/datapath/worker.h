/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Workers: the threads that move frames. See the top of worker.c for how.
 *
 * Model. Everything that a worker needs to know is in a struct dp_conf, which never changes once published. The control
 * thread makes a new one, publishes it (worker_publish), waits (vif_synchronize), and frees what was replaced.
 *
 * Threads. All calls here are the control thread's; vif_synchronize() is anybody's but a worker's.
 */
#ifndef XBAR_WORKER_H
#define XBAR_WORKER_H

#include "bridge/bridge.h"
#include "vif/vif.h"
#include "vswitch/base/err.h"

struct burst;

/* A receive queue of a port, with what its worker remembers of it. Made by rxq_new(), notify_list by its worker alone. */
struct rxq {
	struct vif_port *port;
	unsigned queue;
	struct burst *held; /* a burst that waits for a receiver; NULL: none */
	uint64_t no_hold_until; /* TSC: until then no burst is held */
	struct burst *spare; /* to be swapped with the worker's own when that is held; NULL while held */
};

struct rxq *rxq_new(struct vif_port *port, unsigned queue);
void rxq_free(struct rxq *rxq);

struct dp_conf {
	const struct br_conf *conf;
	struct fdb *fdb;
	struct vif_port *port[BR_PORT_MAX];
	struct {
		struct rxq **rxq;
		unsigned n;
		bool needs_poll; /* a port cannot wake the worker: look once a millisecond */
	} worker[VIF_WORKERS_MAX];
};

/* Start `n` workers, pinned from `first_cpu` on (-1: the last CPUs there are). 0 or -errno with *err. */
int workers_start(unsigned n, int first_cpu, unsigned poll_us, struct err *err);
void workers_stop(void);
unsigned workers_count(void);
/* The epoll set of worker `id`, to which a port's driver adds what wakes it. */
int worker_epfd(unsigned id);
/* Show `dp` to workers workers, wake them, wait until none uses the old one, and return that (NULL at first). */
struct dp_conf *worker_publish(struct dp_conf *dp);
struct worker_info {
	unsigned id;
	int cpu;
	uint64_t passes, busy_passes, sleeps; /* turns of the loop, those that moved a frame, times it slept */
	uint64_t cycles_busy, cycles_total; /* TSC */
};
void worker_info(unsigned id, struct worker_info *info);

#endif
