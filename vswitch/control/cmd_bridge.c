/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands on bridges and their host ports.
 */
#include <errno.h>

#include "commands.h"
#include "vswitch/base/names.h"
#include "vswitch/daemon/daemon.h"
#include "vswitch/hostnet/hostnet.h"
#include "vswitch/switch/switch.h"

#define AGEING_MAX 1000000 /* seconds: what the kernel's bridge takes, about */
#define MTU_MIN 68 /* of IPv4 */
#define MTU_MAX 65535

static const struct ctl_arg bridge_add_args[] = {
	{"name", CTL_IFNAME, true, 0, 0},
	{"ageing", CTL_INT, false, 1, AGEING_MAX},
	{"host", CTL_BOOL, false, 0, 0}, /* make the host port too; true unless given */
	{"mac", CTL_MAC, false, 0, 0}, /* of the host port */
	{"mtu", CTL_INT, false, MTU_MIN, MTU_MAX}, /* likewise */
	{"may_exist", CTL_BOOL, false, 0, 0}, /* a bridge of that name is no error, and stays as it is */
	{0},
};

static void bridge_add(struct ctl_request *req)
{
	struct bridge_conf want = {
		.ageing = ctl_int(req, "ageing", 0),
		.host = ctl_bool(req, "host", true),
		.host_mtu = ctl_int(req, "mtu", 0),
	};
	struct err err = {0};
	int r = 0;

	name_copy(want.name, sizeof(want.name), ctl_str(req, "name"));
	if (ctl_mac(req, "mac", want.host_mac) && !want.host)
		r = err_set(&err, -EINVAL, "bridge-add: \"mac\" is the host port's, and \"host\" is false");
	else if (ctl_has(req, "mtu") && !want.host)
		r = err_set(&err, -EINVAL, "bridge-add: \"mtu\" is the host port's, and \"host\" is false");
	else if (!ctl_bool(req, "may_exist", false) || !sw_bridge(want.name))
		r = sw_bridge_add(&want, &err);
	ctl_reply(req, r, &err);
}

static const struct ctl_arg bridge_del_args[] = {
	{"name", CTL_IFNAME, true, 0, 0},
	{0},
};

static void bridge_del(struct ctl_request *req)
{
	const char *name = ctl_str(req, "name");
	struct err err = {0};

	bool held = hostnet_holds(ctl_parts(req)->hostnet, name, NULL, &err);
	ctl_reply(req, held ? -EBUSY : sw_bridge_del(name, &err), &err);
}

static const struct ctl_arg bridge_set_args[] = {
	{"name", CTL_IFNAME, true, 0, 0},
	{"ageing", CTL_INT, false, 1, AGEING_MAX},
	{"host", CTL_BOOL, false, 0, 0}, /* make the host port, or take it away */
	{"mac", CTL_MAC, false, 0, 0}, /* of a host port that is made now */
	{"mtu", CTL_INT, false, MTU_MIN, MTU_MAX}, /* of the host port */
	{0},
};

/* Whether `mac` and `mtu` can be set here. */
static int check_set(const struct ctl_request *req, const struct bridge *bridge, bool host, struct err *err)
{
	if (ctl_has(req, "mac") && (bridge->host || !host))
		return err_set(err, -EINVAL,
			       "bridge-set %s: \"mac\" can only be given together with \"host\": true, to a bridge "
			       "without a host port",
			       bridge->name);
	if (ctl_has(req, "mtu") && !host)
		return err_set(err, -EINVAL, "bridge-set %s: \"mtu\" is the host port's, and the bridge has none",
			       bridge->name);
	return 0;
}

static int set_host(const struct ctl_request *req, const struct bridge *bridge, bool host, struct err *err)
{
	uint32_t mtu = ctl_int(req, "mtu", 0);
	uint8_t mac[6];

	if (host && !bridge->host)
		return sw_host_add(bridge->name, ctl_mac(req, "mac", mac) ? mac : NULL, mtu, err);
	if (!host && bridge->host) {
		if (hostnet_holds(ctl_parts(req)->hostnet, bridge->name, NULL, err))
			return -EBUSY;
		return sw_host_del(bridge->name, err);
	}
	return mtu ? sw_host_mtu(bridge->name, mtu, err) : 0;
}

static void bridge_set(struct ctl_request *req)
{
	struct err err = {0};
	const struct bridge *bridge = sw_bridge_find(ctl_str(req, "name"), &err);

	if (!bridge) {
		ctl_reply(req, -ENOENT, &err);
		return;
	}
	bool host = ctl_bool(req, "host", bridge->host);
	/* The host port first: it is what can fail; the ageing time of a bridge that exists cannot. */
	int r = check_set(req, bridge, host, &err);
	if (!r)
		r = set_host(req, bridge, host, &err);
	if (!r && ctl_has(req, "ageing"))
		r = sw_bridge_ageing(bridge->name, ctl_int(req, "ageing", 0), &err);
	ctl_reply(req, r, &err);
}

const struct ctl_command bridge_commands[] = {
	{"bridge-add", CTL_WRITE, bridge_add_args, bridge_add},
	{"bridge-del", CTL_WRITE, bridge_del_args, bridge_del},
	{"bridge-set", CTL_WRITE, bridge_set_args, bridge_set},
	{0},
};
