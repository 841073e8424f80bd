/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon as its parts see it: what they share, and how they stop it. One exists per process: xbard.c fills it before it
 * makes the first part, and hands it to each.
 *
 * Threads. The control thread's alone.
 */
#ifndef XBAR_DAEMON_H
#define XBAR_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

struct conf;
struct event_base;

#define LOOP_PRIORITIES 3 /* of the loop's events: the middle one is that of all for which no other is set */

struct daemon {
	struct event_base *base; /* libevent's loop */
	const struct conf *conf; /* xbar.conf and the command line; another one after SIGHUP */
	const char *rundir; /* absolute, without a slash at its end; exists */
	const char *socket_path; /* absolute: of the control socket */
	uint64_t started_ms; /* clock_ms() */
	bool stopping; /* a clean stop is under way: no new vifs */
	/* Begin a clean stop; returns at once. With `keep`, everything is left as a crash would leave it, for the next start. */
	void (*stop)(struct daemon *daemon, bool keep);
};

#endif
