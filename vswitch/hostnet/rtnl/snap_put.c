/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Putting a snapshot onto a netdev, and removing it. Order matters to the kernel: IPv4 secondary addresses follow their
 * primary one; routes need the addresses and the routes by which their gateways are reached.
 */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rtnl_impl.h"

#define REQUEST (NLM_F_REQUEST | NLM_F_ACK)
#define TENTATIVE_MAX_MS 1000 /* on a very busy machine; it takes a few */
#define TENTATIVE_STEP_MS 1
#define LOWER_UP (1 << 16) /* IFF_LOWER_UP, which <net/if.h> lacks */

struct put {
	struct rtnl *rtnl;
	const struct rtnl_snap *snap;
	const struct rtnl_snap *now; /* what the target has */
	const struct rtnl_link *to;
	bool exact;
	struct err *err;
};

static int add(const struct put *put, const struct nlmsghdr *nlh, int flags)
{
	struct nl_msg *msg =
		rtnl_msg_make(nlh, &put->snap->link, put->to, nlh->nlmsg_type, REQUEST | NLM_F_CREATE | flags, true);
	int r = rtnl_talk(put->rtnl, msg, NULL, NULL);
	return r == -EEXIST ? 0 : r;
}

/* Delete from netdev `to` what `nlh` says of netdev `from`. */
static int del(struct rtnl *rtnl, const struct nlmsghdr *nlh, const struct rtnl_link *from, const struct rtnl_link *to)
{
	int type = nlh->nlmsg_type == RTM_NEWADDR    ? RTM_DELADDR
		   : nlh->nlmsg_type == RTM_NEWROUTE ? RTM_DELROUTE
						     : RTM_DELNEIGH;
	int r = rtnl_talk(rtnl, rtnl_msg_make(nlh, from, to, type, REQUEST, true), NULL, NULL);
	return r == -ESRCH || r == -ENOENT || r == -EADDRNOTAVAIL ? 0 : r;
}

static int fail(const struct put *put, int code, const char *act, const struct nlmsghdr *nlh)
{
	char text[80];

	rtnl_msg_text(nlh, text, sizeof(text));
	return rtnl_fail(put->rtnl, code, put->err, "cannot %s %s: %s %s", act, put->to->name,
			 nlh->nlmsg_type == RTM_NEWADDR ? "address" : "route", text);
}

/* ---- addresses --------------------------------------------------------------------------------------------------- */

/* The next message of `family` at or behind *i, or NULL. */
static const struct nlmsghdr *next_of(const struct rtnl_list *list, int family, unsigned *i)
{
	while (*i < list->n) {
		const struct nlmsghdr *nlh = list->msg[(*i)++];
		if (rtnl_msg_family(nlh) == family)
			return nlh;
	}
	return NULL;
}

static bool same_ipv4(const struct put *put)
{
	unsigned i = 0, k = 0;

	for (;;) {
		const struct nlmsghdr *want = next_of(&put->snap->addrs, AF_INET, &i);
		const struct nlmsghdr *have = next_of(&put->now->addrs, AF_INET, &k);
		if (!want || !have)
			return want == have;
		if (!rtnl_msg_same(want, &put->snap->link, have, put->to))
			return false;
	}
}

/* With `exact`, all or nothing: the order of adding decides which address is primary, and labels. */
static int put_ipv4(const struct put *put)
{
	const struct nlmsghdr *nlh;
	int r;

	if (put->exact && same_ipv4(put))
		return 0;
	for (unsigned i = put->now->addrs.n; put->exact && i-- > 0;) {
		nlh = put->now->addrs.msg[i];
		r = rtnl_msg_family(nlh) == AF_INET ? del(put->rtnl, nlh, put->to, put->to) : 0;
		if (r)
			return fail(put, r, "take from", nlh);
	}
	for (unsigned i = 0; (nlh = next_of(&put->snap->addrs, AF_INET, &i));) {
		r = add(put, nlh, NLM_F_EXCL);
		if (r)
			return fail(put, r, "give to", nlh);
	}
	return 0;
}

static const struct nlmsghdr *find_addr(const struct rtnl_list *list, const struct nlmsghdr *nlh)
{
	for (unsigned i = 0; i < list->n; i++)
		if (rtnl_addr_same(list->msg[i], nlh))
			return list->msg[i];
	return NULL;
}

static bool is_tentative(const struct nlmsghdr *nlh)
{
	return ((const struct ifaddrmsg *)nlmsg_data(nlh))->ifa_flags & IFA_F_TENTATIVE;
}

/*
 * The kernel lists addresses of one scope newest first: added from last to first, they keep their order. An address whose
 * duplicate address detection has begun, as on a netdev that was just set up, is re-added with it turned off.
 */
