/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The switch as the control side sees it: the one owner of bridges and ports (port.h). All that changes them goes through
 * here: the control socket's commands, the hooks, the restoring at start.
 *
 * Model. Named bridges and named ports, in one name space. A guest's port exists, and keeps its bridge, whether or not the
 * guest is connected. A host port is called as its bridge is, comes and goes by sw_host_add() and sw_host_del(), and stays
 * on that bridge.
 *
 * Guarantees. Every act checks whether it can be done; changes what the workers see; changes the record; writes its file
 * (state.h). An act that fails leaves everything as it was. After a deletion, or a change that cannot fail otherwise, a
 * file that cannot be written is only logged: undoing would cut a guest off twice.
 *
 * Threads. All calls are the control thread's (one thread). They may sleep for a few milliseconds until the workers have
 * passed a quiescent state.
 *
 * Errors. 0 or -errno, and then *err (never NULL) holds one sentence for a person, naming the thing and the way out.
 */
#ifndef XBAR_SWITCH_H
#define XBAR_SWITCH_H

#include <stdbool.h>
#include <stdint.h>

#include "bridge/fdb.h"
#include "port.h"
#include "vswitch/base/err.h"
#include "vswitch/datapath/worker.h"

struct event_base;

struct sw_opts {
	struct event_base *loop; /* the control thread's */
	unsigned workers; /* 0: one */
	int first_cpu; /* workers are pinned from this CPU on; -1: the last CPUs that the process may use */
	unsigned poll_us; /* a worker without work polls this long before it sleeps */
	bool no_huge; /* do not try hugepages */
	uint32_t ageing; /* MAC ageing, seconds; 0: 300 */
	bool confine; /* workers give up what they do not need */
	unsigned max_ports; /* 0: BR_PORT_MAX. For tests: to make them all takes seconds */
	const char *rundir; /* where the state is kept, in STATE_DIR; NULL: it is not kept. Must outlive the switch */
};

int sw_init(const struct sw_opts *opts, struct err *err);
/*
 * Make again what the state's files name. What cannot be made again (a netdev that is gone) is logged and forgotten, so
 * that one loss does not keep the daemon from serving the rest; a port whose bridge is lost is restored on none. Host ports
 * come last, after a call of `before_hosts`: the kernel asks for neighbours as soon as it has one, and if a guest is not back
 * by then, it asks again a second later.
 */
void sw_restore(void (*before_hosts)(void *arg), void *arg);
/* Is a front end that xbard connects to still to come back? One whose guest is off never does. */
bool sw_awaits_front_ends(void);
/* Stop the workers and delete all ports; host ports vanish with their addresses. The state's files stay. */
void sw_fini(void);
/* A clean end: there is nothing to restore any longer; remove the files. After sw_fini(). */
void sw_forget(const char *rundir);

/* Housekeeping, to be called about once a second: ages MACs, logs quarantines, connections and netdevs that vanish. */
void sw_tick(void);

/* ---- bridges ----------------------------------------------------------------------------------------------------- */

/* All bridges, in the order in which they were made. */
const struct bridges *sw_bridges(void);
/* The bridge called `name`, or NULL. */
const struct bridge *sw_bridge(const char *name);
/* The same, and then *err names those that there are. */
const struct bridge *sw_bridge_find(const char *name, struct err *err);

/* Make a bridge, and its host port if conf->host. -EEXIST if the name is taken. */
int sw_bridge_add(const struct bridge_conf *conf, struct err *err);
/* Delete a bridge and its host port. -EBUSY while another port is on it. */
int sw_bridge_del(const char *name, struct err *err);
int sw_bridge_ageing(const char *name, uint32_t seconds, struct err *err);

/*
 * Give a bridge its host port: a TAP of the bridge's name, which is persistent so that its addresses outlive a crash.
 * `mac` NULL: random; mtu 0: 1500. -EEXIST if it has one.
 */
int sw_host_add(const char *bridge, const uint8_t *mac, uint32_t mtu, struct err *err);
int sw_host_del(const char *bridge, struct err *err);
int sw_host_mtu(const char *bridge, uint32_t mtu, struct err *err);
int sw_host_mac(const char *bridge, const uint8_t mac[6], struct err *err);
/*
 * The addresses of its netdev and of the netdevs above it, VLAN's for example, as they are now: nobody else on the bridge can
 * claim them. macs->mac[0] is its own, as sw_host_mac() sets it.
 */
