/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The MAC table alone: learning, ageing, flushing, dumping. test_fdb_limit.c has what ports may own, test_fdb_threads.c
 * several threads.
 */
#include <errno.h>
#include <string.h>

#include "fdb_fixture.h"

/* What fdb_dump() reports. */
struct dumped {
	unsigned n, stop_after;
	struct fdb_entry entry[64];
};

static bool note_entry(const struct fdb_entry *entry, void *arg)
{
	struct dumped *d = arg;

	assert_true(d->n < 64);
	d->entry[d->n++] = *entry;
	return d->n != d->stop_after;
}

static uint32_t age_of_only_entry(const struct fdb *fdb, uint32_t now)
{
	struct dumped d = {0};

	fdb_dump(fdb, FDB_ALL, now, note_entry, &d);
	assert_int_equal(d.n, 1);
	return d.entry[0].age;
}

/* ---- learning and looking up ------------------------------------------------------------------------------------- */

static void learned_address_is_found_on_its_bridge_only(void **state)
{
	struct fdb *fdb = table(1024, 0);

	(void)state;
	assert_int_equal(fdb_lookup(fdb, key_of(7, 1), 100), -1);
	assert_true(fdb_learn(fdb, key_of(7, 1), 4095, 100));
	assert_true(fdb_learn(fdb, key_of(8, 1), 5, 100));
	assert_int_equal(fdb_lookup(fdb, key_of(7, 1), 100), 4095);
	assert_int_equal(fdb_lookup(fdb, key_of(8, 1), 100), 5);
	assert_int_equal(fdb_lookup(fdb, key_of(9, 1), 100), -1);
	assert_int_equal(fdb_lookup(fdb, key_of(7, 2), 100), -1);
	assert_int_equal(stats_of(fdb).entries, 2);
	assert_int_equal(stats_of(fdb).learned, 2);
	fdb_free(fdb);
}

static void what_cannot_be_is_not_learned_and_harms_nothing(void **state)
{
	static const uint8_t zero[6];
	struct fdb *fdb = table(16, 0);

	(void)state;
	assert_false(fdb_learn(fdb, fdb_key(0, zero), 1, 0));
	assert_int_equal(fdb_lookup(fdb, fdb_key(0, zero), 0), -1);
	assert_false(fdb_learn(fdb, key_of(FDB_BRIDGE_MAX, 1), 1, 0));
	assert_false(fdb_learn(fdb, key_of(0xffff, 1), 1, 0));
	assert_int_equal(fdb_lookup(fdb, key_of(0xffff, 1), 0), -1);
	assert_false(fdb_learn(fdb, key_of(0, 1), FDB_PORT_MAX, 0));
	fdb_flush_port(fdb, FDB_PORT_MAX);
	fdb_flush_bridge(fdb, FDB_BRIDGE_MAX);
	fdb_ageing_bridge(fdb, FDB_BRIDGE_MAX, 5);
	fdb_limit(fdb, FDB_PORT_MAX, 5);
	assert_int_equal(fdb_count(fdb, FDB_PORT_MAX), 0);
	assert_int_equal(stats_of(fdb).entries, 0);
	/* A slot that was used and is free again does not answer for the all-zero address either. */
	for (uint32_t host = 0; host < 16; host++)
		fdb_learn(fdb, key_of(0, host), 1, 0);
	fdb_sweep(fdb, 1000, ALL_BUCKETS);
	assert_int_equal(fdb_lookup(fdb, fdb_key(0, zero), 0), -1);
	fdb_free(fdb);
	fdb_free(NULL);
}

static void impossible_options_are_refused(void **state)
{
	struct fdb_opts too_many = {.entries = FDB_ENTRIES_MAX + 1};
	struct fdb_opts too_old = {.ageing = FDB_AGEING_MAX + 1};

	(void)state;
	errno = 0;
	assert_null(fdb_new(&too_many));
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(fdb_new(&too_old));
	assert_int_equal(errno, EINVAL);
}

