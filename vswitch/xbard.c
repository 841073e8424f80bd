/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon's command line and its life: start, reload, stop. The only file that knows all parts. Each part starts after
 * those that it needs, and they stop in the reverse order:
 *
 *   configuration - directory and lock - loop - privileges - control socket - switch - state left by a crash - network-script
 *
 * systemd is told READY=1 when the network-script has ended, since services that start after us want the bridges.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hypervisor/cfg/text.h"
#include "hypervisor/cfg/xend.h"
#include "vswitch/base/clock.h"
#include "vswitch/base/confine.h"
#include "vswitch/base/ids.h"
#include "vswitch/base/log.h"
#include "vswitch/base/names.h"
#include "vswitch/base/version.h"
#include "vswitch/control/commands.h"
#include "vswitch/control/ctl.h"
#include "vswitch/daemon/conf.h"
#include "vswitch/daemon/daemon.h"
#include "vswitch/daemon/notify.h"
#include "vswitch/daemon/privileges.h"
#include "vswitch/daemon/rundir.h"
#include "vswitch/hooks/hooks.h"
#include "vswitch/hooks/xen.h"
#include "vswitch/hostnet/hostnet.h"
#include "vswitch/switch/switch.h"

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
	bool keep; /* leave everything as a crash would leave it */
	char leaving[NAME_PORT_MAX]; /* during a clean stop: the vif whose script is running */
	char *socket_path;
	bool own_vhost_dir; /* it is RUNDIR/vhost, and not one of the administrator's */
	struct event *sigterm, *sigint, *sighup, *tick;
};

static int read_xend(const struct xbard_opts *opts, const struct conf *conf, struct hv_xend **xend, struct err *err)
{
	static const char *const places[] = {CONF_DEFAULT_XEND, CONF_DEFAULT_XEND_2};
	const char *path = opts->xend_config ? opts->xend_config : conf->xend_config;

	*xend = NULL;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && !*path; i++)
		if (!access(places[i], F_OK) || errno != ENOENT)
			path = places[i];
	if (!*path)
		return 0;
	int r = hv_xend_load(path, xend, err);
	if (r)
		return r;
	for (size_t i = 0; i < (*xend)->notes.n; i++)
		log_warn("%s", (*xend)->notes.line[i]);
	return 0;
}

/*
 * Read xbar.conf and xend-config.sxp as `opts` says, and check them: 0, or -errno with *err. Warnings are logged.
 * *xend is NULL if there is no xend-config.sxp at the default place.
 */
static int read_config(const struct xbard_opts *opts, struct conf **conf, struct hv_xend **xend, struct err *err)
{
	*xend = NULL;
	int r = conf_load(opts->config, conf, err);
	if (r)
		return r;
	r = read_xend(opts, *conf, xend, err);
	if (r) {
		conf_free(*conf);
		*conf = NULL;
	}
	return r;
}

static void apply_log_level(const struct xbard *xbard)
{
	log_set_level(log_level_find(xbard->opts->log_level ? xbard->opts->log_level : xbard->conf->log_level));
}

/* ---- stop -------------------------------------------------------------------------------------------------------- */

static void stop_next(evutil_socket_t fd, short what, void *arg);

static void on_network_stopped(void *arg, const char *why)
{
	struct xbard *xbard = arg;

	if (why)
		log_error("network-script stop: %s", why);
	event_base_loopbreak(xbard->daemon.base);
}

static void on_vif_offline(void *arg, const char *why)
{
	static const struct timeval now;
	struct xbard *xbard = arg;
	struct err err = {0};

	if (why)
		log_warn("vif-script offline %s: %s", xbard->leaving, why);
	if (sw_vif(xbard->leaving) && sw_vif_del(xbard->leaving, &err)) {
		log_error("%s", err.text);
		event_base_loopbreak(xbard->daemon.base);
		return;
	}
	/* From the loop: a script that cannot be started calls back at once, which would recurse for each vif. */
	if (event_base_once(xbard->daemon.base, -1, EV_TIMEOUT, stop_next, xbard, &now))
		event_base_loopbreak(xbard->daemon.base);
}

