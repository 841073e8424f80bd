/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bridges and their host ports.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"
#include "switch_impl.h"
#include "vswitch/base/log.h"
#include "vswitch/base/names.h"

/* ---- finding ----------------------------------------------------------------------------------------------------- */

const struct bridges *sw_bridges(void)
{
	return &sw.bridges;
}

struct bridge *bridge_get(const char *name)
{
	struct named *named = names_find(&sw.bridge_names, name);

	return named ? (struct bridge *)((char *)named - offsetof(struct bridge, named)) : NULL;
}

const struct bridge *sw_bridge(const char *name)
{
	return bridge_get(name);
}

struct bridge *bridge_find(const char *name, struct err *err)
{
	struct bridge *bridge = bridge_get(name), *other;
	char known[256] = "";
	size_t len = 0;

	if (bridge)
		return bridge;
	TAILQ_FOREACH(other, &sw.bridges, link)
	{
		len += snprintf(known + len, sizeof(known) - len, "%s%s", len ? ", " : "", other->name);
		if (len >= sizeof(known))
			break;
	}
	err_set(err, -ENOENT, "there is no bridge %s: %s%s; make it with `xbar bridge add %s`", name,
		*known ? "the bridges are " : "there is none yet", known, name);
	return NULL;
}

const struct bridge *sw_bridge_find(const char *name, struct err *err)
{
	return bridge_find(name, err);
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

int bridge_save(const struct bridge *bridge, struct err *err)
{
	struct bridge_conf conf = {.order = bridge->order, .ageing = bridge->ageing, .host = bridge->host};

	if (!sw.state_dir || sw.restoring)
		return 0;
	memcpy(conf.name, bridge->name, sizeof(conf.name));
	if (bridge->host) {
		memcpy(conf.host_mac, bridge->host->conf.mac, sizeof(conf.host_mac));
		conf.host_mtu = bridge->host->conf.mtu;
		conf.host_fixed = bridge->host->conf.fixed;
	}
	return state_write_bridge(sw.state_dir, &conf, err);
}

void file_remove(const char *name)
{
	struct err err;

	if (sw.state_dir && state_remove(sw.state_dir, name, &err))
		log_error("%s; a restart after a crash will bring %s back", err.text, name);
}

void log_unsaved(int r, const struct err *err)
{
	if (r)
		log_error("%s; a restart after a crash will find an older state", err->text);
}

/* ---- host ports -------------------------------------------------------------------------------------------------- */

int bridge_host_up(struct bridge *bridge, const struct bridge_conf *want, struct err *err)
{
	struct port_conf conf = {.kind = PORT_HOST,
				 .devid = -1,
				 .mtu = want->host_mtu,
				 .order = bridge->order,
				 .fixed = want->host_fixed};
	struct port *port = NULL;

	name_copy(conf.name, sizeof(conf.name), bridge->name);
	memcpy(conf.mac, want->host_mac, sizeof(conf.mac));
	int r = port_make(&conf, bridge, &port, err);
	if (!r)
		bridge->host = port;
	return r;
}

static int host_down(struct bridge *bridge, struct err *err)
{
	int r = bridge->host ? port_unmake(sw.port[bridge->host->id], err) : 0;

	if (!r)
		bridge->host = NULL;
	return r;
}

/* The host port of the bridge called `name`; else NULL, and *err says so. */
static struct port *host_find(const char *name, struct err *err)
{
	const struct bridge *bridge = bridge_find(name, err);

	if (bridge && !bridge->host)
		err_set(err, -ENOENT, "bridge %s has no host port; give it one with `xbar bridge set %s --host on`",
			name, name);
	return bridge && bridge->host ? sw.port[bridge->host->id] : NULL;
}

int sw_host_add(const char *name, const uint8_t *mac, uint32_t mtu, struct err *err)
{
	struct bridge *bridge = bridge_find(name, err);
	struct bridge_conf want = {.host_mtu = mtu};
	struct err ignored;

	if (!bridge)
		return -ENOENT;
	if (bridge->host)
		return err_set(err, -EEXIST, "bridge %s has its host port already", name);
	if (mac)
		memcpy(want.host_mac, mac, sizeof(want.host_mac));
	int r = bridge_host_up(bridge, &want, err);
	if (r)
		return r;
	r = bridge_save(bridge, err);
	if (r)
		host_down(bridge, &ignored);
	return r;
}

int sw_host_del(const char *name, struct err *err)
{
	struct bridge *bridge = host_find(name, err) ? bridge_get(name) : NULL;

	if (!bridge)
		return -ENOENT;
	int r = host_down(bridge, err);
	if (r)
		return r;
	log_unsaved(bridge_save(bridge, err), err);
	return 0;
}

int sw_host_mtu(const char *name, uint32_t mtu, struct err *err)
{
	struct port *port = host_find(name, err);

	if (!port)
		return -ENOENT;
	int r = port_set_mtu(port, mtu, err);
	if (r)
		return r;
	port->conf.mtu = mtu;
	log_unsaved(port_save(port, err), err);
	return 0;
}

int sw_host_mac(const char *name, const uint8_t mac[6], struct err *err)
{
	struct port *port = host_find(name, err);

	if (!port)
		return -ENOENT;
	int r = port->vif->ops->set_mac(port->vif, mac);
	if (r)
		return err_set(err, r, "%s: the kernel refuses the MAC address: %s", name, strerror(-r));
	struct port_macs own = port->own;

	memcpy(own.mac[0], mac, sizeof(own.mac[0]));
	return sw_host_macs(name, &own, err);
}

int sw_host_carrier(const char *name, bool carrier, struct err *err)
{
	struct port *port = host_find(name, err);

	if (!port)
		return -ENOENT;
	int r = port->vif->ops->set_carrier(port->vif, carrier);
	return r ? err_set(err, r, "%s: cannot set its carrier: %s", name, strerror(-r)) : 0;
}

/* ---- bridges ----------------------------------------------------------------------------------------------------- */

static int bridge_new(const struct bridge_conf *conf, struct bridge **out, struct err *err)
{
	unsigned id = 0;

	while (id < BR_BRIDGE_MAX && sw.bridge[id])
		id++;
	if (id == BR_BRIDGE_MAX)
		return err_set(err, -ENOSPC, "there are %d bridges already: delete one first", BR_BRIDGE_MAX);
	struct bridge *bridge = calloc(1, sizeof(*bridge));
	if (!bridge)
		return err_set(err, -ENOMEM, "no memory for bridge %s", conf->name);
	memcpy(bridge->name, conf->name, sizeof(bridge->name));
	bridge->ageing = conf->ageing;
	bridge->id = id;
	if (conf->order > sw.order)
		sw.order = conf->order;
	bridge->order = conf->order ? conf->order : ++sw.order;
	sw.bridge[id] = bridge;
	TAILQ_INSERT_TAIL(&sw.bridges, bridge, link);
	names_add(&sw.bridge_names, &bridge->named, bridge->name);
	fdb_ageing_bridge(sw.fdb, id, conf->ageing ? conf->ageing : sw.ageing); /* the number may have been another's */
	*out = bridge;
	return 0;
}

static void bridge_free(struct bridge *bridge)
{
	fdb_flush_bridge(sw.fdb, bridge->id);
	names_del(&bridge->named);
	TAILQ_REMOVE(&sw.bridges, bridge, link);
	sw.bridge[bridge->id] = NULL;
	free(bridge);
}

int sw_bridge_add(const struct bridge_conf *conf, struct err *err)
{
	struct bridge *bridge = NULL;
	struct err ignored;

	int r = name_is_free(conf->name, err);
	if (!r)
		r = bridge_new(conf, &bridge, err);
	if (r)
		return r;
	if (conf->host)
		r = bridge_host_up(bridge, conf, err);
	if (!r)
		r = bridge_save(bridge, err);
	if (r) {
		host_down(bridge, &ignored);
		bridge_free(bridge);
	}
	return r;
}

int sw_bridge_del(const char *name, struct err *err)
{
	struct bridge *bridge = bridge_find(name, err);
	const struct port *port;

	if (!bridge)
		return -ENOENT;
	TAILQ_FOREACH(port, &sw.ports, link)
	{
		if (port != bridge->host && !strcmp(port->conf.on, name))
			return err_set(err, -EBUSY,
				       "bridge %s is in use: port %s is on it; take it off with `xbar port leave %s`",
				       name, port->conf.name, port->conf.name);
	}
	int r = host_down(bridge, err);
	if (r)
		return r;
	file_remove(name);
	bridge_free(bridge);
	return 0;
}

int sw_bridge_ageing(const char *name, uint32_t seconds, struct err *err)
{
	struct bridge *bridge = bridge_find(name, err);

	if (!bridge)
		return -ENOENT;
	bridge->ageing = seconds;
	fdb_ageing_bridge(sw.fdb, bridge->id, seconds);
	log_unsaved(bridge_save(bridge, err), err);
	return 0;
}
