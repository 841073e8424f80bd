/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The VLAN netdevs on a netdev. The kernel ties such a netdev to its parent for life, so it is deleted and recreated, with
 * everything that could be read of it.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_vlan.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtnl_impl.h"
#include "vswitch/base/ethtool.h"

/* What a netdev is created with, and what it is given later. create() adds IFLA_LINK and IFLA_ADDRESS. */
static const int made_with[] = {
	IFLA_IFNAME,        IFLA_MTU,           IFLA_TXQLEN,       IFLA_LINKMODE,     IFLA_GROUP,
	IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES, IFLA_GSO_MAX_SIZE, IFLA_GSO_MAX_SEGS, IFLA_LINKINFO,
};
static const int set_after[] = {IFLA_ADDRESS, IFLA_LINK, IFLA_IFALIAS, IFLA_PROP_LIST};
#define FLAGS (IFF_UP | IFF_NOARP | IFF_PROMISC | IFF_ALLMULTI | IFF_MULTICAST)

static int index_in(const struct nlmsghdr *nlh, int type)
{
	const struct nlattr *attr = rtnl_msg_attr(nlh, type);
	return attr && nla_len(attr) >= 4 ? (int)nla_get_u32(attr) : 0;
}

static int index_of(const struct nlmsghdr *nlh)
{
	return ((const struct ifinfomsg *)nlmsg_data(nlh))->ifi_index;
}

static const char *kind_of(const struct nlmsghdr *nlh)
{
	struct nlattr *info[IFLA_INFO_MAX + 1];
	const struct nlattr *attr = rtnl_msg_attr(nlh, IFLA_LINKINFO);

	if (!attr || nla_parse_nested(info, IFLA_INFO_MAX, (struct nlattr *)attr, NULL) || !info[IFLA_INFO_KIND])
		return "";
	return nla_get_string(info[IFLA_INFO_KIND]);
}

void rtnl_children_free(struct rtnl_snap *snap)
{
	for (unsigned i = 0; i < snap->children; i++) {
		free(snap->child[i].link);
		json_decref(snap->child[i].sysctl);
		rtnl_snap_free(snap->child[i].snap);
	}
	free(snap->child);
	snap->child = NULL;
	snap->children = 0;
}

unsigned rtnl_snap_children(const struct rtnl_snap *snap)
{
	return snap->children;
}

const char *rtnl_snap_child(const struct rtnl_snap *snap, unsigned i)
{
	return snap->child[i].snap->link.name;
}

