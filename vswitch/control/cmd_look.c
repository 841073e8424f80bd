/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands that change nothing. What they answer is for programs; the tool makes it readable.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bridge/bridge.h"
#include "commands.h"
#include "vswitch/base/clock.h"
#include "vswitch/base/log.h"
#include "vswitch/base/mac.h"
#include "vswitch/base/version.h"
#include "vswitch/daemon/conf.h"
#include "vswitch/daemon/daemon.h"
#include "vswitch/switch/switch.h"

static json_t *mac_json(const uint8_t mac[6])
{
	char text[MAC_TEXT];

	if (mac_is_zero(mac))
		return json_null();
	mac_format(mac, text);
	return json_string(text);
}

/* JSON null for "" and NULL. */
static json_t *text_json(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

/* ---- status ------------------------------------------------------------------------------------------------------ */

static void add_worker(const struct worker_info *info, void *arg)
{
	json_array_append_new(arg, json_pack("{s:i, s:i, s:I, s:I, s:I, s:I, s:I}", "id", (int)info->id, "cpu",
					     info->cpu, "passes", (json_int_t)info->passes, "busy_passes",
					     (json_int_t)info->busy_passes, "sleeps", (json_int_t)info->sleeps,
					     "cycles_busy", (json_int_t)info->cycles_busy, "cycles_total",
					     (json_int_t)info->cycles_total));
}

static void status(struct ctl_request *req)
{
	const struct daemon *daemon = ctl_parts(req)->daemon;
	json_t *workers = json_array();
	const struct bridge *bridge;
	int bridges = 0;

	sw_worker_each(add_worker, workers);
	TAILQ_FOREACH(bridge, sw_bridges(), link)
	{
		bridges++;
	}
	ctl_reply_ok(req, json_pack("{s:s, s:i, s:I, s:b, s:b, s:s, s:s, s:s, s:i, s:i, s:o}", "version", XBAR_VERSION,
				    "pid", (int)getpid(), "uptime",
				    (json_int_t)((clock_ms() - daemon->started_ms) / 1000), "hugepages",
				    (int)sw_hugepages(), "stopping", (int)daemon->stopping, "rundir", daemon->rundir,
				    "vhost_dir", daemon->conf->vhost_dir, "log_level", log_level_name(log_get_level()),
				    "bridges", bridges, "ports", (int)sw_port_count(), "workers", workers));
}

/* ---- show -------------------------------------------------------------------------------------------------------- */

/* The ports on `bridge` but the host port, which stands for the bridge itself, as it does in the kernel's. */
static json_t *interfaces_json(const struct bridge *bridge)
{
	json_t *names = json_array();
	const struct port *port;

	TAILQ_FOREACH(port, sw_ports(), link)
	{
		if (port != bridge->host && !strcmp(port->conf.on, bridge->name))
			json_array_append_new(names, json_string(port->conf.name));
	}
	return names;
}

static json_t *bridge_json(const struct bridge *bridge)
{
	const struct port *host = bridge->host;

	return json_pack("{s:s, s:i, s:b, s:b, s:o, s:o}", "name", bridge->name, "ageing",
			 (int)(bridge->ageing ? bridge->ageing : sw_default_ageing()), "stp", 0, "host", host != NULL,
			 "mac", host ? mac_json(host->conf.mac) : json_null(), "interfaces", interfaces_json(bridge));
}

static const struct ctl_arg show_args[] = {
	{"bridge", CTL_IFNAME, false, 0, 0},
	{0},
};

static void show(struct ctl_request *req)
{
	const char *only = ctl_str(req, "bridge");
	const struct bridge *bridge;
	struct err err = {0};

	if (only && !sw_bridge_find(only, &err)) {
		ctl_reply(req, -ENOENT, &err);
		return;
	}
	json_t *bridges = json_array();
	TAILQ_FOREACH(bridge, sw_bridges(), link)
	{
		if (!only || !strcmp(bridge->name, only))
			json_array_append_new(bridges, bridge_json(bridge));
	}
	ctl_reply_ok(req, json_pack("{s:o}", "bridges", bridges));
}

/* ---- fdb-show ---------------------------------------------------------------------------------------------------- */

static bool add_mac(const struct sw_mac_info *info, void *arg)
{
	char mac[MAC_TEXT];

	mac_format(info->mac, mac);
	json_array_append_new(arg, json_pack("{s:s, s:s, s:s, s:b, s:b, s:i}", "mac", mac, "bridge", info->bridge,
					     "port", info->port, "local", (int)info->local, "static",
					     (int)info->is_static, "age", (int)info->age));
	return true;
}

static void fdb_show(struct ctl_request *req)
{
	struct err err = {0};
	json_t *macs = json_array();

	int r = sw_mac_each(ctl_str(req, "bridge"), add_mac, macs, &err);
	if (r) {
		json_decref(macs);
		ctl_reply(req, r, &err);
		return;
	}
	ctl_reply_ok(req, json_pack("{s:o}", "macs", macs));
}

/* ---- fdb-stats --------------------------------------------------------------------------------------------------- */

/* How full the table is, what has happened in it, and what it has refused. */
static json_t *mac_table_json(void)
{
	struct sw_fdb_info info;

	sw_fdb_info(&info);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "entries", (json_int_t)info.stats.entries,
			 "size", (json_int_t)info.size, "port_limit", (json_int_t)info.limit, "uplink_limit",
			 (json_int_t)info.limit_uplink, "learned", (json_int_t)info.stats.learned, "moved",
			 (json_int_t)info.stats.moved, "held", (json_int_t)info.stats.held, "aged",
			 (json_int_t)info.stats.aged, "refused", (json_int_t)info.stats.refused);
}