/* Remove the next vif, once the script of the one before has ended; after the last vif, stop the network. */
static void stop_next(evutil_socket_t fd, short what, void *arg)
{
	struct xbard *xbard = arg;
	const struct port *port;

	(void)fd;
	(void)what;
	TAILQ_FOREACH(port, sw_ports(), link)
	{
		if (port_is_vif(port) && !port->pending)
			break;
	}
	if (!port) {
		hooks_network(xbard->hooks, "stop", on_network_stopped, xbard);
		return;
	}
	memcpy(xbard->leaving, port->conf.name, sizeof(xbard->leaving));
	if (port->conf.hotplug)
		hooks_vif(xbard->hooks, &port->conf, false, on_vif_offline, xbard);
	else
		on_vif_offline(xbard, NULL);
}

static void stop(struct daemon *daemon, bool keep)
{
	struct xbard *xbard = (struct xbard *)((char *)daemon - offsetof(struct xbard, daemon));

	if (xbard->daemon.stopping)
		return;
	xbard->daemon.stopping = true;
	xbard->keep = keep;
	if (!keep)
		xen_leave(xbard->xen);
	xen_close(xbard->xen);
	xbard->xen = NULL;
	notify_send("STOPPING=1");
	log_info(keep ? "stopping; bridges and vifs stay as they are for the next start" : "stopping");
	if (keep)
		event_base_loopbreak(xbard->daemon.base);
	else
		stop_next(-1, 0, xbard);
}

static void on_stop_signal(evutil_socket_t number, short what, void *arg)
{
	struct xbard *xbard = arg;

	(void)what;
	if (!xbard->daemon.stopping) {
		log_info("received SIG%s", sigabbrev_np(number));
		stop(&xbard->daemon, false);
		return;
	}
	log_warn("received SIG%s again: no longer waiting for scripts", sigabbrev_np(number));
	event_base_loopbreak(xbard->daemon.base);
}

/* ---- reload ------------------------------------------------------------------------------------------------------ */

/* Whose the sockets are: the control socket's group, and *group, that of the directory of vifs' sockets; -1: none. */
static int set_groups(struct ctl *ctl, const struct conf *conf, gid_t *group, struct err *err)
{
	struct err why;
	uid_t owner;

	if (user_find(conf->vhost_owner, &owner, &why))
		return err_set(err, -ENOENT, "vhost_owner: %s", why.text);
	if (group_find(conf->vhost_group, group, &why))
		return err_set(err, -ENOENT, "vhost_group: %s", why.text);
	int r = ctl_set_group(ctl, conf->socket_group, !conf->socket_group_set, err);
	if (!r && *group == (gid_t)-1)
		*group = ctl_group(ctl);
	return r;
}

