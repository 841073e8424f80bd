/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Following what others do to a netdev that a bridge has taken over (takeover.h), as far as it concerns the host port.
 *
 * Model. The kernel's events only say when to look; what to do follows from comparing the present state with that of the
 * last look, so that a storm of events, or a lost one, does no harm. A look waits until events pause.
 *
 *	MTU, MAC of the uplink   the host port gets the same; for the MTU the uplink is reopened
 *	carrier of the uplink    the host port has carrier as long as the uplink, or a guest on the bridge, is connected, like a
 *	                         bridge of the kernel
 *	addresses and routes     that somebody (a DHCP client, ifup) sets on the uplink move to the host port
 *	MAC of the host port     set by hand, or of a netdev on it: the switch is told (host_macs.h)
 *	renamed                  the record and the port follow
 *	gone                     reported in the log and by `xbar net status`; the host keeps its addresses on the host port
 *	back                     under its own name or the uplink's: taken over again, with its MAC and MTU
 *
 * Limits. Only uplinks of the network hooks are followed, and every host port.
 *
 * Threads. The thread of the event loop. Errors are logged.
 */
#ifndef XBAR_FOLLOW_H
#define XBAR_FOLLOW_H

#include "takeover.h"

struct event_base;
struct follow; /* one per daemon */

/*
 * Look, and look again whenever something changes; attached() is called after a look that has taken an uplink over again.
 * The arguments outlive it. NULL: not possible, and logged.
 */
struct follow *follow_new(struct event_base *base, const struct takeover_env *env, void (*attached)(void *arg),
			  void *arg);
void follow_free(struct follow *follow); /* NULL: does nothing */

#endif
