/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation: see ring.h. What is slow here is the other core's cache lines, so: the available index is read
 * when what was seen of it is used up; used entries are written in a loop of their own behind the copies; the index is
 * published once per burst.
 */
#include "ring.h"

#include <errno.h>
#include <unistd.h>

#include "copy.h"
#include "vnet.h"

#define FRAME_SEGS 256 /* of one frame, header included: Linux sends at most 19 */
#define HEADS_MAX 512 /* buffers that one burst may use of a receiver */

struct chain { /* a descriptor chain, translated */
	unsigned n;
	uint32_t len;
	struct vif_seg seg[FRAME_SEGS];
};

static inline struct vring_desc fetch(const struct vring_desc *desc)
{
	struct vring_desc copy;
	__m128i v = _mm_loadu_si128((const __m128i *)desc); /* one load: what is checked is what is used */

	_mm_storeu_si128((__m128i *)&copy, v);
	return copy;
}

static inline bool broken(struct ring *ring, const char *why)
{
	ring->broken = why;
	return false;
}

/* Host address of [gpa, gpa + *len), cut to what lies in one region. NULL: in none. */
static inline uint8_t *translate(const struct ring_mem *mem, uint64_t gpa, uint32_t *len)
{
	for (unsigned i = 0; i < mem->n; i++) {
		uint64_t off = gpa - mem->region[i].gpa;

		if (off < mem->region[i].size) {
			uint64_t room = mem->region[i].size - off;

			if (*len > room)
				*len = room;
			return mem->region[i].va + off;
		}
	}
	return NULL;
}

/* Append a descriptor's buffer to the chain; it may span regions that follow on each other. */
static bool append(struct ring *ring, struct chain *chain, const struct vring_desc *desc)
{
	uint64_t gpa = desc->addr;
	uint32_t left = desc->len;

	while (left) {
		uint32_t len = left;
		uint8_t *va = translate(ring->mem, gpa, &len);

		if (!va)
			return broken(ring, "a descriptor points outside the memory that the guest shares");
		if (chain->n == FRAME_SEGS)
			return false; /* too many segments: not broken, but not for us */
		chain->seg[chain->n++] = (struct vif_seg){va, len};
		chain->len += len;
		gpa += len;
		left -= len;
	}
	return true;
}

