/* SPDX-License-Identifier: BSD-3-Clause */
#include "grant.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE 1024 /* a burst of the longest frames takes a little more, and then two system calls */

_Static_assert(VIF_BURST <= 64, "a tag is a bit of a word");

struct queue { /* one worker's; without Xen most of it is never touched */
	unsigned n;
	struct grant_result result;
	uint8_t tag[QUEUE];
	xengnttab_grant_copy_segment_t op[QUEUE];
	struct vif_frame frame[VIF_BURST];
	struct vif_seg seg[VIF_BURST];
	uint8_t local[VIF_BURST][(VIF_FRAME_MAX + 63) & ~63u];
};

static struct {
	const struct grant_ops *ops;
	void *ctx;
	struct queue *queue; /* [VIF_WORKERS_MAX] */
} grants;

int grant_use(const struct grant_ops *ops, void *ctx)
{
	if (!grants.queue)
		grants.queue = calloc(VIF_WORKERS_MAX, sizeof(*grants.queue));
	if (!grants.queue)
		return -ENOMEM;
	grants.ops = ops;
	grants.ctx = ctx;
	return 0;
}

void *grant_map(uint32_t domid, uint32_t gref, bool writable)
{
	return grants.ops ? grants.ops->map(grants.ctx, domid, gref, writable) : NULL;
}

void grant_unmap(void *page)
{
	if (page)
		grants.ops->unmap(grants.ctx, page);
}

static int copy_now(xengnttab_grant_copy_segment_t *op)
{
	return grants.ops->copy(grants.ctx, 1, op) || op->status != GNTST_okay ? -EFAULT : 0;
}

/* A copy from guest to guest has failed: is it that the source cannot be read? */
static bool source_is_bad(const xengnttab_grant_copy_segment_t *failed)
{
	uint8_t probe[GRANT_PAGE];
	xengnttab_grant_copy_segment_t op = {
		.source = failed->source, .dest.virt = probe, .len = failed->len, .flags = GNTCOPY_source_gref};

	return copy_now(&op);
}

static void submit(struct queue *q)
{
	bool lost = grants.ops->copy(grants.ctx, q->n, q->op);

	q->result.copies += q->n;
	for (unsigned i = 0; i < q->n; i++) {
		const xengnttab_grant_copy_segment_t *op = &q->op[i];
		uint64_t frame = 1ull << q->tag[i];

		if (__builtin_expect(!lost && op->status == GNTST_okay, 1))
			continue;
		if ((q->result.bad_src | q->result.bad_dst) & frame)
			continue; /* one reason is enough, and to find it out is a call */
		if (op->flags == GNTCOPY_source_gref || (op->flags != GNTCOPY_dest_gref && (lost || source_is_bad(op))))
			q->result.bad_src |= frame;
		else
			q->result.bad_dst |= frame;
	}
	q->n = 0;
}

static xengnttab_grant_copy_segment_t *next(unsigned tag, uint32_t len, uint16_t flags)
{
	struct queue *q = &grants.queue[vif_worker_id];

	if (__builtin_expect(q->n == QUEUE, 0))
		submit(q);
	q->tag[q->n] = tag;
	q->op[q->n].len = len;
	q->op[q->n].flags = flags;
	return &q->op[q->n++];
}

void grant_copy_in(unsigned tag, uint8_t *dst, const struct vif_grant *src, uint32_t len)
{
	xengnttab_grant_copy_segment_t *op;

	if (!len)
		return;
	op = next(tag, len, GNTCOPY_source_gref);
	op->source.foreign.ref = src->gref;
	op->source.foreign.offset = src->offset;
	op->source.foreign.domid = src->domid;
	op->dest.virt = dst;
}

void grant_copy_out(unsigned tag, const struct vif_grant *dst, const uint8_t *src, uint32_t len)
{
	xengnttab_grant_copy_segment_t *op;

	if (!len)
		return;
	op = next(tag, len, GNTCOPY_dest_gref);
	op->dest.foreign.ref = dst->gref;
	op->dest.foreign.offset = dst->offset;
	op->dest.foreign.domid = dst->domid;
	op->source.virt = (void *)(uintptr_t)src;
}

void grant_copy_across(unsigned tag, const struct vif_grant *dst, const struct vif_grant *src, uint32_t len)
{
	xengnttab_grant_copy_segment_t *op;

	if (!len)
		return;
	op = next(tag, len, GNTCOPY_source_gref | GNTCOPY_dest_gref);
	op->source.foreign.ref = src->gref;
	op->source.foreign.offset = src->offset;
	op->source.foreign.domid = src->domid;
	op->dest.foreign.ref = dst->gref;
	op->dest.foreign.offset = dst->offset;
	op->dest.foreign.domid = dst->domid;
}

struct grant_result grant_flush(void)
{
	struct queue *q = grants.queue ? &grants.queue[vif_worker_id] : NULL;
	struct grant_result result = {0};

	if (!q)
		return result;
	if (q->n)
		submit(q);
	result = q->result;
	q->result = (struct grant_result){0};
	return result;
}

struct vif_frame *const *grant_copy_local(struct vif_frame *const *frames, unsigned n, struct vif_frame **room)
{
	struct grant_result result;
	bool any = false;
	struct queue *q;

	for (unsigned i = 0; i < n && !any; i++)
		any = vif_unmapped(frames[i]);
	if (__builtin_expect(!any, 1))
		return frames;
	q = &grants.queue[vif_worker_id];
	for (unsigned i = 0; i < n; i++) {
		struct vif_frame *from = frames[i];
		uint8_t *to = q->local[i];

		room[i] = from;
		if (!vif_unmapped(from))
			continue;
		for (unsigned s = 0; s < from->nseg; to += from->seg[s++].len)
			grant_copy_in(i, to, &from->grant[s], from->seg[s].len);
		q->seg[i] = (struct vif_seg){.va = q->local[i], .len = from->len - from->head_len};
		q->frame[i] = *from;
		q->frame[i].seg = &q->seg[i];
		q->frame[i].nseg = 1;
		room[i] = &q->frame[i];
	}
	result = grant_flush();
	for (unsigned i = 0; i < n; i++) {
		if (!(result.bad_src & 1ull << i))
			continue;
		frames[i]->failed = true;
		q->frame[i].len = q->frame[i].head_len = q->frame[i].nseg = 0;
	}
	return room;
}

int grant_read(void *dst, const struct vif_grant *src, uint32_t len)
{
	xengnttab_grant_copy_segment_t op = {.dest.virt = dst, .len = len, .flags = GNTCOPY_source_gref};

	op.source.foreign.ref = src->gref;
	op.source.foreign.offset = src->offset;
	op.source.foreign.domid = src->domid;
	return copy_now(&op);
}

int grant_write(const struct vif_grant *dst, const void *src, uint32_t len)
{
	xengnttab_grant_copy_segment_t op = {
		.source.virt = (void *)(uintptr_t)src, .len = len, .flags = GNTCOPY_dest_gref};

	op.dest.foreign.ref = dst->gref;
	op.dest.foreign.offset = dst->offset;
	op.dest.foreign.domid = dst->domid;
	return copy_now(&op);
}
