/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames that lie in several descriptors, in indirect tables, or over the edges of memory regions; and receivers' buffers
 * that do. Every chain is translated as a whole before a byte of it is used.
 */
#include "ring_slot.h"
#include "vif/copy.h"
#include "vif/grant.h"
#include "vif/vnet.h"

struct chain { /* a descriptor chain, translated */
	unsigned n, nread; /* segments; with WANT_ANY: those that are read, in front of those that are written */
	uint32_t len;
	struct vif_seg seg[FRAME_SEGS];
};

#define WANT_ANY 0xffffu /* descriptors to read, then others to write, as in a control queue */

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

enum step {
	STEP_ON,
	STEP_ENOUGH,
	STEP_NO
}; /* NO: the chain cannot be used; ring->broken tells whether a rule was broken */

/* Append the next descriptor of a chain. *frame_steps counts those of the frame. */
static enum step step(struct ring *ring, const struct vring_desc *desc, uint16_t want, struct chain *chain,
		      unsigned *frame_steps)
{
	enum step no = STEP_NO;

	if (++*frame_steps > RING_STEPS_FRAME)
		return broken(ring, "a frame lies in more descriptors than any driver would use"), no;
	if (desc->flags & VRING_DESC_F_INDIRECT)
		return broken(ring, "an indirect descriptor stands inside a chain"), no;
	if (want == WANT_ANY && !(desc->flags & VRING_DESC_F_WRITE) && chain->nread != chain->n)
		return broken(ring, "a request is to be read behind where it is to be written"), no;
	if (want != WANT_ANY && (desc->flags & VRING_DESC_F_WRITE) != want)
		return broken(ring, want ? "a read-only buffer stands in the receive ring"
					 : "a write-only buffer stands in the transmit ring"),
		       no;
	if (desc->len > VIF_FRAME_MAX + RING_HDR_MAX && !want) {
		chain->len = UINT32_MAX; /* longer than any frame: describe() drops it for that */
		return STEP_ENOUGH;
	}
	if (chain->len > VIF_FRAME_MAX + RING_HDR_MAX)
		return STEP_ENOUGH; /* likewise; and a receiver's buffers are enough */
	if (!append(ring, chain, desc))
		return STEP_NO;
	if (!(desc->flags & VRING_DESC_F_WRITE))
		chain->nread = chain->n;
	return STEP_ON;
}

/* Walk an indirect table or the rest of a direct chain from `desc` (already fetched) on. */
static bool walk(struct ring *ring, const struct vring_desc *table, uint32_t size, struct vring_desc desc,
		 uint16_t want, struct chain *chain, unsigned *frame_steps)
{
	for (uint32_t steps = 1;; steps++) {
		enum step found = step(ring, &desc, want, chain, frame_steps);

		if (found != STEP_ON)
			return found == STEP_ENOUGH;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return true;
		if (steps >= size)
			return broken(ring, "a descriptor chain is longer than its table");
		if (desc.next >= size)
			return broken(ring, "a descriptor's next lies outside its table");
		desc = fetch(&table[desc.next]);
	}
}

/* The indirect table that a descriptor points to, and its entries; NULL: the ring is broken. */
static const struct vring_desc *indirect(struct ring *ring, const struct vring_desc *desc, uint32_t *count)
{
	const struct vring_desc *table;

	*count = desc->len / sizeof(*table);
	if (desc->flags & VRING_DESC_F_NEXT)
		broken(ring, "an indirect descriptor has a successor");
	else if (!desc->len || desc->len % sizeof(*table) || *count > ring->size)
		broken(ring, "an indirect table's length cannot be");
	else if (!(table = (const struct vring_desc *)ring_translate(ring, desc->addr, desc->len)))
		broken(ring, "an indirect table lies outside the memory that the guest shares");
	else
		return table;
	return NULL;
}

/* Translate the chain that begins at `head`. false: it cannot be used; ring->broken tells whether a rule was broken. */
static bool translate_split(struct ring *ring, uint16_t head, uint16_t want, struct chain *chain, unsigned *frame_steps)
{
	struct vring_desc desc = fetch(&ring->desc[head]);
	const struct vring_desc *table;
	uint32_t count;

	if (!(desc.flags & VRING_DESC_F_INDIRECT))
		return walk(ring, ring->desc, ring->size, desc, want, chain, frame_steps);
	table = indirect(ring, &desc, &count);
	return table && walk(ring, table, count, fetch(table), want, chain, frame_steps);
}

/* A descriptor of a packed ring, or of its indirect tables, as one of a split ring. */
static struct vring_desc fetch_unpacked(const struct vring_packed_desc *slot, uint16_t *id)
{
	struct vring_desc desc = fetch((const struct vring_desc *)slot);
	const struct vring_packed_desc as = {.id = desc.flags, .flags = desc.next};

	*id = as.id;
	return (struct vring_desc){desc.addr, desc.len, as.flags, 0};
}

/* An indirect table of a packed ring is used from its first entry to its last. */
static bool walk_packed_table(struct ring *ring, const struct vring_packed_desc *table, uint32_t count, uint16_t want,
			      struct chain *chain, unsigned *frame_steps)
{
	for (uint32_t i = 0; i < count; i++) {
		uint16_t id;
		struct vring_desc desc = fetch_unpacked(&table[i], &id);
		enum step found;

		if (!want) /* virtio-user marks a header that it sends as one to be written */
			desc.flags &= ~VRING_DESC_F_WRITE;
		found = step(ring, &desc, want, chain, frame_steps);
		if (found != STEP_ON)
			return found == STEP_ENOUGH;
	}
	return true;
}

