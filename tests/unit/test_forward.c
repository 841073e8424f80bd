/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What one receiver may cost its senders, and one sender its worker: a forwarder in this thread, between ports that are
 * written here and count what they are offered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vswitch/base/clock.h"
#include "vswitch/datapath/forward.h"
#include "vswitch/datapath/soft.h"

#define MS 1000000ull /* nanoseconds */
#define PORTS 3

struct stub { /* a port: frames come from `send`, and are taken as long as there is room */
	struct vif_port base;
	struct vif_counters counters[VIF_WORKERS_MAX];
	unsigned send; /* frames in each burst */
	unsigned to; /* port that they are for; PORTS: 1 and 2 in turn */
	unsigned room; /* frames that it still takes; UINT32_MAX: any */
	uint64_t refill_ns, refilled; /* it has room for one more so often; 0: never */
	uint64_t offered, taken, longest;
};

static struct stub *stub_of(struct vif_port *base)
{
	return (struct stub *)base;
}

static unsigned stub_peek(struct vif_port *base, unsigned queue, struct vif_burst *burst)
{
	const struct stub *s = stub_of(base);

	(void)queue;
	burst->n = s->send;
	for (unsigned i = 0; i < s->send; i++) {
		const uint8_t to = s->to < PORTS ? s->to : 1 + i % 2;

		burst->frame[i] = (struct vif_frame){.head = burst->head[i], .len = 60, .head_len = 60};
		memset(burst->head[i], 0, 60);
		memcpy(burst->head[i], (uint8_t[]){2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, (uint8_t)base->id}, 12);
	}
	return s->send;
}

static void stub_release(struct vif_port *base, unsigned queue, const struct vif_burst *burst)
{
	(void)base;
	(void)queue;
	(void)burst;
}

static unsigned stub_deliver(struct vif_port *base, unsigned queue, struct vif_frame *const *frames, unsigned n)
{
	struct stub *s = stub_of(base);
	unsigned taken;

	(void)queue;
	if (s->refill_ns && clock_ns() - s->refilled >= s->refill_ns) {
		s->refilled = clock_ns();
		s->room = 1;
	}
	taken = n < s->room ? n : s->room;
	s->room -= s->room == UINT32_MAX ? 0 : taken;
	s->offered += n;
	s->taken += taken;
	for (unsigned i = 0; i < taken; i++)
		s->longest = frames[i]->len > s->longest ? frames[i]->len : s->longest;
	return taken;
}

static const struct vif_ops ops = {.kind = "stub", .peek = stub_peek, .release = stub_release, .deliver = stub_deliver};

/* ---- a receiver that is slow ------------------------------------------------------------------------------------- */

struct net {
	struct dp_conf dp;
	struct br_conf *conf;
	struct rxq *rxq;
	struct forwarder *fw;
	struct stub *port[PORTS];
};

static struct stub *stub_new(unsigned id)
{
	struct stub *s = aligned_alloc(64, (sizeof(*s) + 63) & ~63UL);

	memset(s, 0, sizeof(*s));
	s->base = (struct vif_port){
		.ops = &ops, .id = id, .rx_queues = 1, .tx_queues = 1, .up = true, .counters = s->counters};
	s->room = UINT32_MAX;
	return s;
}

static int setup(void **state)
{
	const struct fdb_opts opts = {.entries = 64};
	struct net *n = calloc(1, sizeof(*n));

	n->conf = br_conf_new();
	n->dp.conf = n->conf;
	n->dp.fdb = fdb_new(&opts);
	for (unsigned i = 0; i < PORTS; i++) {
		n->port[i] = stub_new(i);
		n->dp.port[i] = &n->port[i]->base;
		assert_int_equal(br_conf_join(n->conf, i, 0), 0);
		assert_true(fdb_learn(n->dp.fdb, fdb_key(0, (uint8_t[]){2, 0, 0, 0, 0, i}), i, clock_coarse_s()));
	}
	n->port[0]->send = VIF_BURST;
	n->rxq = rxq_new(&n->port[0]->base, 0);
	n->dp.worker[0].rxq = &n->rxq;
	n->dp.worker[0].n = 1;
	n->fw = forwarder_new(0);
	*state = n;
	return 0;
}

