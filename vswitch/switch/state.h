/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What has been set: bridges, host ports, uplinks and vifs with all their attributes; and the file that keeps it, so
 * that a daemon that was killed has its ports again when it is started under running guests.
 *
 * Model. Plain data; nothing here touches the switch (model.h does both). The file is one JSON object, written to a
 * temporary file beside it, synced, and renamed over the old one.
 *
 * Threads. The control thread's alone. Ownership. Records belong to the state; pointers to them are valid until that
 * record is deleted.
 *
 * Errors. 0 or -errno, and then *err holds a sentence that names the file.
 */
#ifndef XBAR_STATE_H
#define XBAR_STATE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/un.h>

#include <jansson.h>

#include "switch.h"

#define STATE_PATH_MAX sizeof(((struct sockaddr_un *)0)->sun_path)

struct state_bridge {
	TAILQ_ENTRY(state_bridge) link;
	char name[IFNAMSIZ];
	uint32_t ageing; /* seconds; 0: the daemon's default */
	bool host; /* has a host port, named like the bridge */
	uint8_t host_mac[6]; /* all zeroes: not set yet */
	uint32_t host_mtu; /* 0: 1500 */
};

struct state_uplink {
	TAILQ_ENTRY(state_uplink) link;
	char netdev[VIF_NAME_MAX]; /* netdev or PCI address; also the port's name */
	char driver[16]; /* "": chosen by the switch */
	char bridge[IFNAMSIZ]; /* "": on none */
	uint32_t merging; /* ETHTOOL_GRO, ETHTOOL_LRO: what the netdev did before, and will again */
};

struct state_vif {
	TAILQ_ENTRY(state_vif) link;
	char name[VIF_NAME_MAX];
	char guest[128]; /* "": not told */
	int32_t devid; /* -1: not told */
	bool xen; /* a Xen guest's, as xenstore has it; else a vhost-user port */
	uint32_t domid; /* of a Xen guest */
	char bridge[IFNAMSIZ]; /* as it is now; "": on none */
	char want_bridge[IFNAMSIZ]; /* as it was asked for */
	char ip[256]; /* as written; "": any */
	uint8_t mac[6];
	uint32_t mtu; /* 0: 1500 */
	uint64_t rate_bytes_per_interval; /* 0: no limit */
	uint32_t rate_interval_usecs;
	bool trusted;
	char script[256]; /* "": the daemon's vif-script */
	uint16_t queues;
	bool server;
	bool hotplug; /* the vif-script runs for it */
	bool no_offload;
	char socket[STATE_PATH_MAX]; /* "" for a Xen guest's */
	bool pending; /* its script has not ended yet: not kept in the file */
};

TAILQ_HEAD(state_bridges, state_bridge);
TAILQ_HEAD(state_uplinks, state_uplink);
TAILQ_HEAD(state_vifs, state_vif);

struct state {
	struct state_bridges bridges;
	struct state_uplinks uplinks;
	struct state_vifs vifs;
};

struct state *state_new(void); /* NULL: no memory */
void state_free(struct state *state); /* NULL: nothing */
void state_clear(struct state *state); /* deletes all records */

/* Look-ups: NULL where there is none. */
struct state_bridge *state_bridge(const struct state *state, const char *name);
struct state_uplink *state_uplink(const struct state *state, const char *netdev);
struct state_vif *state_vif(const struct state *state, const char *name);

/* Add a copy of *record (its link is ignored); NULL: no memory. The caller has looked that the name is free. */
struct state_bridge *state_bridge_add(struct state *state, const struct state_bridge *record);
struct state_uplink *state_uplink_add(struct state *state, const struct state_uplink *record);
struct state_vif *state_vif_add(struct state *state, const struct state_vif *record);
void state_bridge_del(struct state *state, struct state_bridge *record);
void state_uplink_del(struct state *state, struct state_uplink *record);
void state_vif_del(struct state *state, struct state_vif *record);

/* All of it as JSON, less what is pending; and back. A member that is unknown, missing or out of bounds is an error. */
json_t *state_to_json(const struct state *state);
int state_from_json(struct state *state, const json_t *json, struct err *err);

/* Write the file at `path`; after 0 it outlives a crash. */
int state_save(const struct state *state, const char *path, struct err *err);
/*
 * Read the file at `path` into the empty `state`. -ENOENT, without a sentence, where there is none. -EINVAL where it
 * does not parse: err says at which line; `state` stays empty.
 */
int state_load(struct state *state, const char *path, struct err *err);

#endif
