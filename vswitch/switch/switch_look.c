/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What can be seen of the switch: ports' counters, MAC addresses, workers.
 */
#include <errno.h>
#include <string.h>

#include "switch_impl.h"
#include "vswitch/base/clock.h"

static void sum_counters(const struct port *port, struct vif_counters *sum)
{
	const size_t words = sizeof(*sum) / sizeof(uint64_t);

	memset(sum, 0, sizeof(*sum));
	for (unsigned w = 0; w < workers_count(); w++) {
		const struct vif_counters *c = &port->counters[w];
		uint64_t rx_max = sum->rx_max > c->rx_max ? sum->rx_max : c->rx_max;
		uint64_t tx_max = sum->tx_max > c->tx_max ? sum->tx_max : c->tx_max;

		for (size_t i = 0; i < words; i++)
			((uint64_t *)sum)[i] += __atomic_load_n(&((const uint64_t *)c)[i], __ATOMIC_RELAXED);
		sum->rx_max = rx_max;
		sum->tx_max = tx_max;
	}
}

/* `about` has what describe() begins with. */
static void describe(const struct port *port, struct vif_about *about)
{
	*about = (struct vif_about){.connected = port->vif->up, .queues = port->nrxq};
	if (port->vif->ops->describe)
		port->vif->ops->describe(port->vif, about);
}

void sw_port_info(const struct port *port, struct sw_port_info *info)
{
	const struct vif_ops *ops = port->vif->ops;

	describe(port, &info->about);
	info->quarantine = __atomic_load_n(&port->vif->quarantine, __ATOMIC_ACQUIRE);
	info->worker = port->id % workers_count();
	info->mtu = port->vif->mtu;
	sum_counters(port, &info->sum);
	info->counted = 0;
	for (; ops->count && info->about.connected && info->counted < info->about.queues; info->counted++)
		info->queue[info->counted] = ops->count(port->vif, info->counted);
}

uint32_t sw_default_ageing(void)
{
	return sw.ageing;
}

bool sw_bridge_has_guests(const char *bridge)
{
	const struct port *port;

	TAILQ_FOREACH(port, &sw.ports, link)
	{
		if (port->vif->up && port_is_vif(port) && !strcmp(port->conf.on, bridge))
			return true;
	}
	return false;
}

/* ---- MAC addresses ----------------------------------------------------------------------------------------------- */

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
	info.bridge = sw.bridge[e->bridge]->name;
	info.port = sw.port[e->port]->conf.name;
	return walk->fn(&info, walk->arg);
}

int sw_mac_each(const char *name, bool (*fn)(const struct sw_mac_info *info, void *arg), void *arg, struct err *err)
{
	const struct bridge *only = name ? bridge_find(name, err) : NULL, *bridge;
	struct mac_walk walk = {fn, arg};

	if (name && !only)
		return -ENOENT;
	TAILQ_FOREACH(bridge, &sw.bridges, link)
	{
		struct sw_mac_info info = {.local = true, .bridge = bridge->name, .port = bridge->name};

		if (!bridge->host || (only && bridge != only))
			continue;
		memcpy(info.mac, bridge->host->conf.mac, 6);
		if (!fn(&info, arg))
			return 0;
	}
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

/* ---- workers ----------------------------------------------------------------------------------------------------- */

void sw_worker_each(void (*fn)(const struct worker_info *info, void *arg), void *arg)
{
	for (unsigned i = 0; i < workers_count(); i++) {
		struct worker_info info;

		worker_info(i, &info);
		fn(&info, arg);
	}
}
