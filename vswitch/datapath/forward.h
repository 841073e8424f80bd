/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way of a frame: peek -> decide -> deliver -> release, one burst at a time. See the top of forward.c for how.
 *
 * Model. A forwarder is what one worker thread needs to move frames. What the control thread decides reaches it as a
 * struct dp_conf, which never changes once it is published: to change anything, the control thread makes a new one,
 * publishes it (worker_publish), waits (vif_synchronize), and frees the old one.
 *
 * Threads. A forwarder, and the receive queues that its dp_conf gives it, belong to one thread at a time. Making and
 * freeing them is the control thread's; a queue is freed once no published dp_conf holds it.
 */
#ifndef XBAR_FORWARD_H
#define XBAR_FORWARD_H

#include "bridge/bridge.h"
#include "vif/vif.h"

struct burst;
struct forwarder;

/* A receive queue of a port, with what its worker remembers of it. */
struct rxq {
	struct vif_port *port;
	unsigned queue;
	struct burst *held; /* waits for a receiver; NULL: none */
	uint64_t no_hold_until; /* TSC: until then no burst is held for want of buffers */
	int32_t soft_budget; /* bytes that may still be made in software in this pass */
	uint16_t peer; /* port that unicast went to last; BR_NONE: none yet */
	uint32_t shared_until; /* second until which it counts as a sender with several receivers */
	struct burst *spare; /* replaces the forwarder's own burst when that is held; NULL while one is held */
};

/* NULL: no memory. */
struct rxq *rxq_new(struct vif_port *port, unsigned queue);
void rxq_free(struct rxq *rxq);

/* All that the workers need to know. The control thread owns it and all it points to. */
struct dp_conf {
	const struct br_conf *conf;
	struct fdb *fdb;
	struct vif_port *port[BR_PORT_MAX]; /* by port number; NULL: none */
	struct {
		struct rxq **rxq;
		unsigned n;
		bool needs_poll; /* one of its ports cannot wake the worker, which then looks once a millisecond */
	} worker[VIF_WORKERS_MAX];
};

/* Ticks of the processor's time stamp counter in a microsecond. The first call measures it, for 10 ms. */
uint64_t tsc_per_us(void);

/* The forwarder of worker `id`. NULL: no memory. */
struct forwarder *forwarder_new(unsigned id);
void forwarder_free(struct forwarder *fw);
/* Serve every receive queue of the worker once. `now` is in seconds of a monotonic clock. Returns the frames moved. */
unsigned forward_pass(struct forwarder *fw, const struct dp_conf *dp, uint32_t now);
/* Whether the last pass left a burst waiting for its receiver: the next pass must follow soon. */
bool forward_holds(const struct forwarder *fw);

#endif
