/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The registry behind switch.h. Every change is made on clones of what the workers see (the conf and the view), which
 * are published and waited for; then what they replaced is freed.
 */
#include "switch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/bridge.h"
#include "vif/ethdev.h"
#include "vif/netif/netif.h"
#include "vif/tap.h"
#include "vif/vhost/vhost.h"
#include "vswitch/base/clock.h"
#include "vswitch/base/log.h"
#include "vswitch/datapath/eal.h"

/* MAC addresses: of all, of a guest, and of what is beyond an uplink, which is many */
#define FDB_ENTRIES 262144
#define FDB_LIMIT 2048
#define FDB_LIMIT_UPLINK 65536

struct port {
	struct vif_port *vif;
	uint16_t id;
	unsigned nrxq;
	struct rxq *rxq[VIF_QUEUES_MAX];
	struct vif_counters *counters;
	uint8_t mac[6];
	uint32_t domid; /* a netif port's */
	char features[128]; /* likewise, as negotiated */
	bool was_up;
	const char *was_quarantined;
};

static struct {
	struct fdb *fdb;
	struct br_conf *conf;
	char *bridge[BR_BRIDGE_MAX]; /* name, or NULL */
	uint32_t ageing; /* of new bridges, seconds */
	uint32_t bridge_ageing[BR_BRIDGE_MAX];
	struct port *port[BR_PORT_MAX];
} sw;

static int bridge_find(const char *name)
{
	for (int i = 0; i < BR_BRIDGE_MAX; i++)
		if (sw.bridge[i] && !strcmp(sw.bridge[i], name))
			return i;
	return -1;
}

static struct port *port_find(const char *name)
{
	for (int i = 0; i < BR_PORT_MAX; i++)
		if (sw.port[i] && !strcmp(sw.port[i]->vif->name, name))
			return sw.port[i];
	return NULL;
}

static int no_bridge(const char *name, struct err *err)
{
	return err_set(err, -ENOENT, "there is no bridge %s: make it with `xbar bridge add %s`", name, name);
}

static int no_port(const char *name, struct err *err)
{
	return err_set(err, -ENOENT, "there is no port %s: `xbar port list` shows those that there are", name);
}

/* ---- publishing -------------------------------------------------------------------------------------------------- */

static void view_free(struct dp_conf *view)
{
	if (!view)
		return;
	for (unsigned w = 0; w < VIF_WORKERS_MAX; w++)
		free(view->worker[w].rxq);
	free(view);
}

/* What the workers should see from now on: `conf` (taken over on success), and the ports less `without`. */
static int publish(struct br_conf *conf, const struct port *without, struct err *err)
{
	struct dp_conf *view = calloc(1, sizeof(*view));
	unsigned workers = workers_count();

	if (!view)
		return err_set(err, -ENOMEM, "no memory");
	view->conf = conf;
	view->fdb = sw.fdb;
	for (unsigned w = 0; w < workers; w++) {
		view->worker[w].rxq = calloc((size_t)BR_PORT_MAX, sizeof(struct rxq *));
		if (!view->worker[w].rxq) {
			view_free(view);
			return err_set(err, -ENOMEM, "no memory");
		}
	}
	for (unsigned i = 0; i < BR_PORT_MAX; i++) {
		struct port *p = sw.port[i];

		if (!p || p == without)
			continue;
		view->port[i] = p->vif;
		for (unsigned q = 0; q < p->nrxq; q++) {
			unsigned w = (i + q) % workers;

			if (view->worker[w].n == BR_PORT_MAX)
				continue;
			view->worker[w].rxq[view->worker[w].n++] = p->rxq[q];
			if (!strcmp(p->vif->ops->kind, "uplink") && ethdev_needs_poll(p->vif))
				view->worker[w].needs_poll = true;
		}
	}
	view_free(worker_publish(view));
	if (sw.conf != conf)
		br_conf_free(sw.conf);
	sw.conf = conf;
	return 0;
}

/* ---- whole ------------------------------------------------------------------------------------------------------- */

