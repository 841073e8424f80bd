/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The benchmark's guests against the switch's own ring code: what they send arrives and is believed; what is lost,
 * damaged, doubled or led astray on the way is found out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "bench/traffic.h"
#include "vif/ring/ring.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define RING 128

static struct pair { /* two guests, and the device's view of their rings */
	struct guest guest[2];
	struct ring_mem mem[2];
	struct ring rx[2], tx[2];
	struct traffic traffic;
	struct vif_counters count;
	struct vif_burst burst;
} pair;

static bool packed; /* the layout that is tested */

static struct ring device_ring(const struct guest_queue *q, const struct ring_mem *mem)
{
	struct ring ring = {.desc = q->desc,
			    .avail = q->avail,
			    .used = q->used,
			    .mem = mem,
			    .size = RING,
			    .packed = packed,
			    .hdr_len = GUEST_HDR,
			    .mergeable = true,
			    .enabled = true,
			    .callfd = -1,
			    .kickfd = -1};

	if (packed) {
		ring.slot = q->slot;
		ring.driver_event = q->driver_event;
		ring.device_event = q->device_event;
	}
	ring_resume(&ring);
	return ring;
}

static void begin(uint32_t len, bool tso, uint32_t macs)
{
	struct guest_opts opts = {.ring = RING,
				  .frame = len,
				  .packed = packed,
				  .gso_size = tso ? 1448 : 0,
				  .gso_hdr = tso ? FRAME_TCP_HDR : 0};
	struct frame_kind kind = frame_kind(len, tso);

	memset(&pair, 0, sizeof(pair));
	for (unsigned i = 0; i < 2; i++) {
		struct guest *g = &pair.guest[i];

		assert_int_equal(guest_new(g, &opts), 0);
		g->features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_NET_F_MRG_RXBUF |
			      1ULL << VIRTIO_RING_F_INDIRECT_DESC;
		guest_fill(g);
		guest_shape(g);
		pair.mem[i] = (struct ring_mem){1, {{GUEST_GPA, g->size, g->mem}}};
		pair.rx[i] = device_ring(&g->tx, &pair.mem[i]);
		pair.tx[i] = device_ring(&g->rx, &pair.mem[i]);
	}
	assert_int_equal(traffic_new(&pair.traffic, pair.guest, 2, &kind, TRAFFIC_ONE, macs), 0);
}

static int end(void **state)
{
	(void)state;
	traffic_free(&pair.traffic);
	guest_free(&pair.guest[0]);
	guest_free(&pair.guest[1]);
	return 0;
}

/* Take a burst from guest 0. */
static unsigned take(struct vif_frame **frame)
{
	unsigned n;

	vif_pass++;
	n = ring_peek(&pair.rx[0], &pair.burst, &pair.count);

	assert_null(pair.rx[0].broken);
	for (unsigned i = 0; i < n; i++)
		frame[i] = &pair.burst.frame[i];
	return n;
}

/* Give what was taken to guest 1. */
static void give(struct vif_frame **frame, unsigned n)
{
	assert_int_equal(ring_deliver(&pair.tx[1], frame, n, &pair.count), n);
	assert_null(pair.tx[1].broken);
	ring_release(&pair.rx[0], &pair.burst);
}

static void pump(unsigned turns)
{
	struct vif_frame *frame[VIF_BURST];

	while (turns--) {
		traffic_turn(&pair.traffic, 0);
		give(frame, take(frame));
	}
	traffic_receive(&pair.traffic);
}

static void assert_clean(void)
{
	const struct traffic_count *c = &pair.traffic.count;

	assert_int_equal(c->damaged + c->lost + c->misordered + c->astray, 0);
	assert_true(c->received > 0);
}

static void frames_of_every_length_arrive_whole(void **state)
{
	static const uint32_t len[] = {64, 65, 71, 128, 1500, 1524, 1525, 4084, 4085, 9000, 65521};

	(void)state;
	for (unsigned i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		begin(len[i], false, 1);
		pump(100);
		assert_clean();
		assert_true(pair.traffic.count.sent - pair.traffic.count.received <= RING);
		if (i < sizeof(len) / sizeof(len[0]) - 1)
			end(NULL);
	}
}

static void a_frame_to_be_segmented_arrives_as_one(void **state)
{
	(void)state;
	begin(60000, true, 1);
	pump(100);
	assert_clean();
	assert_int_equal(pair.count.rx_gso, pair.traffic.count.sent);
}

static void many_addresses_are_many_flows(void **state)
{
	(void)state;
	begin(64, false, 20);
	pump(100);
	assert_clean();
	assert_int_equal(pair.traffic.flows, 10);
	assert_int_equal(pair.traffic.flows_seen, 10);
}

static void what_goes_to_everybody_is_followed_at_each_receiver(void **state)
{
	struct vif_frame *frame[VIF_BURST];

	(void)state;
	begin(64, false, 6);
	traffic_free(&pair.traffic);
	assert_int_equal(traffic_new(&pair.traffic, pair.guest, 2, &pair.traffic.kind, TRAFFIC_FLOOD, 6), 0);
	pump(10);
	assert_clean();
	assert_int_equal(pair.traffic.flows_seen, 3);
	traffic_turn(&pair.traffic, 0);
	give(frame, take(frame) - 1);
	pump(1);
	assert_int_equal(pair.traffic.count.lost, 1);
	traffic_turn(&pair.traffic, 0);
	take(frame);
	frame[0]->head[4] ^= 1; /* another group than the frame is for */
	give(frame, 1);
	traffic_receive(&pair.traffic);
	assert_int_equal(pair.traffic.count.damaged, 1);
}