/* The same of a packed ring, from position `at` on. *buffer is set unless the ring is broken. */
static bool translate_packed(struct ring *ring, uint16_t at, uint16_t want, struct chain *chain, unsigned *frame_steps,
			     uint32_t *buffer)
{
	enum step found = STEP_ON;

	for (unsigned slots = 1;; slots++) {
		uint16_t id;
		struct vring_desc desc = fetch_unpacked(&ring->slot[packed_slot(at)], &id);

		*buffer = packed_buffer(id, slots);
		if (slots == 1 && desc.flags & VRING_DESC_F_INDIRECT) {
			uint32_t count;
			const struct vring_desc *table = indirect(ring, &desc, &count);

			return table && walk_packed_table(ring, (const struct vring_packed_desc *)table, count, want,
							  chain, frame_steps);
		}
		if (found == STEP_ON)
			found = step(ring, &desc, want, chain, frame_steps);
		else if (++*frame_steps > RING_STEPS_FRAME) /* its end has to be found nevertheless */
			broken(ring, "a frame lies in more descriptors than any driver would use");
		if (ring->broken)
			return false;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return found != STEP_NO;
		if (slots == ring->size)
			return broken(ring, "a descriptor chain is longer than its ring");
		at = packed_after(at, 1, ring->size);
	}
}

/*
 * Translate the buffer at `head`, which is a descriptor or a packed ring's position. false: it cannot be used; ring->broken
 * tells whether a rule was broken. *buffer is what completes it.
 */
static bool translate_chain(struct ring *ring, uint16_t head, uint16_t want, struct chain *chain, unsigned *frame_steps,
			    uint32_t *buffer)
{
	chain->n = chain->nread = 0;
	chain->len = 0;
	if (ring->packed)
		return translate_packed(ring, head, want, chain, frame_steps, buffer);
	*buffer = head;
	return translate_split(ring, head, want, chain, frame_steps);
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
	uint32_t buffer = 0;
	bool usable = translate_chain(ring, head, 0, &chain, &steps, &buffer);

	frame->cookie = buffer;
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

/* Take the next buffer, which is for `want`. */
static enum fit next_buffer(struct ring *ring, uint16_t want, struct chain *one, unsigned *steps, uint32_t *buffer)
{
	uint16_t head = ring->last_avail;

	if (ring->packed ? !packed_waiting(ring, head) : !waiting(ring, head))
		return ring->broken ? FIT_BROKEN : FIT_NOT_NOW;
	if (!ring->packed) {
		head = available(ring, head);
		if (head >= ring->size) {
			broken(ring, "the available ring names a descriptor that is not there");
			return FIT_BROKEN;
		}
	}
	if (!translate_chain(ring, head, want, one, steps, buffer) && ring->broken)
		return FIT_BROKEN;
	ring->last_avail = ring->packed ? packed_after(head, packed_buffer_slots(*buffer), ring->size)
					: (uint16_t)(ring->last_avail + 1);
	return FIT;
}

/* Take as many buffers as the frame needs. Nothing is consumed unless it fits. */
static enum fit take(struct ring *ring, uint32_t need, struct chain *all, struct heads *heads, unsigned *buffers,
		     unsigned *steps)
{
	const uint16_t from = ring->last_avail;
	unsigned n = heads->n;

	all->n = 0;
	all->len = 0;
	for (;;) {
		struct chain one;
		uint32_t buffer, room;
		enum fit fit = next_buffer(ring, VRING_DESC_F_WRITE, &one, steps, &buffer);

		if (fit == FIT_BROKEN)
			return fit;
		if (fit == FIT_NOT_NOW) {
			ring->last_avail = from;
			return fit;
		}
		if (n == HEADS_MAX || all->n + one.n > FRAME_SEGS) {
			ring->last_avail = from;
			return heads->n ? FIT_NOT_NOW : FIT_NEVER;
		}
		memcpy(&all->seg[all->n], one.seg, one.n * sizeof(one.seg[0]));
		all->n += one.n;
		room = need - all->len < one.len ? need - all->len : one.len;
		all->len += one.len;
		if (ring->packed && n > heads->n)
			room |= HEAD_MORE;
		heads->elem[n++] = (struct vring_used_elem){buffer, room};
		if (all->len >= need)
			break;
		if (!ring->mergeable) {
			ring->last_avail = from;
			return FIT_NEVER;
		}
	}
	*buffers = n - heads->n;
	heads->grouped = true;
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

bool ring_next_request(struct ring *ring, struct ring_request *request)
{
	unsigned steps = 0;
	struct chain chain;

	*request = (struct ring_request){.len = 0};
	if (next_buffer(ring, WANT_ANY, &chain, &steps, &request->buffer) != FIT)
		return false;
	for (unsigned i = 0; i < chain.nread; i++)
		for (uint32_t k = 0; k < chain.seg[i].len && request->len < RING_REQUEST_MAX; k++)
			request->byte[request->len++] = chain.seg[i].va[k];
	if (chain.n > chain.nread)
		request->ack = (uint8_t *)(uintptr_t)chain.seg[chain.nread].va;
	return true;
}

void ring_answer(struct ring *ring, const struct ring_request *request, uint8_t answer)
{
	struct heads heads = {.n = 1, .grouped = true, .elem = {{request->buffer, request->ack != NULL}}};

	if (request->ack) {
		*request->ack = answer;
		if (ring->log)
			ring_log_memory(ring, request->ack, 1);
	}
	if (ring->packed) {
		packed_publish(ring, &heads);
		return;
	}
	ring->used->ring[ring->used_idx & (ring->size - 1)] = heads.elem[0];
	__atomic_store_n(&ring->used->idx, ++ring->used_idx, __ATOMIC_RELEASE);
	if (ring->log)
		ring_log_completed(ring, ring->used_idx - 1, 1);
}
