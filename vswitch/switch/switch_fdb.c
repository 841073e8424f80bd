/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MAC addresses: the table's listing and flushing, and static ones, which are the host's own or set by hand. A port's are
 * in the table while it is on a bridge.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "switch_impl.h"
#include "vswitch/base/clock.h"
#include "vswitch/base/log.h"
#include "vswitch/base/mac.h"

#define MOVES_LOGGED 4 /* a second */

/* ---- static addresses -------------------------------------------------------------------------------------------- */

static bool has(const struct port_macs *macs, const uint8_t mac[6])
{
	for (unsigned i = 0; i < macs->n; i++)
		if (!memcmp(macs->mac[i], mac, 6))
			return true;
	return false;
}

static bool take_out(struct port_macs *macs, const uint8_t mac[6])
{
	for (unsigned i = 0; i < macs->n; i++) {
		if (memcmp(macs->mac[i], mac, 6))
			continue;
		memmove(macs->mac[i], macs->mac[i + 1], (macs->n - i - 1) * sizeof(macs->mac[0]));
		macs->n--;
		return true;
	}
	return false;
}

/* The port that has `mac` among its static addresses on bridge `id`, or NULL. */
static const struct port *holder(uint16_t id, const uint8_t mac[6])
{
	const struct port *port;

	TAILQ_FOREACH(port, &sw.ports, link)
	{
		if (br_conf_bridge_of(sw.conf, port->id) == id && (has(&port->own, mac) || has(&port->conf.fixed, mac)))
			return port;
	}
	return NULL;
}

/* Put `mac` of `port`, which is on a bridge, into the table. */
static int fix(const struct port *port, const uint8_t mac[6], struct err *err)
{
	uint16_t id = br_conf_bridge_of(sw.conf, port->id);
	int r = fdb_static_add(sw.fdb, fdb_key(id, mac), port->id, clock_coarse_s());
	char text[MAC_TEXT];

	if (!r)
		return 0;
	mac_format(mac, text);
	if (r == -EEXIST) {
		const struct port *other = holder(id, mac);
		return err_set(err, r, "MAC address %s is that of port %s on bridge %s already", text,
			       other ? other->conf.name : "another", sw.bridge[id]->name);
	}
	if (r == -ENOSPC)
		return err_set(err, r, "MAC address %s: there is no room for another static address there", text);
	return err_set(err, r, "MAC address %s of port %s: %s", text, port->conf.name, strerror(-r));
}

static void fix_all(const struct port *port, const struct port_macs *macs)
{
	struct err err;

	for (unsigned i = 0; i < macs->n; i++)
		if (fix(port, macs->mac[i], &err))
			log_warn("port %s: %s", port->conf.name, err.text);
}

static void unfix_all(const struct port *port, const struct port_macs *macs)
{
	uint16_t id = br_conf_bridge_of(sw.conf, port->id);

	for (unsigned i = 0; i < macs->n; i++) {
		uint64_t key = fdb_key(id, macs->mac[i]);

		if (fdb_lookup(sw.fdb, key, clock_coarse_s()) == port->id)
			fdb_static_del(sw.fdb, key);
	}
}

void macs_show(const struct port *port)
{
	if (br_conf_bridge_of(sw.conf, port->id) == BR_NONE)
		return;
	fix_all(port, &port->own);
	fix_all(port, &port->conf.fixed);
}

void macs_hide(const struct port *port)
{
	if (br_conf_bridge_of(sw.conf, port->id) == BR_NONE)
		return;
	unfix_all(port, &port->own);
	unfix_all(port, &port->conf.fixed);
}

int sw_host_macs(const char *name, const struct port_macs *macs, struct err *err)
{
	struct bridge *bridge = bridge_find(name, err);

	if (!bridge)
		return -ENOENT;
	if (!bridge->host || !macs->n)
		return err_set(err, -ENOENT, "bridge %s has no host port", name);
	struct port *port = sw.port[bridge->host->id];
	bool renamed = memcmp(port->conf.mac, macs->mac[0], 6);

	if (port->own.n == macs->n && !memcmp(port->own.mac, macs->mac, macs->n * sizeof(macs->mac[0])) && !renamed)
		return 0;
	macs_hide(port);
	port->own = *macs;
	memcpy(port->conf.mac, macs->mac[0], 6);
	macs_show(port);
	if (renamed)
		log_unsaved(port_save(port, err), err);
	return 0;
}

