/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * path: the packet path and its guests taking turns on one CPU, and on several.
 *
 * What generate measures is bound by two CPUs passing cache lines to each other. Here nothing has to be passed: a thread
 * is a worker of the switch and the guests that this worker serves, one after the other. That shows two things:
 *   - cycles per frame of the switch alone, with what the guests wrote in its own cache;
 *   - with --workers 2, whether two workers move twice what one does, on a machine that has no CPUs for their guests:
 *     each thread's frames stay with it, while the MAC table, the bridge and the dp_conf are shared. The threads work in
 *     turns of one and of all, so that both are seen under the same conditions.
 *
 * It prints a JSON object a line: {"workers":N, "frames":N, "switch":cycles in the switch, "cycles":cycles in all}, of
 * one window each; for several workers these are the sums.
 */
#include <getopt.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "load.h"
#include "vif/ring/ring.h"
#include "vswitch/base/clock.h"
#include "vswitch/datapath/forward.h"

#define PORTS TRAFFIC_GUESTS
#define CPUS 8

static struct {
	unsigned guests, workers, cpu[CPUS], ncpu;
	struct load load;
	double seconds;
} opt = {.guests = 2, .workers = 1, .seconds = 2, .load = LOAD_DEFAULT};

/* ---- ports: rings and nothing else ------------------------------------------------------------------------------- */

struct path_port {
	struct vif_port base;
	struct ring_mem mem;
	struct ring rx, tx;
};

static struct path_port *port_of(struct vif_port *base)
{
	return (struct path_port *)base;
}

static unsigned path_peek(struct vif_port *base, unsigned queue, struct vif_burst *burst)
{
	(void)queue;
	return ring_peek(&port_of(base)->rx, burst, vif_count(base));
}

static void path_release(struct vif_port *base, unsigned queue, const struct vif_burst *burst)
{
	(void)queue;
	ring_release(&port_of(base)->rx, burst);
}

static unsigned path_deliver(struct vif_port *base, unsigned queue, struct vif_frame *const *frames, unsigned n)
{
	(void)queue;
	return ring_deliver(&port_of(base)->tx, frames, n, vif_count(base));
}

static void path_notify(struct vif_port *base, int queue)
{
	ring_notify(queue < 0 ? &port_of(base)->tx : &port_of(base)->rx);
}

static const struct vif_ops path_ops = {
	.kind = "path", .peek = path_peek, .release = path_release, .deliver = path_deliver, .notify = path_notify};

static struct ring ring_of(const struct guest_queue *q, const struct ring_mem *mem)
{
	struct ring ring = {.desc = q->desc,
			    .avail = q->avail,
			    .used = q->used,
			    .mem = mem,
			    .size = q->mask + 1,
			    .packed = q->slot,
			    .hdr_len = GUEST_HDR,
			    .mergeable = true,
			    .enabled = true,
			    .callfd = -1,
			    .kickfd = -1};

	if (ring.packed) {
		ring.slot = q->slot;
		ring.driver_event = q->driver_event;
		ring.device_event = q->device_event;
	}
	ring_resume(&ring);
	return ring;
}

/* ---- a thread: a worker, and its guests -------------------------------------------------------------------------- */

static struct side {
	pthread_t thread;
	unsigned id;
	struct forwarder *fw;
	struct guest guest[PORTS];
	struct traffic traffic;
	struct path_port port[PORTS];
	uint64_t frames, in_switch, cycles; /* of the window */
	bool works; /* in this window */
} * side[VIF_WORKERS_MAX];

static struct dp_conf dp;
static struct vif_counters counters[VIF_WORKERS_MAX][PORTS][VIF_WORKERS_MAX];
static pthread_barrier_t begin, end;
static uint64_t until;
static bool over;

static void die(const char *why)
{
	fprintf(stderr, "path: %s\n", why);
	exit(EXIT_FAILURE);
}

static void open_guest(struct side *s, unsigned i)
{
	const struct guest_opts opts = load_guest(&opt.load);
	struct guest *g = &s->guest[i];
	struct path_port *port = &s->port[i];

	if (guest_new(g, &opts))
		die("no memory for a guest (--huge: reserve pages of 2 MiB)");
	g->features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_NET_F_MRG_RXBUF | 1ULL << VIRTIO_RING_F_INDIRECT_DESC;
	guest_fill(g);
	guest_shape(g);
	port->mem = (struct ring_mem){1, {{GUEST_GPA, g->size, g->mem}}};
	port->rx = ring_of(&g->tx, &port->mem);
	port->tx = ring_of(&g->rx, &port->mem);
	ring_disarm(&port->rx); /* nobody sleeps here */
	ring_disarm(&port->tx);
	port->base = (struct vif_port){.ops = &path_ops,
				       .id = (uint16_t)(s->id * PORTS + i),
				       .rx_queues = 1,
				       .tx_queues = 1,
				       .caps = UINT16_MAX,
				       .up = true,
				       .counters = counters[s->id][i]};
}

/* Bridge `id` for each: the generators of all sides give their guests the same addresses. */
static struct side *side_new(unsigned id, struct br_conf *conf)
{
	struct frame_kind kind = frame_kind(opt.load.frame, opt.load.tso);
	struct side *s = aligned_alloc(64, (sizeof(*s) + 63) & ~63UL);

	if (!s)
		die("no memory");
	memset(s, 0, sizeof(*s));
	s->id = id;
	s->fw = forwarder_new(id);
	dp.worker[id].rxq = calloc(opt.guests, sizeof(struct rxq *));
	dp.worker[id].n = opt.guests;
	if (!s->fw || !dp.worker[id].rxq)
		die("no memory");
	for (unsigned i = 0; i < opt.guests; i++) {
		open_guest(s, i);
		dp.port[s->port[i].base.id] = &s->port[i].base;
		dp.worker[id].rxq[i] = rxq_new(&s->port[i].base, 0);
		if (!dp.worker[id].rxq[i] || br_conf_join(conf, s->port[i].base.id, (uint16_t)id))
			die("no memory");
	}
	if (traffic_new(&s->traffic, s->guest, opt.guests, &kind, opt.load.pattern, opt.load.macs))
		die("no memory");
	return s;
}

