/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Snapshots: reading everything that is tied to a netdev, and bringing a snapshot up to date.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtnl_impl.h"
#include "vswitch/base/ethtool.h"
#include "vswitch/base/ip.h"

struct rtnl_snap *rtnl_snap_new(const char *name)
{
	struct rtnl_snap *snap = calloc(1, sizeof(*snap));
	if (!snap)
		return NULL;
	snprintf(snap->link.name, sizeof(snap->link.name), "%s", name);
	for (unsigned key = 0; key < MUTE_MAX; key++)
		snap->sysctl[key] = -1;
	return snap;
}

void rtnl_snap_free(struct rtnl_snap *snap)
{
	if (!snap)
		return;
	rtnl_list_free(&snap->nexthops);
	rtnl_list_free(&snap->addrs);
	rtnl_list_free(&snap->routes);
	rtnl_list_free(&snap->neighs);
	rtnl_list_free(&snap->rules);
	rtnl_list_free(&snap->order);
	rtnl_children_free(snap);
	json_decref(snap->lower);
	free(snap);
}

struct rtnl_list *rtnl_snap_list(struct rtnl_snap *snap, int type)
{
	switch (type) {
	case RTM_NEWNEXTHOP:
		return &snap->nexthops;
	case RTM_NEWADDR:
		return &snap->addrs;
	case RTM_NEWROUTE:
		return &snap->routes;
	case RTM_NEWNEIGH:
		return &snap->neighs;
	case RTM_NEWRULE:
		return &snap->rules;
	}
	return NULL;
}

const struct rtnl_link *rtnl_snap_link(const struct rtnl_snap *snap)
{
	return &snap->link;
}

int rtnl_snap_coalescing(const struct rtnl_snap *snap)
{
	return snap->coalescing;
}

unsigned rtnl_snap_addresses(const struct rtnl_snap *snap)
{
	return snap->addrs.n;
}

unsigned rtnl_snap_routes(const struct rtnl_snap *snap)
{
	return snap->routes.n;
}

static unsigned count_given(const struct rtnl_list *list)
{
	unsigned n = 0;

	for (unsigned i = 0; i < list->n; i++)
		n += !rtnl_msg_kernel_made(list->msg[i]);
	return n;
}

unsigned rtnl_snap_given_addresses(const struct rtnl_snap *snap)
{
	return count_given(&snap->addrs);
}

unsigned rtnl_snap_given(const struct rtnl_snap *snap)
{
	return count_given(&snap->addrs) + count_given(&snap->routes);
}

