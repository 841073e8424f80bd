/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's network configuration by rtnetlink: a netdev's link attributes, and everything tied to it (addresses,
 * routes, neighbours, the sysctls that matter), as a snapshot that can be kept on disk and put onto this or another
 * netdev.
 *
 * Model. A snapshot keeps the kernel's own messages, not a translation of them, so what is put back has every attribute
 * that it had, including those this program does not know. Only three things change on the way: the interface index, the
 * label of an IPv4 address if it names the netdev, and state that only the kernel may set. What the kernel derives from
 * addresses (the table `local`, multicast) is not kept.
 *
 * Who looks up a link passes it on: the functions that change a netdev take its struct rtnl_link and do not ask the kernel
 * for it again. Those that compare with what the netdev has (rtnl_snap_put()) read it by name.
 *
 * Limits. Temporary IPv6 addresses (RFC 8981) come back as ordinary ones with the same lifetimes, since only the kernel can
 * make temporary ones; if the netdev has them turned on, the kernel adds new ones. Queueing disciplines and filters (`tc`)
 * stay with the netdev, and those of a VLAN netdev are lost with it.
 *
 * Threads. A struct rtnl belongs to one thread. Every call waits for the kernel's answer, which takes microseconds.
 *
 * Ownership. Snapshots are the caller's: rtnl_snap_free().
 *
 * Errors. 0 or -errno with a sentence in *err, in the kernel's own words if it gives any.
 */
#ifndef XBAR_RTNL_H
#define XBAR_RTNL_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "vswitch/base/err.h"

struct rtnl;

int rtnl_open(struct rtnl **out, struct err *err);
void rtnl_close(struct rtnl *rtnl); /* NULL: does nothing */

/* ---- links ------------------------------------------------------------------------------------------------------- */

struct rtnl_link {
	int ifindex;
	char name[IFNAMSIZ]; /* the kernel's, also if it was asked for by an alternative name */
	int lower; /* a VLAN netdev's parent: its index; 0: none */
	char kind[16]; /* "veth", "bridge", "tun", ...; "": hardware */
	char master[IFNAMSIZ]; /* the bridge, bond, ... that it is part of; "": none */
	unsigned flags; /* IFF_* */
	uint32_t mtu; /* bytes of IP packet */
	uint8_t mac[6];
	bool ether; /* an Ethernet-like netdev; else mac is not set */
};

/* The netdev called `name`, or with that alternative name. -ENODEV if there is none. */
int rtnl_link_get(struct rtnl *rtnl, const char *name, struct rtnl_link *out, struct err *err);
bool rtnl_link_exists(struct rtnl *rtnl, const char *name);
/* Call fn() for every netdev. *link is valid during the call. */
int rtnl_link_each(struct rtnl *rtnl, void (*fn)(const struct rtnl_link *link, void *arg), void *arg, struct err *err);
int rtnl_link_set_up(struct rtnl *rtnl, const struct rtnl_link *link, bool up, struct err *err);
/*
 * Rename. Kernels before 6.2 rename only what is down: then it is set down and up again, which costs its routes and IPv6
 * addresses; the caller has them in a snapshot. -EEXIST if another netdev is called `to`.
 */
int rtnl_link_rename(struct rtnl *rtnl, const struct rtnl_link *link, const char *to, struct err *err);
/* Set IFF_PROMISC and IFF_ALLMULTI as in `flags`: a packet socket or a driver may leave them set. */
int rtnl_link_set_filter(struct rtnl *rtnl, const struct rtnl_link *link, unsigned flags, struct err *err);
/* The netdev of the IPv4 default route with the best metric, else of the IPv6 one. -ENOENT if there is none. */
int rtnl_default_netdev(struct rtnl *rtnl, char name[IFNAMSIZ], struct err *err);

/* ---- snapshots --------------------------------------------------------------------------------------------------- */

struct rtnl_snap;

