/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Following what others do to a netdev that a bridge has taken over (takeover.h), as far as the host port has to follow.
 *
 * Model. The kernel's events say when to look; what to do follows from what is there then, against what was there at the
 * last look, so that a storm of events, or one that was lost, does no harm. A look waits until events pause.
 *
 *	MTU, MAC of the uplink   the host port gets the same; for the MTU the uplink is opened anew
 *	carrier of the uplink    the host port has carrier as long as the uplink, or a guest on the bridge, is connected:
 *	                         as a bridge of the kernel has
 *	addresses and routes     that somebody (a DHCP client, ifup) gives to the uplink move to the host port
 *	renamed                  the record and the port follow
 *	gone                     said in the log and in `xbar net status`; the host keeps its addresses on the host port
 *	back                     under its own name or the uplink's: taken over again, with its MAC and MTU
 *
 * Limits. Only uplinks of the network hooks are followed.
 *
 * Threads. The thread of the event loop. Errors are logged.
 */
#ifndef XBAR_NETWATCH_H
#define XBAR_NETWATCH_H

struct follow;
struct xbard;

/* Look, and look again whenever something changes. NULL: not possible, and logged. */
struct follow *follow_new(struct xbard *xbard);
void follow_free(struct follow *watch); /* NULL: nothing */

#endif
