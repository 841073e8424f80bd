/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What netif.c (ports and their packet path) and netif_serve.c (the thread for control rings) share; nobody else includes this.
 */
#ifndef XBAR_NETIF_IMPL_H
#define XBAR_NETIF_IMPL_H

#include <rte_spinlock.h>

#include "netif.h"
#include "netif_ctrl.h"
#include "netif_xen.h"

struct queue {
	struct netif_tx tx;
	uint64_t rx_frames; /* written by the worker that peeks */
	struct netif_rx rx;
	uint64_t tx_frames; /* under rx_lock, as what is above it */
	struct netif_events ev;
	rte_spinlock_t rx_lock; /* used if several workers run */
};

struct netif_session {
	unsigned queues;
	uint32_t domid;
	bool csum4, csum6;
	char features[48]; /* as the frontend asked, in words */
	bool groups_lost; /* a backend before us was told of groups that we do not know */
	const struct netif_hash *hash;
	const struct netif_staged *staged[VIF_QUEUES_MAX];
	struct netif_mcast mcast;
	struct queue queue[VIF_QUEUES_MAX];
	/* below: for the control rings' thread, under its lock */
	struct netif_ctrl ctrl;
	struct netif_events ctrl_ev;
};

struct netif_port {
	struct vif_port base;
	struct netif_session *session;
	uint32_t domid; /* as it was told when the port was made */
	unsigned offered; /* queues */
	struct netif_port *next; /* with a control ring: netif_serve.c has a list */
};

static inline struct netif_port *netif_port_of(struct vif_port *base)
{
	return (struct netif_port *)base;
}

/* Quarantine the port for the rule that its ring broke. When the quarantine ends, the ring starts with a clean record. */
static inline void netif_quarantine_ring(struct vif_port *base, const char **broken)
{
	vif_quarantine(base, *broken);
	*broken = NULL;
}

/* What a control ring's requests change: for netif_ctrl.ops, with the port as its arg. */
extern const struct netif_ctrl_ops netif_served_ops;
/* Have the control ring of a connected port served, until netif_unserve(). 0 or -errno. */
int netif_serve(struct netif_port *port);
void netif_unserve(struct netif_port *port);
/* Have the thread look at the control ring, as if the guest had fired. */
void netif_serve_again(struct netif_port *port);

#endif