int sw_fdb_add(const char *name, const uint8_t mac[6], struct err *err)
{
	struct port *port = port_find(name, err);
	struct port_macs *macs = port ? &port->conf.fixed : NULL;
	int r;

	if (!port)
		return -ENOENT;
	if (has(macs, mac))
		return 0;
	if (macs->n == PORT_MACS_MAX)
		return err_set(err, -ENOSPC, "port %s has %d static MAC addresses already: delete one first", name,
			       PORT_MACS_MAX);
	r = *port->conf.on ? fix(port, mac, err) : 0;
	if (r)
		return r;
	memcpy(macs->mac[macs->n++], mac, 6);
	r = port_save(port, err);
	if (r) {
		macs->n--;
		if (*port->conf.on && !has(&port->own, mac))
			fdb_static_del(sw.fdb, fdb_key(br_conf_bridge_of(sw.conf, port->id), mac));
	}
	return r;
}

int sw_fdb_del(const char *name, const uint8_t mac[6], struct err *err)
{
	struct port *port = port_find(name, err);
	char text[MAC_TEXT];

	if (!port)
		return -ENOENT;
	mac_format(mac, text);
	if (!take_out(&port->conf.fixed, mac))
		return has(&port->own, mac)
			       ? err_set(err, -EBUSY,
					 "MAC address %s is the host's own on %s; `ip link set %s address` changes it",
					 text, name, name)
			       : err_set(err, -ENOENT,
					 "port %s has no static MAC address %s; `xbar fdb show` lists them all", name,
					 text);
	if (*port->conf.on && !has(&port->own, mac))
		fdb_static_del(sw.fdb, fdb_key(br_conf_bridge_of(sw.conf, port->id), mac));
	log_unsaved(port_save(port, err), err);
	return 0;
}

/* ---- moves ------------------------------------------------------------------------------------------------------- */

void macs_log_moves(void)
{
	struct fdb_move moves[64];
	unsigned n = fdb_moves(sw.fdb, moves, 64), more = 0, logged = 0;
	char text[MAC_TEXT];

	for (unsigned i = 0; i < n; i++) {
		const struct port *from = sw.port[moves[i].from], *to = sw.port[moves[i].to];

		/* To and from the world outside, guests move all the time. */
		if (!from || !to || !port_is_vif(from) || !port_is_vif(to) || !sw.bridge[moves[i].bridge])
			continue;
		if (logged++ < MOVES_LOGGED)
			log_warn("bridge %s: MAC address %s moved from vif %s to vif %s: both have sent from it",
				 sw.bridge[moves[i].bridge]->name, mac_format(moves[i].mac, text), from->conf.name,
				 to->conf.name);
		else
			more++;
	}
	if (more)
		log_warn("%u more MAC addresses moved from vif to vif in that second", more);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

struct mac_walk {
	bool (*fn)(const struct sw_mac_info *info, void *arg);
	void *arg;
};

static bool mac_one(const struct fdb_entry *e, void *arg)
{
	const struct mac_walk *walk = arg;
	struct sw_mac_info info = {.is_static = e->is_static, .age = e->age};

	if (e->bridge >= BR_BRIDGE_MAX || !sw.bridge[e->bridge] || e->port >= BR_PORT_MAX || !sw.port[e->port])
		return true;
	memcpy(info.mac, e->mac, 6);
	info.bridge = sw.bridge[e->bridge]->name;
	info.port = sw.port[e->port]->conf.name;
	info.local = e->is_static && has(&sw.port[e->port]->own, e->mac);
	return walk->fn(&info, walk->arg);
}

int sw_mac_each(const char *name, bool (*fn)(const struct sw_mac_info *info, void *arg), void *arg, struct err *err)
{
	const struct bridge *only = name ? bridge_find(name, err) : NULL;
	struct mac_walk walk = {fn, arg};

	if (name && !only)
		return -ENOENT;
	fdb_dump(sw.fdb, only ? only->id : FDB_ALL, clock_coarse_s(), mac_one, &walk);
	return 0;
}

int sw_fdb_flush(const char *bridge_name, const char *name, struct err *err)
{
	const struct bridge *only = bridge_name ? bridge_find(bridge_name, err) : NULL, *bridge;
	const struct port *port = name && (only || !bridge_name) ? port_find(name, err) : NULL;

	if ((bridge_name && !only) || (name && !port))
		return -ENOENT;
	if (port) {
		fdb_flush_port(sw.fdb, port->id);
		return 0;
	}
	TAILQ_FOREACH(bridge, &sw.bridges, link)
	{
		if (!only || bridge == only)
			fdb_flush_bridge(sw.fdb, bridge->id);
	}
	return 0;
}

void sw_fdb_info(struct sw_fdb_info *info)
{
	*info = (struct sw_fdb_info){.size = FDB_ENTRIES, .limit = FDB_LIMIT, .limit_uplink = FDB_LIMIT_UPLINK};
	fdb_stats(sw.fdb, &info->stats);
}
