/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Static entries, and how many addresses may move to a port.
 */
#include <errno.h>
#include <string.h>

#include "bridge/bridge.h"
#include "fdb_fixture.h"

#define HOST_PORT 1
#define GUEST 2
#define OTHER 3

static void static_address_is_never_learned_elsewhere(void **state)
{
	struct fdb *fdb = table(1024, 0);
	uint64_t key = key_of(1, 1);

	(void)state;
	assert_int_equal(fdb_learn(fdb, key, GUEST, 10), FDB_KNOWN); /* the forger was there first */
	uint32_t epoch = fdb_epoch(fdb);

	assert_int_equal(fdb_static_add(fdb, key, HOST_PORT, 10), 0);
	assert_int_not_equal(fdb_epoch(fdb), epoch); /* what workers remember of the old entry is void */
	assert_int_equal(fdb_count(fdb, GUEST), 0);
	assert_int_equal(fdb_learn(fdb, key, GUEST, 10), FDB_ELSEWHERE);
	assert_int_equal(fdb_learn(fdb, key, HOST_PORT, 10), FDB_KNOWN);
	assert_int_equal(fdb_lookup(fdb, key, 10), HOST_PORT);
	assert_int_equal(fdb_count(fdb, HOST_PORT), 0); /* it is in no port's account */
	/* The same address on another bridge is another one. */
	assert_int_equal(fdb_learn(fdb, key_of(2, 1), GUEST, 10), FDB_KNOWN);
	fdb_free(fdb);
}

static void static_entries_outlive_time_and_flushes(void **state)
{
	struct fdb *fdb = table(1024, 0);
	uint64_t key = key_of(1, 1), learned = key_of(1, 2);

	(void)state;
	assert_int_equal(fdb_static_add(fdb, key, HOST_PORT, 0), 0);
	fdb_learn(fdb, learned, HOST_PORT, 0);
	fdb_sweep(fdb, 100000, ALL_BUCKETS);
	assert_int_equal(fdb_lookup(fdb, key, 100000), HOST_PORT);
	for (unsigned i = 0; i < 5000; i++) { /* past where generations wrap, and the table is gone through */
		fdb_flush_port(fdb, HOST_PORT);
		fdb_flush_bridge(fdb, 1);
	}
	assert_int_equal(fdb_lookup(fdb, key, 100000), HOST_PORT);
	assert_int_equal(fdb_lookup(fdb, learned, 0), -1);
	fdb_ageing_bridge(fdb, 1, 0); /* nothing is learned */
	assert_int_equal(fdb_lookup(fdb, key, 100000), HOST_PORT);
	assert_int_equal(fdb_learn(fdb, key, GUEST, 100000), FDB_ELSEWHERE);
	assert_int_equal(fdb_learn(fdb, learned, GUEST, 100000), FDB_UNKNOWN);
	fdb_free(fdb);
}

static void static_entry_goes_by_hand_alone_and_its_address_is_learned_again(void **state)
{
	struct fdb *fdb = table(1024, 0);
	uint64_t key = key_of(1, 1);

	(void)state;
	assert_int_equal(fdb_static_del(fdb, key), -ENOENT);
	fdb_learn(fdb, key, GUEST, 0);
	assert_int_equal(fdb_static_del(fdb, key), -ENOENT); /* learned, not static */
	assert_int_equal(fdb_static_add(fdb, key, HOST_PORT, 0), 0);
	assert_int_equal(fdb_static_add(fdb, key, HOST_PORT, 0), 0);
	assert_int_equal(fdb_static_add(fdb, key, GUEST, 0), -EEXIST);
	assert_int_equal(fdb_static_del(fdb, key), 0);
	assert_int_equal(fdb_lookup(fdb, key, 0), -1);
	assert_int_equal(fdb_learn(fdb, key, GUEST, 0), FDB_KNOWN);
	assert_int_equal(fdb_static_add(fdb, key_of(1, 1) & 0xffff000000000000, 1, 0), -EINVAL);
	assert_int_equal(fdb_static_add(fdb, key_of(FDB_BRIDGE_MAX, 1), 1, 0), -EINVAL);
	assert_int_equal(fdb_static_add(fdb, key, FDB_PORT_MAX, 0), -EINVAL);
	fdb_free(fdb);
}

static void static_entries_find_room_in_full_buckets(void **state)
{
	struct fdb *fdb = table(16, 0);
	unsigned added = 0;

	(void)state;
	for (uint32_t host = 0; host < 1000; host++)
		fdb_learn(fdb, key_of(1, host), GUEST, host % 300);
	for (uint32_t host = 5000; host < 6000; host++) {
		int r = fdb_static_add(fdb, key_of(1, host), HOST_PORT, 300);

		assert_true(r == 0 || r == -ENOSPC);
		added += !r;
	}
	assert_int_equal(added, 16);
	assert_int_equal(fdb_learn(fdb, key_of(1, 7000), GUEST, 300), FDB_UNKNOWN);
	assert_int_equal(fdb_count(fdb, GUEST), 0);
	fdb_free(fdb);
}

static bool find_static(const struct fdb_entry *entry, void *arg)
{
	unsigned *seen = arg;

	seen[entry->is_static]++;
	if (entry->is_static)
		assert_int_equal(entry->port, HOST_PORT);
	return true;
}

