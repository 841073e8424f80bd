/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The steps of taking a netdev over. Each looks at what is there before it acts, so that it may find its work done, or
 * half done, or undone.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "takeover.h"
#include "vswitch/base/ethtool.h"
#include "vswitch/base/log.h"
#include "vswitch/base/mac.h"
#include "vswitch/base/names.h"

/* What the netdev is called now: by its new name once it is renamed. */
static const char *netdev_now(const struct takeover *t)
{
	const struct record *rec = &t->rec;
	return *rec->uplink && rtnl_link_exists(t->nc, rec->uplink) ? rec->uplink : rec->netdev;
}

static const struct state_bridge *bridge_now(const struct takeover *t)
{
	return state_bridge(model_state(t->model), t->rec.bridge);
}

static bool was_up(const struct takeover *t)
{
	return rtnl_snap_link(t->rec.snap)->flags & IFF_UP;
}

/* ---- keep, commit ------------------------------------------------------------------------------------------------ */

static int keep(void *arg, struct err *err)
{
	struct takeover *t = arg;
	return t->again ? 0 : record_save(t->rundir, &t->rec, err);
}

static int give_back(void *arg, struct err *err)
{
	struct takeover *t = arg;

	if (t->rec.there) {
		rtnl_snap_drop_added(t->rec.snap);
		int r = rtnl_unquiet(t->rec.snap, t->rec.netdev, err);
		if (!r)
			r = rtnl_link_filter(t->nc, t->rec.netdev, rtnl_snap_link(t->rec.snap)->flags, err);
		if (!r)
			r = rtnl_snap_put(t->nc, t->rec.snap, t->rec.netdev, true, err);
		if (!r)
			r = rtnl_children_put(t->nc, t->rec.snap, t->rec.netdev, err);
		if (!r)
			r = rtnl_rules_put(t->nc, t->rec.snap, t->rec.netdev, t->rec.bridge, err);
		if (!r)
			r = rtnl_order_put(t->nc, t->rec.snap, t->rec.netdev, err);
		if (r)
			return r;
	}
	return record_remove(t->rundir, &t->rec, err);
}

static int commit(void *arg, struct err *err)
{
	struct takeover *t = arg;

	if (t->rec.done)
		return 0;
	t->rec.done = true;
	return record_save(t->rundir, &t->rec, err);
}

/* ---- the netdev -------------------------------------------------------------------------------------------------- */

static int up(void *arg, struct err *err)
{
	struct takeover *t = arg;
	return rtnl_link_up(t->nc, netdev_now(t), true, err);
}

static int down(void *arg, struct err *err)
{
	struct takeover *t = arg;
	return was_up(t) ? 0 : rtnl_link_up(t->nc, netdev_now(t), false, err);
}

static int rename_there(void *arg, struct err *err)
{
	struct takeover *t = arg;

	if (rtnl_link_exists(t->nc, t->rec.uplink))
		return 0;
	return rtnl_link_rename(t->nc, t->rec.netdev, t->rec.uplink, err);
}

static int rename_back(void *arg, struct err *err)
{
	struct takeover *t = arg;

	if (!rtnl_link_exists(t->nc, t->rec.uplink))
		return 0;
	return rtnl_link_rename(t->nc, t->rec.uplink, t->rec.netdev, err);
}

/* ---- the switch -------------------------------------------------------------------------------------------------- */

static int add_bridge(void *arg, struct err *err)
{
	struct takeover *t = arg;
	struct state_bridge want = {.ageing = 0};

	if (bridge_now(t))
		return 0;
	name_copy(want.name, sizeof(want.name), t->rec.bridge);
	return model_bridge_add(t->model, &want, err);
}

static int del_bridge(void *arg, struct err *err)
{
	struct takeover *t = arg;

	if (t->rec.had_bridge || !bridge_now(t))
		return 0;
	int r = model_bridge_del(t->model, t->rec.bridge, err);
	if (r != -EBUSY)
		return r;
	log_warn("bridge %s stays, without the host: %s", t->rec.bridge, err->text);
	return 0;
}

