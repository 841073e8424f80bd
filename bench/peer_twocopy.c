/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What any switch on librte_vhost's own data path costs at least: rte_vhost_dequeue_burst() from one guest,
 * rte_vhost_enqueue_burst() to the other, and no look-up between. Guests 0 and 1 are connected, 2 and 3, and so on.
 *
 * usage: peer_twocopy CPU COUNTER ROOM SOCKET SOCKET...    it listens at the sockets; COUNTER: see busy.h;
 *        ROOM: the longest frame, so that an mbuf holds one whole, which is the fastest way
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_vhost.h>

#include "busy.h"
#include "vswitch/datapath/eal.h"

#define PORTS 64
#define BURST 32
#define RX_RING 0 /* as the guest sees it */
#define TX_RING 1

static struct {
	const char *path;
	int vid; /* -1: no guest */
} port[PORTS];
static unsigned nport;
static volatile sig_atomic_t ended;

static void on_signal(int sig)
{
	ended = sig;
}

static void set_vid(int vid, int value)
{
	char path[128];

	if (rte_vhost_get_ifname(vid, path, sizeof(path)))
		return;
	for (unsigned i = 0; i < nport; i++)
		if (!strcmp(port[i].path, path))
			__atomic_store_n(&port[i].vid, value, __ATOMIC_RELEASE);
}

static int on_new_device(int vid)
{
	rte_vhost_enable_guest_notification(vid, TX_RING, 0);
	rte_vhost_enable_guest_notification(vid, RX_RING, 0);
	set_vid(vid, vid);
	return 0;
}

static void on_destroy_device(int vid)
{
	set_vid(vid, -1);
	rte_delay_us_sleep(1000); /* the loop has ended its burst by then */
}

static const struct rte_vhost_device_ops ops = {.new_device = on_new_device, .destroy_device = on_destroy_device};

static unsigned move(int from, int to, struct rte_mempool *pool)
{
	struct rte_mbuf *pkt[BURST];
	unsigned n = rte_vhost_dequeue_burst(from, TX_RING, pool, pkt, BURST);

	if (!n)
		return 0;
	if (to >= 0)
		rte_vhost_enqueue_burst(to, RX_RING, pkt, n);
	rte_pktmbuf_free_bulk(pkt, n);
	return n;
}

static int open_port(const char *path)
{
	remove(path);
	port[nport].path = path;
	port[nport++].vid = -1;
	return rte_vhost_driver_register(path, 0) || rte_vhost_driver_callback_register(path, &ops) ||
	       rte_vhost_driver_start(path);
}

int main(int argc, char **argv)
{
	unsigned room = argc > 5 ? (unsigned)atoi(argv[3]) + RTE_PKTMBUF_HEADROOM : 0;
	uint64_t *busy, tsc = 0;
	struct rte_mempool *pool;
	struct err err;
	cpu_set_t set;

	if (argc < 6 || argc % 2 || argc > PORTS + 4) {
		fputs("usage: peer_twocopy CPU COUNTER ROOM SOCKET SOCKET...\n", stderr);
		return 2;
	}
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	CPU_ZERO(&set);
	CPU_SET(atoi(argv[1]), &set);
	if (eal_open(false, &err)) {
		fprintf(stderr, "peer_twocopy: %s\n", err.text);
		return 1;
	}
	busy = busy_open(argv[2]);
	if (!busy) {
		perror(argv[2]);
		return 1;
	}
	pool = rte_pktmbuf_pool_create("frames", 511, 64, 0, room < UINT16_MAX ? room : UINT16_MAX, SOCKET_ID_ANY);
	if (!pool) {
		fputs("peer_twocopy: no memory for mbufs\n", stderr);
		return 1;
	}
	for (int i = 4; i < argc; i++)
		if (open_port(argv[i])) {
			fprintf(stderr, "peer_twocopy: cannot listen at %s\n", argv[i]);
			return 1;
		}
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("peer_twocopy: sched_setaffinity");
		return 1;
	}
	while (!ended) {
		unsigned moved = 0;

		for (unsigned i = 0; i < nport; i++) {
			int from = __atomic_load_n(&port[i].vid, __ATOMIC_ACQUIRE);

			if (from >= 0)
				moved += move(from, __atomic_load_n(&port[i ^ 1].vid, __ATOMIC_ACQUIRE), pool);
		}
		busy_turn(busy, &tsc, moved);
	}
	for (unsigned i = 0; i < nport; i++)
		rte_vhost_driver_unregister(port[i].path);
	eal_close();
	return 0;
}
