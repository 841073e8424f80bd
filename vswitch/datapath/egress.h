/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An egress: the frames that a burst has for one port, and how that port gets them. Private to the packet path.
 */
#ifndef XBAR_EGRESS_H
#define XBAR_EGRESS_H

#include "vif/vif.h"

struct egress { /* frames of a burst for one port, in order */
	uint16_t port;
	uint16_t needs; /* of all frames together */
	uint32_t longest; /* frame that is not to be segmented, bytes */
	uint8_t n, done;
	bool flooded; /* some of the frames are flooded: they are not held for want of buffers */
	bool over_budget; /* the last attempt ended since the sender has used up its share of the pass */
	struct egress *next; /* of another deferred burst, for the same port */
	struct vif_frame *frame[VIF_BURST];
} __attribute__((aligned(64))); /* so that an egress of few frames is one cache line */

enum delivered {
	DELIVERED, /* all of it is done with: delivered, or dropped and counted */
	NO_BUFFER, /* the receiver has run out of buffers */
	OVER_BUDGET, /* there is room, but this is for the next pass */
};

/* How a receiver gets a frame. */
enum way { WAY_AS_IS, WAY_SOFTWARE, WAY_TOO_BIG };

/* The longest Ethernet frame that the port's MTU allows, or 0: any. An MTU leaves out Ethernet header and VLAN tag. */
static inline uint32_t egress_frame_max(const struct vif_port *dst, const struct vif_frame *f)
{
	const uint32_t mtu = atomic_load_explicit(&dst->mtu, memory_order_relaxed);

	return mtu ? mtu + (f->head[12] == 0x81 && f->head[13] == 0x00 ? 18 : 14) : 0;
}

static inline enum way egress_way(const struct vif_port *dst, const struct vif_frame *f)
{
	const uint16_t needs = f->off.needs;
	const uint32_t max = egress_frame_max(dst, f);

	if (needs && ((needs & ~atomic_load_explicit(&dst->caps, memory_order_relaxed)) ||
		      (dst->ops->takes && !dst->ops->takes(dst, f))))
		return WAY_SOFTWARE;
	return max && !f->off.gso_size && f->len > max ? WAY_TOO_BIG : WAY_AS_IS;
}

/* Whether egress_way() is WAY_AS_IS for all frames, found without looking at each: false is "perhaps not". */
static inline bool egress_all_as_is(const struct vif_port *dst, const struct egress *e)
{
	const uint32_t mtu = atomic_load_explicit(&dst->mtu, memory_order_relaxed);

	return !(e->needs & ~atomic_load_explicit(&dst->caps, memory_order_relaxed)) &&
	       !(e->needs && dst->ops->takes) && !(mtu && e->longest > mtu + 14);
}

/* Offer the frames up to before `end` to the receiver as they are. Returns how many it took. */
static inline unsigned egress_offer(struct vif_port *dst, unsigned queue, struct egress *e, unsigned end)
{
	unsigned taken = dst->ops->deliver(dst, queue, &e->frame[e->done], end - e->done);

	e->done += taken;
	return taken;
}

#endif
