/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * struct virtio_net_hdr (virtio 1.2, 5.1.6) to and from the switch's offload metadata. vhost-user rings and TAPs speak
 * it. UFO is not offered and so not known here.
 */
#ifndef XBAR_VNET_H
#define XBAR_VNET_H

#include <linux/virtio_net.h>

#include "vif.h"

#define VNET_GSO_UDP_L4 5 /* VIRTIO_NET_HDR_GSO_UDP_L4; Debian 12's kernel headers lack it */

/*
 * Read a sender's header (a private copy) for a frame of `len` bytes, Ethernet header included. false: it cannot be.
 * USO tells IPv4 from IPv6 only by the frame: `is_v6` says what the frame's Ethernet type is.
 */
static inline bool vnet_parse(const struct virtio_net_hdr *hdr, uint32_t len, bool is_v6, struct vif_offload *off)
{
	uint8_t gso = hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;

	*off = (struct vif_offload){0};
	if (!hdr->flags && !hdr->gso_type)
		return true;
	if (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if (hdr->csum_start < 14 || (uint32_t)hdr->csum_start + hdr->csum_offset + 2 > len)
			return false;
		off->needs = VIF_CAP_CSUM;
		off->csum_start = hdr->csum_start;
		off->csum_offset = hdr->csum_offset;
	} else if (hdr->flags & VIRTIO_NET_HDR_F_DATA_VALID) {
		off->csum_valid = true;
	}
	if (gso == VIRTIO_NET_HDR_GSO_NONE)
		return true;
	if (!(off->needs & VIF_CAP_CSUM) || !hdr->gso_size)
		return false;
	if (gso == VIRTIO_NET_HDR_GSO_TCPV4)
		off->needs |= VIF_CAP_TSO4;
	else if (gso == VIRTIO_NET_HDR_GSO_TCPV6)
		off->needs |= VIF_CAP_TSO6;
	else if (gso == VNET_GSO_UDP_L4)
		off->needs |= is_v6 ? VIF_CAP_USO6 : VIF_CAP_USO4;
	else
		return false;
	if (hdr->gso_type & VIRTIO_NET_HDR_GSO_ECN)
		off->needs |= VIF_CAP_ECN;
	off->gso_size = hdr->gso_size;
	off->hdr_len = hdr->hdr_len;
	return true;
}

/* Write the header for a receiver that takes all of off->needs. `hdr` is private memory. */
static inline void vnet_write(const struct vif_offload *off, struct virtio_net_hdr *hdr)
{
	*hdr = (struct virtio_net_hdr){0};
	if (off->csum_valid)
		hdr->flags = VIRTIO_NET_HDR_F_DATA_VALID;
	if (!off->needs)
		return;
	hdr->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	hdr->csum_start = off->csum_start;
	hdr->csum_offset = off->csum_offset;
	if (!off->gso_size)
		return;
	hdr->gso_size = off->gso_size;
	hdr->hdr_len = off->hdr_len;
	hdr->gso_type = off->needs & VIF_CAP_TSO4   ? VIRTIO_NET_HDR_GSO_TCPV4
			: off->needs & VIF_CAP_TSO6 ? VIRTIO_NET_HDR_GSO_TCPV6
						    : VNET_GSO_UDP_L4;
	if (off->needs & VIF_CAP_ECN)
		hdr->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
}

/* Is the frame's Ethernet type, behind up to two VLAN tags, IPv6? `n` bytes are valid at p. */
static inline bool vnet_is_v6(const uint8_t *p, unsigned n)
{
	unsigned at = 12;

	while (at + 6 <= n && at <= 20 &&
	       ((p[at] == 0x81 && p[at + 1] == 0x00) || (p[at] == 0x88 && p[at + 1] == 0xa8)))
		at += 4;
	return at + 2 <= n && p[at] == 0x86 && p[at + 1] == 0xdd;
}

#endif
