/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the daemon does about netdevs of the host: the commands behind the network hooks (net-start, net-stop, ...), the
 * wait for gateways after a start (confirm.h), and following what others do to a netdev meanwhile (netwatch.h).
 *
 * Threads. The control thread's alone.
 */
#ifndef XBAR_NETCTL_H
#define XBAR_NETCTL_H

#include "takeover.h"
#include "vswitch/control/commands.h"

struct xbard;
struct netctl; /* one per daemon */

struct netctl *netctl_new(struct xbard *xbard); /* NULL: no memory */
void netctl_free(struct netctl *netctl); /* NULL: nothing */
/* The model is restored: go on with what a daemon before this one had not come to an end with; follow changes. */
void netctl_begin(struct netctl *netctl);
/*
 * The loop is about to end: answer whoever waits. Unless all is to be kept for the next daemon, what the network-script
 * has not given back is given back now, since host ports are about to vanish with the host's addresses.
 */
void netctl_end(struct netctl *netctl, bool keep);

/*
 * Whether the host's network hangs on bridge `bridge`, or on uplink `uplink` (either may be NULL), by a record: who wants
 * to take that away is told the way out by *err.
 */
bool netctl_holds(const struct netctl *netctl, const char *bridge, const char *uplink, struct err *err);

/* ---- for its parts ----------------------------------------------------------------------------------------------- */

struct confirm;

struct confirm *netctl_confirm(const struct netctl *netctl);
/* What a request's words ask for; the strings are the request's. */
struct takeover_want netctl_want(const struct ctl_request *req);
/* A record as the commands show it. */
json_t *netctl_record(const struct xbard *xbard, const struct record *rec);

#endif
