/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Xen netif ports: the backend side of a netfront's shared rings (xen/include/public/io/netif.h), the counterpart of
 * vhost.h for Xen guests.
 *
 * Model. The port exists, and keeps its bridge, from the moment the toolstack asks for the vif until it takes it away; it
 * is connected (rings mapped, event channels bound) only while the frontend is. hypervisor/xenback.c speaks with
 * xenstore and says when. Connecting goes on from what the shared pages say (req_cons = rsp_prod), so that a new daemon
 * adopts the rings of running guests. What such a guest had told the backend before, it has to tell again: there are no
 * hash and no staged pages at first, and multicast groups are not filtered until the guest reconnects. Frames are copied by
 * the hypervisor, from guest to guest, in one system call per burst; the switch itself sees only their first bytes.
 *
 * Threads. The functions below are the control thread's; the packet path is vif.h's. Control rings are served by a thread
 * of their own.
 *
 * Errors. 0 or -errno with *err.
 */
#ifndef XBAR_NETIF_H
#define XBAR_NETIF_H

#include "vif/vif.h"
#include "vswitch/base/err.h"

extern const struct vif_ops netif_ops;

struct netif_queue_conf {
	uint32_t tx_ref, rx_ref; /* grants of the ring pages */
	uint32_t tx_evtchn, rx_evtchn; /* the frontend's ports; equal: one channel for both */
};

/* What a frontend asks for in xenstore. */
struct netif_conf {
	uint32_t domid;
	uint16_t queues; /* 1..VIF_QUEUES_MAX */
	struct netif_queue_conf queue[VIF_QUEUES_MAX];
	bool ctrl; /* it has a control ring */
	uint32_t ctrl_ref, ctrl_evtchn;
	bool sg, gso4, gso6, csum4, csum6; /* what it can receive */
	bool multicast_control; /* request-multicast-control = 1 */
	bool trusted; /* trusted = 1, or not there */
	bool poll_rx; /* feature-rx-notify = 0: it does not tell of buffers posted, which nothing here waits for */
};

struct netif_opts {
	uint32_t domid; /* of the guest; for people: netif_conf has the one that counts */
	unsigned queues; /* that the guest is offered: 1..VIF_QUEUES_MAX */
	uint32_t mtu;
};

/* Make a port without rings. As vhost_open. */
int netif_open(const struct vif_port *base, const struct netif_opts *opts, struct vif_port **out);
int netif_connect(struct vif_port *port, const struct netif_conf *conf, struct err *err);
/* Unmap and unbind; the port stays. Does nothing if it is not connected. */
void netif_disconnect(struct vif_port *port);
/* The frontend changes request-multicast-control while it is connected; otherwise this does nothing. */
void netif_multicast_control(struct vif_port *port, bool on);

#endif
