/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The commands of the network hooks: net-start, net-stop, net-status, net-plan, net-confirm. What they do is hostnet's;
 * here are their arguments and answers.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "vswitch/hostnet/hostnet.h"

#define VIFNUM_MAX 9999
#define ADDRESSES_MAX 1024 /* bytes */
#define WAIT_MAX_S 60
#define CONFIRM_MAX_S 300 /* less than a client waits for its answer */
#define CONFIRM_DEFAULT_S 10

static struct hostnet *hostnet_of(const struct ctl_request *req)
{
	return ctl_parts(req)->hostnet;
}

static json_t *words(const char *list)
{
	json_t *array = json_array();

	while (*list) {
		size_t len = strcspn(list, " ");
		json_array_append_new(array, json_stringn(list, len));
		list += len;
		list += strspn(list, " ");
	}
	return array;
}

static json_t *record_json(const struct record *rec)
{
	json_t *uplink = *rec->uplink ? json_string(rec->uplink) : json_null();

	return json_pack("{s:s, s:s, s:o, s:b, s:b, s:b, s:b, s:o}", "bridge", rec->bridge, "netdev", rec->netdev,
			 "uplink", uplink, "uplink_there", hostnet_uplink_there(rec), "netdev_there", rec->there,
			 "done", rec->done, "unconfirmed", rec->done && rec->confirm, "addresses",
			 record_addresses(rec));
}

/* What a request's words ask for; the strings are the request's. */
static struct takeover_want want_of(const struct ctl_request *req)
{
	return (struct takeover_want){
		.netdev = ctl_str(req, "netdev"),
		.bridge = ctl_str(req, "bridge"),
		.vifnum = (int)ctl_int(req, "vifnum", -1),
		.rename = ctl_has(req, "rename") ? ctl_bool(req, "rename", false) : -1,
		.address = ctl_str(req, "address"),
	};
}

/* Refuse unsupported options rather than ignore them. */
static bool refuse(struct ctl_request *req)
{
	if (!ctl_bool(req, "antispoof", false))
		return false;
	ctl_reply_error(req, "antispoof=yes: this xbard does not check guests' source addresses; say antispoof=no to "
			     "go without");
	return true;
}

/* ---- net-start, net-plan ----------------------------------------------------------------------------------------- */

static void on_started(void *arg, const struct confirm_result *result, const struct err *err)
{
	struct ctl_request *req = arg;

	if (!result) {
		ctl_reply_error(req, "%s", err->text);
		return;
	}
	json_t *json = record_json(result->rec);
	json_object_set_new(json, "already", json_boolean(result->already));
	json_object_set_new(json, "interrupted_us", json_integer(result->interrupted_us));
	json_object_set_new(json, "confirmation", json_string(confirm_how_name(result->how)));
	json_object_set_new(json, "gateways", words(result->rec->gateways));
	json_object_set_new(json, "silent", words(result->silent));
	if (*result->note)
		json_object_set_new(json, "note", json_string(result->note));
	ctl_reply_ok(req, json);
}

static void net_start(struct ctl_request *req)
{
	if (refuse(req))
		return;
	const struct confirm_request request = {
		.want = want_of(req),
		/* A start that is to stop half way cannot be confirmed. */
		.seconds = ctl_has(req, "until") ? 0 : (unsigned)ctl_int(req, "confirm", CONFIRM_DEFAULT_S),
		.wait_s = (unsigned)ctl_int(req, "wait", 0),
		.until = (unsigned)ctl_int(req, "until", 0),
		.done = on_started,
		.arg = req,
	};
	hostnet_start(hostnet_of(req), &request);
}

static json_t *steps_json(struct takeover *t)
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

static void net_plan(struct ctl_request *req)
{
	struct takeover_want want = want_of(req);
	struct takeover t;
	struct err err;

	if (refuse(req))
		return;
	if (hostnet_plan(hostnet_of(req), &want, &t, &err)) {
		ctl_reply_error(req, "%s", err.text);
		return;
	}
	json_t *result = record_json(t.rec);
	json_object_set_new(result, "already", json_boolean(t.again));
	json_object_set_new(result, "steps", steps_json(&t));
	if (*t.note)
		json_object_set_new(result, "note", json_string(t.note));
	takeover_fini(&t);
	ctl_reply_ok(req, result);
}

/* ---- the others -------------------------------------------------------------------------------------------------- */

