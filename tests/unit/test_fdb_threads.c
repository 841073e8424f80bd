/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The MAC table under several threads: workers that learn and look up, a control thread that flushes, sweeps and
 * dumps. Port p is on bridge p / PORTS and never elsewhere, so an answer that mixes two entries up shows itself. To be
 * run under the thread sanitizer too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "bridge/bridge.h"
#include "bridge/fdb_table.h" /* one slot */

#define BRIDGES 4
#define PORTS 8 /* of a bridge */
#define HOSTS 64 /* of a bridge */
#define WORKERS 3
#define ROUNDS 100000 /* of each worker, at least */
#define TURNS 400 /* of the control thread */

static uint64_t key_of(uint16_t bridge, uint8_t host)
{
	uint8_t mac[6] = {0x02, 0x16, 0x3e, 0, 0, host};

	return fdb_key(bridge, mac);
}

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* assert_*() jump, which only the test's own thread may: others count what is wrong. */
struct crowd {
	struct fdb *fdb;
	_Atomic uint32_t now;
	_Atomic bool stop;
	_Atomic unsigned wrong, answers, misses;
};

struct worker {
	struct crowd *crowd;
	uint32_t random;
	pthread_t thread;
};

static void *learn_and_look_up(void *arg)
{
	struct worker *w = arg;
	struct crowd *crowd = w->crowd;
	unsigned wrong = 0, answers = 0, misses = 0;

	for (unsigned i = 0; i < ROUNDS || !crowd->stop; i++) {
		uint32_t now = atomic_load_explicit(&crowd->now, memory_order_relaxed);
		uint32_t r = next_random(&w->random);
		uint16_t bridge = r % BRIDGES;

		fdb_learn(crowd->fdb, key_of(bridge, r >> 8 & (HOSTS - 1)), bridge * PORTS + (r >> 16 & (PORTS - 1)),
			  now);
		for (unsigned k = 0; k < 4; k++) {
			r = next_random(&w->random);
			bridge = r % BRIDGES;
			int port = fdb_lookup(crowd->fdb, key_of(bridge, r >> 8 & (HOSTS - 1)), now);

			if (port < 0)
				misses++;
			else if (port / PORTS == bridge)
				answers++;
			else
				wrong++;
		}
	}
	crowd->wrong += wrong;
	crowd->answers += answers;
	crowd->misses += misses;
	return NULL;
}

struct tally {
	unsigned of_port[BRIDGES * PORTS];
	bool seen[BRIDGES][HOSTS];
	unsigned wrong;
};

static bool tally_entry(const struct fdb_entry *entry, void *arg)
{
	struct tally *tally = arg;
	uint8_t host = entry->mac[5];

	tally->wrong += entry->bridge >= BRIDGES || entry->port / PORTS != entry->bridge || host >= HOSTS;
	if (tally->wrong)
		return false;
	tally->wrong += tally->seen[entry->bridge][host];
	tally->seen[entry->bridge][host] = true;
	tally->of_port[entry->port]++;
	return true;
}

static bool tally_in_motion(const struct fdb_entry *entry, void *arg)
{
	unsigned *wrong = arg;

	*wrong += entry->bridge >= BRIDGES || entry->port / PORTS != entry->bridge || entry->mac[5] >= HOSTS;
	return true;
}

static void look_up_never_answers_a_port_of_another_bridge(void **state)
{
	/* 256 addresses for 64 entries: slots change hands all the time. */
	struct fdb_opts opts = {.entries = 64, .limit = 12, .ageing = 4, .seed = 3};
	struct crowd crowd = {.fdb = fdb_new(&opts), .now = 65530};
	struct worker workers[WORKERS];
	struct tally tally = {0};
	uint32_t random = 99;
	unsigned wrong = 0;

	(void)state;
	assert_non_null(crowd.fdb);
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){.crowd = &crowd, .random = i + 1};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, learn_and_look_up, &workers[i]), 0);
	}
	for (unsigned turn = 0; turn < TURNS; turn++) {
		uint32_t r = next_random(&random);

		/* 20000 of each: the generations of port 0 and bridge 1 wrap four times. */
		for (unsigned i = 0; i < 50; i++) {
			fdb_flush_port(crowd.fdb, 0);
			fdb_flush_bridge(crowd.fdb, 1);
		}
		fdb_flush_port(crowd.fdb, r % (BRIDGES * PORTS));
		fdb_sweep(crowd.fdb, crowd.now, 16);
		fdb_ageing_bridge(crowd.fdb, 2, r % 5);
		fdb_limit(crowd.fdb, 3, r % 4);
		fdb_dump(crowd.fdb, FDB_ALL, crowd.now, tally_in_motion, &wrong);
		if (r % 16 == 0)
			crowd.now++;
		sched_yield();
	}
	crowd.stop = true;
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(workers[i].thread, NULL);
	assert_int_equal(crowd.wrong, 0);
	assert_int_equal(wrong, 0);
	assert_true(crowd.answers > 0);
	assert_true(crowd.misses > 0);

	/* And the accounts are right: what each port is said to own is there, no address twice. */
	fdb_ageing_bridge(crowd.fdb, 2, 4);
	fdb_sweep(crowd.fdb, crowd.now, UINT32_MAX);
	fdb_dump(crowd.fdb, FDB_ALL, crowd.now, tally_entry, &tally);
	assert_int_equal(tally.wrong, 0);
	for (unsigned port = 0; port < BRIDGES * PORTS; port++)
		assert_int_equal(fdb_count(crowd.fdb, port), tally.of_port[port]);
	fdb_free(crowd.fdb);
}

