/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "client.h"
#include "top.h"

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static const json_t *find_port(const json_t *result, const char *name)
{
	json_t *port;
	size_t i;

	json_array_foreach(json_object_get(result, "ports"), i, port)
	{
		if (!strcmp(cli_text(port, "name"), name))
			return port;
	}
	return NULL;
}

static double counter(const json_t *port, const char *direction, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(port, direction), key));
}

static double drops(const json_t *port)
{
	const char *name;
	json_t *count;
	double sum = 0;

	json_object_foreach(json_object_get(port, "drops"), name, count)
	{
		sum += json_integer_value(count);
	}
	return sum;
}

static void print_rates(const json_t *then, const json_t *now, double seconds)
{
	json_t *port;
	size_t i;

	if (isatty(STDOUT_FILENO))
		fputs("\033[H\033[2J", stdout);
	printf("%-16s %-15s %12s %12s %12s %12s %10s\n", "port", "bridge", "in frames/s", "in Mbit/s", "out frames/s",
	       "out Mbit/s", "drops/s");
	json_array_foreach(json_object_get(now, "ports"), i, port)
	{
		const json_t *old = find_port(then, cli_text(port, "name"));
		if (!old)
			continue;
#define RATE(direction, key) ((counter(port, direction, key) - counter(old, direction, key)) / seconds)
		printf("%-16s %-15s %12.0f %12.2f %12.0f %12.2f %10.0f\n", cli_text(port, "name"),
		       cli_text(port, "bridge"), RATE("rx", "frames"), RATE("rx", "bytes") * 8 / 1e6,
		       RATE("tx", "frames"), RATE("tx", "bytes") * 8 / 1e6, (drops(port) - drops(old)) / seconds);
#undef RATE
	}
	fflush(stdout);
}

/* A number from 1 on, up to a day's seconds; 0: it is none. */
static long read_number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	return *end || value < 1 || value > 86400 ? 0 : value;
}

int cmd_top(int argc, char **argv)
{
	long delay = 1, times = 0;
	char err[1024];
	int option;

	while ((option = getopt(argc, argv, "d:n:")) != -1) {
		if (option != 'd' && option != 'n')
			return CLI_USAGE;
		long value = read_number(optarg);
		if (!value)
			return cli_usage("top: -%c: \"%s\" is not a number from 1 to 86400", option, optarg);
		if (option == 'd')
			delay = value;
		else
			times = value;
	}
	if (optind < argc)
		return cli_usage("top: unexpected word \"%s\"", argv[optind]);

	double then_seconds = now_seconds();
	json_t *then = client_call("stats", NULL, err, sizeof(err)), *now;
	for (long turn = 0; then && (!times || turn < times); turn++) {
		sleep(delay);
		double seconds = now_seconds();
		now = client_call("stats", NULL, err, sizeof(err));
		if (now)
			print_rates(then, now, seconds - then_seconds);
		json_decref(then);
		then = now;
		then_seconds = seconds;
	}
	if (!then)
		return cli_fail("%s", err);
	json_decref(then);
	return 0;
}
