/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fast path of frames through rings: one buffer that holds header and frame. ring_chain.c is the slow path.
 *
 * Theory of operation. What is slow here is the other core's cache lines, so: the available index is read when what was
 * seen of it is used up; lines are asked for some frames before they are needed; used entries are written in one go
 * behind the copies; the index is published once per burst.
 *
 * This file is compiled once for each vector width, by ring.c, ring_avx2.c and ring_avx512.c: RING_WIDTH(name) is what
 * the functions are called there.
 */
#include "ring_slot.h"
#include "vif/copy.h"
#include "vif/grant.h"
#include "vif/vnet.h"

#define LINE 64 /* bytes of a cache line */
#define PACKED_AHEAD 256 /* bytes of a packed ring that are asked for, to be written: each slot that is read will be */
#define CHAINED (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE)

/*
 * Ring fields that are constant during a burst, copied because the compiler must assume that stores to guest memory alias
 * them. last_region is written back by translate_whole().
 */
struct ring_consts {
	const struct vring_desc *desc;
	const uint16_t *avail;
	uint16_t size;
	struct ring_region last_region;
};

static inline struct ring_consts ring_consts_of(const struct ring *ring)
{
	return (struct ring_consts){ring->desc, ring->avail->ring, ring->size, ring->last_region};
}

static inline uint16_t available_of(const struct ring_consts *consts, uint16_t idx)
{
	return __atomic_load_n(&consts->avail[idx & (consts->size - 1)], __ATOMIC_RELAXED);
}

/* Host address of a range that lies in one region, nearly always the one used last; NULL: it does not. */
static inline uint8_t *translate_whole(struct ring_consts *consts, struct ring *ring, uint64_t gpa, uint32_t len)
{
	uint8_t *va = in_region(&consts->last_region, gpa, len);

	if (__builtin_expect(!va, 0)) {
		va = ring_translate(ring, gpa, len);
		consts->last_region = ring->last_region;
	}
	return va;
}

/* ---- peek -------------------------------------------------------------------------------------------------------- */

/* What is offered on the transmit ring, up to a burst; the lines that it begins with are asked for. */
struct offered {
	unsigned n;
	bool more; /* packed: behind the last, which is a chain, there may be others */
	uint32_t len[VIF_BURST]; /* of the frame, without its header */
	const uint8_t *va[VIF_BURST]; /* of the header; NULL: for the slow path */
};

static __attribute__((noinline)) void find_offered(struct ring *ring, struct vif_burst *burst, unsigned n,
						   struct offered *offered)
{
	const uint32_t hdr_len = ring->hdr_len;
	struct ring_consts consts = ring_consts_of(ring);
	uint16_t at = ring->last_avail;
	unsigned i;

	for (i = 0; i < n; i++, at++) {
		uint16_t head = available_of(&consts, at);
		struct vring_desc desc;
		const uint8_t *va;
		uint32_t len;

		if (__builtin_expect(head >= consts.size, 0))
			break;
		desc = fetch(&consts.desc[head]);
		va = translate_whole(&consts, ring, desc.addr, desc.len);
		len = desc.len - hdr_len;
		__builtin_prefetch(va);
		__builtin_prefetch((const void *)((uintptr_t)va + LINE)); /* va may be NULL */
		burst->frame[i].cookie = head;
		if (__builtin_expect(desc.flags & CHAINED || len - 14 > VIF_FRAME_MAX - 14, 0))
			va = NULL;
		offered->len[i] = len;
		offered->va[i] = va;
	}
	offered->n = i;
}

/* The same of a packed ring, from frame `i` of the burst on. */
static __attribute__((noinline)) void find_offered_packed(struct ring *ring, struct vif_burst *burst, unsigned i,
							  struct offered *offered)
{
	const uint32_t hdr_len = ring->hdr_len, size = ring->size;
	const unsigned last = VIF_BURST - i < size ? VIF_BURST : i + size;
	const struct vring_packed_desc *slots = ring->slot;
	struct ring_consts consts = ring_consts_of(ring);
	uint16_t available = packed_available(ring->last_avail);
	uint32_t slot = packed_slot(ring->last_avail);

