/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Gateways: which ones a netdev's default routes name, and whether they answer. The kernel's neighbour table asks them, as
 * it does before it sends them a packet.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <string.h>

#include "rtnl_impl.h"

struct text {
	char *at;
	size_t size;
	const char *netdev; /* NULL: the snapshot's own */
};

static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (; *text; text += strspn(text, " ")) {
		size_t len = strcspn(text, " ");
		if (len == n && !memcmp(text, word, n))
			return true;
		text += len;
	}
	return false;
}

static void add_gateway(const struct text *text, int family, const void *ip, int len)
{
	char ip_text[INET6_ADDRSTRLEN], word[INET6_ADDRSTRLEN + IFNAMSIZ];
	size_t used = strlen(text->at);

	if ((family != AF_INET && family != AF_INET6) || len != (family == AF_INET ? 4 : 16) ||
	    !inet_ntop(family, ip, ip_text, sizeof(ip_text)))
		return;
	snprintf(word, sizeof(word), "%s%s%s", ip_text, text->netdev ? "%" : "", text->netdev ? text->netdev : "");
	if (has_word(text->at, word))
		return;
	if (used + 1 + strlen(word) < text->size)
		snprintf(text->at + used, text->size - used, "%s%s", used ? " " : "", word);
}

/* Of one next hop: RTA_GATEWAY, or RTA_VIA if the gateway is of another family than the route. */
static void add_hop(const struct text *text, int family, const struct nlattr *gateway, const struct nlattr *via)
{
	if (gateway)
		add_gateway(text, family, nla_data(gateway), nla_len(gateway));
	if (via && nla_len(via) > (int)sizeof(struct rtvia)) {
		const struct rtvia *rtvia = nla_data(via);
		add_gateway(text, rtvia->rtvia_family, rtvia->rtvia_addr, nla_len(via) - (int)sizeof(*rtvia));
	}
}

static void add_hops(const struct text *text, int family, const struct nlattr *multipath, int ifindex)
{
	const char *at = nla_data(multipath);

	for (int left = nla_len(multipath); left >= (int)sizeof(struct rtnexthop);) {
		const struct rtnexthop *nh = (const struct rtnexthop *)at;
		const struct nlattr *attrs = (const struct nlattr *)(nh + 1);
		int len = nh->rtnh_len - (int)sizeof(*nh);
		if (nh->rtnh_ifindex == ifindex)
			add_hop(text, family, nla_find(attrs, len, RTA_GATEWAY), nla_find(attrs, len, RTA_VIA));
		at += RTNH_ALIGN(nh->rtnh_len);
		left -= RTNH_ALIGN(nh->rtnh_len);
	}
}

static void add_gateways(const struct text *text, const struct rtnl_snap *snap)
{
	for (unsigned i = 0; i < snap->routes.n; i++) {
		struct nlmsghdr *nlh = snap->routes.msg[i];
		const struct rtmsg *rt = nlmsg_data(nlh);
		struct nlattr *tb[RTA_MAX + 1];

		if (rt->rtm_dst_len || rt->rtm_type != RTN_UNICAST || nlmsg_parse(nlh, sizeof(*rt), tb, RTA_MAX, NULL))
			continue;
		add_hop(text, rt->rtm_family, tb[RTA_GATEWAY], tb[RTA_VIA]);
		if (tb[RTA_MULTIPATH])
			add_hops(text, rt->rtm_family, tb[RTA_MULTIPATH], snap->link.ifindex);
	}
}

void rtnl_snap_gateways(const struct rtnl_snap *snap, char *buf, size_t size)
{
	struct text text = {.at = buf, .size = size};

	buf[0] = '\0';
	add_gateways(&text, snap);
	for (unsigned i = 0; i < snap->children; i++) {
		text.netdev = rtnl_snap_child(snap, i);
		add_gateways(&text, snap->child[i].snap);
	}
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

struct neighbour {
	int ifindex;
	const uint8_t *ip;
	int len;
};

static bool is_neighbour(const struct nlmsghdr *nlh, void *arg)
{
	const struct neighbour *wanted = arg;
	const struct nlattr *ip = rtnl_msg_attr(nlh, NDA_DST);

	return ((const struct ndmsg *)nlmsg_data(nlh))->ndm_ifindex == wanted->ifindex && ip &&
	       nla_len(ip) == wanted->len && !memcmp(nla_data(ip), wanted->ip, wanted->len);
}

/* What the kernel's table says of it: NUD_*; NUD_NONE: nothing. Kernels before 5.0 look up only whole tables. */
static int state_of(struct rtnl *rtnl, int family, struct neighbour *wanted, unsigned *state)
{
	struct rtnl_list found = {0};

	int r = rtnl_dump(rtnl, RTM_GETNEIGH, family, &found, is_neighbour, wanted);
	*state = found.n ? ((const struct ndmsg *)nlmsg_data(found.msg[0]))->ndm_state : NUD_NONE;
	rtnl_list_free(&found);
	return r == -EINTR ? 0 : r; /* it changes all the time: what was read is good enough */
}

int rtnl_neigh_ask(struct rtnl *rtnl, int ifindex, int family, const uint8_t *ip)
{
	const unsigned known = NUD_REACHABLE | NUD_STALE | NUD_DELAY;
	struct neighbour wanted = {.ifindex = ifindex, .ip = ip, .len = family == AF_INET ? 4 : 16};
	unsigned state;

	int r = state_of(rtnl, family, &wanted, &state);
	if (r)
		return r;
	if (state & (NUD_PERMANENT | NUD_NOARP))
		return -EADDRNOTAVAIL;
	if (state & (NUD_INCOMPLETE | NUD_PROBE))
		return 0; /* being asked */

	/* A neighbour whose MAC address is known is asked directly, others by broadcast or multicast. */
	struct ndmsg neigh = {.ndm_family = family, .ndm_ifindex = ifindex};
	if (state & known)
		neigh.ndm_state = NUD_PROBE;
	else
		neigh.ndm_flags = NTF_USE;
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
	if (msg && (nlmsg_append(msg, &neigh, sizeof(neigh), NLMSG_ALIGNTO) || nla_put(msg, NDA_DST, wanted.len, ip))) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return rtnl_talk(rtnl, msg, NULL, NULL);
}
