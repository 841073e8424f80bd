/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vif, and what its frontend asks for, as read from xenstore.
 */
#ifndef XBAR_XENBACK_VIF_H
#define XBAR_XENBACK_VIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XENBACK_QUEUES_MAX 16

/* A vif as the toolstack wrote it. "" and 0 mean not given. Strings are printable ASCII. */
struct xenback_vif {
	uint32_t domid;
	uint32_t devid;
	char name[64]; /* vifname, else vifD.N */
	char guest[128]; /* the domain's name; "": none yet */
	char bridge[16], ip[256], script[256], vlan[256];
	uint8_t mac[6];
	uint32_t mtu;
	uint64_t rate_bytes_per_interval;
	uint32_t rate_interval_usecs;
	bool trusted; /* trusted= as the guest is told it: false for 0, else true */
	unsigned queues; /* the most that a previous daemon offered its frontend; 0: none did */
	bool hotplugged; /* hotplug-status is "connected": its script ran before this daemon started */
	bool adopted; /* its rings are connected: a previous daemon served them */
};

struct xenback_queue {
	uint32_t tx_ref, rx_ref, tx_evtchn, rx_evtchn; /* equal channels: one serves both */
};

/* What a frontend asks for. */
struct xenback_rings {
	uint32_t domid;
	unsigned queues;
	struct xenback_queue queue[XENBACK_QUEUES_MAX];
	bool ctrl;
	uint32_t ctrl_ref, ctrl_evtchn;
	bool sg, gso4, gso6, csum4, csum6, multicast_control, trusted, poll_rx; /* as in netif_conf */
};

#endif
