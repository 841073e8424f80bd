/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The running switch as the control side sees it: bridges, ports and workers. Everything that changes the packet path
 * goes through here; nothing here knows of JSON, sockets or configuration files.
 *
 * Model. Named bridges and named ports. A port is made (sw_port_add_*), put on a bridge (sw_port_join), taken off
 * (sw_port_leave) and deleted (sw_port_del). A host port is an ordinary port whose name is its bridge's name. A vhost-user
 * or Xen port exists, and keeps its bridge, whether or not a guest is connected.
 *
 * Threads. All calls are the control thread's (one thread). They may sleep for up to a few milliseconds while workers
 * pass a quiescent state.
 *
 * Errors. 0 or -errno, and then *err (never NULL) holds one sentence for a person, naming the thing and the way out.
 * Nothing has changed then.
 */
#ifndef XBAR_SWITCH_H
#define XBAR_SWITCH_H

#include <stdbool.h>
#include <stdint.h>

#include "vif/vif.h"
#include "vswitch/base/err.h"
#include "vswitch/datapath/worker.h"

struct sw_opts {
	unsigned workers; /* 0: one */
	int first_cpu; /* workers are pinned from this CPU on; -1: the last CPUs that the process may use */
	unsigned poll_us; /* a worker without work polls this long before it sleeps */
	bool no_huge; /* do not try hugepages */
	uint32_t ageing; /* MAC ageing, seconds; 0: 300 */
};

int sw_init(const struct sw_opts *opts, struct err *err);
void sw_fini(void); /* stops the workers, deletes all ports; host ports vanish with their addresses */

/* Housekeeping, to be called about once a second: ages MACs, notices and logs quarantines and connection changes. */
void sw_tick(void);

/* ---- bridges ----------------------------------------------------------------------------------------------------- */

int sw_bridge_add(const char *name, struct err *err);
int sw_bridge_del(const char *name, struct err *err); /* -EBUSY while a port other than the host port is on it */
int sw_bridge_ageing(const char *name, uint32_t seconds, struct err *err);
int sw_fdb_flush(const char *bridge, const char *port, struct err *err); /* either may be NULL: all */

/* ---- ports ------------------------------------------------------------------------------------------------------- */

struct sw_vhost_opts {
	const char *path; /* of the unix socket */
	bool server; /* xbard listens (User-Mode Linux); else it connects, and connects again (QEMU) */
	unsigned queues; /* queue pairs, 1..VIF_QUEUES_MAX; more than 1 offers the control queue too */
	uint32_t mtu; /* 0: 1500 */
	uint8_t mac[6]; /* told to the guest where the transport can; all zeroes: not */
	bool no_offload; /* offer no checksum or segmentation offload */
};

struct sw_uplink_opts {
	const char *netdev; /* a kernel netdev's name, or a PCI address for one that is bound to vfio-pci */
	const char *driver; /* "af_packet", "af_xdp", "pci"; NULL: chosen, and the choice is logged */
};

int sw_port_add_vhost(const char *name, const struct sw_vhost_opts *opts, struct err *err);
/* A Xen guest's, without rings until sw_netif_connect(). `domid` is for people; mtu 0: 1500. */
struct sw_netif_opts {
	uint32_t domid;
	unsigned queues; /* at most; 0: 1 */
	uint32_t mtu;
	uint8_t mac[6]; /* the guest's own */
};
struct netif_conf;
int sw_port_add_netif(const char *name, const struct sw_netif_opts *opts, struct err *err);
int sw_netif_connect(const char *name, const struct netif_conf *conf, struct err *err);
int sw_netif_multicast(const char *name, bool on, struct err *err); /* netif.h */
int sw_netif_disconnect(const char *name, struct err *err);
/* A TAP named `name` with offloads, made persistent so that its addresses outlive a crash; `mac` NULL: random, local. */
int sw_port_add_host(const char *name, const uint8_t *mac, uint32_t mtu, struct err *err);
int sw_port_add_uplink(const char *name, const struct sw_uplink_opts *opts, struct err *err);
int sw_port_del(const char *name, struct err *err);
int sw_port_join(const char *port, const char *bridge, struct err *err);
int sw_port_leave(const char *port, struct err *err);
int sw_port_mtu(const char *port, uint32_t mtu, struct err *err);
/* Of a host port: its netdev's MAC address, and whether it has carrier. */
int sw_host_mac(const char *port, const uint8_t mac[6], struct err *err);
int sw_host_carrier(const char *port, bool carrier, struct err *err);
/* A quarantined port gets another chance. */
int sw_port_release(const char *port, struct err *err);

/* ---- looking ----------------------------------------------------------------------------------------------------- */

struct sw_port_info {
	const char *name, *kind, *bridge; /* bridge: NULL where on none */
	const char *detail; /* one line: socket and role, PMD and netdev, ... */
	const char *features; /* negotiated offloads in words, space-separated */
	const char *quarantine; /* NULL, or the reason */
	bool connected;
	unsigned queues, worker;
	uint32_t mtu;
	uint8_t mac[6];
	struct vif_counters sum; /* over all workers */
	unsigned counted; /* of queue[], which says what each has moved since the guest connected; 0: it is not known */
	struct vif_queue_count queue[VIF_QUEUES_MAX];
};

/* Strings are valid during the call back only. `fn` returns false to stop. */
void sw_port_each(bool (*fn)(const struct sw_port_info *info, void *arg), void *arg);
void sw_bridge_each(bool (*fn)(const char *name, uint32_t ageing, void *arg), void *arg);

struct sw_mac_info {
	uint8_t mac[6];
	const char *bridge, *port;
	bool local;
	uint32_t age; /* seconds */
};
int sw_mac_each(const char *bridge, bool (*fn)(const struct sw_mac_info *info, void *arg), void *arg, struct err *err);

void sw_worker_each(void (*fn)(const struct worker_info *info, void *arg), void *arg);
bool sw_hugepages(void); /* whether the switch runs with hugepages */

#endif
