/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands on bridges and their host ports.
 */
#include <errno.h>

#include "commands.h"
#include "vswitch/base/names.h"
#include "vswitch/daemon/daemon.h"
#include "vswitch/hostnet/hostnet.h"
#include "vswitch/switch/model.h"

#define AGEING_MAX 1000000 /* seconds: what the kernel's bridge takes, about */
#define MTU_MIN 68 /* of IPv4 */
#define MTU_MAX 65535

static void reply(struct ctl_request *req, int r, const struct err *err)
{
	if (r)
		ctl_reply_error(req, "%s", err->text);
	else
		ctl_reply_ok(req, NULL);
}

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
	struct model *model = ctl_parts(req)->model;
	struct state_bridge want = {
		.ageing = ctl_int(req, "ageing", 0),
		.host = ctl_bool(req, "host", true),
		.host_mtu = ctl_int(req, "mtu", 0),
	};
	struct err err = {0};

	name_copy(want.name, sizeof(want.name), ctl_str(req, "name"));
	if (ctl_mac(req, "mac", want.host_mac) && !want.host) {
		ctl_reply_error(req, "bridge-add: \"mac\" is the host port's, and \"host\" is false");
		return;
	}
	if (ctl_has(req, "mtu") && !want.host) {
		ctl_reply_error(req, "bridge-add: \"mtu\" is the host port's, and \"host\" is false");
		return;
	}
	if (ctl_bool(req, "may_exist", false) && state_bridge(model_state(model), want.name)) {
		ctl_reply_ok(req, NULL);
		return;
	}
	reply(req, model_bridge_add(model, &want, &err), &err);
}

static const struct ctl_arg bridge_del_args[] = {
	{"name", CTL_IFNAME, true, 0, 0},
	{0},
};

static void bridge_del(struct ctl_request *req)
{
	const struct parts *parts = ctl_parts(req);
	const char *name = ctl_str(req, "name");
	struct err err = {0};

	bool held = hostnet_holds(parts->hostnet, name, NULL, &err);
	reply(req, held ? -EBUSY : model_bridge_del(parts->model, name, &err), &err);
}

static const struct ctl_arg bridge_set_args[] = {
	{"name", CTL_IFNAME, true, 0, 0},
	{"ageing", CTL_INT, false, 1, AGEING_MAX},
	{"host", CTL_BOOL, false, 0, 0}, /* make the host port, or take it away */
	{"mac", CTL_MAC, false, 0, 0}, /* of a host port that is made now */
	{"mtu", CTL_INT, false, MTU_MIN, MTU_MAX}, /* of the host port */
	{0},
};

/* What is wrong with setting `mac` or `mtu` here, or NULL. */
static const char *misfit(const struct ctl_request *req, const struct state_bridge *bridge, bool host)
{
	if (ctl_has(req, "mac") && (bridge->host || !host))
		return "\"mac\" can only be given together with \"host\": true, to a bridge without a host port";
	if (ctl_has(req, "mtu") && !host)
		return "\"mtu\" is the host port's, and the bridge has none";
	return NULL;
}

static int set_host(struct model *model, struct ctl_request *req, const struct state_bridge *bridge, bool host,
		    struct err *err)
{
	const char *name = bridge->name;
	uint32_t mtu = ctl_int(req, "mtu", 0);
	uint8_t mac[6];

	if (host && !bridge->host)
		return model_host_add(model, name, ctl_mac(req, "mac", mac) ? mac : NULL, mtu, err);
	if (!host && bridge->host)
		return model_host_del(model, name, err);
	return mtu ? model_host_mtu(model, name, mtu, err) : 0;
}

static void bridge_set(struct ctl_request *req)
{
	struct model *model = ctl_parts(req)->model;
	const char *name = ctl_str(req, "name");
	struct err err = {0};

	const struct state_bridge *bridge = model_bridge(model, name, &err);
	if (!bridge) {
		reply(req, -ENOENT, &err);
		return;
	}
	bool host = ctl_bool(req, "host", bridge->host);
	const char *wrong = misfit(req, bridge, host);
	if (wrong) {
		ctl_reply_error(req, "bridge-set %s: %s", name, wrong);
		return;
	}

	if (!host && bridge->host && hostnet_holds(ctl_parts(req)->hostnet, name, NULL, &err)) {
		reply(req, -EBUSY, &err);
		return;
	}

	/* The host port first: it is what can fail; the ageing time of a bridge that is there cannot. */
	int r = set_host(model, req, bridge, host, &err);
	if (!r && ctl_has(req, "ageing"))
		r = model_bridge_ageing(model, name, ctl_int(req, "ageing", 0), &err);
	reply(req, r, &err);
}

const struct ctl_command bridge_commands[] = {
	{"bridge-add", CTL_ACT, bridge_add_args, bridge_add},
	{"bridge-del", CTL_ACT, bridge_del_args, bridge_del},
	{"bridge-set", CTL_ACT, bridge_set_args, bridge_set},
	{0},
};
