/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The commands behind the network hooks: net-start, net-stop, net-status, net-plan, net-confirm.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "confirm.h"
#include "follow.h"
#include "netctl.h"
#include "vswitch/base/log.h"
#include "vswitch/base/names.h"
#include "vswitch/xbard.h"
#include "wait.h"

#define VIFNUM_MAX 9999
#define ADDRESSES_MAX 1024

struct netctl {
	struct xbard *xbard;
	struct confirm *confirm;
	struct follow *watch;
	struct net_wait *wait;
};

struct confirm *netctl_confirm(const struct netctl *netctl)
{
	return netctl->confirm;
}

struct takeover_want netctl_want(const struct ctl_request *req)
{
	struct takeover_want want = {
		.netdev = ctl_str(req, "netdev"),
		.bridge = ctl_str(req, "bridge"),
		.vifnum = ctl_int(req, "vifnum", -1),
		.rename = ctl_has(req, "rename") ? ctl_bool(req, "rename", false) : -1,
		.address = ctl_str(req, "address"),
	};
	return want;
}

static json_t *steps_to_json(struct takeover *t)
{
	struct plan *plan = takeover_plan(t);
	json_t *steps = json_array();
	enum plan_kind kind;
	const char *text;

	for (unsigned i = 0; plan && (text = plan_step(plan, i, &kind)); i++)
		json_array_append_new(steps, json_pack("{s:s, s:s}", "step", plan_kind_name(kind), "text", text));
	plan_free(plan);
	return steps;
}

json_t *netctl_record(const struct xbard *xbard, const struct record *rec)
{
	json_t *uplink = *rec->uplink ? json_string(rec->uplink) : json_null();
	bool there = *rec->uplink && state_uplink(model_state(xbard->model), rec->uplink);

	return json_pack("{s:s, s:s, s:o, s:b, s:b, s:b, s:b, s:o}", "bridge", rec->bridge, "netdev", rec->netdev,
			 "uplink", uplink, "uplink_there", there, "netdev_there", rec->there, "done", rec->done,
			 "unconfirmed", rec->done && rec->confirm, "addresses", rtnl_snap_address_list(rec->snap));
}

/* ---- net-start --------------------------------------------------------------------------------------------------- */

/* What was asked for and cannot be had must not look as if it were. */
static bool refuse(struct ctl_request *req)
{
	if (!ctl_bool(req, "antispoof", false))
		return false;
	ctl_reply_error(req,
			"antispoof=yes: this xbard does not check guests' source addresses; say antispoof=no to go "
			"without");
	return true;
}

static void net_start(struct ctl_request *req)
{
	struct err err;

	if (refuse(req) || confirm_start(ctl_parts(req)->netctl->confirm, req, &err) != -ENODEV)
		return;
	if (ctl_int(req, "wait", 0))
		net_wait_add(ctl_parts(req)->netctl->wait, req);
	else
		ctl_reply_error(req, "%s", err.text);
}

/* ---- the others -------------------------------------------------------------------------------------------------- */

static void net_plan(struct ctl_request *req)
{
	struct xbard *xbard = ctl_parts(req)->netctl->xbard;
	struct takeover_want want = netctl_want(req);
	struct takeover t;
	struct err err;

	if (refuse(req))
		return;
	if (takeover_open(&t, xbard->model, xbard->daemon.rundir, &want, &err)) {
		ctl_reply_error(req, "%s", err.text);
		return;
	}
	json_t *result = netctl_record(xbard, &t.rec);
	json_object_set_new(result, "already", json_boolean(t.again));
	json_object_set_new(result, "steps", steps_to_json(&t));
	takeover_fini(&t);
	ctl_reply_ok(req, result);
}

static bool note_bridge(struct record *rec, const struct err *err, void *arg)
{
	json_t *bridges = arg;

	(void)err;
	if (rec)
		json_array_append_new(bridges, json_string(rec->bridge));
	return true;
}

/* Which one to stop, where nothing says it: the only one. false: answered. */
static bool only_one(struct ctl_request *req, char name[IFNAMSIZ])
{
	json_t *bridges = json_array();

	record_each(ctl_parts(req)->daemon->rundir, note_bridge, bridges);
	size_t n = json_array_size(bridges);
	if (n == 1)
		name_copy(name, IFNAMSIZ, json_string_value(json_array_get(bridges, 0)));
	json_decref(bridges);
	if (n == 0) {
		confirm_cancel(ctl_parts(req)->netctl->confirm, NULL, NULL);
		ctl_reply_ok(req, json_pack("{s:b}", "stopped", 0));
	} else if (n > 1) {
		ctl_reply_error(req, "which one? Say bridge=NAME or netdev=NAME; `xbar net status` shows them");
	}
	return n == 1;
}

