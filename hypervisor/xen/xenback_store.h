/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What xenback.c asks of xenstore, each in a transaction where it must be: how a vif's two ends stand, what their
 * directories say, and a change of our own end's state.
 *
 * Paths are relative to our own domain's directory, which xenstored adds: so a driver domain is served like domain 0.
 *
 * Threads: the control thread's. Errors: 0 or -errno.
 */
#ifndef XBAR_XENBACK_STORE_H
#define XBAR_XENBACK_STORE_H

#include <xen/io/xenbus.h>
#include <xenstore.h>

#include "xenback_vif.h"

#define XB_PATH_MAX 96 /* of our own directories */
#define XB_FRONTEND_MAX 256

/* How a vif stands. */
struct xb_stand {
	bool online, hotplugged;
	unsigned queues; /* offered; 1 where nothing is */
	enum xenbus_state ours, theirs; /* XenbusStateUnknown: no such node, or no number */
	bool multicast; /* it asks for multicast-control, where it is Initialised or Connected */
	bool strange; /* `theirs` is none that a frontend goes through */
	char frontend[XB_FRONTEND_MAX]; /* its directory */
};

/* -ENOENT: there is no such directory. Other errors: xenstore cannot be read, which says nothing about the vif. */
int xb_look(struct xs_handle *xs, const char *dir, struct xb_stand *stand);
int xb_read_vif(struct xs_handle *xs, const char *dir, uint32_t domid, uint32_t devid, struct xenback_vif *vif,
		char *why, size_t size);
int xb_read_rings(struct xs_handle *xs, const char *frontend, uint32_t domid, unsigned max_queues,
		  struct xenback_rings *rings, char *why, size_t size);
/*
 * Publish our state `to`, and with XenbusStateInitWait what we can do. -ESTALE: it is not `from` any more, or the
 * directory is gone: an event about that is on its way.
 */
int xb_switch(struct xs_handle *xs, const char *dir, enum xenbus_state from, enum xenbus_state to, unsigned max_queues);
/* Write the sentence `why` to error/DIR/error; NULL: remove it. */
void xb_complain(struct xs_handle *xs, const char *dir, const char *why);

#endif
