/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies of every length and alignment that matters, in both ways, between pages that may not be touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <x86intrin.h>

static uint64_t clock_now, clock_step; /* step 0: the real one */

static uint64_t cycles_now(void)
{
	return clock_step ? (clock_now += clock_step) : __rdtsc();
}

#define __rdtsc cycles_now
#include "vif/copy.c" /* for what it has measured */

#define PAGE 4096u
#define AREA (3 * PAGE) /* what may be touched, in front of a page that may not */

static uint8_t *area(void)
{
	uint8_t *p = mmap(NULL, AREA + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	assert_int_equal(mprotect(p + PAGE, AREA, PROT_READ | PROT_WRITE), 0);
	return p + PAGE;
}

static void free_area(uint8_t *p)
{
	munmap(p - PAGE, AREA + 2 * PAGE);
}

typedef void copy_fn(uint8_t *dst, const uint8_t *src, uint32_t n);

static void through(uint8_t *dst, const uint8_t *src, uint32_t n)
{
	copy_way = COPY_THROUGH;
	copy_bytes(dst, src, n);
}

static void around(uint8_t *dst, const uint8_t *src, uint32_t n)
{
	copy_way = COPY_AROUND;
	copy_bytes(dst, src, n);
	copy_way = COPY_THROUGH;
}

static void short_one(uint8_t *dst, const uint8_t *src, uint32_t n)
{
	copy_head(dst, src, n);
}

/* `n` bytes to dst: they arrive, and the bytes around them stay. */
static void check(copy_fn *copy, uint8_t *to, uint32_t dst, const uint8_t *from, uint32_t src, uint32_t n)
{
	uint32_t low = dst < 64 ? 0 : dst - 64, high = dst + n + 64 < AREA ? dst + n + 64 : AREA;

	memset(to + low, 0xa5, high - low);
	copy(to + dst, from + src, n);
	assert_memory_equal(to + dst, from + src, n);
	for (uint32_t i = low; i < high; i++)
		if ((i < dst || i >= dst + n) && to[i] != 0xa5)
			fail_msg("%u bytes from %u to %u: byte %u is written", n, src, dst, i);
}

/* Both ends against their guard pages, at either side, and all alignments. */
static void at_all_places(copy_fn *copy, uint32_t n)
{
	uint8_t *to = area(), *from = area();

	for (uint32_t i = 0; i < AREA; i++)
		from[i] = i * 7 + (i >> 8);
	check(copy, to, 0, from, 0, n);
	check(copy, to, AREA - n, from, AREA - n, n);
	check(copy, to, 0, from, AREA - n, n);
	check(copy, to, AREA - n, from, 0, n);
	for (uint32_t k = 0; k < 64; k++) {
		check(copy, to, k, from, AREA - n - k * 7 % 64, n);
		check(copy, to, AREA - n - k, from, k * 11 % 64, n);
	}
	free_area(to);
	free_area(from);
}

static void long_copies_touch_what_they_are_told_to_and_no_more(void **state)
{
	static copy_fn *const ways[] = {through, around};

	(void)state;
	for (unsigned w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
		for (uint32_t n = COPY_LONG; n < COPY_LONG + 130; n++)
			at_all_places(ways[w], n);
		for (uint32_t n = PAGE - 70; n < PAGE + 70; n++)
			at_all_places(ways[w], n);
		at_all_places(ways[w], 2 * PAGE);
	}
}

static void short_copies_touch_what_they_are_told_to_and_no_more(void **state)
{
	(void)state;
	for (uint32_t n = 0; n <= 128; n++)
		at_all_places(short_one, n);
	for (uint32_t n = COPY_LONG - 3; n < COPY_LONG + 3; n++)
		at_all_places(copy_bytes, n);
}

/* A burst, which takes `cycles` by the way that it goes. */
static enum copy_way burst(const uint64_t cycles[2])
{
	uint64_t start;

	copy_begin(PAGE);
	clock_step = cycles[copy_way];
	start = cycles_now();
	copy_end(PAGE, start, ENOUGH);
	clock_step = 0;
	return copy_way;
}

static void bursts_go_around_where_that_costs_less_than_half(void **state)
{
	static const struct {
		uint64_t cycles[2];
		enum copy_way way;
	} cases[] = {
		{{[COPY_THROUGH] = 5000, [COPY_AROUND] = 2000}, COPY_AROUND},
		{{[COPY_THROUGH] = 5000, [COPY_AROUND] = 3000}, COPY_THROUGH},
		{{[COPY_THROUGH] = 5000, [COPY_AROUND] = 2000}, COPY_AROUND},
		{{[COPY_THROUGH] = 1000, [COPY_AROUND] = 2000}, COPY_THROUGH},
	};

	(void)state;
	methods[1] = (struct method){.bursts = 0};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) { /* as CPUs move, so does the choice */
		unsigned tried = 0;

		for (unsigned k = 0; k < 40 * TRY_EVERY; k++)
			burst(cases[i].cycles);
		for (unsigned k = 0; k < TRY_EVERY; k++)
			tried += burst(cases[i].cycles) != cases[i].way;
		assert_int_equal(tried, 1);
	}
	copy_way = COPY_AROUND;
	assert_int_equal(copy_begin(COPY_LONG - 1), 0);
	assert_int_equal(copy_way, COPY_THROUGH);
}

static void a_burst_that_was_interrupted_for_long_does_not_decide_for_ever(void **state)
{
	static const uint64_t usual[] = {[COPY_THROUGH] = 5000, [COPY_AROUND] = 9000};
	static const uint64_t stops[] = {1 << 20, 1u << 31, 0xfffffff0, (1ull << 32) + 1, 1ull << 33, 1ull << 62};
	struct method *m = &methods[1];

	(void)state;
	for (unsigned i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
		const uint64_t stopped[] = {stops[i], stops[i]};

		for (unsigned when = 0; when < 4; when++) {
			*m = (struct method){.bursts = TRY_EVERY - 2};
			for (unsigned k = 0; k < 400 * TRY_EVERY; k++) {
				burst(k == when ? stopped : usual);
				assert_in_range(m->cost[COPY_THROUGH], 1, INT32_MAX / 4);
				assert_in_range(m->cost[COPY_AROUND], k ? 1 : 0, INT32_MAX / 4);
			}
			assert_int_equal(m->way, COPY_THROUGH);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_copies_touch_what_they_are_told_to_and_no_more),
		cmocka_unit_test(short_copies_touch_what_they_are_told_to_and_no_more),
		cmocka_unit_test(a_burst_that_was_interrupted_for_long_does_not_decide_for_ever),
		cmocka_unit_test(bursts_go_around_where_that_costs_less_than_half),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