static int teardown(void **state)
{
	struct net *n = *state;

	forwarder_free(n->fw);
	rxq_free(n->rxq);
	for (unsigned i = 0; i < PORTS; i++)
		free(n->port[i]);
	br_conf_free(n->conf);
	fdb_free(n->dp.fdb);
	free(n);
	return 0;
}

/* Passes for `ms` milliseconds; how much of that time the sender was held, in percent. */
static unsigned held_percent(struct net *n, unsigned ms)
{
	const uint64_t begin = clock_ns();
	uint64_t held = 0, last = begin;

	while (last - begin < ms * MS) {
		bool held_before = forward_holds(n->fw);
		uint64_t now;

		forward_pass(n->fw, &n->dp, clock_coarse_s());
		now = clock_ns();
		held += held_before ? now - last : 0;
		last = now;
	}
	return held * 100 / (last - begin);
}

static void a_slow_receiver_takes_a_sender_with_others_an_eighth_of_its_time(void **state)
{
	struct net *n = *state;
	uint64_t dropped;

	n->port[0]->to = PORTS;
	n->port[1]->refill_ns = MS / 5;
	assert_in_range(held_percent(n, 200), 0, 20);
	dropped = n->port[1]->counters[0].drop[VIF_TX_NO_BUFFER];
	assert_true(n->port[1]->taken > 0);
	assert_true(dropped > 0);
	/* nothing of what was for the other one is missing, and what of this one is has been counted */
	assert_int_equal(n->port[2]->counters[0].drop[VIF_TX_NO_BUFFER], 0);
	assert_in_range(n->port[2]->taken - (n->port[1]->taken + dropped), 0, VIF_BURST);
}

static void a_sender_with_one_receiver_is_held_for_as_long_as_that_takes_frames(void **state)
{
	struct net *n = *state;

	n->port[0]->to = 1;
	n->port[1]->refill_ns = MS / 50;
	assert_in_range(held_percent(n, 100), 60, 100);
}

static void a_sender_that_has_one_receiver_again_is_held_again(void **state)
{
	struct net *n = *state;

	n->port[0]->to = PORTS;
	n->port[1]->refill_ns = MS / 50;
	held_percent(n, 20);
	n->port[0]->to = 1;
	for (uint32_t until = clock_coarse_s() + 3; clock_coarse_s() < until;)
		forward_pass(n->fw, &n->dp, clock_coarse_s());
	assert_in_range(held_percent(n, 100), 60, 100);
}

/* ---- work in software -------------------------------------------------------------------------------------------- */

/* TCP over IPv4 to be cut into segments of `mss` bytes. */
static struct vif_frame tso(uint8_t *bytes, struct vif_seg *seg, uint32_t payload, uint16_t mss)
{
	struct vif_frame f = {.head = bytes, .len = 54 + payload, .head_len = VIF_HEAD_LEN, .seg = seg, .nseg = 1};

	memset(bytes, 0, f.len);
	memcpy(bytes + 12, (uint8_t[]){0x08, 0x00, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6}, 12);
	bytes[46] = 0x50;
	*seg = (struct vif_seg){.va = bytes + VIF_HEAD_LEN, .len = f.len - VIF_HEAD_LEN};
	f.off = (struct vif_offload){.needs = VIF_CAP_CSUM | VIF_CAP_TSO4,
				     .csum_start = 34,
				     .csum_offset = 16,
				     .gso_size = mss,
				     .hdr_len = 54};
	return f;
}

struct soft { /* a burst of frames that all need software */
	struct stub *to;
	struct offload *offload;
	struct egress egress;
	struct vif_frame frame;
	struct vif_seg seg;
	uint8_t bytes[VIF_FRAME_MAX];
	int32_t budget;
	bool took;
};

