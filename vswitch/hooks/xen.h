/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Xen guests: what hypervisor/xenback.h hears from xenstore becomes ports. xl, not xbard, makes such vifs and runs their
 * scripts, which put them on bridges.
 *
 * Model. A vif's port lives as long as its directory in xenstore. A daemon that starts under running guests adopts their
 * vifs: after a crash each is on the bridge that the state's file names at once; after a clean stop, which forgets that,
 * the vif-script is run again when the network-script has made the bridges.
 *
 * Threads. The control thread's alone. Errors. 0 or -errno and a sentence.
 */
#ifndef XBAR_XEN_H
#define XBAR_XEN_H

#include "vswitch/base/err.h"

struct daemon;
struct hooks;
struct model;
struct xen;

/*
 * Where this is a Xen host, serve it, as `xen` in xbar.conf says; restored vifs whose guests are gone are deleted. *out is
 * NULL where there is nothing to serve. Fails only with xen = "yes".
 */
int xen_open(const struct daemon *daemon, struct model *model, struct hooks *hooks, struct xen **out, struct err *err);
/* At a clean stop: emulated cards are no ports any more, as vifs will not be. NULL: nothing. */
void xen_leave(const struct xen *xen);
/* Listen no more. Ports stay, and guests' rings with them. NULL: nothing. */
void xen_close(struct xen *xen);
/* About once a second, before sw_tick(): an emulated card that is gone is a port no more. NULL: nothing. */
void xen_tick(const struct xen *xen);
/* The network-script has ended. NULL: nothing. */
void xen_network_up(struct xen *xen);

#endif
