/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is asked for, checked against what is there: from the words of a hook script to a record.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ifupdown.h"
#include "takeover.h"
#include "vswitch/base/names.h"

/* Is `name` `stem` and a number, as "eth0" is? Then that number, else -1. */
static int numbered(const char *name, const char *stem)
{
	size_t n = strlen(stem), digits = strspn(name + strnlen(name, n), "0123456789");

	if (strncmp(name, stem, n) || !digits || digits > 5 || name[n + digits])
		return -1;
	return atoi(name + n);
}

static bool is_private(const char *netdev)
{
	return numbered(netdev, "dummy") >= 0;
}

/* The netdev meant where none was named. One that was taken over is found by the bridge that has its place now. */
static int default_netdev(struct takeover *t, const struct takeover_want *want, struct err *err)
{
	struct record other;
	struct err ignored;

	if (want->bridge && !record_load(t->rundir, want->bridge, &other, &ignored)) {
		memcpy(t->rec.netdev, other.netdev, sizeof(t->rec.netdev));
		record_fini(&other);
		return 0;
	}
	if (want->vifnum >= 0) {
		snprintf(t->rec.netdev, sizeof(t->rec.netdev), "eth%d", want->vifnum);
		return 0;
	}
	int r = rtnl_default_netdev(t->nc, t->rec.netdev, err);
	if (!r && !record_load(t->rundir, t->rec.netdev, &other, &ignored)) {
		memcpy(t->rec.netdev, other.netdev, sizeof(t->rec.netdev));
		record_fini(&other);
	}
	return r;
}

/* What the kernel calls netdev `name`, which may be an alternative name; one that is not there keeps its name. */
static void real_name(struct takeover *t, const char *name, char out[IFNAMSIZ])
{
	struct rtnl_link link;
	struct err ignored;

	bool there = !rtnl_link_get(t->nc, name, &link, &ignored);
	name_copy(out, IFNAMSIZ, there ? link.name : name);
}

static int names(struct takeover *t, const struct takeover_want *want, struct err *err)
{
	struct record *rec = &t->rec;

	int r = 0;
	if (want->netdev)
		real_name(t, want->netdev, rec->netdev);
	else
		r = default_netdev(t, want, err);
	if (r)
		return r;

	int n = want->vifnum;
	if (n < 0 && !want->bridge) {
		n = numbered(rec->netdev, "eth");
		/* The classic scripts gave dummy0 to xenbr1; without a number there is nothing to go by. */
		if (n < 0 && is_private(rec->netdev))
			return err_set(err, -EINVAL, "which bridge is %s to be behind? Say bridge=NAME or vifnum=N",
				       rec->netdev);
		n = n < 0 ? 0 : n;
	}
	if (want->bridge)
		name_copy(rec->bridge, sizeof(rec->bridge), want->bridge);
	else
		snprintf(rec->bridge, sizeof(rec->bridge), "xenbr%d", n);

	if (is_private(rec->netdev))
		return 0;
	bool rename = want->rename < 0 ? numbered(rec->netdev, "eth") >= 0 : want->rename;
	if (snprintf(rec->uplink, sizeof(rec->uplink), "%s%s", rename ? "p" : "", rec->netdev) >=
	    (int)sizeof(rec->uplink))
		return err_set(err, -ENAMETOOLONG,
			       "netdev %s cannot be renamed to p%s: that is longer than 15 characters; say rename=no",
			       rec->netdev, rec->netdev);
	if (!rename && !strcmp(rec->netdev, rec->bridge))
		return err_set(err, -EINVAL,
			       "bridge %s cannot be called like its netdev, unless that is renamed: say rename=yes or "
			       "another bridge=NAME",
			       rec->bridge);
	return 0;
}

/* ---- addresses --------------------------------------------------------------------------------------------------- */

struct giving {
	struct rtnl_snap *snap;
	struct err *err;
};

