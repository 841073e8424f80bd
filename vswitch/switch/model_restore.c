/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way back: after a crash the file says what there was. It is made again in the order in which things need each
 * other, bridges first. What cannot be made again (a netdev that is gone) is logged and forgotten, so that one loss does
 * not keep the daemon from serving the rest.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model_impl.h"
#include "vswitch/base/log.h"

static void move_aside(const char *path)
{
	char bad[PATH_MAX];

	if ((size_t)snprintf(bad, sizeof(bad), "%s.bad", path) < sizeof(bad) && !rename(path, bad))
		log_error("starting without the state of before; the file is now %s", bad);
	else
		log_error("starting without the state of before; cannot move %s aside: %s", path, strerror(errno));
}

void model_restore(struct model *model)
{
	const struct state_bridge *bridge;
	const struct state_uplink *uplink;
	const struct state_vif *vif;
	struct err err = {0};
	unsigned made = 0, lost = 0;

	struct state *old = state_new();
	if (!old) {
		log_error("no memory to restore what was set before");
		return;
	}
	int r = state_load(old, model->path, &err);
	if (r == -ENOENT)
		goto out;
	if (r) {
		log_error("%s", err.text);
		move_aside(model->path);
		goto out;
	}

#define RESTORE(what, act, name)                                                                                       \
	do {                                                                                                           \
		if (act) {                                                                                             \
			log_error("cannot restore " what " %s: %s", name, err.text);                                   \
			lost++;                                                                                        \
		} else {                                                                                               \
			made++;                                                                                        \
		}                                                                                                      \
	} while (0)

	model->restoring = true;
	for (bridge = TAILQ_FIRST(&old->bridges); bridge; bridge = TAILQ_NEXT(bridge, link))
		RESTORE("bridge", model_bridge_add(model, bridge, &err), bridge->name);
	for (uplink = TAILQ_FIRST(&old->uplinks); uplink; uplink = TAILQ_NEXT(uplink, link))
		RESTORE("uplink", model_uplink_add(model, uplink, &err), uplink->netdev);
	for (vif = TAILQ_FIRST(&old->vifs); vif; vif = TAILQ_NEXT(vif, link))
		RESTORE("vif", model_vif_add(model, vif, &err), vif->name);
	model->restoring = false;
#undef RESTORE

	model_save_or_log(model);
	log_info("restored %u of %u bridges, uplinks and vifs from %s", made, made + lost, model->path);
out:
	state_free(old);
}

void model_forget(struct model *model)
{
	if (unlink(model->path) && errno != ENOENT)
		log_warn("cannot remove %s: %s", model->path, strerror(errno));
}
