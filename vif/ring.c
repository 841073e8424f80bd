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
#include "grant.h"
#include "vnet.h"

#define FRAME_SEGS 256 /* of one frame, header included: Linux sends at most 19 */
#define HEADS_MAX 512 /* buffers that one burst may use of a receiver */
#define EXPECTED 16 /* frames of the next burst that are asked for at the end of this one */
#define LINE 64 /* bytes of a cache line */

struct chain { /* a descriptor chain, translated */
	unsigned n;
	uint32_t len;
	struct vif_seg seg[FRAME_SEGS];
};

static inline struct vring_desc fetch(const struct vring_desc *desc)
{
	struct vring_desc copy;
	__m128i v = _mm_loadu_si128((const __m128i *)desc);

	__asm__("" : "+x"(v)); /* one load, not one of each field at each use: what is checked is what is used */
	_mm_storeu_si128((__m128i *)&copy, v);
	return copy;
}

static inline bool broken(struct ring *ring, const char *why)
{
	ring->broken = why;
	return false;
}

static inline const struct ring_region *region_of(const struct ring_mem *mem, uint64_t gpa)
{
	for (unsigned i = 0; i < mem->n; i++)
		if (gpa - mem->region[i].gpa < mem->region[i].size)
			return &mem->region[i];
	return NULL;
}

/* Host address of [gpa, gpa + *len), cut to what lies in one region. NULL: in none. */
static inline uint8_t *translate(const struct ring_mem *mem, uint64_t gpa, uint32_t *len)
{
	const struct ring_region *region = region_of(mem, gpa);

	if (!region)
		return NULL;
	if (*len > region->size - (gpa - region->gpa))
		*len = region->size - (gpa - region->gpa);
	return region->va + (gpa - region->gpa);
}

/* The same for what lies wholly in the region that served the last one, as nearly all does. NULL: look further. */
static inline uint8_t *translate_hot(const struct ring *ring, uint64_t gpa, uint32_t len)
{
	uint64_t off = gpa - ring->hot.gpa;

	return off < ring->hot.size && len <= ring->hot.size - off ? ring->hot.va + off : NULL;
}

/* The same for what lies wholly in any one region. */
static inline uint8_t *translate_all(struct ring *ring, uint64_t gpa, uint32_t len)
{
	uint8_t *va = translate_hot(ring, gpa, len);
	const struct ring_region *region;

	if (__builtin_expect(va != NULL, 1))
		return va;
	region = region_of(ring->mem, gpa);
	if (!region)
		return NULL;
	ring->hot = *region;
	return translate_hot(ring, gpa, len);
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
		chain->seg[chain->n++] = (struct vif_seg){.va = va, .len = len};
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
	table = (const struct vring_desc *)translate_all(ring, desc.addr, len);
	if (!table)
		return broken(ring, "an indirect table lies outside the memory that the guest shares");
	return walk(ring, table, count, fetch(table), want, chain);
}

/* Entries that the guest has made available, from entry `at` on. */
static inline uint16_t waiting(struct ring *ring, uint16_t at)
{
	uint16_t n = ring->avail_seen - at;

	if (n)
		return n;
	ring->avail_seen = __atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE);
	n = ring->avail_seen - at;
	if (__builtin_expect(n > ring->size, 0)) {
		ring->avail_seen = at;
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
			(struct vif_seg){.va = chain->seg[seg].va + off, .len = chain->seg[seg].len - off};
	}
	frame->nseg = nseg;
	burst->nseg += nseg;
	return true;
}

/* The frame at `head`, by the long way. Returns false where it has to wait for the next burst, or the ring is broken. */
static __attribute__((noinline)) bool peek_chain(struct ring *ring, uint16_t head, struct vif_burst *burst,
						 struct vif_frame *frame, struct vif_counters *count)
{
	struct chain chain;
	int drop = -1;

	if (!translate_chain(ring, head, 0, &chain)) {
		if (ring->broken)
			return false;
		drop = VIF_RX_TOO_MANY_SEGS;
	} else if (!describe(ring, &chain, burst, frame, &drop) && drop < 0) {
		return false; /* no room for its segments: it begins the next burst */
	}
	if (drop >= 0) {
		frame->len = frame->snap_len = frame->nseg = 0;
		count->drop[drop]++;
	}
	return true;
}