void rtnl_snap_adopt_children(struct rtnl_snap *snap, struct rtnl_snap *now)
{
	rtnl_children_free(snap);
	snap->child = now->child;
	snap->children = now->children;
	now->child = NULL;
	now->children = 0;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* The kernel reports all flags but accepts only a mask of those it knows: those that are set, and its default one. */
static void mask_flags(struct nlmsghdr *nlh)
{
	struct nlattr *info[IFLA_INFO_MAX + 1], *data[IFLA_VLAN_MAX + 1];
	struct nlattr *attr = nlmsg_find_attr(nlh, sizeof(struct ifinfomsg), IFLA_LINKINFO);

	if (!attr || nla_parse_nested(info, IFLA_INFO_MAX, attr, NULL) || !info[IFLA_INFO_DATA] ||
	    nla_parse_nested(data, IFLA_VLAN_MAX, info[IFLA_INFO_DATA], NULL) || !data[IFLA_VLAN_FLAGS] ||
	    nla_len(data[IFLA_VLAN_FLAGS]) < (int)sizeof(struct ifla_vlan_flags))
		return;
	struct ifla_vlan_flags *flags = nla_data(data[IFLA_VLAN_FLAGS]);
	flags->mask = flags->flags | VLAN_FLAG_REORDER_HDR;
}

/* A copy of `nlh` with what is needed to recreate the netdev, without counters. */
static struct nlmsghdr *link_template(const struct nlmsghdr *nlh)
{
	struct nl_msg *msg = nlmsg_alloc_size(nlh->nlmsg_len + 64);
	struct nlmsghdr *copy = NULL;
	const struct nlattr *attr;

	int r = msg && nlmsg_put(msg, 0, 0, RTM_NEWLINK, 0, 0)
			? nlmsg_append(msg, nlmsg_data(nlh), sizeof(struct ifinfomsg), NLMSG_ALIGNTO)
			: -1;
	for (unsigned i = 0; !r && i < sizeof(made_with) / sizeof(*made_with); i++)
		if ((attr = rtnl_msg_attr(nlh, made_with[i])))
			r = nla_put(msg, attr->nla_type, nla_len(attr), nla_data(attr));
	for (unsigned i = 0; !r && i < sizeof(set_after) / sizeof(*set_after); i++)
		if ((attr = rtnl_msg_attr(nlh, set_after[i])))
			r = nla_put(msg, attr->nla_type, nla_len(attr), nla_data(attr));
	if (!r && (copy = malloc(nlmsg_hdr(msg)->nlmsg_len)))
		memcpy(copy, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len);
	nlmsg_free(msg);
	if (copy)
		mask_flags(copy);
	return copy;
}

static int add_child(struct rtnl *rtnl, struct rtnl_snap *snap, const char *parent, const struct nlmsghdr *nlh,
		     struct err *err)
{
	struct rtnl_child *child = reallocarray(snap->child, snap->children + 1, sizeof(*child));
	char name[IFNAMSIZ];

	nla_strlcpy(name, rtnl_msg_attr(nlh, IFLA_IFNAME), sizeof(name));
	if (!child)
		return err_set(err, -ENOMEM, "no memory for the configuration of %s", name);
	snap->child = child;
	child += snap->children;
	*child = (struct rtnl_child){.link = link_template(nlh), .sysctl = rtnl_sysctl_all(name)};
	snprintf(child->parent, sizeof(child->parent), "%s", parent);
	int r = child->link && child->sysctl ? rtnl_snap_take(rtnl, name, &child->snap, err)
					     : err_set(err, -ENOMEM, "no memory for the configuration of %s", name);
	if (r) {
		free(child->link);
		json_decref(child->sysctl);
		return r;
	}
	snap->children++;
	return 0;
}

/* Take what is on the netdev with index `ifindex`, called `parent` or, if it is the snapshot's own, "". */
static int take_on(struct rtnl *rtnl, struct rtnl_snap *snap, const struct rtnl_list *links, int ifindex,
		   const char *parent, struct err *err)
{
	const char *on = *parent ? parent : snap->link.name;
	char name[IFNAMSIZ];

	for (unsigned i = 0; i < links->n; i++) {
		const struct nlmsghdr *nlh = links->msg[i];
		const char *kind = kind_of(nlh);
		/* The index of a veth's peer, or of a netdev in another namespace, only looks like ours. */
		if (index_in(nlh, IFLA_LINK) != ifindex || rtnl_msg_attr(nlh, IFLA_LINK_NETNSID) ||
		    !strcmp(kind, "veth") || index_of(nlh) == ifindex || !rtnl_msg_attr(nlh, IFLA_IFNAME))
			continue;
		nla_strlcpy(name, rtnl_msg_attr(nlh, IFLA_IFNAME), sizeof(name));
		if (strcmp(kind, "vlan"))
			return err_set(err, -EOPNOTSUPP,
				       "netdev %s (%s) is on %s, and cannot be moved with it: delete it (`ip link del "
				       "%s`), and recreate it on the bridge's netdev afterwards",
				       name, *kind ? kind : "a network card", on, name);
		if (index_in(nlh, IFLA_MASTER))
			return err_set(err, -EOPNOTSUPP,
				       "netdev %s, a VLAN of %s, is part of another netdev, and cannot be moved with "
				       "it: take it out (`ip link set %s nomaster`), and in again afterwards",
				       name, on, name);
		int r = add_child(rtnl, snap, parent, nlh, err);
		if (!r)
			r = take_on(rtnl, snap, links, index_of(nlh), name, err);
		if (r)
			return r;
	}
	return 0;
}

/* Note what the netdevs coalesce that frames pass on their way to the one with index `ifindex`. */
static void note_lower(struct rtnl_snap *snap, const struct rtnl_list *links, int ifindex)
{
	char name[IFNAMSIZ];
	int parent = 0;

	for (unsigned i = 0; i < links->n; i++)
		if (index_of(links->msg[i]) == ifindex && !strcmp(kind_of(links->msg[i]), "vlan"))
			parent = index_in(links->msg[i], IFLA_LINK);
	for (unsigned i = 0; i < links->n; i++) {
		const struct nlmsghdr *nlh = links->msg[i];
		int index = index_of(nlh);
		if (index == ifindex || (index != parent && index_in(nlh, IFLA_MASTER) != ifindex) ||
		    !rtnl_msg_attr(nlh, IFLA_IFNAME))
			continue;
		nla_strlcpy(name, rtnl_msg_attr(nlh, IFLA_IFNAME), sizeof(name));
		if (json_object_get(snap->lower, name))
			continue;
		json_object_set_new(snap->lower, name, json_integer(ethtool_rx_coalescing(name)));
		note_lower(snap, links, index);
	}
}

int rtnl_snap_take_children(struct rtnl *rtnl, struct rtnl_snap *snap, struct err *err)
{
	struct rtnl_list links = {0};

	int r = rtnl_dump(rtnl, RTM_GETLINK, AF_UNSPEC, &links, NULL, NULL);
	if (r)
		rtnl_fail(rtnl, r, err, "cannot read the netdevs on %s", snap->link.name);
	else
		r = take_on(rtnl, snap, &links, snap->link.ifindex, "", err);
	if (!r && !snap->lower && (snap->lower = json_object()))
		note_lower(snap, &links, snap->link.ifindex);
	rtnl_list_free(&links);
	return r;
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

static int request(struct rtnl *rtnl, int type, int flags, const struct ifinfomsg *info, const struct nlattr *attr)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_ACK | flags);

	if (msg && (nlmsg_append(msg, (void *)info, sizeof(*info), NLMSG_ALIGNTO) ||
		    (attr && nla_put(msg, attr->nla_type, nla_len(attr), nla_data(attr))))) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return rtnl_talk(rtnl, msg, NULL, NULL);
}

