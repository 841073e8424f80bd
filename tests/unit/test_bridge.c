/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Forwarding, as tables: ingress, frame, expected ports or drop counter. Every table is decided twice, frame by frame
 * and with each run of frames from one port as one burst, and must come out the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bridge/bridge.h"

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

/* Addresses in tables, by letter: guests a..y, z all zeroes; others spelled out by addr(). */
enum {
	BROADCAST = 256,
	MULTICAST, /* 33:33:... */
	STP, /* 01:80:c2:00:00:00 */
	LLDP, /* 01:80:c2:00:00:0e */
	RESERVED_LAST, /* 01:80:c2:00:00:0f */
	NOT_RESERVED, /* 01:80:c2:00:00:10 */
};

static void addr(int name, uint8_t mac[6])
{
	static const uint8_t special[][6] = {
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0x33, 0x33, 0, 0, 0, 1},       {0x01, 0x80, 0xc2, 0, 0, 0x00},
		{0x01, 0x80, 0xc2, 0, 0, 0x0e},       {0x01, 0x80, 0xc2, 0, 0, 0x0f}, {0x01, 0x80, 0xc2, 0, 0, 0x10},
	};

	if (name >= BROADCAST)
		memcpy(mac, special[name - BROADCAST], 6);
	else if (name == 'z')
		memset(mac, 0, 6);
	else
		memcpy(mac, (uint8_t[]){0x02, 0x16, 0x3e, 0, 0, name}, 6);
}

struct row {
	uint16_t in;
	int src, dst;
	const char *to; /* ports in ascending order, or "" */
	int drop; /* enum br_drop + 1, or 0 */
	uint16_t hdr_len; /* 0: 14 */
};
#define DROPPED(reason) "", (reason) + 1

/*
 * Bridge 1: ports 1, 2, 3, 4094. Bridge 0: ports 0 and 11 (all numbers 0 are good ones). Bridge 1023: port 21 alone.
 * Port 31 is on none.
 */
struct scene {
	struct br_conf *conf;
	struct fdb *fdb;
	struct br_flow_cache cache[BR_PORT_MAX];
	uint32_t now;
};

static int set_up_with(void **state, bool roomy)
{
	static const uint16_t join[][2] = {{4094, 1}, {2, 1}, {11, 0}, {1, 1}, {21, 1023}, {0, 0}, {3, 1}};
	struct fdb_opts opts = {.entries = 4096, .seed = 7};
	struct scene *s = test_calloc(1, sizeof(*s));

	s->conf = br_conf_new();
	s->fdb = fdb_new(&opts);
	assert_non_null(s->conf);
	assert_non_null(s->fdb);
	for (unsigned i = 0; i < LEN(join); i++) {
		assert_int_equal(br_conf_join(s->conf, join[i][0], join[i][1]), 0);
		if (roomy)
			assert_int_equal(br_flow_cache_init(&s->cache[join[i][0]], 16), 0);
	}
	*state = s;
	return 0;
}

static int set_up(void **state)
{
	return set_up_with(state, false);
}

/* Memos have room for more than two flows. */
static int set_up_with_room(void **state)
{
	return set_up_with(state, true);
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	fdb_free(s->fdb);
	br_conf_free(s->conf);
	for (unsigned i = 0; i < BR_PORT_MAX; i++)
		br_flow_cache_fini(&s->cache[i]);
	test_free(s);
	return 0;
}

static void check_row(const struct scene *s, const struct row *row, unsigned number, struct br_verdict verdict)
{
	char want[128], got[128] = "";
	size_t used = 0;

	if (row->drop)
		snprintf(want, sizeof(want), "row %u: dropped: %s", number, br_drop_name(row->drop - 1));
	else
		snprintf(want, sizeof(want), "row %u: to %s", number, row->to);
	if (verdict.kind == BR_DROP) {
		snprintf(got, sizeof(got), "row %u: dropped: %s", number, br_drop_name(verdict.reason));
	} else if (verdict.kind == BR_TO_PORT) {
		snprintf(got, sizeof(got), "row %u: to %u", number, verdict.to);
	} else {
		unsigned iter = 0;

		used = snprintf(got, sizeof(got), "row %u: to", number);
		for (uint16_t p; (p = br_flood_next(s->conf, verdict.to, row->in, &iter)) != BR_NONE;)
			used += snprintf(got + used, sizeof(got) - used, " %u", p);
	}
	assert_string_equal(got, want);
}