int sw_init(const struct sw_opts *opts, struct err *err)
{
	struct fdb_opts fdb = {.ageing = opts->ageing, .entries = FDB_ENTRIES, .limit = FDB_LIMIT};
	int e = eal_open(opts->no_huge, err);

	if (e)
		return e;
	sw.ageing = opts->ageing ? opts->ageing : 300;
	sw.fdb = fdb_new(&fdb);
	sw.conf = br_conf_new();
	if (!sw.fdb || !sw.conf) {
		e = err_set(err, -ENOMEM, "no memory for the MAC table");
		goto close;
	}
	vhost_catch_sigbus();
	e = workers_start(opts->workers ? opts->workers : 1, opts->first_cpu, opts->poll_us, err);
	if (e)
		goto close;
	e = publish(sw.conf, NULL, err);
	if (!e)
		return 0;
	workers_stop();
close:
	br_conf_free(sw.conf);
	fdb_free(sw.fdb);
	eal_close();
	return e;
}

void sw_fini(void)
{
	struct err err;

	for (int i = 0; i < BR_PORT_MAX; i++)
		if (sw.port[i])
			sw_port_del(sw.port[i]->vif->name, &err);
	workers_stop();
	for (int i = 0; i < BR_BRIDGE_MAX; i++) {
		free(sw.bridge[i]);
		sw.bridge[i] = NULL;
	}
	br_conf_free(sw.conf);
	fdb_free(sw.fdb);
	eal_close();
}

static void log_vanished(const struct port *p)
{
	const char *netdev = ethdev_netdev(p->vif);

	if (ethdev_is_tap(p->vif))
		log_info("%s: its tap %s has been closed", p->vif->name, netdev);
	else
		log_error("%s: its netdev %s has vanished: delete the uplink, and add it again when the netdev is back",
			  p->vif->name, netdev);
}

void sw_tick(void)
{
	fdb_sweep(sw.fdb, clock_coarse_s(), 2048);
	for (int i = 0; i < BR_PORT_MAX; i++) {
		struct port *p = sw.port[i];
		const char *why;

		if (!p)
			continue;
		why = __atomic_load_n(&p->vif->quarantine, __ATOMIC_ACQUIRE);
		if (why && why != p->was_quarantined)
			log_error("%s: cut off: %s (`xbar port release %s` gives it another chance)", p->vif->name, why,
				  p->vif->name);
		p->was_quarantined = why;
		if (!strcmp(p->vif->ops->kind, "uplink") && p->was_up && !ethdev_check(p->vif))
			log_vanished(p);
		if (p->vif->up != p->was_up) {
			p->was_up = p->vif->up;
			log_info("%s: %s", p->vif->name, p->was_up ? "connected" : "disconnected");
			if (!p->was_up)
				fdb_flush_port(sw.fdb, p->id);
		}
	}
}

bool sw_hugepages(void)
{
	return eal_hugepages();
}

/* ---- bridges ----------------------------------------------------------------------------------------------------- */

int sw_bridge_add(const char *name, struct err *err)
{
	int id = 0;

	if (bridge_find(name) >= 0)
		return err_set(err, -EEXIST, "there is a bridge %s already", name);
	while (id < BR_BRIDGE_MAX && sw.bridge[id])
		id++;
	if (id == BR_BRIDGE_MAX)
		return err_set(err, -ENOSPC, "there are %d bridges already: delete one first", BR_BRIDGE_MAX);
	sw.bridge[id] = strdup(name);
	if (!sw.bridge[id])
		return err_set(err, -ENOMEM, "no memory");
	sw.bridge_ageing[id] = sw.ageing; /* the number may have been another's */
	fdb_ageing_bridge(sw.fdb, id, sw.ageing);
	return 0;
}

