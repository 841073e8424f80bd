/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The netif driver alone, on a Xen host: two lean frontends in this process, on real grants and event channels, and
 * between them calls of the driver as a worker makes them. Prints what went right, and the throughput; exits with 1 at
 * the first failure.
 *
 * usage: pair [SECONDS]   SECONDS: how long to measure throughput, for each size (default 2)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "front.h"
#include "vif/netif/netif.h"

struct side {
	struct front front;
	struct vif_port *port;
	struct vif_counters *count;
};

static struct vif_burst burst;
static int epfd;

static void nothing(void)
{
}

static void check(bool ok, const char *what)
{
	if (!ok)
		die("FAILED: %s", what);
}

static void side_open(struct side *s, const char *name)
{
	struct netif_conf conf = {.domid = 0, .queues = 1, .sg = true, .gso4 = true, .gso6 = true};
	struct netif_opts opts = {.queues = 1, .mtu = 1500};
	struct vif_port base;
	struct err err = {.text = "memory"};

	conf.csum4 = conf.csum6 = true;
	front_open(&s->front, 0, false);
	conf.queue[0] = (struct netif_queue_conf){s->front.tx_ref, s->front.rx_ref, s->front.port, s->front.port};
	s->count = calloc(VIF_WORKERS_MAX, sizeof(*s->count));
	check(s->count, "memory");
	base = (struct vif_port){.counters = s->count, .epfd = {epfd}};
	snprintf(base.name, sizeof(base.name), "%s", name);
	if (netif_open(&base, &opts, &s->port) || netif_connect(s->port, &conf, &err))
		die("netif_connect: %s", err.text);
}

/* What a worker does with a burst, if all of it goes to one port. Returns the number of frames. */
static unsigned move(struct vif_port *from, struct vif_port *to)
{
	struct vif_frame *frames[VIF_BURST];
	unsigned n = from->ops->peek(from, 0, &burst), good = 0;

	if (!n)
		return 0;
	for (unsigned i = 0; i < n; i++)
		if (burst.frame[i].len)
			frames[good++] = &burst.frame[i];
	to->ops->deliver(to, 0, frames, good);
	from->ops->release(from, 0, &burst);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	from->ops->notify(from, 0);
	to->ops->notify(to, -1);
	return n;
}

static void fill(uint8_t *frame, uint32_t len, unsigned seed)
{
	for (uint32_t i = 0; i < len; i++)
		frame[i] = (uint8_t)(i * 31 + seed);
	frame[0] = 2;
	frame[12] = 0x12; /* not a type that anything parses */
}

static void wait_for_wake(void)
{
	struct epoll_event ev;

	check(epoll_wait(epfd, &ev, 1, 5000) == 1, "the worker is woken by the guest's signal");
}

static void every_length_arrives(struct side *a, struct side *b)
{
	static const uint32_t lens[] = {14, 60, 127, 128, 129, 1514, 4096, 4097, 9014, 65535};
	static uint8_t out[65536], in[65536 + 18];

	for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		uint32_t len = 0;

		fill(out, lens[i], i);
		while (b->port->ops->arm(a->port, 0))
			check(!move(a->port, b->port), "no frame is pending");
		check(front_send(&a->front, out, lens[i], 0, 0), "room to send");
		front_kick(&a->front);
		wait_for_wake();
		check(move(a->port, b->port) == 1, "one frame arrived");
		for (int k = 0; k < 50 && !len; k++) {
			len = front_receive(&b->front, in);
			if (!len)
				front_wait(&b->front, 100);
		}
		check(len == lens[i] && !memcmp(in, out, len), "every byte arrives");
		check(!front_reap(&a->front), "the requests are answered");
	}
	check(!a->front.tx_errors && !b->front.rx_errors, "no errors");
	printf("ok   frames of 14 to 65535 bytes arrive whole, and signals wake both sides\n");
}

static void a_revoked_grant_costs_one_frame(struct side *a, struct side *b)
{
	static uint8_t frame[1514], in[65536 + 18];
	uint32_t kept = a->front.tx_gref[a->front.tx_at % FRONT_TX_PAGES];
	unsigned before = a->count->drop[VIF_RX_BAD_GRANT];

	fill(frame, sizeof(frame), 1);
	a->front.tx_gref[a->front.tx_at % FRONT_TX_PAGES] = 12345678;
	check(front_send(&a->front, frame, sizeof(frame), 0, 0), "room to send");
	a->front.tx_gref[(a->front.tx_at - 1) % FRONT_TX_PAGES] = kept;
	check(front_send(&a->front, frame, sizeof(frame), 0, 0), "room to send");
	front_kick(&a->front);
	while (move(a->port, b->port) == 0)
		;
	front_reap(&a->front);
	check(a->front.tx_errors == 1, "the bad one is answered with an error");
	check(a->count->drop[VIF_RX_BAD_GRANT] == before + 1, "and counted");
	check(front_receive(&b->front, in) == sizeof(frame) && !front_receive(&b->front, in), "the good one arrives");
	a->front.tx_errors = 0;
	printf("ok   a missing grant costs one frame\n");
}

