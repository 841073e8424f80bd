/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Putting a netdev of the host under a bridge of the switch, and giving it back.
 *
 * Model. What is asked for is checked against what is there, and becomes a record (netrec.h) and a plan (plan.h):
 *
 *	keep      the record is written          | the netdev gets back all that is missing; the record is removed
 *	up        the netdev is set up           | and down again, if it was
 *	rename    eth0 -> peth0, where wanted    | and back
 *	bridge    made, unless it is there       | deleted; stays while guests are on it
 *	host-port made, with the netdev's MAC, MTU and settings | deleted, unless it was there before
 *	uplink    the netdev given to the switch, merging no frames | taken from it
 *	move      addresses, routes and neighbours go to the host port | and back, with what has changed meanwhile;
 *	          policy rules and nexthop objects follow, VLAN netdevs are made anew on it
 *	commit    the record says that all is done
 *
 * Traffic of the host is interrupted by `move` alone (and by `rename` on kernels before 6.2). A private bridge
 * (netdev=dummyN) has neither `up`, `rename` nor `uplink`.
 *
 * The host port is a persistent TAP: where xbard dies it keeps addresses and routes, and the host is cut off until xbard
 * runs again, or until the record is undone. A plan for a bridge whose record says "done" adopts what is there; one for a
 * record that does not is preceded by undoing it.
 *
 * Threads. The control thread's alone.
 *
 * Errors. 0 or -errno with a sentence in *err.
 */
#ifndef XBAR_TAKEOVER_H
#define XBAR_TAKEOVER_H

#include "plan.h"
#include "record.h"
#include "vswitch/switch/model.h"

struct takeover_want {
	const char *netdev; /* NULL: the default route's, or ethVIFNUM */
	const char *bridge; /* NULL: xenbrVIFNUM */
	int vifnum; /* -1: from the netdev's name */
	int rename; /* 1, 0; -1: where the netdev is called ethN */
	const char *address; /* NULL, or addresses with commas between: the host port gets them too */
};

struct takeover {
	struct model *model;
	struct rtnl *nc;
	const char *rundir;
	struct record rec;
	bool again; /* the record was there, and done: adopt */
	bool restart; /* the record was there, and not done: undo it first */
	long moved_us; /* how long `move` took: the interruption of the host's traffic */
};

/*
 * Check `want` and fill *t; changes nothing. -ENODEV where the netdev is not there (yet): t->rec.netdev says which. On
 * success free with takeover_fini().
 */
int takeover_open(struct takeover *t, struct model *model, const char *rundir, const struct takeover_want *want,
		  struct err *err);
/* Fill *t from the record of `bridge`, or of `netdev` where that is NULL. -ENOENT, without a sentence: there is none. */
int takeover_open_record(struct takeover *t, struct model *model, const char *rundir, const char *bridge,
			 const char *netdev, struct err *err);
void takeover_fini(struct takeover *t);

/* The steps; NULL: no memory. Valid as long as *t. */
struct plan *takeover_plan(struct takeover *t);
/* Apply the first `until` steps (0: all). */
int takeover_start(struct takeover *t, unsigned until, struct err *err);
/* Give everything back. -ENODEV, and nothing was done, where the netdev is gone. */
int takeover_stop(struct takeover *t, struct err *err);

#endif
