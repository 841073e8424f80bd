/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Xen guests: what hypervisor/xen/xenback.h hears from xenstore becomes ports. xl, not xbard, makes such vifs and runs their
 * scripts, which put them on bridges.
 *
 * Model. A vif's port lives as long as its directory in xenstore. A daemon that starts under running guests adopts their
 * vifs. After a crash each is at once on the bridge that its state's file names. A clean stop forgets that: the vif-script
 * is run again when the network-script has made the bridges. The switch owns the ports; what only this part knows of one is
 * in its tag.
 *
 * Threads. The control thread's alone. Errors. 0 or -errno and a sentence.
 */
#ifndef XBAR_XEN_H
#define XBAR_XEN_H

#include "vswitch/base/err.h"

struct daemon;
struct hooks;
struct xen;

/*
 * Serve this Xen host, if it is one, as `xen` in xbar.conf says; restored vifs whose guests are gone are deleted. *out is
 * NULL if there is nothing to serve. Fails only with xen = "yes".
 */
int xen_open(const struct daemon *daemon, struct hooks *hooks, struct xen **out, struct err *err);
/* At a clean stop: delete the ports of emulated cards, as those of vifs will be. NULL: nothing. */
void xen_leave(const struct xen *xen);
/* Stop listening. Ports stay, and guests' rings with them. NULL: nothing. */
void xen_close(struct xen *xen);
/* About once a second, before sw_tick(): delete the ports of emulated cards that are gone. NULL: nothing. */
void xen_tick(const struct xen *xen);
/* The network-script has ended. NULL: nothing. */
void xen_network_up(struct xen *xen);

#endif
