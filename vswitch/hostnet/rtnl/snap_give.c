/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What was set on one netdev and is meant for another: given to that.
 */
#include <errno.h>
#include <linux/if_addr.h>

#include "rtnl_impl.h"

/* Somebody's wish, and not made by the kernel itself. */
static bool is_set(const struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_type == RTM_NEWADDR)
		return rtnl_msg_family(nlh) == AF_INET ||
		       ((const struct ifaddrmsg *)nlmsg_data(nlh))->ifa_scope != RT_SCOPE_LINK;
	return ((const struct rtmsg *)nlmsg_data(nlh))->rtm_protocol != RTPROT_KERNEL;
}

static unsigned count(const struct rtnl_list *list)
{
	unsigned n = 0;

	for (unsigned i = 0; i < list->n; i++)
		n += is_set(list->msg[i]);
	return n;
}

unsigned rtnl_snap_given(const struct rtnl_snap *snap)
{
	return count(&snap->addrs) + count(&snap->routes);
}

/* An address that is there gets the lifetimes of the new one: a lease was renewed. */
static int give(struct rtnl *nc, const struct rtnl_list *list, const struct rtnl_link *from, const struct rtnl_link *to,
		int flags, struct err *err)
{
	char text[80];

	for (unsigned i = 0; i < list->n; i++) {
		const struct nlmsghdr *nlh = list->msg[i];
		if (!is_set(nlh))
			continue;
		int r = rtnl_talk(nc,
				  rtnl_msg_make(nlh, from, to, nlh->nlmsg_type,
						NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | flags, true),
				  NULL, NULL);
		if (r && r != -EEXIST) {
			rtnl_msg_text(nlh, text, sizeof(text));
			return rtnl_fail(nc, r, err, "cannot give %s %s", to->name, text);
		}
	}
	return 0;
}

int rtnl_snap_give(struct rtnl *nc, const struct rtnl_snap *snap, const char *name, struct err *err)
{
	struct rtnl_link to;

	int r = rtnl_link_get(nc, name, &to, err);
	if (!r)
		r = give(nc, &snap->addrs, &snap->link, &to, NLM_F_REPLACE, err);
	return r ? r : give(nc, &snap->routes, &snap->link, &to, NLM_F_APPEND, err);
}
