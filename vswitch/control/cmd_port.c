/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands on ports of any kind, on uplinks, and on what ports have taught (the MAC table).
 */
#include <errno.h>

#include "commands.h"
#include "vswitch/base/names.h"
#include "vswitch/daemon/daemon.h"
#include "vswitch/hostnet/hostnet.h"
#include "vswitch/switch/model.h"

static void reply(struct ctl_request *req, int r, const struct err *err)
{
	if (r)
		ctl_reply_error(req, "%s", err->text);
	else
		ctl_reply_ok(req, NULL);
}

static const struct ctl_arg port_join_args[] = {
	{"port", CTL_PORTNAME, true, 0, 0},
	{"bridge", CTL_IFNAME, true, 0, 0},
	{0},
};

static void port_join(struct ctl_request *req)
{
	struct err err = {0};
	reply(req, model_port_join(ctl_parts(req)->model, ctl_str(req, "port"), ctl_str(req, "bridge"), &err), &err);
}

static const struct ctl_arg port_args[] = {
	{"port", CTL_PORTNAME, true, 0, 0},
	{0},
};

static void port_leave(struct ctl_request *req)
{
	const struct parts *parts = ctl_parts(req);
	const char *port = ctl_str(req, "port");
	struct err err = {0};

	bool held = hostnet_holds(parts->hostnet, NULL, port, &err);
	reply(req, held ? -EBUSY : model_port_leave(parts->model, port, &err), &err);
}

static void port_release(struct ctl_request *req)
{
	struct err err = {0};
	reply(req, sw_port_release(ctl_str(req, "port"), &err), &err);
}

static const struct ctl_arg uplink_add_args[] = {
	{"bridge", CTL_IFNAME, true, 0, 0},
	{"netdev", CTL_PORTNAME, true, 0, 0}, /* a netdev's name or a PCI address */
	{"driver", CTL_STRING, false, 1, sizeof(((struct state_uplink *)0)->driver) - 1},
	{0},
};

static void uplink_add(struct ctl_request *req)
{
	struct state_uplink want = {0};
	struct err err = {0};

	name_copy(want.netdev, sizeof(want.netdev), ctl_str(req, "netdev"));
	name_copy(want.bridge, sizeof(want.bridge), ctl_str(req, "bridge"));
	name_copy(want.driver, sizeof(want.driver), ctl_str(req, "driver"));
	reply(req, model_uplink_add(ctl_parts(req)->model, &want, &err), &err);
}

static const struct ctl_arg uplink_del_args[] = {
	{"netdev", CTL_PORTNAME, true, 0, 0},
	{0},
};

static void uplink_del(struct ctl_request *req)
{
	const struct parts *parts = ctl_parts(req);
	const char *netdev = ctl_str(req, "netdev");
	struct err err = {0};

	bool held = hostnet_holds(parts->hostnet, NULL, netdev, &err);
	reply(req, held ? -EBUSY : model_uplink_del(parts->model, netdev, &err), &err);
}

static const struct ctl_arg fdb_flush_args[] = {
	{"bridge", CTL_IFNAME, false, 0, 0},
	{"port", CTL_PORTNAME, false, 0, 0},
	{0},
};

static void fdb_flush(struct ctl_request *req)
{
	struct err err = {0};
	reply(req, sw_fdb_flush(ctl_str(req, "bridge"), ctl_str(req, "port"), &err), &err);
}

const struct ctl_command port_commands[] = {
	{"port-join", CTL_ACT, port_join_args, port_join},
	{"port-leave", CTL_ACT, port_args, port_leave},
	{"port-release", CTL_ACT, port_args, port_release},
	{"uplink-add", CTL_ACT, uplink_add_args, uplink_add},
	{"uplink-del", CTL_ACT, uplink_del_args, uplink_del},
	{"fdb-flush", CTL_ACT, fdb_flush_args, fdb_flush},
	{0},
};
