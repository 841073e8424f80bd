/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What can be seen of the switch: ports' counters, workers.
 */
#include <string.h>

#include "switch_impl.h"

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

/* ---- workers ----------------------------------------------------------------------------------------------------- */

void sw_worker_each(void (*fn)(const struct worker_info *info, void *arg), void *arg)
{
	for (unsigned i = 0; i < workers_count(); i++) {
		struct worker_info info;

		worker_info(i, &info);
		fn(&info, arg);
	}
}
