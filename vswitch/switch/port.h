/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The records of bridges and ports: what was asked for, where each port is now, and the driver behind it. There is one
 * record of each, and the switch (switch.h) owns it; the state's files (state.h) keep the struct bridge_conf or struct
 * port_conf of it.
 *
 * Threads. The control thread's alone.
 *
 * Ownership. Others than switch/ read records and never write them. A pointer to one is valid until it is deleted, which
 * any act of switch.h and any turn of the event loop may do.
 */
#ifndef XBAR_PORT_H
#define XBAR_PORT_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/un.h>

#include "names_table.h"
#include "vif/vif.h"
#include "vswitch/base/ids.h"

#define PORT_SOCKET_MAX sizeof(((struct sockaddr_un *)0)->sun_path)

/* The rows of the table in kinds.c. */
enum port_kind { PORT_VHOST, PORT_NETIF, PORT_HOST, PORT_UPLINK, PORT_KIND_MAX };

/* MAC addresses that are known, not learned, to be behind a port. */
#define PORT_MACS_MAX 64
struct port_macs {
	unsigned n;
	uint8_t mac[PORT_MACS_MAX][6];
};

/* A bridge as it is asked for, and as its file has it. */
struct bridge_conf {
	uint64_t order; /* see struct port_conf */
	char name[IFNAMSIZ];
	uint32_t ageing; /* seconds; 0: the daemon's default */
	bool host; /* it has a host port, called as the bridge is */
	uint8_t host_mac[6]; /* all zeroes: random */
	uint32_t host_mtu; /* 0: 1500 */
	struct port_macs host_fixed; /* see struct port_conf */
};

/* A port as it is asked for, and as its file has it. A host port has no file: its bridge's has it. */
struct port_conf {
	uint64_t order; /* ports and bridges come back in the order in which they were made; 0: it is new */
	enum port_kind kind;
	char name[VIF_NAME_MAX]; /* of an uplink: that of its netdev, or its PCI address */
	char on[IFNAMSIZ]; /* the bridge that it is on; "": none */
	uint8_t mac[6]; /* a guest's own; a host port's. All zeroes: not known, or to be made up */
	uint32_t mtu; /* as asked for; 0: 1500 */

	struct port_macs fixed; /* set by hand (sw_fdb_add()): in the MAC table while the port is on a bridge */

	/* ---- uplinks ---- */
	char driver[16]; /* "af_packet", "af_xdp", "pci"; "": chosen by the switch */
	uint32_t coalescing; /* ETHTOOL_GRO, ETHTOOL_LRO: what the netdev did before, and will do again */

	/* ---- guests' vifs ---- */
	char guest[128]; /* its name; "": not told */
	int32_t devid; /* -1: not told */
	uint32_t domid; /* of a Xen guest */
	char bridge
		[IFNAMSIZ]; /* as it was asked for: what the vif-script is told. port->conf.on says where the port is */
	char ip[256]; /* as written; "": any */
	uint64_t rate_bytes_per_interval; /* 0: no limit */
	uint32_t rate_interval_usecs;
	bool trusted;
	char script[256]; /* "": the daemon's vif-script */
	uint16_t queues; /* pairs, at most; 0: 1 */
	bool server; /* vhost-user: xbard listens */
	bool hotplug; /* the vif-script runs for it */
	bool no_offload;
	char socket[PORT_SOCKET_MAX]; /* vhost-user: its path */
	/* of a socket that xbard listens on, as base/ids.h reads them; "", 0: see struct unixsock_access */
	char socket_owner[ID_TEXT_MAX + 1], socket_group[ID_TEXT_MAX + 1];
	uint32_t socket_mode;
};

struct port {
	struct port_conf conf;
	bool pending; /* made by sw_port_begin(), and sw_port_commit() is still to come: no file has it */
	unsigned tag; /* its maker's own: sw_port_tag() */

	struct port_macs own; /* of a host port: its netdev's address, and those of netdevs above it (sw_host_macs()) */

	/* ---- switch/'s own ---- */
	TAILQ_ENTRY(port) link;
	struct named named;
	struct vif_port *vif; /* the driver's port */
	struct vif_counters *counters; /* [VIF_WORKERS_MAX] */
	struct rxq *rxq[VIF_QUEUES_MAX];
	unsigned nrxq;
	uint16_t id; /* its number in bridge/ */
	bool was_up; /* at the last sw_tick() */
	const char *was_quarantined;
};

struct bridge {
	char name[IFNAMSIZ];
	uint32_t ageing; /* seconds; 0: the daemon's default */
	const struct port *host; /* the host port; NULL: it has none */

	/* ---- switch/'s own ---- */
	TAILQ_ENTRY(bridge) link;
	struct named named;
	uint64_t order;
	uint16_t id; /* its number in bridge/ */
};

TAILQ_HEAD(ports, port);
TAILQ_HEAD(bridges, bridge);

#endif
