/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xbar status, stop, log: the daemon itself.
 */
#include <stdio.h>
#include <time.h>

#include "cli.h"
#include "client.h"

#define STOP_WAIT_S 300 /* the scripts that run then each have their own time limit */

static double number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_status(const json_t *result)
{
	long up = number(result, "uptime");
	json_t *worker;
	size_t i;

	printf("xbard %s, process %.0f, up %ldd %02ld:%02ld:%02ld%s\n", cli_text(result, "version"),
	       number(result, "pid"), up / 86400, up / 3600 % 24, up / 60 % 60, up % 60,
	       json_is_true(json_object_get(result, "stopping")) ? ", stopping" : "");
	printf("%.0f bridges, %.0f ports; hugepages: %s; state in %s; log level %s\n", number(result, "bridges"),
	       number(result, "ports"), json_is_true(json_object_get(result, "hugepages")) ? "yes" : "no",
	       cli_text(result, "rundir"), cli_text(result, "log_level"));
	json_array_foreach(json_object_get(result, "workers"), i, worker)
	{
		double total = number(worker, "cycles_total");
		printf("worker %.0f on CPU %.0f: busy %.2f %% of the time; slept %.0f times\n", number(worker, "id"),
		       number(worker, "cpu"), total > 0 ? 100 * number(worker, "cycles_busy") / total : 0,
		       number(worker, "sleeps"));
	}
}

/* Ask xbard to stop, and wait until it has. */
static int cmd_stop(const json_t *args)
{
	struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
	struct err err;

	json_t *result = client_call("stop", json_deep_copy(args), &err);
	if (!result)
		return cli_fail("%s", err.text);
	json_decref(result);

	for (int i = 0; i < STOP_WAIT_S * 50; i++) {
		if (!client_is_listening())
			return 0;
		nanosleep(&pause, NULL);
	}
	return cli_fail("xbard has not stopped within %d s; its log says why", STOP_WAIT_S);
}

static const struct cli_arg stop_args[] = {
	{"--keep", NULL, "keep", CLI_TRUE, true},
	{0},
};

static const struct cli_arg log_args[] = {
	{"LEVEL", NULL, "level", CLI_WORD, false},
	{0},
};

const struct cli_command daemon_cli[] = {
	{.name = "status", .summary = "show the daemon and its workers", .call = "status", .print = print_status},
	{.name = "log",
	 .summary = "set the log level: error, warning, info or debug",
	 .call = "log-level",
	 .args = log_args},
	{.name = "stop",
	 .summary = "stop the daemon",
	 .args = stop_args,
	 .help = "  --keep  run no scripts and leave bridges and vifs to the next start\n",
	 .run = cmd_stop},
	{0},
};