static void fdb_counts(struct ctl_request *req)
{
	ctl_reply_ok(req, json_pack("{s:o}", "mac_table", mac_table_json()));
}

/* ---- stats ------------------------------------------------------------------------------------------------------- */

static json_t *direction_json(uint64_t frames, uint64_t bytes, uint64_t gso, uint64_t longest)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "frames", (json_int_t)frames, "bytes", (json_int_t)bytes, "gso_frames",
			 (json_int_t)gso, "longest", (json_int_t)longest);
}

static json_t *drops_json(const struct vif_counters *sum)
{
	json_t *drops = json_object();

	for (int i = 0; i < VIF_DROP_MAX; i++)
		if (sum->drop[i])
			json_object_set_new(drops, vif_drop_name(i), json_integer(sum->drop[i]));
	for (int i = 0; i < BR_DROP_MAX; i++)
		if (sum->br_drop[i])
			json_object_set_new(drops, br_drop_name(i), json_integer(sum->br_drop[i]));
	return drops;
}

static json_t *queues_json(const struct sw_port_info *info)
{
	json_t *queues = json_array();

	for (unsigned q = 0; q < info->counted; q++)
		json_array_append_new(queues, json_pack("{s:I, s:I}", "rx_frames", (json_int_t)info->queue[q].rx_frames,
							"tx_frames", (json_int_t)info->queue[q].tx_frames));
	return queues;
}

static json_t *port_json(const struct port *port)
{
	struct sw_port_info info;
	const struct vif_counters *sum = &info.sum;

	sw_port_info(port, &info);
	json_t *json = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:b, s:i, s:i, s:i, s:o}", "name", port->conf.name,
				 "kind", port->vif->ops->kind, "bridge", text_json(port->conf.on), "detail",
				 text_json(info.about.detail), "features", text_json(info.about.features), "quarantine",
				 text_json(info.quarantine), "connected", (int)info.about.connected, "queues",
				 (int)info.about.queues, "worker", (int)info.worker, "mtu", (int)info.mtu, "mac",
				 mac_json(port->conf.mac));
	json_object_set_new(json, "rx", direction_json(sum->rx_frames, sum->rx_bytes, sum->rx_gso, sum->rx_max));
	json_object_set_new(json, "tx", direction_json(sum->tx_frames, sum->tx_bytes, sum->tx_gso, sum->tx_max));
	json_object_set_new(json, "software_segments", json_integer(sum->sw_segments));
	json_object_set_new(json, "software_checksums", json_integer(sum->sw_csums));
	json_object_set_new(json, "notifications", json_integer(sum->kicks));
	json_object_set_new(json, "grant_copies", json_integer(sum->grant_copies));
	json_object_set_new(json, "drops", drops_json(sum));
	if (info.counted)
		json_object_set_new(json, "per_queue", queues_json(&info));
	return json;
}

static const struct ctl_arg stats_args[] = {
	{"port", CTL_PORTNAME, false, 0, 0},
	{0},
};

static void stats(struct ctl_request *req)
{
	const char *only = ctl_str(req, "port");
	const struct port *port = only ? sw_port(only) : NULL;

	if (only && !port) {
		ctl_reply_error(req, "there is no port %s; `xbar port list` shows all ports", only);
		return;
	}
	json_t *ports = json_array();
	if (only) {
		json_array_append_new(ports, port_json(port));
		ctl_reply_ok(req, json_pack("{s:o}", "ports", ports));
		return;
	}
	TAILQ_FOREACH(port, sw_ports(), link)
	{
		json_array_append_new(ports, port_json(port));
	}
	ctl_reply_ok(req, json_pack("{s:o, s:o}", "ports", ports, "mac_table", mac_table_json()));
}

/* ---- vif-list ---------------------------------------------------------------------------------------------------- */

static json_t *vif_json(const struct port *port)
{
	const struct port_conf *vif = &port->conf;

	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:b}", "name", vif->name, "kind",
			 port->vif->ops->kind, "domid",
			 vif->kind == PORT_NETIF ? json_integer(vif->domid) : json_null(), "guest",
			 text_json(vif->guest), "devid", vif->devid >= 0 ? json_integer(vif->devid) : json_null(),
			 "bridge", text_json(vif->on), "ip", text_json(vif->ip), "mac", mac_json(vif->mac), "socket",
			 text_json(vif->socket), "server", (int)vif->server, "hotplug", (int)vif->hotplug, "pending",
			 (int)port->pending);
}

static void vif_list(struct ctl_request *req)
{
	const struct port *port;
	json_t *vifs = json_array();

	TAILQ_FOREACH(port, sw_ports(), link)
	{
		if (port_is_vif(port))
			json_array_append_new(vifs, vif_json(port));
	}
	ctl_reply_ok(req, json_pack("{s:o}", "vifs", vifs));
}

const struct ctl_command look_commands[] = {
	{"status", 0, NULL, status},
	{"show", 0, show_args, show},
	{"fdb-show", 0, show_args, fdb_show},
	{"fdb-stats", 0, NULL, fdb_counts},
	{"stats", 0, stats_args, stats},
	{"vif-list", 0, NULL, vif_list},
	{0},
};
