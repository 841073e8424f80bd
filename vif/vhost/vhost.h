/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-user ports: guests with virtio-net NICs whose hypervisor shares their memory (QEMU, User-Mode Linux).
 *
 * Model. A port listens on a unix socket, or connects to one, and connects again. It serves one front end at a time. The
 * folder's parts, each on those before it: memory.h (what is shared), signal.h (kicks and calls), rings.h (what was set up,
 * checked against the memory), ctrlq.h (the control queue), device.h (what workers see), message.h (the protocol),
 * connection.h (one connection). How rings are served is vif/ring/.
 *
 * Limits. At most RING_REGIONS pieces of memory; no post-copy, no in-flight tracking, no rings of a big-endian
 * legacy guest.
 *
 * Safety. A front end is taken to be hostile. It costs the loop CONNECTION_TURN messages a turn, the daemon the descriptors
 * of its rings and one mapping a region, the log LOG_BURST lines and then one a minute, and nobody else anything. A port
 * whose front end broke a rule of the protocol loses the connection; of its rings or its memory, it is quarantined.
 *
 * Threads. The control thread, whose loop is vhost_init()'s; what vif_ops says is a worker's.
 */
#ifndef XBAR_VHOST_H
#define XBAR_VHOST_H

#include "vif/vif.h"
#include "vswitch/base/unixsock.h"

struct event_base;

extern const struct vif_ops vhost_ops;

struct vhost_opts {
	const char *path; /* of the unix socket, copied */
	bool server; /* listen; else connect, and connect again */
	struct unixsock_access access; /* of a socket that the port listens on */
	unsigned queues; /* 1..VIF_QUEUES_MAX */
	uint32_t mtu; /* told to the guest where the transport can */
	uint8_t mac[6]; /* likewise; zeroes: not */
	bool no_offload;
};

/*
 * Once, before the first port: the ports' loop is `loop`, that of the control thread. SIGBUS on shared guest memory becomes
 * the quarantine of the guest's port. 0 or -errno.
 */
int vhost_init(struct event_base *loop);
/*
 * Make a port and begin to listen or connect. `port` has ops, name, id, counters, epfd and shared filled in by the
 * caller but for ops. On success *out is the port (freed by ops->close). 0 or -errno.
 */
int vhost_open(const struct vif_port *base, const struct vhost_opts *opts, struct vif_port **out);

#endif