json_t *rtnl_snap_address_list(const struct rtnl_snap *snap)
{
	json_t *list = json_array();
	char text[INET6_ADDRSTRLEN + 8];

	for (unsigned i = 0; i < snap->addrs.n; i++) {
		rtnl_msg_text(snap->addrs.msg[i], text, sizeof(text));
		json_array_append_new(list, json_string(text));
	}
	return list;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static bool inet_family(const struct nlmsghdr *nlh)
{
	return rtnl_msg_family(nlh) == AF_INET || rtnl_msg_family(nlh) == AF_INET6;
}

static bool keep_addr(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtnl_snap *snap = arg;

	return (int)((const struct ifaddrmsg *)nlmsg_data(nlh))->ifa_index == snap->link.ifindex && inet_family(nlh);
}

static bool through(const struct nlattr *multipath, int ifindex)
{
	const char *at = nla_data(multipath);

	for (int left = nla_len(multipath); left >= (int)sizeof(struct rtnexthop);) {
		const struct rtnexthop *nh = (const struct rtnexthop *)at;
		if (nh->rtnh_ifindex == ifindex)
			return true;
		at += RTNH_ALIGN(nh->rtnh_len);
		left -= RTNH_ALIGN(nh->rtnh_len);
	}
	return false;
}

static bool by_our_object(const struct rtnl_snap *snap, uint32_t id)
{
	for (unsigned i = 0; i < snap->nexthops.n; i++)
		if (rtnl_nexthop_id(snap->nexthops.msg[i]) == id)
			return true;
	return false;
}

static bool keep_route(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtnl_snap *snap = arg;
	const struct rtmsg *rt = nlmsg_data(nlh);
	const struct nlattr *oif = rtnl_msg_attr(nlh, RTA_OIF), *object = rtnl_msg_attr(nlh, RTA_NH_ID);
	const struct nlattr *multipath = rtnl_msg_attr(nlh, RTA_MULTIPATH);

	/* The table `local` comes and goes with the addresses. */
	if (!inet_family(nlh) || (rt->rtm_flags & RTM_F_CLONED) ||
	    (rt->rtm_table == RT_TABLE_LOCAL && rt->rtm_protocol == RTPROT_KERNEL))
		return false;
	return (oif && (int)nla_get_u32(oif) == snap->link.ifindex) ||
	       (multipath && through(multipath, snap->link.ifindex)) ||
	       (object && by_our_object(snap, nla_get_u32(object)));
}

static bool keep_neigh(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtnl_snap *snap = arg;
	const struct ndmsg *neigh = nlmsg_data(nlh);
	const int worth = NUD_PERMANENT | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE;

	return neigh->ndm_ifindex == snap->link.ifindex && inet_family(nlh) &&
	       ((neigh->ndm_state & worth) || (neigh->ndm_flags & NTF_PROXY));
}

static int dump_all(struct rtnl *rtnl, struct rtnl_snap *snap)
{
	static const int families[] = {AF_INET, AF_INET6};

	int r = rtnl_nexthops_take(rtnl, snap);
	for (unsigned i = 0; !r && i < sizeof(families) / sizeof(*families); i++) {
		const struct ndmsg proxy = {.ndm_family = families[i], .ndm_flags = NTF_PROXY};
		r = rtnl_dump(rtnl, RTM_GETADDR, families[i], &snap->addrs, keep_addr, snap);
		if (!r)
			r = rtnl_dump(rtnl, RTM_GETROUTE, families[i], &snap->routes, keep_route, snap);
		if (!r)
			r = rtnl_dump(rtnl, RTM_GETNEIGH, families[i], &snap->neighs, keep_neigh, snap);
		if (!r)
			r = rtnl_dump_header(rtnl, RTM_GETNEIGH, &proxy, &snap->neighs, keep_neigh, snap);
	}
	return r ? r : rtnl_rules_take(rtnl, snap);
}

int rtnl_snap_take(struct rtnl *rtnl, const char *name, struct rtnl_snap **out, struct err *err)
{
	*out = NULL;
	struct rtnl_snap *snap = rtnl_snap_new(name);
	if (!snap)
		return err_set(err, -ENOMEM, "no memory for the configuration of %s", name);
	int r = rtnl_link_get(rtnl, name, &snap->link, err);
	if (r)
		goto fail;
	snap->coalescing = ethtool_rx_coalescing(snap->link.name);
	for (unsigned key = 0; key < MUTE_MAX; key++) {
		int value = rtnl_sysctl_get(snap->link.name, rtnl_mute_sysctl(key));
		snap->sysctl[key] = value < 0 ? -1 : value;
	}
	r = dump_all(rtnl, snap);
	if (r)
		rtnl_fail(rtnl, r, err, "cannot read the configuration of %s", name);
	if (r)
		goto fail;
	*out = snap;
	return 0;
fail:
	rtnl_snap_free(snap);
	return r;
}

/* ---- changing ---------------------------------------------------------------------------------------------------- */

int rtnl_snap_add_address(struct rtnl_snap *snap, const char *text, struct err *err)
{
	struct ifaddrmsg addr = {.ifa_scope = RT_SCOPE_UNIVERSE};
	uint8_t ip[16], broadcast[4];
	unsigned prefix;

	int family = ip_prefix_parse(text, ip, &prefix), bits = family == AF_INET6 ? 128 : 32;
	if (!family)
		return err_set(err, -EINVAL, "\"%s\" is not an address: write it like 172.16.16.1/24 or 2001:db8::1/64",
			       text);
	addr.ifa_family = family;
	addr.ifa_prefixlen = prefix;
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWADDR, RTNL_ADDED);
	int r = msg ? nlmsg_append(msg, &addr, sizeof(addr), NLMSG_ALIGNTO) : -1;
	if (!r)
		r = nla_put(msg, IFA_ADDRESS, bits / 8, ip);
	if (!r && addr.ifa_family == AF_INET) { /* for IPv6 the kernel reports, and so compares, no IFA_LOCAL */
		r = nla_put(msg, IFA_LOCAL, bits / 8, ip) || nla_put_string(msg, IFA_LABEL, snap->link.name);
		uint32_t hosts = addr.ifa_prefixlen < 31 ? htonl(UINT32_MAX >> addr.ifa_prefixlen) : 0, value;
		memcpy(&value, ip, sizeof(value));
		value |= hosts;
		memcpy(broadcast, &value, sizeof(value));
		if (!r && hosts)
			r = nla_put(msg, IFA_BROADCAST, sizeof(broadcast), broadcast);
	}
	bool known = false;
	for (unsigned i = 0; !r && i < snap->addrs.n; i++)
		known |= rtnl_addr_same(snap->addrs.msg[i], nlmsg_hdr(msg));
	if (!r && !known)
		r = rtnl_list_add(&snap->addrs, nlmsg_hdr(msg));
	nlmsg_free(msg);
	return r ? err_set(err, -ENOMEM, "no memory for address %s", text) : 0;
}