static void default_table_holds_the_default_limit_of_64_ports(void **state)
{
	struct fdb *fdb = fdb_new(NULL);
	unsigned refused = 0, found = 0;

	(void)state;
	assert_non_null(fdb);
	for (uint32_t host = 0; host < 1024; host++) {
		for (uint16_t port = 0; port < 64; port++)
			refused += !fdb_learn(fdb, key_of(port % 3, port << 16 | host), port, 0);
	}
	for (uint32_t host = 0; host < 1024; host++) {
		for (uint16_t port = 0; port < 64; port++)
			found += fdb_lookup(fdb, key_of(port % 3, port << 16 | host), 0) == port;
	}
	/* Half full: three or so find both their buckets full, or push out one of their port's own. */
	assert_in_range(refused, 0, 24);
	assert_in_range(found, 65536 - 24, 65536);
	assert_int_equal(stats_of(fdb).refused, refused);
	assert_int_equal(stats_of(fdb).entries, found);
	fdb_free(fdb);
}

/* Addresses as they are handed out, by number: a vendor's in sequence, one sequence a port, in strides. */
static uint64_t key_in_order(unsigned order, uint32_t n)
{
	static const uint64_t first[] = {0x00163e000000, 0x021600000000, 0x020000000000};
	static const unsigned low_bits[] = {24, 10, 10}, shift[] = {24, 16, 24};
	uint64_t low = n & ((1u << low_bits[order]) - 1), high = n >> low_bits[order];

	return order == 2 ? first[order] | low << shift[order] | high : first[order] | high << shift[order] | low;
}

static void addresses_in_sequence_spread_as_well_as_random_ones_under_any_seed(void **state)
{
	(void)state;
	for (unsigned order = 0; order < 3; order++) {
		unsigned sum = 0;

		for (uint64_t seed = 1; seed <= 200; seed++) {
			struct fdb_opts opts = {.entries = 4096, .seed = seed};
			struct fdb *fdb = fdb_new(&opts);
			unsigned refused = 0;

			assert_non_null(fdb);
			for (uint32_t n = 0; n < 2048; n++) /* a port each: none has one of its own to give */
				refused += !fdb_learn(fdb, key_in_order(order, n), n, 0);
			/* Random addresses: 0.6 a table on average, at most 8 in 2000 tables. */
			assert_in_range(refused, 0, 12);
			sum += refused;
			fdb_free(fdb);
		}
		assert_in_range(sum, 1, 200);
	}
}

static void address_seen_elsewhere_moves_and_changes_the_epoch(void **state)
{
	struct fdb *fdb = table(1024, 0);

	(void)state;
	fdb_learn(fdb, key_of(1, 1), 10, 0);
	uint32_t epoch = fdb_epoch(fdb);

	assert_true(fdb_learn(fdb, key_of(1, 1), 11, 0));
	assert_int_not_equal(fdb_epoch(fdb), epoch);
	assert_int_equal(fdb_lookup(fdb, key_of(1, 1), 0), 11);
	assert_int_equal(fdb_count(fdb, 10), 0);
	assert_int_equal(fdb_count(fdb, 11), 1);
	assert_int_equal(stats_of(fdb).moved, 1);
	assert_int_equal(stats_of(fdb).learned, 1);
	fdb_free(fdb);
}

static void learning_and_refreshing_leave_the_epoch_alone(void **state)
{
	struct fdb *fdb = table(1024, 0);
	uint32_t epoch = fdb_epoch(fdb);

	(void)state;
	for (uint32_t now = 0; now < 1000; now += 10) {
		for (uint32_t host = 0; host < 20; host++)
			assert_true(fdb_learn(fdb, key_of(1, host), 3, now));
	}
	assert_int_equal(fdb_epoch(fdb), epoch);
	assert_int_equal(stats_of(fdb).learned, 20);
	fdb_free(fdb);
}

static void refresh_is_written_only_after_an_eighth_of_the_ageing_time(void **state)
{
	struct fdb *fdb = table(1024, 0);

	(void)state;
	fdb_learn(fdb, key_of(1, 1), 3, 1000);
	fdb_learn(fdb, key_of(1, 1), 3, 1037); /* 300 / 8 = 37 */
	assert_int_equal(age_of_only_entry(fdb, 1037), 37);
	fdb_learn(fdb, key_of(1, 1), 3, 1038);
	assert_int_equal(age_of_only_entry(fdb, 1038), 0);
	/* Shorter than eight seconds: once a second. */
	fdb_ageing(fdb, 3);
	fdb_learn(fdb, key_of(1, 1), 3, 1039);
	assert_int_equal(age_of_only_entry(fdb, 1039), 0);
	fdb_free(fdb);
}

