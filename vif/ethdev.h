/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Uplinks: a DPDK ethdev as a port. A PCI NIC that is bound to vfio-pci, or a kernel netdev through the AF_XDP or
 * AF_PACKET poll-mode driver, so that it can stay with the kernel's driver.
 *
 * Model. The only place where mbufs exist. Frames are copied from an mbuf into the receiver's buffers, and from the
 * sender's buffers into an mbuf. No offloads are asked of the device: what a guest left to be done is done in software
 * (offload.h) before a frame gets here. An AF_PACKET or AF_XDP device is waited for by its own socket; a PCI device
 * is looked at once a millisecond while its worker sleeps.
 */
#ifndef XBAR_ETHDEV_H
#define XBAR_ETHDEV_H

#include "vif.h"
#include "vswitch/base/err.h"

extern const struct vif_ops ethdev_ops;

struct ethdev_opts {
	const char *netdev; /* a netdev's name, or a PCI address */
	const char *driver; /* "af_packet", "af_xdp", "pci"; NULL: choose */
};

/* As vhost_open. 0 or -errno with *err. */
int ethdev_open(const struct vif_port *base, const struct ethdev_opts *opts, struct vif_port **out, struct err *err);
/* A sentence for the log: which driver was taken, and why. */
void ethdev_choice(const struct vif_port *port, char *buf, size_t size);

#endif
