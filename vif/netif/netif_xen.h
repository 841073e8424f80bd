/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hypervisor as netif needs it: grants (behind grant.h) by /dev/xen/gntdev, event channels by /dev/xen/evtchn. Nothing
 * is opened before it is needed, so that the daemon runs on machines without Xen.
 *
 * Threads. netif_xen_open() and netif_events_open() are the control thread's; the events of one struct are waited for and
 * acknowledged by one thread, and sent by any.
 */
#ifndef XBAR_NETIF_XEN_H
#define XBAR_NETIF_XEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vswitch/base/err.h"

struct xenevtchn_handle;

struct netif_events { /* event channels that wake one thread */
	struct xenevtchn_handle *handle;
	int tx, rx; /* our ports; -1: not bound. Equal if the guest has one for both */
};

/* Whether this machine lets us be a backend: /dev/xen/gntdev and /dev/xen/evtchn can be opened. 0 or -errno. */
int netif_xen_probe(struct err *err);

/* Make grant.h's copies and maps the hypervisor's. 0 or -errno with *err. */
int netif_xen_open(struct err *err);

/* Bind to the ports of a frontend; both channels have fired then. 0 or -errno; closed by the caller in any case. */
int netif_events_open(struct netif_events *ev, uint32_t domid, uint32_t tx, uint32_t rx);
void netif_events_close(struct netif_events *ev);
/* Readable when a channel has fired. It does not again until that is acknowledged. */
int netif_events_fd(const struct netif_events *ev);
void netif_events_acknowledge(const struct netif_events *ev);
/* Fire one of our ports at the frontend. true: done. */
bool netif_events_send(const struct netif_events *ev, int port);

#endif
