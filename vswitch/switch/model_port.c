/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Uplinks and vifs: making, joining, deleting.
 */
#include <errno.h>
#include <string.h>

#include "model_impl.h"
#include "vswitch/base/ethtool.h"
#include "vswitch/base/log.h"
#include "vswitch/base/names.h"

int model_uplink_add(struct model *model, const struct state_uplink *want, struct err *err)
{
	struct sw_uplink_opts opts = {.netdev = want->netdev, .driver = *want->driver ? want->driver : NULL};
	struct state_uplink record = *want;
	struct err ignored;

	int r = model_name_free(model, want->netdev, err);
	if (r)
		return r;
	if (*want->bridge && !model_bridge(model, want->bridge, err))
		return -ENOENT;

	record.merging |= ethtool_rx_coalescing(want->netdev);
	r = sw_port_add_uplink(want->netdev, &opts, err);
	if (r)
		return r;
	r = record.merging ? ethtool_set_rx_coalescing(want->netdev, 0, err) : 0;
	if (r)
		goto del_port;
	if (*want->bridge)
		r = sw_port_join(want->netdev, want->bridge, err);
	if (r)
		goto del_port;
	struct state_uplink *uplink = state_uplink_add(model->state, &record);
	if (!uplink) {
		r = err_set(err, -ENOMEM, "no memory for uplink %s", want->netdev);
		goto del_port;
	}
	r = model_save(model, err);
	if (r) {
		state_uplink_del(model->state, uplink);
		goto del_port;
	}
	return 0;

del_port:
	sw_port_del(want->netdev, &ignored);
	if (record.merging)
		ethtool_set_rx_coalescing(want->netdev, record.merging, &ignored);
	return r;
}

int model_uplink_del(struct model *model, const char *netdev, struct err *err)
{
	struct state_uplink *uplink = state_uplink(model->state, netdev);
	if (!uplink)
		return err_set(err, -ENOENT, "there is no uplink %s; `xbar port list` shows all ports", netdev);
	int r = sw_port_del(netdev, err);
	if (r)
		return r;
	struct err why;
	r = uplink->merging ? ethtool_set_rx_coalescing(netdev, uplink->merging, &why) : 0;
	if (r && r != -ENODEV) /* a netdev that is gone needs nothing */
		log_warn("%s", why.text);
	state_uplink_del(model->state, uplink);
	model_save_or_log(model);
	return 0;
}

static int add_vif_port(const struct state_vif *want, struct err *err)
{
	struct sw_netif_opts netif = {.domid = want->domid, .queues = want->queues, .mtu = want->mtu};
	struct sw_vhost_opts vhost = {
		.path = want->socket,
		.server = want->server,
		.queues = want->queues ? want->queues : 1,
		.mtu = want->mtu,
		.no_offload = want->no_offload,
	};

	memcpy(netif.mac, want->mac, sizeof(netif.mac));
	memcpy(vhost.mac, want->mac, sizeof(vhost.mac));
	return want->xen ? sw_port_add_netif(want->name, &netif, err) : sw_port_add_vhost(want->name, &vhost, err);
}

int model_vif_add(struct model *model, const struct state_vif *want, struct err *err)
{
	struct err ignored;
	const struct state_vif *other;

	int r = model_name_free(model, want->name, err);
	if (r)
		return r;
	for (other = TAILQ_FIRST(&model->state->vifs); other; other = TAILQ_NEXT(other, link))
		if (*want->socket && !strcmp(other->socket, want->socket))
			return err_set(err, -EEXIST, "socket %s is that of vif %s", want->socket, other->name);
	/* A vif from the file may have been on no bridge when it was kept. */
	const char *bridge = want->pending ? want->want_bridge : want->bridge;
	if (*bridge && !model_bridge(model, bridge, err))
		return -ENOENT;

	r = add_vif_port(want, err);
	if (r)
		return r;
	if (*want->bridge && !want->pending)
		r = sw_port_join(want->name, want->bridge, err);
	if (r)
		goto del_port;
	struct state_vif *vif = state_vif_add(model->state, want);
	if (!vif) {
		r = err_set(err, -ENOMEM, "no memory for vif %s", want->name);
		goto del_port;
	}
	if (vif->pending) {
		vif->bridge[0] = '\0';
		return 0;
	}
	r = model_save(model, err);
	if (r) {
		state_vif_del(model->state, vif);
		goto del_port;
	}
	return 0;

del_port:
	sw_port_del(want->name, &ignored);
	return r;
}

