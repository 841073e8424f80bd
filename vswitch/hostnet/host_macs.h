/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host's MAC addresses on each bridge: that of the host port's netdev, also if somebody has set it by hand, and those of
 * the netdevs stacked on it (VLANs, macvlans). The switch keeps them as static entries, so that no guest can claim them.
 *
 * Limits. At most PORT_MACS_MAX addresses on a bridge; more are logged once, and are learned like a guest's. Netdevs that
 * were moved to another network namespace are not seen: `xbar fdb add` fixes the address of one.
 *
 * Threads. The control thread's alone. Errors are logged.
 */
#ifndef XBAR_HOST_MACS_H
#define XBAR_HOST_MACS_H

struct rtnl;

/* Look at all netdevs, and tell the switch. */
void host_macs_look(struct rtnl *rtnl);

#endif
