/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Routes to the same destination with the same metric, through several netdevs: the kernel tries them in the order in
 * which they were added, and lists them so. A route that is removed and added again becomes the last one.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "rtnl_impl.h"

#define COMPARISONS_MAX 20000000UL /* on a host with a full routing table the order is not kept */

static uint32_t number_of(const struct nlmsghdr *nlh, int type, uint32_t otherwise)
{
	const struct nlattr *attr = rtnl_msg_attr(nlh, type);
	return attr ? nla_get_u32(attr) : otherwise;
}

static bool same_attr(const struct nlmsghdr *a, const struct nlmsghdr *b, int type)
{
	const struct nlattr *x = rtnl_msg_attr(a, type), *y = rtnl_msg_attr(b, type);

	if (!x || !y)
		return x == y;
	return nla_len(x) == nla_len(y) && !memcmp(nla_data(x), nla_data(y), nla_len(x));
}

bool rtnl_route_same_key(const struct nlmsghdr *a, const struct nlmsghdr *b)
{
	const struct rtmsg *x = nlmsg_data(a), *y = nlmsg_data(b);

	return x->rtm_family == y->rtm_family && x->rtm_dst_len == y->rtm_dst_len && x->rtm_src_len == y->rtm_src_len &&
	       x->rtm_tos == y->rtm_tos && same_attr(a, b, RTA_DST) && same_attr(a, b, RTA_SRC) &&
	       number_of(a, RTA_PRIORITY, 0) == number_of(b, RTA_PRIORITY, 0) &&
	       number_of(a, RTA_TABLE, x->rtm_table) == number_of(b, RTA_TABLE, y->rtm_table);
}

/* Is the route the netdev's, or that of a VLAN netdev on it? */
static bool concerns(const struct rtnl_snap *snap, const struct nlmsghdr *nlh)
{
	int ifindex = number_of(nlh, RTA_OIF, 0);

	bool ours = ifindex && ifindex == snap->link.ifindex;
	for (unsigned i = 0; i < snap->children && ifindex && !ours; i++)
		ours = snap->child[i].snap->link.ifindex == ifindex;
	return ours;
}

/* An IPv6 route of metric 0, to one of the host's own addresses, is made by the kernel alone. */
static bool is_kept(const struct nlmsghdr *nlh, void *arg)
{
	(void)arg;
	if (rtnl_msg_family(nlh) == AF_INET6 && !number_of(nlh, RTA_PRIORITY, 0))
		return false;
	return !(((const struct rtmsg *)nlmsg_data(nlh))->rtm_flags & RTM_F_CLONED) && !rtnl_route_by_object(nlh);
}

static int all_routes(struct rtnl *rtnl, struct rtnl_list *list)
{
	int r = rtnl_dump(rtnl, RTM_GETROUTE, AF_INET, list, is_kept, NULL);
	return r ? r : rtnl_dump(rtnl, RTM_GETROUTE, AF_INET6, list, is_kept, NULL);
}

int rtnl_snap_take_order(struct rtnl *rtnl, struct rtnl_snap *snap, struct err *err)
{
	struct rtnl_list all = {0};
	unsigned long ours = 0;

	int r = all_routes(rtnl, &all);
	bool *wanted = calloc(all.n + 1, sizeof(*wanted));
	if (!wanted)
		r = -ENOMEM;
	for (unsigned i = 0; !r && i < all.n; i++)
		ours += concerns(snap, all.msg[i]);
	for (unsigned i = 0; !r && i < all.n && ours * all.n <= COMPARISONS_MAX; i++) {
		if (!concerns(snap, all.msg[i]))
			continue;
		for (unsigned k = 0; k < all.n; k++)
			if (k != i && rtnl_route_same_key(all.msg[i], all.msg[k]))
				wanted[i] = wanted[k] = true;
	}
	for (unsigned i = 0; !r && i < all.n; i++)
		r = wanted[i] ? rtnl_list_add(&snap->order, all.msg[i]) : 0;
	free(wanted);
	rtnl_list_free(&all);
	return r ? rtnl_fail(rtnl, r, err, "cannot read the order of the routes of %s", snap->link.name) : 0;
}

