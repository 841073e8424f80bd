/* SPDX-License-Identifier: BSD-3-Clause */
#include "probe.h"

#include <immintrin.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BATCHES 9
#define ROUNDS 24 /* in a batch; the first one of all is for warming up */

static struct {
	uint32_t ball __attribute__((aligned(64))); /* odd: at the caller's, even: at the thread's */
	uint32_t go __attribute__((aligned(64)));
} table;

static void *player(void *arg)
{
	(void)arg;
	for (uint32_t seen = 0;; seen++) {
		while (__atomic_load_n(&table.go, __ATOMIC_ACQUIRE) == seen)
			syscall(SYS_futex, &table.go, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
		for (unsigned i = 0; i < (BATCHES + 1) * ROUNDS; i++) {
			while (!(__atomic_load_n(&table.ball, __ATOMIC_ACQUIRE) & 1))
				_mm_pause();
			__atomic_fetch_add(&table.ball, 1, __ATOMIC_RELEASE);
		}
	}
	return NULL;
}

static void play(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		__atomic_fetch_add(&table.ball, 1, __ATOMIC_RELEASE);
		while (__atomic_load_n(&table.ball, __ATOMIC_ACQUIRE) & 1)
			_mm_pause();
	}
}

int probe_start(int cpu)
{
	struct sched_param param = {.sched_priority = 2};
	pthread_attr_t attr;
	pthread_t thread;
	cpu_set_t set;
	int err;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	err = pthread_create(&thread, &attr, player, NULL);
	pthread_attr_destroy(&attr);
	return -err;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

uint64_t probe_round_trip(void)
{
	uint64_t took[BATCHES];

	__atomic_fetch_add(&table.go, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &table.go, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	play();
	for (unsigned i = 0; i < BATCHES; i++) {
		uint64_t t0 = __builtin_ia32_rdtsc();

		play();
		took[i] = (__builtin_ia32_rdtsc() - t0) / ROUNDS;
	}
	qsort(took, BATCHES, sizeof(took[0]), by_value);
	return took[BATCHES / 2];
}