static void a_receiver_that_revokes_gets_an_error(struct side *a, struct side *b)
{
	static uint8_t frame[1514], in[65536 + 18];
	netif_rx_request_t *next = &b->front.rx.sring->ring[b->front.rx.rsp_cons % 256].req;
	uint32_t kept = next->gref;

	fill(frame, sizeof(frame), 1);
	next->gref = 12345678;
	check(front_send(&a->front, frame, sizeof(frame), 0, 0), "room to send");
	front_kick(&a->front);
	while (move(a->port, b->port) == 0)
		;
	front_reap(&a->front);
	check(!a->front.tx_errors, "the sender has done nothing wrong");
	check(!front_receive(&b->front, in) && b->front.rx_errors == 1, "the receiver gets an error");
	check(b->count->drop[VIF_TX_BAD_GRANT] == 1, "and it is counted");
	b->front.rx_errors = 0;
	(void)kept; /* the frontend posts the right page again by itself */
	printf("ok   a buffer that is not granted is answered with an error\n");
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

static void throughput(struct side *a, struct side *b, uint32_t len, double seconds)
{
	static uint8_t frame[65536], in[65536 + 18];
	double start = now(), end = start + seconds, in_switch = 0;
	unsigned long frames = 0;

	fill(frame, len, 7);
	while (now() < end) {
		double t;

		while (front_send(&a->front, frame, len, 0, 0))
			;
		front_kick(&a->front);
		t = now();
		while (move(a->port, b->port))
			;
		in_switch += now() - t;
		front_reap(&a->front);
		while (front_receive(&b->front, in))
			frames++;
	}
	printf("     %5u bytes: %9.0f frames/s, %7.3f Gbit/s; %6.2f us a frame in the driver\n", len, frames / seconds,
	       frames * 8.0 * len / seconds / 1e9, in_switch / frames * 1e6);
}

/* A daemon that is killed leaves requests unanswered, and the next one answers them. */
static void a_new_backend_continues(struct side *a, struct side *b)
{
	static uint8_t frame[1514], in[65536 + 18];
	struct netif_conf conf = {.domid = 0, .queues = 1, .sg = true};
	struct err err;

	fill(frame, sizeof(frame), 3);
	check(front_send(&a->front, frame, sizeof(frame), 0, 0), "room to send");
	front_kick(&a->front);
	check(a->port->ops->peek(a->port, 0, &burst) == 1, "the request is fetched");
	netif_disconnect(a->port);
	conf.queue[0] = (struct netif_queue_conf){a->front.tx_ref, a->front.rx_ref, a->front.port, a->front.port};
	if (netif_connect(a->port, &conf, &err))
		die("netif_connect again: %s", err.text);
	wait_for_wake();
	while (move(a->port, b->port) == 0)
		;
	check(front_receive(&b->front, in) == sizeof(frame), "the frame that was fetched but not answered arrives");
	check(!front_reap(&a->front), "and is answered");
	printf("ok   a new backend continues where the last one stopped\n");
}

int main(int argc, char **argv)
{
	static const uint32_t lens[] = {64, 1514, 9014, 65535};
	double seconds = argc > 1 ? atof(argv[1]) : 2;
	static struct side a, b;

	vif_synchronize = nothing;
	epfd = epoll_create1(0);
	side_open(&a, "a");
	side_open(&b, "b");
	every_length_arrives(&a, &b);
	a_revoked_grant_costs_one_frame(&a, &b);
	a_receiver_that_revokes_gets_an_error(&a, &b);
	a_new_backend_continues(&a, &b);
	for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		throughput(&a, &b, lens[i], seconds);
	netif_disconnect(a.port);
	netif_disconnect(b.port);
	a.port->ops->close(a.port);
	b.port->ops->close(b.port);
	free(a.count);
	free(b.count);
	front_close(&a.front);
	front_close(&b.front);
	return 0;
}
