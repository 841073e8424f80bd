/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host_macs.h"
#include "vswitch/base/log.h"
#include "vswitch/base/mac.h"
#include "vswitch/hostnet/rtnl/rtnl.h"
#include "vswitch/switch/switch.h"

struct links {
	struct rtnl_link *link;
	unsigned n;
	bool failed; /* no memory for all of them */
};

static void note_link(const struct rtnl_link *link, void *arg)
{
	struct links *links = arg;
	struct rtnl_link *more = reallocarray(links->link, links->n + 1, sizeof(*more));

	if (!more) {
		links->failed = true;
		return;
	}
	links->link = more;
	links->link[links->n++] = *link;
}

static const struct rtnl_link *by_index(const struct links *links, int ifindex)
{
	for (unsigned i = 0; i < links->n; i++)
		if (links->link[i].ifindex == ifindex)
			return &links->link[i];
	return NULL;
}

/* Is `link` stacked on netdev `ifindex`, or on one that is? */
static bool is_above(const struct links *links, const struct rtnl_link *link, int ifindex)
{
	for (unsigned depth = 0; link && link->lower && depth < links->n; depth++) {
		if (link->lower == ifindex)
			return true;
		link = by_index(links, link->lower);
	}
	return false;
}

static bool is_known(const struct port_macs *macs, const uint8_t mac[6])
{
	for (unsigned i = 0; i < macs->n; i++)
		if (!memcmp(macs->mac[i], mac, sizeof(macs->mac[i])))
			return true;
	return false;
}

/* false: there is no room for it. */
static bool add(struct port_macs *macs, const uint8_t mac[6])
{
	if (mac_is_zero(mac) || mac[0] & 1 || is_known(macs, mac))
		return true;
	if (macs->n == PORT_MACS_MAX)
		return false;
	memcpy(macs->mac[macs->n++], mac, sizeof(macs->mac[0]));
	return true;
}

static void look_at(const struct links *links, const struct bridge *bridge)
{
	static bool said; /* once per daemon is enough */
	const struct rtnl_link *host = NULL;
	struct port_macs macs = {0};
	unsigned missing = 0;
	struct err err;

	for (unsigned i = 0; i < links->n && !host; i++)
		if (!strcmp(links->link[i].name, bridge->name))
			host = &links->link[i];
	if (!host || !add(&macs, host->mac) || !macs.n)
		return;
	for (unsigned i = 0; i < links->n; i++)
		if (links->link[i].ether && is_above(links, &links->link[i], host->ifindex))
			missing += !add(&macs, links->link[i].mac);
	if (missing && !said)
		log_warn("bridge %s: the host has %u MAC addresses more than the %d that are protected from being "
			 "claimed "
			 "by guests",
			 bridge->name, missing, PORT_MACS_MAX);
	said |= missing;
	if (sw_host_macs(bridge->name, &macs, &err))
		log_error("%s", err.text);
}

void host_macs_look(struct rtnl *rtnl)
{
	const struct bridge *bridge;
	struct links links = {0};
	struct err err;

	if (rtnl_link_each(rtnl, note_link, &links, &err))
		log_error("the host's MAC addresses are not followed: %s", err.text);
	else if (!links.failed)
		TAILQ_FOREACH(bridge, sw_bridges(), link)
	if (bridge->host)
		look_at(&links, bridge);
	free(links.link);
}
