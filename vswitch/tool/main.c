/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xbar: finds the command's row and runs it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "check.h"
#include "cli.h"
#include "net.h"
#include "vswitch/base/nearest.h"
#include "vswitch/base/version.h"
#include "vswitch/tool/guest/guest.h"

static int cmd_help(int argc, char **argv);
static int cmd_version(int argc, char **argv);

/* Commands that do more than ask xbard one thing; their files show their own usage. */
static const struct cli_command own_cli[] = {
	{.name = "net",
	 .summary = "put the host's network on a bridge and back: start, stop, status, plan",
	 .run = cmd_net},
	{.name = "check", .summary = "check guest cfg files, xend-config.sxp or a vif= string", .run = cmd_check},
	{.name = "create", .summary = "start a guest from its cfg file", .run = cmd_create},
	{.name = "list", .summary = "running guests", .run = cmd_list},
	{.name = "console", .summary = "a guest's console", .run = cmd_console},
	{.name = "shutdown", .summary = "ask a guest to shut down", .run = cmd_shutdown},
	{.name = "destroy", .summary = "end a guest at once", .run = cmd_destroy},
	{.name = "bench", .summary = "measure the throughput from guest to guest, here", .run = cmd_bench},
	{.name = "help", .summary = "this, or more about one command", .run = cmd_help, .usage = "[COMMAND]"},
	{.name = "version", .summary = "version of this tool", .run = cmd_version, .usage = ""},
	{0},
};

static const struct cli_command *const tables[] = {bridge_cli, port_cli, vif_cli, daemon_cli, own_cli};
#define TABLES (sizeof(tables) / sizeof(tables[0]))

/* Row `i` of all tables, counted through; NULL past the last. */
static const struct cli_command *row_at(size_t i)
{
	for (size_t t = 0; t < TABLES; t++)
		for (const struct cli_command *row = tables[t]; row->name; row++)
			if (!i--)
				return row;
	return NULL;
}

static const char *name_at(const void *arg, size_t i)
{
	const struct cli_command *row = row_at(i);

	(void)arg;
	return row ? row->name : NULL;
}

/* How many of the words make up the name of `row`; 0: they do not. */
static int matches(const struct cli_command *row, int argc, char **argv)
{
	size_t first = strcspn(row->name, " ");

	if (argc < 1 || strlen(argv[0]) != first || strncmp(row->name, argv[0], first))
		return 0;
	if (!row->name[first])
		return 1;
	return argc >= 2 && !strcmp(row->name + first + 1, argv[1]) ? 2 : 0;
}

/* The row that the first words name, and how many words that takes; NULL: none. */
static const struct cli_command *find(int argc, char **argv, int *words)
{
	const struct cli_command *row;

	for (size_t i = 0; (row = row_at(i)); i++)
		if ((*words = matches(row, argc, argv)))
			return row;
	return NULL;
}

/* Whether `word` is the first of two-word commands; with `to`, list those. */
static bool is_group(const char *word, FILE *to)
{
	const struct cli_command *row;
	size_t len = strlen(word);
	bool found = false;

	for (size_t i = 0; (row = row_at(i)); i++) {
		if (strncmp(row->name, word, len) || row->name[len] != ' ')
			continue;
		found = true;
		if (to)
			cli_print_usage(row, to);
	}
	return found;
}

static int unknown(int argc, char **argv)
{
	char words[128];

	if (is_group(argv[0], NULL)) {
		if (argc > 1)
			cli_usage("there is no command \"%s %s\"", argv[0], argv[1]);
		else
			cli_usage("%s: one word more is wanted", argv[0]);
		is_group(argv[0], stderr);
		return CLI_USAGE;
	}
	snprintf(words, sizeof(words), "%s %s", argv[0], argc > 1 ? argv[1] : "");
	const char *near = nearest_word(words, name_at, NULL);
	if (!near)
		near = nearest_word(argv[0], name_at, NULL);
	if (near)
		return cli_usage("there is no command \"%s\"; did you mean \"%s\"? `xbar help` lists them all", argv[0],
				 near);
	return cli_usage("there is no command \"%s\"; `xbar help` lists them all", argv[0]);
}

static int cmd_help(int argc, char **argv)
{
	const struct cli_command *row;
	int words;

	if (argc > 1) {
		row = find(argc - 1, argv + 1, &words);
		if (!row)
			return is_group(argv[1], stdout) ? 0 : unknown(argc - 1, argv + 1);
		if (row->run && !row->usage) { /* it shows its own */
			char *ask[] = {argv[1], "--help", NULL};
			return row->run(2, ask);
		}
		cli_print_usage(row, stdout);
		printf("%s\n", row->summary);
		return 0;
	}
	puts("usage: xbar COMMAND ...\n");
	for (size_t i = 0; (row = row_at(i)); i++)
		printf("  %-13s %s\n", row->name, row->summary);
	puts("\n`xbar help COMMAND` shows what a command takes; xbar(8) is the manual.\n"
	     "The daemon is asked at $XBAR_SOCKET, or at /run/xbar/xbard.sock.");
	return 0;
}

static int cmd_version(int argc, char **argv)
{
	if (argc > 1)
		return cli_usage("%s: unexpected word \"%s\"", argv[0], argv[1]);
	puts("xbar " XBAR_VERSION);
	return 0;
}

static int run(const struct cli_command *row, int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--help") && (row->call || row->usage)) {
		cli_print_usage(row, stdout);
		return 0;
	}
	int r = row->call ? cli_call(row, argc, argv) : row->run(argc, argv);
	if (r == CLI_USAGE && (row->call || row->usage))
		cli_print_usage(row, stderr);
	return r;
}

int main(int argc, char **argv)
{
	char *help[] = {"help", NULL}, *version[] = {"version", NULL};
	int words;

	if (argc < 2) {
		cmd_help(1, help);
		return CLI_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return cmd_help(1, help);
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
		return cmd_version(1, version);

	const struct cli_command *row = find(argc - 1, argv + 1, &words);
	if (!row)
		return unknown(argc - 1, argv + 1);
	int status = run(row, argc - words, argv + words);
	if (fflush(stdout) && !status)
		return cli_fail("cannot write: %s", strerror(errno));
	return status;
}
