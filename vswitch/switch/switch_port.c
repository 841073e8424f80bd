/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports: making, joining, leaving, deleting.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "kinds.h"
#include "state.h"
#include "switch_impl.h"
#include "vswitch/base/names.h"

/* How a port is called by its role, and what shows those that there are. */
static const struct {
	const char *noun, *list;
} words[] = {
	[VIF_ROLE_GUEST] = {"vif", "`xbar vif list` shows all vifs"},
	[VIF_ROLE_HOST] = {"host port", "`xbar port list` shows all ports"},
	[VIF_ROLE_UPLINK] = {"uplink", "`xbar port list` shows all ports"},
};
_Static_assert(sizeof(words) / sizeof(words[0]) == VIF_ROLE_MAX, "every role has words");

/* ---- finding ----------------------------------------------------------------------------------------------------- */

const struct ports *sw_ports(void)
{
	return &sw.ports;
}

unsigned sw_port_count(void)
{
	return sw.nports;
}

static struct port *port_get(const char *name)
{
	struct named *named = names_find(&sw.port_names, name);

	return named ? (struct port *)((char *)named - offsetof(struct port, named)) : NULL;
}

const struct port *sw_port(const char *name)
{
	return port_get(name);
}

static struct port *port_of(const char *name, enum vif_role role)
{
	struct port *port = port_get(name);

	return port && port->vif->ops->role == role ? port : NULL;
}

const struct port *sw_vif(const char *name)
{
	return port_of(name, VIF_ROLE_GUEST);
}

const struct port *sw_uplink(const char *name)
{
	return port_of(name, VIF_ROLE_UPLINK);
}

struct port *port_find(const char *name, struct err *err)
{
	struct port *port = port_get(name);

	if (!port)
		err_set(err, -ENOENT, "there is no port %s; `xbar port list` shows all ports", name);
	return port;
}

/* The same for a port of that role. */
static struct port *port_find_of(const char *name, enum vif_role role, struct err *err)
{
	struct port *port = port_of(name, role);

	if (!port)
		err_set(err, -ENOENT, "there is no %s %s; %s", words[role].noun, name, words[role].list);
	return port;
}

struct vif_port *sw_port_driver(const char *name, const struct vif_ops *ops, struct err *err)
{
	const struct port *port = port_find(name, err);

	if (port && port->vif->ops != ops) {
		err_set(err, -EINVAL, "port %s is of the kind %s, not %s", name, port->vif->ops->kind, ops->kind);
		port = NULL;
	}
	return port ? port->vif : NULL;
}

int name_is_free(const char *name, struct err *err)
{
	const struct port *port = sw_port(name);

	if (sw_bridge(name))
		return err_set(err, -EEXIST, "there is a bridge %s already", name);
	if (port)
		return err_set(err, -EEXIST, "there is %s %s %s already",
			       port->vif->ops->role == VIF_ROLE_UPLINK ? "an" : "a", words[port->vif->ops->role].noun,
			       name);
	return 0;
}

/* ---- making and unmaking ----------------------------------------------------------------------------------------- */

static void port_free(struct port *port)
{
	for (unsigned q = 0; q < port->nrxq; q++)
		rxq_free(port->rxq[q]);
	if (port->vif) {
		if (port->vif->ops->unpersist)
			port->vif->ops->unpersist(port->vif);
		port->vif->ops->close(port->vif);
		kind_closed(&port->conf);
	}
	free(port->counters);
	free(port);
}

