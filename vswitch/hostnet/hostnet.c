/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "follow.h"
#include "hostnet.h"
#include "vswitch/base/log.h"
#include "vswitch/base/names.h"
#include "vswitch/daemon/daemon.h"

struct hostnet {
	const struct daemon *daemon;
	struct takeover_env env;
	struct confirm *confirm;
	struct follow *follow; /* NULL: not begun, or not possible */
};

int hostnet_new(const struct daemon *daemon, struct hostnet **out, struct err *err)
{
	*out = NULL;
	struct hostnet *hostnet = calloc(1, sizeof(*hostnet));
	if (!hostnet)
		return err_nomem(err);
	hostnet->daemon = daemon;
	int r = rtnl_open(&hostnet->env.rtnl, err);
	if (!r)
		r = records_open(daemon->rundir, &hostnet->env.records, err);
	if (!r) {
		hostnet->confirm = confirm_new(daemon, &hostnet->env);
		r = hostnet->confirm ? 0 : err_nomem(err);
	}
	if (r)
		hostnet_free(hostnet);
	else
		*out = hostnet;
	return r;
}

/* What could not be undone since its netdev was gone can now be confirmed, or undone. */
static void on_attached(void *arg)
{
	struct hostnet *hostnet = arg;
	confirm_resume(hostnet->confirm);
}

void hostnet_begin(struct hostnet *hostnet)
{
	const struct record *rec;

	TAILQ_FOREACH(rec, &hostnet->env.records->list, link)
	if (rec->damaged)
		log_error("%s", rec->damaged);
	confirm_resume(hostnet->confirm);
	hostnet->follow = follow_new(hostnet->daemon->base, &hostnet->env, on_attached, hostnet);
}

void hostnet_end(struct hostnet *hostnet, bool keep)
{
	struct record *rec, *next;
	char bridge[IFNAMSIZ];
	struct err err;

	follow_free(hostnet->follow);
	hostnet->follow = NULL;
	confirm_end(hostnet->confirm);
	if (keep)
		return;
	records_refresh(hostnet->env.records);
	for (rec = TAILQ_FIRST(&hostnet->env.records->list); rec; rec = next) {
		next = TAILQ_NEXT(rec, link);
		name_copy(bridge, sizeof(bridge), rec->bridge);
		if (takeover_give_back(&hostnet->env, bridge, &err))
			log_error("bridge %s was not stopped properly: %s", bridge, err.text);
	}
}

void hostnet_free(struct hostnet *hostnet)
{
	if (!hostnet)
		return;
	follow_free(hostnet->follow);
	confirm_free(hostnet->confirm);
	records_close(hostnet->env.records);
	rtnl_close(hostnet->env.rtnl);
	free(hostnet);
}

bool hostnet_holds(struct hostnet *hostnet, const char *bridge, const char *uplink, struct err *err)
{
	struct records *records = hostnet->env.records;
	struct record *rec;

	records_refresh(records);
	int r = bridge ? record_get(records, bridge, &rec, err) : record_find(records, uplink, &rec, err);
	if (r)
		return r != -ENOENT;
	err_set(err, -EBUSY,
		"%s %s holds the host's network in the place of %s; give it back with `network-bridge stop bridge=%s`, "
		"which deletes it too",
		uplink ? "uplink" : "bridge", uplink ? uplink : bridge, rec->netdev, rec->bridge);
	return !uplink || !strcmp(uplink, rec->uplink);
}

/* ---- for the commands -------------------------------------------------------------------------------------------- */

void hostnet_start(struct hostnet *hostnet, const struct confirm_request *request)
{
	confirm_start(hostnet->confirm, request);
}

int hostnet_plan(struct hostnet *hostnet, const struct takeover_want *want, struct takeover *t, struct err *err)
{
	records_refresh(hostnet->env.records);
	return takeover_open(t, &hostnet->env, want, err);
}

/* The only bridge that has taken anything over. -ENOENT, without a sentence: there is none. */
static int only_one(const struct records *records, const char **bridge, struct err *err)
{
	const struct record *rec;

	*bridge = NULL;
	TAILQ_FOREACH(rec, &records->list, link)
	{
		if (rec->damaged)
			continue;
		if (*bridge)
			return err_set(err, -EINVAL,
				       "which one? Say bridge=NAME or netdev=NAME; `xbar net status` lists them");
		*bridge = rec->bridge;
	}
	return *bridge ? 0 : -ENOENT;
}

int hostnet_stop(struct hostnet *hostnet, const char *bridge, const char *netdev, struct takeover *t, struct err *err)
{
	struct records *records = hostnet->env.records;
	int r = 0;

	records_refresh(records);
	if (!bridge && !netdev)
		r = only_one(records, &bridge, err);
	if (!r)
		r = takeover_open_record(t, &hostnet->env, bridge, netdev, err);
	if (r == -ENOENT)
		confirm_cancel(hostnet->confirm, bridge, netdev); /* nothing is changed yet */
	if (r)
		return r;
	const struct record *rec = t->rec;
	if (bridge && netdev && strcmp(netdev, rec->netdev) && strcmp(netdev, rec->uplink)) {
		r = err_set(err, -EINVAL, "bridge %s has netdev %s behind it, not %s", bridge, rec->netdev, netdev);
	} else {
		confirm_cancel(hostnet->confirm, rec->bridge, NULL);
		r = takeover_stop(t, err);
	}
	if (r)
		takeover_fini(t);
	return r;
}

int hostnet_confirm(struct hostnet *hostnet, const char *bridge, struct err *err)
{
	return confirm_accept(hostnet->confirm, bridge, err);
}

int hostnet_left(const struct hostnet *hostnet, const char *bridge, char missing[RECORD_GATEWAYS])
{
	return confirm_left(hostnet->confirm, bridge, missing);
}

const struct record_list *hostnet_records(struct hostnet *hostnet)
{
	records_refresh(hostnet->env.records);
	return &hostnet->env.records->list;
}

bool hostnet_uplink_there(const struct record *rec)
{
	return *rec->uplink && sw_uplink(rec->uplink);
}
