/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's messages about addresses, routes, neighbours, rules and links, and the JSON that they are kept in.
 *
 * Input that begins with '{' is the JSON; else it is a stream of messages. They are read as events; each that is whole is
 * made into a request for another netdev, printed, compared, and kept; what is kept comes back from its JSON the same.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "vswitch/hostnet/rtnl/event.c" /* its reader takes a message without a socket, and is nobody else's to call */
#include "vswitch/hostnet/rtnl/rtnl_impl.h"

static void must(bool so)
{
	if (!so)
		abort();
}

static void on_event(const struct rtnl_event *event, void *arg)
{
	(void)arg;
	must(event->kind < RTNL_EVENT_MAX && strnlen(event->name, sizeof(event->name)) < sizeof(event->name));
}

/* A snapshot in JSON is read back as what it was. */
static void check_json(const struct rtnl_snap *snap)
{
	json_t *first = rtnl_snap_to_json(snap), *second;
	struct rtnl_snap *again;
	struct err err = {0};

	must(first != NULL);
	must(!rtnl_snap_from_json(first, &again, &err));
	second = rtnl_snap_to_json(again);
	must(json_equal(first, second));
	rtnl_snap_free(again);
	json_decref(first);
	json_decref(second);
}

static void use_message(struct rtnl_snap *snap, const struct nlmsghdr *nlh)
{
	const struct rtnl_link to = {.ifindex = 7, .name = "xenbr0"};
	const int family = rtnl_msg_family(nlh);
	struct rtnl_list *list = rtnl_snap_list(snap, nlh->nlmsg_type);
	char text[INET6_ADDRSTRLEN + 8];
	struct nl_msg *msg;

	if (!list)
		return; /* a link */
	rtnl_msg_text(nlh, text, sizeof(text));
	must(memchr(text, '\0', sizeof(text)) != NULL);
	rtnl_msg_valid(nlh);
	if (nlh->nlmsg_type == RTM_NEWADDR)
		must(rtnl_addr_same(nlh, nlh));
	if (nlh->nlmsg_type == RTM_NEWRULE)
		rtnl_rule_names(nlh, "eth0");
	if (nlh->nlmsg_type == RTM_NEWROUTE)
		must(rtnl_route_same_key(nlh, nlh));
	msg = rtnl_msg_make(nlh, &snap->link, &to, nlh->nlmsg_type, 0, true);
	nlmsg_free(msg);
	rtnl_msg_same(nlh, &snap->link, nlh, &to);
	if (family == AF_INET || family == AF_INET6 || nlh->nlmsg_type == RTM_NEWNEXTHOP)
		must(!rtnl_list_add(list, nlh));
}

static void take_messages(const uint8_t *data, size_t size)
{
	struct reader reader = {.fn = on_event};
	struct rtnl_snap *snap = rtnl_snap_new("eth0");
	char gateways[64];

	must(snap != NULL);
	snap->link.ifindex = 2;
	while (size >= sizeof(struct nlmsghdr)) {
		uint32_t len;
		struct nlmsghdr *nlh;

		memcpy(&len, data, sizeof(len));
		if (len < sizeof(*nlh) || len > size)
			break;
		nlh = malloc(len); /* by itself: a sanitizer sees a read beyond its end */
		must(nlh != NULL);
		memcpy(nlh, data, len);
		mnl_cb_run(nlh, len, 0, 0, on_message, &reader);
		if (rtnl_msg_check(nlh, len))
			use_message(snap, nlh);
		free(nlh);
		if (NLMSG_ALIGN(len) >= size)
			break;
		data += NLMSG_ALIGN(len);
		size -= NLMSG_ALIGN(len);
	}
	rtnl_snap_gateways(snap, gateways, sizeof(gateways));
	json_decref(rtnl_snap_address_list(snap));
	check_json(snap);
	rtnl_snap_free(snap);
}

static void take_json(const uint8_t *data, size_t size)
{
	json_t *json = json_loadb((const char *)data, size, 0, NULL);
	struct rtnl_snap *snap;
	struct err err = {0};

	if (!json)
		return;
	if (!rtnl_snap_from_json(json, &snap, &err)) {
		check_json(snap);
		rtnl_snap_free(snap);
	} else {
		must(!snap && *err.text);
	}
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size && data[0] == '{')
		take_json(data, size);
	else
		take_messages(data, size);
	return 0;
}
