/* SPDX-License-Identifier: BSD-3-Clause */
#include "ring.h"

#define PAGE_BITS 12 /* of the log's pages, whatever the host's are */

static void mark(const struct ring_log *log, uint64_t gpa, uint64_t len)
{
	const uint64_t last = (gpa + len - 1) >> PAGE_BITS;

	for (uint64_t page = gpa >> PAGE_BITS; page <= last && page < log->pages; page++)
		/* whatever it says now: the front end may be clearing it for what was written before */
		__atomic_fetch_or(&log->bits[page / 8], 1u << page % 8, __ATOMIC_RELEASE);
}

void ring_log_memory(const struct ring *ring, const void *at, uint32_t len)
{
	const struct ring_mem *mem = ring->mem;

	for (unsigned i = 0; i < mem->n && len; i++) {
		const uint64_t off = (uint64_t)((uintptr_t)at - (uintptr_t)mem->region[i].va);

		if (off < mem->region[i].size) {
			mark(ring->log, mem->region[i].gpa + off, len);
			return;
		}
	}
}

void ring_log_used(const struct ring *ring, const void *at, uint32_t len)
{
	if (ring->logs_used)
		mark(ring->log, ring->log_used + ((uintptr_t)at - (uintptr_t)ring->used), len);
}

void ring_log_completed(const struct ring *ring, uint16_t from, unsigned n)
{
	const unsigned at = from & (ring->size - 1), room = ring->size - at, first = n < room ? n : room;

	ring_log_used(ring, &ring->used->ring[at], first * sizeof(ring->used->ring[0]));
	if (first < n)
		ring_log_used(ring, &ring->used->ring[0], (n - first) * sizeof(ring->used->ring[0]));
	ring_log_used(ring, ring->used, sizeof(*ring->used));
}
