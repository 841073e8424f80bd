/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands that only look. What they answer is for programs; the tool makes it readable.
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
#include "vswitch/switch/model.h"
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

static bool count_port(const struct sw_port_info *info, void *arg)
{
	(void)info;
	++*(int *)arg;
	return true;
}

static bool count_bridge(const char *name, uint32_t ageing, void *arg)
{
	(void)name;
	(void)ageing;
	++*(int *)arg;
	return true;
}

static void status(struct ctl_request *req)
{
	const struct parts *parts = ctl_parts(req);
	json_t *workers = json_array();
	int ports = 0, bridges = 0;

	sw_worker_each(add_worker, workers);
	sw_port_each(count_port, &ports);
	sw_bridge_each(count_bridge, &bridges);
	ctl_reply_ok(req, json_pack("{s:s, s:i, s:I, s:b, s:b, s:s, s:s, s:s, s:i, s:i, s:o}", "version", XBAR_VERSION,
				    "pid", (int)getpid(), "uptime",
				    (json_int_t)((clock_ms() - parts->daemon->started_ms) / 1000), "hugepages",
				    (int)sw_hugepages(), "stopping", (int)parts->daemon->stopping, "rundir",
				    parts->daemon->rundir, "vhost_dir", parts->daemon->conf->vhost_dir, "log_level",
				    log_level_name(log_get_level()), "bridges", bridges, "ports", ports, "workers",
				    workers));
}

/* ---- show -------------------------------------------------------------------------------------------------------- */

struct show {
	const struct state *state;
	const char *only; /* NULL: all bridges */
	json_t *bridges; /* by name, in the order in which they are shown */
};

static bool show_bridge(const char *name, uint32_t ageing, void *arg)
{
	struct show *show = arg;
	const struct state_bridge *bridge = state_bridge(show->state, name);

	if (show->only && strcmp(show->only, name))
		return true;
	json_array_append_new(show->bridges,
			      json_pack("{s:s, s:i, s:b, s:b, s:o, s:[]}", "name", name, "ageing", (int)ageing, "stp",
					0, "host", bridge && bridge->host, "mac",
					bridge && bridge->host ? mac_json(bridge->host_mac) : json_null(),
					"interfaces"));
	return true;
}

static bool show_port(const struct sw_port_info *info, void *arg)
{
	struct show *show = arg;
	json_t *bridge;
	size_t i;

	/* The host port stands for the bridge itself, as it does in the kernel's. */
	if (!info->bridge || !strcmp(info->bridge, info->name))
		return true;
	json_array_foreach(show->bridges, i, bridge)
	{
		if (!strcmp(json_string_value(json_object_get(bridge, "name")), info->bridge))
			json_array_append_new(json_object_get(bridge, "interfaces"), json_string(info->name));
	}
	return true;
}

static const struct ctl_arg show_args[] = {
	{"bridge", CTL_IFNAME, false, 0, 0},
	{0},
};

static void show(struct ctl_request *req)
{
	const struct model *model = ctl_parts(req)->model;
	struct show all = {.state = model_state(model), .only = ctl_str(req, "bridge")};
	struct err err = {0};

	if (all.only && !model_bridge(model, all.only, &err)) {
		ctl_reply_error(req, "%s", err.text);
		return;
	}
	all.bridges = json_array();
	sw_bridge_each(show_bridge, &all);
	sw_port_each(show_port, &all);
	ctl_reply_ok(req, json_pack("{s:o}", "bridges", all.bridges));
}

/* ---- fdb-show ---------------------------------------------------------------------------------------------------- */

static bool add_mac(const struct sw_mac_info *info, void *arg)
{
	char mac[MAC_TEXT];

	mac_format(info->mac, mac);
	json_array_append_new(arg, json_pack("{s:s, s:s, s:s, s:b, s:i}", "mac", mac, "bridge", info->bridge, "port",
					     info->port, "local", (int)info->local, "age", (int)info->age));
	return true;
}

