/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the parts of the ring code share: ring_path.h, the fast path, ring_chain.c, the slow one, and what is one layout's own.
 * Private to them.
 */
#ifndef XBAR_RING_IMPL_H
#define XBAR_RING_IMPL_H

#include <emmintrin.h>

#include "ring.h"

#define FRAME_SEGS 256 /* of one frame, header included: Linux sends at most 19 */
#define HEADS_MAX 512 /* buffers that one burst may use of a receiver */

/* In an element's length: the buffer goes on with the frame of the one before it. Only where struct heads is grouped. */
#define HEAD_MORE (1u << 31)

struct heads { /* what one deliver() has used of the receiver */
	unsigned n;
	bool grouped; /* packed: some frames lie in several buffers or slots */
	struct vring_used_elem elem[HEADS_MAX]; /* packed: the id is a packed_buffer() */
};

enum fit { FIT, FIT_NOT_NOW, FIT_NEVER, FIT_BROKEN, FIT_UNREADABLE };

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

/* Host address of what lies wholly in the region; NULL: it does not. */
static inline uint8_t *in_region(const struct ring_region *region, uint64_t gpa, uint32_t len)
{
	uint64_t off = gpa - region->gpa;

	return off < region->size && len <= region->size - off ? region->va + off : NULL;
}

/* Whether the port may walk more chains in this pass of the worker. */
static inline bool steps_left(struct vif_counters *count)
{
	if (count->pass != vif_pass) {
		count->pass = vif_pass;
		count->pass_steps = count->ring_steps;
	}
	return count->ring_steps - count->pass_steps < RING_STEPS_PASS;
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

/* As in_region(), for any one region, which becomes ring->last_region. */
uint8_t *ring_translate(struct ring *ring, uint64_t gpa, uint32_t len);

/* ring_peek() and ring_deliver() for the width of vectors that is in their names. */
#define RING_VERSION(width)                                                                                            \
	unsigned ring_peek_##width(struct ring *ring, struct vif_burst *burst, struct vif_counters *count);            \
	unsigned ring_deliver_##width(struct ring *ring, struct vif_frame *const *frames, unsigned n,                  \
				      struct vif_counters *count)
RING_VERSION(sse);
RING_VERSION(avx2);
RING_VERSION(avx512);

/* Whether this processor can run them: it has all that the Makefile compiles them for. Macros, for the resolvers' sake. */
#define RING_CAN_AVX2                                                                                                  \
	(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"))
#define RING_CAN_AVX512                                                                                                \
	(RING_CAN_AVX2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&                   \
	 __builtin_cpu_supports("avx512vl"))

/*
 * The frame at `head` (packed: at that position; it sets the cookie), by the slow path. false: it has to wait for the next
 * burst, or the ring is broken.
 */
bool ring_peek_chain(struct ring *ring, uint16_t head, struct vif_burst *burst, struct vif_frame *frame,
		     struct vif_counters *count);
/* Put a frame by the slow path: several buffers, or chained ones. What FIT has used is in `heads`. */
enum fit ring_put_chained(struct ring *ring, struct vif_frame *const *frame, struct heads *heads,
			  struct vif_counters *count);

/* Show the guest of a packed ring what `heads` holds. */
void packed_publish(struct ring *ring, const struct heads *heads);
/* What ring.h says, for packed rings. */
void packed_release(struct ring *ring, const struct vif_burst *burst);
bool packed_notify(struct ring *ring);
bool packed_arm(struct ring *ring);
void packed_disarm(struct ring *ring);
void packed_resume(struct ring *ring);

#endif
