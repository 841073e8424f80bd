/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands that make a guest's vif and delete it. With "hotplug" the vif-script puts it on its bridge, and the answer waits
 * for the script: see hooks/hooks.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "commands.h"
#include "vswitch/base/log.h"
#include "vswitch/base/mac.h"
#include "vswitch/base/names.h"
#include "vswitch/daemon/conf.h"
#include "vswitch/daemon/daemon.h"
#include "vswitch/hooks/hooks.h"
#include "vswitch/switch/switch.h"

#define TEXT_MAX(member) (sizeof(((struct port_conf *)0)->member) - 1)

static const struct ctl_arg vif_add_args[] = {
	{"name", CTL_PORTNAME, true, 0, 0},
	{"guest", CTL_STRING, false, 1, TEXT_MAX(guest)},
	{"devid", CTL_INT, false, 0, 65535},
	{"bridge", CTL_IFNAME, true, 0, 0},
	{"ip", CTL_STRING, false, 0, TEXT_MAX(ip)},
	{"mac", CTL_MAC, false, 0, 0}, /* made up, in Xen's range, unless given */
	{"mtu", CTL_INT, false, 68, 65535},
	{"rate_bytes_per_interval", CTL_INT, false, 0, INT64_MAX},
	{"rate_interval_usecs", CTL_INT, false, 0, UINT32_MAX},
	{"vlan", CTL_STRING, false, 0, 255},
	{"trusted", CTL_BOOL, false, 0, 0},
	{"script", CTL_STRING, false, 1, TEXT_MAX(script)},
	{"queues", CTL_INT, false, 1, VIF_QUEUES_MAX},
	{"server", CTL_BOOL, false, 0, 0}, /* xbard listens; else it connects to whoever listens */
	{"socket", CTL_PATH, false, 0, 0}, /* VHOST_DIR/NAME.sock unless given */
	{"socket_owner", CTL_STRING, false, 1, ID_TEXT_MAX}, /* of the socket that xbard listens on: unless given, */
	{"socket_group", CTL_STRING, false, 1, ID_TEXT_MAX}, /* these are vhost_owner, vhost_group and vhost_mode */
	{"socket_mode", CTL_STRING, false, 1, 4}, /* octal */
	{"hotplug", CTL_BOOL, false, 0, 0},
	{"no_offload", CTL_BOOL, false, 0, 0},
	{0},
};

/* A vif-add or vif-del whose script is running. */
struct pending {
	struct ctl_request *req;
	char name[VIF_NAME_MAX];
};

static json_t *describe(const struct port_conf *vif)
{
	char mac[MAC_TEXT];

	mac_format(vif->mac, mac);
	return json_pack("{s:s, s:s, s:s}", "name", vif->name, "socket", vif->socket, "mac", mac);
}

static struct pending *pending_new(struct ctl_request *req, const char *name)
{
	struct pending *pending = calloc(1, sizeof(*pending));
	if (!pending)
		return NULL;
	pending->req = req;
	name_copy(pending->name, sizeof(pending->name), name);
	return pending;
}

/* Whether `path` is below one of the directories in `dirs` (colons between), without a step back up. */
static bool is_below(const char *path, const char *dirs)
{
	if (strstr(path, "/../"))
		return false;
	while (*dirs) {
		size_t len = strcspn(dirs, ":");
		if (len && !strncmp(path, dirs, len) && path[len] == '/')
			return true;
		dirs += len + (dirs[len] == ':');
	}
	return false;
}

/*
 * The daemon is root: a member of the group that could name any script, or any path for a socket, would be root too.
 */
static int check_paths(const struct ctl_request *req, const struct port_conf *vif, struct err *err)
{
	const struct conf *conf = ctl_parts(req)->daemon->conf;

	if (ctl_from_root(req))
		return 0;
	if (strchr(vif->script, '/') && !is_below(vif->script, conf->script_dir))
		return err_set(err, -EPERM, "vif-add: \"script\": only root may name one outside script_dir");
	if (!is_below(vif->socket, conf->vhost_dir))
		return err_set(err, -EPERM, "vif-add: \"socket\": only root may name one outside vhost_dir");
	return 0;
}

