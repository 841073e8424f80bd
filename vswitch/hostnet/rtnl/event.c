/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's stream of changes to links, addresses, routes and neighbours.
 */
#include <net/if.h> /* before the kernel's headers, which then leave its names alone */

#include <errno.h>
#include <fcntl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "rtnl.h"

struct rtnl_events {
	struct mnl_socket *sock;
};

struct reader {
	void (*fn)(const struct rtnl_event *event, void *arg);
	void *arg;
};

int rtnl_events_open(struct rtnl_events **out, struct err *err)
{
	*out = NULL;
	struct rtnl_events *events = calloc(1, sizeof(*events));
	if (!events)
		return err_set(err, -ENOMEM, "no memory for a netlink socket");
	unsigned groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
	events->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!events->sock || mnl_socket_bind(events->sock, groups, MNL_SOCKET_AUTOPID)) {
		int r = -errno;
		rtnl_events_close(events);
		return err_set(err, r, "cannot listen for network changes: %s", strerror(-r));
	}
	*out = events;
	return 0;
}

int rtnl_events_neighbours(struct rtnl_events *events)
{
	int group = RTNLGRP_NEIGH;
	return mnl_socket_setsockopt(events->sock, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) ? -errno : 0;
}

void rtnl_events_close(struct rtnl_events *events)
{
	if (!events)
		return;
	if (events->sock)
		mnl_socket_close(events->sock);
	free(events);
}

int rtnl_events_fd(const struct rtnl_events *events)
{
	return mnl_socket_get_fd(events->sock);
}

static int find_name(const struct nlattr *attr, void *arg)
{
	struct rtnl_event *event = arg;

	if (mnl_attr_get_type(attr) == IFLA_IFNAME && !mnl_attr_validate(attr, MNL_TYPE_STRING))
		snprintf(event->name, sizeof(event->name), "%.*s", (int)mnl_attr_get_payload_len(attr),
			 mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

static int find_oif(const struct nlattr *attr, void *arg)
{
	struct rtnl_event *event = arg;

	if (mnl_attr_get_type(attr) == RTA_OIF && !mnl_attr_validate(attr, MNL_TYPE_U32))
		event->ifindex = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int find_ip(const struct nlattr *attr, void *arg)
{
	struct rtnl_event *event = arg;
	size_t len = mnl_attr_get_payload_len(attr);

	if (mnl_attr_get_type(attr) == NDA_DST && len <= sizeof(event->ip))
		memcpy(event->ip, mnl_attr_get_payload(attr), len);
	return MNL_CB_OK;
}

static int on_message(const struct nlmsghdr *nlh, void *arg)
{
	const struct reader *reader = arg;
	struct rtnl_event event = {0};

	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK: {
		if (nlh->nlmsg_len < mnl_nlmsg_size(sizeof(struct ifinfomsg)))
			return MNL_CB_OK;
		const struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
		event = (struct rtnl_event){.kind = RTNL_LINK,
					    .gone = nlh->nlmsg_type == RTM_DELLINK,
					    .ifindex = info->ifi_index,
					    .flags = info->ifi_flags};
		/* A bridge reporting that a port has left it does not mean that the netdev is gone. */
		if (info->ifi_family != AF_UNSPEC)
			return MNL_CB_OK;
		mnl_attr_parse(nlh, sizeof(*info), find_name, &event);
		break;
	}
	case RTM_NEWADDR:
	case RTM_DELADDR:
		if (nlh->nlmsg_len < mnl_nlmsg_size(sizeof(struct ifaddrmsg)))
			return MNL_CB_OK;
		event = (struct rtnl_event){.kind = RTNL_ADDRESS,
					    .gone = nlh->nlmsg_type == RTM_DELADDR,
					    .ifindex =
						    ((const struct ifaddrmsg *)mnl_nlmsg_get_payload(nlh))->ifa_index};
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		if (nlh->nlmsg_len < mnl_nlmsg_size(sizeof(struct rtmsg)))
			return MNL_CB_OK;
		event = (struct rtnl_event){.kind = RTNL_ROUTE, .gone = nlh->nlmsg_type == RTM_DELROUTE};
		mnl_attr_parse(nlh, sizeof(struct rtmsg), find_oif, &event);
		break;
	case RTM_NEWNEIGH: {
		if (nlh->nlmsg_len < mnl_nlmsg_size(sizeof(struct ndmsg)))
			return MNL_CB_OK;
		const struct ndmsg *neigh = mnl_nlmsg_get_payload(nlh);
		event = (struct rtnl_event){.kind = RTNL_NEIGHBOUR,
					    .ifindex = neigh->ndm_ifindex,
					    .family = neigh->ndm_family,
					    .reachable = neigh->ndm_state & NUD_REACHABLE};
		mnl_attr_parse(nlh, sizeof(*neigh), find_ip, &event);
		break;
	}
	default:
		return MNL_CB_OK;
	}
	reader->fn(&event, reader->arg);
	return MNL_CB_OK;
}

int rtnl_events_read(struct rtnl_events *events, void (*fn)(const struct rtnl_event *event, void *arg), void *arg)
{
	char buf[32768] __attribute__((aligned(8)));
	struct reader reader = {.fn = fn, .arg = arg};

	for (;;) {
		ssize_t n = mnl_socket_recvfrom(events->sock, buf, sizeof(buf));
		if (n < 0 && (errno == ENOBUFS || errno == ENOSPC)) { /* too many, or too long a message */
			struct rtnl_event lost = {.kind = RTNL_LOST};
			fn(&lost, arg);
			continue;
		}
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (mnl_cb_run(buf, n, 0, 0, on_message, &reader) < 0 && errno != EPROTO)
			return -errno;
	}
}
