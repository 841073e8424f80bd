/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kinds of ports: which driver serves each, and how a port is made from its record. A new kind is a driver (vif/vif.h),
 * a constant in port.h and a row in kinds.c.
 *
 * Threads. The control thread's alone. Errors. 0 or -errno with a sentence that names the port.
 */
#ifndef XBAR_KINDS_H
#define XBAR_KINDS_H

#include "port.h"
#include "vswitch/base/err.h"

/* "vhost-user", "netif", "host", "uplink"; a constant. */
const char *kind_name(enum port_kind kind);
/* PORT_KIND_MAX: there is no such kind. */
enum port_kind kind_find(const char *name);

/*
 * Make the driver's port of `conf`; `base` is what it begins with (vif/vif.h). What is only known then (a host port's MAC,
 * what an uplink's netdev did before) is filled in to *conf.
 */
int kind_open(struct port_conf *conf, const struct vif_port *base, struct vif_port **out, struct err *err);
/* The driver's port of `conf` was closed: give back what kind_open() changed beside it. */
void kind_closed(const struct port_conf *conf);

#endif
