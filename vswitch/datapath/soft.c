/* SPDX-License-Identifier: BSD-3-Clause */
#include "soft.h"

#include <errno.h>

/* One frame, in software. Unless this is DELIVERED, nothing of the frame has been delivered: it can be tried again. */
static enum delivered deliver_one(struct offload *offload, struct vif_port *dst, unsigned queue,
				  struct vif_frame *frame, int32_t *budget, bool *took)
{
	struct vif_counters *count = vif_count(dst);
	int r = offload_begin(offload, frame, egress_frame_max(dst, frame));
	bool first = true;
	unsigned n;

	if (r == -EFAULT)
		return DELIVERED; /* the sender's fault, and counted there */
	if (r) {
		count->drop[r == -EMSGSIZE ? VIF_TX_TOO_BIG : VIF_TX_NO_OFFLOAD]++;
		return DELIVERED;
	}
	/* one segment first: a receiver without buffers costs no more than that */
	for (; (n = offload_next(offload, first ? 1 : OFFLOAD_SLOTS)); first = false) {
		struct vif_frame *ptr[OFFLOAD_SLOTS];
		unsigned sent;

		for (unsigned i = 0; i < n; i++) {
			ptr[i] = &offload->made[i];
			*budget -= (int32_t)ptr[i]->len;
		}
		sent = dst->ops->deliver(dst, queue, ptr, n);
		*took |= sent;
		if (frame->off.gso_size)
			count->sw_segments += sent;
		else
			count->sw_csums += sent;
		if (sent == n)
			continue;
		if (first)
			return NO_BUFFER;
		count->drop[VIF_TX_NO_BUFFER] += n - sent + offload_left(offload);
		break;
	}
	return DELIVERED;
}

enum delivered soft_deliver(struct offload *offload, struct vif_port *dst, unsigned queue, struct egress *e,
			    int32_t *budget, bool *took)
{
	while (e->done < e->n) {
		enum way way = egress_way(dst, e->frame[e->done]);
		unsigned end = e->done + 1;

		if (way == WAY_AS_IS) {
			while (end < e->n && egress_way(dst, e->frame[end]) == WAY_AS_IS)
				end++;
			*took |= egress_offer(dst, queue, e, end);
			if (e->done < end)
				return NO_BUFFER;
			continue;
		}
		if (way == WAY_TOO_BIG) {
			vif_count(dst)->drop[VIF_TX_TOO_BIG]++;
		} else {
			enum delivered r = OVER_BUDGET;

			if (*budget > 0)
				r = deliver_one(offload, dst, queue, e->frame[e->done], budget, took);
			if (r != DELIVERED)
				return r;
		}
		e->done++;
	}
	return DELIVERED;
}