/* Whose the socket is to be. That the names exist is checked when it is made. */
static int read_access(const struct ctl_request *req, struct port_conf *vif, struct err *err)
{
	const struct conf *conf = ctl_parts(req)->daemon->conf;
	const char *owner = ctl_str(req, "socket_owner"), *group = ctl_str(req, "socket_group");
	const char *mode = ctl_str(req, "socket_mode");
	mode_t bits;
	struct err why;

	if (!vif->server && (owner || group || mode))
		return err_set(err, -EINVAL,
			       "vif-add: \"socket_owner\", \"socket_group\" and \"socket_mode\" are for a socket that "
			       "xbard listens on (\"server\"); this one is made by the guest's hypervisor");
	if (!vif->server)
		return 0;
	name_copy(vif->socket_owner, sizeof(vif->socket_owner), owner ? owner : conf->vhost_owner);
	name_copy(vif->socket_group, sizeof(vif->socket_group), group ? group : conf->vhost_group);
	if (mode_parse(mode ? mode : conf->vhost_mode, &bits, &why))
		return err_set(err, -EINVAL, "vif-add: \"socket_mode\": %s", why.text);
	vif->socket_mode = bits;
	return 0;
}

static bool make_mac(uint8_t mac[6])
{
	static const uint8_t xen_oui[3] = {0x00, 0x16, 0x3e};

	memcpy(mac, xen_oui, 3);
	if (getrandom(mac + 3, 3, 0) != 3)
		return false;
	mac[3] &= 0x7f; /* as libxl makes them */
	return true;
}

/* Fill *vif from the request. */
static int read_vif(const struct ctl_request *req, struct port_conf *vif, struct err *err)
{
	const struct conf *conf = ctl_parts(req)->daemon->conf;

	name_copy(vif->name, sizeof(vif->name), ctl_str(req, "name"));
	name_copy(vif->guest, sizeof(vif->guest), ctl_str(req, "guest"));
	name_copy(vif->bridge, sizeof(vif->bridge), ctl_str(req, "bridge"));
	name_copy(vif->on, sizeof(vif->on), ctl_str(req, "bridge"));
	name_copy(vif->ip, sizeof(vif->ip), ctl_str(req, "ip"));
	name_copy(vif->script, sizeof(vif->script), ctl_str(req, "script"));
	vif->devid = ctl_int(req, "devid", -1);
	vif->mtu = ctl_int(req, "mtu", 0);
	vif->rate_bytes_per_interval = ctl_int(req, "rate_bytes_per_interval", 0);
	vif->rate_interval_usecs = ctl_int(req, "rate_interval_usecs", 0);
	vif->trusted = ctl_bool(req, "trusted", true);
	vif->queues = ctl_int(req, "queues", 1);
	vif->server = ctl_bool(req, "server", false);
	vif->hotplug = ctl_bool(req, "hotplug", false);
	vif->no_offload = ctl_bool(req, "no_offload", false);

	const char *vlan = ctl_str(req, "vlan");
	if (vlan && *vlan)
		return err_set(
			err, -EOPNOTSUPP,
			"vif-add: \"vlan\": this switch has no VLANs yet, and the guest would sit on the untagged "
			"network instead: leave vlan= out of its cfg");
	if (!ctl_mac(req, "mac", vif->mac) && !make_mac(vif->mac))
		return err_set(err, -EIO, "vif-add: \"mac\": cannot make one up; give one");

	const char *socket = ctl_str(req, "socket");
	if (socket)
		name_copy(vif->socket, sizeof(vif->socket), socket);
	else if ((size_t)snprintf(vif->socket, sizeof(vif->socket), "%s/%s.sock", conf->vhost_dir, vif->name) >=
		 sizeof(vif->socket))
		return err_set(
			err, -ENAMETOOLONG,
			"vif-add: \"socket\": vhost_dir (xbar.conf) and the vif's name make too long a path; give "
			"one");
	int r = read_access(req, vif, err);
	return r ? r : check_paths(req, vif, err);
}

