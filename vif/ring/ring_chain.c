/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames that lie in several descriptors, in indirect tables, or over the edges of memory regions; and receivers' buffers
 * that do. Every chain is translated as a whole before a byte of it is used.
 */
#include "ring_impl.h"
#include "vif/copy.h"
#include "vif/grant.h"
#include "vif/vnet.h"

struct chain { /* a descriptor chain, translated */
	unsigned n;
	uint32_t len;
	struct vif_seg seg[FRAME_SEGS];
};

static const struct ring_region *region_of(const struct ring_mem *mem, uint64_t gpa)
{
	for (unsigned i = 0; i < mem->n; i++)
		if (gpa - mem->region[i].gpa < mem->region[i].size)
			return &mem->region[i];
	return NULL;
}

uint8_t *ring_translate(struct ring *ring, uint64_t gpa, uint32_t len)
{
	const struct ring_region *region = region_of(ring->mem, gpa);

	if (!region)
		return NULL;
	ring->last_region = *region;
	return in_region(region, gpa, len);
}

/* Host address of [gpa, gpa + *len), cut to what lies in one region. NULL: in none. */
static inline uint8_t *translate_part(const struct ring_mem *mem, uint64_t gpa, uint32_t *len)
{
	const struct ring_region *region = region_of(mem, gpa);

	if (!region)
		return NULL;
	if (*len > region->size - (gpa - region->gpa))
		*len = region->size - (gpa - region->gpa);
	return region->va + (gpa - region->gpa);
}

/* Append a descriptor's buffer to the chain; it may span regions that follow on each other. */
static bool append(struct ring *ring, struct chain *chain, const struct vring_desc *desc)
{
	uint64_t gpa = desc->addr;
	uint32_t left = desc->len;

	while (left) {
		uint32_t len = left;
		uint8_t *va = translate_part(ring->mem, gpa, &len);

		if (!va)
			return broken(ring, "a descriptor points outside the memory that the guest shares");
		if (chain->n == FRAME_SEGS)
			return false; /* too many segments: not broken, but not for us */
		chain->seg[chain->n++] = (struct vif_seg){.va = va, .len = len};
		chain->len += len;
		gpa += len;
		left -= len;
	}
	return true;
}

/*
 * Walk an indirect table or the rest of a direct chain from `desc` (already fetched) on. *frame_steps counts the
 * descriptors of the frame.
 */
static bool walk(struct ring *ring, const struct vring_desc *table, uint32_t size, struct vring_desc desc,
		 uint16_t want, struct chain *chain, unsigned *frame_steps)
{
	for (uint32_t steps = 1;; steps++) {
		if (++*frame_steps > RING_STEPS_FRAME)
			return broken(ring, "a frame lies in more descriptors than any driver would use");
		if (desc.flags & VRING_DESC_F_INDIRECT)
			return broken(ring, "an indirect descriptor stands inside a chain");
		if ((desc.flags & VRING_DESC_F_WRITE) != want)
			return broken(ring, want ? "a read-only buffer stands in the receive ring"
						 : "a write-only buffer stands in the transmit ring");
		if (desc.len > VIF_FRAME_MAX + RING_HDR_MAX && !want) {
			chain->len = UINT32_MAX; /* longer than any frame: describe() drops it for that */
			return true;
		}
		if (chain->len > VIF_FRAME_MAX + RING_HDR_MAX)
			return true; /* likewise; and a receiver's buffers are enough */
		if (!append(ring, chain, &desc))
			return false;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return true;
		if (steps >= size)
			return broken(ring, "a descriptor chain is longer than its table");
		if (desc.next >= size)
			return broken(ring, "a descriptor's next lies outside its table");
		desc = fetch(&table[desc.next]);
	}
}