static void fdb_show(struct ctl_request *req)
{
	const struct parts *parts = ctl_parts(req);
	const char *bridge = ctl_str(req, "bridge");
	struct err err = {0};
	json_t *macs = json_array();

	int r = bridge && !model_bridge(parts->model, bridge, &err) ? -ENOENT : 0;
	if (!r)
		r = sw_mac_each(bridge, add_mac, macs, &err);
	if (r) {
		json_decref(macs);
		ctl_reply_error(req, "%s", err.text);
		return;
	}
	ctl_reply_ok(req, json_pack("{s:o}", "macs", macs));
}

/* ---- stats ------------------------------------------------------------------------------------------------------- */

struct stats {
	const char *only; /* NULL: all ports */
	json_t *ports;
};

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

static bool add_port(const struct sw_port_info *info, void *arg)
{
	const struct vif_counters *sum = &info->sum;
	struct stats *stats = arg;

	if (stats->only && strcmp(stats->only, info->name))
		return true;
	json_t *port = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:b, s:i, s:i, s:i, s:o}", "name", info->name, "kind",
				 info->kind, "bridge", text_json(info->bridge), "detail", text_json(info->detail),
				 "features", text_json(info->features), "quarantine", text_json(info->quarantine),
				 "connected", (int)info->connected, "queues", (int)info->queues, "worker",
				 (int)info->worker, "mtu", (int)info->mtu, "mac", mac_json(info->mac));
	json_object_set_new(port, "rx", direction_json(sum->rx_frames, sum->rx_bytes, sum->rx_gso, sum->rx_max));
	json_object_set_new(port, "tx", direction_json(sum->tx_frames, sum->tx_bytes, sum->tx_gso, sum->tx_max));
	json_object_set_new(port, "software_segments", json_integer(sum->sw_segments));
	json_object_set_new(port, "software_checksums", json_integer(sum->sw_csums));
	json_object_set_new(port, "notifications", json_integer(sum->kicks));
	json_object_set_new(port, "grant_copies", json_integer(sum->grant_copies));
	json_object_set_new(port, "drops", drops_json(sum));
	if (info->counted)
		json_object_set_new(port, "per_queue", queues_json(info));
	json_array_append_new(stats->ports, port);
	return true;
}

static const struct ctl_arg stats_args[] = {
	{"port", CTL_PORTNAME, false, 0, 0},
	{0},
};

static void stats(struct ctl_request *req)
{
	struct stats all = {.only = ctl_str(req, "port"), .ports = json_array()};

	sw_port_each(add_port, &all);
	if (all.only && !json_array_size(all.ports)) {
		ctl_reply_error(req, "there is no port %s; `xbar port list` shows those that there are", all.only);
		json_decref(all.ports);
		return;
	}
	ctl_reply_ok(req, json_pack("{s:o}", "ports", all.ports));
}

/* ---- vif-list ---------------------------------------------------------------------------------------------------- */

static void vif_list(struct ctl_request *req)
{
	const struct state *state = model_state(ctl_parts(req)->model);
	const struct state_vif *vif;
	json_t *vifs = json_array();

	for (vif = TAILQ_FIRST(&state->vifs); vif; vif = TAILQ_NEXT(vif, link)) {
		json_t *row = json_pack(
			"{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:b}", "name", vif->name, "kind",
			vif->xen ? "netif" : "vhost-user", "domid", vif->xen ? json_integer(vif->domid) : json_null(),
			"guest", text_json(vif->guest), "devid",
			vif->devid >= 0 ? json_integer(vif->devid) : json_null(), "bridge", text_json(vif->bridge),
			"ip", text_json(vif->ip), "mac", mac_json(vif->mac), "socket", text_json(vif->socket), "server",
			(int)vif->server, "hotplug", (int)vif->hotplug, "pending", (int)vif->pending);
		json_array_append_new(vifs, row);
	}
	ctl_reply_ok(req, json_pack("{s:o}", "vifs", vifs));
}

const struct ctl_command look_commands[] = {
	{"status", 0, NULL, status},     {"show", 0, show_args, show},    {"fdb-show", 0, show_args, fdb_show},
	{"stats", 0, stats_args, stats}, {"vif-list", 0, NULL, vif_list}, {0},
};
