/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "vswitch/base/log.h"
#include "vswitch/hostnet/rtnl/rtnl.h"
#include "wait.h"

struct wait {
	struct rtnl_events *events;
	struct event *readable, *timeout;
	void (*look)(struct wait *wait, bool last, void *arg);
	void *arg;
};

void wait_free(struct wait *wait)
{
	if (!wait)
		return;
	if (wait->readable)
		event_free(wait->readable);
	if (wait->timeout)
		event_free(wait->timeout);
	rtnl_events_close(wait->events);
	free(wait);
}

static void note_new_link(const struct rtnl_event *event, void *arg)
{
	bool *appeared = arg;
	*appeared |= (event->kind == RTNL_LINK && !event->gone) || event->kind == RTNL_LOST;
}

/* Either may free the wait. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct wait *wait = arg;
	bool appeared = false;

	(void)fd;
	(void)what;
	int r = rtnl_events_read(wait->events, note_new_link, &appeared);
	if (r)
		log_error("cannot follow network changes any longer: %s", strerror(-r));
	if (r || appeared)
		wait->look(wait, r, wait->arg);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct wait *wait = arg;

	(void)fd;
	(void)what;
	wait->look(wait, true, wait->arg);
}

int wait_start(struct event_base *base, unsigned seconds, void (*look)(struct wait *wait, bool last, void *arg),
	       void *arg, struct wait **out, struct err *err)
{
	const struct timeval limit = {.tv_sec = seconds};
	struct wait *wait = calloc(1, sizeof(*wait));
	if (!wait)
		return err_nomem(err);
	wait->look = look;
	wait->arg = arg;
	int r = rtnl_events_open(&wait->events, err);
	if (r)
		goto fail;
	wait->readable = event_new(base, rtnl_events_fd(wait->events), EV_READ | EV_PERSIST, on_readable, wait);
	wait->timeout = evtimer_new(base, on_timeout, wait);
	if (!wait->readable || !wait->timeout || event_add(wait->readable, NULL) || event_add(wait->timeout, &limit)) {
		r = err_nomem(err);
		goto fail;
	}
	*out = wait;
	return 0;
fail:
	wait_free(wait);
	return r;
}
