/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames through real workers, between ports in memory: forwarding, offloads for every pair of sender and receiver, a
 * receiver that has no buffers, and changes of the view under traffic.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "mem_port.h"
#include "vswitch/datapath/worker.h"

#define PORTS 4
#define MANY 16

struct net {
	unsigned ports; /* 0: PORTS, until net_open() */
	struct dp_conf *view;
	struct br_conf *conf;
	struct fdb *fdb;
	struct vif_port *port[MANY];
	struct rxq *rxq[MANY];
	struct vif_counters *counters[MANY];
};

static const struct fdb_opts fdb_opts = {.entries = 1024};

static struct dp_conf *make_view(struct net *n)
{
	struct dp_conf *v = calloc(1, sizeof(*v));
	unsigned workers = workers_count();

	v->conf = n->conf;
	v->fdb = n->fdb;
	for (unsigned w = 0; w < workers; w++)
		v->worker[w].rxq = calloc(n->ports, sizeof(struct rxq *));
	for (unsigned i = 0; i < n->ports; i++) {
		unsigned w = i % workers;

		v->port[i] = n->port[i];
		v->worker[w].rxq[v->worker[w].n++] = n->rxq[i];
	}
	return v;
}

static void free_view(struct dp_conf *v)
{
	for (unsigned w = 0; v && w < VIF_WORKERS_MAX; w++)
		free(v->worker[w].rxq);
	free(v);
}

/* `workers` workers and the ports on bridge 0, port i with opts[i]. */
static void net_open(struct net *n, unsigned workers, const struct mem_opts *opts)
{
	struct err err;

	n->ports = n->ports ? n->ports : PORTS;
	assert_int_equal(workers_start(workers, -1, 20, &err), 0);
	n->fdb = fdb_new(&fdb_opts);
	n->conf = br_conf_new();
	for (unsigned i = 0; i < n->ports; i++) {
		struct vif_port base = {.id = i, .shared = workers > 1};

		n->counters[i] = aligned_alloc(64, VIF_WORKERS_MAX * sizeof(struct vif_counters));
		memset(n->counters[i], 0, VIF_WORKERS_MAX * sizeof(struct vif_counters));
		base.counters = n->counters[i];
		base.epfd[0] = worker_epfd(i % workers);
		assert_int_equal(mem_open(&base, &opts[i], &n->port[i]), 0);
		n->rxq[i] = rxq_new(n->port[i], 0);
		assert_int_equal(br_conf_join(n->conf, i, 0), 0);
	}
	n->view = make_view(n);
	assert_null(worker_publish(n->view));
}

static void net_close(struct net *n)
{
	workers_stop();
	free_view(n->view);
	for (unsigned i = 0; i < n->ports; i++) {
		n->port[i]->ops->close(n->port[i]);
		rxq_free(n->rxq[i]);
		free(n->counters[i]);
	}
	br_conf_free(n->conf);
	fdb_free(n->fdb);
}

static uint64_t dropped(const struct net *n, unsigned port, enum vif_drop why)
{
	uint64_t sum = 0;

	for (unsigned w = 0; w < VIF_WORKERS_MAX; w++)
		sum += n->counters[port][w].drop[why];
	return sum;
}

/* Wait up to two seconds for a frame. */
static uint32_t receive(struct vif_port *port, uint8_t *buf, struct vif_offload *off)
{
	for (int i = 0; i < 20000; i++) {
		uint32_t len = mem_receive(port, buf, off);

		if (len)
			return len;
		usleep(100);
	}
	return 0;
}

static void frame_make(uint8_t *f, uint8_t dst, uint8_t src, uint32_t len)
{
	memset(f, 0, len);
	memcpy(f, (uint8_t[]){2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src, 0x88, 0xb5}, 14);
	for (uint32_t i = 14; i < len; i++)
		f[i] = i * 3;
}

static void unknown_unicast_floods_all_but_ingress_and_known_goes_one_way(void **state)
{
	const struct mem_opts opts[PORTS] = {{0}};
	uint8_t f[100], got[VIF_FRAME_MAX];
	struct net n = {0};

	(void)state;
	net_open(&n, 1, opts);
	frame_make(f, 9, 1, sizeof(f));
	assert_true(mem_send(n.port[0], f, sizeof(f), NULL));
	for (unsigned i = 1; i < PORTS; i++) {
		assert_int_equal(receive(n.port[i], got, NULL), sizeof(f));
		assert_memory_equal(got, f, sizeof(f));
	}
	frame_make(f, 1, 2, sizeof(f));
	assert_true(mem_send(n.port[2], f, sizeof(f), NULL));
	assert_int_equal(receive(n.port[0], got, NULL), sizeof(f));
	usleep(20000);
	assert_int_equal(mem_receive(n.port[1], got, NULL), 0);
	assert_int_equal(mem_receive(n.port[3], got, NULL), 0);
	assert_int_equal(mem_receive(n.port[0], got, NULL), 0);
	net_close(&n);
}

