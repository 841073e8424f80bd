/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parses and checks a vif's two directories in xenstore: the toolstack's (backend/vif/D/N) and the guest's.
 *
 * Model. Values come from a callback, so that they may come from a transaction or a test. Each node is read once.
 *
 * Threads: no shared state. Errors: 0, or -EINVAL with a struct err that names the node.
 */
#ifndef XBAR_XENBACK_PARSE_H
#define XBAR_XENBACK_PARSE_H

#include "vswitch/base/err.h"
#include "xenback_vif.h"

#define XB_MAX_QUEUES "multi-queue-max-queues" /* our own node: how many queues frontends are offered */

/* The value of `node` (relative to the directory), on the heap and NUL-terminated; NULL: there is none. */
struct xb_source {
	char *(*get)(void *arg, const char *node);
	void *arg;
};

/* A decimal number of digits only. false: `text` is not one, or it is more than `max`. */
bool xb_number(const char *text, uint64_t max, uint64_t *number);

/* Fill all of *vif except `guest` and `adopted`. An absent value gets its default; a malformed one is an error. */
int xb_parse_vif(const struct xb_source *from, uint32_t domid, uint32_t devid, struct xenback_vif *vif,
		 struct err *err);
/* Fill *rings from a frontend's directory. */
int xb_parse_rings(const struct xb_source *from, uint32_t domid, unsigned max_queues, struct xenback_rings *rings,
		   struct err *err);

#endif