#define NOT_ALONE (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE)

unsigned ring_peek(struct ring *ring, struct vif_burst *burst, struct vif_counters *count)
{
	const unsigned hdr_len = ring->hdr_len;
	uint16_t n = waiting(ring, ring->last_avail);
	struct vring_desc desc[VIF_BURST];
	uint8_t *va[VIF_BURST];
	unsigned i, known, bad = 0;
	uint64_t bytes = 0;
	uint32_t max = 0;

	burst->nseg = 0;
	if (n > VIF_BURST)
		n = VIF_BURST;
	/* every line that the burst begins with is asked for before the first is waited for */
	for (known = 0; known < n; known++) {
		uint16_t head = available(ring, ring->last_avail + known);

		if (__builtin_expect(head >= ring->size, 0))
			break;
		burst->frame[known].cookie = head;
		desc[known] = fetch(&ring->desc[head]);
		va[known] = translate_all(ring, desc[known].addr, desc[known].len);
		__builtin_prefetch(va[known]);
		__builtin_prefetch(va[known] + LINE);
	}
	for (i = 0; i < known; i++) {
		struct vif_frame *frame = &burst->frame[i];

		frame->snap = burst->snap[i];
		/* the common way: one buffer with header and frame */
		if (__builtin_expect(va[i] && !(desc[i].flags & NOT_ALONE) &&
					     desc[i].len - hdr_len - 14 <= VIF_FRAME_MAX - 14 && burst->nseg < VIF_SEGS,
				     1)) {
			const uint8_t *from = va[i] + hdr_len;
			uint32_t len = desc[i].len - hdr_len;
			unsigned snap = len < VIF_SNAP ? len : VIF_SNAP;
			struct virtio_net_hdr hdr;

			memcpy(&hdr, va[i], sizeof(hdr));
			copy_snap(frame->snap, from, snap);
			frame->len = len;
			frame->snap_len = snap;
			frame->nseg = len > snap;
			if (len > snap) {
				struct vif_seg *seg = &burst->seg[burst->nseg++];

				*seg = (struct vif_seg){.va = from + snap, .len = len - snap};
				frame->seg = seg;
			}
			if (__builtin_expect(!(hdr.flags | hdr.gso_type), 1)) {
				frame->off = (struct vif_offload){0};
			} else if (!vnet_parse(&hdr, len, hdr.gso_type && vnet_is_v6(frame->snap, snap), &frame->off)) {
				frame->len = frame->snap_len = frame->nseg = 0;
				count->drop[VIF_RX_MALFORMED]++;
			}
		} else if (!peek_chain(ring, frame->cookie, burst, frame, count)) {
			break;
		}
		bad += !frame->len;
		bytes += frame->len;
		if (frame->len > max)
			max = frame->len;
		if (frame->off.gso_size && frame->len)
			count->rx_gso++;
		ring->last_avail++;
	}
	if (i == known && known < n)
		broken(ring, "the available ring names a descriptor that is not there");
	burst->n = i;
	if (max > count->rx_max)
		count->rx_max = max;
	count->rx_frames += i - bad;
	count->rx_bytes += bytes;
	return i;
}

/* Ask for what the next burst begins with. What is read here decides nothing. */
static void expect_next(const struct ring *ring)
{
	uint16_t n = ring->avail_seen - ring->last_avail;

	__builtin_prefetch(&ring->avail->idx);
	for (unsigned i = 0; i < n && i < EXPECTED; i++) {
		struct vring_desc desc = fetch(&ring->desc[available(ring, ring->last_avail + i) & (ring->size - 1)]);
		const uint8_t *va = translate_hot(ring, desc.addr, desc.len);

		if (va) {
			__builtin_prefetch(va);
			__builtin_prefetch(va + LINE);
		}
	}
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
	expect_next(ring);
}

struct heads { /* what one deliver() has used of the receiver */
	unsigned n;
	struct vring_used_elem elem[HEADS_MAX];
};