static int give(const char *address, void *arg)
{
	struct giving *giving = arg;
	return rtnl_snap_add_address(giving->snap, address, giving->err);
}

static int give_listed(struct giving *giving, const char *list)
{
	char text[64];

	while (list && *list) {
		size_t n = strcspn(list, ", ");
		if (n >= sizeof(text))
			return err_set(giving->err, -EINVAL, "address \"%.60s...\" is too long", list);
		memcpy(text, list, n);
		text[n] = '\0';
		int r = n ? give(text, giving) : 0;
		if (r)
			return r;
		list += n + strspn(list + n, ", ");
	}
	return 0;
}

/*
 * The addresses of a private bridge's host port: those that dummyN was given; else those written down for it or for the
 * bridge, unless address= says which.
 */
static int private_addresses(struct takeover *t, const struct takeover_want *want, struct err *err)
{
	struct record *rec = &t->rec;
	struct giving giving = {.snap = rec->snap, .err = err};
	int r = 0;

	if (!rtnl_snap_given(rec->snap) && !want->address) {
		r = ifupdown_addresses(ifupdown_path(), rec->netdev, give, &giving, err);
		if (!r)
			r = ifupdown_addresses(ifupdown_path(), rec->bridge, give, &giving, err);
	}
	return r ? r : give_listed(&giving, want->address);
}

/* ---- what is there ----------------------------------------------------------------------------------------------- */

static int check_bridge_name(struct takeover *t, struct err *err)
{
	struct record *rec = &t->rec;
	const struct state_bridge *bridge = state_bridge(model_state(t->model), rec->bridge);
	struct rtnl_link link;
	struct err ignored;

	rec->had_bridge = bridge;
	rec->had_host = bridge && bridge->host;
	/* The netdev's own name becomes free when that is renamed; a TAP is one that a crash has left. */
	if (bridge || !strcmp(rec->bridge, rec->netdev) || rtnl_link_get(t->nc, rec->bridge, &link, &ignored) ||
	    !strcmp(link.kind, "tun"))
		return 0;
	return err_set(
		err, -EEXIST,
		"there is a netdev %s already (%s%s), which is not xbard's: take it away (`ip link del %s`) or say "
		"another bridge=NAME",
		rec->bridge, *link.kind ? "a " : "a network card", link.kind, rec->bridge);
}

/* A VLAN netdev cannot be made anew while it is an uplink itself. */
static int check_children(struct takeover *t, struct err *err)
{
	struct record other;
	struct err ignored;

	for (unsigned i = 0; i < rtnl_snap_children(t->rec.snap); i++) {
		const char *name = rtnl_snap_child(t->rec.snap, i);
		if (record_find(t->rundir, name, &other, &ignored))
			continue;
		int r = err_set(err, -EBUSY,
				"VLAN netdev %s of %s is behind bridge %s; stop that first, and start it after %s: "
				"`xbar net stop bridge=%s`",
				name, t->rec.netdev, other.bridge, t->rec.netdev, other.bridge);
		record_fini(&other);
		return r;
	}
	return 0;
}

