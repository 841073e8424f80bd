/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's network configuration by rtnetlink: a netdev's link attributes, and all that is tied to it (addresses,
 * routes, neighbours, the sysctls that matter), as a snapshot that can be kept on disk and put onto this or another
 * netdev.
 *
 * Model. A snapshot keeps the kernel's own messages, not a translation of them: what is put back has every attribute that
 * was there, also those that this program has never heard of. What changes on the way is the interface index, the label
 * of an IPv4 address where it names the netdev, and state that only the kernel may set. What the kernel makes by itself
 * from addresses (the table `local`, multicast) is not kept.
 *
 * Limits. Temporary IPv6 addresses (RFC 8981) come back as ordinary ones with the same lifetimes: the kernel lets nobody
 * else make them; where the netdev has them turned on it makes a new one beside. Queueing disciplines and filters (`tc`)
 * stay with the netdev, and those of a VLAN netdev are lost with it.
 *
 * Threads. A struct rtnl is one thread's. Every call waits for the kernel's answer, which takes microseconds.
 *
 * Ownership. Snapshots are the caller's: rtnl_snap_free().
 *
 * Errors. 0 or -errno, and then *err holds a sentence, with the kernel's own words where it has any.
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
void rtnl_close(struct rtnl *nc); /* NULL: nothing */

/* ---- links ------------------------------------------------------------------------------------------------------- */

struct rtnl_link {
	int ifindex;
	char name[IFNAMSIZ]; /* the kernel's, where an alternative name was asked for */
	int lower; /* a VLAN netdev's parent: its index; 0: none */
	char kind[16]; /* "veth", "bridge", "tun", ...; "": hardware */
	char master[IFNAMSIZ]; /* the bridge, bond, ... that it is part of; "": none */
	unsigned flags; /* IFF_* */
	uint32_t mtu; /* bytes of IP packet */
	uint8_t mac[6];
	bool ether; /* an Ethernet-like netdev; else mac is not set */
};

/* The netdev called `name` (or with that alternative name). -ENODEV where there is none. */
int rtnl_link_get(struct rtnl *nc, const char *name, struct rtnl_link *out, struct err *err);
bool rtnl_link_exists(struct rtnl *nc, const char *name);
int rtnl_link_up(struct rtnl *nc, const char *name, bool up, struct err *err);
int rtnl_link_mtu(struct rtnl *nc, const char *name, uint32_t mtu, struct err *err);
int rtnl_link_mac(struct rtnl *nc, const char *name, const uint8_t mac[6], struct err *err);
/*
 * Rename. Kernels before 6.2 rename only what is down: then it is set down and up again, which costs its routes and IPv6
 * addresses; the caller has them in a snapshot. -EEXIST where `to` is taken.
 */
int rtnl_link_rename(struct rtnl *nc, const char *from, const char *to, struct err *err);
/* Set IFF_PROMISC and IFF_ALLMULTI as in `flags`: what a packet socket or a driver may leave set. */
int rtnl_link_filter(struct rtnl *nc, const char *name, unsigned flags, struct err *err);
/* The netdev of the IPv4 default route with the best metric, else of the IPv6 one. -ENOENT where there is none. */
int rtnl_default_netdev(struct rtnl *nc, char name[IFNAMSIZ], struct err *err);

/* ---- snapshots --------------------------------------------------------------------------------------------------- */

struct rtnl_snap;

/* All that netdev `name` has now. -EOPNOTSUPP for what cannot be moved, by name. */
int rtnl_snap_take(struct rtnl *nc, const char *name, struct rtnl_snap **out, struct err *err);
void rtnl_snap_free(struct rtnl_snap *snap); /* NULL: nothing */
const struct rtnl_link *rtnl_snap_link(const struct rtnl_snap *snap);
/* How many addresses and routes: for people. */
unsigned rtnl_snap_addresses(const struct rtnl_snap *snap);
unsigned rtnl_snap_routes(const struct rtnl_snap *snap);
/* Every address as "10.0.0.1/24", "fe80::1/64"; link-local ones too. */
json_t *rtnl_snap_address_list(const struct rtnl_snap *snap);
/* Add an address given as text ("10.0.0.1/24", "2001:db8::1/64"; no length: 32 or 128). -EINVAL. */
int rtnl_snap_add_address(struct rtnl_snap *snap, const char *text, struct err *err);
/* Forget what rtnl_snap_add_address() has added, and the routes that prefer it as their source: the netdev never had it. */
void rtnl_snap_drop_added(struct rtnl_snap *snap);
/* An empty snapshot in the name of netdev `name`, for rtnl_snap_add_address(). NULL: no memory. */
struct rtnl_snap *rtnl_snap_new(const char *name);

