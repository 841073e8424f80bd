/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Host ports: a TAP with virtio-net headers, named like its bridge, through which the host itself is on the bridge.
 * Checksum and segmentation offload pass both ways, so the host's stack sees 64 KiB frames.
 *
 * The device is persistent: it and its addresses outlive a daemon that was killed, and tap_open() adopts it again. After
 * ops->unpersist() it ends with ops->close(). It has carrier when it is opened.
 */
#ifndef XBAR_TAP_H
#define XBAR_TAP_H

#include "vif.h"

extern const struct vif_ops tap_ops;

/*
 * Open or adopt the TAP `base->name` and set it up, its MTU, and its MAC (NULL: leave, or random for a new one). As
 * vhost_open otherwise. -EBUSY: another process holds it, or a netdev of that name is no TAP.
 */
int tap_open(const struct vif_port *base, const uint8_t *mac, uint32_t mtu, struct vif_port **out);
/* The netdev's MAC. 0 or -errno. */
int tap_mac(const struct vif_port *port, uint8_t mac[6]);

#endif
