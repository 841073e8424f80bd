/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * generate: guests on one CPU, and a switch measured on another.
 *
 * Commands come on standard input, a line each; answers go to standard output, a JSON object a line:
 *   run SECONDS          as much as the switch takes
 *   rate FPS SECONDS     this many frames a second, with latencies
 *   wake TIMES           single frames, after pauses in which a switch that can sleep does
 *   quit
 * `run` and `rate` answer with a line per sample and an "end" line with all that was counted. A sample is a window of
 * --window ms between two probes of the CPUs' distance; what was on its way before the window has been warmed up with.
 * `wake` answers with microseconds from sending to receiving, one for each frame that came.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "frontend.h"
#include "load.h"
#include "probe.h"

#define CONNECT_S 20
#define SETTLE_MS 50
#define LEARN_S 20
#define PAUSE_MS 20 /* longer than any switch polls that sleeps at all */

static struct {
	const char *path[TRAFFIC_GUESTS];
	unsigned n, cpu, switch_cpu;
	struct load load;
	int pid;
	bool listen, event_idx;
} opt = {.switch_cpu = 1, .load = LOAD_DEFAULT};

static struct guest guests[TRAFFIC_GUESTS];
static uint64_t tsc_hz;

static inline uint64_t tsc(void)
{
	return __builtin_ia32_rdtsc();
}

static uint64_t ms(double n)
{
	return (uint64_t)(n * (double)tsc_hz / 1000);
}

static void die(const char *what, const char *of, int err)
{
	fprintf(stderr, "generate: %s: %s%s%s\n", of, what, err ? ": " : "", err ? strerror(-err) : "");
	exit(EXIT_FAILURE);
}

static void measure_tsc(void)
{
	struct timespec a, b;
	uint64_t t0, t1;

	clock_gettime(CLOCK_MONOTONIC_RAW, &a);
	t0 = tsc();
	usleep(50000);
	clock_gettime(CLOCK_MONOTONIC_RAW, &b);
	t1 = tsc();
	tsc_hz = (uint64_t)((double)(t1 - t0) * 1e9 /
			    ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)));
}

/* ---- what others take from the two CPUs -------------------------------------------------------------------------- */

/* Nanoseconds that a thread has been ready to run and did not. */
static uint64_t waited(const char *path)
{
	unsigned long long run, wait;
	FILE *f = fopen(path, "re");
	bool ok;

	if (!f)
		return 0;
	ok = fscanf(f, "%llu %llu", &run, &wait) == 2;
	fclose(f);
	return ok ? wait : 0;
}