static void reload(evutil_socket_t number, short what, void *arg)
{
	struct xbard *xbard = arg;
	struct err err;
	struct err why = {0};
	struct hv_xend *xend;
	struct conf *conf;
	char fixed[128];
	gid_t group;

	(void)number;
	(void)what;
	if (read_config(xbard->opts, &conf, &xend, &err)) {
		log_error("%s; keeping the previous configuration", err.text);
		return;
	}
	if (!conf_settle_vhost_dir(conf, xbard->daemon.rundir) || set_groups(xbard->ctl, conf, &group, &why)) {
		log_error("%s; keeping the previous configuration", *why.text ? why.text : "no memory");
		conf_free(conf);
		hv_xend_free(xend);
		return;
	}
	conf_list_fixed(xbard->conf, conf, fixed, sizeof(fixed));
	if (*fixed)
		log_warn("changes to these settings take effect at the next start:%s", fixed);
	free(conf->vhost_dir);
	conf->vhost_dir = xbard->conf->vhost_dir;
	xbard->conf->vhost_dir = NULL;
	conf_free(xbard->conf);
	xbard->daemon.conf = xbard->conf = conf;
	hooks_set(xbard->hooks, xend);
	apply_log_level(xbard);
	log_info("configuration reloaded");
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

static void on_network_started(void *arg, const char *why)
{
	struct xbard *xbard = arg;

	if (why)
		log_error("network-script start: %s; xbard keeps running without what the script was to set up", why);
	if (xbard->daemon.stopping)
		return;
	xen_network_up(xbard->xen);
	notify_send("READY=1");
	log_info("ready: control socket %s", xbard->daemon.socket_path);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	const struct xbard *xbard = arg;

	(void)fd;
	(void)what;
	xen_tick(xbard->xen);
	sw_tick();
	confine_report();
}

static int start_events(struct xbard *xbard)
{
	struct timeval second = {.tv_sec = 1};

	signal(SIGPIPE, SIG_IGN);
	xbard->sigterm = evsignal_new(xbard->daemon.base, SIGTERM, on_stop_signal, xbard);
	xbard->sigint = evsignal_new(xbard->daemon.base, SIGINT, on_stop_signal, xbard);
	xbard->sighup = evsignal_new(xbard->daemon.base, SIGHUP, reload, xbard);
	xbard->tick = event_new(xbard->daemon.base, -1, EV_PERSIST, on_tick, xbard);
	if (!xbard->sigterm || !xbard->sigint || !xbard->sighup || !xbard->tick || event_add(xbard->sigterm, NULL) ||
	    event_add(xbard->sigint, NULL) || event_add(xbard->sighup, NULL) || event_add(xbard->tick, &second))
		return -ENOMEM;
	return 0;
}

static void free_events(struct xbard *xbard)
{
	struct event *events[] = {xbard->sigterm, xbard->sigint, xbard->sighup, xbard->tick};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i])
			event_free(events[i]);
	if (xbard->daemon.base)
		event_base_free(xbard->daemon.base);
}

static int start_switch(const struct daemon *daemon, struct err *err)
{
	const struct conf *conf = daemon->conf;
	struct sw_opts opts = {
		.loop = daemon->base,
		.workers = conf->workers,
		.first_cpu = conf->first_cpu,
		.poll_us = conf->poll_us,
		.no_huge = !conf->hugepages,
		.ageing = conf->ageing,
		.rundir = daemon->rundir,
		.confine = true,
	};

	int r = sw_init(&opts, err);
	if (r)
		return r;
	if (!sw_hugepages())
		log_info("running without hugepages%s", conf->hugepages
								? ": none are free (sysctl vm.nr_hugepages); "
								  "traffic between guests needs none, but uplinks "
								  "are faster with them"
								: ", as set in xbar.conf");
	return 0;
}

/* The control socket's path: absolute, because scripts run in another directory. NULL: no memory. */
static char *make_socket_path(const struct xbard *xbard)
{
	const char *given = xbard->opts->socket;
	char *cwd = NULL, *path = NULL;

	if (!given) {
		if (asprintf(&path, "%s/xbard.sock", xbard->daemon.rundir) < 0)
			return NULL;
	} else if (given[0] == '/') {
		path = strdup(given);
	} else {
		cwd = getcwd(NULL, 0);
		if (!cwd || asprintf(&path, "%s/%s", cwd, given) < 0)
			path = NULL;
		free(cwd);
	}
	return path;
}

/* Make the parts that need neither the switch nor clients. Takes xend, also if it fails. */
static int make_parts(struct xbard *xbard, struct hv_xend *xend, struct err *err)
{
	xbard->daemon.rundir = xbard->dir.path;
	xbard->daemon.socket_path = xbard->socket_path = make_socket_path(xbard);
	xbard->own_vhost_dir = !*xbard->conf->vhost_dir;
	if (!conf_settle_vhost_dir(xbard->conf, xbard->daemon.rundir) || !xbard->daemon.socket_path) {
		hv_xend_free(xend);
		return err_nomem(err);
	}
	xbard->daemon.base = event_base_new();
	if (xbard->daemon.base)
		event_base_priority_init(xbard->daemon.base, LOOP_PRIORITIES);
	xbard->hooks = hooks_new(&xbard->daemon);
	if (xbard->hooks)
		hooks_set(xbard->hooks, xend);
	else
		hv_xend_free(xend);
	if (!xbard->daemon.base || !xbard->hooks || start_events(xbard))
		return err_nomem(err);
	int r = hostnet_new(&xbard->daemon, &xbard->hostnet, err);
	xbard->parts = (struct parts){&xbard->daemon, xbard->hooks, xbard->hostnet};
	return r;
}

