/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of switch.h share; nobody else includes this.
 */
#ifndef XBAR_SWITCH_IMPL_H
#define XBAR_SWITCH_IMPL_H

#include "bridge/bridge.h"
#include "switch.h"

/* MAC addresses: of all, of a guest, and of what is beyond an uplink, which is many */
#define FDB_ENTRIES 262144
#define FDB_LIMIT 2048
#define FDB_LIMIT_UPLINK 65536

/* MAC addresses that may move to a guest's port in a second. An uplink's, and the host's, may all move at once. */
#define FDB_MOVES 16

struct sw {
	struct fdb *fdb;
	struct br_conf *conf;
	uint32_t ageing; /* of bridges that have none of their own, seconds */
	char *state_dir; /* NULL: the state is not kept */
	bool restoring; /* the files are being read: none is written */
	uint64_t order; /* of what was made last */
	struct bridges bridges;
	struct ports ports;
	unsigned nports, max_ports;
	struct names_table bridge_names, port_names;
	struct bridge *bridge[BR_BRIDGE_MAX]; /* by id */
	struct port *port[BR_PORT_MAX];
};

extern struct sw sw; /* switch.c */

/*
 * What the workers see from now on: `conf` (taken over on success), and the ports less `without` (NULL: all). On failure
 * nothing has changed.
 */
int publish(struct br_conf *conf, const struct port *without, struct err *err);

/* Give `bridge` the host port that `want` asks for; no file is written. */
int bridge_host_up(struct bridge *bridge, const struct bridge_conf *want, struct err *err);

/* The port called `name`; else NULL, and *err says so. */
struct port *port_find(const char *name, struct err *err);
struct bridge *bridge_get(const char *name); /* sw_bridge(), to be changed */
struct bridge *bridge_find(const char *name, struct err *err); /* sw_bridge_find(), likewise */
/* 0, or -EEXIST if a bridge or a port is called `name`. */
int name_is_free(const char *name, struct err *err);

/*
 * Make the port of `conf`, on bridge `on` (NULL: on none), and show it to the workers; no file is written. The name was
 * checked.
 */
int port_make(const struct port_conf *conf, const struct bridge *on, struct port **out, struct err *err);
/* Take it away from the workers and free it; no file is removed. */
int port_unmake(struct port *port, struct err *err);

/* Put the static addresses of `port` into the MAC table of the bridge that it is on now, or take them out. */
void macs_show(const struct port *port);
void macs_hide(const struct port *port);
/* Log the addresses that have moved from guest to guest since the last call. */
void macs_log_moves(void);

/* Change its MTU, and not its record. */
int port_set_mtu(struct port *port, uint32_t mtu, struct err *err);

/* Write the file of a port (a host port's is its bridge's) or a bridge, unless the state is not kept. */
int port_save(const struct port *port, struct err *err);
int bridge_save(const struct bridge *bridge, struct err *err);
/* Remove the file of the bridge or port `name`. What cannot be removed is logged. */
void file_remove(const char *name);
/* For acts that are not undone: log what save() returned, if it failed. */
void log_unsaved(int r, const struct err *err);

#endif
