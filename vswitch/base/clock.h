/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CLOCK_MONOTONIC: the time since an unspecified moment, for intervals and deadlines. Any thread.
 */
#ifndef XBAR_CLOCK_H
#define XBAR_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static inline uint64_t clock_ms(void)
{
	return clock_ns() / 1000000;
}

/* Whole seconds, at most a few milliseconds late. As cheap as a load from memory. */
static inline uint32_t clock_coarse_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint32_t)now.tv_sec;
}

#endif
