/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a vif's two directories in xenstore say, checked: the toolstack's (backend/vif/D/N) and the guest's.
 *
 * Model. Values come from a call, so that they may be a transaction's or a test's. Each node is asked for once.
 *
 * Threads: no shared state. Errors: 0 or -EINVAL, and then why[0..size) holds a sentence that names the node.
 */
#ifndef XBAR_XENBACK_PARSE_H
#define XBAR_XENBACK_PARSE_H

#include "xenback_vif.h"

#define XB_MAX_QUEUES "multi-queue-max-queues" /* our own node: what frontends are offered */

/* The value of `node` (relative to the directory), on the heap, with a NUL behind it; NULL: there is none. */
struct xb_source {
	char *(*get)(void *arg, const char *node);
	void *arg;
};

/* A decimal number without sign, blanks or anything behind it. */
bool xb_number(const char *text, uint64_t max, uint64_t *number);

/* Fill all of *vif but `guest` and `adopted`. An absent value gets its default; one that makes no sense is an error. */
int xb_parse_vif(const struct xb_source *from, uint32_t domid, uint32_t devid, struct xenback_vif *vif, char *why,
		 size_t size);
/* Fill *rings from a frontend's directory. */
int xb_parse_rings(const struct xb_source *from, uint32_t domid, unsigned max_queues, struct xenback_rings *rings,
		   char *why, size_t size);

#endif
