/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "probe.h"
#include "vswitch/base/clock.h"
#include "vswitch/base/ip.h"

#define AGAIN_MS 250 /* the kernel asks once a second and gives up after three times: then it is told to continue */

struct target {
	char text[INET6_ADDRSTRLEN + IFNAMSIZ];
	int ifindex, family;
	uint8_t ip[16];
	bool answered;
};

struct probe {
	struct rtnl *rtnl; /* the caller's */
	struct rtnl_events *events;
	struct event *readable, *again, *limit;
	uint64_t end_ms; /* clock_ms() */
	struct target target[PROBE_MAX];
	unsigned n;
	void (*done)(struct probe *probe, void *arg);
	void *arg;
};

unsigned probe_left(const struct probe *probe)
{
	uint64_t now = clock_ms();
	return now < probe->end_ms ? (unsigned)(probe->end_ms - now) : 0;
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
	free(probe);
}

void probe_list(const struct probe *probe, bool answered, char list[RECORD_GATEWAYS])
{
	size_t used = 0;

	list[0] = '\0';
	for (unsigned i = 0; i < probe->n; i++) {
		if (probe->target[i].answered != answered)
			continue;
		int len = snprintf(list + used, RECORD_GATEWAYS - used, "%s%s", used ? " " : "", probe->target[i].text);
		if ((used += len) >= RECORD_GATEWAYS)
			return;
	}
}

/* Ask those that have not answered. An error is ignored: they are asked again in AGAIN_MS. */
static void ask(struct probe *probe)
{
	for (unsigned i = 0; i < probe->n; i++) {
		const struct target *target = &probe->target[i];
		if (!target->answered)
			rtnl_neigh_ask(probe->rtnl, target->ifindex, target->family, target->ip);
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

/* "10.0.0.1", "10.5.0.1%eth0.5". A gateway whose VLAN netdev is gone cannot be asked, and is silent. */
static bool parse(struct target *target, const char *word, size_t len, int ifindex)
{
	const char *netdev = memchr(word, '%', len);
	size_t ip_len = netdev ? (size_t)(netdev - word) : len;

	if (len >= sizeof(target->text))
		return false;
	memcpy(target->text, word, len);
	target->text[len] = '\0';
	target->family = ip_parse(word, ip_len, target->ip);
	target->ifindex = netdev ? (int)if_nametoindex(target->text + ip_len + 1) : ifindex;
	return target->family;
}

static void take_targets(struct probe *probe, const char *addresses, int ifindex)
{
	while (*addresses && probe->n < PROBE_MAX) {
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

int probe_start(struct event_base *base, struct rtnl *rtnl, const char *netdev, const char *addresses, unsigned ms,
		void (*done)(struct probe *probe, void *arg), void *arg, struct probe **out, struct err *err)
{
	struct rtnl_link link;
	struct probe *probe = calloc(1, sizeof(*probe));
	if (!probe)
		return err_set(err, -ENOMEM, "no memory to ask the gateways of %s", netdev);
	probe->done = done;
	probe->arg = arg;
	probe->rtnl = rtnl;
	probe->end_ms = clock_ms() + ms;
	int r = rtnl_link_get(rtnl, netdev, &link, err);
	if (!r)
		r = rtnl_events_open(&probe->events, err);
	if (r)
		goto fail;
	take_targets(probe, addresses, link.ifindex);
	/* Listen before asking, so that no answer is missed. */
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