/* A port with a number and counters; neither a driver nor the workers know of it. */
static int port_new(const struct port_conf *conf, struct port **out, struct err *err)
{
	unsigned id = 0;

	if (conf->queues > VIF_QUEUES_MAX)
		return err_set(err, -EINVAL, "%s: %u queues: choose 1 to %d", conf->name, conf->queues, VIF_QUEUES_MAX);
	if (sw.nports == sw.max_ports)
		return err_set(err, -ENOSPC, "there are %u ports already: delete one first", sw.max_ports);
	while (sw.port[id])
		id++;
	struct port *port = calloc(1, sizeof(*port));
	if (!port)
		return err_set(err, -ENOMEM, "no memory for port %s", conf->name);
	port->counters = aligned_alloc(64, VIF_WORKERS_MAX * sizeof(*port->counters));
	if (!port->counters) {
		free(port);
		return err_set(err, -ENOMEM, "no memory for port %s", conf->name);
	}
	memset(port->counters, 0, VIF_WORKERS_MAX * sizeof(*port->counters));
	port->conf = *conf;
	port->id = id;
	*out = port;
	return 0;
}

/* The driver's port, and a receive queue for each of its queues. */
static int port_open(struct port *port, struct err *err)
{
	unsigned workers = workers_count(), queues = port->conf.queues ? port->conf.queues : 1;
	struct vif_port base = {.id = port->id, .shared = workers > 1, .counters = port->counters};

	memcpy(base.name, port->conf.name, sizeof(base.name));
	for (unsigned q = 0; q < VIF_QUEUES_MAX; q++)
		base.epfd[q] = worker_epfd((port->id + q) % workers);
	int r = kind_open(&port->conf, &base, &port->vif, err);
	if (r) {
		port->vif = NULL;
		return r;
	}
	for (; port->nrxq < queues; port->nrxq++) {
		port->rxq[port->nrxq] = rxq_new(port->vif, port->nrxq);
		if (!port->rxq[port->nrxq])
			return err_set(err, -ENOMEM, "no memory for port %s", port->conf.name);
	}
	return 0;
}

/* A clone of what is published, with `port` on `bridge` (NULL: on none). */
static int conf_with(const struct port *port, const struct bridge *bridge, struct br_conf **out, struct err *err)
{
	struct br_conf *conf = br_conf_clone(sw.conf);
	int r = 0;

	if (!conf)
		return err_nomem(err);
	if (br_conf_bridge_of(conf, port->id) != BR_NONE)
		r = br_conf_leave(conf, port->id);
	if (!r && bridge)
		r = br_conf_join(conf, port->id, bridge->id);
	if (r) {
		br_conf_free(conf);
		return err_set(err, r, "%s: %s", port->conf.name, strerror(-r));
	}
	*out = conf;
	return 0;
}

/* Show the workers `port` on `bridge` (NULL: on none); *without is shown no longer. */
static int show(const struct port *port, const struct bridge *bridge, const struct port *without, struct err *err)
{
	struct br_conf *conf = NULL;
	int r = conf_with(port, bridge, &conf, err);

	if (r)
		return r;
	macs_hide(port);
	r = publish(conf, without, err);
	if (r)
		br_conf_free(conf);
	else
		fdb_flush_port(sw.fdb, port->id);
	macs_show(port); /* on failure, where it was */
	return r;
}

/* In the order in which ports were made: a restored host port, which comes last, has its bridge's. */
static void list(struct port *port)
{
	struct port *before = TAILQ_LAST(&sw.ports, ports);

	while (before && before->conf.order > port->conf.order)
		before = TAILQ_PREV(before, ports, link);
	if (before)
		TAILQ_INSERT_AFTER(&sw.ports, before, port, link);
	else
		TAILQ_INSERT_HEAD(&sw.ports, port, link);
	names_add(&sw.port_names, &port->named, port->conf.name);
	sw.port[port->id] = port;
	sw.nports++;
}

static void unlist(struct port *port)
{
	names_del(&port->named);
	TAILQ_REMOVE(&sw.ports, port, link);
	sw.port[port->id] = NULL;
	sw.nports--;
}