int sw_bridge_del(const char *name, struct err *err)
{
	int id = bridge_find(name), e;

	if (id < 0)
		return no_bridge(name, err);
	for (int i = 0; i < BR_PORT_MAX; i++)
		if (sw.port[i] && br_conf_bridge_of(sw.conf, i) == id && strcmp(sw.port[i]->vif->name, name))
			return err_set(err, -EBUSY, "%s still has port %s: take that off first", name,
				       sw.port[i]->vif->name);
	if (port_find(name)) {
		e = sw_port_del(name, err);
		if (e)
			return e;
	}
	fdb_flush_bridge(sw.fdb, id);
	free(sw.bridge[id]);
	sw.bridge[id] = NULL;
	return 0;
}

int sw_bridge_ageing(const char *name, uint32_t ageing, struct err *err)
{
	int id = bridge_find(name);

	if (id < 0)
		return no_bridge(name, err);
	sw.bridge_ageing[id] = ageing;
	fdb_ageing_bridge(sw.fdb, id, ageing);
	return 0;
}

int sw_fdb_flush(const char *bridge, const char *name, struct err *err)
{
	struct port *p = NULL;
	int id = -1;

	if (bridge && (id = bridge_find(bridge)) < 0)
		return no_bridge(bridge, err);
	if (name && !(p = port_find(name)))
		return no_port(name, err);
	if (p)
		fdb_flush_port(sw.fdb, p->id);
	else if (bridge)
		fdb_flush_bridge(sw.fdb, id);
	for (int i = 0; !p && !bridge && i < BR_BRIDGE_MAX; i++)
		if (sw.bridge[i])
			fdb_flush_bridge(sw.fdb, i);
	return 0;
}

/* ---- ports ------------------------------------------------------------------------------------------------------- */

static void port_free(struct port *p)
{
	for (unsigned q = 0; q < p->nrxq; q++)
		rxq_free(p->rxq[q]);
	if (p->vif)
		p->vif->ops->close(p->vif);
	free(p->counters);
	free(p);
}

/* A number and counters for a new port; `base` is what its driver starts from. */
static struct port *port_new(const char *name, struct vif_port *base, struct err *err)
{
	unsigned workers = workers_count();
	struct port *p;
	int id = 0;

	if (port_find(name)) {
		err_set(err, -EEXIST, "there is a port %s already", name);
		return NULL;
	}
	if (strlen(name) >= VIF_NAME_MAX) {
		err_set(err, -ENAMETOOLONG, "%s: a port's name has at most %d characters", name, VIF_NAME_MAX - 1);
		return NULL;
	}
	while (id < BR_PORT_MAX && sw.port[id])
		id++;
	p = calloc(1, sizeof(*p));
	if (p)
		p->counters = aligned_alloc(64, VIF_WORKERS_MAX * sizeof(*p->counters));
	if (id == BR_PORT_MAX || !p || !p->counters) {
		free(p);
		err_set(err, -ENOSPC, id == BR_PORT_MAX ? "there are %d ports already: delete one first" : "no memory",
			BR_PORT_MAX);
		return NULL;
	}
	memset(p->counters, 0, VIF_WORKERS_MAX * sizeof(*p->counters));
	p->id = id;
	*base = (struct vif_port){.id = id, .shared = workers > 1, .counters = p->counters};
	strcpy(base->name, name);
	for (unsigned q = 0; q < VIF_QUEUES_MAX; q++)
		base->epfd[q] = worker_epfd((id + q) % workers);
	return p;
}

/* The driver's port is open: make its queues, show it to the workers. */
static int port_show(struct port *p, unsigned queues, struct err *err)
{
	int e = 0;

	for (; !e && p->nrxq < queues; p->nrxq++) {
		p->rxq[p->nrxq] = rxq_new(p->vif, p->nrxq);
		if (!p->rxq[p->nrxq]) {
			e = err_set(err, -ENOMEM, "no memory");
			break;
		}
	}
	fdb_flush_port(sw.fdb, p->id); /* the number may have been another's */
	p->was_up = p->vif->up;
	sw.port[p->id] = p;
	if (!e)
		e = publish(sw.conf, NULL, err);
	if (e) {
		sw.port[p->id] = NULL;
		port_free(p);
	}
	return e;
}