int model_vif_ready(struct model *model, const char *name, struct err *err)
{
	struct state_vif *vif = state_vif(model->state, name);
	if (!vif)
		return err_set(err, -ENOENT, "vif %s was deleted while its script ran", name);
	vif->pending = false;
	int r = model_save(model, err);
	if (r)
		vif->pending = true;
	return r;
}

int model_vif_renew(struct model *model, const struct state_vif *now, struct err *err)
{
	struct state_vif *vif = state_vif(model->state, now->name);
	char bridge[IFNAMSIZ];

	if (!vif)
		return err_set(err, -ENOENT, "there is no vif %s; `xbar vif list` shows all vifs", now->name);
	if (!vif->xen || vif->domid != now->domid || vif->devid != now->devid)
		return err_set(err, -EEXIST, "vif %s is another guest's", now->name);
	int r = sw_port_mtu(now->name, now->mtu ? now->mtu : 1500, err);
	if (r)
		return r;
	struct state_vif renewed = *now;
	memcpy(bridge, vif->bridge, sizeof(bridge));
	renewed.link = vif->link;
	*vif = renewed;
	memcpy(vif->bridge, bridge, sizeof(bridge));
	model_save_or_log(model);
	return 0;
}

int model_vif_del(struct model *model, const char *name, struct err *err)
{
	struct state_vif *vif = state_vif(model->state, name);
	if (!vif)
		return err_set(err, -ENOENT, "there is no vif %s; `xbar vif list` shows all vifs", name);
	int r = sw_port_del(name, err);
	if (r)
		return r;
	bool kept = !vif->pending;
	state_vif_del(model->state, vif);
	if (kept)
		model_save_or_log(model);
	return 0;
}

/* Where the record of port `name` keeps its bridge (IFNAMSIZ bytes), or NULL with a sentence. */
static char *bridge_field(struct model *model, const char *name, struct err *err)
{
	struct state_vif *vif = state_vif(model->state, name);
	if (vif)
		return vif->bridge;
	struct state_uplink *uplink = state_uplink(model->state, name);
	if (uplink)
		return uplink->bridge;

	const struct state_bridge *bridge = state_bridge(model->state, name);
	if (bridge && bridge->host)
		err_set(err, -EBUSY,
			"%s is the host port of bridge %s and stays on it; `xbar bridge set %s --host off` takes it "
			"away",
			name, name, name);
	else
		err_set(err, -ENOENT,
			"there is no port %s: make one with `xbar vif add %s ...` for a guest, or `xbar uplink add "
			"BRIDGE "
			"%s` for a network interface",
			name, name, name);
	return NULL;
}

int model_port_join(struct model *model, const char *port, const char *bridge, struct err *err)
{
	struct err ignored;

	char *field = bridge_field(model, port, err);
	if (!field)
		return -ENOENT;
	if (!model_bridge(model, bridge, err))
		return -ENOENT;
	if (!strcmp(field, bridge))
		return 0;
	if (*field)
		return err_set(err, -EBUSY, "port %s is on bridge %s; take it off first: `xbar port leave %s`", port,
			       field, port);

	int r = sw_port_join(port, bridge, err);
	if (r)
		return r;
	name_copy(field, IFNAMSIZ, bridge);
	r = model_save(model, err);
	if (r) {
		field[0] = '\0';
		sw_port_leave(port, &ignored);
	}
	return r;
}

int model_port_leave(struct model *model, const char *port, struct err *err)
{
	char *field = bridge_field(model, port, err);
	if (!field)
		return -ENOENT;
	if (!*field)
		return err_set(err, -ENOENT, "port %s is on no bridge", port);
	int r = sw_port_leave(port, err);
	if (r)
		return r;
	field[0] = '\0';
	model_save_or_log(model);
	return 0;
}