/* ---- ageing ------------------------------------------------------------------------------------------------------ */

static void unused_entry_dies_after_the_ageing_time(void **state)
{
	struct fdb *fdb = table(1024, 0);

	(void)state;
	fdb_learn(fdb, key_of(1, 1), 3, 1000);
	assert_int_equal(fdb_lookup(fdb, key_of(1, 1), 1300), 3);
	assert_int_equal(fdb_lookup(fdb, key_of(1, 1), 1301), -1);
	assert_int_equal(fdb_count(fdb, 3), 1);
	fdb_sweep(fdb, 1300, ALL_BUCKETS);
	assert_int_equal(fdb_count(fdb, 3), 1);
	fdb_sweep(fdb, 1301, ALL_BUCKETS);
	assert_int_equal(fdb_count(fdb, 3), 0);
	assert_int_equal(stats_of(fdb).aged, 1);
	assert_int_equal(stats_of(fdb).entries, 0);
	fdb_free(fdb);
}

static void expired_address_is_learned_again_in_its_place(void **state)
{
	struct fdb *fdb = table(1024, 0);

	(void)state;
	fdb_learn(fdb, key_of(1, 1), 3, 0);
	assert_true(fdb_learn(fdb, key_of(1, 1), 3, 500));
	assert_int_equal(fdb_lookup(fdb, key_of(1, 1), 500), 3);
	assert_int_equal(fdb_count(fdb, 3), 1);
	assert_true(fdb_learn(fdb, key_of(1, 1), 4, 1000));
	assert_int_equal(fdb_count(fdb, 3), 0);
	assert_int_equal(fdb_count(fdb, 4), 1);
	assert_int_equal(stats_of(fdb).learned, 3);
	assert_int_equal(stats_of(fdb).aged, 2);
	assert_int_equal(stats_of(fdb).moved, 0);
	fdb_free(fdb);
}

static void clocks_that_differ_a_little_make_no_entry_old(void **state)
{
	struct fdb *fdb = table(1024, 0);

	(void)state;
	fdb_learn(fdb, key_of(1, 1), 3, 1000 + FDB_SKEW);
	assert_int_equal(fdb_lookup(fdb, key_of(1, 1), 1000), 3);
	assert_int_equal(age_of_only_entry(fdb, 1000), 0);
	fdb_free(fdb);
}

static void entry_is_refreshed_across_the_wrap_of_its_stamp(void **state)
{
	struct fdb *fdb = table(1024, 0);

	(void)state;
	for (uint32_t now = 65000; now < 66200; now += 100) {
		assert_true(fdb_learn(fdb, key_of(1, 1), 3, now));
		assert_int_equal(fdb_lookup(fdb, key_of(1, 1), now + 300), 3);
		assert_int_equal(fdb_lookup(fdb, key_of(1, 1), now + 301), -1);
	}
	assert_int_equal(stats_of(fdb).learned, 1);
	fdb_free(fdb);
}

static void swept_entry_does_not_come_alive_when_its_stamp_returns(void **state)
{
	struct fdb *fdb = table(1024, 0);

	(void)state;
	for (uint32_t host = 0; host < 100; host++)
		fdb_learn(fdb, key_of(1, host), 3, 1000);
	/* As slowly as the header allows: a round of 256 buckets in nine hours. */
	for (uint32_t now = 1000; now < 1000 + 65536; now += 9 * 3600 / 256)
		fdb_sweep(fdb, now, 1);
	for (uint32_t host = 0; host < 100; host++)
		assert_int_equal(fdb_lookup(fdb, key_of(1, host), 1000 + 65536), -1);
	assert_int_equal(stats_of(fdb).aged, 100);
	fdb_free(fdb);
}

static void longest_ageing_time_holds_and_no_longer_one_is_taken(void **state)
{
	struct fdb *fdb = table(1024, 0);

	(void)state;
	fdb_ageing(fdb, UINT32_MAX);
	fdb_learn(fdb, key_of(1, 1), 3, 0);
	assert_int_equal(fdb_lookup(fdb, key_of(1, 1), FDB_AGEING_MAX), 3);
	assert_int_equal(fdb_lookup(fdb, key_of(1, 1), FDB_AGEING_MAX + 1), -1);
	fdb_free(fdb);
}

