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

struct netwait;

struct netwait *netwait_new(struct xbard *xbard); /* NULL: no memory */
void netwait_free(struct netwait *nw); /* after netwait_end(); NULL: nothing */
/* The request is answered now or later. */
void netwait_add(struct netwait *nw, struct ctl_request *req);
/* The daemon stops: tell those who wait. */
void netwait_end(struct netwait *nw);

#endif
