/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The requests that xenback.c makes to xenstore: read the state of a vif's two ends, read their directories, and change
 * the state of our own end; in a transaction if several values must be consistent.
 *
 * Paths are relative to our own domain's directory, which xenstored prepends, so that a driver domain works like domain 0.
 *
 * Threads: the control thread only. Errors: 0 or -errno; with a struct err if there is one among the arguments.
 */
#ifndef XBAR_XENBACK_STORE_H
#define XBAR_XENBACK_STORE_H

#include <xen/io/xenbus.h>
#include <xenstore.h>

#include "vswitch/base/err.h"
#include "xenback_vif.h"

#define XB_PATH_MAX 96 /* of our own directories */
#define XB_FRONTEND_MAX 256

/* The state of a vif. */
struct xb_stand {
	bool online, hotplugged;
	unsigned queues; /* offered; 1 if none are */
	enum xenbus_state ours, theirs; /* XenbusStateUnknown: no such node, or not a number */
	bool multicast; /* it is Initialised or Connected and asks for multicast-control */
	bool strange; /* `theirs` is not a state that a frontend can be in */
	char frontend[XB_FRONTEND_MAX]; /* its directory */
};

/* -ENOENT: there is no such directory. Other errors: xenstore cannot be read, so nothing is known of the vif. */
int xb_look(struct xs_handle *xs, const char *dir, struct xb_stand *stand);
int xb_read_vif(struct xs_handle *xs, const char *dir, uint32_t domid, uint32_t devid, struct xenback_vif *vif,
		struct err *err);
int xb_read_rings(struct xs_handle *xs, const char *frontend, uint32_t domid, unsigned max_queues,
		  struct xenback_rings *rings, struct err *err);
/*
 * Publish our state `to`; with XenbusStateInitWait, our features too. -ESTALE: our state is no longer `from`, or the
 * directory is gone; an event about that is on its way.
 */
int xb_switch(struct xs_handle *xs, const char *dir, enum xenbus_state from, enum xenbus_state to, unsigned max_queues);
/* Write the sentence `why` to error/DIR/error; NULL: remove it. */
void xb_complain(struct xs_handle *xs, const char *dir, const char *why);

#endif