static void each_bridge_has_its_own_ageing_time(void **state)
{
	struct fdb *fdb = table(1024, 0);

	(void)state;
	fdb_learn(fdb, key_of(1, 1), 3, 0);
	fdb_learn(fdb, key_of(2, 1), 4, 0);
	uint32_t epoch = fdb_epoch(fdb);

	fdb_ageing_bridge(fdb, 1, 10);
	assert_int_not_equal(fdb_epoch(fdb), epoch);
	assert_int_equal(fdb_lookup(fdb, key_of(1, 1), 10), 3);
	assert_int_equal(fdb_lookup(fdb, key_of(1, 1), 11), -1);
	assert_int_equal(fdb_lookup(fdb, key_of(2, 1), 11), 4);
	fdb_free(fdb);
}

static void ageing_time_zero_learns_and_finds_nothing(void **state)
{
	struct fdb *fdb = table(1024, 0);

	(void)state;
	fdb_learn(fdb, key_of(1, 1), 3, 0);
	fdb_ageing_bridge(fdb, 1, 0);
	assert_int_equal(fdb_lookup(fdb, key_of(1, 1), 0), -1);
	assert_false(fdb_learn(fdb, key_of(1, 1), 3, 0));
	assert_false(fdb_learn(fdb, key_of(1, 2), 3, 0));
	assert_int_equal(stats_of(fdb).refused, 0);
	fdb_ageing_bridge(fdb, 1, 300);
	assert_true(fdb_learn(fdb, key_of(1, 2), 3, 0));
	fdb_free(fdb);
}

/* ---- flushing ---------------------------------------------------------------------------------------------------- */

static void flushed_port_loses_its_entries_and_nobody_else_does(void **state)
{
	struct fdb *fdb = table(1024, 0);

	(void)state;
	for (uint32_t host = 0; host < 40; host++)
		fdb_learn(fdb, key_of(1, host), host % 2, 0);
	uint32_t epoch = fdb_epoch(fdb);

	fdb_flush_port(fdb, 1);
	assert_int_not_equal(fdb_epoch(fdb), epoch);
	for (uint32_t host = 0; host < 40; host++)
		assert_int_equal(fdb_lookup(fdb, key_of(1, host), 0), host % 2 ? -1 : 0);
	assert_int_equal(fdb_count(fdb, 0), 20);
	assert_int_equal(fdb_count(fdb, 1), 0);
	assert_int_equal(stats_of(fdb).entries, 20);
	fdb_free(fdb);
}

static void entries_of_a_flushed_port_are_not_subtracted_again(void **state)
{
	struct fdb *fdb = table(1024, 0);

	(void)state;
	for (uint32_t host = 0; host < 20; host++)
		fdb_learn(fdb, key_of(1, host), 1, 0);
	fdb_flush_port(fdb, 1);
	for (uint32_t host = 10; host < 30; host++) /* half of them in the places of dead ones */
		fdb_learn(fdb, key_of(1, host), 1, 0);
	assert_int_equal(fdb_count(fdb, 1), 20);
	fdb_learn(fdb, key_of(1, 5), 2, 0); /* a dead one elsewhere */
	assert_int_equal(fdb_count(fdb, 1), 20);
	assert_int_equal(stats_of(fdb).moved, 0);
	fdb_sweep(fdb, 0, ALL_BUCKETS);
	assert_int_equal(fdb_count(fdb, 1), 20);
	assert_int_equal(fdb_count(fdb, 2), 1);
	assert_int_equal(stats_of(fdb).aged, 0);
	fdb_free(fdb);
}

