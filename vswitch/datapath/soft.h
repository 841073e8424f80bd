/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Delivery to a receiver that cannot take every frame of an egress as it is: segmentation and checksums are done in
 * software (vif/offload.h), and what is longer than its MTU is dropped.
 *
 * Limits. This is work that a guest's header asks for, so it is bounded twice. The sender has a budget of SOFT_BYTES for
 * each pass; what is over it waits in the sender's ring for the next pass. And no more than one segment is made for a
 * receiver that has no buffer for it.
 *
 * Threads: those of the struct offload, which belongs to one worker.
 */
#ifndef XBAR_SOFT_H
#define XBAR_SOFT_H

#include "egress.h"
#include "vif/offload.h"

#define SOFT_BYTES (256 << 10) /* made for a sender in a pass, and up to a frame's segments more */

/* Deliver the rest of the egress. `*budget`, in bytes, is reduced by what was made. *took: the receiver took a frame. */
enum delivered soft_deliver(struct offload *offload, struct vif_port *dst, unsigned queue, struct egress *e,
			    int32_t *budget, bool *took);

#endif