/* Add what `nlh` (of netdev `from`) says to `list`, as of netdev `to`. */
static int adopt(struct rtnl_list *list, const struct nlmsghdr *nlh, const struct rtnl_link *from,
		 const struct rtnl_link *to)
{
	struct nl_msg *msg = rtnl_msg_make(nlh, from, to, nlh->nlmsg_type, 0, true);
	int r = msg ? rtnl_list_add(list, nlmsg_hdr(msg)) : -ENOMEM;
	nlmsg_free(msg);
	return r;
}

static bool same(const struct nlmsghdr *a, const struct rtnl_link *a_link, const struct nlmsghdr *b,
		 const struct rtnl_link *b_link)
{
	return a->nlmsg_type == RTM_NEWADDR ? rtnl_addr_same(a, b) : rtnl_msg_same(a, a_link, b, b_link);
}

/* Give what has a lifetime the rest that it has on the other netdev; what has ended there goes into `ended`. */
static int age_list(struct rtnl_list *list, const struct rtnl_link *link, const struct rtnl_list *now,
		    const struct rtnl_link *now_link, struct rtnl_list *ended)
{
	for (unsigned i = list->n; i-- > 0;) {
		if (rtnl_msg_valid(list->msg[i]) == UINT32_MAX)
			continue;
		const struct nlmsghdr *found = NULL;
		for (unsigned k = 0; k < now->n && !found; k++)
			if (same(list->msg[i], link, now->msg[k], now_link))
				found = now->msg[k];
		int r = found ? adopt(list, found, now_link, link) : rtnl_list_add(ended, list->msg[i]);
		if (r)
			return r;
		if (found) {
			struct nlmsghdr *fresh = list->msg[--list->n];
			free(list->msg[i]);
			list->msg[i] = fresh;
		} else {
			rtnl_list_del(list, i);
		}
	}
	return 0;
}

