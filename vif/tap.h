/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Host ports: a TAP with virtio-net headers, named like its bridge, through which the host itself is on the bridge.
 * Checksum and segmentation offload pass both ways, so the host's stack sees 64 KiB frames.
 *
 * The device is persistent: it and its addresses outlive a daemon that was killed, and tap_open() adopts it again.
 * tap_remove() after the port's close ends it.
 */
#ifndef XBAR_TAP_H
#define XBAR_TAP_H

#include "vif.h"

/*
 * Open or adopt the TAP `base->name` and set it up, its MTU, and its MAC (NULL: leave, or random for a new one). As
 * vhost_open otherwise. -EBUSY: another process holds it, or a netdev of that name is no TAP.
 */
int tap_open(const struct vif_port *base, const uint8_t *mac, uint32_t mtu, struct vif_port **out);
/* Set the MTU of the netdev too. 0 or -errno. */
int tap_mtu(struct vif_port *port, uint32_t mtu);
/* Change the netdev's MAC. 0 or -errno. */
int tap_set_mac(struct vif_port *port, const uint8_t mac[6]);
/* Whether the netdev has carrier, as with a cable; it has when it is opened. 0 or -errno. */
int tap_carrier(struct vif_port *port, bool carrier);
/* Make the netdev vanish when the port is closed. */
void tap_unpersist(struct vif_port *port);
/* The netdev's MAC. 0 or -errno. */
int tap_mac(const struct vif_port *port, uint8_t mac[6]);

#endif