static int create(struct rtnl *rtnl, const struct rtnl_child *child, const struct rtnl_link *parent, int ifindex)
{
	struct ifinfomsg info = {.ifi_family = AF_UNSPEC, .ifi_index = ifindex};
	const struct nlattr *attr, *mac = rtnl_msg_attr(child->link, IFLA_ADDRESS);

	struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	if (!msg)
		return -ENOMEM;
	int r = nlmsg_append(msg, &info, sizeof(info), NLMSG_ALIGNTO);
	if (!r)
		r = nla_put_u32(msg, IFLA_LINK, parent->ifindex);
	/* The parent's MAC address is inherited, and then followed; one that is set is not. */
	if (!r && mac && nla_len(mac) == sizeof(parent->mac) && memcmp(nla_data(mac), parent->mac, nla_len(mac)))
		r = nla_put(msg, IFLA_ADDRESS, nla_len(mac), nla_data(mac));
	for (unsigned i = 0; !r && i < sizeof(made_with) / sizeof(*made_with); i++)
		if ((attr = rtnl_msg_attr(child->link, made_with[i])))
			r = nla_put(msg, attr->nla_type, nla_len(attr), nla_data(attr));
	if (r) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	return rtnl_talk(rtnl, msg, NULL, NULL);
}

/* What a netdev can be given only once it exists. */
static int link_configure(struct rtnl *rtnl, const struct rtnl_child *child, struct err *err)
{
	const struct ifinfomsg *old = nlmsg_data(child->link);
	const char *name = child->snap->link.name;
	const struct nlattr *attr;
	struct rtnl_link link;

	int r = rtnl_link_get(rtnl, name, &link, err);
	if (r)
		return r;
	struct ifinfomsg info = {.ifi_family = AF_UNSPEC, .ifi_index = link.ifindex};
	if ((attr = rtnl_msg_attr(child->link, IFLA_IFALIAS)))
		r = request(rtnl, RTM_SETLINK, 0, &info, attr);
	if (!r && (attr = rtnl_msg_attr(child->link, IFLA_PROP_LIST))) {
		r = request(rtnl, RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_APPEND | NLM_F_EXCL, &info, attr);
		r = r == -EEXIST ? 0 : r;
	}
	rtnl_sysctl_give(name, child->sysctl);
	/* Its link-local address was in use until a moment ago; rtnl_snap_put() restores this. */
	rtnl_no_dad(name);
	if (!r && ((link.flags ^ old->ifi_flags) & FLAGS)) {
		info.ifi_flags = old->ifi_flags & FLAGS;
		info.ifi_change = FLAGS;
		r = request(rtnl, RTM_SETLINK, 0, &info, NULL);
	}
	return r ? rtnl_fail(rtnl, r, err, "cannot configure VLAN netdev %s as it was", name) : 0;
}

static int put_child(struct rtnl *rtnl, const struct rtnl_snap *snap, const struct rtnl_child *child,
		     const struct rtnl_link *on, struct err *err)
{
	const char *name = child->snap->link.name;
	struct rtnl_link parent = *on, have;

	int r = *child->parent ? rtnl_link_get(rtnl, child->parent, &parent, err) : 0;
	if (r)
		return r;
	bool there = !rtnl_link_get(rtnl, name, &have, err);
	if (there && strcmp(have.kind, "vlan"))
		return err_set(err, -EEXIST,
			       "VLAN netdev %s of %s cannot be made: there is another netdev of that name", name,
			       snap->link.name);
	/* The kernel sets VLAN netdevs up with their parent. One that was down is recreated, since being up leaves traces. */
	bool woken = there && (have.flags & IFF_UP) && !(child->snap->link.flags & IFF_UP);
	if (there && (have.lower != parent.ifindex || woken)) {
		struct ifinfomsg info = {.ifi_family = AF_UNSPEC, .ifi_index = have.ifindex};
		r = request(rtnl, RTM_DELLINK, 0, &info, NULL);
		if (r)
			return rtnl_fail(rtnl, r, err, "cannot delete VLAN netdev %s, to make it on %s", name,
					 parent.name);
		there = false;
	}
	if (!there) {
		r = create(rtnl, child, &parent, child->snap->link.ifindex);
		if (r == -EBUSY || r == -EEXIST) /* another netdev has its index now */
			r = create(rtnl, child, &parent, 0);
		if (r)
			return rtnl_fail(rtnl, r, err, "cannot make VLAN netdev %s on %s", name, parent.name);
	}
	r = link_configure(rtnl, child, err);
	return r ? r : rtnl_snap_put(rtnl, child->snap, name, true, err);
}

int rtnl_children_put(struct rtnl *rtnl, const struct rtnl_snap *snap, const struct rtnl_link *on, struct err *err)
{
	for (unsigned i = 0; i < snap->children; i++) {
		int r = put_child(rtnl, snap, &snap->child[i], on, err);
		if (r)
			return r;
	}
	return 0;
}
