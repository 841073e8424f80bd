/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's messages: from what a dump says of one netdev to the request that makes the same on another.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rtnl_impl.h"

/* Flags that an administrator sets; the rest is state that the kernel keeps itself. */
#define ADDR_FLAGS (IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN)
#define NEXTHOP_FLAGS (RTNH_F_ONLINK | RTNH_F_PERVASIVE)

int rtnl_list_add(struct rtnl_list *list, const struct nlmsghdr *nlh)
{
	struct nlmsghdr *copy = malloc(nlh->nlmsg_len);
	struct nlmsghdr **msg = copy ? reallocarray(list->msg, list->n + 1, sizeof(*msg)) : NULL;
	if (!msg) {
		free(copy);
		return -ENOMEM;
	}
	memcpy(copy, nlh, nlh->nlmsg_len);
	list->msg = msg;
	list->msg[list->n++] = copy;
	return 0;
}

void rtnl_list_del(struct rtnl_list *list, unsigned i)
{
	free(list->msg[i]);
	list->n--;
	memmove(&list->msg[i], &list->msg[i + 1], (list->n - i) * sizeof(*list->msg));
}

void rtnl_list_free(struct rtnl_list *list)
{
	for (unsigned i = 0; i < list->n; i++)
		free(list->msg[i]);
	free(list->msg);
	*list = (struct rtnl_list){0};
}

int rtnl_msg_hdrlen(int type)
{
	switch (type) {
	case RTM_NEWADDR:
		return sizeof(struct ifaddrmsg);
	case RTM_NEWROUTE:
		return sizeof(struct rtmsg);
	case RTM_NEWNEIGH:
		return sizeof(struct ndmsg);
	case RTM_NEWRULE:
		return sizeof(struct fib_rule_hdr);
	case RTM_NEWNEXTHOP:
		return sizeof(struct nhmsg);
	case RTM_NEWLINK:
		return sizeof(struct ifinfomsg);
	}
	return -1;
}

static bool nexthops_check(const struct nlattr *attr)
{
	const char *at = nla_data(attr);
	int left = nla_len(attr);

	while (left >= (int)sizeof(struct rtnexthop)) {
		const struct rtnexthop *nh = (const struct rtnexthop *)at;
		if (nh->rtnh_len < sizeof(*nh) || nh->rtnh_len > left)
			return false;
		int step = RTNH_ALIGN(nh->rtnh_len);
		at += step;
		left -= step;
	}
	return true;
}

bool rtnl_msg_check(const struct nlmsghdr *nlh, size_t len)
{
	if (len < sizeof(*nlh) || nlh->nlmsg_len != len)
		return false;
	int hdrlen = rtnl_msg_hdrlen(nlh->nlmsg_type), left;
	if (hdrlen < 0 || !nlmsg_valid_hdr(nlh, hdrlen))
		return false;
	/* The least size of each attribute that is read as a structure or number. */
	static const struct {
		int type, attr, size;
	} sized[] = {
		{RTM_NEWADDR, IFA_CACHEINFO, sizeof(struct ifa_cacheinfo)},
		{RTM_NEWADDR, IFA_FLAGS, 4},
		{RTM_NEWADDR, IFA_LABEL, 1},
		{RTM_NEWROUTE, RTA_OIF, 4},
		{RTM_NEWROUTE, RTA_TABLE, 4},
		{RTM_NEWROUTE, RTA_EXPIRES, 4},
		{RTM_NEWROUTE, RTA_CACHEINFO, sizeof(struct rta_cacheinfo)},
		{RTM_NEWROUTE, RTA_NH_ID, 4},
		{RTM_NEWROUTE, RTA_PRIORITY, 4},
		{RTM_NEWRULE, FRA_PRIORITY, 4},
		{RTM_NEWRULE, FRA_IIFNAME, 1},
		{RTM_NEWRULE, FRA_OIFNAME, 1},
		{RTM_NEWNEXTHOP, NHA_ID, 4},
		{RTM_NEWNEXTHOP, NHA_OIF, 4},
		{RTM_NEWLINK, IFLA_IFNAME, 1},
		{RTM_NEWLINK, IFLA_LINK, 4},
	};
	struct nlattr *attr;
	nlmsg_for_each_attr(attr, nlh, hdrlen, left)
	{
		for (unsigned i = 0; i < sizeof(sized) / sizeof(*sized); i++)
			if (sized[i].type == nlh->nlmsg_type && sized[i].attr == nla_type(attr) &&
			    nla_len(attr) < sized[i].size)
				return false;
		if (nlh->nlmsg_type == RTM_NEWROUTE && nla_type(attr) == RTA_MULTIPATH && !nexthops_check(attr))
			return false;
	}
	return true;
}