int sw_port_add_vhost(const char *name, const struct sw_vhost_opts *opts, struct err *err)
{
	struct vhost_opts vo = {.path = opts->path,
				.server = opts->server,
				.queues = opts->queues ? opts->queues : 1,
				.mtu = opts->mtu ? opts->mtu : 1500,
				.no_offload = opts->no_offload};
	struct vif_port base;
	struct port *p;
	int e;

	if (vo.queues > VIF_QUEUES_MAX)
		return err_set(err, -EINVAL, "%s: %u queues: choose 1 to %d", name, vo.queues, VIF_QUEUES_MAX);
	memcpy(vo.mac, opts->mac, 6);
	p = port_new(name, &base, err);
	if (!p)
		return -EINVAL;
	memcpy(p->mac, opts->mac, 6);
	e = vhost_open(&base, &vo, &p->vif);
	if (e) {
		p->vif = NULL;
		port_free(p);
		return err_set(err, e, "%s: socket %s: %s", name, opts->path,
			       e == -EADDRINUSE
				       ? "another program listens on it, or its folder is not there: choose another"
				       : strerror(-e));
	}
	return port_show(p, vo.queues, err);
}

int sw_port_add_netif(const char *name, const struct sw_netif_opts *opts, struct err *err)
{
	struct vif_port base;
	struct port *p;

	if (opts->queues > VIF_QUEUES_MAX)
		return err_set(err, -EINVAL, "%s: %u queues: choose 1 to %d", name, opts->queues, VIF_QUEUES_MAX);
	p = port_new(name, &base, err);
	if (!p)
		return -EINVAL;
	p->vif = netif_new(name, opts->mtu ? opts->mtu : 1500, p->counters);
	if (!p->vif) {
		port_free(p);
		return err_set(err, -ENOMEM, "no memory");
	}
	p->vif->id = base.id;
	p->vif->shared = base.shared;
	memcpy(p->vif->epfd, base.epfd, sizeof(base.epfd));
	p->domid = opts->domid;
	memcpy(p->mac, opts->mac, 6);
	return port_show(p, opts->queues ? opts->queues : 1, err);
}

/* The netif port called `name`; else NULL, and *err says so. */
static struct port *netif_find(const char *name, struct err *err)
{
	struct port *p = port_find(name);

	if (p && !strcmp(p->vif->ops->kind, "netif"))
		return p;
	no_port(name, err);
	return NULL;
}

int sw_netif_connect(const char *name, const struct netif_conf *conf, struct err *err)
{
	struct port *p = netif_find(name, err);
	struct err why;
	int e;

	if (!p)
		return -ENOENT;
	if (conf->queues > p->nrxq)
		return err_set(err, -EINVAL, "%s: the guest asks for %u queues, and was offered %u", name, conf->queues,
			       p->nrxq);
	e = netif_connect(p->vif, conf, &why);
	if (e)
		return err_set(err, e, "%s: %s", name, why.text);
	snprintf(p->features, sizeof(p->features), "%s%s%s%s%s%s",
		 conf->queue[0].tx_evtchn != conf->queue[0].rx_evtchn ? "split " : "", conf->sg ? "sg " : "",
		 conf->csum4 ? "csum " : "", conf->csum6 ? "csum6 " : "", conf->gso4 ? "tso4 " : "",
		 conf->gso6 ? "tso6 " : "");
	if (p->features[0])
		p->features[strlen(p->features) - 1] = '\0';
	return 0;
}

int sw_netif_multicast(const char *name, bool on, struct err *err)
{
	struct port *p = netif_find(name, err);

	if (!p)
		return -ENOENT;
	netif_multicast_control(p->vif, on);
	return 0;
}

int sw_netif_disconnect(const char *name, struct err *err)
{
	struct port *p = netif_find(name, err);

	if (!p)
		return -ENOENT;
	netif_disconnect(p->vif);
	p->features[0] = '\0';
	return 0;
}

