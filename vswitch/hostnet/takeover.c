/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The steps of a takeover, in the order in which a start applies them. Each looks at what exists before it acts, so that it
 * may find its work done, half done, or undone.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "takeover.h"
#include "vswitch/base/clock.h"
#include "vswitch/base/ethtool.h"
#include "vswitch/base/log.h"
#include "vswitch/base/mac.h"
#include "vswitch/base/names.h"

/* The netdev, under the uplink's name if it has that already. */
static int get_netdev(const struct takeover *t, struct rtnl_link *link, struct err *err)
{
	const struct record *rec = t->rec;
	int r = *rec->uplink ? rtnl_link_get(t->env->rtnl, rec->uplink, link, err) : -ENODEV;

	return r == -ENODEV ? rtnl_link_get(t->env->rtnl, rec->netdev, link, err) : r;
}

static const struct bridge *bridge_of(const struct takeover *t)
{
	return sw_bridge(t->rec->bridge);
}

static bool has_uplink(const struct takeover *t)
{
	return sw_uplink(t->rec->uplink);
}

/* ---- keep -------------------------------------------------------------------------------------------------------- */

static int keep(void *arg, struct err *err)
{
	struct takeover *t = arg;
	return t->again ? 0 : record_save(t->env->records, t->rec, err);
}

/* The last step of giving back: by now the netdev has its own name. */
static int give_back(void *arg, struct err *err)
{
	struct takeover *t = arg;
	struct rtnl *rtnl = t->env->rtnl;
	struct record *rec = t->rec;
	struct rtnl_link netdev;

	if (rec->there) {
		rtnl_snap_drop_added(rec->snap);
		int r = rtnl_link_get(rtnl, rec->netdev, &netdev, err);
		if (!r)
			r = rtnl_unmute_stack(rec->snap, netdev.name, err);
		if (!r)
			r = rtnl_link_set_filter(rtnl, &netdev, rtnl_snap_link(rec->snap)->flags, err);
		if (!r)
			r = rtnl_snap_put(rtnl, rec->snap, netdev.name, true, err);
		if (!r)
			r = rtnl_children_put(rtnl, rec->snap, &netdev, err);
		if (!r)
			r = rtnl_rules_put(rtnl, rec->snap, rec->netdev, rec->bridge, err);
		if (!r)
			r = rtnl_order_put(rtnl, rec->snap, &netdev, err);
		if (r)
			return r;
	}
	return record_remove(t->env->records, rec, err);
}

/* ---- up, rename -------------------------------------------------------------------------------------------------- */

static int up(void *arg, struct err *err)
{
	struct takeover *t = arg;
	struct rtnl_link netdev;

	int r = get_netdev(t, &netdev, err);
	return r ? r : rtnl_link_set_up(t->env->rtnl, &netdev, true, err);
}

static int down(void *arg, struct err *err)
{
	struct takeover *t = arg;
	struct rtnl_link netdev;

	if (rtnl_snap_link(t->rec->snap)->flags & IFF_UP)
		return 0;
	int r = get_netdev(t, &netdev, err);
	return r ? r : rtnl_link_set_up(t->env->rtnl, &netdev, false, err);
}

static int rename_there(void *arg, struct err *err)
{
	struct takeover *t = arg;
	struct rtnl_link netdev;

	int r = get_netdev(t, &netdev, err);
	return r ? r : rtnl_link_rename(t->env->rtnl, &netdev, t->rec->uplink, err);
}

static int rename_back(void *arg, struct err *err)
{
	struct takeover *t = arg;
	struct rtnl_link netdev;

	int r = rtnl_link_get(t->env->rtnl, t->rec->uplink, &netdev, err);
	if (r == -ENODEV)
		return 0;
	return r ? r : rtnl_link_rename(t->env->rtnl, &netdev, t->rec->netdev, err);
}

/* ---- bridge, host-port, uplink ----------------------------------------------------------------------------------- */