const struct nlattr *rtnl_msg_attr(const struct nlmsghdr *nlh, int type)
{
	return nlmsg_find_attr((struct nlmsghdr *)nlh, rtnl_msg_hdrlen(nlh->nlmsg_type), type);
}

/* "eth0" -> "xenbr0", "eth0:1" -> "xenbr0:1"; a label of another form, or one that gets too long: the netdev's name. */
static void translate_label(const struct nlattr *attr, const struct rtnl_link *from, const struct rtnl_link *to,
			    char out[IFNAMSIZ])
{
	char label[IFNAMSIZ];
	size_t n = strlen(from->name);

	nla_strlcpy(label, attr, sizeof(label));
	const char *suffix = !strncmp(label, from->name, n) && label[n] == ':' ? label + n : "";
	if (snprintf(out, IFNAMSIZ, "%s%s", to->name, suffix) >= IFNAMSIZ)
		snprintf(out, IFNAMSIZ, "%s", to->name);
}

static int put_addr_attr(struct nl_msg *msg, const struct nlattr *attr, const struct rtnl_link *from,
			 const struct rtnl_link *to, bool lifetime)
{
	char label[IFNAMSIZ];

	switch (nla_type(attr)) {
	case IFA_LABEL:
		translate_label(attr, from, to, label);
		return nla_put_string(msg, IFA_LABEL, label);
	case IFA_FLAGS:
		return nla_put_u32(msg, IFA_FLAGS, nla_get_u32(attr) & ADDR_FLAGS);
	case IFA_CACHEINFO:
		return lifetime ? nla_put(msg, IFA_CACHEINFO, nla_len(attr), nla_data(attr)) : 0;
	}
	return nla_put(msg, attr->nla_type, nla_len(attr), nla_data(attr));
}

static int put_nexthops(struct nl_msg *msg, const struct nlattr *attr, int from, int to)
{
	struct nlattr *copy = nla_reserve(msg, RTA_MULTIPATH, nla_len(attr));
	if (!copy)
		return -NLE_NOMEM;
	memcpy(nla_data(copy), nla_data(attr), nla_len(attr));

	char *at = nla_data(copy);
	for (int left = nla_len(copy); left >= (int)sizeof(struct rtnexthop);) {
		struct rtnexthop *nh = (struct rtnexthop *)at;
		if (nh->rtnh_ifindex == from)
			nh->rtnh_ifindex = to;
		nh->rtnh_flags &= NEXTHOP_FLAGS;
		at += RTNH_ALIGN(nh->rtnh_len);
		left -= RTNH_ALIGN(nh->rtnh_len);
	}
	return 0;
}

static int put_ifindex(struct nl_msg *msg, const struct nlattr *attr, const struct rtnl_link *from,
		       const struct rtnl_link *to)
{
	int ifindex = nla_get_u32(attr);
	return nla_put_u32(msg, nla_type(attr), ifindex == from->ifindex ? to->ifindex : ifindex);
}

bool rtnl_route_by_object(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_type == RTM_NEWROUTE && rtnl_msg_attr(nlh, RTA_NH_ID);
}

static int put_route_attr(struct nl_msg *msg, const struct nlattr *attr, const struct rtnl_link *from,
			  const struct rtnl_link *to, bool by_object)
{
	switch (nla_type(attr)) {
	case RTA_GATEWAY:
	case RTA_VIA:
	case RTA_ENCAP:
	case RTA_ENCAP_TYPE:
		if (!by_object)
			break;
		return 0; /* reported for convenience: the object counts */
	case RTA_OIF:
		return by_object ? 0 : put_ifindex(msg, attr, from, to);
	case RTA_MULTIPATH:
		return by_object ? 0 : put_nexthops(msg, attr, from->ifindex, to->ifindex);
	case RTA_CACHEINFO: /* only reported; its lifetime goes into RTA_EXPIRES */
	case RTA_EXPIRES:
		return 0;
	}
	return nla_put(msg, attr->nla_type, nla_len(attr), nla_data(attr));
}

static int put_rule_attr(struct nl_msg *msg, const struct nlattr *attr, const struct rtnl_link *from,
			 const struct rtnl_link *to)
{
	char name[IFNAMSIZ];

	if (nla_type(attr) != FRA_IIFNAME && nla_type(attr) != FRA_OIFNAME)
		return nla_put(msg, attr->nla_type, nla_len(attr), nla_data(attr));
	nla_strlcpy(name, attr, sizeof(name));
	return nla_put_string(msg, nla_type(attr), strcmp(name, from->name) ? name : to->name);
}