/* TCP over IPv4 with `payload` bytes, checksum and segmentation left to be done. */
static uint32_t tso_make(uint8_t *f, uint32_t payload, struct vif_offload *off)
{
	frame_make(f, 2, 1, 54 + payload);
	memcpy(f + 12, (uint8_t[]){0x08, 0x00, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}, 22);
	memset(f + 34, 0, 20);
	f[46] = 0x50;
	*off = (struct vif_offload){.needs = VIF_CAP_CSUM | VIF_CAP_TSO4,
				    .csum_start = 34,
				    .csum_offset = 16,
				    .gso_size = 1000,
				    .hdr_len = 54};
	return 54 + payload;
}

static void offloads_pass_where_the_receiver_has_them_and_are_done_where_not(void **state)
{
	const struct mem_opts opts[PORTS] = {{0},
					     {.caps = VIF_CAP_CSUM | VIF_CAP_TSO4, .mtu = 1500},
					     {.caps = VIF_CAP_CSUM, .mtu = 1500},
					     {.mtu = 1500}};
	static uint8_t f[VIF_FRAME_MAX], got[VIF_FRAME_MAX];
	struct vif_offload off, seen;
	struct net n = {0};
	uint32_t len;

	(void)state;
	net_open(&n, 1, opts);
	len = tso_make(f, 30000, &off);
	assert_true(mem_send(n.port[0], f, len, &off)); /* unknown: to all */
	assert_int_equal(receive(n.port[1], got, &seen), len);
	assert_memory_equal(got, f, len);
	assert_memory_equal(&seen, &off, sizeof(off));
	for (unsigned port = 2; port < PORTS; port++) {
		for (unsigned i = 0; i < 30; i++) {
			assert_int_equal(receive(n.port[port], got, &seen), 1054);
			assert_memory_equal(got + 54, f + 54 + i * 1000, 1000);
			assert_int_equal(seen.needs, 0);
		}
		assert_int_equal(mem_receive(n.port[port], got, &seen), 0);
	}
	off = (struct vif_offload){.needs = VIF_CAP_CSUM, .csum_start = 34, .csum_offset = 16};
	assert_true(mem_send(n.port[0], f, 500, &off));
	assert_int_equal(receive(n.port[2], got, &seen), 500);
	assert_int_equal(seen.needs, VIF_CAP_CSUM);
	assert_int_equal(receive(n.port[3], got, &seen), 500);
	assert_int_equal(seen.needs, 0);
	assert_memory_not_equal(got + 50, f + 50, 2);
	net_close(&n);
}

static void a_frame_longer_than_the_mtu_is_dropped_and_counted(void **state)
{
	const struct mem_opts opts[PORTS] = {{0}, {.mtu = 1500}, {.mtu = 9000}, {0}};
	static uint8_t f[9100], got[VIF_FRAME_MAX];
	struct net n = {0};

	(void)state;
	net_open(&n, 1, opts);
	frame_make(f, 9, 1, 1515);
	assert_true(mem_send(n.port[0], f, 1515, NULL));
	assert_int_equal(receive(n.port[3], got, NULL), 1515);
	assert_int_equal(receive(n.port[2], got, NULL), 1515);
	assert_int_equal(mem_receive(n.port[1], got, NULL), 0);
	assert_int_equal(dropped(&n, 1, VIF_TX_TOO_BIG), 1);
	net_close(&n);
}

