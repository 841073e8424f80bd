/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many entries a port may own in the MAC table, and what becomes of its neighbours' when it wants more.
 */
#include "fdb_fixture.h"

static uint32_t next_host(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223; /* full period: no host twice */
	return *state;
}

static void port_with_a_million_addresses_evicts_no_neighbour(void **state)
{
	struct fdb *fdb = table(8192, 256);
	uint32_t random = 1;

	(void)state;
	/* Eight neighbours hold a quarter of the table: a newcomer is refused for want of room only above half. */
	for (uint32_t host = 0; host < 256; host++) {
		for (uint16_t port = 0; port < 8; port++)
			assert_true(fdb_learn(fdb, key_of(1, port << 8 | host), port, 0));
	}
	for (unsigned i = 0; i < 1000000; i++) {
		fdb_learn(fdb, key_of(1, next_host(&random) | 0x80000000), 99, i % 300);
		if (i % 4096 == 0)
			assert_in_range(fdb_count(fdb, 99), 1, 256);
	}
	assert_int_equal(fdb_count(fdb, 99), 256);
	for (uint32_t host = 0; host < 256; host++) {
		for (uint16_t port = 0; port < 8; port++)
			assert_int_equal(fdb_lookup(fdb, key_of(1, port << 8 | host), 300), port);
	}
	assert_true(stats_of(fdb).refused > 0);
	/* And newcomers still find room. */
	for (uint32_t host = 0; host < 128; host++)
		assert_true(fdb_learn(fdb, key_of(1, 0x1000 | host), 9, 300));
	fdb_free(fdb);
}

static void full_buckets_refuse_a_newcomer_and_keep_the_live(void **state)
{
	struct fdb *fdb = table(16, 0);
	unsigned learned = 0;

	(void)state;
	for (uint32_t host = 0; host < 1000; host++) /* one port each: nobody has one of its own to give */
		learned += fdb_learn(fdb, key_of(1, host), host, 0);
	assert_in_range(learned, 12, 16);
	unsigned found = 0;

	for (uint32_t host = 0; host < 1000; host++)
		found += fdb_lookup(fdb, key_of(1, host), 0) == (int)host;
	assert_int_equal(found, learned);
	assert_int_equal(stats_of(fdb).refused, 1000 - learned);
	/* Once they are dead their places are taken, without a sweep. */
	assert_true(fdb_learn(fdb, key_of(1, 5000), 1, 400));
	assert_int_equal(stats_of(fdb).aged, 1);
	fdb_free(fdb);
}

/* The nth host of `bridge` whose first bucket is number 0. */
static uint64_t key_in_bucket_0(const struct fdb *fdb, uint16_t bridge, unsigned nth)
{
	for (uint32_t host = 0;; host++) {
		uint64_t key = key_of(bridge, host);

		if (fdb_bucket_first(fdb, fdb_hash(fdb, key)) == fdb->bucket && !nth--)
			return key;
	}
}

static void port_at_its_limit_replaces_its_own_longest_unused(void **state)
{
	struct fdb *fdb = table(64, 2);
	uint64_t neighbour = key_in_bucket_0(fdb, 1, 0);

	(void)state;
	fdb_learn(fdb, key_in_bucket_0(fdb, 1, 1), 2, 20);
	fdb_learn(fdb, key_in_bucket_0(fdb, 1, 2), 2, 10);
	fdb_learn(fdb, neighbour, 1, 0);
	assert_true(fdb_learn(fdb, key_in_bucket_0(fdb, 1, 3), 2, 30));
	assert_int_equal(fdb_lookup(fdb, key_in_bucket_0(fdb, 1, 1), 30), 2);
	assert_int_equal(fdb_lookup(fdb, key_in_bucket_0(fdb, 1, 2), 30), -1);
	assert_int_equal(fdb_lookup(fdb, key_in_bucket_0(fdb, 1, 3), 30), 2);
	assert_int_equal(fdb_lookup(fdb, neighbour, 30), 1);
	assert_int_equal(fdb_count(fdb, 2), 2);
	assert_int_equal(stats_of(fdb).refused, 0);
	fdb_free(fdb);
}

static void port_at_its_limit_replaces_its_own_dead_before_its_live(void **state)
{
	struct fdb *fdb = table(64, 2);

	(void)state;
	fdb_learn(fdb, key_in_bucket_0(fdb, 1, 1), 2, 10);
	fdb_learn(fdb, key_in_bucket_0(fdb, 7, 2), 2, 20);
	fdb_flush_bridge(fdb, 7);
	assert_true(fdb_learn(fdb, key_in_bucket_0(fdb, 1, 3), 2, 30));
	assert_int_equal(fdb_lookup(fdb, key_in_bucket_0(fdb, 1, 1), 30), 2);
	assert_int_equal(fdb_lookup(fdb, key_in_bucket_0(fdb, 1, 3), 30), 2);
	assert_int_equal(fdb_count(fdb, 2), 2);
	fdb_sweep(fdb, 30, ALL_BUCKETS);
	assert_int_equal(fdb_count(fdb, 2), 2);
	fdb_free(fdb);
}