static void undo_add(const char *name)
{
	struct err err = {0};

	if (sw_vif(name) && sw_vif_del(name, &err))
		log_error("%s", err.text);
}

static void on_online(void *arg, const char *why)
{
	struct pending *pending = arg;
	const struct port *port = sw_vif(pending->name);
	struct err err = {0};

	if (!why && !port)
		why = "it was deleted while its script ran";
	else if (!why && !*port->conf.on)
		why = "its script ended without an error, but did not put it on a bridge; it should call `xbar port "
		      "join $vif $bridge`";
	else if (!why && sw_port_commit(pending->name, &err))
		why = err.text;
	if (why) {
		undo_add(pending->name);
		ctl_reply_error(pending->req, "vif %s: %s", pending->name, why);
	} else {
		log_info("vif %s is on bridge %s", port->conf.name, port->conf.on);
		ctl_reply_ok(pending->req, describe(&port->conf));
	}
	free(pending);
}

static void vif_add(struct ctl_request *req)
{
	const struct parts *parts = ctl_parts(req);
	struct port_conf want = {.kind = PORT_VHOST};
	struct err err = {0};

	int r = parts->daemon->stopping ? err_set(&err, -ESHUTDOWN, "vif-add: the daemon is stopping")
					: read_vif(req, &want, &err);
	if (!r)
		r = want.hotplug ? sw_port_begin(&want, &err) : sw_port_add(&want, &err);
	if (r) {
		ctl_reply(req, r, &err);
		return;
	}
	if (want.rate_bytes_per_interval)
		log_warn("vif %s: rate= is noted, but not enforced yet", want.name);
	if (!want.hotplug) {
		log_info("vif %s is on bridge %s", want.name, want.on);
		ctl_reply_ok(req, describe(&want));
		return;
	}

	struct pending *pending = pending_new(req, want.name);
	if (!pending) {
		undo_add(want.name);
		ctl_reply_error(req, "no memory for vif %s", want.name);
		return;
	}
	hooks_vif(parts->hooks, &want, true, on_online, pending);
}

static const struct ctl_arg vif_del_args[] = {
	{"name", CTL_PORTNAME, true, 0, 0},
	{0},
};

static void on_offline(void *arg, const char *why)
{
	struct pending *pending = arg;
	struct err err = {0};

	if (why)
		log_warn("vif %s: offline: %s", pending->name, why);
	ctl_reply(pending->req, sw_vif_del(pending->name, &err), &err);
	free(pending);
}

static void vif_del(struct ctl_request *req)
{
	const char *name = ctl_str(req, "name");
	const struct port *port = sw_vif(name);

	if (port && port->pending) {
		ctl_reply_error(req, "vif %s: its script is still running; try again when it has ended", name);
		return;
	}
	if (port && port->conf.kind == PORT_NETIF) {
		ctl_reply_error(
			req,
			"vif %s is a Xen guest's and goes with it: `xl network-detach %u %d` takes it away, `xbar "
			"port leave %s` only off its bridge",
			name, port->conf.domid, port->conf.devid, name);
		return;
	}
	struct pending *pending = pending_new(req, name);
	if (!pending) {
		ctl_reply_error(req, "no memory");
		return;
	}
	if (port && port->conf.hotplug)
		hooks_vif(ctl_parts(req)->hooks, &port->conf, false, on_offline, pending);
	else
		on_offline(pending, NULL);
}

const struct ctl_command vif_commands[] = {
	{"vif-add", CTL_WRITE, vif_add_args, vif_add},
	{"vif-del", CTL_WRITE, vif_del_args, vif_del},
	{0},
};