int sw_port_add_host(const char *name, const uint8_t *mac, uint32_t mtu, struct err *err)
{
	struct vif_port base;
	struct port *p = port_new(name, &base, err);
	int e;

	if (!p)
		return -EINVAL;
	e = tap_open(&base, mac, mtu ? mtu : 1500, &p->vif);
	if (e) {
		p->vif = NULL;
		port_free(p);
		return err_set(err, e, "host port %s: %s", name,
			       e == -EBUSY || e == -EINVAL
				       ? "a netdev of that name is there and is not ours, or is held by another "
					 "program: `ip link show` tells; delete or rename it"
			       : e == -ENOENT ? "/dev/net/tun is not there: load the tun module"
			       : e == -EPERM ? "xbard may not make network devices here: run it as root (CAP_NET_ADMIN)"
					     : strerror(-e));
	}
	tap_mac(p->vif, p->mac);
	return port_show(p, 1, err);
}

int sw_port_add_uplink(const char *name, const struct sw_uplink_opts *opts, struct err *err)
{
	struct ethdev_opts eo = {.netdev = opts->netdev, .driver = opts->driver};
	struct vif_port base;
	struct port *p = port_new(name, &base, err);
	char said[200];
	struct err why;
	int e;

	if (!p)
		return -EINVAL;
	for (int i = 0; i < BR_PORT_MAX; i++)
		if (sw.port[i] && !strcmp(sw.port[i]->vif->ops->kind, "uplink") &&
		    !strcmp(ethdev_netdev(sw.port[i]->vif), opts->netdev)) {
			port_free(p);
			return err_set(err, -EBUSY, "%s is the uplink port %s already", opts->netdev,
				       sw.port[i]->vif->name);
		}
	e = ethdev_open(&base, &eo, &p->vif, &why);
	if (e) {
		p->vif = NULL;
		port_free(p);
		return err_set(err, e, "uplink %s", why.text);
	}
	ethdev_describe(p->vif, said, sizeof(said));
	log_info("uplink %s", said);
	fdb_limit(sw.fdb, p->id, FDB_LIMIT_UPLINK);
	return port_show(p, 1, err);
}

int sw_port_del(const char *name, struct err *err)
{
	struct port *p = port_find(name);
	struct br_conf *conf;
	int e;

	if (!p)
		return no_port(name, err);
	conf = br_conf_clone(sw.conf);
	if (!conf)
		return err_set(err, -ENOMEM, "no memory");
	br_conf_leave(conf, p->id);
	e = publish(conf, p, err);
	if (e) {
		br_conf_free(conf);
		return e;
	}
	fdb_flush_port(sw.fdb, p->id);
	fdb_limit(sw.fdb, p->id, 0);
	sw.port[p->id] = NULL;
	if (!strcmp(p->vif->ops->kind, "host"))
		tap_unpersist(p->vif);
	port_free(p);
	return 0;
}

/* Publish the conf with `p` on `bridge`, or on none where that is negative. */
static int move(struct port *p, int bridge, struct err *err)
{
	struct br_conf *conf = br_conf_clone(sw.conf);
	int e = conf ? 0 : err_set(err, -ENOMEM, "no memory");

	if (!e && bridge < 0)
		e = br_conf_leave(conf, p->id);
	else if (!e)
		e = br_conf_join(conf, p->id, bridge);
	if (e)
		err_set(err, e, "%s: %s", p->vif->name, strerror(-e));
	else
		e = publish(conf, NULL, err);
	if (e)
		br_conf_free(conf);
	else
		fdb_flush_port(sw.fdb, p->id);
	return e;
}

int sw_port_join(const char *name, const char *bridge, struct err *err)
{
	struct port *p = port_find(name);
	int id = bridge_find(bridge);
	uint16_t on;

	if (!p)
		return no_port(name, err);
	if (id < 0)
		return no_bridge(bridge, err);
	on = br_conf_bridge_of(sw.conf, p->id);
	if (on != BR_NONE)
		return err_set(err, -EBUSY, "%s is on bridge %s already: take it off with `xbar port leave %s`", name,
			       sw.bridge[on], name);
	return move(p, id, err);
}

