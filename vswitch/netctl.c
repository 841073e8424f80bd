/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The commands behind the network hooks: net-start, net-stop, net-status, net-plan.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "commands.h"
#include "log.h"
#include "names.h"
#include "takeover.h"
#include "xbard.h"

#define WAIT_MAX_S 60
#define VIFNUM_MAX 9999
#define ADDRESSES_MAX 1024

/* A net-start whose netdev is not there yet: it is tried again when one of that name comes, and when time is up. */
struct waiting {
	struct ctl_request *req;
	struct netcfg_events *events;
	struct event *readable, *timeout;
};

static struct takeover_want want_of(const struct ctl_request *req)
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

static json_t *record_to_json(const struct netrec *rec)
{
	json_t *uplink = *rec->uplink ? json_string(rec->uplink) : json_null();

	return json_pack("{s:s, s:s, s:o, s:b, s:b, s:o}", "bridge", rec->bridge, "netdev", rec->netdev, "uplink",
			 uplink, "netdev_there", rec->there, "done", rec->done, "addresses",
			 netcfg_snap_address_list(rec->snap));
}

/* ---- net-start --------------------------------------------------------------------------------------------------- */

/* Answers, unless the netdev is not there: -ENODEV with *err then, and the request is open. */
static int start(struct ctl_request *req, struct sw_err *err)
{
	struct xbard *xbard = ctl_daemon(req);
	struct takeover_want want = want_of(req);
	struct takeover t;

	int r = takeover_open(&t, xbard->model, xbard->rundir, &want, err);
	if (!r && t.restart) {
		log_warn("a start of bridge %s had not come to its end: it is undone first", t.rec.bridge);
		r = takeover_stop(&t, err);
		takeover_fini(&t);
		if (!r)
			r = takeover_open(&t, xbard->model, xbard->rundir, &want, err);
	}
	if (r == -ENODEV)
		return r;
	if (r) {
		ctl_reply_error(req, "%s", err->text);
		return 0;
	}

	r = takeover_start(&t, ctl_int(req, "until", 0), err);
	if (r) {
		log_error("bridge %s was not started: %s", t.rec.bridge, err->text);
		ctl_reply_error(req, "%s", err->text);
	} else {
		json_t *result = record_to_json(&t.rec);
		json_object_set_new(result, "already", json_boolean(t.again));
		json_object_set_new(result, "interrupted_us", json_integer(t.again ? 0 : t.moved_us));
		if (!t.again)
			log_info("bridge %s has taken over %s%s%s in %.1f ms", t.rec.bridge, t.rec.netdev,
				 *t.rec.uplink ? ", now its uplink " : "", t.rec.uplink, t.moved_us / 1000.0);
		ctl_reply_ok(req, result);
	}
	takeover_fini(&t);
	return 0;
}

static void waiting_free(struct waiting *waiting)
{
	if (waiting->readable)
		event_free(waiting->readable);
	if (waiting->timeout)
		event_free(waiting->timeout);
	netcfg_events_close(waiting->events);
	free(waiting);
}

static void note_new_link(const struct netcfg_event *event, void *arg)
{
	bool *changed = arg;
	*changed |= (event->kind == NETCFG_LINK && !event->gone) || event->kind == NETCFG_LOST;
}

static void on_change(evutil_socket_t fd, short what, void *arg)
{
	struct waiting *waiting = arg;
	struct sw_err err;
	bool changed = false;

	(void)fd;
	(void)what;
	int r = netcfg_events_read(waiting->events, note_new_link, &changed);
	if (r) {
		ctl_reply_error(waiting->req, "cannot follow network changes any more: %s", strerror(-r));
		waiting_free(waiting);
	} else if (changed && start(waiting->req, &err) != -ENODEV) {
		waiting_free(waiting);
	}
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct waiting *waiting = arg;
	struct sw_err err;

	(void)fd;
	(void)what;
	if (start(waiting->req, &err) == -ENODEV)
		ctl_reply_error(waiting->req, "%s (waited %d s)", err.text, (int)ctl_int(waiting->req, "wait", 0));
	waiting_free(waiting);
}

/* The request is answered, or waits. */
static void wait_for_netdev(struct ctl_request *req)
{
	struct xbard *xbard = ctl_daemon(req);
	struct timeval limit = {.tv_sec = ctl_int(req, "wait", 0)};
	struct sw_err err = {.text = "no memory to wait for a netdev"};

	struct waiting *waiting = calloc(1, sizeof(*waiting));
	if (!waiting)
		goto fail;
	waiting->req = req;
	if (netcfg_events_open(&waiting->events, &err))
		goto fail;
	waiting->readable =
		event_new(xbard->base, netcfg_events_fd(waiting->events), EV_READ | EV_PERSIST, on_change, waiting);
	waiting->timeout = evtimer_new(xbard->base, on_timeout, waiting);
	if (!waiting->readable || !waiting->timeout || event_add(waiting->readable, NULL) ||
	    event_add(waiting->timeout, &limit))
		goto fail;
	/* It may have come before we listened. */
	if (start(req, &err) != -ENODEV)
		waiting_free(waiting);
	return;
fail:
	ctl_reply_error(req, "%s", err.text);
	if (waiting)
		waiting_free(waiting);
}

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
	struct sw_err err;

	if (refuse(req) || start(req, &err) != -ENODEV)
		return;
	if (ctl_int(req, "wait", 0))
		wait_for_netdev(req);
	else
		ctl_reply_error(req, "%s", err.text);
}