static void a_frame_that_is_lost_is_missed(void **state)
{
	struct vif_frame *frame[VIF_BURST];
	unsigned n;

	(void)state;
	begin(64, false, 1);
	pump(1);
	traffic_turn(&pair.traffic, 0);
	n = take(frame);
	give(frame + 3, n - 3);
	pump(2);
	assert_int_equal(pair.traffic.count.lost, 3);
	assert_int_equal(pair.traffic.count.damaged + pair.traffic.count.misordered, 0);
}

static void a_frame_that_comes_twice_is_noticed(void **state)
{
	struct vif_frame *frame[VIF_BURST];
	unsigned n;

	(void)state;
	begin(64, false, 1);
	traffic_turn(&pair.traffic, 0);
	n = take(frame);
	ring_deliver(&pair.tx[1], frame, 1, &pair.count);
	give(frame, n);
	traffic_receive(&pair.traffic);
	assert_int_equal(pair.traffic.count.misordered, 1);
}

static void a_single_wrong_bit_is_found_wherever_it_is(void **state)
{
	static const uint32_t len[] = {64, 1500, 9001};
	struct vif_frame *frame[VIF_BURST];

	(void)state;
	for (unsigned i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		begin(len[i], false, 1);
		for (uint32_t at = 0, step; at < len[i]; at += step) {
			uint64_t damaged = pair.traffic.count.damaged + pair.traffic.count.astray +
					   pair.traffic.count.announced + pair.traffic.count.misordered +
					   pair.traffic.count.lost;
			unsigned n;

			step = at < 128 || at + 16 > len[i] ? 1 : 13;
			if (at == 56)
				at = 64; /* the time stamp is no part of what is checked */
			if (at >= len[i])
				break;
			traffic_turn(&pair.traffic, 0);
			n = take(frame);
			if (at < frame[0]->head_len) {
				frame[0]->head[at] ^= 1;
			} else {
				uint32_t in = at - frame[0]->head_len;
				unsigned s = 0;

				while (in >= frame[0]->seg[s].len)
					in -= frame[0]->seg[s++].len;
				((uint8_t *)(uintptr_t)frame[0]->seg[s].va)[in] ^= 1;
			}
			give(frame, n);
			traffic_receive(&pair.traffic);
			traffic_settle(&pair.traffic);
			assert_true(pair.traffic.count.damaged + pair.traffic.count.astray +
					    pair.traffic.count.announced + pair.traffic.count.misordered +
					    pair.traffic.count.lost >
				    damaged);
		}
		if (i < 2)
			end(NULL);
	}
}

static void a_receiver_is_never_sent_more_than_it_has_room_for(void **state)
{
	(void)state;
	begin(60000, true, 1);
	for (unsigned i = 0; i < 100; i++)
		traffic_turn(&pair.traffic, 0);
	assert_int_equal(pair.traffic.count.sent, RING / 15);
}

static void latency_classes_are_a_sixteenth_wide(void **state)
{
	uint64_t latency[TRAFFIC_LATENCIES] = {0};

	(void)state;
	latency[0] = 50; /* 16 cycles */
	latency[16 * 6 + 9] = 50; /* 1600 to 1663 */
	assert_int_equal(traffic_latency(latency, 0.4), 17);
	assert_int_equal(traffic_latency(latency, 0.5), 1664);
	assert_int_equal(traffic_latency(latency, 0.999), 1664);
}

static int split_rings(void **state)
{
	(void)state;
	packed = false;
	return 0;
}

static int packed_rings(void **state)
{
	(void)state;
	packed = true;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(frames_of_every_length_arrive_whole, end),
		cmocka_unit_test_teardown(a_frame_to_be_segmented_arrives_as_one, end),
		cmocka_unit_test_teardown(many_addresses_are_many_flows, end),
		cmocka_unit_test_teardown(what_goes_to_everybody_is_followed_at_each_receiver, end),
		cmocka_unit_test_teardown(a_frame_that_is_lost_is_missed, end),
		cmocka_unit_test_teardown(a_frame_that_comes_twice_is_noticed, end),
		cmocka_unit_test_teardown(a_single_wrong_bit_is_found_wherever_it_is, end),
		cmocka_unit_test_teardown(a_receiver_is_never_sent_more_than_it_has_room_for, end),
		cmocka_unit_test(latency_classes_are_a_sixteenth_wide),
	};

	struct CMUnitTest all[2 * LEN(tests)];

	for (unsigned i = 0; i < LEN(tests); i++) {
		all[i] = all[LEN(tests) + i] = tests[i];
		all[i].setup_func = split_rings;
		all[LEN(tests) + i].setup_func = packed_rings;
	}
	return _cmocka_run_group_tests("guests", all, LEN(all), NULL, NULL);
}
