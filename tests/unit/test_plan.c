/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vswitch/hostnet/plan.h"

/* What happens is written down as letters: a step's own when it is applied, its capital when it is undone. */
struct tape {
	char text[64];
	char fails; /* the letter that fails; '\0': none */
	char fails_undo; /* likewise for the capitals, as a small letter */
};

static int write_letter(struct tape *tape, char letter, bool fails, struct err *err)
{
	size_t n = strlen(tape->text);
	tape->text[n] = letter;
	tape->text[n + 1] = '\0';
	return fails ? err_set(err, -EIO, "%c failed", letter) : 0;
}

#define STEP(small, capital)                                                                                           \
	static int apply_##small(void *arg, struct err *err)                                                           \
	{                                                                                                              \
		struct tape *tape = arg;                                                                               \
		return write_letter(tape, #small[0], tape->fails == #small[0], err);                                   \
	}                                                                                                              \
	static int undo_##small(void *arg, struct err *err)                                                            \
	{                                                                                                              \
		struct tape *tape = arg;                                                                               \
		return write_letter(tape, #capital[0], tape->fails_undo == #small[0], err);                            \
	}
STEP(a, A)
STEP(b, B)
STEP(c, C)
STEP(d, D)

static struct plan *four_steps(struct tape *tape)
{
	struct plan *plan = plan_new(tape);
	assert_non_null(plan);
	assert_int_equal(plan_add(plan, PLAN_KEEP, apply_a, undo_a, "step %d", 1), 0);
	assert_int_equal(plan_add(plan, PLAN_BRIDGE, apply_b, undo_b, "step %d", 2), 0);
	assert_int_equal(plan_add(plan, PLAN_MOVE, apply_c, undo_c, "step %d", 3), 0);
	assert_int_equal(plan_add(plan, PLAN_COMMIT, apply_d, undo_d, "step %d", 4), 0);
	return plan;
}

static void steps_are_applied_in_order(void **state)
{
	struct tape tape = {.fails = 0};
	struct err err = {0};
	struct plan *plan = four_steps(&tape);

	(void)state;
	assert_int_equal(plan_apply(plan, 0, &err), 0);
	assert_string_equal(tape.text, "abcd");
	plan_free(plan);
}

static void undoing_goes_backwards_through_all_steps(void **state)
{
	struct tape tape = {.fails = 0};
	struct err err = {0};
	struct plan *plan = four_steps(&tape);

	(void)state;
	assert_int_equal(plan_undo(plan, &err), 0);
	assert_string_equal(tape.text, "DCBA");
	plan_free(plan);
}

static void a_step_that_fails_is_undone_with_those_before_it(void **state)
{
	static const struct {
		char fails;
		const char *text;
	} cases[] = {{'a', "aA"}, {'b', "abBA"}, {'c', "abcCBA"}, {'d', "abcdDCBA"}};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct tape tape = {.fails = cases[i].fails};
		struct err err = {0};
		char sentence[] = "x failed";
		struct plan *plan = four_steps(&tape);
		sentence[0] = cases[i].fails;
		assert_int_equal(plan_apply(plan, 0, &err), -EIO);
		assert_string_equal(tape.text, cases[i].text);
		assert_string_equal(err.text, sentence);
		plan_free(plan);
	}
}

static void undoing_goes_on_past_a_failure_and_tells_of_it(void **state)
{
	struct tape tape = {.fails = 'c', .fails_undo = 'b'};
	struct err err = {0};
	struct plan *plan = four_steps(&tape);

	(void)state;
	assert_int_equal(plan_apply(plan, 0, &err), -EIO);
	assert_string_equal(tape.text, "abcCBA");
	assert_string_equal(err.text, "c failed; and undoing it failed: B failed");

	tape.text[0] = '\0';
	assert_int_equal(plan_undo(plan, &err), -EIO);
	assert_string_equal(tape.text, "DCBA");
	assert_string_equal(err.text, "B failed");
	plan_free(plan);
}

static void only_the_first_steps_are_applied_if_that_is_asked_for(void **state)
{
	(void)state;
	for (unsigned until = 1; until <= 6; until++) {
		struct tape tape = {.fails = 0};
		struct err err = {0};
		struct plan *plan = four_steps(&tape);
		assert_int_equal(plan_apply(plan, until, &err), 0);
		assert_int_equal(strlen(tape.text), until < 4 ? until : 4);
		plan_free(plan);
	}
}

static void a_plan_can_be_read_before_it_is_applied(void **state)
{
	struct tape tape = {.fails = 0};
	struct plan *plan = four_steps(&tape);
	enum plan_kind kind;

	(void)state;
	assert_string_equal(plan_step(plan, 2, &kind), "step 3");
	assert_string_equal(plan_kind_name(kind), "move");
	assert_null(plan_step(plan, 4, &kind));
	assert_string_equal(tape.text, "");
	plan_free(plan);
}

static void steps_without_functions_do_nothing(void **state)
{
	struct tape tape = {.fails = 0};
	struct err err = {0};
	struct plan *plan = plan_new(&tape);

	(void)state;
	assert_int_equal(plan_add(plan, PLAN_KEEP, NULL, NULL, "nothing"), 0);
	assert_int_equal(plan_add(plan, PLAN_KEEP, apply_a, NULL, "a"), 0);
	assert_int_equal(plan_apply(plan, 0, &err), 0);
	assert_int_equal(plan_undo(plan, &err), 0);
	assert_string_equal(tape.text, "a");
	plan_free(plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_are_applied_in_order),
		cmocka_unit_test(undoing_goes_backwards_through_all_steps),
		cmocka_unit_test(a_step_that_fails_is_undone_with_those_before_it),
		cmocka_unit_test(undoing_goes_on_past_a_failure_and_tells_of_it),
		cmocka_unit_test(only_the_first_steps_are_applied_if_that_is_asked_for),
		cmocka_unit_test(a_plan_can_be_read_before_it_is_applied),
		cmocka_unit_test(steps_without_functions_do_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
