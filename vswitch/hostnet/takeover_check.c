/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A request, checked against what exists: from the words of a hook script to a record.
 */
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

/* The netdev meant if none is named. One that is taken over is found by the bridge that has its place now. */
static int default_netdev(const struct takeover_env *env, const struct takeover_want *want, char name[IFNAMSIZ],
			  struct err *err)
{
	struct record *rec;

	if (want->bridge && !record_get(env->records, want->bridge, &rec, err)) {
		name_copy(name, IFNAMSIZ, rec->netdev);
		return 0;
	}
	if (want->vifnum >= 0) {
		snprintf(name, IFNAMSIZ, "eth%d", want->vifnum);
		return 0;
	}
	int r = rtnl_default_netdev(env->rtnl, name, err);
	if (!r && !record_get(env->records, name, &rec, err))
		name_copy(name, IFNAMSIZ, rec->netdev);
	return r;
}

/* The kernel's name of the netdev with name or alternative name `name`; if there is none, `name`. */
static void real_name(const struct takeover_env *env, const char *name, char out[IFNAMSIZ])
{
	struct rtnl_link link;
	struct err ignored;

	bool there = !rtnl_link_get(env->rtnl, name, &link, &ignored);
	name_copy(out, IFNAMSIZ, there ? link.name : name);
}

/* Fill rec->netdev, bridge and uplink. */
static int fill_names(const struct takeover_env *env, const struct takeover_want *want, struct record *rec,
		      struct err *err)
{
	int r = 0;

	if (want->netdev)
		real_name(env, want->netdev, rec->netdev);
	else
		r = default_netdev(env, want, rec->netdev, err);
	if (r)
		return r;