int sw_host_macs(const char *bridge, const struct port_macs *macs, struct err *err);
/* Whether it has carrier, as with a cable; it has at first, and that is not kept. -ENOTTY: the kernel cannot do that. */
int sw_host_carrier(const char *bridge, bool carrier, struct err *err);
/* Whether any guest on `bridge` is connected. */
bool sw_bridge_has_guests(const char *bridge);

/* ---- ports ------------------------------------------------------------------------------------------------------- */

/* All ports, host ports too, in the order in which they were made. */
const struct ports *sw_ports(void);
unsigned sw_port_count(void);
/* The port, the guest's port, the uplink called `name`; NULL if there is none. */
const struct port *sw_port(const char *name);
const struct port *sw_vif(const char *name);
const struct port *sw_uplink(const char *name);
static inline bool port_is_vif(const struct port *port)
{
	return port->vif->ops->role == VIF_ROLE_GUEST;
}

/*
 * Make a port of any kind but PORT_HOST, and put it on bridge conf->on unless that is "". An uplink's netdev no longer
 * merges received frames; whether it did is kept, and deleting the uplink sets it back.
 */
int sw_port_add(const struct port_conf *conf, struct err *err);
/*
 * The same in two steps, for a port that a script is to put on its bridge: sw_port_begin() makes the port on no bridge
 * (conf->on is not looked at, conf->bridge must exist) and writes no file; sw_port_commit() does.
 */
int sw_port_begin(const struct port_conf *conf, struct err *err);
int sw_port_commit(const char *name, struct err *err);
/*
 * Replace the record of a vif by *conf, but for the bridge that it is on. -EEXIST unless its kind, domid and devid are the
 * same, and it has at least conf->queues queues.
 */
int sw_vif_renew(const struct port_conf *conf, struct err *err);
int sw_vif_del(const char *name, struct err *err);
int sw_uplink_del(const char *name, struct err *err);

/* Put a vif or an uplink on a bridge, or take it off. It is no error to join the bridge that the port is on. */
int sw_port_join(const char *port, const char *bridge, struct err *err);
int sw_port_leave(const char *port, struct err *err);
/* End a port's quarantine. */
int sw_port_release(const char *port, struct err *err);

/* Set port->tag, which the switch does not look at: 0 at first, and not in the file. Nothing if there is no such port. */
void sw_port_tag(const char *name, unsigned tag);
/* The driver's port of `name`, for what only drivers with `ops` can do; else NULL, and *err says so. */
struct vif_port *sw_port_driver(const char *name, const struct vif_ops *ops, struct err *err);

/* ---- looking ----------------------------------------------------------------------------------------------------- */

struct sw_port_info {
	struct vif_about about;
	const char *quarantine; /* NULL, or the reason */
	unsigned worker;
	uint32_t mtu;
	struct vif_counters sum; /* over all workers */
	unsigned counted; /* of queue[], which says what each has moved since the guest connected; 0: it is not known */
	struct vif_queue_count queue[VIF_QUEUES_MAX];
};

void sw_port_info(const struct port *port, struct sw_port_info *info);

/* Of a bridge whose record has 0. */
uint32_t sw_default_ageing(void);

struct sw_mac_info {
	uint8_t mac[6];
	const char *bridge, *port;
	bool local; /* the host's own */
	bool is_static; /* known and not learned: local, or set by sw_fdb_add() */
	uint32_t age; /* seconds; 0: static */
};
/* `bridge` NULL: of all. `fn` returns false to stop. Strings are valid during the call back. */
int sw_mac_each(const char *bridge, bool (*fn)(const struct sw_mac_info *info, void *arg), void *arg, struct err *err);
/* Forget learned addresses; either may be NULL: all. */
int sw_fdb_flush(const char *bridge, const char *port, struct err *err);

/*
 * The address is behind `port`, on whatever bridge that is, until sw_fdb_del() or the port's end: it does not age, is not
 * flushed, and frames from elsewhere that claim it are dropped. Kept with the port. -EEXIST if it is another port's.
 */
int sw_fdb_add(const char *port, const uint8_t mac[6], struct err *err);
int sw_fdb_del(const char *port, const uint8_t mac[6], struct err *err);

/* How full the MAC table is, what it has refused, and its limits. */
struct sw_fdb_info {
	struct fdb_stats stats;
	uint32_t size, limit, limit_uplink; /* entries: of all, at most of one port, of one uplink */
};
void sw_fdb_info(struct sw_fdb_info *info);

void sw_worker_each(void (*fn)(const struct worker_info *info, void *arg), void *arg);
bool sw_hugepages(void); /* whether the switch runs with hugepages */

#endif