	offered->more = false;
	while (i < last && !offered->more) {
		struct vring_packed_desc desc;
		const uint8_t *va;
		uint32_t len;

		if ((packed_flags(&slots[slot]) & PACKED_BOTH) != available)
			break;
		copy_prefetchw((const uint8_t *)&slots[slot] + PACKED_AHEAD);
		desc = packed_fetch(&slots[slot]);
		va = translate_whole(&consts, ring, desc.addr, desc.len);
		len = desc.len - hdr_len;
		__builtin_prefetch(va);
		__builtin_prefetch((const void *)((uintptr_t)va + LINE)); /* va may be NULL */
		burst->frame[i].cookie = packed_buffer(desc.id, 1);
		if (__builtin_expect(desc.flags & CHAINED || len - 14 > VIF_FRAME_MAX - 14, 0))
			va = NULL;
		offered->len[i] = len;
		offered->va[i++] = va;
		offered->more = desc.flags & VRING_DESC_F_NEXT; /* how many slots it has, the slow path will tell */
		if (++slot == size) {
			slot = 0;
			available ^= PACKED_BOTH;
		}
	}
	offered->n = i;
}

/* The header asks for an offload. false: it is malformed. */
static __attribute__((noinline)) bool peek_offload(struct vif_frame *frame, const uint8_t *va)
{
	struct virtio_net_hdr hdr;

	memcpy(&hdr, va, sizeof(hdr));
	__asm__ volatile("" : : "r"(&hdr) : "memory"); /* a copy, not a name for the guest's memory */
	return vnet_parse(&hdr, frame->len, hdr.gso_type && vnet_is_v6(frame->head, frame->head_len), &frame->off);
}

static inline __attribute__((always_inline)) unsigned peek(struct ring *ring, struct vif_burst *burst,
							   struct vif_counters *count, const bool packed)
{
	const unsigned hdr_len = ring->hdr_len;
	unsigned i = 0, n = packed ? VIF_BURST : waiting(ring, ring->last_avail), bad = 0, nseg = 0;
	struct offered offered;
	uint64_t bytes = 0;
	uint32_t max = 0;

	if (!n) {
		burst->n = 0;
		return 0;
	}
	if (n > VIF_BURST)
		n = VIF_BURST;
	do {
		const unsigned begin = i;
		unsigned further = 0; /* slots, of a chain */

		if (packed)
			find_offered_packed(ring, burst, i, &offered);
		else
			find_offered(ring, burst, n, &offered);
		for (; i < offered.n; i++) {
			struct vif_frame *frame = &burst->frame[i];
			const uint8_t *va = offered.va[i];
			uint32_t len = offered.len[i];
			uint16_t flags_and_gso;

			frame->head = burst->head[i];
			if (__builtin_expect(!va || nseg == VIF_SEGS, 0)) {
				const uint16_t head = packed ? packed_after(ring->last_avail, i - begin, ring->size)
							     : (uint16_t)frame->cookie;
				bool taken;

				burst->nseg = nseg;
				taken = steps_left(count) && ring_peek_chain(ring, head, burst, frame, count);
				nseg = burst->nseg;
				if (!taken)
					break;
				if (packed)
					further += packed_buffer_slots((uint32_t)frame->cookie) - 1;
				count->rx_gso += frame->len && frame->off.gso_size;
				bad += !frame->len;
				offered.len[i] = frame->len;
				continue;
			}
			memcpy(&flags_and_gso, va, sizeof(flags_and_gso));
			va += hdr_len;
			if (len <= VIF_HEAD_LEN) {
				copy_head(frame->head, va, len);
				vif_frame_plain(frame, len, len, 0);
			} else {
				copy_whole_head(frame->head, va);
				vif_frame_plain(frame, len, VIF_HEAD_LEN, 1);
				frame->seg = &burst->seg[nseg];
				burst->seg[nseg++] =
					(struct vif_seg){.va = va + VIF_HEAD_LEN, .len = len - VIF_HEAD_LEN};
			}
			if (__builtin_expect(!flags_and_gso, 1))
				continue;
			if (peek_offload(frame, va - hdr_len)) {
				count->rx_gso += frame->off.gso_size != 0;
				continue;
			}
			frame->len = frame->head_len = frame->nseg = 0;
			offered.len[i] = 0;
			count->drop[VIF_RX_MALFORMED]++;
			bad++;
		}
		ring->last_avail = packed ? packed_after(ring->last_avail, i - begin + further, ring->size)
					  : (uint16_t)(ring->last_avail + i);
	} while (packed && offered.more && i == offered.n && i < VIF_BURST);
	if (!packed && i == offered.n && offered.n < n)
		broken(ring, "the available ring names a descriptor that is not there");
	burst->n = i;
	burst->nseg = nseg;
	for (unsigned k = 0; k < i; k++) {
		bytes += offered.len[k];
		max = offered.len[k] > max ? offered.len[k] : max;
	}
	if (max > count->rx_max)
		count->rx_max = max;
	count->rx_frames += i - bad;
	count->rx_bytes += bytes;
	return i;
}

