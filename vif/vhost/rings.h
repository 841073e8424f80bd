/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rings of a vhost-user device: what the front end has said of each, and what workers get to see of it.
 *
 * Model. A struct ring_setup collects what messages say of one ring, in any order and unchecked but for its size. From all of
 * them, the memory and the features rings_build() makes a struct session: there, and only there, a ring's addresses are
 * checked and translated, so whatever changes, a session is taken back, and another one is built. A ring that is not set up,
 * or does not pass, is absent from it. The indices that the workers have moved come back by rings_collect().
 *
 * Ring 2i is the guest's receive ring of pair i, 2i + 1 its transmit ring; behind the last one that was negotiated is the
 * control ring (ctrlq.h), where the guest's driver speaks to us directly.
 *
 * Threads. A struct ring_setup is the control thread's; a session is read-only after rings_build() but for the rings in it, which
 * are the workers'.
 */
#ifndef XBAR_VHOST_RINGS_H
#define XBAR_VHOST_RINGS_H

#include "memory.h"
#include "signal.h"

#define VIRTIO_F(bit) (1ULL << (bit))
#define VHOST_F_LOG_ALL 26
#define VHOST_USER_F_PROTOCOL_FEATURES 30
#define VRINGS_MAX (2 * VIF_QUEUES_MAX + 1)
#define VRING_SIZE_MAX 32768

struct ring_setup {
	uint32_t size; /* entries; 0: not said */
	uint16_t base; /* where it stands, as struct ring has it */
	bool addressed; /* desc, avail and used have been said */
	uint64_t desc, avail,
		used; /* in the front end's address space; packed: slots, the driver's and the device's event area */
	uint64_t log; /* by which writes to the used ring are marked, if logs_used */
	bool logs_used;
	bool started; /* between SET_VRING_KICK and GET_VRING_BASE */
	bool enabled;
	bool big_endian; /* a legacy guest's, of another byte order than ours */
	int kickfd; /* -1 */
	struct signal call;
};

struct session {
	uint64_t features;
	unsigned pairs; /* of rx[] and tx[] */
	unsigned rx_queues, tx_queues; /* one more than the last that is served; those from 0 on that are served */
	struct ring_mem mem;
	struct ring_log log; /* bits NULL: none */
	struct ring rx[VIF_QUEUES_MAX]; /* the guest sends */
	struct ring tx[VIF_QUEUES_MAX]; /* the guest receives */
	struct ring ctrl;
	struct signal rx_call[VIF_QUEUES_MAX], tx_call[VIF_QUEUES_MAX], ctrl_call;
};

/* Of the front end's choice: `vring` of them, which of those is the control ring (VRINGS_MAX: none), and the features. */
struct rings_plan {
	uint64_t features;
	unsigned pairs; /* that the vif has */
	unsigned active; /* that the guest's driver uses to receive */
	unsigned ctrl;
};

void ring_setup_init(struct ring_setup *setup);
/* Forget all, and close what it holds. No session may show it. */
void ring_setup_reset(struct ring_setup *setup);

/*
 * The rings that can be served, or NULL: none can, or no memory. Whichever ring was set up and cannot be served is named in
 * *err, with the reason; else err->text is empty. The caller frees the session by rings_free().
 */
struct session *rings_build(struct ring_setup *setup, const struct memory *memory, const struct rings_plan *plan,
			    struct err *err);
/* The session is in no worker's view: keep where its rings stand. */
void rings_collect(struct ring_setup *setup, const struct session *session, unsigned ctrl);
void rings_free(struct session *session);

#endif