/* Which of `list` is `route` of snap->link, as netdev `to` has it? list->n: none. */
static unsigned find(const struct rtnl_list *list, const struct rtnl_link *to, const struct nlmsghdr *route,
		     const struct rtnl_snap *snap)
{
	unsigned i = 0;

	while (i < list->n &&
	       !(rtnl_route_same_key(route, list->msg[i]) && rtnl_msg_same(route, &snap->link, list->msg[i], to)))
		i++;
	return i;
}

/* Another netdev's route, which may have moved to that netdev's bridge or back meanwhile. NULL: it is gone. */
static const struct nlmsghdr *find_moved(const struct rtnl_list *all, const struct rtnl_link *to,
					 const struct nlmsghdr *route, const struct rtnl_snap *snap)
{
	for (unsigned i = 0; i < all->n && !concerns(snap, route); i++) {
		const struct nlmsghdr *nlh = all->msg[i];
		struct rtnl_link was = {.ifindex = (int)number_of(route, RTA_OIF, 0)};
		struct rtnl_link is = {.ifindex = (int)number_of(nlh, RTA_OIF, 0)};
		if (!rtnl_route_same_key(route, nlh) || !rtnl_msg_same(route, &was, nlh, &is))
			continue;
		bool known = false;
		for (unsigned k = 0; k < snap->order.n && !known; k++)
			known = rtnl_msg_same(snap->order.msg[k], &snap->link, nlh, to);
		if (!known)
			return nlh;
	}
	return NULL;
}

int rtnl_snap_trim_order(struct rtnl *rtnl, struct rtnl_snap *snap, const struct rtnl_link *link, struct err *err)
{
	struct rtnl_list all = {0};

	int r = all_routes(rtnl, &all);
	for (unsigned i = snap->order.n; !r && i-- > 0;) {
		if (find(&all, link, snap->order.msg[i], snap) < all.n)
			continue;
		const struct nlmsghdr *moved = find_moved(&all, link, snap->order.msg[i], snap);
		r = moved ? rtnl_list_add(&snap->order, moved) : 0;
		if (!r && moved) {
			struct nlmsghdr *last = snap->order.msg[snap->order.n - 1];
			snap->order.msg[snap->order.n - 1] = snap->order.msg[i];
			snap->order.msg[i] = last;
			rtnl_list_del(&snap->order, snap->order.n - 1);
		} else if (!r) {
			rtnl_list_del(&snap->order, i);
		}
	}
	rtnl_list_free(&all);
	return r ? rtnl_fail(rtnl, r, err, "cannot read the routes") : 0;
}

/* One destination's routes: delete those from the first wrong one on, and add them again. `at` is the first in the list. */
static int put_group(struct rtnl *rtnl, const struct rtnl_snap *snap, unsigned at, const struct rtnl_list *all,
		     const struct rtnl_link *to)
{
	const struct rtnl_list *order = &snap->order;
	unsigned last = 0;
	bool wrong = false, first = true;

	for (unsigned i = at; i < order->n; i++) {
		const struct nlmsghdr *nlh = order->msg[i];
		if (!rtnl_route_same_key(nlh, order->msg[at]))
			continue;
		unsigned k = find(all, to, nlh, snap);
		bool there = k < all->n;
		/* One of our own that has ended is not restored. */
		if (!there && concerns(snap, nlh))
			continue;
		wrong |= !there || (!first && k < last);
		last = k;
		first = false;
		int r = wrong && there ? rtnl_send(rtnl, nlh, &snap->link, to, RTM_DELROUTE, 0) : 0;
		if (wrong && !r)
			r = rtnl_send(rtnl, nlh, &snap->link, to, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND);
		/* The netdev of a missing one may be gone, or down. */
		if (r && there)
			return r;
	}
	return 0;
}

int rtnl_order_put(struct rtnl *rtnl, const struct rtnl_snap *snap, const struct rtnl_link *link, struct err *err)
{
	struct rtnl_list all = {0};

	if (!snap->order.n)
		return 0;
	int r = all_routes(rtnl, &all);
	for (unsigned i = 0; !r && i < snap->order.n; i++) {
		bool done = false;
		for (unsigned k = 0; k < i && !done; k++)
			done = rtnl_route_same_key(snap->order.msg[i], snap->order.msg[k]);
		r = done ? 0 : put_group(rtnl, snap, i, &all, link);
	}
	rtnl_list_free(&all);
	return r ? rtnl_fail(rtnl, r, err, "cannot bring the routes of %s into their order", link->name) : 0;
}
