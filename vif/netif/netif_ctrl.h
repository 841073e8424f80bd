/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A netfront's control ring (xen/include/public/io/netif.h, "Control ring"): how it wants its frames hashed, and which of
 * its grants it wants to stay mapped.
 *
 * Model. Each request is answered before the next is read. What a request changes is copied, published to the workers by
 * the ops, and the old copy freed when no worker uses it any longer.
 *
 * Threads. One, and no worker.
 */
#ifndef XBAR_NETIF_CTRL_H
#define XBAR_NETIF_CTRL_H

#include "netif_ring.h"

#define NETIF_CTRL_RING_SIZE 128

struct netif_ctrl_ops {
	/* Publish a new hash (ours to free; NULL: none), and return the old one when no worker uses it any longer. */
	const struct netif_hash *(*set_hash)(void *arg, const struct netif_hash *hash);
	/* Likewise the pages of a queue; what the old one has and the new one lacks is unmapped after. */
	const struct netif_staged *(*set_staged)(void *arg, unsigned queue, const struct netif_staged *staged);
};

struct netif_ctrl {
	struct xen_netif_ctrl_sring *ring;
	uint32_t rsp_prod;
	uint16_t domid;
	unsigned queues;
	const char *broken; /* as struct netif_tx's */
	const struct netif_ctrl_ops *ops;
	void *arg;
	struct netif_hash hash; /* as last set */
	const struct netif_staged *staged[VIF_QUEUES_MAX]; /* as last set */
};

/* As netif_tx_begin. */
bool netif_ctrl_begin(struct netif_ctrl *ctrl);
/* Answer up to `max` requests; how many there were. The guest is to be notified if there were any. */
unsigned netif_ctrl_serve(struct netif_ctrl *ctrl, unsigned max);
/* Ask for a notification. true: a request waits already. */
bool netif_ctrl_arm(struct netif_ctrl *ctrl);
/* Take back what was set: hash and pages are unset, and the pages unmapped. */
void netif_ctrl_end(struct netif_ctrl *ctrl);

#endif