static int add_bridge(void *arg, struct err *err)
{
	struct takeover *t = arg;
	struct bridge_conf want = {.ageing = 0};

	if (bridge_of(t))
		return 0;
	name_copy(want.name, sizeof(want.name), t->rec->bridge);
	return sw_bridge_add(&want, err);
}

static int del_bridge(void *arg, struct err *err)
{
	struct takeover *t = arg;

	if (t->rec->had_bridge || !bridge_of(t))
		return 0;
	int r = sw_bridge_del(t->rec->bridge, err);
	if (r != -EBUSY)
		return r;
	log_warn("bridge %s stays, without the host: %s", t->rec->bridge, err->text);
	return 0;
}

static int add_host(void *arg, struct err *err)
{
	struct takeover *t = arg;
	const struct record *rec = t->rec;
	const struct bridge *bridge = bridge_of(t);
	const struct rtnl_link *then = rtnl_snap_link(rec->snap);
	struct rtnl_link host, netdev;

	if (!bridge)
		return err_set(err, -ENOENT, "bridge %s was deleted meanwhile", rec->bridge);
	bool public = *rec->uplink, made = !bridge->host;
	int r = 0;
	if (made)
		r = sw_host_add(rec->bridge, public ? then->mac : NULL, public ? then->mtu : 0, err);
	if (!r)
		r = rtnl_link_get(t->env->rtnl, rec->bridge, &host, err);
	if (!r)
		r = rtnl_link_set_up(t->env->rtnl, &host, true, err);
	if (r || !made || !rec->there)
		return r;
	r = get_netdev(t, &netdev, err);
	if (!r)
		r = rtnl_sysctl_copy(netdev.name, rec->bridge, err);
	/* When adopting, the netdev's present settings are those of rtnl_mute_stack(): the snapshot's count. */
	return r ? r : rtnl_unmute_stack(rec->snap, rec->bridge, err);
}

static int del_host(void *arg, struct err *err)
{
	struct takeover *t = arg;
	const struct bridge *bridge = bridge_of(t);

	if (t->rec->had_host || !bridge || !bridge->host)
		return 0;
	return sw_host_del(t->rec->bridge, err);
}

static int add_uplink(void *arg, struct err *err)
{
	struct takeover *t = arg;
	const struct record *rec = t->rec;
	struct port_conf want = {.kind = PORT_UPLINK, .devid = -1};
	struct rtnl_link netdev;

	int r = get_netdev(t, &netdev, err);
	if (!r)
		r = ethtool_set_rx_coalescing(netdev.name, 0, err);
	if (!r)
		r = rtnl_set_coalescing_below(rec->snap, false, err);
	if (r)
		return r;
	if (has_uplink(t))
		return sw_port_join(rec->uplink, rec->bridge, err);
	name_copy(want.name, sizeof(want.name), rec->uplink);
	name_copy(want.on, sizeof(want.on), rec->bridge);
	return sw_port_add(&want, err);
}

static int del_uplink(void *arg, struct err *err)
{
	struct takeover *t = arg;
	struct rtnl_link netdev;

	int r = has_uplink(t) ? sw_uplink_del(t->rec->uplink, err) : 0;
	if (!r)
		r = get_netdev(t, &netdev, err);
	if (!r)
		r = ethtool_set_rx_coalescing(netdev.name, rtnl_snap_coalescing(t->rec->snap), err);
	return r ? r : rtnl_set_coalescing_below(t->rec->snap, true, err);
}

/* ---- move -------------------------------------------------------------------------------------------------------- */

/* Does the host port already have addresses, other than the link-local ones that the kernel makes? */
static int has_config(struct takeover *t, bool *has, struct err *err)
{
	struct rtnl_snap *now;

	int r = rtnl_snap_take(t->env->rtnl, t->rec->bridge, &now, err);
	if (r)
		return r;
	*has = rtnl_snap_given_addresses(now);
	rtnl_snap_free(now);
	return 0;
}

