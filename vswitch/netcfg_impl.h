/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What netcfg's own files share; nobody else includes this.
 */
#ifndef XBAR_NETCFG_IMPL_H
#define XBAR_NETCFG_IMPL_H

#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/socket.h>

#include "netcfg.h"

struct netcfg {
	struct nl_sock *sock;
	bool answered;
	int error; /* of the request under way: -errno */
	char why[160]; /* the kernel's words for it; "": none */
	int (*on_message)(struct nlmsghdr *nlh, void *arg); /* of the dump under way; 0 or -errno */
	void *on_message_arg;
};

/*
 * Send `msg` (freed in any case) and wait for its acknowledgement, or for the end of its dump, whose messages go to
 * `on_message`. 0 or -errno; nc->why has the kernel's words.
 */
int netcfg_talk(struct netcfg *nc, struct nl_msg *msg, int (*on_message)(struct nlmsghdr *nlh, void *arg), void *arg);
/* sw_fail() with "WHAT: the kernel's words or errno's". */
int netcfg_fail(const struct netcfg *nc, int code, struct sw_err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* A list of the kernel's messages, each malloc'd. */
struct netcfg_list {
	struct nlmsghdr **msg;
	unsigned n;
};

int netcfg_list_add(struct netcfg_list *list, const struct nlmsghdr *nlh); /* a copy; -ENOMEM */
void netcfg_list_del(struct netcfg_list *list, unsigned i); /* keeps the order */
void netcfg_list_free(struct netcfg_list *list);

/* The sysctls that netcfg_quiet() changes. */
enum netcfg_quiet_key { QUIET_RP_FILTER, QUIET_ARP_IGNORE, QUIET_DISABLE_IPV6, QUIET_ACCEPT_DAD, QUIET_MAX };

const char *netcfg_quiet_name(enum netcfg_quiet_key key); /* "ipv4/rp_filter", ... */

/* A VLAN netdev on the netdev of a snapshot, or on another such VLAN netdev before it in the list. */
struct netcfg_child {
	char parent[IFNAMSIZ]; /* the other's name; "": the netdev itself */
	struct nlmsghdr *link; /* its RTM_NEWLINK */
	json_t *sysctl; /* "ipv4/conf/forwarding": "1", ... */
	struct netcfg_snap *snap;
};

struct netcfg_snap {
	struct netcfg_link link;
	struct netcfg_list nexthops, addrs, routes, neighs;
	struct netcfg_list rules; /* all policy rules of those priorities at which one names the netdev, in order */
	struct netcfg_list order; /* netcfg_snap_take_order() */
	struct netcfg_child *child;
	unsigned children;
	json_t *lower; /* what the netdevs below it merge: "eth0": 1; NULL: none */
	int merging; /* NETCFG_GRO, NETCFG_LRO */
	int sysctl[QUIET_MAX]; /* -1: not there (a kernel without IPv6) */
};

/* An address that netcfg_snap_add_address() put in, told in its nlmsg_flags: no flag of a dump. */
#define NETCFG_ADDED NLM_F_EXCL
/* Are there such addresses? Their routes are the kernel's to make. */
bool netcfg_snap_added(const struct netcfg_snap *snap);

/* The list that messages of `type` are kept in; NULL: none. */
struct netcfg_list *netcfg_snap_list(struct netcfg_snap *snap, int type);
void netcfg_children_free(struct netcfg_snap *snap);

/*
 * A message as it is sent to make on netdev {ifindex, name} what `nlh` told of netdev {snap->link}: index and label
 * changed, the kernel's own state left out. `lifetime` false: without what changes with time, for comparing. NULL: no
 * memory. The result is of `type` and `flags`.
 */
struct nl_msg *netcfg_msg_make(const struct nlmsghdr *nlh, const struct netcfg_link *from, const struct netcfg_link *to,
			       int type, int flags, bool lifetime);
/* Do the two messages say the same of their netdevs, less what changes with time? */
bool netcfg_msg_same(const struct nlmsghdr *a, const struct netcfg_link *a_link, const struct nlmsghdr *b,
		     const struct netcfg_link *b_link);
/* Do the two RTM_NEWADDR messages name the same address? */
bool netcfg_addr_same(const struct nlmsghdr *a, const struct nlmsghdr *b);
/* Seconds that an address or route is still valid; UINT32_MAX: for ever. */
uint32_t netcfg_msg_valid(const struct nlmsghdr *nlh);
/* Is `nlh` whole: its length, its type's header and attributes? */
bool netcfg_msg_check(const struct nlmsghdr *nlh, size_t len);
/* The family of a message that is kept (each kind begins with it). */
static inline int netcfg_msg_family(const struct nlmsghdr *nlh)
{
	return *(const unsigned char *)nlmsg_data(nlh);
}
/* Bytes of the header behind the nlmsghdr of a message of `type`; -1: not one that is kept. */
int netcfg_msg_hdrlen(int type);
/* "10.0.0.1/24", "10.0.0.0/8 table 100": for a person. */
void netcfg_msg_text(const struct nlmsghdr *nlh, char *text, size_t size);

/* Every message of a dump into `list` for which keep() says so (NULL: all); read again where a change interrupts it. */
int netcfg_dump(struct netcfg *nc, int type, int family, struct netcfg_list *list,
		bool (*keep)(const struct nlmsghdr *nlh, void *arg), void *arg);
/* Send `nlh`, of netdev `from`, as a request of `type` and `flags` for netdev `to`. */
int netcfg_send(struct netcfg *nc, const struct nlmsghdr *nlh, const struct netcfg_link *from,
		const struct netcfg_link *to, int type, int flags);
/* Does a policy rule name netdev `name` as its iif or oif? */
bool netcfg_rule_names(const struct nlmsghdr *nlh, const char *name);
int netcfg_rules_take(struct netcfg *nc, struct netcfg_snap *snap);
int netcfg_nexthops_take(struct netcfg *nc, struct netcfg_snap *snap);
/*
 * Make the nexthop objects of `snap` those of netdev `to`. With NLM_F_REPLACE also where they are another's: the routes
 * through them go along. With NLM_F_EXCL those that are missing.
 */
int netcfg_nexthops_put(struct netcfg *nc, const struct netcfg_snap *snap, const struct netcfg_link *to, int flags,
			struct sw_err *err);
uint32_t netcfg_nexthop_id(const struct nlmsghdr *nlh);
/* Is a route one through a nexthop object? */
bool netcfg_route_by_object(const struct nlmsghdr *nlh);
/* Are two routes to the same destination, in the same table and of the same metric? */
bool netcfg_route_same_key(const struct nlmsghdr *a, const struct nlmsghdr *b);

/* All the sysctls of a netdev as an object, and back: those that differ are written. */
json_t *netcfg_sysctl_all(const char *name);
void netcfg_sysctl_give(const char *name, const json_t *all);

/* Read or write /proc/sys/net/FAMILY/conf/NAME/KEY, `key` being "FAMILY/KEY". -errno; reading: the value. */
int netcfg_sysctl_get(const char *name, const char *key);
int netcfg_sysctl_set(const char *name, const char *key, int value);
/* No duplicate address detection until netcfg_snap_put() sets it right. A netdev without ARP has -1, and keeps it. */
void netcfg_no_dad(const char *name);

#endif