static int add_host(void *arg, struct err *err)
{
	struct takeover *t = arg;
	const struct state_bridge *bridge = bridge_now(t);
	const struct rtnl_link *link = rtnl_snap_link(t->rec.snap);

	if (!bridge)
		return err_set(err, -ENOENT, "bridge %s was deleted meanwhile", t->rec.bridge);
	bool public = *t->rec.uplink, made = !bridge->host;
	int r = made ? model_host_add(t->model, t->rec.bridge, public ? link->mac : NULL, public ? link->mtu : 0, err)
		     : 0;
	if (!r)
		r = rtnl_link_up(t->nc, t->rec.bridge, true, err);
	if (r || !made || !t->rec.there)
		return r;
	/* On adopting, the netdev's own settings are those of rtnl_quiet(): the snapshot's count. */
	r = rtnl_sysctl_copy(netdev_now(t), t->rec.bridge, err);
	return r ? r : rtnl_unquiet(t->rec.snap, t->rec.bridge, err);
}

static int del_host(void *arg, struct err *err)
{
	struct takeover *t = arg;
	const struct state_bridge *bridge = bridge_now(t);

	if (t->rec.had_host || !bridge || !bridge->host)
		return 0;
	return model_host_del(t->model, t->rec.bridge, err);
}

static int add_uplink(void *arg, struct err *err)
{
	struct takeover *t = arg;
	struct state_uplink want = {.driver = ""};

	int r = ethtool_set_rx_coalescing(netdev_now(t), 0, err);
	if (!r)
		r = rtnl_set_coalescing_below(t->rec.snap, false, err);
	if (r)
		return r;
	if (state_uplink(model_state(t->model), t->rec.uplink))
		return model_port_join(t->model, t->rec.uplink, t->rec.bridge, err);
	name_copy(want.netdev, sizeof(want.netdev), t->rec.uplink);
	name_copy(want.bridge, sizeof(want.bridge), t->rec.bridge);
	return model_uplink_add(t->model, &want, err);
}

static int del_uplink(void *arg, struct err *err)
{
	struct takeover *t = arg;

	int r = 0;
	if (state_uplink(model_state(t->model), t->rec.uplink))
		r = model_uplink_del(t->model, t->rec.uplink, err);
	if (!r)
		r = ethtool_set_rx_coalescing(netdev_now(t), rtnl_snap_coalescing(t->rec.snap), err);
	return r ? r : rtnl_set_coalescing_below(t->rec.snap, true, err);
}

/* ---- the move ---------------------------------------------------------------------------------------------------- */

static long now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

/* Does the host port have addresses of its own (more than the link-local ones that the kernel makes)? */
static int is_furnished(struct takeover *t, bool *furnished, struct err *err)
{
	struct rtnl_snap *now;

	int r = rtnl_snap_take(t->nc, t->rec.bridge, &now, err);
	if (r)
		return r;
	*furnished = false;
	json_t *list = rtnl_snap_address_list(now), *text;
	size_t i;
	json_array_foreach(list, i, text) *furnished |= strncmp(json_string_value(text), "fe80:", 5) != 0;
	json_decref(list);
	rtnl_snap_free(now);
	return 0;
}

static int move(void *arg, struct err *err)
{
	struct takeover *t = arg;
	const struct record *rec = &t->rec;
	bool furnished = false;

	long start = now_us();
	int r = t->again ? is_furnished(t, &furnished, err) : 0;
	if (!r && rec->there && !t->again)
		r = rtnl_snap_clear(t->nc, rec->snap, netdev_now(t), err);
	if (!r && *rec->uplink)
		r = rtnl_quiet(netdev_now(t), err);
	if (!r && !furnished)
		r = rtnl_snap_put(t->nc, rec->snap, rec->bridge, !t->again && !rec->had_host, err);
	if (!r && furnished && rec->there)
		r = rtnl_objects_restore(t->nc, rec->snap, rec->bridge, err);
	if (!r && rec->there)
		r = rtnl_rules_put(t->nc, rec->snap, rec->bridge, rec->netdev, err);
	t->moved_us = now_us() - start;
	if (!r && rec->there && !furnished)
		r = rtnl_children_put(t->nc, rec->snap, rec->bridge, err);
	if (!r && rec->there && !furnished)
		r = rtnl_order_put(t->nc, rec->snap, rec->bridge, err);
	return r;
}

/* What has changed on the host port since it got everything: in the record on disk before anything is taken from it. */
static int merge_changes(struct takeover *t, struct err *err)
{
	struct rtnl_snap *now;

	int r = rtnl_snap_take(t->nc, t->rec.bridge, &now, err);
	if (r)
		return r;
	if (t->rec.done && t->rec.there && !t->rec.had_host)
		r = rtnl_snap_merge(t->rec.snap, now, err);
	if (!r && t->rec.done && t->rec.there) {
		r = rtnl_snap_take_children(t->nc, now, err);
		if (!r)
			rtnl_snap_adopt_children(t->rec.snap, now);
		if (!r)
			r = rtnl_snap_trim_order(t->nc, t->rec.snap, t->rec.bridge, err);
	}
	rtnl_snap_free(now);
	if (r)
		return r;
	t->rec.done = false;
	return record_save(t->rundir, &t->rec, err);
}

