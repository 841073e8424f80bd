/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The netback handshake: every vif that a toolstack writes to xenstore below backend/vif, through its XenbusStates
 * (xen/include/public/io/xenbus.h, netif.h) from "wanted" to "gone".
 *
 * Model. One watch on backend/vif of our own domain (which need not be domain 0), one on each frontend's state. What
 * xenstore says is read afresh, in a transaction where several values must belong together, after every event; each vif
 * is then brought one step nearer to what is wanted (xenback.c has the table). Nothing read from a frontend's directory is
 * trusted: it is the guest's.
 *
 * Limits. A request to xenstored waits for its answer. Directories are the toolstack's: none is made or removed here.
 *
 * Threads. One: the control thread. xenback_open() and xenback_read() call the ops back; they may call nothing of this.
 *
 * Errors. 0 or -errno, and then why[0..size) holds a sentence. What is wrong with a vif is told to ops->trouble, and
 * written to error/backend/vif/D/N/error in xenstore, as the kernel's backends do. Where it is the frontend that is at
 * fault, the vif goes to Closing; where the vif itself cannot be had, it goes to InitWait and no further, so that the
 * toolstack goes on at once to run its script, which says why and fails.
 */
#ifndef XBAR_XENBACK_H
#define XBAR_XENBACK_H

#include <stddef.h>

#include "xenback_vif.h"

struct xenback_ops {
	/* A vif is wanted: make its port, on no bridge (its script joins it), or adopt the one that is there. */
	int (*attach)(void *arg, const struct xenback_vif *vif, char *why, size_t size);
	/* The frontend is ready, and hotplug-status is "connected". */
	int (*connect)(void *arg, const char *name, const struct xenback_rings *rings, char *why, size_t size);
	/* The frontend closes, or is gone. The port stays. */
	void (*disconnect)(void *arg, const char *name);
	/* A connected frontend changes what it said of rings->multicast_control. */
	void (*multicast)(void *arg, const char *name, bool on);
	/* The vif is gone: delete its port. Called only where attach() returned 0. */
	void (*detach)(void *arg, const char *name);
	/* For the log: what is wrong with a vif, a sentence; of what a guest can cause, at most one a second and vif. */
	void (*trouble)(void *arg, const char *name, const char *why);
};

struct xenback;

/*
 * Go through all vifs that there are, adopt those that are connected, and wait for more. Frontends are offered up to
 * `max_queues`. -ENODEV: this is no Xen host, or there is no xenstored. -EBUSY: the kernel's xen-netback is loaded.
 */
int xenback_open(const struct xenback_ops *ops, void *arg, unsigned max_queues, struct xenback **out, char *why,
		 size_t size);
/* Frontends stay connected, for the next daemon to adopt. NULL: nothing. */
void xenback_close(struct xenback *xb);
int xenback_fd(const struct xenback *xb); /* readable when xenstore has something to say */
void xenback_read(struct xenback *xb);

#endif
