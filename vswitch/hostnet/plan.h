/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A plan: a list of steps that can be printed before anything is done, applied in order, and undone in reverse.
 *
 * Model. A step is a kind, a text that describes this very step to a person, and two functions over the plan's argument.
 * apply() succeeds if it finds its work already done. undo() must cope with a step that was applied wholly, in part, or not
 * at all, so that a plan can be undone by a process other than the one that applied it: after a crash nobody knows how far
 * it got.
 *
 * Threads: none of its own. Ownership: the plan owns its texts; the argument stays the caller's.
 *
 * Errors. 0 or -errno with a sentence in *err.
 */
#ifndef XBAR_PLAN_H
#define XBAR_PLAN_H

#include <stdbool.h>

#include "vswitch/base/err.h"

enum plan_kind {
	PLAN_KEEP, /* write down the present configuration; undone: restore it */
	PLAN_BRIDGE, /* a bridge of the switch */
	PLAN_HOST_PORT, /* the netdev through which the host is on the bridge */
	PLAN_LINK_UP, /* a netdev set up */
	PLAN_RENAME, /* a netdev renamed */
	PLAN_UPLINK, /* a netdev given to the switch */
	PLAN_MOVE, /* addresses, routes and neighbours moved to another netdev */
	PLAN_ADDRESS, /* addresses given to a netdev */
	PLAN_COMMIT, /* note that all is done */
	PLAN_KIND_MAX
};

/* "keep", "bridge", ...; stable, for scripts. */
const char *plan_kind_name(enum plan_kind kind);

typedef int plan_act(void *arg, struct err *err);

struct plan;

struct plan *plan_new(void *arg); /* NULL: no memory */
void plan_free(struct plan *plan); /* NULL: does nothing */

/* Append a step. Either function may be NULL: nothing to do. -ENOMEM, which plan_apply() reports too: it need not be checked. */
int plan_add(struct plan *plan, enum plan_kind kind, plan_act *apply, plan_act *undo, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* Step `i`, counted from 0; the text is the plan's. NULL after the last one. */
const char *plan_step(const struct plan *plan, unsigned i, enum plan_kind *kind);

/*
 * Apply the first `until` steps (0: all). If one fails, it and those before it are undone in reverse, and the result is its
 * error; undoing continues past failures, whose sentences are appended to *err.
 */
int plan_apply(const struct plan *plan, unsigned until, struct err *err);
/* Undo all steps in reverse, whatever was applied. Continues past failures; the first one's error is the result. */
int plan_undo(const struct plan *plan, struct err *err);

#endif
