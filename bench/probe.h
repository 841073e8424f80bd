/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How far apart two CPUs are: the round trip of a cache line between the caller's CPU and another.
 *
 * Why. The CPUs of a small virtual machine may move between sharing a cache and not, every few seconds, and every
 * figure of a switch moves with it. So each sample carries the round trip before and after it.
 *
 * Model. A thread on the other CPU sleeps; a probe wakes it, and being of a real-time class it takes the CPU from
 * whatever runs there, plays, and sleeps again: some 50 us, between two samples, so that it steals from none.
 *
 * Threads. The caller must be pinned, to another CPU.
 */
#ifndef XBAR_BENCH_PROBE_H
#define XBAR_BENCH_PROBE_H

#include <stdint.h>

/* Start the thread on `cpu`. 0 or -errno: without the right to a real-time class there is no probe (EPERM). */
int probe_start(int cpu);
/* TSC cycles of a round trip: the median of several batches. */
uint64_t probe_round_trip(void);

#endif
