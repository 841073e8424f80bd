/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Waiting for netdevs to appear, for so many seconds.
 *
 * Threads. The thread of the event loop. Ownership. wait_free() may be called from the callback.
 *
 * Errors. 0 or -errno with a sentence in *err.
 */
#ifndef XBAR_WAIT_H
#define XBAR_WAIT_H

#include <stdbool.h>

#include "vswitch/base/err.h"

struct event_base;
struct wait;

/*
 * Call look() from the loop whenever a netdev may have appeared after this returns, and for the `last` time after `seconds`.
 */
int wait_start(struct event_base *base, unsigned seconds, void (*look)(struct wait *wait, bool last, void *arg),
	       void *arg, struct wait **out, struct err *err);
void wait_free(struct wait *wait); /* NULL: does nothing */

#endif
