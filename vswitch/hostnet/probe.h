/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asking neighbours of the host whether they are there, by ARP (IPv4) and neighbour solicitation (IPv6).
 *
 * Model. The kernel's neighbour table asks; here is only who is to be asked, again and again, and who has answered. One
 * whose MAC address an administrator has set is never asked by the kernel, and counts as silent.
 *
 * Threads. The thread of the event loop. Ownership. probe_free() may be called from the call back.
 *
 * Errors. 0 or -errno with a sentence in *err. What fails later (the netdev goes) is silence.
 */
#ifndef XBAR_NETPROBE_H
#define XBAR_NETPROBE_H

#include "record.h"

#define NETPROBE_MAX 16 /* neighbours; more are passed over */

struct event_base;
struct probe;

/*
 * Ask `addresses` (IPv4 and IPv6, with spaces between) on netdev `netdev`, or on the one named behind a %. done() is called
 * once, from the loop: as soon as all have answered, or after `ms`.
 */
int probe_start(struct event_base *base, const char *netdev, const char *addresses, unsigned ms,
		void (*done)(struct probe *probe, void *arg), void *arg, struct probe **out, struct err *err);
void probe_free(struct probe *probe); /* NULL: nothing */
/* Those that have answered until now, or those that have not; with spaces between. */
void probe_list(const struct probe *probe, bool answered, char list[NETREC_GATEWAYS]);
/* Milliseconds until done() at the latest. */
unsigned probe_left(const struct probe *probe);

#endif
