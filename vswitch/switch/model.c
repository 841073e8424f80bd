/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bridges and their host ports; and what all acts share: keeping the state's file. model_port.c has the other ports,
 * model_restore.c the way back from the file.
 *
 * Every act goes: look whether it can be; change the switch; change the record; write the file. What fails undoes what
 * went before it. After a deletion a file that cannot be written is only logged: undoing would cut a guest off twice.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model_impl.h"
#include "vswitch/base/log.h"
#include "vswitch/base/mac.h"

struct model *model_new(const char *path)
{
	struct model *model = calloc(1, sizeof(*model));
	if (!model)
		return NULL;
	model->path = strdup(path);
	model->state = state_new();
	if (!model->path || !model->state) {
		model_free(model);
		return NULL;
	}
	return model;
}

void model_free(struct model *model)
{
	if (!model)
		return;
	state_free(model->state);
	free(model->path);
	free(model);
}

const struct state *model_state(const struct model *model)
{
	return model->state;
}

int model_save(struct model *model, struct err *err)
{
	return model->restoring ? 0 : state_save(model->state, model->path, err);
}

void model_save_or_log(struct model *model)
{
	struct err err = {0};
	if (model_save(model, &err))
		log_error("%s; a restart after a crash will find an older state", err.text);
}

int model_name_free(const struct model *model, const char *name, struct err *err)
{
	const struct state_bridge *bridge = state_bridge(model->state, name);

	if (bridge)
		return err_set(err, -EEXIST, "there is a bridge %s already", name);
	if (state_uplink(model->state, name))
		return err_set(err, -EEXIST, "there is an uplink %s already", name);
	if (state_vif(model->state, name))
		return err_set(err, -EEXIST, "there is a vif %s already", name);
	return 0;
}

struct state_bridge *model_bridge(const struct model *model, const char *name, struct err *err)
{
	struct state_bridge *bridge = state_bridge(model->state, name);
	if (bridge)
		return bridge;

	char known[256] = "";
	size_t len = 0;
	for (bridge = TAILQ_FIRST(&model->state->bridges); bridge; bridge = TAILQ_NEXT(bridge, link)) {
		int n = snprintf(known + len, sizeof(known) - len, "%s%s", len ? ", " : "", bridge->name);
		if ((len += n) >= sizeof(known))
			break;
	}
	err_set(err, -ENOENT, "there is no bridge %s: %s%s; make it with `xbar bridge add %s`", name,
		*known ? "the bridges are " : "there is none yet", known, name);
	return NULL;
}

struct mac_search {
	const char *name;
	uint8_t *mac;
};

static bool find_mac(const struct sw_port_info *info, void *arg)
{
	struct mac_search *search = arg;
	if (strcmp(info->name, search->name))
		return true;
	memcpy(search->mac, info->mac, 6);
	return false;
}

/* Make the host port of `bridge` in the switch, and note the address that it got. */
static int host_up(struct state_bridge *bridge, const uint8_t *mac, uint32_t mtu, struct err *err)
{
	int r = sw_port_add_host(bridge->name, mac, mtu, err);
	if (r)
		return r;
	r = sw_port_join(bridge->name, bridge->name, err);
	if (r) {
		struct err ignored;
		sw_port_del(bridge->name, &ignored);
		return r;
	}
	struct mac_search search = {bridge->name, bridge->host_mac};
	sw_port_each(find_mac, &search);
	bridge->host = true;
	bridge->host_mtu = mtu;
	return 0;
}

static void host_down(struct state_bridge *bridge)
{
	struct err err = {0};

	if (!bridge->host)
		return;
	if (sw_port_del(bridge->name, &err))
		log_error("%s", err.text);
	bridge->host = false;
	bridge->host_mtu = 0;
	memset(bridge->host_mac, 0, sizeof(bridge->host_mac));
}