static int move(void *arg, struct err *err)
{
	struct takeover *t = arg;
	struct rtnl *rtnl = t->env->rtnl;
	const struct record *rec = t->rec;
	struct rtnl_link netdev, host;
	bool adopted = false; /* the host port has kept what it had under another daemon */

	uint64_t start = clock_ns();
	int r = rtnl_link_get(rtnl, rec->bridge, &host, err);
	if (!r && rec->there)
		r = get_netdev(t, &netdev, err);
	if (!r && t->again)
		r = has_config(t, &adopted, err);
	if (!r && rec->there && !t->again)
		r = rtnl_snap_clear(rtnl, rec->snap, &netdev, err);
	if (!r && *rec->uplink)
		r = rtnl_mute_stack(netdev.name, err);
	if (!r && !adopted)
		r = rtnl_snap_put(rtnl, rec->snap, rec->bridge, !t->again && !rec->had_host, err);
	if (!r && rec->there && adopted)
		r = rtnl_nexthops_restore(rtnl, rec->snap, &host, err);
	if (!r && rec->there)
		r = rtnl_rules_put(rtnl, rec->snap, rec->bridge, rec->netdev, err);
	t->moved_us = (long)((clock_ns() - start) / 1000);
	if (!r && rec->there && !adopted)
		r = rtnl_children_put(rtnl, rec->snap, &host, err);
	if (!r && rec->there && !adopted)
		r = rtnl_order_put(rtnl, rec->snap, &host, err);
	return r;
}

/* Save what has changed on the host port since the move, before anything is removed from it. */
static int merge_changes(struct takeover *t, struct err *err)
{
	struct rtnl *rtnl = t->env->rtnl;
	struct record *rec = t->rec;
	struct rtnl_snap *now;

	int r = rtnl_snap_take(rtnl, rec->bridge, &now, err);
	if (r)
		return r;
	if (rec->done && rec->there && !rec->had_host)
		r = rtnl_snap_merge(rec->snap, now, err);
	if (!r && rec->done && rec->there) {
		r = rtnl_snap_take_children(rtnl, now, err);
		if (!r)
			rtnl_snap_adopt_children(rec->snap, now);
		if (!r)
			r = rtnl_snap_trim_order(rtnl, rec->snap, rtnl_snap_link(now), err);
	}
	rtnl_snap_free(now);
	if (r)
		return r;
	bool done = rec->done;
	rec->done = false;
	r = record_save(t->env->records, rec, err);
	if (r)
		rec->done = done;
	return r;
}

static int move_back(void *arg, struct err *err)
{
	struct takeover *t = arg;
	struct rtnl *rtnl = t->env->rtnl;
	struct record *rec = t->rec;
	const struct bridge *bridge = bridge_of(t);
	struct rtnl_link netdev, host;
	int r = 0;

	if (bridge && bridge->host && !rtnl_link_get(rtnl, rec->bridge, &host, err)) {
		r = merge_changes(t, err);
		if (!r)
			r = rtnl_snap_clear(rtnl, rec->snap, &host, err);
	}
	if (r || !rec->there)
		return r;
	/* Not saved: who repeats this from the file removes them from the host port first. */
	rtnl_snap_drop_added(rec->snap);
	r = get_netdev(t, &netdev, err);
	if (!r)
		r = rtnl_unmute_stack(rec->snap, netdev.name, err);
	if (!r)
		r = rtnl_snap_put(rtnl, rec->snap, netdev.name, true, err);
	if (!r)
		r = rtnl_rules_put(rtnl, rec->snap, rec->netdev, rec->bridge, err);
	return r ? r : rtnl_children_put(rtnl, rec->snap, &netdev, err);
}

/* ---- commit ------------------------------------------------------------------------------------------------------ */