/*
 * Take over into `snap`, which was of another netdev, what has changed on `now`'s netdev since `snap` was put there:
 * what was added there is added, remaining lifetimes are those of `now`, and what had a lifetime and is gone is dropped.
 */
int rtnl_snap_merge(struct rtnl_snap *snap, const struct rtnl_snap *now, struct err *err);

json_t *rtnl_snap_to_json(const struct rtnl_snap *snap);
int rtnl_snap_from_json(const json_t *json, struct rtnl_snap **out, struct err *err);

/*
 * Make netdev `name` have the addresses and routes of `snap`, and with `exact` no others. What it has already is left
 * alone, so this can be repeated. IPv6 addresses skip duplicate address detection: the host had them a moment ago.
 */
int rtnl_snap_put(struct rtnl *nc, const struct rtnl_snap *snap, const char *name, bool exact, struct err *err);
/* Take the addresses and routes of `snap` off netdev `name`. What is gone already is no error. */
int rtnl_snap_clear(struct rtnl *nc, const struct rtnl_snap *snap, const char *name, struct err *err);

/*
 * Make the nexthop objects of `snap`, and the routes through them, that netdev `name` has lost: the kernel forgets them
 * when a netdev loses its carrier, as the host port does while xbard does not run.
 */
int rtnl_objects_restore(struct rtnl *nc, const struct rtnl_snap *snap, const char *name, struct err *err);
/*
 * Make the policy rules of `snap` that name its netdev as iif or oif name netdev `name`, where they may name `other` now.
 * Their order stays.
 */
int rtnl_rules_put(struct rtnl *nc, const struct rtnl_snap *snap, const char *name, const char *other, struct err *err);

/*
 * Add to `snap` the order in which the kernel tries routes to the same destination, of one metric, of which one is the
 * netdev's: those of other netdevs too.
 */
int rtnl_snap_take_order(struct rtnl *nc, struct rtnl_snap *snap, struct err *err);
/* Forget of that order what is there no more, the netdev's routes being those of `name` now. */
int rtnl_snap_trim_order(struct rtnl *nc, struct rtnl_snap *snap, const char *name, struct err *err);
/*
 * Bring the routes into that order, the netdev's being those of `name`. Those behind a wrong one are deleted and added
 * again: after a crash in between, this adds what is missing of other netdevs.
 */
int rtnl_order_put(struct rtnl *nc, const struct rtnl_snap *snap, const char *name, struct err *err);

/* ---- VLAN netdevs ------------------------------------------------------------------------------------------------ */

/*
 * Add to `snap` the VLAN netdevs on its netdev, and those on these: all that they are and have. -EOPNOTSUPP, with a name
 * and the way out, where there is another kind of netdev on it (macvlan, a tunnel), or a VLAN netdev is part of a bridge.
 */
int rtnl_snap_take_children(struct rtnl *nc, struct rtnl_snap *snap, struct err *err);
unsigned rtnl_snap_children(const struct rtnl_snap *snap);
const char *rtnl_snap_child(const struct rtnl_snap *snap, unsigned i); /* the name of one */
/* Have those of `now`, which is of another netdev, in the place of those that `snap` has. */
void rtnl_snap_adopt_children(struct rtnl_snap *snap, struct rtnl_snap *now);
/*
 * Make netdev `name` have the VLAN netdevs of `snap`. The kernel cannot hand one on: where it is on another netdev, it is
 * deleted and made anew, with all that it had and its interface index. What is right already is left alone.
 */
int rtnl_children_put(struct rtnl *nc, const struct rtnl_snap *snap, const char *name, struct err *err);