/* Translate the chain that begins at `head`. false: it cannot be used; ring->broken tells whether a rule was broken. */
static bool translate_chain(struct ring *ring, uint16_t head, uint16_t want, struct chain *chain, unsigned *frame_steps)
{
	struct vring_desc desc = fetch(&ring->desc[head]);
	uint32_t len = desc.len, count;
	const struct vring_desc *table;

	chain->n = 0;
	chain->len = 0;
	if (!(desc.flags & VRING_DESC_F_INDIRECT))
		return walk(ring, ring->desc, ring->size, desc, want, chain, frame_steps);
	if (desc.flags & VRING_DESC_F_NEXT)
		return broken(ring, "an indirect descriptor has a successor");
	count = len / sizeof(*table);
	if (!len || len % sizeof(*table) || count > ring->size)
		return broken(ring, "an indirect table's length cannot be");
	table = (const struct vring_desc *)ring_translate(ring, desc.addr, len);
	if (!table)
		return broken(ring, "an indirect table lies outside the memory that the guest shares");
	return walk(ring, table, count, fetch(table), want, chain, frame_steps);
}

/* Move the first `n` bytes out of the chain from (*seg, *off) on; the chain holds them. */
static void gather(const struct chain *chain, unsigned *seg, uint32_t *off, uint8_t *dst, unsigned n)
{
	while (n) {
		const struct vif_seg *s = &chain->seg[*seg];
		uint32_t len = s->len - *off < n ? s->len - *off : n;

		memcpy(dst, s->va + *off, len);
		dst += len;
		n -= len;
		*off += len;
		if (*off == s->len) {
			++*seg;
			*off = 0;
		}
	}
}

/* Fill in `frame` from the chain. false: the burst has no room for its segments, or the frame is bad (*drop). */
static bool describe(struct ring *ring, const struct chain *chain, struct vif_burst *burst, struct vif_frame *frame,
		     int *drop)
{
	struct virtio_net_hdr hdr;
	unsigned seg = 0, nseg = 0;
	uint32_t off = 0, skip = ring->hdr_len;

	if (chain->len < ring->hdr_len + 14u || chain->len - ring->hdr_len > VIF_FRAME_MAX) {
		*drop = VIF_RX_MALFORMED;
		return false;
	}
	frame->len = chain->len - ring->hdr_len;
	frame->head_len = frame->len < VIF_HEAD_LEN ? frame->len : VIF_HEAD_LEN;
	if (chain->n == 2 && chain->seg[0].len == skip && chain->seg[1].len >= frame->head_len) { /* Linux, usually */
		memcpy(&hdr, chain->seg[0].va, sizeof(hdr));
		copy_head(frame->head, chain->seg[1].va, frame->head_len);
		seg = 1;
		off = frame->head_len;
	} else if (chain->seg[0].len >= skip + frame->head_len) {
		memcpy(&hdr, chain->seg[0].va, sizeof(hdr));
		copy_head(frame->head, chain->seg[0].va + skip, frame->head_len);
		off = skip + frame->head_len;
	} else {
		uint8_t pad[RING_HDR_MAX];

		gather(chain, &seg, &off, pad, skip);
		memcpy(&hdr, pad, sizeof(hdr));
		gather(chain, &seg, &off, frame->head, frame->head_len);
	}
	if (!vnet_parse(&hdr, frame->len, hdr.gso_type && vnet_is_v6(frame->head, frame->head_len), &frame->off)) {
		*drop = VIF_RX_MALFORMED;
		return false;
	}
	frame->seg = &burst->seg[burst->nseg];
	frame->nseg = 0;
	if (frame->len == frame->head_len)
		return true;
	if (burst->nseg + chain->n - seg > VIF_SEGS)
		return false;
	for (; seg < chain->n; seg++, off = 0) {
		if (off == chain->seg[seg].len)
			continue;
		burst->seg[burst->nseg + nseg++] =
			(struct vif_seg){.va = chain->seg[seg].va + off, .len = chain->seg[seg].len - off};
	}
	frame->nseg = nseg;
	burst->nseg += nseg;
	return true;
}

bool ring_peek_chain(struct ring *ring, uint16_t head, struct vif_burst *burst, struct vif_frame *frame,
		     struct vif_counters *count)
{
	unsigned steps = 0;
	struct chain chain;
	int drop = -1;
	bool usable = translate_chain(ring, head, 0, &chain, &steps);

	count->ring_steps += steps;
	if (!usable) {
		if (ring->broken)
			return false;
		drop = VIF_RX_TOO_MANY_SEGS;
	} else if (!describe(ring, &chain, burst, frame, &drop) && drop < 0) {
		return false; /* no room for its segments: it begins the next burst */
	}
	if (drop >= 0) {
		frame->len = frame->head_len = frame->nseg = 0;
		count->drop[drop]++;
	}
	return true;
}

