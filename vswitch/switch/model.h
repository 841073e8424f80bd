/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is wanted and what runs, changed together: every act here changes the running switch (switch.h), keeps the change
 * in the state (state.h) and writes the state's file. All that changes bridges or ports goes through here: the control
 * socket's commands, the network hooks, the restoring at start.
 *
 * Threads. The control thread's alone.
 *
 * Errors. 0 or -errno, and then *err holds one sentence for a person; nothing has changed then.
 */
#ifndef XBAR_MODEL_H
#define XBAR_MODEL_H

#include "state.h"
#include "switch.h"

struct model;

/* `path`: of the state's file. Nothing is read yet. NULL: no memory. */
struct model *model_new(const char *path);
/* Frees the model; the switch and the file stay as they are. */
void model_free(struct model *model);
/* What is set now: read only. */
const struct state *model_state(const struct model *model);
/* The bridge called `name`; else NULL, and *err names those that there are. */
struct state_bridge *model_bridge(const struct model *model, const char *name, struct err *err);

/*
 * Read the file and make in the switch what it names. What cannot be made is logged and forgotten. A file that cannot be
 * used is logged, moved aside to PATH.bad, and the model starts empty.
 */
void model_restore(struct model *model);
/* A clean end: there is nothing to restore any more; remove the file. */
void model_forget(struct model *model);

/* Make a bridge, and its host port where want->host. -EEXIST where there is one of that name. */
int model_bridge_add(struct model *model, const struct state_bridge *want, struct err *err);
/* Delete a bridge and its host port. -EBUSY while another port is on it. */
int model_bridge_del(struct model *model, const char *name, struct err *err);
int model_bridge_ageing(struct model *model, const char *name, uint32_t seconds, struct err *err);
/* Give a bridge its host port; `mac` NULL: random; mtu 0: 1500. -EEXIST where it has one. */
int model_host_add(struct model *model, const char *bridge, const uint8_t *mac, uint32_t mtu, struct err *err);
int model_host_del(struct model *model, const char *bridge, struct err *err);
int model_host_mtu(struct model *model, const char *bridge, uint32_t mtu, struct err *err);
int model_host_mac(struct model *model, const char *bridge, const uint8_t mac[6], struct err *err);

/*
 * Make an uplink port of want->netdev and, where want->bridge is set, put it on that bridge. The netdev merges received
 * frames no more; whether it did is kept, and model_uplink_del() sets it back.
 */
int model_uplink_add(struct model *model, const struct state_uplink *want, struct err *err);
int model_uplink_del(struct model *model, const char *netdev, struct err *err);

/*
 * Make the port of a vif: a Xen one where want->xen is set, without rings yet, else a vhost-user one. It is put on want->bridge unless want->pending is set: then it is on no bridge, and not kept
 * in the file until model_vif_ready(). A vhost-user one's want->socket must be set.
 */
int model_vif_add(struct model *model, const struct state_vif *want, struct err *err);
int model_vif_ready(struct model *model, const char *name, struct err *err);
/* What is known of a Xen vif, beside its bridge, becomes what `now` has: its directory in xenstore was read again. */
int model_vif_renew(struct model *model, const struct state_vif *now, struct err *err);
int model_vif_del(struct model *model, const char *name, struct err *err);

/* Put a vif or an uplink on a bridge, or take it off. Joining the bridge that it is on already is no error. */
int model_port_join(struct model *model, const char *port, const char *bridge, struct err *err);
int model_port_leave(struct model *model, const char *port, struct err *err);

#endif