static void a_slow_receiver_loses_nothing_within_the_grace_and_a_dead_one_holds_nobody(void **state)
{
	const struct mem_opts opts[PORTS] = {{.depth = 1024}, {.depth = 8}, {.depth = 1024}, {.depth = 1024}};
	uint8_t f[100], got[VIF_FRAME_MAX];
	unsigned sent = 0, seen = 0;
	struct net n = {0};

	(void)state;
	net_open(&n, 1, opts);
	for (unsigned i = 1; i < 3; i++) { /* let the switch learn 11 on port 1 and 12 on port 2 */
		frame_make(f, 1, 10 + i, sizeof(f));
		assert_true(mem_send(n.port[i], f, sizeof(f), NULL));
		for (unsigned k = 0; k < PORTS; k++)
			if (k != i)
				assert_int_equal(receive(n.port[k], got, NULL), sizeof(f));
	}
	/* nobody takes from port 1: 8 frames fit, the rest is dropped after the grace, and port 2 gets its own */
	for (unsigned i = 0; i < 200; i++) {
		frame_make(f, i % 2 ? 11 : 12, 1, sizeof(f));
		assert_true(mem_send(n.port[0], f, sizeof(f), NULL));
		sent++;
	}
	for (seen = 0; seen < sent / 2; seen++)
		assert_int_equal(receive(n.port[2], got, NULL), sizeof(f));
	for (int i = 0; i < 20000 && dropped(&n, 1, VIF_TX_NO_BUFFER) < sent / 2 - 8; i++)
		usleep(100);
	assert_int_equal(dropped(&n, 1, VIF_TX_NO_BUFFER), sent / 2 - 8);
	net_close(&n);
}

/* What a receiver has got of each sender. */
struct got {
	unsigned frames;
	int last[MANY];
};

static void take_all(struct net *n, unsigned to, struct got *got)
{
	uint8_t f[VIF_FRAME_MAX];

	while (mem_receive(n->port[to], f, NULL)) {
		assert_int_equal(f[5], 100 + to);
		assert_true(f[15] > got->last[f[14]]);
		got->last[f[14]] = f[15];
		got->frames++;
	}
}

static void bursts_for_many_receivers_arrive_in_order_and_wait_for_slow_ones(void **state)
{
	struct mem_opts opts[MANY] = {[3] = {.depth = 20}, [9] = {.depth = 20}};
	struct net n = {.ports = MANY};
	unsigned sent[MANY] = {0};
	struct got got[MANY] = {{0}};
	struct dp_conf *open, *closed;
	struct timespec ts;

	(void)state;
	net_open(&n, 1, opts);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	for (unsigned i = 0; i < MANY; i++)
		assert_true(fdb_learn(n.fdb, fdb_key(0, (uint8_t[]){2, 0, 0, 0, 0, 100 + i}), i, (uint32_t)ts.tv_sec));
	open = n.view;
	closed = make_view(&n);
	closed->worker[0].n = 0; /* all bursts are whole before the worker sees the first one */
	assert_ptr_equal(worker_publish(closed), open);
	for (unsigned from = 0; from < MANY; from++) {
		memset(got[from].last, -1, sizeof(got[from].last));
		for (unsigned k = 0; k < 60; k++) {
			unsigned to = (from + 1 + k % (MANY - 1)) % MANY;
			uint8_t f[100];

			frame_make(f, 100 + to, 100 + from, sizeof(f));
			f[14] = from;
			f[15] = k;
			sent[to] += mem_send(n.port[from], f, sizeof(f), NULL);
		}
	}
	assert_ptr_equal(worker_publish(open), closed);
	free_view(closed);
	for (unsigned round = 0, left = 1; left && round < 20000; round++, usleep(100)) {
		left = 0;
		for (unsigned to = 0; to < MANY; to++) {
			take_all(&n, to, &got[to]);
			left += got[to].frames + dropped(&n, to, VIF_TX_NO_BUFFER) != sent[to];
		}
	}
	for (unsigned to = 0; to < MANY; to++) {
		uint64_t lost = dropped(&n, to, VIF_TX_NO_BUFFER);

		assert_int_equal(got[to].frames + lost, sent[to]);
		assert_true(!lost ||
			    opts[to].depth); /* whose time was up, on a machine that is busy with other things */
	}
	net_close(&n);
}

