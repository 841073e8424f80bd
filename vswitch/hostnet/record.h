/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The record of what a bridge has taken over from the host: all that is needed to give it back, by this daemon or by
 * the next one. One file per bridge, RUNDIR/net/BRIDGE.json; it exists before the first change and until the last one is
 * undone.
 *
 * Threads. The control thread's alone. Ownership. A record owns its snapshot: record_fini().
 *
 * Errors. 0 or -errno with a sentence in *err.
 */
#ifndef XBAR_NETREC_H
#define XBAR_NETREC_H

#include <net/if.h>
#include <stdbool.h>

#include "vswitch/hostnet/rtnl/rtnl.h"

#define NETREC_GATEWAYS 512

struct record {
	char bridge[IFNAMSIZ]; /* and its host port */
	char netdev[IFNAMSIZ]; /* as it was called; for a private bridge "dummyN", there or not */
	char uplink[IFNAMSIZ]; /* as it is called while it is taken ("peth0"); "": a private bridge */
	bool there; /* the netdev exists: its configuration moves */
	bool had_bridge, had_host; /* before: they stay when all is given back */
	bool done; /* all steps were applied */
	unsigned confirm; /* seconds in which `gateways` are to answer, else all goes back; 0: no matter */
	char gateways[NETREC_GATEWAYS]; /* that answered before the change, with spaces between */
	struct rtnl_snap *snap; /* what the netdev had, or what the host port is given */
};

/* Read the record of `bridge`. -ENOENT, without a sentence, where there is none. */
int record_load(const char *rundir, const char *bridge, struct record *rec, struct err *err);
/* Write it; after 0 it outlives a crash. */
int record_save(const char *rundir, const struct record *rec, struct err *err);
/* What is not there is no error. */
int record_remove(const char *rundir, const struct record *rec, struct err *err);
void record_fini(struct record *rec);

/*
 * Every record, in the order of their bridges' names; one that cannot be read is passed as NULL with *err set. `fn`
 * returns false to stop, and takes what it keeps of a record by setting rec->snap to NULL.
 */
void record_each(const char *rundir, bool (*fn)(struct record *rec, const struct err *err, void *arg), void *arg);
/* The record whose netdev or uplink is called `netdev`. -ENOENT, without a sentence, where there is none. */
int record_find(const char *rundir, const char *netdev, struct record *rec, struct err *err);

#endif