static void flushed_bridge_loses_its_entries_and_the_sweep_settles_the_counts(void **state)
{
	struct fdb *fdb = table(1024, 0);

	(void)state;
	for (uint32_t host = 0; host < 20; host++) {
		fdb_learn(fdb, key_of(1, host), 1, 0);
		fdb_learn(fdb, key_of(2, host), 2, 0);
	}
	uint32_t epoch = fdb_epoch(fdb);

	fdb_flush_bridge(fdb, 1);
	assert_int_not_equal(fdb_epoch(fdb), epoch);
	for (uint32_t host = 0; host < 20; host++) {
		assert_int_equal(fdb_lookup(fdb, key_of(1, host), 0), -1);
		assert_int_equal(fdb_lookup(fdb, key_of(2, host), 0), 2);
	}
	for (uint32_t host = 0; host < 5; host++)
		fdb_learn(fdb, key_of(1, host), 1, 0);
	assert_int_equal(fdb_count(fdb, 1), 20);
	fdb_sweep(fdb, 0, ALL_BUCKETS);
	assert_int_equal(fdb_count(fdb, 1), 5);
	assert_int_equal(fdb_count(fdb, 2), 20);
	fdb_free(fdb);
}

static void port_generations_wrap_and_no_old_entry_comes_alive(void **state)
{
	struct fdb *fdb = table(256, 0);

	(void)state;
	for (unsigned flush = 0; flush < 2 * 4096 + 10; flush++) {
		/* An entry in every generation, never swept; each but the newest is dead, also one round later. */
		assert_true(fdb_learn(fdb, key_of(1, flush % 3), 9, 0));
		assert_true(fdb_learn(fdb, key_of(1, 77), 8, 0));
		if (flush % 1000 == 0)
			assert_true(fdb_learn(fdb, key_of(1, 1000 + flush), 9, 0));
		fdb_flush_port(fdb, 9);
		for (uint32_t host = 0; host < 3; host++)
			assert_int_equal(fdb_lookup(fdb, key_of(1, host), 0), -1);
		for (uint32_t old = 0; old <= flush; old += 1000)
			assert_int_equal(fdb_lookup(fdb, key_of(1, 1000 + old), 0), -1);
		assert_int_equal(fdb_count(fdb, 9), 0);
		assert_int_equal(fdb_lookup(fdb, key_of(1, 77), 0), 8);
	}
	assert_int_equal(fdb_count(fdb, 8), 1);
	fdb_free(fdb);
}

static void nothing_is_learned_or_found_while_generations_wrap(void **state)
{
	struct fdb *fdb = table(256, 0);

	(void)state;
	/* As a flush leaves them until it has gone through the table. */
	fdb->port[5] = (uint64_t)FDB_GEN_WRAPPING << 32;
	assert_false(fdb_learn(fdb, key_of(1, 1), 5, 0));
	assert_int_equal(fdb_lookup(fdb, key_of(1, 1), 0), -1);
	assert_int_equal(fdb_count(fdb, 5), 0);
	assert_true(fdb_learn(fdb, key_of(1, 1), 6, 0));
	fdb->bridge[1] = FDB_GEN_WRAPPING << 16 | (uint16_t)fdb->bridge[1];
	assert_int_equal(fdb_lookup(fdb, key_of(1, 1), 0), -1);
	assert_false(fdb_learn(fdb, key_of(1, 2), 6, 0));
	assert_int_equal(fdb_count(fdb, 6), 1);
	fdb_free(fdb);
}

static void bridge_generations_wrap_and_no_old_entry_comes_alive(void **state)
{
	struct fdb *fdb = table(256, 0);

	(void)state;
	assert_true(fdb_learn(fdb, key_of(2, 77), 8, 0));
	for (unsigned flush = 0; flush < 2 * 4096 + 10; flush++) {
		if (flush % 1000 == 0)
			assert_true(fdb_learn(fdb, key_of(1, flush), 9, 0));
		fdb_flush_bridge(fdb, 1);
		for (uint32_t old = 0; old <= flush; old += 1000)
			assert_int_equal(fdb_lookup(fdb, key_of(1, old), 0), -1);
		assert_int_equal(fdb_lookup(fdb, key_of(2, 77), 0), 8);
	}
	fdb_sweep(fdb, 0, ALL_BUCKETS);
	assert_int_equal(fdb_count(fdb, 9), 0);
	assert_int_equal(fdb_count(fdb, 8), 1);
	fdb_free(fdb);
}

/* ---- layout ------------------------------------------------------------------------------------------------------ */