static int commit(void *arg, struct err *err)
{
	struct takeover *t = arg;

	if (t->rec->done)
		return 0;
	t->rec->done = true;
	int r = record_save(t->env->records, t->rec, err);
	if (r)
		t->rec->done = false;
	return r;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static void add_host_port_step(struct plan *plan, const struct record *rec)
{
	const struct rtnl_link *link = rtnl_snap_link(rec->snap);
	char mac[MAC_TEXT];

	if (!*rec->uplink) {
		plan_add(plan, PLAN_HOST_PORT, add_host, del_host, "make host port %s", rec->bridge);
		return;
	}
	mac_format(link->mac, mac);
	plan_add(plan, PLAN_HOST_PORT, add_host, del_host, "make host port %s with MAC address %s and MTU %u",
		 rec->bridge, mac, link->mtu);
}

static void add_move_step(struct plan *plan, const struct record *rec)
{
	unsigned addresses = rtnl_snap_addresses(rec->snap), routes = rtnl_snap_routes(rec->snap);
	unsigned vlans = rtnl_snap_children(rec->snap);
	char also[32] = "";

	if (vlans)
		snprintf(also, sizeof(also), ", %u VLAN netdevs", vlans);
	if (rec->there)
		plan_add(plan, PLAN_MOVE, move, move_back, "move %u addresses and %u routes%s from %s to %s", addresses,
			 routes, also, *rec->uplink ? rec->uplink : rec->netdev, rec->bridge);
	else
		plan_add(plan, PLAN_ADDRESS, move, move_back, "give %s %u addresses", rec->bridge, addresses);
}

struct plan *takeover_plan(struct takeover *t)
{
	const struct record *rec = t->rec;
	bool public = *rec->uplink;

	struct plan *plan = plan_new(t);
	if (!plan)
		return NULL;
	plan_add(plan, PLAN_KEEP, keep, give_back, "write down the configuration of %s in %s/%s.json", rec->netdev,
		 t->env->records->dir, rec->bridge);
	if (public)
		plan_add(plan, PLAN_LINK_UP, up, down, "set %s up", rec->netdev);
	if (public && strcmp(rec->uplink, rec->netdev))
		plan_add(plan, PLAN_RENAME, rename_there, rename_back, "rename %s to %s", rec->netdev, rec->uplink);
	plan_add(plan, PLAN_BRIDGE, add_bridge, del_bridge, "make bridge %s", rec->bridge);
	add_host_port_step(plan, rec);
	if (public)
		plan_add(plan, PLAN_UPLINK, add_uplink, del_uplink, "give %s to the switch as the uplink of %s",
			 rec->uplink, rec->bridge);
	add_move_step(plan, rec);
	plan_add(plan, PLAN_COMMIT, commit, NULL, "note that the start of %s is complete", rec->bridge);
	return plan;
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

int takeover_stop(struct takeover *t, struct err *err)
{
	const struct record *rec = t->rec;
	struct rtnl_link netdev;

	if (rec->there && get_netdev(t, &netdev, err))
		return err_set(err, -ENODEV,
			       "netdev %s is gone, so bridge %s keeps the host's addresses; they are recorded in "
			       "%s/%s.json. Stop again when it is back, or remove that file to give them up",
			       rec->netdev, rec->bridge, t->env->records->dir, rec->bridge);
	struct plan *plan = takeover_plan(t);
	if (!plan)
		return err_set(err, -ENOMEM, "no memory for the plan");
	int r = plan_undo(plan, err);
	plan_free(plan);
	if (!r)
		log_info("bridge %s has given back %s", rec->bridge, rec->netdev);
	return r;
}

int takeover_give_back(const struct takeover_env *env, const char *bridge, struct err *err)
{
	struct takeover t;

	int r = takeover_open_record(&t, env, bridge, NULL, err);
	if (r)
		return r;
	r = takeover_stop(&t, err);
	takeover_fini(&t);
	return r;
}
