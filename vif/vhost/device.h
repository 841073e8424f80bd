/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vhost-user device: what one connection has negotiated and set up, and what workers see of it.
 *
 * Model. Messages (message.h) change a device between device_touch() or device_stop(), which take from the workers what
 * the change concerns, and device_settle(), which shows them what there is then. Nothing is taken back if the ring that a
 * message is about does not run. device_reset() ends a connection: all that its front end gave is closed and unmapped.
 *
 * Threads. The control thread's, but for `session`, which workers read once in each call, and `announce`, which the worker
 * of queue 0 takes.
 */
#ifndef XBAR_VHOST_DEVICE_H
#define XBAR_VHOST_DEVICE_H

#include <linux/virtio_net.h>

#include "rings.h"

#define NET_F_GUEST_USO4 54 /* virtio 1.2; Debian 12's kernel headers lack them */
#define NET_F_GUEST_USO6 55
#define NET_F_HOST_USO 56

struct event;
struct event_base;

#define DEVICE_ANNOUNCE (1ULL << 63)

struct device {
	struct session *session; /* NULL: nothing is served */
	uint64_t announce; /* atomic: DEVICE_ANNOUNCE and the MAC address for which a frame is to be made; 0: none */
	/* fixed */
	struct vif_port *port;
	struct event_base *loop;
	unsigned pairs;
	uint64_t offered;
	struct virtio_net_config config;
	/* of the connection */
	bool owned, negotiated; /* SET_OWNER, SET_FEATURES */
	bool asked, offers_config; /* GET_PROTOCOL_FEATURES, and what the answer to the first one was */
	uint64_t features, protocol;
	uint8_t status; /* of virtio, as the front end has said */
	unsigned active; /* pairs that the guest's driver receives on */
	struct memory memory;
	struct ring_setup setup[VRINGS_MAX];
	int backend; /* the channel for requests of ours, none of which there is; -1 */
	/* of what is shown */
	bool built;
	uint64_t shown; /* the rings from which session was built, one bit each */
	struct event *ctrl; /* the control ring's kicks */
	struct err fault; /* why a ring that was set up is not served; empty: none */
};

/* `device` is zeroes but for what is fixed. */
void device_init(struct device *device);
/* Bits of VIRTIO_F() that a vif can offer. */
uint64_t device_features(bool offload, bool mac, bool multiqueue);

/* Which ring is the control ring; VRINGS_MAX: none. */
unsigned device_ctrl(const struct device *device);
/* Take ring `index` from the workers, if they have it. */
void device_touch(struct device *device, unsigned index);
/* Take everything from the workers. */
void device_stop(struct device *device);
/* Show the workers what can be served now. */
void device_settle(struct device *device);
/* Ring `index` starts. If it is the first to, the guest begins anew, and a quarantine that it had earned ends. */
void device_start_ring(struct device *device, unsigned index);
/*
 * Queue 0's worker is to make a frame by which bridges and switches learn where the guest with this address is: a reverse
 * ARP request, as if the guest had sent it, when the queue is served.
 */
void device_announce(struct device *device, const uint8_t mac[6]);
/* Stop all rings and forget them; `features` too. Memory and descriptors for requests stay. */
void device_reset_rings(struct device *device);
/*
 * Back to where device_init() left it. With `unseen` the port is in no worker's view, and nobody has to be waited for.
 */
void device_reset(struct device *device, bool unseen);

#endif