static void version_of_a_slot_changes_with_its_key_only(void **state)
{
	struct fdb_slot slot = {0};

	(void)state;
	for (uint64_t i = 1; i < 2 * FDB_VERSION_MASK; i++) {
		fdb_slot_write(&slot, i, 7ull << 52);
		assert_int_equal(fdb_slot_value(&slot), 7ull << 52 | (i & FDB_VERSION_MASK));
		fdb_slot_write(&slot, i, 8ull << 52);
		assert_int_equal(fdb_slot_read(&slot, i), 8ull << 52 | (i & FDB_VERSION_MASK));
	}
	/* Freed and taken by the same key it has changed hands too. */
	uint64_t value = fdb_slot_value(&slot);

	fdb_slot_clear(&slot);
	fdb_slot_write(&slot, 2 * FDB_VERSION_MASK - 1, 8ull << 52);
	assert_int_not_equal(fdb_slot_value(&slot), value);
}

/* ---- dump -------------------------------------------------------------------------------------------------------- */

static void dump_reports_live_entries_of_the_bridge_asked_for(void **state)
{
	struct fdb *fdb = table(1024, 0);
	struct dumped d = {0};

	(void)state;
	fdb_learn(fdb, key_of(1, 0x01020304), 10, 1000);
	fdb_learn(fdb, key_of(2, 2), 20, 1100);
	fdb_learn(fdb, key_of(2, 3), 21, 900);
	fdb_learn(fdb, key_of(2, 4), 22, 1100);
	fdb_flush_port(fdb, 22);
	fdb_dump(fdb, 1, 1240, note_entry, &d);
	assert_int_equal(d.n, 1);
	assert_memory_equal(d.entry[0].mac, "\x02\x16\x01\x02\x03\x04", 6);
	assert_int_equal(d.entry[0].bridge, 1);
	assert_int_equal(d.entry[0].port, 10);
	assert_int_equal(d.entry[0].age, 240);
	d = (struct dumped){0};
	fdb_dump(fdb, 2, 1240, note_entry, &d);
	assert_int_equal(d.n, 1);
	assert_int_equal(d.entry[0].port, 20);
	d = (struct dumped){0};
	fdb_dump(fdb, FDB_ALL, 1240, note_entry, &d);
	assert_int_equal(d.n, 2);
	d = (struct dumped){.stop_after = 1};
	fdb_dump(fdb, FDB_ALL, 1240, note_entry, &d);
	assert_int_equal(d.n, 1);
	fdb_free(fdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(learned_address_is_found_on_its_bridge_only),
		cmocka_unit_test(what_cannot_be_is_not_learned_and_harms_nothing),
		cmocka_unit_test(impossible_options_are_refused),
		cmocka_unit_test(default_table_holds_the_default_limit_of_64_ports),
		cmocka_unit_test(addresses_in_sequence_spread_as_well_as_random_ones_under_any_seed),
		cmocka_unit_test(address_seen_elsewhere_moves_and_changes_the_epoch),
		cmocka_unit_test(learning_and_refreshing_leave_the_epoch_alone),
		cmocka_unit_test(refresh_is_written_only_after_an_eighth_of_the_ageing_time),
		cmocka_unit_test(unused_entry_dies_after_the_ageing_time),
		cmocka_unit_test(expired_address_is_learned_again_in_its_place),
		cmocka_unit_test(clocks_that_differ_a_little_make_no_entry_old),
		cmocka_unit_test(entry_is_refreshed_across_the_wrap_of_its_stamp),
		cmocka_unit_test(swept_entry_does_not_come_alive_when_its_stamp_returns),
		cmocka_unit_test(longest_ageing_time_holds_and_no_longer_one_is_taken),
		cmocka_unit_test(each_bridge_has_its_own_ageing_time),
		cmocka_unit_test(ageing_time_zero_learns_and_finds_nothing),
		cmocka_unit_test(flushed_port_loses_its_entries_and_nobody_else_does),
		cmocka_unit_test(entries_of_a_flushed_port_are_not_subtracted_again),
		cmocka_unit_test(flushed_bridge_loses_its_entries_and_the_sweep_settles_the_counts),
		cmocka_unit_test(port_generations_wrap_and_no_old_entry_comes_alive),
		cmocka_unit_test(nothing_is_learned_or_found_while_generations_wrap),
		cmocka_unit_test(bridge_generations_wrap_and_no_old_entry_comes_alive),
		cmocka_unit_test(version_of_a_slot_changes_with_its_key_only),
		cmocka_unit_test(dump_reports_live_entries_of_the_bridge_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