/* Copy header, head and rest into the receiver's chain. Both hold as much as is said. */
static void scatter(const struct vif_frame *frame, const uint8_t *hdr, unsigned hdr_len, const struct vif_seg *dst)
{
	struct vif_seg src[2] = {{.va = hdr, .len = hdr_len}, {.va = frame->head, .len = frame->head_len}};
	const struct vif_seg *from = src;
	uint32_t at = 0, done = 0;
	unsigned left = 2 + frame->nseg, i = 0;

	while (left) {
		uint32_t n = from->len - done, room = dst->len - at;

		if (n > room)
			n = room;
		copy_bytes((uint8_t *)(uintptr_t)dst->va + at, from->va + done, n);
		at += n;
		done += n;
		if (at == dst->len) {
			dst++;
			at = 0;
		}
		if (done == from->len) {
			done = 0;
			if (--left)
				from = ++i < 2 ? &src[i] : &frame->seg[i - 2];
		}
	}
}

/* Take as many buffers as the frame needs. Nothing is consumed unless it fits. */
static enum fit take(struct ring *ring, uint32_t need, struct chain *all, struct heads *heads, unsigned *buffers,
		     unsigned *steps)
{
	uint16_t from = ring->last_avail;
	unsigned n = heads->n;

	all->n = 0;
	all->len = 0;
	for (;;) {
		struct chain one;
		uint16_t head;
		uint32_t room;

		if (!waiting(ring, ring->last_avail)) {
			ring->last_avail = from;
			return ring->broken ? FIT_BROKEN : FIT_NOT_NOW;
		}
		head = available(ring, ring->last_avail);
		if (head >= ring->size) {
			broken(ring, "the available ring names a descriptor that is not there");
			return FIT_BROKEN;
		}
		if (!translate_chain(ring, head, VRING_DESC_F_WRITE, &one, steps) && ring->broken)
			return FIT_BROKEN;
		if (n == HEADS_MAX || all->n + one.n > FRAME_SEGS) {
			ring->last_avail = from;
			return heads->n ? FIT_NOT_NOW : FIT_NEVER;
		}
		memcpy(&all->seg[all->n], one.seg, one.n * sizeof(one.seg[0]));
		all->n += one.n;
		room = need - all->len < one.len ? need - all->len : one.len;
		all->len += one.len;
		heads->elem[n++] = (struct vring_used_elem){head, room};
		ring->last_avail++;
		if (all->len >= need)
			break;
		if (!ring->mergeable) {
			ring->last_avail = from;
			return FIT_NEVER;
		}
	}
	*buffers = n - heads->n;
	heads->n = n;
	return FIT;
}

/* The first `len` bytes of the chain have been written. */
static void log_chain(const struct ring *ring, const struct chain *chain, uint32_t len)
{
	for (const struct vif_seg *s = chain->seg; len; s++) {
		const uint32_t n = s->len < len ? s->len : len;

		ring_log_memory(ring, s->va, n);
		len -= n;
	}
}

enum fit ring_put_chained(struct ring *ring, struct vif_frame *const *frame, struct heads *heads,
			  struct vif_counters *count)
{
	struct virtio_net_hdr_mrg_rxbuf hdr;
	struct vif_frame *room, *const *local = grant_copy_local(frame, 1, &room);
	unsigned buffers, steps = 0;
	struct chain chain;
	enum fit fit;

	if (!(*local)->len)
		return FIT_UNREADABLE;
	fit = take(ring, (*local)->len + ring->hdr_len, &chain, heads, &buffers, &steps);
	count->ring_steps += steps;
	if (fit == FIT) {
		vnet_write(&(*local)->off, &hdr.hdr);
		hdr.num_buffers = buffers;
		scatter(*local, (uint8_t *)&hdr, ring->hdr_len, chain.seg);
		if (__builtin_expect(ring->log != NULL, 0))
			log_chain(ring, &chain, (*local)->len + ring->hdr_len);
	}
	return fit;
}