/* Walk an indirect table or the rest of a direct chain from `desc` (already fetched) on. */
static bool walk(struct ring *ring, const struct vring_desc *table, uint32_t size, struct vring_desc desc,
		 uint16_t want, struct chain *chain)
{
	for (uint32_t steps = 1;; steps++) {
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
static bool translate_chain(struct ring *ring, uint16_t head, uint16_t want, struct chain *chain)
{
	struct vring_desc desc = fetch(&ring->desc[head]);
	uint32_t len = desc.len, count;
	const struct vring_desc *table;

	chain->n = 0;
	chain->len = 0;
	if (!(desc.flags & VRING_DESC_F_INDIRECT))
		return walk(ring, ring->desc, ring->size, desc, want, chain);
	if (desc.flags & VRING_DESC_F_NEXT)
		return broken(ring, "an indirect descriptor has a successor");
	count = len / sizeof(*table);
	if (!len || len % sizeof(*table) || count > ring->size)
		return broken(ring, "an indirect table's length cannot be");
	table = (const struct vring_desc *)translate(ring->mem, desc.addr, &len);
	if (!table || len != desc.len)
		return broken(ring, "an indirect table lies outside the memory that the guest shares");
	return walk(ring, table, count, fetch(table), want, chain);
}

/* Entries that the guest has made available and we have not looked at. */
static inline uint16_t waiting(struct ring *ring)
{
	uint16_t n = ring->avail_seen - ring->last_avail;

	if (n)
		return n;
	ring->avail_seen = __atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE);
	n = ring->avail_seen - ring->last_avail;
	if (__builtin_expect(n > ring->size, 0)) {
		ring->avail_seen = ring->last_avail;
		broken(ring, "the available index ran ahead by more than the ring holds");
		return 0;
	}
	return n;
}

static inline uint16_t available(const struct ring *ring, uint16_t idx)
{
	return __atomic_load_n(&ring->avail->ring[idx & (ring->size - 1)], __ATOMIC_RELAXED);
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
	frame->snap_len = frame->len < VIF_SNAP ? frame->len : VIF_SNAP;
	if (chain->n == 2 && chain->seg[0].len == skip && chain->seg[1].len >= frame->snap_len) { /* Linux, usually */
		memcpy(&hdr, chain->seg[0].va, sizeof(hdr));
		copy_snap(frame->snap, chain->seg[1].va, frame->snap_len);
		seg = 1;
		off = frame->snap_len;
	} else if (chain->seg[0].len >= skip + frame->snap_len) {
		memcpy(&hdr, chain->seg[0].va, sizeof(hdr));
		copy_snap(frame->snap, chain->seg[0].va + skip, frame->snap_len);
		off = skip + frame->snap_len;
	} else {
		uint8_t pad[RING_HDR_MAX];

		gather(chain, &seg, &off, pad, skip);
		memcpy(&hdr, pad, sizeof(hdr));
		gather(chain, &seg, &off, frame->snap, frame->snap_len);
	}
	if (!vnet_parse(&hdr, frame->len, hdr.gso_type && vnet_is_v6(frame->snap, frame->snap_len), &frame->off)) {
		*drop = VIF_RX_MALFORMED;
		return false;
	}
	frame->seg = &burst->seg[burst->nseg];
	frame->nseg = 0;
	if (frame->len == frame->snap_len)
		return true;
	if (burst->nseg + chain->n - seg > VIF_SEGS)
		return false;
	for (; seg < chain->n; seg++, off = 0) {
		if (off == chain->seg[seg].len)
			continue;
		burst->seg[burst->nseg + nseg++] =
			(struct vif_seg){chain->seg[seg].va + off, chain->seg[seg].len - off};
	}
	frame->nseg = nseg;
	burst->nseg += nseg;
	return true;
}

unsigned ring_peek(struct ring *ring, struct vif_burst *burst, struct vif_counters *count)
{
	uint16_t n = waiting(ring);
	uint64_t bytes = 0;
	unsigned i, good = 0;
	struct chain chain;

	burst->nseg = 0;
	if (n > VIF_BURST)
		n = VIF_BURST;
	for (i = 0; i < n; i++) {
		uint16_t head = available(ring, ring->last_avail);
		struct vif_frame *frame = &burst->frame[i];
		int drop = -1;

		if (__builtin_expect(head >= ring->size, 0)) {
			broken(ring, "the available ring names a descriptor that is not there");
			break;
		}
		frame->snap = burst->snap[i];
		frame->cookie = head;
		if (!translate_chain(ring, head, 0, &chain)) {
			if (ring->broken)
				break;
			drop = VIF_RX_TOO_MANY_SEGS;
		} else if (!describe(ring, &chain, burst, frame, &drop) && drop < 0) {
			break; /* no room for its segments: it begins the next burst */
		}
		if (drop >= 0) {
			frame->len = frame->snap_len = frame->nseg = 0;
			count->drop[drop]++;
		} else {
			good++;
			bytes += frame->len;
			if (frame->len > count->rx_max)
				count->rx_max = frame->len;
			count->rx_gso += frame->off.gso_size != 0;
		}
		ring->last_avail++;
	}
	burst->n = i;
	count->rx_frames += good;
	count->rx_bytes += bytes;
	return i;
}

void ring_release(struct ring *ring, const struct vif_burst *burst)
{
	uint16_t mask = ring->size - 1, idx = ring->used_idx;

	for (unsigned i = 0; i < burst->n; i++, idx++) {
		ring->used->ring[idx & mask].id = burst->frame[i].cookie;
		ring->used->ring[idx & mask].len = 0;
	}
	ring->used_idx = idx;
	__atomic_store_n(&ring->used->idx, idx, __ATOMIC_RELEASE);
}

struct heads { /* what one deliver() has used of the receiver */
	unsigned n;
	struct vring_used_elem elem[HEADS_MAX];
};

/* Copy header, snapshot and rest into the receiver's chain. Both hold as much as is said. */
static void scatter(const struct vif_frame *frame, const uint8_t *hdr, unsigned hdr_len, const struct vif_seg *dst)
{
	struct vif_seg src[2] = {{hdr, hdr_len}, {frame->snap, frame->snap_len}};
	const struct vif_seg *from = src;
	uint32_t at = 0, done = 0;
	unsigned left = 2 + frame->nseg, i = 0;

	while (left) {
		uint32_t n = from->len - done, room = dst->len - at;

		if (n > room)
			n = room;
		memcpy((uint8_t *)(uintptr_t)dst->va + at, from->va + done, n);
		at += n;
		done += n;
		if (at == dst->len) {
			dst++;
			at = 0;
		}
		if (done == from->len) {
			left--;
			done = 0;
			from = ++i < 2 ? &src[i] : &frame->seg[i - 2];
		}
	}
}

enum fit { FIT, FIT_NOT_NOW, FIT_NEVER, FIT_BROKEN };

/* Take as many buffers as the frame needs. Nothing is consumed unless it fits. */
static enum fit take(struct ring *ring, uint32_t need, struct chain *all, struct heads *heads, unsigned *buffers)
{
	uint16_t from = ring->last_avail;
	unsigned n = heads->n;

	all->n = 0;
	all->len = 0;
	for (;;) {
		struct chain one;
		uint16_t head;
		uint32_t room;

		if (!waiting(ring)) {
			ring->last_avail = from;
			return ring->broken ? FIT_BROKEN : FIT_NOT_NOW;
		}
		head = available(ring, ring->last_avail);
		if (head >= ring->size) {
			broken(ring, "the available ring names a descriptor that is not there");
			return FIT_BROKEN;
		}
		if (!translate_chain(ring, head, VRING_DESC_F_WRITE, &one) && ring->broken)
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

unsigned ring_deliver(struct ring *ring, struct vif_frame *const *frames, unsigned n, struct vif_counters *count)
{
	uint16_t mask = ring->size - 1;
	struct heads heads;
	struct chain chain;
	uint64_t bytes = 0;
	unsigned i, done = 0;

	heads.n = 0;
	for (i = 0; i < n; i++) {
		const struct vif_frame *frame = frames[i];
		uint32_t need = frame->len + ring->hdr_len;
		struct virtio_net_hdr_mrg_rxbuf hdr;
		unsigned buffers = 1;
		uint8_t *dst = NULL;
		uint16_t head = 0;

		vnet_write(&frame->off, &hdr.hdr);
		/* the common way: one buffer that holds it all */
		if (waiting(ring) && heads.n < HEADS_MAX && (head = available(ring, ring->last_avail)) < ring->size) {
			struct vring_desc desc = fetch(&ring->desc[head]);
			uint32_t len = desc.len;

			if (desc.flags == VRING_DESC_F_WRITE && len >= need) {
				dst = translate(ring->mem, desc.addr, &len);
				if (len != desc.len)
					dst = NULL;
			}
		}
		if (__builtin_expect(dst != NULL, 1)) {
			heads.elem[heads.n++] = (struct vring_used_elem){head, need};
			ring->last_avail++;
			hdr.num_buffers = 1;
			memcpy(dst, &hdr, sizeof(hdr.hdr));
			if (ring->hdr_len == RING_HDR_MAX)
				memcpy(dst + sizeof(hdr.hdr), &hdr.num_buffers, 2);
			dst += ring->hdr_len;
			copy_snap(dst, frame->snap, frame->snap_len);
			dst += frame->snap_len;
			for (unsigned s = 0; s < frame->nseg; s++) {
				memcpy(dst, frame->seg[s].va, frame->seg[s].len);
				dst += frame->seg[s].len;
			}
		} else {
			enum fit fit = take(ring, need, &chain, &heads, &buffers);

			if (fit == FIT_NOT_NOW)
				break;
			if (fit == FIT_NEVER) {
				count->drop[VIF_TX_TOO_BIG]++;
				continue;
			}
			if (fit == FIT_BROKEN)
				break;
			hdr.num_buffers = buffers;
			scatter(frame, (uint8_t *)&hdr, ring->hdr_len, chain.seg);
		}
		done++;
		bytes += frame->len;
		if (frame->len > count->tx_max)
			count->tx_max = frame->len;
		count->tx_gso += frame->off.gso_size != 0;
	}
	if (heads.n) {
		uint16_t idx = ring->used_idx;

		for (unsigned h = 0; h < heads.n; h++, idx++)
			ring->used->ring[idx & mask] = heads.elem[h];
		ring->used_idx = idx;
		__atomic_store_n(&ring->used->idx, idx, __ATOMIC_RELEASE);
	}
	count->tx_frames += done;
	count->tx_bytes += bytes;
	return i;
}

/* The guest's wish behind the available ring, and ours behind the used ring (virtio 1.2, 2.7.7 and 2.7.10). */
static inline uint16_t *used_event(struct ring *ring)
{
	return &ring->avail->ring[ring->size];
}

static inline uint16_t *avail_event(struct ring *ring)
{
	return (uint16_t *)&ring->used->ring[ring->size];
}

bool ring_notify(struct ring *ring)
{
	uint16_t new = ring->used_idx, old = ring->signalled;
	const uint64_t one = 1;

	if (new == old)
		return false;
	ring->signalled = new;
	if (ring->event_idx) {
		if (!vring_need_event(__atomic_load_n(used_event(ring), __ATOMIC_RELAXED), new, old))
			return false;
	} else if (__atomic_load_n(&ring->avail->flags, __ATOMIC_RELAXED) & VRING_AVAIL_F_NO_INTERRUPT) {
		return false;
	}
	if (ring->callfd < 0)
		return false;
	/* the descriptor does not block: full means that the guest has a signal waiting */
	return write(ring->callfd, &one, sizeof(one)) == sizeof(one);
}

bool ring_arm(struct ring *ring)
{
	if (ring->event_idx)
		__atomic_store_n(avail_event(ring), ring->last_avail, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&ring->used->flags, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* our wish before their index */
	return __atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE) != ring->last_avail;
}

void ring_disarm(struct ring *ring)
{
	/* with the event index a stale wish is no wish: it comes true once in 65536 entries */
	if (!ring->event_idx)
		__atomic_store_n(&ring->used->flags, VRING_USED_F_NO_NOTIFY, __ATOMIC_RELAXED);
}