static void net_stop(struct ctl_request *req)
{
	struct xbard *xbard = ctl_parts(req)->netctl->xbard;
	const char *bridge = ctl_str(req, "bridge"), *netdev = ctl_str(req, "netdev");
	int64_t vifnum = ctl_int(req, "vifnum", -1);
	char name[IFNAMSIZ];
	struct takeover t;
	struct err err;

	if (!bridge && vifnum >= 0)
		snprintf(name, sizeof(name), "xenbr%d", (int)vifnum);
	else if (!bridge && !netdev && !only_one(req, name))
		return;
	if (!bridge && (vifnum >= 0 || !netdev))
		bridge = name;
	int r = takeover_open_record(&t, xbard->model, xbard->daemon.rundir, bridge, netdev, &err);
	if (r == -ENOENT) {
		confirm_cancel(xbard->netctl->confirm, bridge, netdev); /* nothing is changed yet */
		ctl_reply_ok(req, json_pack("{s:s?, s:s?, s:b}", "bridge", bridge, "netdev", netdev, "stopped", false));
		return;
	}
	if (!r && bridge && netdev && strcmp(netdev, t.rec.netdev) && strcmp(netdev, t.rec.uplink)) {
		ctl_reply_error(req, "bridge %s has netdev %s behind it, not %s", bridge, t.rec.netdev, netdev);
		takeover_fini(&t);
		return;
	}
	if (r) {
		ctl_reply_error(req, "%s", err.text);
		return;
	}
	confirm_cancel(xbard->netctl->confirm, t.rec.bridge, NULL);
	r = takeover_stop(&t, &err);
	if (r) {
		log_error("bridge %s was not stopped as it should be: %s", t.rec.bridge, err.text);
		ctl_reply_error(req, "%s", err.text);
	} else {
		log_info("bridge %s has given back %s", t.rec.bridge, t.rec.netdev);
		json_t *result = netctl_record(xbard, &t.rec);
		json_object_set_new(result, "stopped", json_true());
		ctl_reply_ok(req, result);
	}
	takeover_fini(&t);
}

struct listing {
	const struct xbard *xbard;
	json_t *list;
	const char *bridge, *netdev; /* NULL: any */
};

static json_t *record_with_time(const struct xbard *xbard, const struct record *rec)
{
	char missing[NETREC_GATEWAYS];
	json_t *json = netctl_record(xbard, rec);

	int left = confirm_left(xbard->netctl->confirm, rec->bridge, missing);
	if (left >= 0) {
		json_object_set_new(json, "seconds_left", json_integer(left));
		json_object_set_new(json, "missing", json_string(missing));
	}
	return json;
}

static bool list_record(struct record *rec, const struct err *err, void *arg)
{
	struct listing *listing = arg;

	if (!rec)
		json_array_append_new(listing->list, json_pack("{s:s}", "error", err->text));
	else if ((!listing->bridge || !strcmp(listing->bridge, rec->bridge)) &&
		 (!listing->netdev || !strcmp(listing->netdev, rec->netdev) || !strcmp(listing->netdev, rec->uplink)))
		json_array_append_new(listing->list, record_with_time(listing->xbard, rec));
	return true;
}

static void net_status(struct ctl_request *req)
{
	struct listing listing = {ctl_parts(req)->netctl->xbard, json_array(), ctl_str(req, "bridge"),
				  ctl_str(req, "netdev")};

	record_each(ctl_parts(req)->daemon->rundir, list_record, &listing);
	ctl_reply_ok(req, listing.list);
}

static void net_confirm(struct ctl_request *req)
{
	const char *bridge = ctl_str(req, "bridge");
	struct err err;

	int r = confirm_accept(ctl_parts(req)->netctl->confirm, bridge, &err);
	if (r == -ENOENT)
		ctl_reply_error(req, "%s%s nothing to confirm; `xbar net status` shows what there is",
				bridge ? "bridge " : "there is", bridge ? bridge : "");
	else if (r)
		ctl_reply_error(req, "%s", err.text);
	else
		ctl_reply_ok(req, NULL);
}

