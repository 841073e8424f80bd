/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of this folder share; nobody else includes this.
 */
#ifndef XBAR_RTNL_IMPL_H
#define XBAR_RTNL_IMPL_H

#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/socket.h>

#include "rtnl.h"

struct rtnl {
	struct nl_sock *sock;
	bool answered;
	int error; /* of the request under way: -errno */
	char why[160]; /* the kernel's words for it; "": none */
	int (*on_message)(struct nlmsghdr *nlh, void *arg); /* of the dump under way; 0 or -errno */
	void *on_message_arg;
};

/*
 * Send `msg` (freed in any case) and wait for its acknowledgement, or for the end of its dump, whose messages go to
 * `on_message`. 0 or -errno; rtnl->why has the kernel's words.
 */
int rtnl_talk(struct rtnl *rtnl, struct nl_msg *msg, int (*on_message)(struct nlmsghdr *nlh, void *arg), void *arg);
/* err_set() with "WHAT: the kernel's words or errno's". */
int rtnl_fail(const struct rtnl *rtnl, int code, struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* A list of the kernel's messages, each malloc'd. */
struct rtnl_list {
	struct nlmsghdr **msg;
	unsigned n;
};

int rtnl_list_add(struct rtnl_list *list, const struct nlmsghdr *nlh); /* a copy; -ENOMEM */
void rtnl_list_del(struct rtnl_list *list, unsigned i); /* keeps the order */
void rtnl_list_free(struct rtnl_list *list);

/* The sysctls that rtnl_mute_stack() changes. */
enum rtnl_mute_key { MUTE_RP_FILTER, MUTE_ARP_IGNORE, MUTE_DISABLE_IPV6, MUTE_ACCEPT_DAD, MUTE_MAX };

const char *rtnl_mute_sysctl(enum rtnl_mute_key key); /* "ipv4/rp_filter", ... */

/* A VLAN netdev on the netdev of a snapshot, or on another such VLAN netdev before it in the list. */
struct rtnl_child {
	char parent[IFNAMSIZ]; /* the other's name; "": the netdev itself */
	struct nlmsghdr *link; /* its RTM_NEWLINK */
	json_t *sysctl; /* "ipv4/conf/forwarding": "1", ... */
	struct rtnl_snap *snap;
};

struct rtnl_snap {
	struct rtnl_link link;
	struct rtnl_list nexthops, addrs, routes, neighs;
	struct rtnl_list rules; /* all policy rules of those priorities at which one names the netdev, in order */
	struct rtnl_list order; /* rtnl_snap_take_order() */
	struct rtnl_child *child;
	unsigned children;
	json_t *lower; /* what the netdevs below it coalesce: "eth0": 1; NULL: none */
	int coalescing; /* ETHTOOL_GRO, ETHTOOL_LRO */
	int sysctl[MUTE_MAX]; /* -1: not there (a kernel without IPv6) */
};

/* Marks an address from rtnl_snap_add_address() in its nlmsg_flags: a dump never sets this flag. */
#define RTNL_ADDED NLM_F_EXCL
/* Does the snapshot have such addresses? The kernel makes their routes. */
bool rtnl_snap_added(const struct rtnl_snap *snap);

/* The list that messages of `type` are kept in; NULL: none. */
struct rtnl_list *rtnl_snap_list(struct rtnl_snap *snap, int type);
void rtnl_children_free(struct rtnl_snap *snap);

/*
 * The request that makes on netdev `to` what `nlh` says of netdev `from`: index and label changed, the kernel's own state
 * left out. `lifetime` false: without what changes with time, for comparing. NULL: no memory. The result is of `type` and
 * `flags`.
 */
struct nl_msg *rtnl_msg_make(const struct nlmsghdr *nlh, const struct rtnl_link *from, const struct rtnl_link *to,
			     int type, int flags, bool lifetime);
/* Do the two messages say the same of their netdevs, apart from what changes with time? */
bool rtnl_msg_same(const struct nlmsghdr *a, const struct rtnl_link *a_link, const struct nlmsghdr *b,
		   const struct rtnl_link *b_link);
/* Do the two RTM_NEWADDR messages name the same address? */
bool rtnl_addr_same(const struct nlmsghdr *a, const struct nlmsghdr *b);
/* Seconds that an address or route is still valid; UINT32_MAX: for ever. */
uint32_t rtnl_msg_valid(const struct nlmsghdr *nlh);
/* An address or route that the kernel made on its netdev, from its addresses or its MAC: nobody has set it. */
bool rtnl_msg_kernel_made(const struct nlmsghdr *nlh);
/* Is `nlh` whole: its length, its type's header and attributes? */
bool rtnl_msg_check(const struct nlmsghdr *nlh, size_t len);
/* The family of a message that is kept (each kind begins with it). */
static inline int rtnl_msg_family(const struct nlmsghdr *nlh)
{
	return *(const unsigned char *)nlmsg_data(nlh);
}
/* Bytes of the header after the nlmsghdr of a message of `type`; -1: not one that is kept. */
int rtnl_msg_hdrlen(int type);
/* Attribute `type` of a message that is kept, or NULL. */
const struct nlattr *rtnl_msg_attr(const struct nlmsghdr *nlh, int type);
/* "10.0.0.1/24", "10.0.0.0/8": for a person. */
void rtnl_msg_text(const struct nlmsghdr *nlh, char *text, size_t size);

/*
 * Append to `list` every message of a dump that keep() accepts (NULL: all). A dump that a change interrupts is read again.
 * The request's header is empty but for `family`.
 */
int rtnl_dump(struct rtnl *rtnl, int type, int family, struct rtnl_list *list,
	      bool (*keep)(const struct nlmsghdr *nlh, void *arg), void *arg);
/* The same with a whole header, of the size that rtnl_msg_hdrlen() says. */
int rtnl_dump_header(struct rtnl *rtnl, int type, const void *header, struct rtnl_list *list,
		     bool (*keep)(const struct nlmsghdr *nlh, void *arg), void *arg);
/* Send `nlh`, of netdev `from`, as a request of `type` and `flags` for netdev `to`. */
int rtnl_send(struct rtnl *rtnl, const struct nlmsghdr *nlh, const struct rtnl_link *from, const struct rtnl_link *to,
	      int type, int flags);
/* Does a policy rule name netdev `name` as its iif or oif? */
bool rtnl_rule_names(const struct nlmsghdr *nlh, const char *name);
int rtnl_rules_take(struct rtnl *rtnl, struct rtnl_snap *snap);
int rtnl_nexthops_take(struct rtnl *rtnl, struct rtnl_snap *snap);
/*
 * Make the nexthop objects of `snap` those of netdev `to`: with NLM_F_REPLACE also the ones that are another netdev's, and
 * the routes through them go along; with NLM_F_EXCL only the missing ones.
 */
int rtnl_nexthops_put(struct rtnl *rtnl, const struct rtnl_snap *snap, const struct rtnl_link *to, int flags,
		      struct err *err);
uint32_t rtnl_nexthop_id(const struct nlmsghdr *nlh);
/* Is it a route through a nexthop object? */
bool rtnl_route_by_object(const struct nlmsghdr *nlh);
/* Are two routes to the same destination, in the same table and of the same metric? */
bool rtnl_route_same_key(const struct nlmsghdr *a, const struct nlmsghdr *b);

/* All the sysctls of a netdev as an object, and back: those that differ are written. */
json_t *rtnl_sysctl_all(const char *name);
void rtnl_sysctl_give(const char *name, const json_t *all);

/* Read or write /proc/sys/net/FAMILY/conf/NAME/KEY, `key` being "FAMILY/KEY". -errno; reading: the value. */
int rtnl_sysctl_get(const char *name, const char *key);
int rtnl_sysctl_set(const char *name, const char *key, int value);
/* Turn duplicate address detection off until rtnl_snap_put() restores it. A netdev without ARP has -1, and keeps it. */
void rtnl_no_dad(const char *name);

#endif
