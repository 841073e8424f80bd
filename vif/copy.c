/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which way long copies go. Through the cache is better if the receiver's CPU shares a cache with ours. If it does not,
 * non-temporal stores can be better: a line is then not fetched from the receiver only to be overwritten. Processors
 * differ in that, and virtual CPUs move between the two, so it cannot be configured: each worker measures it. It takes the way that has cost less and tries the other one for a burst in TRY_EVERY. A burst as a
 * whole is what is measured: lines that were asked for ahead make a copy look slow that only waits for all of them.
 */
#include "copy.h"

#include <x86intrin.h>

#define TRY_EVERY 256 /* bursts, a power of two */
#define ENOUGH (16u << 10) /* bytes of a burst that say something */
#define AVERAGE_OVER 4 /* bursts */
#define COST_MAX (1u << 26) /* what is longer was stopped for a while; cost, and four times cost, fit 32 bits */

/* Frames of a segment and longer ones: a byte does not cost the same. */
static __thread struct method {
	enum copy_way way; /* the cheaper one */
	unsigned bursts;
	uint32_t cost[2]; /* cycles per 4 KiB, running average; 0: not known yet */
} methods[2];

__thread enum copy_way copy_way;

uint64_t copy_choose(uint32_t len)
{
	struct method *m = &methods[len >= 4096];

	copy_way = ++m->bursts % TRY_EVERY ? m->way : !m->way;
	return __rdtsc();
}

void copy_record(uint32_t len, uint64_t start, uint64_t bytes)
{
	struct method *m = &methods[len >= 4096];
	uint32_t *known = &m->cost[copy_way], cost;
	uint64_t cycles;

	if (copy_way == COPY_AROUND)
		_mm_sfence(); /* these stores are not ordered with the one that publishes the buffers */
	cycles = __rdtsc() - start;
	if (bytes < ENOUGH)
		return;
	cost = cycles < COST_MAX ? cycles * 4096 / bytes + 1 : COST_MAX;
	if (!*known)
		*known = cost;
	if (cost > 4 * *known) /* it may have been interrupted */
		cost = 4 * *known;
	*known += ((int32_t)cost - (int32_t)*known) / AVERAGE_OVER;
	/* non-temporal stores make the receiver wait for memory: they must gain us much */
	m->way = m->cost[COPY_AROUND] && m->cost[COPY_AROUND] < m->cost[COPY_THROUGH] / 2 ? COPY_AROUND : COPY_THROUGH;
}