/* ---- the others -------------------------------------------------------------------------------------------------- */

static void net_plan(struct ctl_request *req)
{
	struct xbard *xbard = ctl_daemon(req);
	struct takeover_want want = want_of(req);
	struct takeover t;
	struct sw_err err;

	if (refuse(req))
		return;
	if (takeover_open(&t, xbard->model, xbard->rundir, &want, &err)) {
		ctl_reply_error(req, "%s", err.text);
		return;
	}
	json_t *result = record_to_json(&t.rec);
	json_object_set_new(result, "already", json_boolean(t.again));
	json_object_set_new(result, "steps", steps_to_json(&t));
	takeover_fini(&t);
	ctl_reply_ok(req, result);
}

static bool note_bridge(struct netrec *rec, const struct sw_err *err, void *arg)
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

	netrec_each(ctl_daemon(req)->rundir, note_bridge, bridges);
	size_t n = json_array_size(bridges);
	if (n == 1)
		name_copy(name, IFNAMSIZ, json_string_value(json_array_get(bridges, 0)));
	json_decref(bridges);
	if (n == 0)
		ctl_reply_ok(req, json_pack("{s:b}", "stopped", 0));
	else if (n > 1)
		ctl_reply_error(req, "which one? Say bridge=NAME or netdev=NAME; `xbar net status` shows them");
	return n == 1;
}

static void net_stop(struct ctl_request *req)
{
	struct xbard *xbard = ctl_daemon(req);
	const char *bridge = ctl_str(req, "bridge"), *netdev = ctl_str(req, "netdev");
	int64_t vifnum = ctl_int(req, "vifnum", -1);
	char name[IFNAMSIZ];
	struct takeover t;
	struct sw_err err;

	if (!bridge && vifnum >= 0)
		snprintf(name, sizeof(name), "xenbr%d", (int)vifnum);
	else if (!bridge && !netdev && !only_one(req, name))
		return;
	if (!bridge && (vifnum >= 0 || !netdev))
		bridge = name;
	int r = takeover_open_record(&t, xbard->model, xbard->rundir, bridge, netdev, &err);
	if (r == -ENOENT) {
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
	r = takeover_stop(&t, &err);
	if (r) {
		log_error("bridge %s was not stopped as it should be: %s", t.rec.bridge, err.text);
		ctl_reply_error(req, "%s", err.text);
	} else {
		log_info("bridge %s has given back %s", t.rec.bridge, t.rec.netdev);
		json_t *result = record_to_json(&t.rec);
		json_object_set_new(result, "stopped", json_true());
		ctl_reply_ok(req, result);
	}
	takeover_fini(&t);
}

struct listing {
	json_t *list;
	const char *bridge, *netdev; /* NULL: any */
};

static bool list_record(struct netrec *rec, const struct sw_err *err, void *arg)
{
	struct listing *listing = arg;

	if (!rec)
		json_array_append_new(listing->list, json_pack("{s:s}", "error", err->text));
	else if ((!listing->bridge || !strcmp(listing->bridge, rec->bridge)) &&
		 (!listing->netdev || !strcmp(listing->netdev, rec->netdev) || !strcmp(listing->netdev, rec->uplink)))
		json_array_append_new(listing->list, record_to_json(rec));
	return true;
}

static void net_status(struct ctl_request *req)
{
	struct listing listing = {json_array(), ctl_str(req, "bridge"), ctl_str(req, "netdev")};

	netrec_each(ctl_daemon(req)->rundir, list_record, &listing);
	ctl_reply_ok(req, listing.list);
}

static const struct ctl_arg start_args[] = {
	{.name = "netdev", .type = CTL_IFNAME},
	{.name = "bridge", .type = CTL_IFNAME},
	{.name = "vifnum", .type = CTL_INT, .max = VIFNUM_MAX},
	{.name = "antispoof", .type = CTL_BOOL},
	{.name = "rename", .type = CTL_BOOL},
	{.name = "address", .type = CTL_STRING, .min = 1, .max = ADDRESSES_MAX},
	{.name = "wait", .type = CTL_INT, .max = WAIT_MAX_S}, /* seconds, for the netdev to come */
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

const struct ctl_command netctl_commands[] = {
	{"net-start", CTL_ACT, start_args, net_start},
	{"net-stop", CTL_ACT, name_args, net_stop},
	{"net-status", 0, name_args, net_status},
	{"net-plan", 0, plan_args, net_plan},
	{0},
};
