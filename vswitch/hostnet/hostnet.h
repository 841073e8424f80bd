/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The network of the host: bridges that take over its netdevs, for the network hooks.
 *
 * A start is a request (confirm.h) that becomes a takeover (takeover.h): a plan of steps (plan.h), made from what the kernel
 * says of the netdev (rtnl/), and a record on disk by which it can be undone (record.h). Gateways confirm it (probe.h), or it
 * is undone. A netdev that does not exist yet is waited for (wait.h). Until the bridge is stopped, follow.h follows what
 * others do to its netdev.
 *
 * control/cmd_net.c, which has the commands, and the daemon's main part use this header; nobody includes the others but
 * through it.
 *
 * Threads. The control thread's alone.
 */
#ifndef XBAR_HOSTNET_H
#define XBAR_HOSTNET_H

#include "confirm.h"

struct daemon;
struct hostnet; /* one per daemon */

/* Reads the records below daemon->rundir. `daemon` outlives it. 0 or -errno with *err. */
int hostnet_new(const struct daemon *daemon, struct hostnet **out, struct err *err);
void hostnet_free(struct hostnet *hostnet); /* NULL: does nothing */
/* The switch is restored: continue what the previous daemon did not complete, and follow changes. */
void hostnet_begin(struct hostnet *hostnet);
/*
 * The loop is about to end: tell whoever waits. Unless `keep` leaves everything for the next daemon, give back now what the
 * network-script has not, since host ports are about to vanish with the host's addresses.
 */
void hostnet_end(struct hostnet *hostnet, bool keep);

/*
 * Whether a record says that the host's network depends on bridge `bridge`, or on uplink `uplink` (either may be NULL): then
 * *err tells who wants to delete that how to do it.
 */
bool hostnet_holds(struct hostnet *hostnet, const char *bridge, const char *uplink, struct err *err);

/* ---- for the commands -------------------------------------------------------------------------------------------- */

/* Start *request; its done() is called in any case. */
void hostnet_start(struct hostnet *hostnet, const struct confirm_request *request);
/* What a start would do. 0: *t is filled, until takeover_fini(); nothing is changed. */
int hostnet_plan(struct hostnet *hostnet, const struct takeover_want *want, struct takeover *t, struct err *err);
/*
 * Stop `bridge`, or the one of `netdev` (both: they must be of one record; neither: the only one), and end its start if that
 * is under way. 0: *t says what was given back, until takeover_fini(). -ENOENT, without a sentence: there is nothing to stop.
 */
int hostnet_stop(struct hostnet *hostnet, const char *bridge, const char *netdev, struct takeover *t, struct err *err);
/* As confirm_accept(). */
int hostnet_confirm(struct hostnet *hostnet, const char *bridge, struct err *err);
/* As confirm_left(). */
int hostnet_left(const struct hostnet *hostnet, const char *bridge, char missing[RECORD_GATEWAYS]);
/* All records, valid until the loop runs. */
const struct record_list *hostnet_records(struct hostnet *hostnet);
/* Does the switch have the record's uplink now? */
bool hostnet_uplink_there(const struct record *rec);

#endif
