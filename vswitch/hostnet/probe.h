/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asking neighbours of the host whether they answer, by ARP (IPv4) and neighbour solicitation (IPv6).
 *
 * Model. The kernel's neighbour table asks; a probe makes it ask the right ones again and again, and notes who has answered.
 * The kernel never asks for a neighbour whose MAC address an administrator has set: it counts as silent.
 *
 * Threads. The thread of the event loop. Ownership. probe_free() may be called from the callback.
 *
 * Errors. 0 or -errno with a sentence in *err. What fails later (the netdev goes) is silence.
 */
#ifndef XBAR_PROBE_H
#define XBAR_PROBE_H

#include "record.h"

#define PROBE_MAX 16 /* neighbours; more are ignored */

struct event_base;
struct probe;

/*
 * Ask `addresses` (IPv4 and IPv6, separated by spaces) on netdev `netdev`, or on the one named after a %. done() is called
 * once, from the loop: as soon as all have answered, or after `ms`. `rtnl` outlives the probe.
 */
int probe_start(struct event_base *base, struct rtnl *rtnl, const char *netdev, const char *addresses, unsigned ms,
		void (*done)(struct probe *probe, void *arg), void *arg, struct probe **out, struct err *err);
void probe_free(struct probe *probe); /* NULL: does nothing */
/* Those that have answered until now, or those that have not, separated by spaces. */
void probe_list(const struct probe *probe, bool answered, char list[RECORD_GATEWAYS]);
/* Milliseconds until done() at the latest. */
unsigned probe_left(const struct probe *probe);

#endif