int sw_port_leave(const char *name, struct err *err)
{
	struct port *p = port_find(name);

	if (!p)
		return no_port(name, err);
	if (br_conf_bridge_of(sw.conf, p->id) == BR_NONE)
		return err_set(err, -ENOENT, "%s is on no bridge", name);
	return move(p, -1, err);
}

int sw_port_mtu(const char *name, uint32_t mtu, struct err *err)
{
	struct port *p = port_find(name);
	int e = 0;

	if (!p)
		return no_port(name, err);
	if (mtu < 68 || mtu > 65535)
		return err_set(err, -EINVAL, "%s: an MTU is 68 to 65535 bytes, not %u", name, mtu);
	if (!strcmp(p->vif->ops->kind, "host"))
		e = tap_mtu(p->vif, mtu);
	else
		p->vif->mtu = mtu;
	return e ? err_set(err, e, "%s: the kernel refuses MTU %u: %s", name, mtu, strerror(-e)) : 0;
}

static struct port *host_find(const char *name, struct err *err)
{
	struct port *p = port_find(name);

	if (p && !strcmp(p->vif->ops->kind, "host"))
		return p;
	err_set(err, -ENOENT, "there is no host port %s", name);
	return NULL;
}

int sw_host_mac(const char *name, const uint8_t mac[6], struct err *err)
{
	struct port *p = host_find(name, err);
	int e = p ? tap_set_mac(p->vif, mac) : -ENOENT;

	if (!e)
		memcpy(p->mac, mac, 6);
	return e && p ? err_set(err, e, "%s: the kernel refuses the MAC address: %s", name, strerror(-e)) : e;
}

int sw_host_carrier(const char *name, bool carrier, struct err *err)
{
	struct port *p = host_find(name, err);
	int e = p ? tap_carrier(p->vif, carrier) : -ENOENT;

	return e && p ? err_set(err, e, "%s: cannot set its carrier: %s", name, strerror(-e)) : e;
}

