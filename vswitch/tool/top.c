/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "client.h"
#include "top.h"
#include "vswitch/base/clock.h"

#define LIMIT 86400 /* of both options */

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

int cmd_top(const json_t *args)
{
	const json_t *delay_arg = json_object_get(args, "delay"), *times_arg = json_object_get(args, "times");
	long delay = delay_arg ? json_integer_value(delay_arg) : 1, times = json_integer_value(times_arg);
	struct err err;

	if (delay < 1 || delay > LIMIT)
		return cli_usage("top: -d: must be from 1 to %d", LIMIT);
	if (times_arg && (times < 1 || times > LIMIT))
		return cli_usage("top: -n: must be from 1 to %d", LIMIT);

	double then_seconds = clock_ns() / 1e9;
	json_t *then = client_call("stats", NULL, &err), *now;
	for (long turn = 0; then && (!times || turn < times); turn++) {
		sleep(delay);
		double seconds = clock_ns() / 1e9;
		now = client_call("stats", NULL, &err);
		if (now)
			print_rates(then, now, seconds - then_seconds);
		json_decref(then);
		then = now;
		then_seconds = seconds;
	}
	if (!then)
		return cli_fail("%s", err.text);
	json_decref(then);
	return 0;
}