static void dump_says_which_entries_are_static(void **state)
{
	struct fdb *fdb = table(1024, 0);
	unsigned seen[2] = {0};

	(void)state;
	fdb_static_add(fdb, key_of(1, 1), HOST_PORT, 0);
	fdb_learn(fdb, key_of(1, 2), GUEST, 0);
	fdb_dump(fdb, 1, 60000, find_static, seen);
	assert_int_equal(seen[true], 1);
	assert_int_equal(seen[false], 0); /* it has aged */
	fdb_dump(fdb, 1, 100, find_static, seen);
	assert_int_equal(seen[true], 2);
	assert_int_equal(seen[false], 1);
	fdb_free(fdb);
}

static struct br_verdict decide(const struct br_conf *conf, struct fdb *fdb, struct br_flow_cache *cache, uint16_t in,
				const char *dst, const char *src)
{
	uint8_t hdr[14] = {2, 0, 0, 0, 0, (uint8_t)*dst, 2, 0, 0, 0, 0, (uint8_t)*src};
	struct br_frame frame = {hdr, sizeof(hdr)};
	struct br_verdict verdict;

	br_decide(conf, fdb, cache, in, &frame, 1, 5, &verdict);
	return verdict;
}

static void frames_with_a_static_source_from_elsewhere_are_dropped_by_name(void **state)
{
	struct fdb *fdb = table(1024, 0);
	struct br_conf *conf = br_conf_new();
	struct br_flow_cache cache = {0};
	static const uint8_t host[6] = {2, 0, 0, 0, 0, 'h'};

	(void)state;
	for (uint16_t port = HOST_PORT; port <= OTHER; port++)
		assert_int_equal(br_conf_join(conf, port, 1), 0);
	/* The forger's flow is remembered when the entry comes. */
	for (int i = 0; i < 3; i++)
		decide(conf, fdb, &cache, GUEST, "o", "h");
	assert_int_equal(fdb_static_add(fdb, fdb_key(1, host), HOST_PORT, 5), 0);
	for (int i = 0; i < 3; i++) {
		struct br_verdict v = decide(conf, fdb, &cache, GUEST, "o", "h");

		assert_int_equal(v.kind, BR_DROP);
		assert_string_equal(br_drop_name(v.reason), "source-elsewhere");
	}
	/* The host's own frames and those to it pass. */
	assert_int_equal(decide(conf, fdb, &cache, HOST_PORT, "o", "h").kind, BR_FLOOD);
	struct br_verdict to = decide(conf, fdb, &cache, OTHER, "h", "o");

	assert_int_equal(to.kind, BR_TO_PORT);
	assert_int_equal(to.to, HOST_PORT);
	br_conf_free(conf);
	fdb_free(fdb);
}

static void so_many_addresses_move_to_a_port_in_a_second_and_no_more(void **state)
{
	struct fdb *fdb = table(1024, 0);
	struct fdb_move moves[64];

	(void)state;
	fdb_move_limit(fdb, OTHER, 3);
	for (uint32_t host = 0; host < 10; host++)
		fdb_learn(fdb, key_of(1, host), GUEST, 7);
	for (uint32_t host = 0; host < 10; host++)
		assert_int_equal(fdb_learn(fdb, key_of(1, host), OTHER, 7), host < 3 ? FDB_KNOWN : FDB_HELD);
	for (uint32_t host = 0; host < 10; host++)
		assert_int_equal(fdb_lookup(fdb, key_of(1, host), 7), host < 3 ? OTHER : GUEST);
	assert_int_equal(stats_of(fdb).moved, 3);
	assert_int_equal(stats_of(fdb).held, 7);
	/* New addresses are not moves, and another second is another count. */
	assert_int_equal(fdb_learn(fdb, key_of(1, 100), OTHER, 7), FDB_KNOWN);
	assert_int_equal(fdb_learn(fdb, key_of(1, 3), OTHER, 8), FDB_KNOWN);
	/* A port without a limit takes back what is its own. */
	for (uint32_t host = 0; host < 10; host++)
		assert_int_equal(fdb_learn(fdb, key_of(1, host), GUEST, 8), FDB_KNOWN);

	unsigned n = fdb_moves(fdb, moves, 64);
	assert_int_equal(n, 8);
	assert_int_equal(moves[0].from, GUEST);
	assert_int_equal(moves[0].to, OTHER);
	assert_int_equal(moves[0].bridge, 1);
	assert_memory_equal(moves[3].mac, ((uint8_t[]){0x02, 0x16, 0, 0, 0, 3}), 6);
	assert_int_equal(moves[4].to, GUEST);
	assert_int_equal(fdb_moves(fdb, moves, 64), 0);
	fdb_free(fdb);
}

static void more_moves_than_can_be_told_are_counted(void **state)
{
	struct fdb *fdb = table(4096, 0);
	struct fdb_move moves[64];

	(void)state;
	for (uint32_t host = 0; host < 100; host++)
		fdb_learn(fdb, key_of(1, host), GUEST, 0);
	for (uint32_t host = 0; host < 100; host++)
		fdb_learn(fdb, key_of(1, host), OTHER, 0);
	assert_int_equal(stats_of(fdb).moved, 100);
	assert_int_equal(fdb_moves(fdb, moves, 64), FDB_MOVES_KEPT);
	fdb_free(fdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(static_address_is_never_learned_elsewhere),
		cmocka_unit_test(static_entries_outlive_time_and_flushes),
		cmocka_unit_test(static_entry_goes_by_hand_alone_and_its_address_is_learned_again),
		cmocka_unit_test(static_entries_find_room_in_full_buckets),
		cmocka_unit_test(dump_says_which_entries_are_static),
		cmocka_unit_test(frames_with_a_static_source_from_elsewhere_are_dropped_by_name),
		cmocka_unit_test(so_many_addresses_move_to_a_port_in_a_second_and_no_more),
		cmocka_unit_test(more_moves_than_can_be_told_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
