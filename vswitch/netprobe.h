/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asking neighbours of the host whether they are there, by ARP (IPv4) and neighbour solicitation (IPv6).
 *
 * Model. The kernel's neighbour table asks; here is only who is to be asked, again and again, and who has answered. One
 * whose MAC address an administrator has set is never asked by the kernel, and counts as silent.
 *
 * Threads. The thread of the event loop. Ownership. netprobe_free() may be called from the call back.
 *
 * Errors. 0 or -errno with a sentence in *err. What fails later (the netdev goes) is silence.
 */
#ifndef XBAR_NETPROBE_H
#define XBAR_NETPROBE_H

#include "netrec.h"

#define NETPROBE_MAX 16 /* neighbours; more are passed over */

struct event_base;
struct netprobe;

/*
 * Ask `addresses` (IPv4 and IPv6, with spaces between) on netdev `netdev`, or on the one named behind a %. done() is called
 * once, from the loop: as soon as all have answered, or after `ms`.
 */
int netprobe_start(struct event_base *base, const char *netdev, const char *addresses, unsigned ms,
		   void (*done)(struct netprobe *probe, void *arg), void *arg, struct netprobe **out,
		   struct sw_err *err);
void netprobe_free(struct netprobe *probe); /* NULL: nothing */
/* Those that have answered until now, or those that have not; with spaces between. */
void netprobe_list(const struct netprobe *probe, bool answered, char list[NETREC_GATEWAYS]);
/* Milliseconds until done() at the latest. */
unsigned netprobe_left(const struct netprobe *probe);

#endif
