/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon's parts, as its commands see them. One exists per process; main.c makes it and hands it down, and nothing
 * keeps it in a variable of its own.
 *
 * Threads. The control thread's alone.
 */
#ifndef XBAR_XBARD_H
#define XBAR_XBARD_H

#include <stdbool.h>
#include <time.h>

#include "../hypervisor/text.h"
#include "rundir.h"
#include "switch.h"

struct conf;
struct ctl;
struct event;
struct event_base;
struct hooks;
struct hv_xend;
struct model;
struct netctl;
struct xen;

struct xbard_opts { /* the command line; NULL: not given */
	const char *config; /* xbar.conf */
	const char *xend_config;
	const char *rundir;
	const char *socket;
	const char *log_level;
};

struct xbard {
	const struct xbard_opts *opts;
	struct event_base *base; /* libevent's loop */
	struct conf *conf; /* xbar.conf and the command line; replaced on SIGHUP */
	struct model *model; /* bridges and ports */
	struct hooks *hooks; /* network-script, vif-script */
	struct ctl *ctl; /* control socket */
	struct xen *xen; /* Xen guests' vifs; NULL: none */
	struct netctl *netctl; /* netdevs of the host */
	struct rundir dir;
	const char *rundir; /* absolute, without a slash at its end; exists */
	const char *socket_path; /* absolute: of the control socket */
	struct timespec started; /* CLOCK_MONOTONIC */
	bool stopping; /* a clean stop is under way: no new vifs */
	bool keep; /* leave all as a crash would leave it */
	char leaving[VIF_NAME_MAX]; /* in a clean stop: the vif whose script runs */
	char *socket_text;
	struct event *sigterm, *sigint, *sighup, *tick;
};

/*
 * Read xbar.conf and xend-config.sxp as `opts` says, and check them: 0, or -errno with *err. Warnings are logged.
 * *xend is NULL where no xend-config.sxp is at the default place.
 */
int xbard_read_config(const struct xbard_opts *opts, struct conf **conf, struct hv_xend **xend, struct hv_err *err);

/*
 * Run the daemon, with `conf` and `xend` (both taken), until it is stopped by a signal or command. Returns the process's
 * exit status; why it is not 0 has been logged.
 */
int xbard_run(const struct xbard_opts *opts, struct conf *conf, struct hv_xend *xend);

/* Begin a clean stop; returns at once. With `keep` all is left as a crash would leave it, for the next start to find. */
void xbard_stop(struct xbard *xbard, bool keep);

#endif