/* The same of this thread, and of the switch's busiest one, which `pid` is. */
static uint64_t stolen(void)
{
	char path[64];
	uint64_t own = waited("/proc/thread-self/schedstat");

	if (!opt.pid)
		return own;
	snprintf(path, sizeof(path), "/proc/%d/schedstat", opt.pid);
	return own + waited(path);
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

struct sampler {
	struct traffic *t;
	double rate; /* frames a second; 0: as many as will go */
	uint64_t round_trip;
};

static void move(struct sampler *s, uint64_t cycles)
{
	uint64_t t0 = tsc(), now;
	double per_cycle = s->rate / (double)tsc_hz;
	uint64_t done = 0;

	while ((now = tsc()) - t0 < cycles) {
		uint64_t due = (uint64_t)((double)(now - t0) * per_cycle) - done;
		unsigned left = traffic_turn(s->t, due > UINT32_MAX ? UINT32_MAX : (unsigned)due);

		done += left;
		/* what is a ring's worth late was refused by it */
		if (s->rate > 0 && due > left + opt.load.ring) {
			s->t->count.refused += due - left;
			done += due - left;
		}
	}
}

static void sample(struct sampler *s)
{
	struct traffic *t = s->t;
	uint64_t before = s->round_trip, wait, t0, cycles;
	struct traffic_count c;

	move(s, ms(2));
	memset(t->latency, 0, sizeof(t->latency));
	c = t->count;
	wait = stolen();
	t0 = tsc();
	move(s, ms(opt.load.window_ms));
	cycles = tsc() - t0;
	wait = stolen() - wait;
	s->round_trip = probe_round_trip();
	printf("{\"cycles\":%llu,\"frames\":%llu,\"bytes\":%llu,\"lost\":%llu,\"refused\":%llu,\"round_trip\":[%llu,%"
	       "llu],"
	       "\"busy\":%.3f,\"stolen\":%.4f",
	       (unsigned long long)cycles, (unsigned long long)(t->count.received - c.received),
	       (unsigned long long)(t->count.bytes - c.bytes), (unsigned long long)(t->count.lost - c.lost),
	       (unsigned long long)(t->count.refused - c.refused), (unsigned long long)before,
	       (unsigned long long)s->round_trip,
	       (double)(t->count.busy - c.busy) / (double)(t->count.turns - c.turns + 1),
	       (double)wait * 1e-9 * (double)tsc_hz / (double)cycles);
	if (s->rate > 0)
		for (unsigned i = 0; i < 4; i++) {
			static const double share[] = {0.5, 0.9, 0.99, 0.999};

			printf("%s%.3f%s", i ? "," : ",\"us\":[",
			       (double)traffic_latency(t->latency, share[i]) * 1e6 / (double)tsc_hz, i == 3 ? "]" : "");
		}
	puts("}");
}

static void settle(struct traffic *t)
{
	uint64_t last = tsc();

	while (tsc() - last < ms(SETTLE_MS))
		if (traffic_receive(t))
			last = tsc();
	traffic_settle(t);
}

static void run(struct traffic *t, double rate, double seconds)
{
	struct sampler s = {t, rate, 0};
	struct traffic_count c;
	uint64_t end, received;

	t->paced = rate > 0;
	c = t->count;
	received = c.received;
	move(&s, ms(20));
	if (t->count.received == received) { /* all that was on the way is gone: begin again */
		settle(t);
		move(&s, ms(20));
	}
	s.round_trip = probe_round_trip();
	for (end = tsc() + ms(seconds * 1000); tsc() < end;)
		sample(&s);
	settle(t);
	printf("{\"end\":1,\"sent\":%llu,\"received\":%llu,\"lost\":%lld,\"refused\":%llu,\"misordered\":%llu,"
	       "\"damaged\":%llu,\"astray\":%llu}\n",
	       (unsigned long long)(t->count.sent - c.sent), (unsigned long long)(t->count.received - c.received),
	       (long long)(t->count.sent - c.sent - (t->count.received - c.received)),
	       (unsigned long long)(t->count.refused - c.refused),
	       (unsigned long long)(t->count.misordered - c.misordered),
	       (unsigned long long)(t->count.damaged - c.damaged), (unsigned long long)(t->count.astray - c.astray));
	fflush(stdout);
}

/* One frame, after a pause; cycles until it is there, or 0: it was lost. */
static uint64_t wake_once(struct traffic *t)
{
	uint64_t received, t0;

	usleep(PAUSE_MS * 1000);
	received = t->count.received;
	t0 = tsc();
	traffic_turn(t, 1);
	while (t->count.received == received && tsc() - t0 < ms(SETTLE_MS))
		traffic_receive(t);
	return t->count.received == received ? 0 : tsc() - t0;
}

static void wake(struct traffic *t, unsigned times)
{
	bool any = false;

	settle(t);
	t->paced = true;
	fputs("{\"us\":[", stdout);
	while (times--) {
		uint64_t cycles = wake_once(t);

		if (cycles)
			printf("%s%.2f", any ? "," : "", (double)cycles * 1e6 / (double)tsc_hz);
		any |= cycles != 0;
	}
	puts("]}");
	fflush(stdout);
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

static void connect_all(const struct guest_opts *opts)
{
	int listenfd[TRAFFIC_GUESTS];
	const char *why;

	for (unsigned i = 0; i < opt.n; i++) {
		int err = guest_new(&guests[i], opts);

		if (err)
			die("no memory for a guest", opt.path[i], err);
		listenfd[i] = opt.listen ? frontend_listen(opt.path[i]) : -1;
		if (opt.listen && listenfd[i] < 0)
			die("cannot listen", opt.path[i], listenfd[i]);
	}
	puts("{\"ready\":1}");
	fflush(stdout);
	for (unsigned i = 0; i < opt.n; i++) {
		int err = frontend_start(&guests[i], opt.path[i], listenfd[i], CONNECT_S, opt.event_idx, &why);

		if (err)
			die(why, opt.path[i], err);
		if (listenfd[i] >= 0)
			close(listenfd[i]);
	}
}

static double monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Show all MACs to the switch, then send until every flow has come through. Returns when the first frame came. */
static double learn(struct traffic *t)
{
	uint64_t end = tsc() + ms(LEARN_S * 1000);
	double at;

	/* a guest's rings may be running before the switch delivers to them */
	while (!t->count.announced && tsc() < end) {
		uint64_t until = tsc() + ms(0.1);

		traffic_announce(t, t->sender[0].to[0], 0);
		while (tsc() < until && !t->count.announced)
			traffic_receive(t);
	}
	if (!t->count.announced)
		die("no frame comes through the switch", opt.path[0], 0);
	at = monotonic();
	for (uint32_t mac = 0; mac < t->macs; mac++)
		for (unsigned from = 0; from < t->n; from++) {
			uint64_t announced = t->count.announced, until = tsc() + ms(5);

			while (!traffic_announce(t, from, mac) && tsc() < end)
				traffic_receive(t);
			/* one at a time: a new address may take a switch's slow path */
			while (t->count.announced == announced && tsc() < until)
				traffic_receive(t);
		}
	settle(t);
	for (unsigned i = 0; i < t->n; i++) {
		while (guest_tx_reap(&guests[i]) < guests[i].slots)
			if (tsc() > end)
				die("the switch does not give frames back", opt.path[i], 0);
		guest_shape(&guests[i]);
	}
	while (t->flows_seen < t->flows && tsc() < end) {
		uint64_t seen = t->count.received, until = tsc() + ms(50);

		while (tsc() < until)
			traffic_turn(t, 0);
		if (t->count.received == seen)
			traffic_settle(t);
	}
	settle(t);
	return at;
}

static void usage(void)
{
	fputs("usage: generate " LOAD_USAGE "\n"
	      "                [--listen] [--cpu N] [--switch-cpu N] [--pid TID] [--event-idx] SOCKET SOCKET...\n",
	      stderr);
	exit(2);
}

static void read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{"listen", 0, NULL, 'l'},
		LOAD_OPTIONS,
		{"cpu", 1, NULL, 'c'},
		{"pid", 1, NULL, 'P'},
		{"switch-cpu", 1, NULL, 'C'},
		{"event-idx", 0, NULL, 'e'},
		{0},
	};
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned number = optarg ? (unsigned)strtoul(optarg, NULL, 0) : 0;

		switch (o) {
		case 'l':
			opt.listen = true;
			break;
		case 'c':
			opt.cpu = number;
			break;
		case 'C':
			opt.switch_cpu = number;
			break;
		case 'P':
			opt.pid = (int)number;
			break;
		case 'e':
			opt.event_idx = true;
			break;
		default:
			if (!load_option(&opt.load, o, optarg))
				usage();
		}
	}
	for (; optind < argc && opt.n < TRAFFIC_GUESTS; optind++)
		opt.path[opt.n++] = argv[optind];
	if (opt.n < 2 || optind < argc || !load_ok(&opt.load))
		usage();
}

