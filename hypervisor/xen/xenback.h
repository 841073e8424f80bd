/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The netback handshake: every vif that a toolstack writes to xenstore below backend/vif is taken through its
 * XenbusStates (xen/include/public/io/xenbus.h, netif.h), from wanted to gone.
 *
 * Model. One watch on backend/vif of our own domain (which need not be domain 0), one on each frontend's state. After
 * every event xenstore is read again, in a transaction if several values must be consistent; each vif is then moved one
 * step towards what is wanted (xenback.c has the table). Nothing that is read from a frontend's directory is trusted,
 * since the guest writes it.
 *
 * Limits. Requests to xenstored are synchronous. The directories belong to the toolstack: none is created or removed here.
 *
 * Threads. The control thread only. xenback_open() and xenback_read() call the ops, which must not call back into this
 * module.
 *
 * Errors. 0 or -errno with a struct err. What is wrong with a vif goes to ops->trouble and, as with the kernel's
 * backends, to error/backend/vif/D/N/error in xenstore. If the frontend is at fault, the vif goes to Closing. If the vif
 * itself cannot be made, it stays in InitWait, so that the toolstack proceeds at once to run its script, which fails
 * with the reason.
 */
#ifndef XBAR_XENBACK_H
#define XBAR_XENBACK_H

#include <stddef.h>

#include "vswitch/base/err.h"
#include "xenback_vif.h"

struct xenback_ops {
	/* A vif is wanted: make its port, on no bridge (its script joins it), or adopt the existing one. */
	int (*attach)(void *arg, const struct xenback_vif *vif, struct err *err);
	/* The frontend is ready, and hotplug-status is "connected". */
	int (*connect)(void *arg, const char *name, const struct xenback_rings *rings, struct err *err);
	/* The frontend is closing or gone. The port stays. */
	void (*disconnect)(void *arg, const char *name);
	/* A connected frontend changed its rings->multicast_control. */
	void (*multicast)(void *arg, const char *name, bool on);
	/* The vif is gone: delete its port. Called only if attach() returned 0. */
	void (*detach)(void *arg, const char *name);
	/* For the log: one sentence about what is wrong with a vif. At most one per second and vif if a guest can cause it. */
	void (*trouble)(void *arg, const char *name, const char *why);
};

struct xenback;

/*
 * Read all vifs, adopt those that are connected, and watch for more. Frontends are offered up to `max_queues` queues.
 * -ENODEV: not a Xen host, or xenstored is not running. -EBUSY: the kernel's xen-netback is loaded.
 */
int xenback_open(const struct xenback_ops *ops, void *arg, unsigned max_queues, struct xenback **out, struct err *err);
/* Frontends stay connected for the next daemon to adopt. NULL is allowed. */
void xenback_close(struct xenback *xb);
int xenback_fd(const struct xenback *xb); /* readable when there are events for xenback_read() */
void xenback_read(struct xenback *xb);

#endif