/* Decide rows[0..n) in bursts of at most `burst` frames. */
static void decide_rows(struct scene *s, const struct row *rows, unsigned n, unsigned burst)
{
	uint8_t bytes[64][14];
	struct br_frame frames[64];
	struct br_verdict verdicts[64];

	assert_true(n <= 64);
	for (unsigned i = 0; i < n; i++) {
		addr(rows[i].dst, bytes[i]);
		addr(rows[i].src, bytes[i] + 6);
		memcpy(bytes[i] + 12, "\x08\x00", 2);
		frames[i] = (struct br_frame){bytes[i], rows[i].hdr_len ? rows[i].hdr_len : 14};
	}
	for (unsigned i = 0, k; i < n; i += k) {
		for (k = 1; k < burst && i + k < n && rows[i + k].in == rows[i].in;)
			k++;
		br_decide(s->conf, s->fdb, &s->cache[rows[i].in], rows[i].in, &frames[i], k, s->now, &verdicts[i]);
	}
	for (unsigned i = 0; i < n; i++)
		check_row(s, &rows[i], i, verdicts[i]);
}

/* The whole table from a clean start, both ways; leaves what the second way has taught. */
static void check_table(struct scene *s, const struct row *rows, unsigned n)
{
	decide_rows(s, rows, n, 1);
	for (unsigned bridge = 0; bridge < BR_BRIDGE_MAX; bridge++)
		fdb_flush_bridge(s->fdb, bridge);
	decide_rows(s, rows, n, 64);
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static void unknown_unicast_floods_all_but_ingress(void **state)
{
	static const struct row rows[] = {
		{1, 'a', 'x', "2 3 4094", 0, 0}, {2, 'b', 'x', "1 3 4094", 0, 0}, {4094, 'c', 'x', "1 2 3", 0, 0},
		{0, 'd', 'x', "11", 0, 0},       {11, 'e', 'x', "0", 0, 0},
	};

	check_table(*state, rows, LEN(rows));
}

static void group_addresses_flood_all_but_ingress(void **state)
{
	static const struct row rows[] = {
		{1, 'a', BROADCAST, "2 3 4094", 0, 0}, {1, 'a', MULTICAST, "2 3 4094", 0, 0},
		{3, 'b', BROADCAST, "1 2 4094", 0, 0}, {1, 'a', NOT_RESERVED, "2 3 4094", 0, 0},
		{11, 'c', BROADCAST, "0", 0, 0},
	};

	check_table(*state, rows, LEN(rows));
}

static void learned_address_gets_its_frames_alone(void **state)
{
	static const struct row rows[] = {
		{1, 'a', BROADCAST, "2 3 4094", 0, 0},
		{2, 'b', 'a', "1", 0, 0},
		{2, 'b', 'a', "1", 0, 0},
		{1, 'a', 'b', "2", 0, 0},
		{4094, 'c', 'a', "1", 0, 0},
		{4094, 'c', 'b', "2", 0, 0},
		{3, 'd', 'c', "4094", 0, 0},
		{3, 'd', 'x', "1 2 4094", 0, 0},
		{3, 'd', 'c', "4094", 0, 0},
	};

	check_table(*state, rows, LEN(rows));
}

static void same_address_on_two_bridges_is_two_hosts(void **state)
{
	static const struct row rows[] = {
		{1, 'a', BROADCAST, "2 3 4094", 0, 0},
		{11, 'a', BROADCAST, "0", 0, 0},
		{2, 'b', 'a', "1", 0, 0},
		{0, 'b', 'a', "11", 0, 0},
		{3, 'c', 'b', "2", 0, 0},
		{11, 'a', 'b', "0", 0, 0},
	};

	check_table(*state, rows, LEN(rows));
}

static void reserved_addresses_are_not_forwarded_but_teach(void **state)
{
	static const struct row rows[] = {
		{1, 'a', STP, DROPPED(BR_DROP_RESERVED), 0},           {1, 'a', LLDP, DROPPED(BR_DROP_RESERVED), 0},
		{1, 'a', RESERVED_LAST, DROPPED(BR_DROP_RESERVED), 0}, {2, 'b', 'a', "1", 0, 0},
		{21, 'c', STP, DROPPED(BR_DROP_RESERVED), 0}, /* also where there is no egress */
	};

	check_table(*state, rows, LEN(rows));
}

static void group_or_zero_source_is_dropped_and_teaches_nothing(void **state)
{
	static const struct row rows[] = {
		{1, BROADCAST, 'b', DROPPED(BR_DROP_SRC_INVALID), 0},
		{1, MULTICAST, BROADCAST, DROPPED(BR_DROP_SRC_INVALID), 0},
		{1, 'z', BROADCAST, DROPPED(BR_DROP_SRC_INVALID), 0},
		{0, 'z', BROADCAST, DROPPED(BR_DROP_SRC_INVALID), 0}, /* bridge 0: the key is all zeroes too */
		{0, 'z', 'z', DROPPED(BR_DROP_SRC_INVALID), 0},
		{1, STP, STP, DROPPED(BR_DROP_SRC_INVALID), 0},
		{2, 'b', 'z', "1 3 4094", 0, 0},
		{11, 'b', 'z', "0", 0, 0},
		{11, 'b', BROADCAST, "0", 0, 0},
	};
	struct scene *s = *state;
	struct fdb_stats stats;

	check_table(s, rows, LEN(rows));
	assert_int_equal(fdb_count(s->fdb, 1), 0);
	assert_int_equal(fdb_count(s->fdb, 0), 0);
	fdb_stats(s->fdb, &stats);
	assert_int_equal(stats.learned, 4);
}

static void runts_are_dropped_and_teach_nothing(void **state)
{
	static const struct row rows[] = {
		{1, 'a', BROADCAST, DROPPED(BR_DROP_RUNT), 13},
		{1, 'a', 'b', DROPPED(BR_DROP_RUNT), 1},
		{2, 'b', 'a', "1 3 4094", 0, 14},
		{1, BROADCAST, STP, DROPPED(BR_DROP_RUNT), 6},
		{31, 'a', 'b', DROPPED(BR_DROP_NO_BRIDGE), 3},
	};

	check_table(*state, rows, LEN(rows));
}

static void empty_frame_is_a_runt_and_not_read(void **state)
{
	struct scene *s = *state;
	struct br_frame frame = {NULL, 0};
	struct br_verdict verdict;

	br_decide(s->conf, s->fdb, &s->cache[1], 1, &frame, 1, 0, &verdict);
	assert_int_equal(verdict.kind, BR_DROP);
	assert_int_equal(verdict.reason, BR_DROP_RUNT);
}

static void frame_never_returns_to_its_port(void **state)
{
	static const struct row rows[] = {
		{1, 'a', BROADCAST, "2 3 4094", 0, 0},
		{1, 'b', 'a', DROPPED(BR_DROP_HAIRPIN), 0},
		{1, 'b', 'a', DROPPED(BR_DROP_HAIRPIN), 0},
		{1, 'a', 'a', DROPPED(BR_DROP_HAIRPIN), 0},
		{1, 'c', 'c', DROPPED(BR_DROP_HAIRPIN), 0}, /* learned from this very frame */
		{2, 'd', 'a', "1", 0, 0},
	};

	check_table(*state, rows, LEN(rows));
}

static void lone_port_has_nobody_to_send_to(void **state)
{
	static const struct row rows[] = {
		{21, 'a', BROADCAST, DROPPED(BR_DROP_NO_EGRESS), 0},
		{21, 'a', 'b', DROPPED(BR_DROP_NO_EGRESS), 0},
		{21, 'b', 'a', DROPPED(BR_DROP_HAIRPIN), 0},
	};

	check_table(*state, rows, LEN(rows));
}

static void port_without_bridge_sends_nothing(void **state)
{
	static const struct row rows[] = {
		{31, 'a', BROADCAST, DROPPED(BR_DROP_NO_BRIDGE), 0},
		{31, 'a', 'b', DROPPED(BR_DROP_NO_BRIDGE), 0},
		{4095, 'a', 'b', DROPPED(BR_DROP_NO_BRIDGE), 0},
		{1, 'b', 'a', "2 3 4094", 0, 0},
	};
	struct scene *s = *state;
	struct br_flow_cache cache = {0};
	uint8_t bytes[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	struct br_frame frame = {bytes, sizeof(bytes)};
	struct br_verdict verdict;

	check_table(s, rows, LEN(rows));
	br_decide(s->conf, s->fdb, &cache, BR_NONE, &frame, 1, 0, &verdict);
	assert_int_equal(verdict.kind, BR_DROP);
	assert_int_equal(verdict.reason, BR_DROP_NO_BRIDGE);
}

static void moved_address_is_followed_within_the_burst(void **state)
{
	static const struct row rows[] = {
		{2, 'b', BROADCAST, "1 3 4094", 0, 0},
		{1, 'a', 'b', "2", 0, 0},
		{1, 'a', 'b', "2", 0, 0},
		{1, 'b', 'a', DROPPED(BR_DROP_HAIRPIN), 0}, /* b came over to port 1 */
		{1, 'a', 'b', DROPPED(BR_DROP_HAIRPIN), 0},
		{3, 'c', 'b', "1", 0, 0},
		{2, 'b', 'c', "3", 0, 0}, /* and went back */
		{3, 'c', 'b', "2", 0, 0},
		{1, 'a', 'b', "2", 0, 0},
		{1, 'b', BROADCAST, "2 3 4094", 0, 0}, /* and came over again, while port 1 remembers it behind 2 */
		{1, 'a', 'b', DROPPED(BR_DROP_HAIRPIN), 0},
	};

	check_table(*state, rows, LEN(rows));
}

/* ---- caches and what makes them wrong ----------------------------------------------------------------------------- */

/* a on 1 and b on 2 have talked; what port 1 remembers is warm. */
static const struct row talked[] = {
	{2, 'b', BROADCAST, "1 3 4094", 0, 0},
	{1, 'a', 'b', "2", 0, 0},
	{1, 'a', 'b', "2", 0, 0},
	{2, 'b', 'a', "1", 0, 0},
};

static void flush_is_seen_by_the_next_burst(void **state)
{
	static const struct row then[] = {{1, 'a', 'b', "2 3 4094", 0, 0}};
	static const struct row back[] = {{2, 'b', 'a', "1", 0, 0}, {1, 'a', 'b', "2", 0, 0}};
	static const struct row both[] = {{1, 'a', 'b', "2 3 4094", 0, 0}, {3, 'c', 'a', "1", 0, 0}};
	struct scene *s = *state;

	decide_rows(s, talked, LEN(talked), 1);
	fdb_flush_port(s->fdb, 2);
	decide_rows(s, then, LEN(then), 1);
	decide_rows(s, back, LEN(back), 1);
	fdb_flush_bridge(s->fdb, 1);
	decide_rows(s, both, LEN(both), 1); /* a's source is learned again, though it was remembered */
}

static void move_by_another_port_is_seen_by_the_next_burst(void **state)
{
	static const struct row moved[] = {{3, 'b', BROADCAST, "1 2 4094", 0, 0}, {1, 'a', 'b', "3", 0, 0}};
	struct scene *s = *state;

	decide_rows(s, talked, LEN(talked), 1);
	decide_rows(s, moved, LEN(moved), 1);
}

static void remembered_addresses_are_refreshed_and_age(void **state)
{
	static const struct row onward[] = {{1, 'a', 'b', "2", 0, 0}, {1, 'a', 'b', "2", 0, 0}};
	static const struct row a_only[] = {{1, 'a', 'b', "2 3 4094", 0, 0}, {3, 'c', 'a', "1", 0, 0}};
	struct scene *s = *state;

	decide_rows(s, talked, LEN(talked), 1);
	for (s->now = 1; s->now <= 300; s->now++)
		decide_rows(s, onward, LEN(onward), 1);
	decide_rows(s, a_only, LEN(a_only), 1); /* b was silent; a was remembered in every second, and refreshed */
}

static void port_that_left_the_bridge_gets_nothing_more(void **state)
{
	static const struct row unflushed[] = {
		{1, 'a', 'b', "3 4094", 0, 0},
		{1, 'a', BROADCAST, "3 4094", 0, 0},
		{2, 'b', 'a', DROPPED(BR_DROP_NO_BRIDGE), 0},
	};
	static const struct row elsewhere[] = {
		{1, 'a', 'b', "3 4094", 0, 0},
		{2, 'b', 'a', "0 11", 0, 0},
		{0, 'c', 'b', "2", 0, 0},
		{1, 'a', 'b', "3 4094", 0, 0},
	};
	struct scene *s = *state;

	decide_rows(s, talked, LEN(talked), 1);
	/* A new conf, as the control side publishes one; the fdb still names the port. */
	struct br_conf *old = s->conf;

	s->conf = br_conf_clone(old);
	assert_non_null(s->conf);
	assert_int_equal(br_conf_leave(s->conf, 2), 0);
	assert_int_equal(br_conf_bridge_of(old, 2), 1);
	br_conf_free(old);
	decide_rows(s, unflushed, LEN(unflushed), 1);
	assert_int_equal(br_conf_join(s->conf, 2, 0), 0);
	decide_rows(s, elsewhere, LEN(elsewhere), 1);
}

static void memo_of_another_port_is_not_believed(void **state)
{
	static const struct row as_3[] = {{3, 'a', 'b', "2", 0, 0}};
	struct scene *s = *state;

	decide_rows(s, talked, LEN(talked), 1);
	struct br_flow_cache own = s->cache[3];

	s->cache[3] = s->cache[1]; /* the queue was given to another port and not cleared */
	decide_rows(s, as_3, LEN(as_3), 1);
	s->cache[3] = own;
	assert_int_equal(fdb_count(s->fdb, 3), 1); /* a was learned there */
	assert_int_equal(fdb_count(s->fdb, 1), 0);
}

static void burst_from_many_addresses_to_many_is_decided_as_one_by_one(void **state)
{
	struct scene *s = *state;
	uint8_t bytes[256][14];
	struct br_frame frames[256];
	struct br_verdict verdicts[256];

	for (unsigned i = 0; i < 256; i++) {
		memcpy(bytes[i], (uint8_t[]){2, 0, 0, 1, 0, i * 7, 2, 0, 0, 2, 0, i, 8, 0}, 14);
		frames[i] = (struct br_frame){bytes[i], 14};
		if (i % 2) /* half of the destinations are known */
			assert_true(fdb_learn(s->fdb, fdb_key(1, bytes[i]), 2 + i % 4 / 2, 0));
	}
	br_decide(s->conf, s->fdb, &s->cache[1], 1, frames, 256, 0, verdicts);
	for (unsigned i = 0; i < 256; i++) {
		if (i % 2) {
			assert_int_equal(verdicts[i].kind, BR_TO_PORT);
			assert_int_equal(verdicts[i].to, 2 + i % 4 / 2);
		} else {
			assert_int_equal(verdicts[i].kind, BR_FLOOD);
			assert_int_equal(verdicts[i].to, 1);
		}
	}
	assert_int_equal(fdb_count(s->fdb, 1), 256);
}

/* More flows than a cache has room for, so that they drive each other out, and then those of another epoch. */
static void what_is_remembered_of_many_flows_is_what_the_table_says(void **state)
{
	struct scene *s = *state;
	uint8_t bytes[64][14];
	struct br_frame frames[64];
	struct br_verdict verdicts[64];

	for (unsigned round = 0; round < 6; round++) {
		unsigned moved = round < 3 ? 2 : 3;

		for (unsigned d = 0; d < 8 && round % 3 == 0; d++) {
			uint8_t mac[6] = {2, 0, 0, 1, 0, d};

			assert_true(fdb_learn(s->fdb, fdb_key(1, mac), d % 2 ? moved : 2, 0));
		}
		for (unsigned i = 0; i < 64; i++) {
			memcpy(bytes[i], (uint8_t[]){2, 0, 0, 1, 0, i % 8, 2, 0, 0, 2, 0, i / 8, 8, 0}, 14);
			frames[i] = (struct br_frame){bytes[i], 14};
		}
		br_decide(s->conf, s->fdb, &s->cache[1], 1, frames, 64, 0, verdicts);
		for (unsigned i = 0; i < 64; i++) {
			assert_int_equal(verdicts[i].kind, BR_TO_PORT);
			assert_int_equal(verdicts[i].to, i % 2 ? moved : 2);
		}
	}
	assert_int_equal(fdb_count(s->fdb, 1), 8);
}

static void nothing_is_written_for_an_empty_burst(void **state)
{
	struct scene *s = *state;
	struct br_verdict verdict = {.kind = 77};

	br_decide(s->conf, s->fdb, &s->cache[1], 1, NULL, 0, 0, &verdict);
	assert_int_equal(verdict.kind, 77);
}

/* ---- conf -------------------------------------------------------------------------------------------------------- */

static void conf_refuses_what_cannot_be_and_stays_as_it_was(void **state)
{
	struct scene *s = *state;

	assert_int_equal(br_conf_join(s->conf, BR_PORT_MAX, 1), -EINVAL);
	assert_int_equal(br_conf_join(s->conf, 5, BR_BRIDGE_MAX), -EINVAL);
	assert_int_equal(br_conf_join(s->conf, 1, 1), -EBUSY);
	assert_int_equal(br_conf_join(s->conf, 1, 2), -EBUSY);
	assert_int_equal(br_conf_leave(s->conf, 5), -ENOENT);
	assert_int_equal(br_conf_leave(s->conf, BR_NONE), -EINVAL);
	assert_int_equal(br_conf_bridge_of(s->conf, 1), 1);
	assert_int_equal(br_conf_bridge_of(s->conf, 5), BR_NONE);
	assert_int_equal(br_conf_bridge_of(s->conf, BR_NONE), BR_NONE);
}

static void egress_needs_the_same_bridge_and_another_port(void **state)
{
	struct scene *s = *state;

	assert_true(br_egress_ok(s->conf, 1, 2));
	assert_false(br_egress_ok(s->conf, 1, 1));
	assert_false(br_egress_ok(s->conf, 1, 11));
	assert_false(br_egress_ok(s->conf, 1, 31));
	assert_false(br_egress_ok(s->conf, 31, 32)); /* both on none: not the same bridge */
	assert_false(br_egress_ok(s->conf, 1, BR_NONE));
	assert_false(br_egress_ok(s->conf, BR_NONE, BR_NONE));
}

static void every_port_can_be_on_one_bridge_and_leave_it(void **state)
{
	struct br_conf *conf = br_conf_new();
	unsigned iter = 0;

	(void)state;
	assert_non_null(conf);
	for (unsigned i = 0; i < BR_PORT_MAX; i++)
		assert_int_equal(br_conf_join(conf, i * 1001 % BR_PORT_MAX, BR_BRIDGE_MAX - 1), 0);
	for (unsigned port = 0; port < BR_PORT_MAX; port++) {
		if (port != 7)
			assert_int_equal(br_flood_next(conf, BR_BRIDGE_MAX - 1, 7, &iter), port);
	}
	assert_int_equal(br_flood_next(conf, BR_BRIDGE_MAX - 1, 7, &iter), BR_NONE);
	assert_int_equal(br_flood_next(conf, BR_BRIDGE_MAX, 7, &iter), BR_NONE);
	for (unsigned i = 0; i < BR_PORT_MAX; i++)
		assert_int_equal(br_conf_leave(conf, i * 33 % BR_PORT_MAX), 0);
	iter = 0;
	assert_int_equal(br_flood_next(conf, BR_BRIDGE_MAX - 1, BR_NONE, &iter), BR_NONE);
	br_conf_free(conf);
}

static void every_drop_reason_has_its_own_name(void **state)
{
	(void)state;
	for (int a = 0; a < BR_DROP_MAX; a++) {
		assert_non_null(br_drop_name(a));
		for (int b = 0; b < a; b++)
			assert_string_not_equal(br_drop_name(a), br_drop_name(b));
	}
	assert_string_equal(br_drop_name(BR_DROP_MAX), "unknown");
}

#define TABLE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TABLE(unknown_unicast_floods_all_but_ingress),
		TABLE(group_addresses_flood_all_but_ingress),
		TABLE(learned_address_gets_its_frames_alone),
		TABLE(same_address_on_two_bridges_is_two_hosts),
		TABLE(reserved_addresses_are_not_forwarded_but_teach),
		TABLE(group_or_zero_source_is_dropped_and_teaches_nothing),
		TABLE(runts_are_dropped_and_teach_nothing),
		TABLE(empty_frame_is_a_runt_and_not_read),
		TABLE(frame_never_returns_to_its_port),
		TABLE(lone_port_has_nobody_to_send_to),
		TABLE(port_without_bridge_sends_nothing),
		TABLE(moved_address_is_followed_within_the_burst),
		TABLE(flush_is_seen_by_the_next_burst),
		TABLE(move_by_another_port_is_seen_by_the_next_burst),
		TABLE(remembered_addresses_are_refreshed_and_age),
		TABLE(port_that_left_the_bridge_gets_nothing_more),
		TABLE(memo_of_another_port_is_not_believed),
		TABLE(burst_from_many_addresses_to_many_is_decided_as_one_by_one),
		TABLE(what_is_remembered_of_many_flows_is_what_the_table_says),
		TABLE(nothing_is_written_for_an_empty_burst),
		TABLE(conf_refuses_what_cannot_be_and_stays_as_it_was),
		TABLE(egress_needs_the_same_bridge_and_another_port),
		cmocka_unit_test(every_port_can_be_on_one_bridge_and_leave_it),
		cmocka_unit_test(every_drop_reason_has_its_own_name),
	};

	struct CMUnitTest both[2 * LEN(tests)];

	for (unsigned i = 0; i < LEN(both); i++) {
		both[i] = tests[i % LEN(tests)];
		if (i >= LEN(tests) && both[i].setup_func)
			both[i].setup_func = set_up_with_room;
	}
	return cmocka_run_group_tests(both, NULL, NULL);
}