/* What each guest has said of its addresses, as far as the switch is concerned. */
static void learn(const struct side *s, uint32_t now)
{
	for (unsigned i = 0; i < opt.guests; i++)
		for (uint32_t mac = 0; mac < s->traffic.macs; mac++) {
			uint8_t frame[64];

			frame_announce(frame, i, mac);
			if (!fdb_learn(dp.fdb, fdb_key((uint16_t)s->id, frame + 6), s->port[i].base.id, now))
				die("the MAC table takes no more addresses");
		}
}

static void turn(struct side *s, uint32_t now)
{
	uint64_t t0;

	traffic_turn(&s->traffic, 0);
	t0 = __rdtsc();
	forward_pass(s->fw, &dp, now);
	s->in_switch += __rdtsc() - t0;
}

static void *work(void *arg)
{
	struct side *s = arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(opt.cpu[s->id % opt.ncpu], &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("cannot run on that CPU: see --cpus");
	vif_worker_id = s->id;
	for (;;) {
		uint64_t received, t0;

		pthread_barrier_wait(&begin);
		if (over)
			return NULL;
		received = s->traffic.count.received;
		s->in_switch = 0;
		t0 = __rdtsc();
		while (s->works && __rdtsc() < until) {
			uint32_t now = clock_coarse_s();

			for (unsigned i = 0; i < 32; i++)
				turn(s, now);
		}
		s->cycles = __rdtsc() - t0;
		s->frames = s->traffic.count.received - received;
		pthread_barrier_wait(&end);
	}
}

/* A window in which the first `n` work. */
static void window(unsigned n)
{
	uint64_t frames = 0, in_switch = 0, cycles = 0;

	until = __rdtsc() + opt.load.window_ms * 1000 * tsc_per_us();
	for (unsigned i = 0; i < opt.workers; i++)
		side[i]->works = i < n;
	pthread_barrier_wait(&begin);
	pthread_barrier_wait(&end);
	for (unsigned i = 0; i < n; i++) {
		const struct traffic_count *c = &side[i]->traffic.count;

		frames += side[i]->frames;
		in_switch += side[i]->in_switch;
		cycles += side[i]->cycles;
		if (c->lost || c->misordered || c->damaged || c->astray)
			die("frames were lost or damaged");
	}
	printf("{\"workers\":%u,\"frames\":%llu,\"switch\":%llu,\"cycles\":%llu}\n", n, (unsigned long long)frames,
	       (unsigned long long)in_switch, (unsigned long long)cycles);
	fflush(stdout);
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

static void usage(void)
{
	fputs("usage: path " LOAD_USAGE "\n            [--guests N] [--workers N] [--cpus N,N...] [--seconds S]\n",
	      stderr);
	exit(2);
}

static void read_cpus(char *list)
{
	for (char *one = strtok(list, ","); one && opt.ncpu < CPUS; one = strtok(NULL, ","))
		opt.cpu[opt.ncpu++] = (unsigned)strtoul(one, NULL, 0);
}

static void read_options(int argc, char **argv)
{
	static const struct option options[] = {
		LOAD_OPTIONS,           {"guests", 1, NULL, 'g'},  {"workers", 1, NULL, 'n'},
		{"cpus", 1, NULL, 'c'}, {"seconds", 1, NULL, 's'}, {0},
	};
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned number = optarg ? (unsigned)strtoul(optarg, NULL, 0) : 0;

		switch (o) {
		case 'g':
			opt.guests = number;
			break;
		case 'n':
			opt.workers = number;
			break;
		case 'c':
			read_cpus(optarg);
			break;
		case 's':
			opt.seconds = strtod(optarg, NULL);
			break;
		default:
			if (!load_option(&opt.load, o, optarg))
				usage();
		}
	}
	if (optind < argc || opt.guests < 2 || opt.guests > PORTS || opt.guests % 2 || !opt.workers ||
	    opt.workers > CPUS || opt.workers > VIF_WORKERS_MAX || !load_ok(&opt.load))
		usage();
	while (opt.ncpu < opt.workers) {
		opt.cpu[opt.ncpu] = opt.ncpu;
		opt.ncpu++;
	}
}

int main(int argc, char **argv)
{
	struct fdb_opts fdb = {.entries = 262144, .limit = 131072};
	struct br_conf *conf = br_conf_new();
	uint64_t last;

	read_options(argc, argv);
	dp.fdb = fdb_new(&fdb);
	if (!dp.fdb || !conf)
		die("no memory");
	dp.conf = conf;
	for (unsigned i = 0; i < opt.workers; i++) {
		side[i] = side_new(i, conf);
		learn(side[i], clock_coarse_s());
	}
	pthread_barrier_init(&begin, NULL, opt.workers + 1);
	pthread_barrier_init(&end, NULL, opt.workers + 1);
	for (unsigned i = 0; i < opt.workers; i++)
		if (pthread_create(&side[i]->thread, NULL, work, side[i]))
			die("no thread");
	last = __rdtsc() + (uint64_t)(opt.seconds * 1e6) * tsc_per_us();
	while (__rdtsc() < last) {
		window(1);
		if (opt.workers > 1)
			window(opt.workers);
	}
	over = true;
	pthread_barrier_wait(&begin);
	for (unsigned i = 0; i < opt.workers; i++)
		pthread_join(side[i]->thread, NULL);
	return 0;
}