int port_make(const struct port_conf *conf, const struct bridge *on, struct port **out, struct err *err)
{
	struct port *port = NULL;
	int r = port_new(conf, &port, err);

	if (r)
		return r;
	r = port_open(port, err);
	if (r) {
		port_free(port);
		return r;
	}
	name_copy(port->conf.on, sizeof(port->conf.on), on ? on->name : "");
	if (conf->order > sw.order)
		sw.order = conf->order;
	if (!port->conf.order)
		port->conf.order = ++sw.order;
	port->was_up = port->vif->up;
	fdb_flush_port(sw.fdb, port->id); /* the number may have been another's */
	fdb_limit(sw.fdb, port->id, port->vif->ops->role == VIF_ROLE_UPLINK ? FDB_LIMIT_UPLINK : 0);
	fdb_move_limit(sw.fdb, port->id, port_is_vif(port) ? FDB_MOVES : 0);
	if (port->conf.kind == PORT_HOST) {
		port->own.n = 1;
		memcpy(port->own.mac[0], port->conf.mac, 6);
	}
	list(port);
	r = show(port, on, NULL, err);
	if (r) {
		unlist(port);
		port_free(port);
		return r;
	}
	*out = port;
	return 0;
}

int port_unmake(struct port *port, struct err *err)
{
	int r = show(port, NULL, port, err);

	if (r)
		return r;
	fdb_limit(sw.fdb, port->id, 0);
	unlist(port);
	port_free(port);
	return 0;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

int port_save(const struct port *port, struct err *err)
{
	if (port->conf.kind == PORT_HOST)
		return bridge_save(bridge_get(port->conf.name), err);
	return sw.state_dir && !sw.restoring && !port->pending ? state_write_port(sw.state_dir, &port->conf, err) : 0;
}

/* ---- acts -------------------------------------------------------------------------------------------------------- */

static int check_new(const struct port_conf *conf, struct err *err)
{
	const struct port *other;

	int r = name_is_free(conf->name, err);
	if (r || !*conf->socket)
		return r;
	TAILQ_FOREACH(other, &sw.ports, link)
	{
		if (!strcmp(other->conf.socket, conf->socket))
			return err_set(err, -EEXIST, "socket %s is that of vif %s", conf->socket, other->conf.name);
	}
	return 0;
}

int sw_port_add(const struct port_conf *conf, struct err *err)
{
	const struct bridge *on = NULL;
	struct err ignored;
	struct port *port = NULL;

	int r = check_new(conf, err);
	if (r)
		return r;
	if (*conf->on && !(on = bridge_find(conf->on, err)))
		return -ENOENT;
	r = port_make(conf, on, &port, err);
	if (r)
		return r;
	r = port_save(port, err);
	if (r)
		port_unmake(port, &ignored);
	return r;
}

int sw_port_begin(const struct port_conf *conf, struct err *err)
{
	struct port *port = NULL;

	int r = check_new(conf, err);
	if (!r && *conf->bridge && !bridge_find(conf->bridge, err))
		r = -ENOENT;
	if (!r)
		r = port_make(conf, NULL, &port, err);
	if (!r)
		port->pending = true;
	return r;
}

int sw_port_commit(const char *name, struct err *err)
{
	struct port *port = port_find(name, err);

	if (!port)
		return -ENOENT;
	port->pending = false;
	int r = port_save(port, err);
	if (r)
		port->pending = true;
	return r;
}

int port_set_mtu(struct port *port, uint32_t mtu, struct err *err)
{
	const struct vif_ops *ops = port->vif->ops;
	int r = 0;

	if (mtu < 68 || mtu > 65535)
		return err_set(err, -EINVAL, "%s: an MTU is 68 to 65535 bytes, not %u", port->conf.name, mtu);
	if (ops->set_mtu)
		r = ops->set_mtu(port->vif, mtu);
	else
		port->vif->mtu = mtu;
	return r ? err_set(err, r, "%s: the kernel refuses MTU %u: %s", port->conf.name, mtu, strerror(-r)) : 0;
}

int sw_vif_renew(const struct port_conf *conf, struct err *err)
{
	struct port *port = port_find_of(conf->name, VIF_ROLE_GUEST, err);
	struct port_conf renewed = *conf;

	if (!port)
		return -ENOENT;
	if (port->conf.kind != conf->kind || port->conf.domid != conf->domid || port->conf.devid != conf->devid ||
	    port->nrxq < conf->queues)
		return err_set(err, -EEXIST, "vif %s is another guest's", conf->name);
	int r = port_set_mtu(port, conf->mtu ? conf->mtu : 1500, err);
	if (r)
		return r;
	renewed.order = port->conf.order;
	memcpy(renewed.on, port->conf.on, sizeof(renewed.on));
	port->conf = renewed;
	log_unsaved(port_save(port, err), err);
	return 0;
}

static int port_delete(struct port *port, struct err *err)
{
	char name[VIF_NAME_MAX];

	if (!port)
		return -ENOENT;
	bool saved = !port->pending;
	memcpy(name, port->conf.name, sizeof(name));
	int r = port_unmake(port, err);
	if (!r && saved)
		file_remove(name);
	return r;
}

int sw_vif_del(const char *name, struct err *err)
{
	return port_delete(port_find_of(name, VIF_ROLE_GUEST, err), err);
}

int sw_uplink_del(const char *name, struct err *err)
{
	return port_delete(port_find_of(name, VIF_ROLE_UPLINK, err), err);
}

/* A port that may change its bridge; else NULL, and *err says why. */
static struct port *find_movable(const char *name, struct err *err)
{
	struct port *port = port_get(name);

	if (!port)
		err_set(err, -ENOENT,
			"there is no port %s: make one with `xbar vif add %s ...` for a guest, or `xbar uplink add "
			"BRIDGE %s` for a network interface",
			name, name, name);
	else if (port->conf.kind == PORT_HOST)
		err_set(err, -EBUSY,
			"%s is the host port of bridge %s and stays on it; `xbar bridge set %s --host off` takes it "
			"away",
			name, name, name);
	else
		return port;
	return NULL;
}

int sw_port_join(const char *name, const char *bridge_name, struct err *err)
{
	struct port *port = find_movable(name, err);
	const struct bridge *bridge = port ? bridge_find(bridge_name, err) : NULL;
	struct err ignored;

	if (!bridge)
		return port || !sw_port(name) ? -ENOENT : -EBUSY;
	if (!strcmp(port->conf.on, bridge_name))
		return 0;
	if (*port->conf.on)
		return err_set(err, -EBUSY, "port %s is on bridge %s; take it off first: `xbar port leave %s`", name,
			       port->conf.on, name);
	int r = show(port, bridge, NULL, err);
	if (r)
		return r;
	memcpy(port->conf.on, bridge->name, sizeof(port->conf.on));
	r = port_save(port, err);
	if (r) {
		port->conf.on[0] = '\0';
		show(port, NULL, NULL, &ignored);
	}
	return r;
}

int sw_port_leave(const char *name, struct err *err)
{
	struct port *port = find_movable(name, err);

	if (!port)
		return sw_port(name) ? -EBUSY : -ENOENT;
	if (!*port->conf.on)
		return err_set(err, -ENOENT, "port %s is on no bridge", name);
	int r = show(port, NULL, NULL, err);
	if (r)
		return r;
	port->conf.on[0] = '\0';
	log_unsaved(port_save(port, err), err);
	return 0;
}

int sw_port_release(const char *name, struct err *err)
{
	struct port *port = port_find(name, err);

	if (!port)
		return -ENOENT;
	if (!port->vif->quarantine)
		return err_set(err, -EINVAL, "%s is not quarantined", name);
	__atomic_store_n(&port->vif->quarantine, NULL, __ATOMIC_RELEASE);
	if (port->vif->ops->resume)
		port->vif->ops->resume(port->vif);
	return publish(sw.conf, NULL, err); /* wakes the workers: nobody listened to the port's own signals */
}

void sw_port_tag(const char *name, unsigned tag)
{
	struct port *port = port_get(name);

	if (port)
		port->tag = tag;
}
