/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-user ports: guests with virtio-net NICs whose hypervisor shares their memory (QEMU, User-Mode Linux).
 *
 * Model. librte_vhost speaks the protocol (sockets, messages, mapping of memory) on its own thread; the rings are ours
 * (ring.h). The library's callbacks build a `conn` (memory table and rings as of now), publish it to the workers, and
 * take it back before any message that could change what it describes; the indices live on in the library between the
 * two (rte_vhost_set_vring_base), where GET_VRING_BASE finds them.
 *
 * Limits. Split rings only (User-Mode Linux offers a ring base without the wrap bit of packed ones); no dirty log, so a
 * guest cannot be live-migrated with the port in use; at most RING_REGIONS pieces of memory.
 *
 * Safety. A guest that truncates the memory it shares gets zeroes mapped in its place and is quarantined
 * (vhost_catch_sigbus). Descriptors to be written to are made non-blocking.
 */
#ifndef XBAR_VHOST_H
#define XBAR_VHOST_H

#include "vif/vif.h"

extern const struct vif_ops vhost_ops;

struct vhost_opts {
	const char *path; /* of the unix socket, copied */
	bool server; /* listen; else connect, and connect again */
	unsigned queues; /* 1..VIF_QUEUES_MAX */
	uint32_t mtu; /* told to the guest where the transport can */
	uint8_t mac[6]; /* likewise; zeroes: not */
	bool no_offload;
};

/* Once, before the first port: turn SIGBUS on shared guest memory into the quarantine of the guest's port. */
int vhost_catch_sigbus(void);
/*
 * Make a port and begin to listen or connect. `port` has ops, name, id, counters, epfd and shared filled in by the
 * caller but for ops. On success *out is the port (freed by ops->close). 0 or -errno.
 */
int vhost_open(const struct vif_port *base, const struct vhost_opts *opts, struct vif_port **out);

#endif
