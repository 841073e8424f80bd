/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packed rings (virtio 1.2, 2.8): positions, and the bits of a slot that tell whose it is. Private to the ring code.
 *
 * A position is a slot, and in bit 15 the wrap counter of the lap: the form of vhost-user and of event areas. Laps begin
 * with 1. In a lap with counter w the driver gives a slot to the device by AVAIL = w, USED = !w, and the device gives it
 * back by AVAIL = USED = w.
 */
#ifndef XBAR_RING_SLOT_H
#define XBAR_RING_SLOT_H

#include "ring_impl.h"

#define PACKED_WRAP 0x8000u
#define PACKED_AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define PACKED_USED (1u << VRING_PACKED_DESC_F_USED)
#define PACKED_BOTH (PACKED_AVAIL | PACKED_USED)

static inline unsigned packed_slot(uint16_t at)
{
	return at & ~PACKED_WRAP;
}

/* The position `n` slots on. */
static inline uint16_t packed_after(uint16_t at, unsigned n, unsigned size)
{
	unsigned slot = packed_slot(at) + n, wrap = at & PACKED_WRAP;

	for (; slot >= size; slot -= size)
		wrap ^= PACKED_WRAP;
	return (uint16_t)(slot | wrap);
}

/* What PACKED_BOTH of a slot are if it was made available, or used, in the lap of `at`. */
static inline uint16_t packed_available(uint16_t at)
{
	return at & PACKED_WRAP ? PACKED_AVAIL : PACKED_USED;
}

static inline uint16_t packed_used(uint16_t at)
{
	return at & PACKED_WRAP ? PACKED_BOTH : 0;
}

static inline uint16_t packed_flags(const struct vring_packed_desc *slot)
{
	return __atomic_load_n(&slot->flags, __ATOMIC_ACQUIRE);
}

/* Whether a buffer begins at `at` that the device has not completed. */
static inline bool packed_waiting(const struct ring *ring, uint16_t at)
{
	return (packed_flags(&ring->slot[packed_slot(at)]) & PACKED_BOTH) == packed_available(at);
}

/* As fetch(). */
static inline struct vring_packed_desc packed_fetch(const struct vring_packed_desc *slot)
{
	struct vring_packed_desc copy;
	__m128i v = _mm_loadu_si128((const __m128i *)slot);

	__asm__("" : "+x"(v));
	_mm_storeu_si128((__m128i *)&copy, v);
	return copy;
}

/* Give a slot back, in one store: what the guest sees of it is whole. */
static inline void packed_complete(struct vring_packed_desc *slot, uint16_t id, uint32_t len, uint16_t flags)
{
	typedef uint64_t __attribute__((may_alias)) word;

	__atomic_store_n((word *)&slot->len, len | (uint64_t)id << 32 | (uint64_t)flags << 48, __ATOMIC_RELEASE);
}

/*
 * How a buffer is named from the time when it is found until it is completed: by the id that is told to the driver, and
 * by its slots.
 */
static inline uint32_t packed_buffer(uint16_t id, unsigned slots)
{
	return id | slots << 16;
}

static inline unsigned packed_buffer_slots(uint32_t buffer)
{
	return buffer >> 16;
}

#endif