/* ---- one slot ---------------------------------------------------------------------------------------------------- */

/* A slot that changes hands as fast as it can between keys 1 and 2; the value of key k is k at bit 52. */
struct contended {
	struct fdb_slot slot;
	_Atomic bool stop;
};

static void *change_hands(void *arg)
{
	struct contended *c = arg;

	while (!c->stop) {
		for (unsigned i = 0; i < 64; i++) {
			uint64_t key = 1 + i % 2;

			fdb_slot_write(&c->slot, key, key << 52);
			if (i % 8 == 0)
				fdb_slot_clear(&c->slot);
		}
	}
	return NULL;
}

static void reader_never_pairs_a_key_with_the_value_of_another(void **state)
{
	struct contended c = {.stop = false};
	unsigned found = 0, wrong = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, change_hands, &c), 0);
	for (unsigned i = 0; i < 5000000 || !found; i++) {
		uint64_t key = 1 + i % 2;
		uint64_t value = fdb_slot_read(&c.slot, key);

		found += value != 0;
		wrong += value != 0 && fdb_value_port(value) != key;
	}
	c.stop = true;
	pthread_join(thread, NULL);
	assert_int_equal(wrong, 0);
}

/* ---- memos ------------------------------------------------------------------------------------------------------- */

/* A worker that decides the same frame over and over, and shows its last verdict. */
struct sender {
	struct br_conf *conf;
	struct fdb *fdb;
	_Atomic bool stop;
	_Atomic uint32_t bursts;
	_Atomic uint32_t last; /* the port, or BR_NONE for a flood */
};

static const uint8_t frame_bytes[14] = {0x02, 0, 0, 0, 0, 0xb, 0x02, 0, 0, 0, 0, 0xa, 8, 0};

static void *send(void *arg)
{
	struct sender *s = arg;
	struct br_frame frames[4];
	struct br_verdict verdicts[4];
	struct br_flow_cache cache = {0};

	for (unsigned i = 0; i < 4; i++)
		frames[i] = (struct br_frame){frame_bytes, sizeof(frame_bytes)};
	while (!s->stop) {
		br_decide(s->conf, s->fdb, &cache, 1, frames, 4, 5, verdicts);
		s->last = verdicts[3].kind == BR_TO_PORT ? verdicts[3].to : BR_NONE;
		s->bursts++;
		sched_yield();
	}
	return NULL;
}

/* The verdict of a burst that began after this call did. */
static uint32_t verdict_from_now_on(struct sender *s)
{
	uint32_t bursts = s->bursts;

	while (s->bursts - bursts < 2)
		sched_yield();
	return s->last;
}

static void flush_or_move_reaches_a_worker_that_remembers_by_its_next_burst(void **state)
{
	struct sender s = {.conf = br_conf_new(), .fdb = fdb_new(NULL)};
	uint64_t key = fdb_key(1, frame_bytes);
	pthread_t thread;

	(void)state;
	assert_non_null(s.conf);
	assert_non_null(s.fdb);
	for (uint16_t port = 1; port <= 3; port++)
		assert_int_equal(br_conf_join(s.conf, port, 1), 0);
	assert_int_equal(pthread_create(&thread, NULL, send, &s), 0);
	unsigned wrong = 0;

	for (unsigned i = 0; i < 500; i++) {
		fdb_learn(s.fdb, key, 2, 5);
		wrong += verdict_from_now_on(&s) != 2;
		fdb_learn(s.fdb, key, 3, 5);
		wrong += verdict_from_now_on(&s) != 3;
		fdb_flush_port(s.fdb, 3);
		wrong += verdict_from_now_on(&s) != BR_NONE;
	}
	s.stop = true;
	pthread_join(thread, NULL);
	assert_int_equal(wrong, 0);
	fdb_free(s.fdb);
	br_conf_free(s.conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reader_never_pairs_a_key_with_the_value_of_another),
		cmocka_unit_test(look_up_never_answers_a_port_of_another_bridge),
		cmocka_unit_test(flush_or_move_reaches_a_worker_that_remembers_by_its_next_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
