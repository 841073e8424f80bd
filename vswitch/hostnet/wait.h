/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests to start a bridge on a netdev that is not there yet: each is tried again when a netdev comes, and for the last
 * time when its time is up.
 *
 * Threads. The control thread's alone.
 */
#ifndef XBAR_NETWAIT_H
#define XBAR_NETWAIT_H

#include "netctl.h"

#define NETWAIT_MAX_S 60

struct net_wait;

struct net_wait *net_wait_new(struct xbard *xbard); /* NULL: no memory */
void net_wait_free(struct net_wait *nw); /* after net_wait_end(); NULL: nothing */
/* The request is answered now or later. */
void net_wait_add(struct net_wait *nw, struct ctl_request *req);
/* The daemon stops: tell those who wait. */
void net_wait_end(struct net_wait *nw);

#endif
