/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Links: look-up, up and down, receive filter, name.
 */
#include <errno.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>

#include "rtnl_impl.h"
#include "vswitch/base/ethtool.h"

static int parse_link(struct nlmsghdr *nlh, void *arg)
{
	struct rtnl_link *link = arg;
	const struct ifinfomsg *info = nlmsg_data(nlh);
	struct nlattr *tb[IFLA_MAX + 1], *linkinfo[IFLA_INFO_MAX + 1];

	if (nlh->nlmsg_type != RTM_NEWLINK || nlmsg_parse(nlh, sizeof(*info), tb, IFLA_MAX, NULL))
		return 0;
	link->ifindex = info->ifi_index;
	link->flags = info->ifi_flags;
	link->ether = info->ifi_type == ARPHRD_ETHER;
	if (tb[IFLA_IFNAME])
		nla_strlcpy(link->name, tb[IFLA_IFNAME], sizeof(link->name));
	if (tb[IFLA_MTU])
		link->mtu = nla_get_u32(tb[IFLA_MTU]);
	if (tb[IFLA_ADDRESS] && nla_len(tb[IFLA_ADDRESS]) == sizeof(link->mac))
		memcpy(link->mac, nla_data(tb[IFLA_ADDRESS]), sizeof(link->mac));
	if (tb[IFLA_MASTER] && !if_indextoname(nla_get_u32(tb[IFLA_MASTER]), link->master))
		snprintf(link->master, sizeof(link->master), "another netdev");
	if (tb[IFLA_LINK] && !tb[IFLA_LINK_NETNSID])
		link->lower = nla_get_u32(tb[IFLA_LINK]);
	if (tb[IFLA_LINKINFO] && !nla_parse_nested(linkinfo, IFLA_INFO_MAX, tb[IFLA_LINKINFO], NULL) &&
	    linkinfo[IFLA_INFO_KIND])
		nla_strlcpy(link->kind, linkinfo[IFLA_INFO_KIND], sizeof(link->kind));
	return 0;
}

int rtnl_link_get(struct rtnl *rtnl, const char *name, struct rtnl_link *out, struct err *err)
{
	struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETLINK, NLM_F_REQUEST);

	memset(out, 0, sizeof(*out));
	/* The kernel looks for a short name among the alternative ones too. */
	if (msg && (nlmsg_append(msg, &info, sizeof(info), NLMSG_ALIGNTO) ||
		    nla_put_string(msg, strlen(name) < IFNAMSIZ ? IFLA_IFNAME : IFLA_ALT_IFNAME, name))) {
		nlmsg_free(msg);
		msg = NULL;
	}
	int r = rtnl_talk(rtnl, msg, parse_link, out);
	if (!r && !out->ifindex)
		r = -ENODEV;
	if (r == -ENODEV)
		return err_set(err, r, "there is no netdev %s; `ip link` lists those that exist", name);
	return r ? rtnl_fail(rtnl, r, err, "netdev %s", name) : 0;
}

struct link_walk {
	void (*fn)(const struct rtnl_link *link, void *arg);
	void *arg;
};

static int walk_link(struct nlmsghdr *nlh, void *arg)
{
	const struct link_walk *walk = arg;
	struct rtnl_link link = {0};

	int r = parse_link(nlh, &link);
	if (!r && link.ifindex)
		walk->fn(&link, walk->arg);
	return r;
}

int rtnl_link_each(struct rtnl *rtnl, void (*fn)(const struct rtnl_link *link, void *arg), void *arg, struct err *err)
{
	struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP);
	struct link_walk walk = {fn, arg};

	if (msg && nlmsg_append(msg, &info, sizeof(info), NLMSG_ALIGNTO)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	int r = rtnl_talk(rtnl, msg, walk_link, &walk);
	return r ? rtnl_fail(rtnl, r, err, "cannot list netdevs") : 0;
}

bool rtnl_link_exists(struct rtnl *rtnl, const char *name)
{
	struct rtnl_link link;
	struct err ignored;

	return !rtnl_link_get(rtnl, name, &link, &ignored);
}

