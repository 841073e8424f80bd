/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What names a netdev without belonging to it: policy rules (`ip rule`) with its name as iif or oif, and nexthop objects
 * (`ip nexthop`) through it.
 *
 * Rules of one priority are tried in the order in which they were added, and none can be added before others. So if one of
 * a priority changes, all kept rules of this priority are appended again, and then the old ones are deleted from the first
 * on, which is the one that the kernel finds first. At no time is one missing.
 */
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/nexthop.h>
#include <stdio.h>
#include <string.h>

#include "rtnl_impl.h"

/* ---- rules ------------------------------------------------------------------------------------------------------- */

static bool attr_is(const struct nlattr *attr, const char *name)
{
	char text[IFNAMSIZ];

	if (!attr)
		return false;
	nla_strlcpy(text, attr, sizeof(text));
	return !strcmp(text, name);
}

bool rtnl_rule_names(const struct nlmsghdr *nlh, const char *name)
{
	return attr_is(rtnl_msg_attr(nlh, FRA_IIFNAME), name) || attr_is(rtnl_msg_attr(nlh, FRA_OIFNAME), name);
}

static bool same_priority(const struct nlmsghdr *a, const struct nlmsghdr *b)
{
	const struct nlattr *x = rtnl_msg_attr(a, FRA_PRIORITY), *y = rtnl_msg_attr(b, FRA_PRIORITY);

	return rtnl_msg_family(a) == rtnl_msg_family(b) && (x ? nla_get_u32(x) : 0) == (y ? nla_get_u32(y) : 0);
}

static int all_rules(struct rtnl *rtnl, struct rtnl_list *list)
{
	int r = rtnl_dump(rtnl, RTM_GETRULE, AF_INET, list, NULL, NULL);
	if (!r)
		r = rtnl_dump(rtnl, RTM_GETRULE, AF_INET6, list, NULL, NULL);
	return r == -EOPNOTSUPP || r == -EAFNOSUPPORT ? 0 : r; /* a kernel without policy rules */
}

int rtnl_rules_take(struct rtnl *rtnl, struct rtnl_snap *snap)
{
	struct rtnl_list all = {0};

	int r = all_rules(rtnl, &all);
	for (unsigned i = 0; !r && i < all.n; i++) {
		bool wanted = false;
		for (unsigned k = 0; k < all.n && !wanted; k++)
			wanted = same_priority(all.msg[i], all.msg[k]) && rtnl_rule_names(all.msg[k], snap->link.name);
		if (wanted)
			r = rtnl_list_add(&snap->rules, all.msg[i]);
	}
	rtnl_list_free(&all);
	return r;
}

static const struct nlmsghdr *find_as(const struct rtnl_list *list, const struct nlmsghdr *rule,
				      const struct rtnl_link *from, const struct rtnl_link *to)
{
	for (unsigned i = 0; i < list->n; i++)
		if (rtnl_msg_same(rule, from, list->msg[i], to))
			return list->msg[i];
	return NULL;
}

/* Do the two differ only in which netdev they name? */
static bool same_but_for_name(const struct nlmsghdr *a, const struct nlmsghdr *b)
{
	static const int types[] = {FRA_IIFNAME, FRA_OIFNAME};

	for (unsigned i = 0; i < sizeof(types) / sizeof(*types); i++) {
		const struct nlattr *x = rtnl_msg_attr(a, types[i]), *y = rtnl_msg_attr(b, types[i]);
		struct rtnl_link from = {0}, to = {0};
		if (!x || !y)
			continue;
		nla_strlcpy(from.name, x, sizeof(from.name));
		nla_strlcpy(to.name, y, sizeof(to.name));
		if (same_priority(a, b) && rtnl_msg_same(a, &from, b, &to))
			return true;
	}
	return false;
}

/*
 * The rules of `snap` as they should be now. One that names another netdev may meanwhile name that netdev's bridge, or the
 * netdev again, or be gone.
 */
static int resolve(const struct rtnl_list *all, const struct rtnl_snap *snap, struct rtnl_list *want)
{
	const struct rtnl_link *link = &snap->link;
	int r = 0;

	for (unsigned i = 0; i < snap->rules.n && !r; i++) {
		const struct nlmsghdr *rule = snap->rules.msg[i];
		bool there = rtnl_rule_names(rule, link->name) || find_as(all, rule, link, link);
		for (unsigned k = 0; k < all->n && !there; k++) {
			if (!same_but_for_name(rule, all->msg[k]) || find_as(&snap->rules, all->msg[k], link, link) ||
			    find_as(want, all->msg[k], link, link))
				continue;
			there = true;
			rule = all->msg[k];
		}
		r = there ? rtnl_list_add(want, rule) : 0;
	}
	return r;
}