/*
 * Give netdev `name` what somebody has set on another netdev, of which `snap` is: its addresses, with their lifetimes also
 * where `name` has them already, and its routes. What the kernel has made by itself (link-local addresses, the routes of
 * addresses) is passed over, and is not counted by rtnl_snap_given().
 */
int rtnl_snap_give(struct rtnl *nc, const struct rtnl_snap *snap, const char *name, struct err *err);
unsigned rtnl_snap_given(const struct rtnl_snap *snap);

/* ---- gateways ---------------------------------------------------------------------------------------------------- */

/*
 * The next hops of the default routes, of any table and metric, with spaces between: "10.0.0.1 fe80::1", and "10.5.0.1%eth0.5"
 * for those of VLAN netdevs. What does not fit is left out.
 */
void rtnl_snap_gateways(const struct rtnl_snap *snap, char *text, size_t size);
/*
 * Have the kernel ask neighbour `ip` of netdev `ifindex` for its MAC address, by ARP or neighbour solicitation; a
 * RTNL_NEIGHBOUR event tells of its answer. Returns at once: 0, or -errno. -EADDRNOTAVAIL: never asked, since an
 * administrator has set its MAC address.
 */
int rtnl_neigh_ask(struct rtnl *nc, int ifindex, int family, const uint8_t *ip);

/* ---- sysctls of a netdev ----------------------------------------------------------------------------------------- */

/*
 * Keep the kernel's own IP stack from acting on frames of netdev `name`, which a switch reads at the same time: else the
 * host would get each of its packets twice. No IPv6, no answer to ARP, and every IPv4 source is one that is expected
 * elsewhere. The netdev must have no address by then.
 */
int rtnl_quiet(const char *name, struct err *err);
/*
 * Set the sysctls that rtnl_quiet() changes back to what they were at the time of `snap`. rtnl_snap_put() must follow:
 * until then accept_dad is 0.
 */
int rtnl_unquiet(const struct rtnl_snap *snap, const char *name, struct err *err);
/* Give `to` the per-netdev settings (forwarding, accept_ra, rp_filter, ...) that `from` has. */
int rtnl_sysctl_copy(const char *from, const char *to, struct err *err);

/* ---- merging of received frames ---------------------------------------------------------------------------------- */

int rtnl_snap_coalescing(const struct rtnl_snap *snap);
/*
 * Have the netdevs below the one of `snap` (a bond's members, a VLAN's parent) merge nothing or, with `back`, what they did
 * at the time of rtnl_snap_take_children(). One that is gone is no error.
 */
int rtnl_set_coalescing_below(const struct rtnl_snap *snap, bool back, struct err *err);

/* ---- events ------------------------------------------------------------------------------------------------------ */

struct rtnl_events;

enum rtnl_event_kind {
	RTNL_LINK,
	RTNL_ADDRESS,
	RTNL_ROUTE,
	RTNL_NEIGHBOUR, /* only after rtnl_events_neighbours() */
	RTNL_LOST, /* the kernel dropped some; look at everything again */
	RTNL_EVENT_MAX
};

struct rtnl_event {
	enum rtnl_event_kind kind;
	bool gone; /* deleted; else new or changed */
	int ifindex; /* 0: not told */
	char name[IFNAMSIZ]; /* RTNL_LINK */
	unsigned flags; /* RTNL_LINK: IFF_* */
	int family; /* RTNL_NEIGHBOUR */
	uint8_t ip[16]; /* likewise; AF_INET: the first 4 bytes */
	bool reachable; /* likewise: it has just answered */
};

int rtnl_events_open(struct rtnl_events **out, struct err *err);
/* Hear of neighbours too. 0 or -errno. */
int rtnl_events_neighbours(struct rtnl_events *events);
void rtnl_events_close(struct rtnl_events *events); /* NULL: nothing */
/* For the event loop: readable when there is something to read. */
int rtnl_events_fd(const struct rtnl_events *events);
/* Report what is there; does not wait. 0 or -errno. `fn` must not close `events`. */
int rtnl_events_read(struct rtnl_events *events, void (*fn)(const struct rtnl_event *event, void *arg), void *arg);

#endif