#define FRONT_ENDS_MS 100 /* until front ends that are there have come back */
#define FRONT_ENDS_LOOK_MS 2

/* Clients are not served yet, and what a stop signal begins goes on later. */
static void await_front_ends(void *arg)
{
	static const struct timeval look = {.tv_usec = FRONT_ENDS_LOOK_MS * 1000};
	const struct xbard *xbard = arg;
	const uint64_t end = clock_ms() + FRONT_ENDS_MS;

	while (sw_awaits_front_ends() && clock_ms() < end && !xbard->daemon.stopping) {
		event_base_loopexit(xbard->daemon.base, &look);
		event_base_dispatch(xbard->daemon.base);
	}
}

static int begin(struct xbard *xbard, struct err *err)
{
	sw_restore(await_front_ends, xbard);
	if (xbard->daemon.stopping)
		return 0;
	int r = xen_open(&xbard->daemon, xbard->hooks, &xbard->xen, err);
	if (!r)
		r = ctl_begin(xbard->ctl, err);
	if (r)
		return r;
	hostnet_begin(xbard->hostnet);
	hooks_network(xbard->hooks, "start", on_network_started, xbard);
	return 0;
}

static int run_loop(struct xbard *xbard, struct err *err)
{
	int r = begin(xbard, err);
	if (r)
		return r;
	if (!xbard->daemon.stopping || !event_base_got_break(xbard->daemon.base))
		event_base_dispatch(xbard->daemon.base);

	/* Kill the scripts that still run. Clients that wait for one get an error, which one turn of the loop sends. */
	hooks_free(xbard->hooks);
	xbard->hooks = NULL;
	hostnet_end(xbard->hostnet, xbard->keep);
	event_base_loop(xbard->daemon.base, EVLOOP_NONBLOCK);
	return 0;
}

static int run(struct xbard *xbard, struct err *err)
{
	gid_t group;
	int r = ctl_open(&xbard->parts, &xbard->ctl, err);
	if (r)
		return r;
	r = set_groups(xbard->ctl, xbard->conf, &group, err);
	if (!r)
		r = rundir_make_shared(xbard->conf->vhost_dir, group, xbard->own_vhost_dir, err);
	if (!r)
		r = start_switch(&xbard->daemon, err);
	if (r)
		return r;

	log_info("xbard " XBAR_VERSION ": %u worker%s, state in %s", xbard->conf->workers,
		 xbard->conf->workers == 1 ? "" : "s", xbard->daemon.rundir);
	r = run_loop(xbard, err);
	if (r) {
		sw_fini();
		return r;
	}
	if (xbard->keep) {
		log_info("stopped");
		_exit(EXIT_SUCCESS); /* the kernel releases the lock and guests' memory; nothing else may change */
	}
	sw_fini();
	sw_forget(xbard->daemon.rundir);
	return 0;
}