static int move_back(void *arg, struct err *err)
{
	struct takeover *t = arg;
	struct record *rec = &t->rec;
	const struct state_bridge *bridge = bridge_now(t);
	int r = 0;

	if (bridge && bridge->host && rtnl_link_exists(t->nc, rec->bridge)) {
		r = merge_changes(t, err);
		if (!r)
			r = rtnl_snap_clear(t->nc, rec->snap, rec->bridge, err);
	}
	if (r || !rec->there)
		return r;
	rtnl_snap_drop_added(rec->snap); /* in memory alone: who repeats this takes them off the host port first */
	r = rtnl_unquiet(rec->snap, netdev_now(t), err);
	if (!r)
		r = rtnl_snap_put(t->nc, rec->snap, netdev_now(t), true, err);
	if (!r)
		r = rtnl_rules_put(t->nc, rec->snap, rec->netdev, rec->bridge, err);
	return r ? r : rtnl_children_put(t->nc, rec->snap, netdev_now(t), err);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

struct plan *takeover_plan(struct takeover *t)
{
	const struct record *rec = &t->rec;
	const struct rtnl_link *link = rtnl_snap_link(rec->snap);
	unsigned addresses = rtnl_snap_addresses(rec->snap), routes = rtnl_snap_routes(rec->snap);
	unsigned vlans = rtnl_snap_children(rec->snap);
	char also[32] = "";

	struct plan *plan = plan_new(t);
	if (!plan)
		return NULL;
	plan_add(plan, PLAN_KEEP, keep, give_back, "write down the configuration of %s in %s/net/%s.json", rec->netdev,
		 t->rundir, rec->bridge);
	if (*rec->uplink)
		plan_add(plan, PLAN_LINK_UP, up, down, "set %s up", rec->netdev);
	if (*rec->uplink && strcmp(rec->uplink, rec->netdev))
		plan_add(plan, PLAN_RENAME, rename_there, rename_back, "rename %s to %s", rec->netdev, rec->uplink);
	plan_add(plan, PLAN_BRIDGE, add_bridge, del_bridge, "make bridge %s", rec->bridge);
	if (*rec->uplink) {
		char mac[MAC_TEXT];
		mac_format(link->mac, mac);
		plan_add(plan, PLAN_HOST_PORT, add_host, del_host, "make host port %s with MAC address %s and MTU %u",
			 rec->bridge, mac, link->mtu);
		plan_add(plan, PLAN_UPLINK, add_uplink, del_uplink, "give %s to the switch as the uplink of %s",
			 rec->uplink, rec->bridge);
	} else {
		plan_add(plan, PLAN_HOST_PORT, add_host, del_host, "make host port %s", rec->bridge);
	}
	if (vlans)
		snprintf(also, sizeof(also), ", %u VLAN netdevs", vlans);
	if (rec->there)
		plan_add(plan, PLAN_MOVE, move, move_back, "move %u addresses and %u routes%s from %s to %s", addresses,
			 routes, also, *rec->uplink ? rec->uplink : rec->netdev, rec->bridge);
	else
		plan_add(plan, PLAN_ADDRESS, move, move_back, "give %s %u addresses", rec->bridge, addresses);
	plan_add(plan, PLAN_COMMIT, commit, NULL, "note that %s is done", rec->bridge);
	return plan;
}

int takeover_stop(struct takeover *t, struct err *err)
{
	if (t->rec.there && !rtnl_link_exists(t->nc, netdev_now(t)))
		return err_set(err, -ENODEV,
			       "netdev %s is gone, so bridge %s keeps the host's addresses; they are written down in "
			       "%s/net/%s.json. Stop again when it is back, or remove that file to give it up",
			       t->rec.netdev, t->rec.bridge, t->rundir, t->rec.bridge);
	struct plan *plan = takeover_plan(t);
	if (!plan)
		return err_set(err, -ENOMEM, "no memory for the plan");
	int r = plan_undo(plan, err);
	plan_free(plan);
	return r;
}

int takeover_start(struct takeover *t, unsigned until, struct err *err)
{
	struct plan *plan = takeover_plan(t);
	if (!plan)
		return err_set(err, -ENOMEM, "no memory for the plan");
	int r = plan_apply(plan, until, err);
	plan_free(plan);
	return r;
}