int sw_port_release(const char *name, struct err *err)
{
	struct port *p = port_find(name);

	if (!p)
		return no_port(name, err);
	if (!p->vif->quarantine)
		return err_set(err, -EINVAL, "%s is not cut off", name);
	__atomic_store_n(&p->vif->quarantine, NULL, __ATOMIC_RELEASE);
	if (p->vif->ops->resume)
		p->vif->ops->resume(p->vif);
	return publish(sw.conf, NULL, err); /* wakes the workers: nobody listened to the port's own signals */
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

static void sum_counters(const struct port *p, struct vif_counters *sum)
{
	const size_t words = sizeof(*sum) / sizeof(uint64_t);

	memset(sum, 0, sizeof(*sum));
	for (unsigned w = 0; w < workers_count(); w++) {
		const struct vif_counters *c = &p->counters[w];
		uint64_t rx_max = sum->rx_max > c->rx_max ? sum->rx_max : c->rx_max;
		uint64_t tx_max = sum->tx_max > c->tx_max ? sum->tx_max : c->tx_max;

		for (size_t i = 0; i < words; i++)
			((uint64_t *)sum)[i] += __atomic_load_n(&((const uint64_t *)c)[i], __ATOMIC_RELAXED);
		sum->rx_max = rx_max;
		sum->tx_max = tx_max;
	}
}

void sw_port_each(bool (*fn)(const struct sw_port_info *info, void *arg), void *arg)
{
	for (int i = 0; i < BR_PORT_MAX; i++) {
		struct port *p = sw.port[i];
		char detail[256] = "", features[256] = "";
		struct sw_port_info info;
		uint16_t on;

		if (!p)
			continue;
		on = br_conf_bridge_of(sw.conf, i);
		info = (struct sw_port_info){.name = p->vif->name,
					     .kind = p->vif->ops->kind,
					     .bridge = on == BR_NONE ? NULL : sw.bridge[on],
					     .detail = detail,
					     .features = features,
					     .quarantine = p->vif->quarantine,
					     .connected = p->vif->up,
					     .queues = p->nrxq,
					     .worker = i % workers_count(),
					     .mtu = p->vif->mtu};
		memcpy(info.mac, p->mac, 6);
		if (!strcmp(info.kind, "vhost-user")) {
			snprintf(detail, sizeof(detail), "%s %s",
				 vhost_is_server(p->vif) ? "listens on" : "connects to", vhost_path(p->vif));
			vhost_features(p->vif, features, sizeof(features));
		} else if (!strcmp(info.kind, "host")) {
			snprintf(detail, sizeof(detail), "TAP %s", p->vif->name);
			snprintf(features, sizeof(features), "csum tso4 tso6%s",
				 p->vif->caps & VIF_CAP_USO4 ? " uso" : "");
		} else if (!strcmp(info.kind, "netif")) {
			snprintf(detail, sizeof(detail), "Xen domain %u", p->domid);
			snprintf(features, sizeof(features), "%s", p->features);
			if (p->vif->up)
				info.queues = p->vif->rx_queues;
		} else {
			snprintf(detail, sizeof(detail), "%s by %s", ethdev_netdev(p->vif), ethdev_driver(p->vif));
			info.connected = p->vif->up && ethdev_link(p->vif);
		}
		sum_counters(p, &info.sum);
		for (; p->vif->ops->count && info.connected && info.counted < info.queues; info.counted++)
			info.queue[info.counted] = p->vif->ops->count(p->vif, info.counted);
		if (!fn(&info, arg))
			return;
	}
}

void sw_bridge_each(bool (*fn)(const char *name, uint32_t ageing, void *arg), void *arg)
{
	for (int i = 0; i < BR_BRIDGE_MAX; i++)
		if (sw.bridge[i] && !fn(sw.bridge[i], sw.bridge_ageing[i], arg))
			return;
}

struct mac_walk {
	bool (*fn)(const struct sw_mac_info *info, void *arg);
	void *arg;
};

static bool mac_one(const struct fdb_entry *e, void *arg)
{
	const struct mac_walk *walk = arg;
	struct sw_mac_info info = {.age = e->age};

	if (e->bridge >= BR_BRIDGE_MAX || !sw.bridge[e->bridge] || e->port >= BR_PORT_MAX || !sw.port[e->port])
		return true;
	memcpy(info.mac, e->mac, 6);
	info.bridge = sw.bridge[e->bridge];
	info.port = sw.port[e->port]->vif->name;
	return walk->fn(&info, walk->arg);
}

int sw_mac_each(const char *bridge, bool (*fn)(const struct sw_mac_info *info, void *arg), void *arg, struct err *err)
{
	struct mac_walk walk = {fn, arg};
	int id = BR_NONE;

	if (bridge && (id = bridge_find(bridge)) < 0)
		return no_bridge(bridge, err);
	/* the host's own address on a bridge is not learned but known */
	for (int i = 0; i < BR_PORT_MAX; i++) {
		struct port *p = sw.port[i];
		uint16_t on = p ? br_conf_bridge_of(sw.conf, i) : BR_NONE;
		struct sw_mac_info info = {.local = true};

		if (on == BR_NONE || (bridge && on != id) || strcmp(p->vif->ops->kind, "host"))
			continue;
		memcpy(info.mac, p->mac, 6);
		info.bridge = sw.bridge[on];
		info.port = p->vif->name;
		if (!fn(&info, arg))
			return 0;
	}
	fdb_dump(sw.fdb, id, clock_coarse_s(), mac_one, &walk);
	return 0;
}

void sw_worker_each(void (*fn)(const struct worker_info *info, void *arg), void *arg)
{
	for (unsigned i = 0; i < workers_count(); i++) {
		struct worker_info info;

		worker_info(i, &info);
		fn(&info, arg);
	}
}
