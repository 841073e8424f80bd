/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Starting a bridge on a netdev of the host so that a mistake, or a switch port that rejects the change, cuts the host off
 * for seconds rather than until someone reaches its console: the start is undone unless gateways answer.
 *
 * Model. A start goes through two phases:
 *
 *	asking      nothing is changed yet: which next hops of the netdev's default routes answer? At most two seconds.
 *	confirming  everything is done: every gateway that answered before must answer again, IPv4 and IPv6 alike, now asked
 *	            from the host port, within so many seconds. As soon as they have, the start is confirmed; else it is undone.
 *
 * Before that, a netdev that does not exist yet is waited for, if the request says so.
 *
 * A gateway that was silent before is not waited for. If none answered before, or there is none, nothing can be confirmed:
 * the start holds, and its result says so. The requester hears of the end; who starts the same bridge meanwhile waits for
 * the same end.
 *
 * The record (record.h) has the gateways until the start is confirmed. A daemon that finds such a record continues to
 * confirm it, for the full time.
 *
 * Threads. The control thread's alone.
 *
 * Errors. A requester is told by its done(). What nobody asked for, as a confirmation that a daemon before this one had
 * begun, is logged.
 */
#ifndef XBAR_CONFIRM_H
#define XBAR_CONFIRM_H

#include "takeover.h"

struct confirm; /* one per daemon */
struct daemon;

enum confirm_how {
	CONFIRM_ALREADY, /* the bridge had been started before */
	CONFIRM_OFF, /* the request said so */
	CONFIRM_NO_GATEWAY, /* there is none to ask */
	CONFIRM_NO_ANSWER, /* none answered before the change */
	CONFIRM_BY_GATEWAYS,
	CONFIRM_BY_HAND,
	CONFIRM_HOW_MAX
};

/* "already", "off", "no gateway", ...; stable, for scripts. */
const char *confirm_how_name(enum confirm_how how);

struct confirm_result { /* valid during done() */
	const struct record *rec; /* rec->gateways: who was asked to confirm it */
	enum confirm_how how;
	bool already; /* the bridge had been started before: nothing was moved */
	long interrupted_us; /* how long the host's traffic was interrupted */
	const char *silent; /* gateways that did not answer before either, separated by spaces */
	const char *note; /* what the requester should know besides; "": nothing */
};

struct confirm_request {
	struct takeover_want want; /* its strings are the requester's, and valid until done() */
	unsigned seconds; /* for gateways to answer; 0: do not ask them */
	unsigned wait_s; /* how long to wait for the netdev, if it does not exist */
	unsigned until; /* apply so many steps only; 0: all */
	/*
	 * Called once, from the loop or before confirm_start() returns. `result` NULL: it failed, and *err says why. It must
	 * not start or stop anything itself.
	 */
	void (*done)(void *arg, const struct confirm_result *result, const struct err *err);
	void *arg;
};

/* The arguments outlive it. NULL: no memory. */
struct confirm *confirm_new(const struct daemon *daemon, const struct takeover_env *env);
void confirm_free(struct confirm *confirm); /* after confirm_end(); NULL: does nothing */
/* The daemon stops: tell whoever waits. What is unconfirmed stays so. */
void confirm_end(struct confirm *confirm);

/* Start *request, which is copied; its done() is called in any case. */
void confirm_start(struct confirm *confirm, const struct confirm_request *request);
/* Continue with the records that are not confirmed. */
void confirm_resume(struct confirm *confirm);
/* Confirm by hand: 0, or -ENOENT without a sentence if `bridge` (NULL: any) has nothing to confirm; -errno with *err. */
int confirm_accept(struct confirm *confirm, const char *bridge, struct err *err);
/* Somebody stops `bridge`, or the one of `netdev` (either may be NULL; both: all): tell who waits for it. */
void confirm_cancel(struct confirm *confirm, const char *bridge, const char *netdev);
/* Seconds left for the gateways of `bridge`, and which are missing; -1: it is not being confirmed. */
int confirm_left(const struct confirm *confirm, const char *bridge, char missing[RECORD_GATEWAYS]);

#endif
