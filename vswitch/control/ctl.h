/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket: a unix stream socket on which clients send one JSON object per line, and get one back for each, in
 * order (tool/client.h says the form). commands.h has what can be asked.
 *
 * Model. Who connects is known by SO_PEERCRED and SO_PEERGROUPS: root and members of the configured group may act, all
 * others may look. A client's next line is read when its last one has been answered.
 *
 * Limits. A line is at most CTL_LINE_MAX bytes. Root may have CTL_ROOT_MAX clients connected, any other user CTL_USER_MAX,
 * and all others together CTL_CLIENTS_MAX, of which CTL_READERS_MAX may only look: nobody keeps out who may do more. In a
 * turn of the loop, one request of a client is worked on, and those of clients that may only look after everything else.
 * What these are refused is logged at a bounded rate. A client that sends nothing for CTL_IDLE_S seconds, or does not read
 * its answer for as long, is cut off.
 *
 * Threads. The control thread's alone.
 */
#ifndef XBAR_CTL_H
#define XBAR_CTL_H

#include "commands.h"
#include "vswitch/base/err.h"

#define CTL_LINE_MAX 65536
#define CTL_ROOT_MAX 64
#define CTL_USER_MAX 8
#define CTL_CLIENTS_MAX 64
#define CTL_READERS_MAX 32
#define CTL_IDLE_S 60

struct ctl;

/*
 * Listen on parts->daemon->socket_path; a socket that is left there is replaced: the caller holds the daemon's
 * lock. `parts` must outlive it. Clients can connect, and wait until ctl_begin(). 0 or -errno with *err.
 */
int ctl_open(const struct parts *parts, struct ctl **out, struct err *err);
/* Serve clients from now on. */
int ctl_begin(struct ctl *ctl, struct err *err);
/* Cut all clients off and remove the socket. Requests that were not answered are dropped. */
void ctl_close(struct ctl *ctl);
/*
 * Who may act from now on: members of group `name`; "": root alone. -ENOENT with *err where there is no such group; where
 * `optional` is set, that means root alone. Clients keep the right that they connected with.
 */
int ctl_set_group(struct ctl *ctl, const char *name, bool optional, struct err *err);
/* The group that may act, or -1. */
int ctl_group(const struct ctl *ctl);

#endif
