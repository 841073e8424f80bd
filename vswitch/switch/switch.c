/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The switch as a whole: its start and end, what the workers see of it, and what happens once a second. Every change is
 * made on clones of what the workers see (the conf and the view), which are published and waited for; then what they
 * replaced is freed.
 */
#include "switch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"
#include "switch_impl.h"
#include "vif/vhost/vhost.h"
#include "vswitch/base/clock.h"
#include "vswitch/base/log.h"
#include "vswitch/datapath/eal.h"

struct sw sw = {.bridges = TAILQ_HEAD_INITIALIZER(sw.bridges), .ports = TAILQ_HEAD_INITIALIZER(sw.ports)};

/* ---- publishing -------------------------------------------------------------------------------------------------- */

static void view_free(struct dp_conf *view)
{
	if (!view)
		return;
	for (unsigned w = 0; w < VIF_WORKERS_MAX; w++)
		free(view->worker[w].rxq);
	free(view);
}

static void view_add(struct dp_conf *view, const struct port *port, unsigned workers)
{
	const struct vif_ops *ops = port->vif->ops;

	view->port[port->id] = port->vif;
	for (unsigned q = 0; q < port->nrxq; q++) {
		unsigned w = (port->id + q) % workers;

		if (view->worker[w].n == BR_PORT_MAX)
			continue;
		view->worker[w].rxq[view->worker[w].n++] = port->rxq[q];
		if (ops->needs_poll && ops->needs_poll(port->vif))
			view->worker[w].needs_poll = true;
	}
}

int publish(struct br_conf *conf, const struct port *without, struct err *err)
{
	struct dp_conf *view = calloc(1, sizeof(*view));
	unsigned workers = workers_count(), queues = 0;
	const struct port *port;

	if (!view)
		return err_nomem(err);
	TAILQ_FOREACH(port, &sw.ports, link)
	{
		queues += port->nrxq;
	}
	view->conf = conf;
	view->fdb = sw.fdb;
	for (unsigned w = 0; w < workers; w++) {
		view->worker[w].rxq = calloc((size_t)queues + 1, sizeof(struct rxq *));
		if (!view->worker[w].rxq) {
			view_free(view);
			return err_nomem(err);
		}
	}
	TAILQ_FOREACH(port, &sw.ports, link)
	{
		if (port != without)
			view_add(view, port, workers);
	}
	view_free(worker_publish(view));
	if (sw.conf != conf)
		br_conf_free(sw.conf);
	sw.conf = conf;
	return 0;
}

/* ---- start and end ----------------------------------------------------------------------------------------------- */

static int state_begin(const char *rundir, struct err *err)
{
	if (!rundir)
		return 0;
	if (asprintf(&sw.state_dir, "%s/" STATE_DIR, rundir) < 0) {
		sw.state_dir = NULL;
		return err_nomem(err);
	}
	return state_open(sw.state_dir, err);
}

int sw_init(const struct sw_opts *opts, struct err *err)
{
	struct fdb_opts fdb = {
		.ageing = opts->ageing, .entries = FDB_ENTRIES, .limit = FDB_LIMIT, .move_limit = FDB_MOVES};
	int r = state_begin(opts->rundir, err);

	if (!r)
		r = eal_open(opts->no_huge, err);
	if (r) {
		free(sw.state_dir);
		sw.state_dir = NULL;
		return r;
	}
	sw.ageing = opts->ageing ? opts->ageing : 300;
	sw.max_ports = opts->max_ports ? opts->max_ports : BR_PORT_MAX;
	sw.fdb = fdb_new(&fdb);
	sw.conf = br_conf_new();
	if (!sw.fdb || !sw.conf)
		r = err_set(err, -ENOMEM, "no memory for the MAC table");
	if (!r && vhost_init(opts->loop))
		r = err_set(err, -ENOMEM, "the vhost-user ports cannot be prepared");
	if (!r && opts->confine)
		workers_confine();
	if (!r)
		r = workers_start(opts->workers ? opts->workers : 1, opts->first_cpu, opts->poll_us, err);
	if (!r) {
		r = publish(sw.conf, NULL, err);
		if (!r)
			return 0;
		workers_stop();
	}
	br_conf_free(sw.conf);
	fdb_free(sw.fdb);
	eal_close();
	free(sw.state_dir);
	sw.state_dir = NULL;
	return r;
}

void sw_fini(void)
{
	struct bridge *bridge;
	struct port *port;
	struct err err;

	while ((port = TAILQ_FIRST(&sw.ports)))
		if (port_unmake(port, &err)) {
			log_error("%s", err.text);
			break;
		}
	workers_stop();
	while ((bridge = TAILQ_FIRST(&sw.bridges))) {
		TAILQ_REMOVE(&sw.bridges, bridge, link);
		names_del(&bridge->named);
		sw.bridge[bridge->id] = NULL;
		free(bridge);
	}
	br_conf_free(sw.conf);
	fdb_free(sw.fdb);
	eal_close();
	free(sw.state_dir);
	sw.state_dir = NULL;
}

void sw_forget(const char *rundir)
{
	char dir[PATH_MAX];

	if (snprintf(dir, sizeof(dir), "%s/" STATE_DIR, rundir) < (int)sizeof(dir))
		state_remove_all(dir);
}

bool sw_hugepages(void)
{
	return eal_hugepages();
}

/* ---- once a second ----------------------------------------------------------------------------------------------- */

static void check_port(struct port *port)
{
	const char *why = __atomic_load_n(&port->vif->quarantine, __ATOMIC_ACQUIRE), *name = port->conf.name;
	const struct vif_ops *ops = port->vif->ops;
	struct err err;

	if (why && why != port->was_quarantined)
		log_error("%s: quarantined: %s (`xbar port release %s` ends the quarantine)", name, why, name);
	port->was_quarantined = why;
	if (ops->check && port->was_up) {
		int r = ops->check(port->vif, &err);
		if (r == -ESHUTDOWN)
			log_info("%s: %s", name, err.text);
		else if (r)
			log_error("%s: %s", name, err.text);
	}
	if (port->vif->up != port->was_up) {
		port->was_up = port->vif->up;
		log_info("%s: %s", name, port->was_up ? "connected" : "disconnected");
		if (!port->was_up)
			fdb_flush_port(sw.fdb, port->id);
	}
}

void sw_tick(void)
{
	struct port *port;

	fdb_sweep(sw.fdb, clock_coarse_s(), 2048);
	TAILQ_FOREACH(port, &sw.ports, link)
	{
		check_port(port);
	}
	macs_log_moves();
}