static int soft_setup(void **state)
{
	struct soft *s = aligned_alloc(64, (sizeof(*s) + 63) & ~63UL);

	memset(s, 0, sizeof(*s));
	s->to = stub_new(1);
	s->offload = aligned_alloc(64, (sizeof(*s->offload) + 63) & ~63UL);
	s->frame = tso(s->bytes, &s->seg, 60000, 1000);
	s->egress.n = VIF_BURST;
	for (unsigned i = 0; i < VIF_BURST; i++)
		s->egress.frame[i] = &s->frame;
	s->budget = SOFT_BYTES;
	*state = s;
	return 0;
}

static int soft_teardown(void **state)
{
	struct soft *s = *state;

	free(s->to);
	free(s->offload);
	free(s);
	return 0;
}

static enum delivered deliver(struct soft *s)
{
	return soft_deliver(s->offload, &s->to->base, 0, &s->egress, &s->budget, &s->took);
}

static void one_segment_is_made_for_a_receiver_without_buffers(void **state)
{
	struct soft *s = *state;

	s->to->room = 0;
	assert_int_equal(deliver(s), NO_BUFFER);
	assert_int_equal(s->to->offered, 1);
	assert_int_equal(s->egress.done, 0);
	assert_false(s->took);
	/* and when they run out within a frame, no more than those at hand */
	s->to->room = 20;
	assert_int_equal(deliver(s), NO_BUFFER);
	assert_int_equal(s->to->taken, 20);
	assert_int_equal(s->egress.done, 1);
	assert_int_equal(s->to->counters[0].drop[VIF_TX_NO_BUFFER], 40);
	assert_true(s->to->offered <= 1 + 1 + 2 * OFFLOAD_SLOTS + 1);
}

static void what_is_over_a_senders_budget_waits_and_is_all_delivered(void **state)
{
	struct soft *s = *state;
	unsigned passes = 1;

	for (enum delivered r; (r = deliver(s)) != DELIVERED; passes++) {
		assert_int_equal(r, OVER_BUDGET);
		assert_true(s->budget > -2 * VIF_FRAME_MAX);
		s->budget = SOFT_BYTES;
	}
	assert_int_equal(s->to->taken, VIF_BURST * 60);
	assert_in_range(passes, VIF_BURST * 60000 / (SOFT_BYTES + 2 * VIF_FRAME_MAX),
			VIF_BURST * 60000 / SOFT_BYTES + 2);
}

static void the_receivers_mtu_holds_for_what_is_done_in_software(void **state)
{
	struct soft *s = *state;

	s->to->base.mtu = 1039; /* segments are of 14 + 40 + 1000 bytes */
	assert_int_equal(deliver(s), DELIVERED);
	assert_int_equal(s->to->offered, 0);
	assert_int_equal(s->to->counters[0].drop[VIF_TX_TOO_BIG], VIF_BURST);
	s->to->base.mtu = 1040;
	s->egress.done = VIF_BURST - 1;
	assert_int_equal(deliver(s), DELIVERED);
	assert_int_equal(s->to->taken, 60);
	assert_int_equal(s->to->longest, 1054);
	/* a checksum to be completed, in a frame that is too long */
	s->frame.off = (struct vif_offload){.needs = VIF_CAP_CSUM, .csum_start = 34, .csum_offset = 16};
	s->frame.len = 1055;
	s->seg.len = 1055 - VIF_HEAD_LEN;
	s->egress.done = VIF_BURST - 1;
	assert_int_equal(deliver(s), DELIVERED);
	assert_int_equal(s->to->taken, 60);
	assert_int_equal(s->to->counters[0].drop[VIF_TX_TOO_BIG], VIF_BURST + 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define SOFT(name) cmocka_unit_test_setup_teardown(name, soft_setup, soft_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_slow_receiver_takes_a_sender_with_others_an_eighth_of_its_time),
		T(a_sender_with_one_receiver_is_held_for_as_long_as_that_takes_frames),
		T(a_sender_that_has_one_receiver_again_is_held_again),
		SOFT(one_segment_is_made_for_a_receiver_without_buffers),
		SOFT(what_is_over_a_senders_budget_waits_and_is_all_delivered),
		SOFT(the_receivers_mtu_holds_for_what_is_done_in_software),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