static int put_nexthop_attr(struct nl_msg *msg, const struct nlattr *attr, const struct rtnl_link *from,
			    const struct rtnl_link *to)
{
	switch (nla_type(attr)) {
	case NHA_OIF:
		return put_ifindex(msg, attr, from, to);
	case NHA_ID:
	case NHA_GROUP:
	case NHA_GROUP_TYPE:
	case NHA_BLACKHOLE:
	case NHA_GATEWAY:
	case NHA_ENCAP_TYPE:
	case NHA_ENCAP:
		return nla_put(msg, attr->nla_type, nla_len(attr), nla_data(attr));
	}
	return 0; /* statistics */
}

static int put_attr(struct nl_msg *msg, const struct nlmsghdr *nlh, const struct nlattr *attr,
		    const struct rtnl_link *from, const struct rtnl_link *to, bool lifetime)
{
	switch (nlh->nlmsg_type) {
	case RTM_NEWADDR:
		return put_addr_attr(msg, attr, from, to, lifetime);
	case RTM_NEWROUTE:
		return put_route_attr(msg, attr, from, to, rtnl_route_by_object(nlh));
	case RTM_NEWRULE:
		return put_rule_attr(msg, attr, from, to);
	case RTM_NEWNEXTHOP:
		return put_nexthop_attr(msg, attr, from, to);
	}
	if (nla_type(attr) == NDA_DST || nla_type(attr) == NDA_LLADDR || nla_type(attr) == NDA_PROTOCOL)
		return nla_put(msg, attr->nla_type, nla_len(attr), nla_data(attr));
	return 0;
}

static int put_header(struct nl_msg *msg, const struct nlmsghdr *nlh, const struct rtnl_link *to)
{
	union {
		struct ifaddrmsg addr;
		struct rtmsg rt;
		struct ndmsg neigh;
		struct fib_rule_hdr rule;
		struct nhmsg nexthop;
	} header;
	int len = rtnl_msg_hdrlen(nlh->nlmsg_type);

	memcpy(&header, nlmsg_data(nlh), len);
	switch (nlh->nlmsg_type) {
	case RTM_NEWADDR:
		header.addr.ifa_index = to->ifindex;
		header.addr.ifa_flags &= ADDR_FLAGS;
		break;
	case RTM_NEWROUTE:
		header.rt.rtm_flags &= rtnl_route_by_object(nlh) ? 0 : NEXTHOP_FLAGS;
		break;
	case RTM_NEWRULE:
		header.rule.flags &= FIB_RULE_INVERT;
		break;
	case RTM_NEWNEXTHOP:
		header.nexthop.nh_scope = 0; /* the kernel finds it */
		header.nexthop.nh_flags &= RTNH_F_ONLINK;
		break;
	case RTM_NEWNEIGH:
		header.neigh.ndm_ifindex = to->ifindex;
		/* What the kernel has learned is a good guess there too, to be verified. */
		if (!(header.neigh.ndm_state & NUD_PERMANENT) && !(header.neigh.ndm_flags & NTF_PROXY))
			header.neigh.ndm_state = NUD_STALE;
		break;
	}
	return nlmsg_append(msg, &header, len, NLMSG_ALIGNTO);
}

struct nl_msg *rtnl_msg_make(const struct nlmsghdr *nlh, const struct rtnl_link *from, const struct rtnl_link *to,
			     int type, int flags, bool lifetime)
{
	const struct nlattr *attr;
	int left, r;

	struct nl_msg *msg = nlmsg_alloc_size(nlh->nlmsg_len + 64);
	if (!msg)
		return NULL;
	if (!nlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, flags))
		goto fail;
	r = put_header(msg, nlh, to);
	nlmsg_for_each_attr(attr, (struct nlmsghdr *)nlh, rtnl_msg_hdrlen(nlh->nlmsg_type), left)
	{
		if (r)
			break;
		if (type == RTM_DELADDR && nla_type(attr) == IFA_LABEL)
			continue; /* a rename may have changed it: the address identifies it */
		r = put_attr(msg, nlh, attr, from, to, lifetime);
	}
	if (!r && lifetime && nlh->nlmsg_type == RTM_NEWROUTE && rtnl_msg_valid(nlh) != UINT32_MAX)
		r = nla_put_u32(msg, RTA_EXPIRES, rtnl_msg_valid(nlh));
	if (!r)
		return msg;
fail:
	nlmsg_free(msg);
	return NULL;
}