	int n = want->vifnum;
	if (n < 0 && !want->bridge) {
		n = numbered(rec->netdev, "eth");
		/* The classic scripts gave dummy0 to xenbr1, which dummy0 alone does not tell. */
		if (n < 0 && is_private(rec->netdev))
			return err_set(err, -EINVAL, "which bridge should %s be behind? Say bridge=NAME or vifnum=N",
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
		return err_set(
			err, -EINVAL,
			"bridge %s cannot have the name of its netdev, unless that is renamed: say rename=yes or "
			"another bridge=NAME",
			rec->bridge);
	return 0;
}

/* ---- addresses --------------------------------------------------------------------------------------------------- */

static int give(const char *address, void *arg, struct err *err)
{
	return rtnl_snap_add_address(arg, address, err);
}

static int give_listed(struct rtnl_snap *snap, const char *list, struct err *err)
{
	char text[64];

	while (list && *list) {
		size_t n = strcspn(list, ", ");
		if (n >= sizeof(text))
			return err_set(err, -EINVAL, "address \"%.60s...\" is too long", list);
		memcpy(text, list, n);
		text[n] = '\0';
		int r = n ? give(text, snap, err) : 0;
		if (r)
			return r;
		list += n + strspn(list + n, ", ");
	}
	return 0;
}

/*
 * The addresses of a private bridge's host port: those that dummyN has; else those that /etc/network/interfaces gives to it
 * or to the bridge, unless address= says which.
 */
static int add_addresses(struct takeover *t, const struct takeover_want *want, struct err *err)
{
	struct record *rec = t->rec;
	const char *const names[] = {rec->netdev, rec->bridge};
	int r = 0;

	bool ask = is_private(rec->netdev) && !rtnl_snap_given(rec->snap) && !want->address;
	for (unsigned i = 0; ask && !r && i < sizeof(names) / sizeof(*names); i++)
		r = ifupdown_addresses(ifupdown_path(), names[i], give, rec->snap, err);
	if (r == -ENOPKG) {
		snprintf(t->note, sizeof(t->note), "%.*s", (int)sizeof(t->note) - 1, err->text);
		r = 0;
	}
	return r ? r : give_listed(rec->snap, want->address, err);
}

/* ---- checks ------------------------------------------------------------------------------------------------------ */

static int check_bridge_name(struct takeover *t, struct err *err)
{
	struct record *rec = t->rec;
	const struct bridge *bridge = sw_bridge(rec->bridge);
	struct rtnl_link link;

	rec->had_bridge = bridge;
	rec->had_host = bridge && bridge->host;
	/* The netdev's own name becomes free when it is renamed. A TAP is one that a crash has left. */
	if (bridge || !strcmp(rec->bridge, rec->netdev) || rtnl_link_get(t->env->rtnl, rec->bridge, &link, err) ||
	    !strcmp(link.kind, "tun"))
		return 0;
	return err_set(err, -EEXIST,
		       "there is a netdev %s already (%s%s), which is not xbard's: delete it (`ip link del %s`) or say "
		       "another "
		       "bridge=NAME",
		       rec->bridge, *link.kind ? "a " : "a network card", link.kind, rec->bridge);
}

/* A VLAN netdev cannot be recreated while it is an uplink itself. */
static int check_children(struct takeover *t, struct err *err)
{
	struct record *other;

	for (unsigned i = 0; i < rtnl_snap_children(t->rec->snap); i++) {
		const char *name = rtnl_snap_child(t->rec->snap, i);
		if (record_find(t->env->records, name, &other, err))
			continue;
		return err_set(err, -EBUSY,
			       "VLAN netdev %s of %s is behind bridge %s; stop that first, and start it after %s: "
			       "`xbar net stop bridge=%s`",
			       name, t->rec->netdev, other->bridge, t->rec->netdev, other->bridge);
	}
	return 0;
}

static int check_link(struct takeover *t, const struct rtnl_link *link, struct err *err)
{
	const struct record *rec = t->rec;

	if (!link->ether)
		return err_set(err, -EINVAL, "netdev %s is not an Ethernet device and cannot be behind a bridge",
			       rec->netdev);
	if (*link->master)
		return err_set(err, -EBUSY,
			       "netdev %s is part of %s: say netdev=%s, or take it out (`ip link set %s nomaster`)",
			       rec->netdev, link->master, link->master, rec->netdev);
	if (!strcmp(link->kind, "bridge"))
		return err_set(
			err, -EINVAL,
			"netdev %s is a bridge of the kernel; name the netdev behind it (`bridge link`) instead, "
			"and delete the bridge",
			rec->netdev);
	if (*rec->uplink && strcmp(rec->uplink, rec->netdev) && rtnl_link_exists(t->env->rtnl, rec->uplink))
		return err_set(err, -EEXIST,
			       "%s cannot be renamed to %s: there is a netdev of that name; say rename=no, or rename "
			       "that",
			       rec->netdev, rec->uplink);
	return 0;
}

/* Check the netdev, and take its snapshot. */
static int check_netdev(struct takeover *t, struct err *err)
{
	struct rtnl *rtnl = t->env->rtnl;
	struct record *rec = t->rec, *other;
	struct rtnl_link link;

	if (!record_find(t->env->records, rec->netdev, &other, err))
		return err_set(err, -EBUSY,
			       "netdev %s is behind bridge %s already; stop that first: `xbar net stop bridge=%s`",
			       rec->netdev, other->bridge, other->bridge);
	if (sw_bridge(rec->netdev))
		return err_set(err, -EINVAL, "%s is itself a bridge of the switch, and cannot be behind one",
			       rec->netdev);
	int r = rtnl_link_get(rtnl, rec->netdev, &link, err);
	if (r == -ENODEV && is_private(rec->netdev)) {
		rec->snap = rtnl_snap_new(rec->bridge);
		return rec->snap ? 0 : err_set(err, -ENOMEM, "no memory for the addresses of %s", rec->bridge);
	}
	if (r)
		return r;
	rec->there = true;
	r = check_link(t, &link, err);
	if (!r)
		r = rtnl_snap_take(rtnl, rec->netdev, &rec->snap, err);
	if (!r)
		r = rtnl_snap_take_children(rtnl, rec->snap, err);
	if (!r)
		r = check_children(t, err);
	return r ? r : rtnl_snap_take_order(rtnl, rec->snap, err);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static int fill_new(struct takeover *t, const struct takeover_want *want, struct err *err)
{
	int r = check_bridge_name(t, err);
	if (!r)
		r = check_netdev(t, err);
	return r ? r : add_addresses(t, want, err);
}

/* `rec` is the bridge's record. Is it of the netdev that is asked for? */
static int adopt_record(struct takeover *t, struct record *rec, const struct takeover_want *want, struct err *err)
{
	const char *netdev = t->rec->netdev;

	if (want->netdev && strcmp(rec->netdev, netdev) && strcmp(rec->uplink, netdev))
		return err_set(err, -EBUSY,
			       "bridge %s has netdev %s behind it, not %s; stop that first: `xbar net stop bridge=%s`",
			       rec->bridge, rec->netdev, netdev, rec->bridge);
	record_free(t->rec);
	t->rec = rec;
	t->again = rec->done;
	t->unfinished = !rec->done;
	return 0;
}

int takeover_open(struct takeover *t, const struct takeover_env *env, const struct takeover_want *want, struct err *err)
{
	struct record *rec;

	*t = (struct takeover){.env = env, .rec = record_new()};
	int r = t->rec ? fill_names(env, want, t->rec, err) : err_nomem(err);
	if (r)
		goto fail;
	r = record_get(env->records, t->rec->bridge, &rec, err);
	if (!r)
		r = adopt_record(t, rec, want, err);
	else if (r == -ENOENT)
		r = fill_new(t, want, err);
	if (!r)
		return 0;
fail:
	takeover_fini(t);
	return r;
}

int takeover_open_record(struct takeover *t, const struct takeover_env *env, const char *bridge, const char *netdev,
			 struct err *err)
{
	char name[IFNAMSIZ];

	*t = (struct takeover){.env = env};
	int r = bridge ? record_get(env->records, bridge, &t->rec, err)
		       : record_find(env->records, netdev, &t->rec, err);
	if (r == -ENOENT && !bridge) {
		real_name(env, netdev, name);
		r = record_find(env->records, name, &t->rec, err);
	}
	if (r)
		t->rec = NULL;
	else
		t->again = t->rec->done;
	return r;
}

void takeover_fini(struct takeover *t)
{
	if (t->rec && !t->rec->kept)
		record_free(t->rec);
	t->rec = NULL;
}
