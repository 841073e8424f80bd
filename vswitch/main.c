/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xbard's command line.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "hypervisor/cfg/xend.h"
#include "vswitch/base/log.h"
#include "vswitch/base/version.h"
#include "vswitch/daemon/conf.h"
#include "xbard.h"

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
	"  -n, --check-only         check both files, say what is wrong, and do nothing else\n"
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

/* A library that writes to descriptor 2 must not write into what happened to be opened as number 2. */
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
		fprintf(stderr, "xbard: --log-level: there is no level \"%s\": error, warning, info or debug\n",
			opts.log_level);
		return usage_error();
	}

	if (xbard_read_config(&opts, &conf, &xend, &err)) {
		log_error("%s", err.text);
		return EXIT_FAILURE;
	}
	if (check_only) {
		conf_free(conf);
		hv_xend_free(xend);
		return EXIT_SUCCESS;
	}
	if (geteuid() != 0) {
		log_error("xbard must be started by root: it makes network interfaces and maps guests' memory");
		conf_free(conf);
		hv_xend_free(xend);
		return EXIT_FAILURE;
	}
	return xbard_run(&opts, conf, xend);
}
