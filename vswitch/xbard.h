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

#include "hypervisor/cfg/text.h"
#include "vswitch/base/names.h"
#include "vswitch/control/commands.h"
#include "vswitch/daemon/daemon.h"
#include "vswitch/daemon/rundir.h"

struct conf;
struct ctl;
struct event;
struct hv_xend;
struct xen;

struct xbard_opts { /* the command line; NULL: not given */
	const char *config; /* xbar.conf */
	const char *xend_config;
	const char *rundir;
	const char *socket;
	const char *log_level;
};

struct xbard {
	struct daemon daemon;
	struct parts parts;
	const struct xbard_opts *opts;
	struct conf *conf; /* replaced on SIGHUP */
	struct hooks *hooks; /* network-script, vif-script */
	struct ctl *ctl; /* control socket */
	struct xen *xen; /* Xen guests' vifs; NULL: none */
	struct hostnet *hostnet; /* the network of the host */
	struct rundir dir;
	bool keep; /* leave all as a crash would leave it */
	char leaving[NAME_PORT_MAX]; /* in a clean stop: the vif whose script runs */
	char *socket_path;
	struct event *sigterm, *sigint, *sighup, *tick;
};

/*
 * Read xbar.conf and xend-config.sxp as `opts` says, and check them: 0, or -errno with *err. Warnings are logged.
 * *xend is NULL where no xend-config.sxp is at the default place.
 */
int xbard_read_config(const struct xbard_opts *opts, struct conf **conf, struct hv_xend **xend, struct err *err);

/*
 * Run the daemon, with `conf` and `xend` (both taken), until it is stopped by a signal or command. Returns the process's
 * exit status; why it is not 0 has been logged.
 */
int xbard_run(const struct xbard_opts *opts, struct conf *conf, struct hv_xend *xend);

#endif