static int check_netdev(struct takeover *t, struct err *err)
{
	struct record *rec = &t->rec, other;
	struct err ignored;

	if (!record_find(t->rundir, rec->netdev, &other, &ignored)) {
		int r = err_set(err, -EBUSY,
				"netdev %s is behind bridge %s already; stop that first: `xbar net stop "
				"bridge=%s`",
				rec->netdev, other.bridge, other.bridge);
		record_fini(&other);
		return r;
	}
	if (state_bridge(model_state(t->model), rec->netdev))
		return err_set(err, -EINVAL, "%s is itself a bridge of the switch, and cannot be behind one",
			       rec->netdev);

	struct rtnl_link link;
	int r = rtnl_link_get(t->nc, rec->netdev, &link, err);
	if (r == -ENODEV && is_private(rec->netdev)) {
		rec->snap = rtnl_snap_new(rec->bridge);
		return rec->snap ? 0 : err_set(err, -ENOMEM, "no memory for the addresses of %s", rec->bridge);
	}
	if (r)
		return r;
	rec->there = true;
	if (!link.ether)
		return err_set(err, -EINVAL, "netdev %s is no Ethernet and cannot be behind a bridge", rec->netdev);
	if (*link.master)
		return err_set(err, -EBUSY,
			       "netdev %s is part of %s: say netdev=%s, or take it out (`ip link set %s nomaster`)",
			       rec->netdev, link.master, link.master, rec->netdev);
	if (!strcmp(link.kind, "bridge"))
		return err_set(
			err, -EINVAL,
			"netdev %s is a bridge of the kernel; give the netdev behind it (`bridge link`) and delete it",
			rec->netdev);
	if (*rec->uplink && strcmp(rec->uplink, rec->netdev) && rtnl_link_exists(t->nc, rec->uplink))
		return err_set(
			err, -EEXIST,
			"%s cannot be renamed to %s: there is a netdev of that name; say rename=no, or rename that",
			rec->netdev, rec->uplink);
	r = rtnl_snap_take(t->nc, rec->netdev, &rec->snap, err);
	if (!r)
		r = rtnl_snap_take_children(t->nc, rec->snap, err);
	if (!r)
		r = check_children(t, err);
	return r ? r : rtnl_snap_take_order(t->nc, rec->snap, err);
}

/* A record is there. Is it of what is asked for? */
static int check_record(struct takeover *t, const struct record *asked, const struct takeover_want *want,
			struct err *err)
{
	const struct record *rec = &t->rec;

	if (want->netdev && strcmp(rec->netdev, asked->netdev) && strcmp(rec->uplink, asked->netdev))
		return err_set(err, -EBUSY,
			       "bridge %s has netdev %s behind it, not %s; stop that first: `xbar net stop bridge=%s`",
			       rec->bridge, rec->netdev, asked->netdev, rec->bridge);
	t->again = rec->done;
	t->restart = !rec->done;
	return 0;
}

static int fill(struct takeover *t, const struct takeover_want *want, struct err *err)
{
	struct record asked;

	int r = names(t, want, err);
	if (r)
		return r;
	asked = t->rec;
	r = record_load(t->rundir, asked.bridge, &t->rec, err);
	if (!r)
		return check_record(t, &asked, want, err);
	if (r != -ENOENT)
		return r;
	t->rec = asked;
	r = check_bridge_name(t, err);
	if (!r)
		r = check_netdev(t, err);
	if (r)
		return r;
	if (is_private(t->rec.netdev))
		return private_addresses(t, want, err);
	struct giving giving = {.snap = t->rec.snap, .err = err};
	return give_listed(&giving, want->address);
}

int takeover_open(struct takeover *t, struct model *model, const char *rundir, const struct takeover_want *want,
		  struct err *err)
{
	*t = (struct takeover){.model = model, .rundir = rundir};
	int r = rtnl_open(&t->nc, err);
	if (!r)
		r = fill(t, want, err);
	if (r)
		takeover_fini(t);
	return r;
}

int takeover_open_record(struct takeover *t, struct model *model, const char *rundir, const char *bridge,
			 const char *netdev, struct err *err)
{
	char name[IFNAMSIZ];

	*t = (struct takeover){.model = model, .rundir = rundir};
	int r = rtnl_open(&t->nc, err);
	if (!r)
		r = bridge ? record_load(rundir, bridge, &t->rec, err) : record_find(rundir, netdev, &t->rec, err);
	if (r == -ENOENT && !bridge) {
		real_name(t, netdev, name);
		r = record_find(rundir, name, &t->rec, err);
	}
	if (r)
		takeover_fini(t);
	return r;
}

void takeover_fini(struct takeover *t)
{
	record_fini(&t->rec);
	rtnl_close(t->nc);
	t->nc = NULL;
}