/* Copy header, snapshot and rest into the receiver's chain. Both hold as much as is said. */
static void scatter(const struct vif_frame *frame, const uint8_t *hdr, unsigned hdr_len, const struct vif_seg *dst)
{
	struct vif_seg src[2] = {{.va = hdr, .len = hdr_len}, {.va = frame->snap, .len = frame->snap_len}};
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
			left--;
			done = 0;
			from = ++i < 2 ? &src[i] : &frame->seg[i - 2];
		}
	}
}

enum fit { FIT, FIT_NOT_NOW, FIT_NEVER, FIT_BROKEN, FIT_UNREADABLE };

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

		if (!waiting(ring, ring->last_avail)) {
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

/*
 * Frames that the hypervisor is still to copy into the receiver's buffers. What could not be read must not look like
 * the frame that it was to be: it gets an Ethernet header that nobody listens to.
 */
struct unmapped {
	uint64_t set; /* by index in the burst */
	uint8_t *eth[VIF_BURST];
};

static void copy_unmapped(struct unmapped *un, unsigned i, const struct vif_frame *frame, uint8_t *dst)
{
	un->set |= 1ull << i;
	un->eth[i] = dst - frame->snap_len;
	for (unsigned s = 0; s < frame->nseg; dst += frame->seg[s++].len)
		grant_copy_in(i, dst, &frame->grant[s], frame->seg[s].len);
}

/* Wait for them. The frames that failed are taken off *done and *bytes again. */
static void finish_unmapped(struct unmapped *un, struct vif_frame *const *frames, unsigned *done, uint64_t *bytes)
{
	uint64_t bad = grant_flush().bad_src;

	for (; bad; bad &= bad - 1) {
		unsigned i = __builtin_ctzll(bad);

		memset(un->eth[i], 0, 14);
		frames[i]->failed = true;
		--*done;
		*bytes -= frames[i]->len;
	}
	un->set = 0;
}

/*
 * The common way: one buffer that holds header and frame. These are found some frames before they are written, and their
 * cache lines, which the receiver has, asked for: to get one takes as long as several small frames, and the processor
 * by itself asks for too few at a time.
 */
#define AHEAD_LINES 32

struct ahead {
	unsigned n; /* frames looked at */
	unsigned lines; /* asked for, and not written yet */
	uint16_t at; /* the ring's entry that is looked at next */
	uint16_t head[VIF_BURST];
	uint8_t *dst[VIF_BURST]; /* NULL: not in one buffer */
};

static inline unsigned lines_of(uint32_t len)
{
	return len < AHEAD_LINES * LINE ? (len + LINE - 1) / LINE : AHEAD_LINES;
}

static void look_ahead(struct ring *ring, struct vif_frame *const *frames, unsigned n, struct ahead *ahead)
{
	bool common = true;

	/* One that goes the long way is the last: what is behind it would be looked at once more. */
	while (common && ahead->n < n && ahead->lines < AHEAD_LINES && waiting(ring, ahead->at)) {
		uint32_t need = frames[ahead->n]->len + ring->hdr_len;
		uint16_t head = available(ring, ahead->at);
		unsigned lines = lines_of(need);
		uint8_t *dst = NULL;

		if (__builtin_expect(head < ring->size, 1)) {
			struct vring_desc desc = fetch(&ring->desc[head]);

			if (desc.flags == VRING_DESC_F_WRITE && desc.len >= need)
				dst = translate_all(ring, desc.addr, desc.len);
		}
		common = dst;
		for (unsigned l = 0; common && l < lines; l++)
			copy_expect(dst + l * LINE);
		ahead->head[ahead->n] = head;
		ahead->dst[ahead->n++] = dst;
		ahead->lines += lines;
		ahead->at++;
	}
}

/* Header and frame into a buffer that holds both: ascending, and not a byte more. Returns where the rest goes. */
static inline uint8_t *put_head(uint8_t *dst, const struct vif_frame *frame, unsigned hdr_len)
{
	if (__builtin_expect(!frame->off.needs && hdr_len == RING_HDR_MAX, 1)) {
		const uint64_t flags = frame->off.csum_valid ? VIRTIO_NET_HDR_F_DATA_VALID : 0;
		const uint32_t one_buffer = 1 << 16;

		memcpy(dst, &flags, sizeof(flags));
		memcpy(dst + sizeof(flags), &one_buffer, sizeof(one_buffer));
	} else {
		struct virtio_net_hdr_mrg_rxbuf hdr = {.num_buffers = 1};

		vnet_write(&frame->off, &hdr.hdr);
		memcpy(dst, &hdr, hdr_len);
	}
	copy_snap(dst + hdr_len, frame->snap, frame->snap_len);
	return dst + hdr_len + frame->snap_len;
}

static inline void put_rest(uint8_t *dst, const struct vif_frame *frame)
{
	for (unsigned s = 0; s < frame->nseg; s++) {
		copy_bytes(dst, frame->seg[s].va, frame->seg[s].len);
		dst += frame->seg[s].len;
	}
}

/* By the long way: several buffers, or chained ones. */
static __attribute__((noinline)) enum fit put_chained(struct ring *ring, struct vif_frame *const *frame,
						      struct heads *heads)
{
	struct virtio_net_hdr_mrg_rxbuf hdr;
	struct vif_frame *room, *const *local = grant_localise(frame, 1, &room);
	struct chain chain;
	unsigned buffers;
	enum fit fit;

	if (!(*local)->len)
		return FIT_UNREADABLE;
	fit = take(ring, (*local)->len + ring->hdr_len, &chain, heads, &buffers);
	if (fit == FIT) {
		vnet_write(&(*local)->off, &hdr.hdr);
		hdr.num_buffers = buffers;
		scatter(*local, (uint8_t *)&hdr, ring->hdr_len, chain.seg);
	}
	return fit;
}

static void publish(struct ring *ring, const struct heads *heads)
{
	uint16_t mask = ring->size - 1, idx = ring->used_idx;

	for (unsigned h = 0; h < heads->n; h++, idx++)
		ring->used->ring[idx & mask] = heads->elem[h];
	ring->used_idx = idx;
	__atomic_store_n(&ring->used->idx, idx, __ATOMIC_RELEASE);
}

unsigned ring_deliver(struct ring *ring, struct vif_frame *const *frames, unsigned n, struct vif_counters *count)
{
	const unsigned hdr_len = ring->hdr_len;
	struct unmapped un;
	struct heads heads;
	struct ahead ahead;
	uint64_t bytes = 0;
	uint32_t longest = 0;
	unsigned i, done = 0;

	heads.n = 0;
	un.set = 0;
	ahead.n = ahead.lines = 0;
	ahead.at = ring->last_avail;
	for (i = 0; i < n; i++) {
		const struct vif_frame *frame = frames[i];
		uint32_t need = frame->len + hdr_len;
		uint8_t *dst;

		if (ahead.lines <= AHEAD_LINES / 2 && ahead.n < n)
			look_ahead(ring, frames, n, &ahead);
		if (__builtin_expect(i == ahead.n, 0))
			break;
		dst = ahead.dst[i];
		if (__builtin_expect(dst != NULL && heads.n < HEADS_MAX, 1)) {
			heads.elem[heads.n++] = (struct vring_used_elem){ahead.head[i], need};
			ring->last_avail++;
			ahead.lines -= lines_of(need);
			dst = put_head(dst, frame, hdr_len);
			if (__builtin_expect(vif_unmapped(frame), 0))
				copy_unmapped(&un, i, frame, dst);
			else
				put_rest(dst, frame);
		} else {
			enum fit fit;

			if (un.set) /* the copies that wait are theirs, not this frame's */
				finish_unmapped(&un, frames, &done, &bytes);
			fit = put_chained(ring, &frames[i], &heads);
			/* it took more entries than one, or none */
			ahead.n = i + 1;
			ahead.lines = 0;
			ahead.at = ring->last_avail;
			if (fit == FIT_NOT_NOW || fit == FIT_BROKEN)
				break;
			if (fit == FIT_NEVER)
				count->drop[VIF_TX_TOO_BIG]++;
			if (fit != FIT)
				continue; /* FIT_UNREADABLE is the sender's own fault, and counted there */
		}
		done++;
		bytes += frame->len;
		if (frame->len > longest)
			longest = frame->len;
		if (frame->off.gso_size)
			count->tx_gso++;
	}
	if (un.set)
		finish_unmapped(&un, frames, &done, &bytes);
	if (heads.n)
		publish(ring, &heads);
	if (longest > count->tx_max)
		count->tx_max = longest;
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