static void port_at_its_limit_takes_nothing_of_a_neighbour_even_dead(void **state)
{
	struct fdb *fdb = table(64, 1);
	uint64_t far_away = 0;

	(void)state;
	/* Its one entry is in neither bucket of the newcomer. */
	for (uint32_t host = 0; !far_away; host++) {
		uint64_t hash = fdb_hash(fdb, key_of(1, host)), new_hash = fdb_hash(fdb, key_in_bucket_0(fdb, 1, 0));

		if (fdb_bucket_first(fdb, hash) != fdb_bucket_first(fdb, new_hash) &&
		    fdb_bucket_first(fdb, hash) != fdb_bucket_second(fdb, new_hash))
			far_away = key_of(1, host);
	}
	fdb_learn(fdb, far_away, 2, 400);
	fdb_learn(fdb, key_in_bucket_0(fdb, 1, 1), 1, 0);
	assert_false(fdb_learn(fdb, key_in_bucket_0(fdb, 1, 0), 2, 400));
	assert_int_equal(fdb_count(fdb, 2), 1);
	assert_int_equal(fdb_count(fdb, 1), 1); /* expired, and counted until swept */
	assert_int_equal(fdb_lookup(fdb, far_away, 400), 2);
	fdb_free(fdb);
}

static void address_that_moves_to_a_full_port_takes_the_place_of_one_there(void **state)
{
	struct fdb *fdb = table(64, 1);
	uint64_t guest = key_in_bucket_0(fdb, 1, 1), other = key_in_bucket_0(fdb, 1, 2);

	(void)state;
	fdb_learn(fdb, guest, 1, 0);
	fdb_learn(fdb, other, 2, 0);
	assert_true(fdb_learn(fdb, guest, 2, 0));
	assert_int_equal(fdb_lookup(fdb, guest, 0), 2);
	assert_int_equal(fdb_lookup(fdb, other, 0), -1);
	assert_int_equal(fdb_count(fdb, 1), 0);
	assert_int_equal(fdb_count(fdb, 2), 1);
	fdb_free(fdb);
}

static void address_that_moves_to_a_port_without_room_is_forgotten(void **state)
{
	struct fdb *fdb = table(65536, 1);

	(void)state;
	fdb_learn(fdb, key_of(1, 1), 1, 0);
	fdb_learn(fdb, key_of(1, 2), 2, 0);
	uint32_t epoch = fdb_epoch(fdb);

	assert_false(fdb_learn(fdb, key_of(1, 1), 2, 0));
	assert_int_equal(fdb_lookup(fdb, key_of(1, 1), 0), -1);
	assert_int_equal(fdb_lookup(fdb, key_of(1, 2), 0), 2);
	assert_int_not_equal(fdb_epoch(fdb), epoch);
	assert_int_equal(fdb_count(fdb, 1), 0);
	assert_int_equal(fdb_count(fdb, 2), 1);
	assert_int_equal(stats_of(fdb).refused, 1);
	fdb_free(fdb);
}

static void limit_of_a_port_can_be_raised_lowered_and_reset(void **state)
{
	struct fdb *fdb = table(65536, 4);

	(void)state;
	fdb_limit(fdb, 1, 100);
	for (uint32_t host = 0; host < 100; host++)
		assert_true(fdb_learn(fdb, key_of(1, host), 1, 0));
	assert_false(fdb_learn(fdb, key_of(1, 100), 1, 0));
	fdb_limit(fdb, 1, 50);
	assert_int_equal(fdb_count(fdb, 1), 100);
	assert_true(fdb_learn(fdb, key_of(1, 0), 1, 100)); /* a refresh needs no room */
	fdb_sweep(fdb, 350, ALL_BUCKETS);
	assert_int_equal(fdb_count(fdb, 1), 1);
	fdb_limit(fdb, 1, 0);
	for (uint32_t host = 1; host < 4; host++)
		assert_true(fdb_learn(fdb, key_of(1, host), 1, 350));
	assert_false(fdb_learn(fdb, key_of(1, 4), 1, 350));
	fdb_free(fdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(port_with_a_million_addresses_evicts_no_neighbour),
		cmocka_unit_test(full_buckets_refuse_a_newcomer_and_keep_the_live),
		cmocka_unit_test(port_at_its_limit_replaces_its_own_longest_unused),
		cmocka_unit_test(port_at_its_limit_replaces_its_own_dead_before_its_live),
		cmocka_unit_test(port_at_its_limit_takes_nothing_of_a_neighbour_even_dead),
		cmocka_unit_test(address_that_moves_to_a_full_port_takes_the_place_of_one_there),
		cmocka_unit_test(address_that_moves_to_a_port_without_room_is_forgotten),
		cmocka_unit_test(limit_of_a_port_can_be_raised_lowered_and_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
