/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What was set on one netdev and is meant for another: given to that.
 */
#include <errno.h>
#include <linux/if_addr.h>

#include "netcfg_impl.h"

/* Somebody's wish, and not made by the kernel itself. */
static bool is_set(const struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_type == RTM_NEWADDR)
		return netcfg_msg_family(nlh) == AF_INET ||
		       ((const struct ifaddrmsg *)nlmsg_data(nlh))->ifa_scope != RT_SCOPE_LINK;
	return ((const struct rtmsg *)nlmsg_data(nlh))->rtm_protocol != RTPROT_KERNEL;
}

static unsigned count(const struct netcfg_list *list)
{
	unsigned n = 0;

	for (unsigned i = 0; i < list->n; i++)
		n += is_set(list->msg[i]);
	return n;
}

unsigned netcfg_snap_given(const struct netcfg_snap *snap)
{
	return count(&snap->addrs) + count(&snap->routes);
}

/* An address that is there gets the lifetimes of the new one: a lease was renewed. */
static int give(struct netcfg *nc, const struct netcfg_list *list, const struct netcfg_link *from,
		const struct netcfg_link *to, int flags, struct sw_err *err)
{
	char text[80];

	for (unsigned i = 0; i < list->n; i++) {
		const struct nlmsghdr *nlh = list->msg[i];
		if (!is_set(nlh))
			continue;
		int r = netcfg_talk(nc,
				    netcfg_msg_make(nlh, from, to, nlh->nlmsg_type,
						    NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | flags, true),
				    NULL, NULL);
		if (r && r != -EEXIST) {
			netcfg_msg_text(nlh, text, sizeof(text));
			return netcfg_fail(nc, r, err, "cannot give %s %s", to->name, text);
		}
	}
	return 0;
}

int netcfg_snap_give(struct netcfg *nc, const struct netcfg_snap *snap, const char *name, struct sw_err *err)
{
	struct netcfg_link to;

	int r = netcfg_link_get(nc, name, &to, err);
	if (!r)
		r = give(nc, &snap->addrs, &snap->link, &to, NLM_F_REPLACE, err);
	return r ? r : give(nc, &snap->routes, &snap->link, &to, NLM_F_APPEND, err);
}
