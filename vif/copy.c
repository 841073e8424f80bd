/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Long copies, in the way that costs less just now.
 *
 * Through the cache (memcpy) is better where the receiver's CPU shares a cache with ours; around it (stores that go to
 * memory at once) where it does not, since then each line would first be fetched from the receiver only to be
 * overwritten. Virtual CPUs move between the two, so nobody can set this: each worker measures it. It takes the way that
 * has cost less, and tries the other one once in TRY_EVERY copies.
 */
#include "copy.h"

#include <x86intrin.h>

#define MEASURE_EVERY 16 /* copies, a power of two */
#define TRY_EVERY 16 /* measurements, likewise */
#define AVERAGE_OVER 4 /* measurements */
#define COST_MAX (1u << 26) /* what is longer was stopped for a while; cost, and four times cost, fit 32 bits */

enum way { THROUGH, AROUND };

/* Frames of a segment and longer ones: a byte does not cost the same. */
static __thread struct method {
	enum way way; /* the cheaper one */
	unsigned copies;
	uint32_t cost[2]; /* cycles per 4 KiB, running average; 0: not known yet */
} methods[2];

static void copy_around(uint8_t *dst, const uint8_t *src, uint32_t n)
{
	uint32_t head = -(uintptr_t)dst & 63;

	memcpy(dst, src, head);
	for (dst += head, src += head, n -= head; n >= 64; dst += 64, src += 64, n -= 64)
		for (unsigned i = 0; i < 64; i += 16)
			_mm_stream_si128((__m128i *)(dst + i), _mm_loadu_si128((const __m128i *)(src + i)));
	_mm_sfence(); /* these stores are not ordered with the one that publishes the buffer */
	memcpy(dst, src, n);
}

static inline void copy_by(enum way way, uint8_t *dst, const uint8_t *src, uint32_t n)
{
	if (way == AROUND)
		copy_around(dst, src, n);
	else
		memcpy(dst, src, n);
}

static __attribute__((noinline)) void measure(struct method *m, uint8_t *dst, const uint8_t *src, uint32_t n)
{
	enum way way = m->copies / MEASURE_EVERY % TRY_EVERY ? m->way : !m->way;
	uint64_t start = __rdtsc(), cycles;
	uint32_t cost;

	copy_by(way, dst, src, n);
	cycles = __rdtsc() - start;
	cost = cycles < COST_MAX ? cycles * 4096 / n + 1 : COST_MAX;
	if (!m->cost[way])
		m->cost[way] = cost;
	if (cost > 4 * m->cost[way]) /* it may have been interrupted */
		cost = 4 * m->cost[way];
	m->cost[way] += ((int32_t)cost - (int32_t)m->cost[way]) / AVERAGE_OVER;
	/* who goes around makes the receiver wait for memory: that is worth it only where we gain much */
	m->way = m->cost[AROUND] < m->cost[THROUGH] / 2;
}

void copy_long(uint8_t *dst, const uint8_t *src, uint32_t n)
{
	struct method *m = &methods[n >= 4096];

	if (__builtin_expect(++m->copies % MEASURE_EVERY, 1))
		copy_by(m->way, dst, src, n);
	else
		measure(m, dst, src, n);
}