static int put_ipv6(const struct put *put)
{
	const struct nlmsghdr *nlh;
	int r;

	for (unsigned i = 0; put->exact && (nlh = next_of(&put->now->addrs, AF_INET6, &i));) {
		if (find_addr(&put->snap->addrs, nlh))
			continue;
		r = del(put->rtnl, nlh, put->to, put->to);
		if (r)
			return fail(put, r, "take from", nlh);
	}
	for (unsigned i = put->snap->addrs.n; i-- > 0;) {
		nlh = put->snap->addrs.msg[i];
		if (rtnl_msg_family(nlh) != AF_INET6)
			continue;
		const struct nlmsghdr *have = find_addr(&put->now->addrs, nlh);
		if (have && !is_tentative(have) && (!put->exact || rtnl_msg_same(nlh, &put->snap->link, have, put->to)))
			continue;
		r = have ? del(put->rtnl, have, put->to, put->to) : 0;
		if (!r)
			r = add(put, nlh, NLM_F_EXCL);
		if (r)
			return fail(put, r, "give to", nlh);
	}
	return 0;
}

static bool is_tentative_there(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtnl_link *link = arg;

	return (int)((const struct ifaddrmsg *)nlmsg_data(nlh))->ifa_index == link->ifindex && is_tentative(nlh);
}

/* Is there an IPv6 address of the netdev that cannot be used yet? */
static bool any_tentative(const struct put *put)
{
	struct rtnl_list found = {0};

	rtnl_dump(put->rtnl, RTM_GETADDR, AF_INET6, &found, is_tentative_there, (void *)put->to);
	bool any = found.n;
	rtnl_list_free(&found);
	return any;
}

static int put_addresses(const struct put *put)
{
	int r = put_ipv4(put);
	return r ? r : put_ipv6(put);
}

/* The kernel reads accept_dad a little after an address was added, from a work queue. */
static void await_ipv6(const struct put *put)
{
	/* A netdev without carrier keeps its addresses tentative. */
	if (!(put->to->flags & LOWER_UP))
		return;
	const struct timespec moment = {.tv_nsec = TENTATIVE_STEP_MS * 1000000L};

	for (unsigned ms = 0; ms < TENTATIVE_MAX_MS && any_tentative(put); ms += TENTATIVE_STEP_MS)
		nanosleep(&moment, NULL);
}

/* ---- routes and neighbours --------------------------------------------------------------------------------------- */

static bool has_route(const struct rtnl_list *list, const struct rtnl_link *list_link, const struct nlmsghdr *nlh,
		      const struct rtnl_link *link)
{
	for (unsigned i = 0; i < list->n; i++)
		if (rtnl_msg_same(list->msg[i], list_link, nlh, link))
			return true;
	return false;
}

static int delete_other_routes(const struct put *put)
{
	/* The snapshot lacks the kernel's route of an address that the netdev did not have, or had while it was down. */
	bool kernels = rtnl_snap_added(put->snap) || !(put->snap->link.flags & IFF_UP);

	for (unsigned i = put->now->routes.n; i-- > 0;) {
		const struct nlmsghdr *nlh = put->now->routes.msg[i];
		const struct rtmsg *rt = nlmsg_data(nlh);
		/* A router has announced this one meanwhile, and will again. */
		if (rt->rtm_protocol == RTPROT_RA || rtnl_msg_valid(nlh) != UINT32_MAX)
			continue;
		if (has_route(&put->snap->routes, &put->snap->link, nlh, put->to))
			continue;
		if (kernels && rt->rtm_protocol == RTPROT_KERNEL)
			continue;
		int r = del(put->rtnl, nlh, put->to, put->to);
		if (r)
			return fail(put, r, "take from", nlh);
	}
	return 0;
}

/*
 * Add a route whose gateway is no longer known to be on the link, since the address that made it so has expired: the kernel
 * keeps such a route, but accepts a new one only with RTNH_F_ONLINK.
 */
static int add_onlink(const struct put *put, const struct nlmsghdr *nlh)
{
	struct nl_msg *msg = rtnl_msg_make(nlh, &put->snap->link, put->to, nlh->nlmsg_type,
					   REQUEST | NLM_F_CREATE | NLM_F_APPEND, true);
	if (msg)
		((struct rtmsg *)nlmsg_data(nlmsg_hdr(msg)))->rtm_flags |= RTNH_F_ONLINK;
	int r = rtnl_talk(put->rtnl, msg, NULL, NULL);
	return r == -EEXIST ? 0 : r;
}

static int put_routes(const struct put *put)
{
	const struct rtnl_list *routes = &put->snap->routes;
	bool *done = calloc(routes->n + 1, sizeof(*done));
	if (!done)
		return err_set(put->err, -ENOMEM, "no memory for the routes of %s", put->to->name);

	/* A gateway may be reachable only through another route of the list: repeat as long as one more succeeds. */
	unsigned progress, failed;
	do {
		progress = failed = 0;
		for (unsigned i = 0; i < routes->n; i++) {
			if (done[i])
				continue;
			done[i] = has_route(&put->now->routes, put->to, routes->msg[i], &put->snap->link) ||
				  !add(put, routes->msg[i], NLM_F_APPEND);
			progress += done[i];
			failed += !done[i];
		}
	} while (failed && progress);

	int result = 0;
	for (unsigned i = 0; failed && i < routes->n; i++) {
		int r = done[i] ? 0 : add_onlink(put, routes->msg[i]);
		if (r && !result)
			result = fail(put, r, "give to", routes->msg[i]);
	}
	free(done);
	return result;
}

