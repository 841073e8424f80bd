/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "confirm.h"
#include "vswitch/xbard.h"
#include "wait.h"

struct waiting {
	TAILQ_ENTRY(waiting) link;
	struct net_wait *nw;
	struct ctl_request *req;
	struct rtnl_events *events;
	struct event *readable, *timeout;
};

struct net_wait {
	struct xbard *xbard;
	TAILQ_HEAD(waiting_list, waiting) list;
};

static void waiting_free(struct waiting *waiting)
{
	TAILQ_REMOVE(&waiting->nw->list, waiting, link);
	if (waiting->readable)
		event_free(waiting->readable);
	if (waiting->timeout)
		event_free(waiting->timeout);
	rtnl_events_close(waiting->events);
	free(waiting);
}

/* As confirm_start(); *err is set where it is not 0. */
static int try(const struct waiting *waiting, struct err *err)
{
	return confirm_start(netctl_confirm(waiting->nw->xbard->netctl), waiting->req, err);
}

static void note_new_link(const struct rtnl_event *event, void *arg)
{
	bool *changed = arg;
	*changed |= (event->kind == RTNL_LINK && !event->gone) || event->kind == RTNL_LOST;
}

static void on_change(evutil_socket_t fd, short what, void *arg)
{
	struct waiting *waiting = arg;
	struct err err;
	bool changed = false;

	(void)fd;
	(void)what;
	int r = rtnl_events_read(waiting->events, note_new_link, &changed);
	if (r) {
		ctl_reply_error(waiting->req, "cannot follow network changes any more: %s", strerror(-r));
		waiting_free(waiting);
	} else if (changed && try(waiting, &err) != -ENODEV) {
		waiting_free(waiting);
	}
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct waiting *waiting = arg;
	struct err err;

	(void)fd;
	(void)what;
	if (try(waiting, &err) == -ENODEV)
		ctl_reply_error(waiting->req, "%s (waited %d s)", err.text, (int)ctl_int(waiting->req, "wait", 0));
	waiting_free(waiting);
}

void net_wait_add(struct net_wait *nw, struct ctl_request *req)
{
	struct timeval limit = {.tv_sec = ctl_int(req, "wait", 0)};
	struct err err = {.text = "no memory to wait for a netdev"};

	struct waiting *waiting = calloc(1, sizeof(*waiting));
	if (!waiting) {
		ctl_reply_error(req, "%s", err.text);
		return;
	}
	waiting->nw = nw;
	waiting->req = req;
	TAILQ_INSERT_TAIL(&nw->list, waiting, link);
	if (rtnl_events_open(&waiting->events, &err))
		goto fail;
	waiting->readable = event_new(nw->xbard->daemon.base, rtnl_events_fd(waiting->events), EV_READ | EV_PERSIST,
				      on_change, waiting);
	waiting->timeout = evtimer_new(nw->xbard->daemon.base, on_timeout, waiting);
	if (!waiting->readable || !waiting->timeout || event_add(waiting->readable, NULL) ||
	    event_add(waiting->timeout, &limit))
		goto fail;
	/* It may have come before we listened. */
	if (try(waiting, &err) != -ENODEV)
		waiting_free(waiting);
	return;
fail:
	ctl_reply_error(req, "%s", err.text);
	waiting_free(waiting);
}

struct net_wait *net_wait_new(struct xbard *xbard)
{
	struct net_wait *nw = calloc(1, sizeof(*nw));
	if (!nw)
		return NULL;
	nw->xbard = xbard;
	TAILQ_INIT(&nw->list);
	return nw;
}

void net_wait_end(struct net_wait *nw)
{
	struct waiting *waiting;

	while ((waiting = TAILQ_FIRST(&nw->list))) {
		const char *netdev = ctl_str(waiting->req, "netdev");
		ctl_reply_error(waiting->req, "xbard is stopping; netdev %s has not come",
				netdev ? netdev : "of the default route");
		waiting_free(waiting);
	}
}

void net_wait_free(struct net_wait *nw)
{
	if (nw)
		net_wait_end(nw);
	free(nw);
}