/* Everything that netdev `name` has now. -EOPNOTSUPP, naming it, for what cannot be moved. */
int rtnl_snap_take(struct rtnl *rtnl, const char *name, struct rtnl_snap **out, struct err *err);
void rtnl_snap_free(struct rtnl_snap *snap); /* NULL: does nothing */
const struct rtnl_link *rtnl_snap_link(const struct rtnl_snap *snap);
/* How many addresses and routes: for people. */
unsigned rtnl_snap_addresses(const struct rtnl_snap *snap);
unsigned rtnl_snap_routes(const struct rtnl_snap *snap);
/* Every address as "10.0.0.1/24", "fe80::1/64", including link-local ones. */
json_t *rtnl_snap_address_list(const struct rtnl_snap *snap);
/* Add an address given as text ("10.0.0.1/24", "2001:db8::1/64"; without a length: 32 or 128). -EINVAL. */
int rtnl_snap_add_address(struct rtnl_snap *snap, const char *text, struct err *err);
/* Drop what rtnl_snap_add_address() added, and the routes that prefer it as their source: the netdev never had it. */
void rtnl_snap_drop_added(struct rtnl_snap *snap);
/* An empty snapshot in the name of netdev `name`, for rtnl_snap_add_address(). NULL: no memory. */
struct rtnl_snap *rtnl_snap_new(const char *name);

/*
 * Merge into `snap`, which is of another netdev, what has changed on the netdev of `now` since `snap` was put there: what
 * was added there is added, remaining lifetimes are those of `now`, and what had a lifetime and is gone is dropped.
 */
int rtnl_snap_merge(struct rtnl_snap *snap, const struct rtnl_snap *now, struct err *err);

json_t *rtnl_snap_to_json(const struct rtnl_snap *snap);
int rtnl_snap_from_json(const json_t *json, struct rtnl_snap **out, struct err *err);

/*
 * Make netdev `name` have the addresses and routes of `snap`, and with `exact` no others. What it already has is left
 * alone, so this can be repeated. IPv6 addresses skip duplicate address detection: the host had them a moment ago.
 */
int rtnl_snap_put(struct rtnl *rtnl, const struct rtnl_snap *snap, const char *name, bool exact, struct err *err);
/* Remove the addresses and routes of `snap` from netdev `from`. One that is already gone is not an error. */
int rtnl_snap_clear(struct rtnl *rtnl, const struct rtnl_snap *snap, const struct rtnl_link *from, struct err *err);

/*
 * Give netdev `to` what somebody has set on the netdev of `snap`: its addresses, whose lifetimes are renewed if `to` has
 * them already, and its routes. What the kernel makes itself (link-local addresses, the routes of addresses) is skipped, and
 * is not counted by rtnl_snap_given() and rtnl_snap_given_addresses().
 */
int rtnl_snap_give(struct rtnl *rtnl, const struct rtnl_snap *snap, const struct rtnl_link *to, struct err *err);
unsigned rtnl_snap_given(const struct rtnl_snap *snap); /* addresses and routes */
unsigned rtnl_snap_given_addresses(const struct rtnl_snap *snap);

/*
 * Restore the nexthop objects of `snap`, and the routes through them, that netdev `to` has lost: the kernel drops them
 * when a netdev loses its carrier, as the host port does while xbard does not run.
 */
int rtnl_nexthops_restore(struct rtnl *rtnl, const struct rtnl_snap *snap, const struct rtnl_link *to, struct err *err);
/*
 * Make the policy rules of `snap` that name its netdev as iif or oif name netdev `name`, whether they name it or `other`
 * now. Their order stays.
 */
int rtnl_rules_put(struct rtnl *rtnl, const struct rtnl_snap *snap, const char *name, const char *other,
		   struct err *err);

/*
 * Add to `snap` the order in which the kernel tries routes to one destination with one metric, if one of them is the
 * netdev's: those of other netdevs too.
 */
int rtnl_snap_take_order(struct rtnl *rtnl, struct rtnl_snap *snap, struct err *err);
/* Drop routes that no longer exist from that order. The netdev's own routes are now those of `link`. */
int rtnl_snap_trim_order(struct rtnl *rtnl, struct rtnl_snap *snap, const struct rtnl_link *link, struct err *err);
/*
 * Bring the routes into that order, the netdev's own being those of `link`. Routes after a misplaced one are deleted and
 * added again. After a crash in between, this adds the missing ones of other netdevs.
 */
int rtnl_order_put(struct rtnl *rtnl, const struct rtnl_snap *snap, const struct rtnl_link *link, struct err *err);

/* ---- VLAN netdevs ------------------------------------------------------------------------------------------------ */

/*
 * Add to `snap` the VLAN netdevs on its netdev, and those on these, with everything they have. -EOPNOTSUPP, naming it and
 * the way out, if another kind of netdev is on it (macvlan, a tunnel), or a VLAN netdev is part of a bridge.
 */