/* Run the daemon, with `conf` and `xend` (both taken), until a signal or command stops it. Returns the exit status. */
static int run_daemon(const struct xbard_opts *opts, struct conf *conf, struct hv_xend *xend)
{
	struct xbard xbard = {.opts = opts, .conf = conf, .daemon = {.conf = conf}};
	struct err err = {0};

	apply_log_level(&xbard);
	xbard.daemon.started_ms = clock_ms();
	xbard.daemon.stop = stop;
	privileges_raise_limits();
	int r = rundir_open(&xbard.dir, opts->rundir ? opts->rundir : CONF_DEFAULT_RUNDIR, &err);
	if (r)
		hv_xend_free(xend);
	else
		r = make_parts(&xbard, xend, &err);
	if (!r)
		r = privileges_drop(conf->capabilities, hooks_are_own(xbard.hooks), &err);
	if (!r)
		r = run(&xbard, &err);
	if (r)
		log_error("%s", err.text);

	hooks_free(xbard.hooks);
	hostnet_free(xbard.hostnet);
	if (xbard.conf->vhost_dir && xbard.daemon.rundir)
		rmdir(xbard.conf->vhost_dir); /* fails if a socket was left in it, and may */
	/* After everything but the lock: `xbar stop` waits until the socket is gone. */
	ctl_close(xbard.ctl);
	free_events(&xbard);
	free(xbard.socket_path);
	conf_free(xbard.conf);
	rundir_close(&xbard.dir);
	if (!r)
		log_info("stopped");
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- the command line --------------------------------------------------------------------------------------------- */

#define EXIT_USAGE 2

static const char usage_text[] =
	"usage: xbard [options]\n"
	"The switch daemon: runs in the foreground until SIGTERM; see xbard(8).\n"
	"  -c, --config FILE        xbar.conf (default: " CONF_DEFAULT_PATH ", which need not exist)\n"
	"  -x, --xend-config FILE   xend-config.sxp (default: " CONF_DEFAULT_XEND ",\n"
	"                           else " CONF_DEFAULT_XEND_2 ", neither of which need exist)\n"
	"  -r, --rundir DIR         where the state, the lock and the sockets live (default: " CONF_DEFAULT_RUNDIR ")\n"
	"  -s, --socket PATH        control socket (default: RUNDIR/xbard.sock)\n"
	"  -l, --log-level LEVEL    error, warning, info or debug (default: info, or as in xbar.conf)\n"
	"  -n, --check-only         check both files, report what is wrong, and exit\n"
	"  -V, --version\n"
	"  -h, --help\n";

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"xend-config", required_argument, NULL, 'x'},
	{"rundir", required_argument, NULL, 'r'},
	{"socket", required_argument, NULL, 's'},
	{"log-level", required_argument, NULL, 'l'},
	{"check-only", no_argument, NULL, 'n'},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},
	{0},
};

/* Otherwise a library that writes to descriptor 2 could write into whichever file got that number. */
static void open_standard_descriptors(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd)
			abort();
}

static int usage_error(void)
{
	fprintf(stderr, "xbard: try `xbard --help`\n");
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct xbard_opts opts = {0};
	bool check_only = false;
	struct err err;
	struct hv_xend *xend;
	struct conf *conf;
	int option;

	open_standard_descriptors();
	while ((option = getopt_long(argc, argv, "c:x:r:s:l:nVh", long_options, NULL)) != -1) {
		switch (option) {
		case 'c':
			opts.config = optarg;
			break;
		case 'x':
			opts.xend_config = optarg;
			break;
		case 'r':
			opts.rundir = optarg;
			break;
		case 's':
			opts.socket = optarg;
			break;
		case 'l':
			opts.log_level = optarg;
			break;
		case 'n':
			check_only = true;
			break;
		case 'V':
			puts("xbard " XBAR_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage_text, stdout);
			return EXIT_SUCCESS;
		default:
			return usage_error();
		}
	}
	if (optind < argc) {
		fprintf(stderr, "xbard: unexpected argument \"%s\"\n", argv[optind]);
		return usage_error();
	}
	if (opts.log_level && log_level_find(opts.log_level) < 0) {
		fprintf(stderr,
			"xbard: --log-level: there is no level \"%s\"; it is one of error, warning, info, debug\n",
			opts.log_level);
		return usage_error();
	}

	if (read_config(&opts, &conf, &xend, &err)) {
		log_error("%s", err.text);
		return EXIT_FAILURE;
	}
	if (check_only) {
		conf_free(conf);
		hv_xend_free(xend);
		return EXIT_SUCCESS;
	}
	if (geteuid() != 0) {
		log_error("xbard must run as root: it creates network interfaces and maps guests' memory");
		conf_free(conf);
		hv_xend_free(xend);
		return EXIT_FAILURE;
	}
	return run_daemon(&opts, conf, xend);
}