static int add_new(struct rtnl_list *list, const struct rtnl_link *link, const struct rtnl_list *now,
		   const struct rtnl_link *now_link)
{
	unsigned old = list->n;

	for (unsigned k = 0; k < now->n; k++) {
		const struct nlmsghdr *nlh = now->msg[k];
		bool known = nlh->nlmsg_type == RTM_NEWRULE ? !rtnl_rule_names(nlh, now_link->name)
							    : rtnl_msg_kernel_made(nlh);
		for (unsigned i = 0; i < old && !known; i++)
			known = same(list->msg[i], link, now->msg[k], now_link);
		int r = known ? 0 : adopt(list, now->msg[k], now_link, link);
		if (r)
			return r;
	}
	return 0;
}

/* A route that prefers as its source an address that has ended can no longer be added. */
static void drop_routes_from(struct rtnl_list *routes, const struct nlmsghdr *addr)
{
	const struct nlattr *ip = rtnl_msg_attr(addr, IFA_LOCAL);
	if (!ip)
		ip = rtnl_msg_attr(addr, IFA_ADDRESS);

	for (unsigned i = routes->n; ip && i-- > 0;) {
		const struct nlattr *source = rtnl_msg_attr(routes->msg[i], RTA_PREFSRC);
		if (source && nla_len(source) == nla_len(ip) && !memcmp(nla_data(source), nla_data(ip), nla_len(ip)))
			rtnl_list_del(routes, i);
	}
}

bool rtnl_snap_added(const struct rtnl_snap *snap)
{
	for (unsigned i = 0; i < snap->addrs.n; i++)
		if (snap->addrs.msg[i]->nlmsg_flags & RTNL_ADDED)
			return true;
	return false;
}

void rtnl_snap_drop_added(struct rtnl_snap *snap)
{
	for (unsigned i = snap->addrs.n; i-- > 0;) {
		if (!(snap->addrs.msg[i]->nlmsg_flags & RTNL_ADDED))
			continue;
		drop_routes_from(&snap->routes, snap->addrs.msg[i]);
		rtnl_list_del(&snap->addrs, i);
	}
}

/*
 * A route through several netdevs of which another has meanwhile become a host port, or its netdev again, or has gone: its
 * hops as they were could not be added, and the present ones are added below.
 */
static void drop_changed_hops(struct rtnl_list *routes, const struct rtnl_link *link, const struct rtnl_list *now,
			      const struct rtnl_link *now_link)
{
	for (unsigned i = routes->n; i-- > 0;) {
		bool there = false, changed = false;
		if (!rtnl_msg_attr(routes->msg[i], RTA_MULTIPATH))
			continue;
		for (unsigned k = 0; k < now->n; k++) {
			there |= same(routes->msg[i], link, now->msg[k], now_link);
			changed |=
				!rtnl_msg_kernel_made(now->msg[k]) && rtnl_route_same_key(routes->msg[i], now->msg[k]);
		}
		if (changed && !there)
			rtnl_list_del(routes, i);
	}
}

int rtnl_snap_merge(struct rtnl_snap *snap, const struct rtnl_snap *now, struct err *err)
{
	struct rtnl_list ended = {0}, ignored = {0};

	int r = age_list(&snap->addrs, &snap->link, &now->addrs, &now->link, &ended);
	for (unsigned i = 0; i < ended.n; i++)
		drop_routes_from(&snap->routes, ended.msg[i]);
	if (!r)
		r = age_list(&snap->routes, &snap->link, &now->routes, &now->link, &ignored);
	if (!r)
		r = add_new(&snap->addrs, &snap->link, &now->addrs, &now->link);
	drop_changed_hops(&snap->routes, &snap->link, &now->routes, &now->link);
	if (!r)
		r = add_new(&snap->routes, &snap->link, &now->routes, &now->link);
	if (!r)
		r = add_new(&snap->nexthops, &snap->link, &now->nexthops, &now->link);
	if (!r)
		r = add_new(&snap->rules, &snap->link, &now->rules, &now->link);
	rtnl_list_free(&ended);
	rtnl_list_free(&ignored);
	return r ? err_set(err, r, "no memory for the configuration of %s", snap->link.name) : 0;
}