int rtnl_snap_take_children(struct rtnl *rtnl, struct rtnl_snap *snap, struct err *err);
unsigned rtnl_snap_children(const struct rtnl_snap *snap);
const char *rtnl_snap_child(const struct rtnl_snap *snap, unsigned i); /* its name */
/* Replace the VLAN netdevs of `snap` by those of `now`, which is of another netdev and has none afterwards. */
void rtnl_snap_adopt_children(struct rtnl_snap *snap, struct rtnl_snap *now);
/*
 * Make netdev `on` have the VLAN netdevs of `snap`. The kernel cannot move one to another parent: one that is on another
 * netdev is deleted and recreated, with everything it had and its interface index. A correct one is left alone.
 */
int rtnl_children_put(struct rtnl *rtnl, const struct rtnl_snap *snap, const struct rtnl_link *on, struct err *err);

/* ---- gateways ---------------------------------------------------------------------------------------------------- */

/*
 * The next hops of the default routes, of any table and metric, separated by spaces: "10.0.0.1 fe80::1", and
 * "10.5.0.1%eth0.5" for those of VLAN netdevs. What does not fit is left out.
 */
void rtnl_snap_gateways(const struct rtnl_snap *snap, char *text, size_t size);
/*
 * Make the kernel ask neighbour `ip` of netdev `ifindex` for its MAC address, by ARP or neighbour solicitation; an
 * RTNL_NEIGHBOUR event reports the answer. Returns at once: 0, or -errno. -EADDRNOTAVAIL: the kernel never asks for it,
 * since an administrator has set its MAC address.
 */
int rtnl_neigh_ask(struct rtnl *rtnl, int ifindex, int family, const uint8_t *ip);

/* ---- sysctls of a netdev ----------------------------------------------------------------------------------------- */

/*
 * Keep the kernel's own IP stack from acting on frames of netdev `name`, which a switch reads at the same time: else the
 * host would get each of its packets twice. It gets no IPv6, answers no ARP, and rejects every IPv4 source, which strict
 * reverse path filtering expects elsewhere. The netdev must not have an address by then.
 */
int rtnl_mute_stack(const char *name, struct err *err);
/*
 * Set the sysctls that rtnl_mute_stack() changes back to what they were at the time of `snap`. rtnl_snap_put() must
 * follow: until then accept_dad is 0.
 */
int rtnl_unmute_stack(const struct rtnl_snap *snap, const char *name, struct err *err);
/* Give `to` the per-netdev settings (forwarding, accept_ra, rp_filter, ...) that `from` has. */
int rtnl_sysctl_copy(const char *from, const char *to, struct err *err);

/* ---- coalescing of received frames (GRO, LRO) -------------------------------------------------------------------- */

int rtnl_snap_coalescing(const struct rtnl_snap *snap); /* ETHTOOL_GRO, ETHTOOL_LRO: see ethtool.h */
/*
 * Turn coalescing off in the netdevs below the one of `snap` (a bond's members, a VLAN's parent) or, with `back`, restore
 * what they did at the time of rtnl_snap_take_children(). One that is gone is not an error.
 */
int rtnl_set_coalescing_below(const struct rtnl_snap *snap, bool back, struct err *err);

/* ---- events ------------------------------------------------------------------------------------------------------ */

struct rtnl_events;

enum rtnl_event_kind {
	RTNL_LINK,
	RTNL_ADDRESS,
	RTNL_ROUTE,
	RTNL_NEIGHBOUR, /* only after rtnl_events_neighbours() */
	RTNL_LOST, /* the kernel dropped some: look at everything again */
	RTNL_EVENT_MAX
};

struct rtnl_event {
	enum rtnl_event_kind kind;
	bool gone; /* deleted; else new or changed */
	int ifindex; /* 0: unknown */
	char name[IFNAMSIZ]; /* RTNL_LINK */
	unsigned flags; /* RTNL_LINK: IFF_* */
	int family; /* RTNL_NEIGHBOUR */
	uint8_t ip[16]; /* RTNL_NEIGHBOUR; AF_INET: the first 4 bytes */
	bool reachable; /* RTNL_NEIGHBOUR: it has just answered */
};

int rtnl_events_open(struct rtnl_events **out, struct err *err);
/* Report neighbours too. 0 or -errno. */
int rtnl_events_neighbours(struct rtnl_events *events);
void rtnl_events_close(struct rtnl_events *events); /* NULL: does nothing */
/* For the event loop: readable when there is something to read. */
int rtnl_events_fd(const struct rtnl_events *events);
/* Report what has arrived; does not wait. 0 or -errno. `fn` must not close `events`. */
int rtnl_events_read(struct rtnl_events *events, void (*fn)(const struct rtnl_event *event, void *arg), void *arg);

#endif