static void a_port_may_leave_and_come_back_under_traffic(void **state)
{
	const struct mem_opts opts[PORTS] = {{0}};
	uint8_t f[100], got[VIF_FRAME_MAX];
	struct net n = {0};

	(void)state;
	net_open(&n, 2, opts);
	for (int round = 0; round < 200; round++) {
		struct br_conf *conf = br_conf_clone(n.conf), *old = n.conf;
		struct dp_conf *v;

		for (unsigned i = 0; i < 20; i++) {
			frame_make(f, 1 + i % PORTS, 1 + i % 2, sizeof(f));
			mem_send(n.port[i % 2], f, sizeof(f), NULL);
		}
		if (round % 2)
			assert_int_equal(br_conf_join(conf, 3, 0), 0);
		else
			assert_int_equal(br_conf_leave(conf, 3), 0);
		n.conf = conf;
		v = make_view(&n);
		assert_ptr_equal(worker_publish(v), n.view);
		free_view(n.view);
		n.view = v;
		br_conf_free(old);
		for (unsigned i = 0; i < PORTS; i++)
			while (mem_receive(n.port[i], got, NULL))
				assert_memory_equal(got + 14, f + 14, sizeof(f) - 14);
	}
	net_close(&n);
}

/* Show the workers port 1 on `bridge`, taken off where it was. */
static void move_port_1(struct net *n, uint16_t bridge)
{
	struct br_conf *old = n->conf;

	n->conf = br_conf_clone(old);
	assert_int_equal(br_conf_leave(n->conf, 1), 0);
	assert_int_equal(br_conf_join(n->conf, 1, bridge), 0);
	free_view(worker_publish(make_view(n)));
	n->view = NULL;
	br_conf_free(old);
}

static void a_frame_that_waits_for_a_port_is_not_for_the_bridge_that_the_port_moves_to(void **state)
{
	const struct mem_opts opts[PORTS] = {{0}, {.depth = 8}, {0}, {0}};
	uint8_t f[100], got[VIF_FRAME_MAX];
	struct net n = {0};
	uint64_t taken;

	(void)state;
	net_open(&n, 1, opts);
	frame_make(f, 1, 11, sizeof(f));
	assert_true(mem_send(n.port[1], f, sizeof(f), NULL));
	assert_int_equal(receive(n.port[0], got, NULL), sizeof(f));
	frame_make(f, 11, 1, sizeof(f));
	for (int round = 0; round < 50; round++) {
		/* one that is taken ends the stall of the round before */
		assert_true(mem_send(n.port[0], f, sizeof(f), NULL));
		assert_int_equal(receive(n.port[1], got, NULL), sizeof(f));
		taken = __atomic_load_n(&n.counters[1][0].tx_frames, __ATOMIC_RELAXED);
		for (unsigned i = 0; i < 9; i++)
			assert_true(mem_send(n.port[0], f, sizeof(f), NULL));
		while (__atomic_load_n(&n.counters[1][0].tx_frames, __ATOMIC_RELAXED) < taken + 8)
			;
		move_port_1(&n, 1);
		for (unsigned i = 0; i < 8; i++)
			assert_int_equal(mem_receive(n.port[1], got, NULL), sizeof(f));
		usleep(3000);
		assert_int_equal(mem_receive(n.port[1], got, NULL), 0);
		move_port_1(&n, 0);
	}
	n.view = make_view(&n);
	free_view(worker_publish(n.view));
	net_close(&n);
}

static void an_idle_worker_sleeps_and_wakes_for_a_frame(void **state)
{
	const struct mem_opts opts[PORTS] = {{0}};
	struct worker_info before, after;
	uint8_t f[100], got[VIF_FRAME_MAX];
	struct net n = {0};

	(void)state;
	net_open(&n, 1, opts);
	usleep(50000);
	worker_info(0, &before);
	usleep(200000);
	worker_info(0, &after);
	assert_true(after.passes - before.passes < 10);
	frame_make(f, 9, 1, sizeof(f));
	assert_true(mem_send(n.port[0], f, sizeof(f), NULL));
	assert_int_equal(receive(n.port[1], got, NULL), sizeof(f));
	net_close(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_unicast_floods_all_but_ingress_and_known_goes_one_way),
		cmocka_unit_test(offloads_pass_where_the_receiver_has_them_and_are_done_where_not),
		cmocka_unit_test(a_frame_longer_than_the_mtu_is_dropped_and_counted),
		cmocka_unit_test(a_slow_receiver_loses_nothing_within_the_grace_and_a_dead_one_holds_nobody),
		cmocka_unit_test(bursts_for_many_receivers_arrive_in_order_and_wait_for_slow_ones),
		cmocka_unit_test(a_port_may_leave_and_come_back_under_traffic),
		cmocka_unit_test(a_frame_that_waits_for_a_port_is_not_for_the_bridge_that_the_port_moves_to),
		cmocka_unit_test(an_idle_worker_sleeps_and_wakes_for_a_frame),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