static __attribute__((noinline)) unsigned peek_packed(struct ring *ring, struct vif_burst *burst,
						      struct vif_counters *count)
{
	return peek(ring, burst, count, true);
}

unsigned RING_WIDTH(ring_peek)(struct ring *ring, struct vif_burst *burst, struct vif_counters *count)
{
	return __builtin_expect(ring->packed, 0) ? peek_packed(ring, burst, count) : peek(ring, burst, count, false);
}

/* ---- deliver ----------------------------------------------------------------------------------------------------- */

/*
 * Frames that the hypervisor is still to copy into the receiver's buffers. If one cannot be read, its Ethernet header is
 * zeroed, so that no one accepts it.
 */
struct unmapped {
	uint64_t set; /* by index in the burst */
	uint8_t *eth[VIF_BURST];
};

static void copy_unmapped(struct unmapped *un, unsigned i, const struct vif_frame *frame, uint8_t *dst)
{
	un->set |= 1ull << i;
	un->eth[i] = dst - frame->head_len;
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
 * Buffers are found some frames before they are written, and their cache lines, which the receiver has, asked for, as are
 * the sender's: to get one takes as long as several small frames, and the processor by itself asks for too few at a time.
 */
#define AHEAD 4096 /* bytes that are asked for and not written yet; a line more is counted for each frame */

struct ahead {
	unsigned n; /* frames looked at; what they use of the ring is in heads->elem, behind what is used already */
	bool end; /* the next frame needs the slow path, or there is no buffer for it */
	uint32_t asked, written; /* bytes, headers, and a line a frame */
	uint8_t *dst[VIF_BURST]; /* NULL: by the slow path */
	uint32_t until[VIF_BURST]; /* `asked` with this frame */
};

/* Ask for the lines of the buffer behind its first two, and for those of the frame behind its head. */
static inline void prefetch_rest(const struct vif_frame *frame, const uint8_t *dst, uint32_t need)
{
	uint32_t len = need < AHEAD / 2 ? need : AHEAD / 2;
	const uint8_t *src = frame->nseg ? frame->seg[0].va : NULL;

	for (uint32_t l = 2 * LINE; l < len && copy_way == COPY_THROUGH; l += LINE)
		copy_prefetchw(dst + l);
	if (!src)
		return;
	if (frame->seg[0].len < len)
		len = frame->seg[0].len;
	for (uint32_t l = 0; l < len; l += LINE)
		__builtin_prefetch(src + l);
}

/* Look at frames from ahead->n on. `i` of the burst's are written; heads->n entries are used. */
static __attribute__((noinline)) void look_ahead(struct ring *ring, struct ring_consts *consts,
						 struct vif_frame *const *frames, unsigned i, unsigned n,
						 struct heads *heads, struct ahead *ahead)
{
	const uint32_t hdr_len = ring->hdr_len, enough = ahead->written + AHEAD;
	const unsigned room = HEADS_MAX - heads->n - (ahead->n - i);
	unsigned k = ahead->n, last = n;
	struct vring_used_elem *elem = &heads->elem[heads->n + (k - i)];
	uint32_t asked = ahead->asked;
	uint16_t at = ring->last_avail + (k - i), left = ring->avail_seen - at;

	if (n - k > room)
		last = k + room;
	for (; k < last && asked < enough; k++, at++, left--) {
		uint32_t need = frames[k]->len + hdr_len;
		struct vring_desc desc;
		uint8_t *dst;
		uint16_t head;

		if (__builtin_expect(!left, 0)) {
			left = waiting(ring, at);
			if (!left)
				break;
		}
		head = available_of(consts, at);
		if (__builtin_expect(head >= consts->size, 0))
			break;
		desc = fetch(&consts->desc[head]);
		if (__builtin_expect(desc.flags != VRING_DESC_F_WRITE || desc.len < need, 0))
			break;
		dst = translate_whole(consts, ring, desc.addr, desc.len);
		if (__builtin_expect(!dst, 0))
			break;
		copy_prefetchw(dst);
		copy_prefetchw(dst + LINE);
		if (need > 2 * LINE)
			prefetch_rest(frames[k], dst, need);
		ahead->dst[k] = dst;
		*elem++ = (struct vring_used_elem){head, need};
		asked += need + LINE;
		ahead->until[k] = asked;
	}
	ahead->end = k < n && asked < enough;
	ahead->n = k;
	ahead->asked = asked;
}

/* The same of a packed ring. */
static __attribute__((noinline)) void look_ahead_packed(struct ring *ring, struct ring_consts *consts,
							struct vif_frame *const *frames, unsigned i, unsigned n,
							struct heads *heads, struct ahead *ahead)
{
	const uint32_t hdr_len = ring->hdr_len, size = ring->size, enough = ahead->written + AHEAD;
	const unsigned room = HEADS_MAX - heads->n - (ahead->n - i);
	unsigned k = ahead->n, last = n;
	struct vring_used_elem *elem = &heads->elem[heads->n + (k - i)];
	const struct vring_packed_desc *slots = ring->slot;
	const uint16_t at = packed_after(ring->last_avail, k - i, size);
	uint16_t available = packed_available(at);
	uint32_t asked = ahead->asked, slot = packed_slot(at);

	if (n - k > room)
		last = k + room;
	for (; k < last && asked < enough; k++) {
		uint32_t need = frames[k]->len + hdr_len;
		struct vring_packed_desc desc;
		uint8_t *dst;

		if ((packed_flags(&slots[slot]) & PACKED_BOTH) != available)
			break;
		copy_prefetchw((const uint8_t *)&slots[slot] + PACKED_AHEAD);
		desc = packed_fetch(&slots[slot]);
		if (__builtin_expect((desc.flags & CHAINED) != VRING_DESC_F_WRITE || desc.len < need, 0))
			break;
		dst = translate_whole(consts, ring, desc.addr, desc.len);
		if (__builtin_expect(!dst, 0))
			break;
		copy_prefetchw(dst);
		copy_prefetchw(dst + LINE);
		if (need > 2 * LINE)
			prefetch_rest(frames[k], dst, need);
		ahead->dst[k] = dst;
		*elem++ = (struct vring_used_elem){packed_buffer(desc.id, 1), need};
		asked += need + LINE;
		ahead->until[k] = asked;
		if (++slot == size) {
			slot = 0;
			available ^= PACKED_BOTH;
		}
	}
	ahead->end = k < n && asked < enough;
	ahead->n = k;
	ahead->asked = asked;
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
	copy_head(dst + hdr_len, frame->head, frame->head_len);
	return dst + hdr_len + frame->head_len;
}

static inline void put_rest(uint8_t *dst, const struct vif_frame *frame)
{
	for (unsigned s = 0; s < frame->nseg; s++) {
		copy_bytes(dst, frame->seg[s].va, frame->seg[s].len);
		dst += frame->seg[s].len;
	}
}

/* Of the first `n` frames, those that this path has written. */
static __attribute__((noinline)) void log_frames(const struct ring *ring, struct vif_frame *const *frames,
						 const struct ahead *ahead, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (ahead->dst[i])
			ring_log_memory(ring, ahead->dst[i], ring->hdr_len + frames[i]->len);
}

static inline void publish_split(struct ring *ring, const struct heads *heads)
{
	uint16_t idx = ring->used_idx & (ring->size - 1);
	const unsigned room = ring->size - idx, first = room < heads->n ? room : heads->n;

	memcpy(&ring->used->ring[idx], heads->elem, first * sizeof(heads->elem[0]));
	if (first < heads->n)
		memcpy(&ring->used->ring[0], &heads->elem[first], (heads->n - first) * sizeof(heads->elem[0]));
	ring->used_idx += heads->n;
	__atomic_store_n(&ring->used->idx, ring->used_idx, __ATOMIC_RELEASE);
	if (__builtin_expect(ring->log != NULL, 0))
		ring_log_completed(ring, ring->used_idx - heads->n, heads->n);
}

static inline void publish(struct ring *ring, const struct heads *heads, struct vif_counters *count, const bool packed)
{
	uint32_t longest = 0;

	if (packed)
		packed_publish(ring, heads);
	else
		publish_split(ring, heads);
	for (unsigned h = 0; h < heads->n; h++) {
		const uint32_t len = packed ? heads->elem[h].len & ~HEAD_MORE : heads->elem[h].len;

		longest = len > longest ? len : longest;
	}
	if (longest > count->tx_max + ring->hdr_len)
		count->tx_max = longest - ring->hdr_len;
}

/* Frame `i` by the slow path. false: the burst ends before it. */
static __attribute__((noinline)) bool deliver_chained(struct ring *ring, struct vif_frame *const *frame,
						      struct heads *heads, unsigned *done, struct vif_counters *count)
{
	enum fit fit = steps_left(count) ? ring_put_chained(ring, frame, heads, count) : FIT_NOT_NOW;

	if (fit == FIT_NOT_NOW || fit == FIT_BROKEN)
		return false;
	if (fit == FIT_NEVER)
		count->drop[VIF_TX_TOO_BIG]++;
	if (fit == FIT) { /* FIT_UNREADABLE is the sender's own fault, and counted there */
		++*done;
		count->tx_bytes += (*frame)->len;
		if ((*frame)->len > count->tx_max)
			count->tx_max = (*frame)->len;
		count->tx_gso += (*frame)->off.gso_size != 0;
	}
	return true;
}

static inline __attribute__((always_inline)) unsigned deliver(struct ring *ring, struct vif_frame *const *frames,
							      unsigned n, struct vif_counters *count, const bool packed)
{
	const unsigned hdr_len = ring->hdr_len;
	const uint64_t before = count->tx_bytes;
	struct ring_consts consts = ring_consts_of(ring);
	struct unmapped un;
	struct heads heads;
	struct ahead ahead;
	unsigned i = 0, common = 0, done = 0, gso = 0;
	uint64_t bytes = 0, start;

	if (!n)
		return 0;
	start = copy_begin(frames[0]->len);
	heads.n = 0;
	heads.grouped = false;
	un.set = 0;
	ahead.n = ahead.asked = ahead.written = 0;
	while (i < n) {
		unsigned until, part;

		if (packed)
			look_ahead_packed(ring, &consts, frames, i, n, &heads, &ahead);
		else
			look_ahead(ring, &consts, frames, i, n, &heads, &ahead);
		/* half of them, so that others are on their way meanwhile */
		until = ahead.n == n || ahead.end ? ahead.n : i + (ahead.n - i + 1) / 2;
		part = until - i;
		heads.n += part;
		ring->last_avail =
			packed ? packed_after(ring->last_avail, part, ring->size) : (uint16_t)(ring->last_avail + part);
		common += part;
		done += part;
		for (; i < until; i++) {
			const struct vif_frame *frame = frames[i];
			uint8_t *dst = put_head(ahead.dst[i], frame, hdr_len);

			gso += frame->off.gso_size != 0;
			if (!frame->nseg)
				continue;
			if (__builtin_expect(vif_unmapped(frame), 0))
				copy_unmapped(&un, i, frame, dst);
			else
				put_rest(dst, frame);
		}
		if (part)
			ahead.written = ahead.until[until - 1];
		if (__builtin_expect(i < n && ahead.end, 0)) {
			if (un.set) /* the copies that wait are theirs, not this frame's */
				finish_unmapped(&un, frames, &done, &bytes);
			if (!deliver_chained(ring, &frames[i], &heads, &done, count))
				break;
			ahead.dst[i] = NULL;
			ahead.n = ++i;
		}
	}
	if (un.set)
		finish_unmapped(&un, frames, &done, &bytes);
	count->tx_bytes += bytes + ahead.asked - common * (hdr_len + LINE);
	copy_end(frames[0]->len, start, count->tx_bytes - before);
	if (__builtin_expect(ring->log != NULL, 0))
		log_frames(ring, frames, &ahead, i);
	if (heads.n)
		publish(ring, &heads, count, packed);
	count->tx_frames += done;
	count->tx_gso += gso;
	return i;
}

static __attribute__((noinline)) unsigned deliver_packed(struct ring *ring, struct vif_frame *const *frames, unsigned n,
							 struct vif_counters *count)
{
	return deliver(ring, frames, n, count, true);
}

unsigned RING_WIDTH(ring_deliver)(struct ring *ring, struct vif_frame *const *frames, unsigned n,
				  struct vif_counters *count)
{
	return __builtin_expect(ring->packed, 0) ? deliver_packed(ring, frames, n, count)
						 : deliver(ring, frames, n, count, false);
}