/* Only hints, except those that an administrator has set: the kernel learns again what cannot be kept. */
static int put_neighbours(const struct put *put)
{
	for (unsigned i = 0; i < put->snap->neighs.n; i++) {
		const struct nlmsghdr *nlh = put->snap->neighs.msg[i];
		const struct ndmsg *neigh = nlmsg_data(nlh);
		int r = add(put, nlh, NLM_F_REPLACE);
		if (r && (neigh->ndm_state & NUD_PERMANENT)) {
			char text[80];
			rtnl_msg_text(nlh, text, sizeof(text));
			return rtnl_fail(put->rtnl, r, put->err, "cannot give %s the neighbour %s", put->to->name,
					 text);
		}
	}
	return 0;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static int put_all(struct put *put, const char *name)
{
	struct rtnl_snap *now, *later;

	int r = rtnl_snap_take(put->rtnl, name, &now, put->err);
	if (r)
		return r;
	put->now = now;
	put->to = &now->link;
	r = put_addresses(put);
	if (!r)
		r = rtnl_nexthops_put(put->rtnl, put->snap, put->to, NLM_F_REPLACE, put->err);
	/* Changing addresses has added and removed routes. */
	if (!r)
		r = rtnl_snap_take(put->rtnl, name, &later, put->err);
	if (r) {
		rtnl_snap_free(now);
		return r;
	}
	rtnl_snap_free(now);
	put->now = later;
	put->to = &later->link;
	r = put->exact ? delete_other_routes(put) : 0;
	if (!r && (put->to->flags & IFF_UP)) /* else the kernel accepts none */
		r = put_routes(put);
	if (!r)
		r = put_neighbours(put);
	if (!r)
		await_ipv6(put);
	rtnl_snap_free(later);
	return r;
}

int rtnl_snap_put(struct rtnl *rtnl, const struct rtnl_snap *snap, const char *name, bool exact, struct err *err)
{
	struct put put = {.rtnl = rtnl, .snap = snap, .exact = exact, .err = err};
	const char *key = rtnl_mute_sysctl(MUTE_ACCEPT_DAD);

	/* Else every IPv6 address would be unusable for the second that duplicate address detection takes. */
	int dad = snap->sysctl[MUTE_ACCEPT_DAD];
	if (dad < 0)
		dad = rtnl_sysctl_get(name, key);
	if (dad >= 0) /* else the kernel has no IPv6 */
		rtnl_sysctl_set(name, key, 0);
	int r = put_all(&put, name);
	if (dad >= 0)
		rtnl_sysctl_set(name, key, dad);
	return r;
}

int rtnl_snap_clear(struct rtnl *rtnl, const struct rtnl_snap *snap, const struct rtnl_link *from, struct err *err)
{
	struct put put = {.rtnl = rtnl, .snap = snap, .to = from, .err = err};

	for (unsigned i = snap->routes.n; i-- > 0;) {
		if (rtnl_route_by_object(snap->routes.msg[i]))
			continue; /* it goes where the object goes */
		int r = del(rtnl, snap->routes.msg[i], &snap->link, from);
		if (r)
			return fail(&put, r, "take from", snap->routes.msg[i]);
	}
	for (unsigned i = snap->neighs.n; i-- > 0;)
		del(rtnl, snap->neighs.msg[i], &snap->link, from);
	for (unsigned i = snap->addrs.n; i-- > 0;) {
		int r = del(rtnl, snap->addrs.msg[i], &snap->link, from);
		if (r)
			return fail(&put, r, "take from", snap->addrs.msg[i]);
	}
	return 0;
}

/* ---- what somebody has set --------------------------------------------------------------------------------------- */

static int give(const struct put *put, const struct rtnl_list *list, int flags)
{
	for (unsigned i = 0; i < list->n; i++) {
		int r = rtnl_msg_kernel_made(list->msg[i]) ? 0 : add(put, list->msg[i], flags);
		if (r)
			return fail(put, r, "give to", list->msg[i]);
	}
	return 0;
}

int rtnl_snap_give(struct rtnl *rtnl, const struct rtnl_snap *snap, const struct rtnl_link *to, struct err *err)
{
	const struct put put = {.rtnl = rtnl, .snap = snap, .to = to, .err = err};

	/* An address that exists gets the lifetimes of the new one: a lease was renewed. */
	int r = give(&put, &snap->addrs, NLM_F_REPLACE);
	return r ? r : give(&put, &snap->routes, NLM_F_APPEND);
}
