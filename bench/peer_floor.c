/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The floor under the switch: its port driver (vif/) and one copy, and no switching at all. What guest 0 sends goes to
 * guest 1, and back; 2 and 3 likewise. The difference to xbar is the cost of deciding where a frame goes.
 *
 * usage: peer_floor CPU COUNTER SOCKET SOCKET...    it listens at the sockets; COUNTER: see busy.h
 */
#include <event2/event.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "busy.h"
#include "vif/vhost/vhost.h"
#include "vswitch/datapath/eal.h"
#include "vswitch/datapath/rcu.h"

#define PORTS 64
#define QUIET 4096 /* turns after which guests that came are told not to signal: this polls */

static struct vif_port *port[PORTS];
static struct vif_counters counters[PORTS][VIF_WORKERS_MAX];
static struct vif_burst burst;
static volatile sig_atomic_t ended;
static struct event_base *loop;

static void on_signal(int sig)
{
	ended = sig;
}

/* A burst from `from` to `to`; returns its frames. */
static unsigned move(struct vif_port *from, struct vif_port *to)
{
	struct vif_frame *frame[VIF_BURST];
	unsigned n;

	vif_pass++;
	n = from->ops->peek(from, 0, &burst);
	if (!n)
		return 0;
	for (unsigned i = 0; i < n; i++)
		frame[i] = &burst.frame[i];
	to->ops->deliver(to, 0, frame, n);
	from->ops->release(from, 0, &burst);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	from->ops->notify(from, 0);
	to->ops->notify(to, -1);
	return n;
}

static int open_port(unsigned i, const char *path)
{
	struct vif_port base = {.id = i, .counters = counters[i]};
	struct vhost_opts opts = {.path = path, .server = true, .queues = 1, .access = {.owner = -1, .group = -1}};

	snprintf(base.name, sizeof(base.name), "floor%u", i);
	for (unsigned w = 0; w < VIF_WORKERS_MAX; w++)
		base.epfd[w] = epoll_create1(EPOLL_CLOEXEC); /* nobody sleeps here */
	return vhost_open(&base, &opts, &port[i]);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (ended)
		event_base_loopbreak(loop);
}

/* The control thread: it speaks to the front ends. */
static void *control(void *arg)
{
	const struct timeval often = {.tv_usec = 50000};
	struct event *look = event_new(loop, -1, EV_PERSIST, on_look, NULL);

	if (look && !event_add(look, &often))
		event_base_dispatch(loop);
	if (look)
		event_free(look);
	return arg;
}

int main(int argc, char **argv)
{
	unsigned n = argc > 3 ? (unsigned)argc - 3 : 0;
	uint64_t *busy, tsc = 0;
	pthread_t thread;
	struct err err;
	cpu_set_t set;

	if (n < 2 || n % 2 || n > PORTS) {
		fputs("usage: peer_floor CPU COUNTER SOCKET SOCKET...\n", stderr);
		return 2;
	}
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	if (eal_open(false, &err)) {
		fprintf(stderr, "peer_floor: %s\n", err.text);
		return 1;
	}
	busy = busy_open(argv[2]);
	if (!busy) {
		perror(argv[2]);
		return 1;
	}
	vif_synchronize = rcu_synchronize;
	loop = event_base_new();
	if (!loop || vhost_init(loop)) {
		fputs("peer_floor: there is no control loop\n", stderr);
		return 1;
	}
	for (unsigned i = 0; i < n; i++)
		if (open_port(i, argv[i + 3])) {
			fprintf(stderr, "peer_floor: cannot listen at %s\n", argv[i + 3]);
			return 1;
		}
	if (pthread_create(&thread, NULL, control, NULL)) {
		fputs("peer_floor: there is no control thread\n", stderr);
		return 1;
	}
	CPU_ZERO(&set);
	CPU_SET(atoi(argv[1]), &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("peer_floor: sched_setaffinity");
		return 1;
	}
	rcu_register();
	for (uint64_t turn = 0; !ended; turn++) {
		unsigned moved = 0;

		for (unsigned i = 0; i < n && !(turn % QUIET); i++)
			port[i]->ops->disarm(port[i], 0);

		for (unsigned i = 0; i < n; i++)
			moved += move(port[i], port[i ^ 1]);
		busy_turn(busy, &tsc, moved);
		rcu_quiescent();
	}
	rcu_unregister();
	pthread_join(thread, NULL);
	for (unsigned i = 0; i < n; i++)
		port[i]->ops->close(port[i]);
	event_base_free(loop);
	eal_close();
	return 0;
}
