/* SPDX-License-Identifier: BSD-3-Clause */
/* Theory of operation: see ring.h and ring_path.h. */
#define RING_WIDTH(name) name##_sse
#include "ring_path.h"

#define PREFETCH_NEXT 16 /* frames of the next burst that are prefetched at the end of this one */

/* ---- the version for this processor ------------------------------------------------------------------------------ */

/* The linker calls these before anything else has run, a sanitizer included. clang does not see that it does. */
#define FIRST __attribute__((used, no_sanitize("address", "undefined", "thread")))

static FIRST unsigned (*choose_peek(void))(struct ring *, struct vif_burst *, struct vif_counters *)
{
	__builtin_cpu_init();
	return RING_CAN_AVX512 ? ring_peek_avx512 : RING_CAN_AVX2 ? ring_peek_avx2 : ring_peek_sse;
}

static FIRST unsigned (*choose_deliver(void))(struct ring *, struct vif_frame *const *, unsigned, struct vif_counters *)
{
	__builtin_cpu_init();
	return RING_CAN_AVX512 ? ring_deliver_avx512 : RING_CAN_AVX2 ? ring_deliver_avx2 : ring_deliver_sse;
}

unsigned ring_peek(struct ring *ring, struct vif_burst *burst, struct vif_counters *count)
	__attribute__((ifunc("choose_peek")));
unsigned ring_deliver(struct ring *ring, struct vif_frame *const *frames, unsigned n, struct vif_counters *count)
	__attribute__((ifunc("choose_deliver")));

/* ---- release ----------------------------------------------------------------------------------------------------- */

/* Prefetch the beginning of the next burst. What is read here decides nothing. */
static void prefetch_next(const struct ring *ring)
{
	uint16_t n = ring->avail_seen - ring->last_avail;

	__builtin_prefetch(&ring->avail->idx);
	for (unsigned i = 0; i < n && i < PREFETCH_NEXT; i++) {
		struct vring_desc desc = fetch(&ring->desc[available(ring, ring->last_avail + i) & (ring->size - 1)]);
		const uint8_t *va = in_region(&ring->last_region, desc.addr, desc.len);

		if (va) {
			__builtin_prefetch(va);
			__builtin_prefetch(va + LINE);
		}
	}
}

static void split_release(struct ring *ring, const struct vif_burst *burst)
{
	uint16_t mask = ring->size - 1, idx = ring->used_idx;

	for (unsigned i = 0; i < burst->n; i++, idx++) {
		const struct vring_used_elem elem = {.id = burst->frame[i].cookie};

		memcpy(&ring->used->ring[idx & mask], &elem, sizeof(elem));
	}
	__atomic_store_n(&ring->used->idx, idx, __ATOMIC_RELEASE);
	if (__builtin_expect(ring->log != NULL, 0))
		ring_log_completed(ring, ring->used_idx, burst->n);
	ring->used_idx = idx;
	prefetch_next(ring);
}

void ring_release(struct ring *ring, const struct vif_burst *burst)
{
	if (ring->packed)
		packed_release(ring, burst);
	else
		split_release(ring, burst);
}

/* ---- notifications ----------------------------------------------------------------------------------------------- */

/* The event index that the guest asks for, behind the available ring, and ours, behind the used ring (virtio 1.2, 2.7.7 and 2.7.10). */
static inline uint16_t *used_event(struct ring *ring)
{
	return &ring->avail->ring[ring->size];
}

static inline uint16_t *avail_event(struct ring *ring)
{
	return (uint16_t *)&ring->used->ring[ring->size];
}

/* Mark whichever of the two was written that say when we want to be told. */
static void log_wish(struct ring *ring)
{
	if (ring->event_idx)
		ring_log_used(ring, avail_event(ring), sizeof(uint16_t));
	else
		ring_log_used(ring, &ring->used->flags, sizeof(ring->used->flags));
}

bool ring_notify(struct ring *ring)
{
	uint16_t new = ring->used_idx, old = ring->signalled;

	if (ring->packed)
		return packed_notify(ring);
	if (new == old)
		return false;
	ring->signalled = new;
	if (ring->event_idx) {
		if (!vring_need_event(__atomic_load_n(used_event(ring), __ATOMIC_RELAXED), new, old))
			return false;
	} else if (__atomic_load_n(&ring->avail->flags, __ATOMIC_RELAXED) & VRING_AVAIL_F_NO_INTERRUPT) {
		return false;
	}
	return ring->callfd >= 0;
}

bool ring_arm(struct ring *ring)
{
	if (ring->packed)
		return packed_arm(ring);
	if (ring->event_idx)
		__atomic_store_n(avail_event(ring), ring->last_avail, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&ring->used->flags, 0, __ATOMIC_RELAXED);
	if (__builtin_expect(ring->log != NULL, 0))
		log_wish(ring);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* our event index is written before their index is read */
	return __atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE) != ring->last_avail;
}

void ring_disarm(struct ring *ring)
{
	if (ring->packed) {
		packed_disarm(ring);
		return;
	}
	/* with EVENT_IDX a stale avail_event is harmless: it matches once per 65536 entries */
	if (ring->event_idx)
		return;
	__atomic_store_n(&ring->used->flags, VRING_USED_F_NO_NOTIFY, __ATOMIC_RELAXED);
	if (__builtin_expect(ring->log != NULL, 0))
		log_wish(ring);
}

/* ---- where the ring stands --------------------------------------------------------------------------------------- */

void ring_resume(struct ring *ring)
{
	if (ring->packed) {
		packed_resume(ring);
		return;
	}
	ring->used_idx = __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE);
	ring->last_avail = ring->avail_seen = ring->used_idx;
	ring->signalled = ring->used_idx - 1; /* the guest may be waiting for what was told before a restart */
}