int model_bridge_add(struct model *model, const struct state_bridge *want, struct err *err)
{
	struct err ignored;
	struct state_bridge *bridge;

	int r = model_name_free(model, want->name, err);
	if (r)
		return r;
	r = sw_bridge_add(want->name, err);
	if (r)
		return r;
	if (want->ageing)
		r = sw_bridge_ageing(want->name, want->ageing, err);
	if (r)
		goto del_bridge;

	struct state_bridge record = *want;
	record.host = false;
	memset(record.host_mac, 0, sizeof(record.host_mac));
	bridge = state_bridge_add(model->state, &record);
	if (!bridge) {
		r = err_set(err, -ENOMEM, "no memory for bridge %s", want->name);
		goto del_bridge;
	}
	if (want->host)
		r = host_up(bridge, mac_is_zero(want->host_mac) ? NULL : want->host_mac, want->host_mtu, err);
	if (r)
		goto del_record;
	r = model_save(model, err);
	if (r)
		goto del_host;
	return 0;

del_host:
	host_down(bridge);
del_record:
	state_bridge_del(model->state, bridge);
del_bridge:
	sw_bridge_del(want->name, &ignored);
	return r;
}

/* A port, other than the host port, that is on `bridge`; or NULL. */
static const char *first_port_on(const struct model *model, const char *bridge)
{
	const struct state_uplink *uplink;
	const struct state_vif *vif;

	for (uplink = TAILQ_FIRST(&model->state->uplinks); uplink; uplink = TAILQ_NEXT(uplink, link))
		if (!strcmp(uplink->bridge, bridge))
			return uplink->netdev;
	for (vif = TAILQ_FIRST(&model->state->vifs); vif; vif = TAILQ_NEXT(vif, link))
		if (!strcmp(vif->bridge, bridge))
			return vif->name;
	return NULL;
}

int model_bridge_del(struct model *model, const char *name, struct err *err)
{
	struct state_bridge *bridge = model_bridge(model, name, err);
	if (!bridge)
		return -ENOENT;
	const char *port = first_port_on(model, name);
	if (port)
		return err_set(err, -EBUSY,
			       "bridge %s is in use: port %s is on it; take it off with `xbar port leave %s`", name,
			       port, port);

	host_down(bridge);
	int r = sw_bridge_del(name, err);
	if (!r)
		state_bridge_del(model->state, bridge);
	model_save_or_log(model);
	return r;
}

int model_bridge_ageing(struct model *model, const char *name, uint32_t seconds, struct err *err)
{
	struct state_bridge *bridge = model_bridge(model, name, err);
	if (!bridge)
		return -ENOENT;
	int r = sw_bridge_ageing(name, seconds, err);
	if (r)
		return r;
	bridge->ageing = seconds;
	model_save_or_log(model);
	return 0;
}

int model_host_add(struct model *model, const char *name, const uint8_t *mac, uint32_t mtu, struct err *err)
{
	struct state_bridge *bridge = model_bridge(model, name, err);
	if (!bridge)
		return -ENOENT;
	if (bridge->host)
		return err_set(err, -EEXIST, "bridge %s has its host port already", name);
	int r = host_up(bridge, mac, mtu, err);
	if (r)
		return r;
	r = model_save(model, err);
	if (r)
		host_down(bridge);
	return r;
}

/* The bridge called `name`, where it has a host port; else NULL, and *err says so. */
static struct state_bridge *find_host(const struct model *model, const char *name, struct err *err)
{
	struct state_bridge *bridge = model_bridge(model, name, err);
	if (!bridge || bridge->host)
		return bridge;
	err_set(err, -ENOENT, "bridge %s has no host port; give it one with `xbar bridge set %s --host on`", name,
		name);
	return NULL;
}

int model_host_del(struct model *model, const char *name, struct err *err)
{
	struct state_bridge *bridge = find_host(model, name, err);
	if (!bridge)
		return -ENOENT;
	host_down(bridge);
	model_save_or_log(model);
	return 0;
}

int model_host_mtu(struct model *model, const char *name, uint32_t mtu, struct err *err)
{
	struct state_bridge *bridge = find_host(model, name, err);
	if (!bridge)
		return -ENOENT;
	int r = sw_port_mtu(name, mtu, err);
	if (r)
		return r;
	bridge->host_mtu = mtu;
	model_save_or_log(model);
	return 0;
}

int model_host_mac(struct model *model, const char *name, const uint8_t mac[6], struct err *err)
{
	struct state_bridge *bridge = find_host(model, name, err);
	if (!bridge)
		return -ENOENT;
	int r = sw_host_mac(name, mac, err);
	if (r)
		return r;
	memcpy(bridge->host_mac, mac, sizeof(bridge->host_mac));
	model_save_or_log(model);
	return 0;
}
