/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands on ports of any kind, on uplinks, and on what ports have taught (the MAC table).
 */
#include <errno.h>

#include "commands.h"
#include "vswitch/base/names.h"
#include "vswitch/daemon/daemon.h"
#include "vswitch/hostnet/hostnet.h"
#include "vswitch/switch/switch.h"

static const struct ctl_arg port_join_args[] = {
	{"port", CTL_PORTNAME, true, 0, 0},
	{"bridge", CTL_IFNAME, true, 0, 0},
	{0},
};

static void port_join(struct ctl_request *req)
{
	struct err err = {0};
	ctl_reply(req, sw_port_join(ctl_str(req, "port"), ctl_str(req, "bridge"), &err), &err);
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
	ctl_reply(req, held ? -EBUSY : sw_port_leave(port, &err), &err);
}

static void port_release(struct ctl_request *req)
{
	struct err err = {0};
	ctl_reply(req, sw_port_release(ctl_str(req, "port"), &err), &err);
}

static const struct ctl_arg uplink_add_args[] = {
	{"bridge", CTL_IFNAME, true, 0, 0},
	{"netdev", CTL_PORTNAME, true, 0, 0}, /* a netdev's name or a PCI address */
	{"driver", CTL_STRING, false, 1, sizeof(((struct port_conf *)0)->driver) - 1},
	{0},
};

static void uplink_add(struct ctl_request *req)
{
	struct port_conf want = {.kind = PORT_UPLINK, .devid = -1};
	struct err err = {0};

	name_copy(want.name, sizeof(want.name), ctl_str(req, "netdev"));
	name_copy(want.on, sizeof(want.on), ctl_str(req, "bridge"));
	name_copy(want.driver, sizeof(want.driver), ctl_str(req, "driver"));
	ctl_reply(req, sw_port_add(&want, &err), &err);
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
	ctl_reply(req, held ? -EBUSY : sw_uplink_del(netdev, &err), &err);
}

static const struct ctl_arg fdb_flush_args[] = {
	{"bridge", CTL_IFNAME, false, 0, 0},
	{"port", CTL_PORTNAME, false, 0, 0},
	{0},
};

static void fdb_flush(struct ctl_request *req)
{
	struct err err = {0};
	ctl_reply(req, sw_fdb_flush(ctl_str(req, "bridge"), ctl_str(req, "port"), &err), &err);
}

static const struct ctl_arg fdb_change_args[] = {
	{"port", CTL_PORTNAME, true, 0, 0},
	{"mac", CTL_MAC, true, 0, 0},
	{0},
};

static void fdb_add(struct ctl_request *req)
{
	struct err err = {0};
	uint8_t mac[6];

	ctl_mac(req, "mac", mac);
	ctl_reply(req, sw_fdb_add(ctl_str(req, "port"), mac, &err), &err);
}

static void fdb_del(struct ctl_request *req)
{
	struct err err = {0};
	uint8_t mac[6];

	ctl_mac(req, "mac", mac);
	ctl_reply(req, sw_fdb_del(ctl_str(req, "port"), mac, &err), &err);
}

const struct ctl_command port_commands[] = {
	{"port-join", CTL_WRITE, port_join_args, port_join},
	{"port-leave", CTL_WRITE, port_args, port_leave},
	{"port-release", CTL_WRITE, port_args, port_release},
	{"uplink-add", CTL_WRITE, uplink_add_args, uplink_add},
	{"uplink-del", CTL_WRITE, uplink_del_args, uplink_del},
	{"fdb-add", CTL_WRITE, fdb_change_args, fdb_add},
	{"fdb-del", CTL_WRITE, fdb_change_args, fdb_del},
	{"fdb-flush", CTL_WRITE, fdb_flush_args, fdb_flush},
	{0},
};
