/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Starting a bridge on a netdev of the host so that a mistake, or a switch port that does not like it, costs the host its
 * network for seconds and not until somebody walks there: the start is undone by itself unless gateways answer.
 *
 * Model. A start goes through two phases:
 *
 *	asking      nothing is changed yet: which next hops of the netdev's default routes answer? At most two seconds.
 *	confirming  all is done: every gateway that answered before must answer again, IPv4 and IPv6 alike, now asked from the
 *	            host port, within so many seconds. As soon as they have, the start is confirmed; else all goes back.
 *
 * A gateway that was silent before is not waited for. Where none answered before, or there is none, nothing can be
 * confirmed: the start holds, and its answer says so. The request is answered at the end; who starts the same bridge
 * meanwhile waits for the same end.
 *
 * The record on disk (netrec.h) has the gateways until the start is confirmed. A daemon that finds such a record goes on
 * with confirming, from the full time.
 *
 * Threads. The control thread's alone.
 */
#ifndef XBAR_NETCONFIRM_H
#define XBAR_NETCONFIRM_H

#include "netctl.h"

#define NETCONFIRM_DEFAULT_S 10
#define NETCONFIRM_MAX_S 300 /* less than a client waits for its answer */

struct xbard;

struct confirm *confirm_new(struct xbard *xbard); /* NULL: no memory */
void confirm_free(struct confirm *nc); /* after confirm_end(); NULL: nothing */
/* The daemon stops: answers whoever waits; what is unconfirmed stays so. */
void confirm_end(struct confirm *nc);

/*
 * Start what `req` asks for. 0: the request is answered, or will be. -ENODEV with *err: its netdev is not there, and the
 * request is still the caller's.
 */
int confirm_start(struct confirm *nc, struct ctl_request *req, struct err *err);
/* Go on with the records that are not confirmed. */
void confirm_resume(struct confirm *nc);
/* Confirm by hand: 0, or -ENOENT where `bridge` (NULL: any) has nothing to be confirmed; -errno with *err. */
int confirm_accept(struct confirm *nc, const char *bridge, struct err *err);
/* Somebody stops `bridge`, or the one of `netdev` (either may be NULL; both: all): who waits for it is told. */
void confirm_cancel(struct confirm *nc, const char *bridge, const char *netdev);
/* Seconds left for the gateways of `bridge`, and which are missing; -1: it is not being confirmed. */
int confirm_left(const struct confirm *nc, const char *bridge, char missing[NETREC_GATEWAYS]);

#endif