bool rtnl_msg_same(const struct nlmsghdr *a, const struct rtnl_link *a_link, const struct nlmsghdr *b,
		   const struct rtnl_link *b_link)
{
	struct nl_msg *x = rtnl_msg_make(a, a_link, b_link, a->nlmsg_type, 0, false);
	struct nl_msg *y = rtnl_msg_make(b, b_link, b_link, b->nlmsg_type, 0, false);
	bool same = x && y && nlmsg_hdr(x)->nlmsg_len == nlmsg_hdr(y)->nlmsg_len &&
		    !memcmp(nlmsg_hdr(x), nlmsg_hdr(y), nlmsg_hdr(x)->nlmsg_len);

	nlmsg_free(x);
	nlmsg_free(y);
	return same;
}

static bool attr_same(const struct nlattr *a, const struct nlattr *b)
{
	if (!a || !b)
		return a == b;
	return nla_len(a) == nla_len(b) && !memcmp(nla_data(a), nla_data(b), nla_len(a));
}

bool rtnl_addr_same(const struct nlmsghdr *a, const struct nlmsghdr *b)
{
	const struct ifaddrmsg *x = nlmsg_data(a), *y = nlmsg_data(b);

	return x->ifa_family == y->ifa_family && x->ifa_prefixlen == y->ifa_prefixlen &&
	       attr_same(rtnl_msg_attr(a, IFA_LOCAL), rtnl_msg_attr(b, IFA_LOCAL)) &&
	       attr_same(rtnl_msg_attr(a, IFA_ADDRESS), rtnl_msg_attr(b, IFA_ADDRESS));
}

bool rtnl_msg_kernel_made(const struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_type == RTM_NEWROUTE)
		return ((const struct rtmsg *)nlmsg_data(nlh))->rtm_protocol == RTPROT_KERNEL;
	return nlh->nlmsg_type == RTM_NEWADDR && rtnl_msg_family(nlh) == AF_INET6 &&
	       ((const struct ifaddrmsg *)nlmsg_data(nlh))->ifa_scope == RT_SCOPE_LINK;
}

uint32_t rtnl_msg_valid(const struct nlmsghdr *nlh)
{
	const struct nlattr *attr;

	if (nlh->nlmsg_type == RTM_NEWADDR) {
		attr = rtnl_msg_attr(nlh, IFA_CACHEINFO);
		return attr ? ((const struct ifa_cacheinfo *)nla_data(attr))->ifa_valid : UINT32_MAX;
	}
	if (nlh->nlmsg_type != RTM_NEWROUTE)
		return UINT32_MAX;
	attr = rtnl_msg_attr(nlh, RTA_EXPIRES);
	if (attr)
		return nla_get_u32(attr);
	attr = rtnl_msg_attr(nlh, RTA_CACHEINFO);
	if (!attr)
		return UINT32_MAX;
	/* In ticks of USER_HZ; 0: never; negative: it has just expired. */
	int32_t expires = ((const struct rta_cacheinfo *)nla_data(attr))->rta_expires;
	long hz = sysconf(_SC_CLK_TCK);
	return !expires ? UINT32_MAX : expires < hz ? 1 : (uint32_t)(expires / hz);
}

void rtnl_msg_text(const struct nlmsghdr *nlh, char *text, size_t size)
{
	char ip[INET6_ADDRSTRLEN] = "default";
	const struct nlattr *attr = NULL;
	int family = rtnl_msg_family(nlh), prefix = -1;

	if (nlh->nlmsg_type == RTM_NEWRULE || nlh->nlmsg_type == RTM_NEWNEXTHOP) {
		attr = rtnl_msg_attr(nlh, nlh->nlmsg_type == RTM_NEWRULE ? FRA_PRIORITY : NHA_ID);
		snprintf(text, size, "%u", attr ? nla_get_u32(attr) : 0);
		return;
	}

	if (nlh->nlmsg_type == RTM_NEWADDR) {
		attr = rtnl_msg_attr(nlh, IFA_LOCAL);
		attr = attr ? attr : rtnl_msg_attr(nlh, IFA_ADDRESS);
		prefix = ((const struct ifaddrmsg *)nlmsg_data(nlh))->ifa_prefixlen;
	} else if (nlh->nlmsg_type == RTM_NEWROUTE) {
		attr = rtnl_msg_attr(nlh, RTA_DST);
		prefix = attr ? ((const struct rtmsg *)nlmsg_data(nlh))->rtm_dst_len : -1;
	} else {
		attr = rtnl_msg_attr(nlh, NDA_DST);
	}
	if (attr && nla_len(attr) >= (family == AF_INET ? 4 : 16))
		inet_ntop(family, nla_data(attr), ip, sizeof(ip));
	if (prefix >= 0)
		snprintf(text, size, "%s/%d", ip, prefix);
	else
		snprintf(text, size, "%s", ip);
}
