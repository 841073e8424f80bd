/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include "probe.h"

#define AGAIN_MS 250 /* the kernel asks once a second, and gives up after three; then it is told to go on */

struct target {
	char text[INET6_ADDRSTRLEN + IFNAMSIZ];
	int ifindex, family;
	uint8_t ip[16];
	bool answered;
};

struct probe {
	struct rtnl *nc;
	struct rtnl_events *events;
	struct event *readable, *again, *limit;
	int64_t end_ms;
	struct target target[NETPROBE_MAX];
	unsigned n;
	void (*done)(struct probe *probe, void *arg);
	void *arg;
};

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000L + now.tv_nsec / 1000000;
}

unsigned probe_left(const struct probe *probe)
{
	int64_t left = probe->end_ms - now_ms();
	return left > 0 ? left : 0;
}

void probe_free(struct probe *probe)
{
	if (!probe)
		return;
	struct event *events[] = {probe->readable, probe->again, probe->limit};
	for (unsigned i = 0; i < sizeof(events) / sizeof(*events); i++)
		if (events[i])
			event_free(events[i]);
	rtnl_events_close(probe->events);
	rtnl_close(probe->nc);
	free(probe);
}

void probe_list(const struct probe *probe, bool answered, char list[NETREC_GATEWAYS])
{
	size_t used = 0;

	list[0] = '\0';
	for (unsigned i = 0; i < probe->n; i++) {
		if (probe->target[i].answered != answered)
			continue;
		int len = snprintf(list + used, NETREC_GATEWAYS - used, "%s%s", used ? " " : "", probe->target[i].text);
		if ((used += len) >= NETREC_GATEWAYS)
			return;
	}
}

/* Ask those that have not answered; an error is one more chance lost, and the next is AGAIN_MS away. */
static void ask(struct probe *probe)
{
	for (unsigned i = 0; i < probe->n; i++) {
		const struct target *target = &probe->target[i];
		if (!target->answered)
			rtnl_neigh_ask(probe->nc, target->ifindex, target->family, target->ip);
	}
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ask(arg);
}

/* done() may free the probe. */
static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct probe *probe = arg;

	(void)fd;
	(void)what;
	probe->done(probe, probe->arg);
}

static void note_answer(const struct rtnl_event *event, void *arg)
{
	struct probe *probe = arg;

	if (event->kind != RTNL_NEIGHBOUR || !event->reachable)
		return;
	for (unsigned i = 0; i < probe->n; i++) {
		struct target *target = &probe->target[i];
		if (event->ifindex == target->ifindex && event->family == target->family &&
		    !memcmp(event->ip, target->ip, target->family == AF_INET ? 4 : 16))
			target->answered = true;
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct probe *probe = arg;

	(void)fd;
	(void)what;
	rtnl_events_read(probe->events, note_answer, probe);
	unsigned missing = 0;
	for (unsigned i = 0; i < probe->n; i++)
		missing += !probe->target[i].answered;
	if (!missing)
		event_active(probe->limit, EV_TIMEOUT, 0); /* not a timer of 0, which the next event would put off */
}

/* One that cannot be asked, since its VLAN netdev is gone, is silent. */
static bool parse(struct target *target, const char *word, size_t len, int ifindex)
{
	char ip[INET6_ADDRSTRLEN];
	const char *netdev = memchr(word, '%', len);
	size_t ip_len = netdev ? (size_t)(netdev - word) : len;

	if (!ip_len || ip_len >= sizeof(ip) || len >= sizeof(target->text))
		return false;
	memcpy(target->text, word, len);
	target->text[len] = '\0';
	memcpy(ip, word, ip_len);
	ip[ip_len] = '\0';
	target->family = strchr(ip, ':') ? AF_INET6 : AF_INET;
	target->ifindex = netdev ? (int)if_nametoindex(target->text + ip_len + 1) : ifindex;
	return inet_pton(target->family, ip, target->ip) == 1;
}

static void take_targets(struct probe *probe, const char *addresses, int ifindex)
{
	while (*addresses && probe->n < NETPROBE_MAX) {
		size_t len = strcspn(addresses, " ");
		probe->n += parse(&probe->target[probe->n], addresses, len, ifindex);
		addresses += len;
		addresses += strspn(addresses, " ");
	}
}

static int add_events(struct probe *probe, struct event_base *base, unsigned ms)
{
	struct timeval again = {.tv_usec = AGAIN_MS * 1000}, limit = {ms / 1000, ms % 1000 * 1000};

	probe->readable = event_new(base, rtnl_events_fd(probe->events), EV_READ | EV_PERSIST, on_readable, probe);
	probe->again = event_new(base, -1, EV_PERSIST, on_again, probe);
	probe->limit = evtimer_new(base, on_limit, probe);
	if (!probe->readable || !probe->again || !probe->limit || event_add(probe->readable, NULL) ||
	    event_add(probe->again, &again) || event_add(probe->limit, &limit))
		return -ENOMEM;
	return 0;
}

int probe_start(struct event_base *base, const char *netdev, const char *addresses, unsigned ms,
		void (*done)(struct probe *probe, void *arg), void *arg, struct probe **out, struct err *err)
{
	struct rtnl_link link;
	struct probe *probe = calloc(1, sizeof(*probe));
	if (!probe)
		return err_set(err, -ENOMEM, "no memory to ask the gateways of %s", netdev);
	probe->done = done;
	probe->arg = arg;
	probe->end_ms = now_ms() + ms;
	int r = rtnl_open(&probe->nc, err);
	if (!r)
		r = rtnl_link_get(probe->nc, netdev, &link, err);
	if (!r)
		r = rtnl_events_open(&probe->events, err);
	if (r)
		goto fail;
	take_targets(probe, addresses, link.ifindex);
	/* Heard of before they are asked, so that no answer is missed. */
	r = rtnl_events_neighbours(probe->events);
	if (!r)
		r = add_events(probe, base, ms);
	if (r) {
		err_set(err, r, "cannot ask the gateways of %s: %s", netdev, strerror(-r));
		goto fail;
	}
	ask(probe);
	*out = probe;
	return 0;
fail:
	probe_free(probe);
	return r;
}