static void pin(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("cannot run on the CPU that --cpu names", "generator", -errno);
}

int main(int argc, char **argv)
{
	struct guest_opts opts;
	struct frame_kind kind;
	struct traffic t;
	char line[128];
	double first;
	int err;

	read_options(argc, argv);
	kind = frame_kind(opt.load.frame, opt.load.tso);
	opts = load_guest(&opt.load);
	measure_tsc();
	connect_all(&opts);
	pin(opt.cpu);
	err = probe_start((int)opt.switch_cpu);
	if (err)
		die("cannot start the probe on the switch's CPU (it needs root)", "generator", err);
	err = traffic_new(&t, guests, opt.n, &kind, opt.load.pattern, opt.load.macs);
	if (err)
		die("cannot begin", "traffic", err);
	first = learn(&t);
	printf("{\"tsc_hz\":%llu,\"first_frame_at\":%.6f,\"flows\":%llu,\"flows_seen\":%llu,\"window\":%u}\n",
	       (unsigned long long)tsc_hz, first, (unsigned long long)t.flows, (unsigned long long)t.flows_seen,
	       t.window);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		double rate, seconds;
		unsigned times;

		if (sscanf(line, "rate %lf %lf", &rate, &seconds) == 2)
			run(&t, rate, seconds);
		else if (sscanf(line, "wake %u", &times) == 1)
			wake(&t, times);
		else if (sscanf(line, "run %lf", &seconds) == 1)
			run(&t, 0, seconds);
		else
			break;
	}
	for (unsigned i = 0; i < opt.n; i++) {
		frontend_stop(&guests[i]);
		guest_free(&guests[i]);
	}
	traffic_free(&t);
	return 0;
}
