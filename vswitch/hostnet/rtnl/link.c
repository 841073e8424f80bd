/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Links: looking, up and down, MTU, MAC, name.
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

int rtnl_link_get(struct rtnl *nc, const char *name, struct rtnl_link *out, struct err *err)
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
	int r = rtnl_talk(nc, msg, parse_link, out);
	if (!r && !out->ifindex)
		r = -ENODEV;
	if (r == -ENODEV)
		return err_set(err, r, "there is no netdev %s; `ip link` shows those that there are", name);
	return r ? rtnl_fail(nc, r, err, "netdev %s", name) : 0;
}

bool rtnl_link_exists(struct rtnl *nc, const char *name)
{
	struct rtnl_link link;
	struct err ignored;

	return !rtnl_link_get(nc, name, &link, &ignored);
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

static int set_flags(struct rtnl *nc, int ifindex, unsigned flags, unsigned mask)
{
	return rtnl_talk(nc, set_request(ifindex, flags, mask), NULL, NULL);
}

static int set_attr(struct rtnl *nc, int ifindex, int attr, const void *data, int len)
{
	struct nl_msg *msg = set_request(ifindex, 0, 0);

	if (msg && nla_put(msg, attr, len, data)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return rtnl_talk(nc, msg, NULL, NULL);
}

int rtnl_link_up(struct rtnl *nc, const char *name, bool up, struct err *err)
{
	struct rtnl_link link;

	int r = rtnl_link_get(nc, name, &link, err);
	if (r || !!(link.flags & IFF_UP) == up)
		return r;
	r = set_flags(nc, link.ifindex, up ? IFF_UP : 0, IFF_UP);
	return r ? rtnl_fail(nc, r, err, "cannot set %s %s", name, up ? "up" : "down") : 0;
}

int rtnl_link_filter(struct rtnl *nc, const char *name, unsigned flags, struct err *err)
{
	const unsigned mask = IFF_PROMISC | IFF_ALLMULTI;
	struct rtnl_link link;

	int r = rtnl_link_get(nc, name, &link, err);
	if (r || !((link.flags ^ flags) & mask))
		return r;
	r = set_flags(nc, link.ifindex, flags & mask, mask);
	return r ? rtnl_fail(nc, r, err, "cannot set the receive filter of %s", name) : 0;
}

int rtnl_link_mtu(struct rtnl *nc, const char *name, uint32_t mtu, struct err *err)
{
	struct rtnl_link link;

	int r = rtnl_link_get(nc, name, &link, err);
	if (r || link.mtu == mtu)
		return r;
	r = set_attr(nc, link.ifindex, IFLA_MTU, &mtu, sizeof(mtu));
	return r ? rtnl_fail(nc, r, err, "cannot set the MTU of %s to %u", name, mtu) : 0;
}

int rtnl_link_mac(struct rtnl *nc, const char *name, const uint8_t mac[6], struct err *err)
{
	struct rtnl_link link;

	int r = rtnl_link_get(nc, name, &link, err);
	if (r || !memcmp(link.mac, mac, sizeof(link.mac)))
		return r;
	r = set_attr(nc, link.ifindex, IFLA_ADDRESS, mac, sizeof(link.mac));
	return r ? rtnl_fail(nc, r, err, "cannot set the MAC address of %s", name) : 0;
}

int rtnl_link_rename(struct rtnl *nc, const char *from, const char *to, struct err *err)
{
	struct rtnl_link link, other;
	struct err ignored;

	int r = rtnl_link_get(nc, from, &link, err);
	if (r || !strcmp(link.name, to))
		return r;
	if (!rtnl_link_get(nc, to, &other, &ignored) && other.ifindex != link.ifindex)
		return err_set(err, -EEXIST, "cannot rename %s to %s: there is a netdev %s already", from, to, to);

	r = set_attr(nc, link.ifindex, IFLA_IFNAME, to, strlen(to) + 1);
	if (r == -EBUSY && (link.flags & IFF_UP)) {
		r = set_flags(nc, link.ifindex, 0, IFF_UP);
		if (!r)
			r = set_attr(nc, link.ifindex, IFLA_IFNAME, to, strlen(to) + 1);
		int up = set_flags(nc, link.ifindex, IFF_UP, IFF_UP);
		if (!r)
			r = up;
	}
	return r ? rtnl_fail(nc, r, err, "cannot rename %s to %s", from, to) : 0;
}

/* ---- the default route's netdev ---------------------------------------------------------------------------------- */

struct best {
	int ifindex;
	uint32_t metric;
};

static int consider_route(struct nlmsghdr *nlh, void *arg)
{
	struct best *best = arg;
	const struct rtmsg *rt = nlmsg_data(nlh);
	struct nlattr *tb[RTA_MAX + 1];

	if (nlh->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(nlh, sizeof(*rt), tb, RTA_MAX, NULL))
		return 0;
	if (rt->rtm_dst_len || rt->rtm_table != RT_TABLE_MAIN || rt->rtm_type != RTN_UNICAST)
		return 0;
	uint32_t metric = tb[RTA_PRIORITY] ? nla_get_u32(tb[RTA_PRIORITY]) : 0;
	int ifindex = 0;
	if (tb[RTA_OIF])
		ifindex = nla_get_u32(tb[RTA_OIF]);
	else if (tb[RTA_MULTIPATH] && nla_len(tb[RTA_MULTIPATH]) >= (int)sizeof(struct rtnexthop))
		ifindex = ((const struct rtnexthop *)nla_data(tb[RTA_MULTIPATH]))->rtnh_ifindex;
	if (ifindex && (!best->ifindex || metric < best->metric))
		*best = (struct best){ifindex, metric};
	return 0;
}

int rtnl_default_netdev(struct rtnl *nc, char name[IFNAMSIZ], struct err *err)
{
	static const int families[] = {AF_INET, AF_INET6};

	for (unsigned i = 0; i < sizeof(families) / sizeof(*families); i++) {
		struct rtmsg rt = {.rtm_family = families[i]};
		struct best best = {0};
		struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP);
		if (msg)
			nlmsg_append(msg, &rt, sizeof(rt), NLMSG_ALIGNTO);
		int r = rtnl_talk(nc, msg, consider_route, &best);
		if (r)
			return rtnl_fail(nc, r, err, "cannot read the routes");
		if (best.ifindex && if_indextoname(best.ifindex, name))
			return 0;
	}
	return err_set(err, -ENOENT, "there is no default route to tell which netdev is meant: say netdev=NAME");
}

int rtnl_set_coalescing_below(const struct rtnl_snap *snap, bool back, struct err *err)
{
	const char *name;
	json_t *merged;
	int r = 0;

	json_object_foreach(snap->lower, name, merged)
	{
		if (!r && if_nametoindex(name))
			r = ethtool_set_rx_coalescing(name, back ? (int)json_integer_value(merged) : 0, err);
	}
	return r;
}
