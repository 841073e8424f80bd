/* SPDX-License-Identifier: BSD-3-Clause */
/* Grant copies in bursts: what failed is told by frame and by side, for a bounded number of calls of the hypervisor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grant_mem.h"

#define DOMID 7
#define GOOD 10 /* a page that is granted */
#define BAD 11 /* one that is not */
#define PIECES 17 /* of a long frame */

static int setup(void **state)
{
	struct grant_mem *mem = calloc(1, sizeof(*mem));

	mem->domid = DOMID;
	grant_mem_grant(mem, GOOD, 1);
	grant_mem_use(mem);
	*state = mem;
	return 0;
}

static int teardown(void **state)
{
	struct grant_mem *mem = *state;

	grant_mem_free(mem);
	free(mem);
	return 0;
}

static void across(unsigned tag, uint32_t dst, uint32_t src)
{
	struct vif_grant to = {dst, 0, DOMID}, from = {src, 2048, DOMID};

	grant_copy_across(tag, &to, &from, 100);
}

static void what_failed_is_told_by_frame_and_side(void **state)
{
	const struct grant_mem *mem = *state;
	struct grant_result result;

	across(0, GOOD, GOOD);
	across(1, BAD, GOOD);
	across(2, GOOD, BAD);
	across(3, GOOD, GOOD);
	result = grant_flush();
	assert_int_equal(result.bad_dst, 1 << 1);
	assert_int_equal(result.bad_src, 1 << 2);
	assert_int_equal(result.copies, 4);
	assert_int_equal(mem->calls, 3); /* of all, and who is to blame for each that failed */
	result = grant_flush();
	assert_int_equal(result.bad_dst | result.bad_src | result.copies, 0);
}

/* A receiver whose buffers are all bad must not make its senders' worker ask for each of them. */
static void who_is_to_blame_is_asked_once_for_a_frame(void **state)
{
	const struct grant_mem *mem = *state;
	struct grant_result result;

	for (unsigned tag = 0; tag < 4; tag++)
		for (unsigned i = 0; i < PIECES; i++)
			across(tag, BAD, GOOD);
	result = grant_flush();
	assert_int_equal(result.bad_dst, 15);
	assert_int_equal(result.bad_src, 0);
	assert_int_equal(mem->calls, 1 + 4);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_failed_is_told_by_frame_and_side),
		T(who_is_to_blame_is_asked_once_for_a_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
