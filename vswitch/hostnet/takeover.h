/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Putting a netdev of the host behind a bridge of the switch, and giving it back.
 *
 * Model. A request is checked against what exists (takeover_check.c), and becomes a record (record.h) and a plan (plan.h):
 *
 *	step      applied                        | undone
 *	keep      the record is written          | the netdev gets back everything that is missing; the record is removed
 *	up        the netdev is set up           | and down again, if it was
 *	rename    eth0 -> peth0, if wanted       | and back
 *	bridge    made, unless it exists         | deleted; stays while guests are on it
 *	host-port made, with the netdev's MAC, MTU and settings | deleted, unless it existed before
 *	uplink    the netdev given to the switch, coalescing no frames | taken from it
 *	move      addresses, routes and neighbours go to the host port; policy rules and nexthop objects follow, VLAN netdevs
 *	          are recreated on it            | and back, with what has changed meanwhile
 *	commit    the record says that all is done
 *
 * Only `move` interrupts the host's traffic (and `rename` on kernels before 6.2). A private bridge (netdev=dummyN) has
 * neither `up`, `rename` nor `uplink`.
 *
 * The host port is a persistent TAP: if xbard dies it keeps addresses and routes, and the host is cut off until xbard runs
 * again, or until the record is undone. A start of a bridge whose record says "done" adopts what exists; if the record does
 * not say so, it is undone first.
 *
 * Threads. The control thread's alone. Ownership. The environment and a want's strings are the caller's.
 *
 * Errors. 0 or -errno with a sentence in *err.
 */
#ifndef XBAR_TAKEOVER_H
#define XBAR_TAKEOVER_H

#include "plan.h"
#include "record.h"
#include "vswitch/switch/switch.h"

struct takeover_env { /* what a takeover works on; the subsystem has one */
	struct rtnl *rtnl; /* the kernel's network configuration */
	struct records *records; /* what bridges have taken over */
};

struct takeover_want {
	const char *netdev; /* NULL: the default route's, or ethVIFNUM */
	const char *bridge; /* NULL: xenbrVIFNUM */
	int vifnum; /* -1: from the netdev's name */
	int rename; /* 1, 0; -1: only if the netdev is called ethN */
	const char *address; /* NULL, or addresses separated by commas: the host port gets them too */
};

struct takeover {
	const struct takeover_env *env;
	struct record *rec;
	bool again; /* the record existed, and was done: adopt */
	bool unfinished; /* the record existed, and was not done: undo it first */
	char note[256]; /* what the requester should know, though it is not an error; "": nothing */
	long moved_us; /* how long `move` took: the interruption of the host's traffic */
};

/*
 * Check `want` and fill *t; changes nothing. -ENODEV if the netdev does not exist (yet). On success free with
 * takeover_fini(). Reading /etc/network/interfaces, for a private bridge alone, takes up to IFUPDOWN_TIMEOUT_MS twice.
 */
int takeover_open(struct takeover *t, const struct takeover_env *env, const struct takeover_want *want,
		  struct err *err);
/* Fill *t from the record of `bridge`, or of `netdev` if that is NULL. -ENOENT, without a sentence, if there is none. */
int takeover_open_record(struct takeover *t, const struct takeover_env *env, const char *bridge, const char *netdev,
			 struct err *err);
void takeover_fini(struct takeover *t);

/* The steps; NULL: no memory. Valid as long as *t. */
struct plan *takeover_plan(struct takeover *t);
/* Apply the first `until` steps (0: all). */
int takeover_start(struct takeover *t, unsigned until, struct err *err);
/* Give everything back. -ENODEV, and nothing was done, if the netdev is gone. */
int takeover_stop(struct takeover *t, struct err *err);
/* Give back what `bridge` has taken over. -ENOENT, without a sentence, if it has no record. */
int takeover_give_back(const struct takeover_env *env, const char *bridge, struct err *err);

#endif