static void net_stop(struct ctl_request *req)
{
	const char *bridge = ctl_str(req, "bridge"), *netdev = ctl_str(req, "netdev");
	int vifnum = (int)ctl_int(req, "vifnum", -1);
	char name[32];
	struct takeover t;
	struct err err;

	if (!bridge && vifnum >= 0) {
		snprintf(name, sizeof(name), "xenbr%d", vifnum);
		bridge = name;
	}
	int r = hostnet_stop(hostnet_of(req), bridge, netdev, &t, &err);
	if (r == -ENOENT) {
		ctl_reply_ok(req, json_pack("{s:s?, s:s?, s:b}", "bridge", bridge, "netdev", netdev, "stopped", false));
		return;
	}
	if (r) {
		ctl_reply_error(req, "%s", err.text);
		return;
	}
	json_t *result = record_json(t.rec);
	json_object_set_new(result, "stopped", json_true());
	takeover_fini(&t);
	ctl_reply_ok(req, result);
}

static json_t *status_json(const struct hostnet *hostnet, const struct record *rec)
{
	char missing[RECORD_GATEWAYS];

	if (rec->damaged)
		return json_pack("{s:s}", "error", rec->damaged);
	json_t *json = record_json(rec);
	int left = hostnet_left(hostnet, rec->bridge, missing);
	if (left >= 0) {
		json_object_set_new(json, "seconds_left", json_integer(left));
		json_object_set_new(json, "missing", json_string(missing));
	}
	return json;
}

static void net_status(struct ctl_request *req)
{
	const char *bridge = ctl_str(req, "bridge"), *netdev = ctl_str(req, "netdev");
	const struct record *rec;
	json_t *list = json_array();

	TAILQ_FOREACH(rec, hostnet_records(hostnet_of(req)), link)
	if (rec->damaged || ((!bridge || !strcmp(bridge, rec->bridge)) &&
			     (!netdev || !strcmp(netdev, rec->netdev) || !strcmp(netdev, rec->uplink))))
		json_array_append_new(list, status_json(hostnet_of(req), rec));
	ctl_reply_ok(req, list);
}

static void net_confirm(struct ctl_request *req)
{
	const char *bridge = ctl_str(req, "bridge");
	struct err err;

	int r = hostnet_confirm(hostnet_of(req), bridge, &err);
	if (r == -ENOENT)
		ctl_reply_error(req, "%s%s nothing to confirm; `xbar net status` shows the state of each bridge",
				bridge ? "bridge " : "there is", bridge ? bridge : "");
	else if (r)
		ctl_reply_error(req, "%s", err.text);
	else
		ctl_reply_ok(req, NULL);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

/* clang-format off */
#define NAME_ARGS \
	{.name = "netdev", .type = CTL_IFNAME}, \
	{.name = "bridge", .type = CTL_IFNAME}, \
	{.name = "vifnum", .type = CTL_INT, .max = VIFNUM_MAX}
#define PLAN_ARGS \
	NAME_ARGS, \
	{.name = "antispoof", .type = CTL_BOOL}, \
	{.name = "rename", .type = CTL_BOOL}, \
	{.name = "address", .type = CTL_STRING, .min = 1, .max = ADDRESSES_MAX}
/* clang-format on */

static const struct ctl_arg name_args[] = {NAME_ARGS, {0}};
static const struct ctl_arg plan_args[] = {PLAN_ARGS, {0}};
static const struct ctl_arg start_args[] = {
	PLAN_ARGS,
	{.name = "wait", .type = CTL_INT, .max = WAIT_MAX_S}, /* for the netdev to appear */
	{.name = "confirm", .type = CTL_INT, .max = CONFIRM_MAX_S}, /* for gateways to answer; 0: do not ask them */
	{.name = "until",
	 .type = CTL_INT,
	 .max = PLAN_KIND_MAX}, /* steps; the rest is left for the next start or stop */
	{0},
};

static const struct ctl_arg confirm_args[] = {
	{.name = "bridge", .type = CTL_IFNAME},
	{0},
};

const struct ctl_command net_commands[] = {
	{"net-start", CTL_WRITE, start_args, net_start},
	{"net-stop", CTL_WRITE, name_args, net_stop},
	{"net-status", 0, name_args, net_status},
	{"net-plan", 0, plan_args, net_plan},
	{"net-confirm", CTL_WRITE, confirm_args, net_confirm},
	{0},
};