/* Of `all`, those that are in `want`, which is of netdev `link`, as of netdev `a` or `b`. */
static int find_kept(const struct rtnl_list *all, const struct rtnl_list *want, const struct rtnl_link *link,
		     const struct rtnl_link *a, const struct rtnl_link *b, struct rtnl_list *kept)
{
	for (unsigned i = 0; i < all->n; i++) {
		bool known = false;
		for (unsigned k = 0; k < want->n && !known; k++)
			known = rtnl_msg_same(want->msg[k], link, all->msg[i], a) ||
				rtnl_msg_same(want->msg[k], link, all->msg[i], b);
		int r = known ? rtnl_list_add(kept, all->msg[i]) : 0;
		if (r)
			return r;
	}
	return 0;
}

int rtnl_rules_put(struct rtnl *rtnl, const struct rtnl_snap *snap, const char *name, const char *other,
		   struct err *err)
{
	struct rtnl_list all = {0}, want = {0}, have = {0};
	struct rtnl_link to = snap->link, from = snap->link;
	int r = 0;

	if (!snap->rules.n)
		return 0;
	snprintf(to.name, sizeof(to.name), "%s", name);
	snprintf(from.name, sizeof(from.name), "%s", other);
	r = all_rules(rtnl, &all);
	if (!r)
		r = resolve(&all, snap, &want);
	if (!r)
		r = find_kept(&all, &want, &snap->link, &to, &from, &have);
	bool same = !r && have.n == want.n;
	for (unsigned i = 0; i < have.n && same; i++)
		same = rtnl_msg_same(want.msg[i], &snap->link, have.msg[i], &to);
	for (unsigned i = 0; !r && !same && i < want.n; i++)
		r = rtnl_send(rtnl, want.msg[i], &snap->link, &to, RTM_NEWRULE, NLM_F_CREATE);
	for (unsigned i = 0; !r && !same && i < have.n; i++)
		r = rtnl_send(rtnl, have.msg[i], &to, &to, RTM_DELRULE, 0);
	rtnl_list_free(&want);
	rtnl_list_free(&all);
	rtnl_list_free(&have);
	return r ? rtnl_fail(rtnl, r, err, "cannot make the policy rules of %s those of %s", other, name) : 0;
}

/* ---- nexthop objects --------------------------------------------------------------------------------------------- */

uint32_t rtnl_nexthop_id(const struct nlmsghdr *nlh)
{
	const struct nlattr *id = rtnl_msg_attr(nlh, NHA_ID);
	return id ? nla_get_u32(id) : 0;
}

static bool is_through(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtnl_snap *snap = arg;
	const struct nlattr *oif = rtnl_msg_attr(nlh, NHA_OIF);

	return oif && (int)nla_get_u32(oif) == snap->link.ifindex;
}

/* A group with one that is kept. */
static bool is_group(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtnl_snap *snap = arg;
	const struct nlattr *group = rtnl_msg_attr(nlh, NHA_GROUP);

	for (unsigned at = 0; group && at + sizeof(struct nexthop_grp) <= (unsigned)nla_len(group);
	     at += sizeof(struct nexthop_grp)) {
		const struct nexthop_grp *member = (const void *)((const char *)nla_data(group) + at);
		for (unsigned i = 0; i < snap->nexthops.n; i++)
			if (rtnl_nexthop_id(snap->nexthops.msg[i]) == member->id)
				return true;
	}
	return false;
}

int rtnl_nexthops_take(struct rtnl *rtnl, struct rtnl_snap *snap)
{
	int r = rtnl_dump(rtnl, RTM_GETNEXTHOP, AF_UNSPEC, &snap->nexthops, is_through, snap);
	if (!r && snap->nexthops.n)
		r = rtnl_dump(rtnl, RTM_GETNEXTHOP, AF_UNSPEC, &snap->nexthops, is_group, snap);
	return r == -EOPNOTSUPP ? 0 : r; /* a kernel before 5.3 */
}

int rtnl_nexthops_put(struct rtnl *rtnl, const struct rtnl_snap *snap, const struct rtnl_link *to, int flags,
		      struct err *err)
{
	for (unsigned i = 0; i < snap->nexthops.n; i++) {
		const struct nlmsghdr *nlh = snap->nexthops.msg[i];
		int r = rtnl_send(rtnl, nlh, &snap->link, to, RTM_NEWNEXTHOP, NLM_F_CREATE | flags);
		if (r && r != -EEXIST)
			return rtnl_fail(rtnl, r, err, "cannot give %s the nexthop object %u", to->name,
					 rtnl_nexthop_id(nlh));
	}
	return 0;
}

int rtnl_nexthops_restore(struct rtnl *rtnl, const struct rtnl_snap *snap, const struct rtnl_link *to, struct err *err)
{
	if (!snap->nexthops.n)
		return 0;
	int r = rtnl_nexthops_put(rtnl, snap, to, NLM_F_EXCL, err);
	for (unsigned i = 0; !r && i < snap->routes.n; i++) {
		const struct nlmsghdr *nlh = snap->routes.msg[i];
		if (!rtnl_route_by_object(nlh))
			continue;
		r = rtnl_send(rtnl, nlh, &snap->link, to, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
		r = r == -EEXIST ? 0 : r;
		if (r)
			rtnl_fail(rtnl, r, err, "cannot give %s a route through a nexthop object", to->name);
	}
	return r;
}