static const struct ctl_arg start_args[] = {
	{.name = "netdev", .type = CTL_IFNAME},
	{.name = "bridge", .type = CTL_IFNAME},
	{.name = "vifnum", .type = CTL_INT, .max = VIFNUM_MAX},
	{.name = "antispoof", .type = CTL_BOOL},
	{.name = "rename", .type = CTL_BOOL},
	{.name = "address", .type = CTL_STRING, .min = 1, .max = ADDRESSES_MAX},
	{.name = "wait", .type = CTL_INT, .max = NETWAIT_MAX_S}, /* seconds, for the netdev to come */
	{.name = "confirm",
	 .type = CTL_INT,
	 .max = NETCONFIRM_MAX_S}, /* seconds, for gateways to answer; 0: no matter */
	{.name = "until",
	 .type = CTL_INT,
	 .max = PLAN_KIND_MAX}, /* steps; the rest is left for the next start or stop */
	{0},
};

static const struct ctl_arg plan_args[] = {
	{.name = "netdev", .type = CTL_IFNAME},
	{.name = "bridge", .type = CTL_IFNAME},
	{.name = "vifnum", .type = CTL_INT, .max = VIFNUM_MAX},
	{.name = "antispoof", .type = CTL_BOOL},
	{.name = "rename", .type = CTL_BOOL},
	{.name = "address", .type = CTL_STRING, .min = 1, .max = ADDRESSES_MAX},
	{0},
};

static const struct ctl_arg name_args[] = {
	{.name = "netdev", .type = CTL_IFNAME},
	{.name = "bridge", .type = CTL_IFNAME},
	{.name = "vifnum", .type = CTL_INT, .max = VIFNUM_MAX},
	{0},
};

static const struct ctl_arg confirm_args[] = {
	{.name = "bridge", .type = CTL_IFNAME},
	{0},
};

const struct ctl_command netctl_commands[] = {
	{"net-start", CTL_ACT, start_args, net_start},
	{"net-stop", CTL_ACT, name_args, net_stop},
	{"net-status", 0, name_args, net_status},
	{"net-plan", 0, plan_args, net_plan},
	{"net-confirm", CTL_ACT, confirm_args, net_confirm},
	{0},
};

bool netctl_holds(const struct netctl *netctl, const char *bridge, const char *uplink, struct err *err)
{
	struct record rec;

	const char *rundir = netctl->xbard->daemon.rundir;
	int r = bridge ? record_load(rundir, bridge, &rec, err) : record_find(rundir, uplink, &rec, err);
	if (r)
		return r != -ENOENT;
	bool holds = !uplink || !strcmp(uplink, rec.uplink);
	err_set(err, -EBUSY,
		"%s %s holds the host's network in the place of %s; give it back with `network-bridge stop bridge=%s`, "
		"which takes it away too",
		uplink ? "uplink" : "bridge", uplink ? uplink : bridge, rec.netdev, rec.bridge);
	record_fini(&rec);
	return holds;
}

/* ---- the daemon's life ------------------------------------------------------------------------------------------- */

struct netctl *netctl_new(struct xbard *xbard)
{
	struct netctl *netctl = calloc(1, sizeof(*netctl));
	if (!netctl)
		return NULL;
	netctl->xbard = xbard;
	netctl->wait = net_wait_new(xbard);
	netctl->confirm = confirm_new(xbard);
	if (netctl->confirm && netctl->wait)
		return netctl;
	netctl_free(netctl);
	return NULL;
}

void netctl_begin(struct netctl *netctl)
{
	confirm_resume(netctl->confirm);
	netctl->watch = follow_new(netctl->xbard);
}

static bool give_back(struct record *rec, const struct err *why, void *arg)
{
	struct xbard *xbard = arg;
	struct takeover t;
	struct err err;

	if (!rec) {
		log_error("%s", why->text);
		return true;
	}
	int r = takeover_open_record(&t, xbard->model, xbard->daemon.rundir, rec->bridge, NULL, &err);
	if (!r) {
		r = takeover_stop(&t, &err);
		takeover_fini(&t);
	}
	if (r)
		log_error("bridge %s was not stopped as it should be: %s", rec->bridge, err.text);
	else
		log_info("bridge %s has given back %s", rec->bridge, rec->netdev);
	return true;
}

void netctl_end(struct netctl *netctl, bool keep)
{
	follow_free(netctl->watch);
	netctl->watch = NULL;
	net_wait_end(netctl->wait);
	confirm_end(netctl->confirm);
	if (!keep)
		record_each(netctl->xbard->daemon.rundir, give_back, netctl->xbard);
}

void netctl_free(struct netctl *netctl)
{
	if (!netctl)
		return;
	follow_free(netctl->watch);
	net_wait_free(netctl->wait);
	confirm_free(netctl->confirm);
	free(netctl);
}