/* An RTM_SETLINK for netdev `ifindex` that changes the IFF_* of `mask` to those of `flags`. */
static struct nl_msg *set_request(int ifindex, unsigned flags, unsigned mask)
{
	struct ifinfomsg info = {.ifi_family = AF_UNSPEC, .ifi_index = ifindex, .ifi_flags = flags, .ifi_change = mask};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK);

	if (msg && nlmsg_append(msg, &info, sizeof(info), NLMSG_ALIGNTO)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static int set_flags(struct rtnl *rtnl, int ifindex, unsigned flags, unsigned mask)
{
	return rtnl_talk(rtnl, set_request(ifindex, flags, mask), NULL, NULL);
}

int rtnl_link_set_up(struct rtnl *rtnl, const struct rtnl_link *link, bool up, struct err *err)
{
	if (!!(link->flags & IFF_UP) == up)
		return 0;
	int r = set_flags(rtnl, link->ifindex, up ? IFF_UP : 0, IFF_UP);
	return r ? rtnl_fail(rtnl, r, err, "cannot set %s %s", link->name, up ? "up" : "down") : 0;
}

int rtnl_link_set_filter(struct rtnl *rtnl, const struct rtnl_link *link, unsigned flags, struct err *err)
{
	const unsigned mask = IFF_PROMISC | IFF_ALLMULTI;

	if (!((link->flags ^ flags) & mask))
		return 0;
	int r = set_flags(rtnl, link->ifindex, flags & mask, mask);
	return r ? rtnl_fail(rtnl, r, err, "cannot set the receive filter of %s", link->name) : 0;
}

static int set_name(struct rtnl *rtnl, int ifindex, const char *name)
{
	struct nl_msg *msg = set_request(ifindex, 0, 0);

	if (msg && nla_put_string(msg, IFLA_IFNAME, name)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return rtnl_talk(rtnl, msg, NULL, NULL);
}

int rtnl_link_rename(struct rtnl *rtnl, const struct rtnl_link *link, const char *to, struct err *err)
{
	struct rtnl_link other;
	struct err ignored;

	if (!strcmp(link->name, to))
		return 0;
	/* Asked before it is set down in vain. */
	if (!rtnl_link_get(rtnl, to, &other, &ignored) && other.ifindex != link->ifindex)
		return err_set(err, -EEXIST, "cannot rename %s to %s: there is a netdev %s already", link->name, to,
			       to);
	int r = set_name(rtnl, link->ifindex, to);
	if (r == -EBUSY && (link->flags & IFF_UP)) {
		r = set_flags(rtnl, link->ifindex, 0, IFF_UP);
		if (!r)
			r = set_name(rtnl, link->ifindex, to);
		int up = set_flags(rtnl, link->ifindex, IFF_UP, IFF_UP);
		if (!r)
			r = up;
	}
	return r ? rtnl_fail(rtnl, r, err, "cannot rename %s to %s", link->name, to) : 0;
}

/* ---- the default route's netdev ---------------------------------------------------------------------------------- */

static bool is_default(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *rt = nlmsg_data(nlh);

	(void)arg;
	return !rt->rtm_dst_len && rt->rtm_table == RT_TABLE_MAIN && rt->rtm_type == RTN_UNICAST;
}

/* The netdev of a route, or of its first next hop; 0: none. */
static int route_ifindex(const struct nlmsghdr *nlh)
{
	const struct nlattr *oif = rtnl_msg_attr(nlh, RTA_OIF), *multipath = rtnl_msg_attr(nlh, RTA_MULTIPATH);

	if (oif)
		return nla_get_u32(oif);
	if (multipath && nla_len(multipath) >= (int)sizeof(struct rtnexthop))
		return ((const struct rtnexthop *)nla_data(multipath))->rtnh_ifindex;
	return 0;
}

/* The netdev of the route with the best metric; of equal ones, the first. 0: none. */
static int best_ifindex(const struct rtnl_list *routes)
{
	uint32_t best_metric = 0;
	int best = 0;

	for (unsigned i = 0; i < routes->n; i++) {
		const struct nlattr *attr = rtnl_msg_attr(routes->msg[i], RTA_PRIORITY);
		uint32_t metric = attr ? nla_get_u32(attr) : 0;
		int ifindex = route_ifindex(routes->msg[i]);
		if (!ifindex || (best && metric >= best_metric))
			continue;
		best = ifindex;
		best_metric = metric;
	}
	return best;
}

int rtnl_default_netdev(struct rtnl *rtnl, char name[IFNAMSIZ], struct err *err)
{
	static const int families[] = {AF_INET, AF_INET6};

	for (unsigned i = 0; i < sizeof(families) / sizeof(*families); i++) {
		struct rtnl_list routes = {0};
		int r = rtnl_dump(rtnl, RTM_GETROUTE, families[i], &routes, is_default, NULL);
		int ifindex = r ? 0 : best_ifindex(&routes);
		rtnl_list_free(&routes);
		if (r)
			return rtnl_fail(rtnl, r, err, "cannot read the routes");
		if (ifindex && if_indextoname(ifindex, name))
			return 0;
	}
	return err_set(err, -ENOENT, "there is no default route to tell which netdev is meant: say netdev=NAME");
}

int rtnl_set_coalescing_below(const struct rtnl_snap *snap, bool back, struct err *err)
{
	const char *name;
	json_t *kinds;
	int r = 0;

	json_object_foreach(snap->lower, name, kinds)
	{
		if (!r && if_nametoindex(name))
			r = ethtool_set_rx_coalescing(name, back ? (int)json_integer_value(kinds) : 0, err);
	}
	return r;
}
