/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xbar: finds the row of the command and runs it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "cli.h"
#include "net.h"
#include "vswitch/base/nearest.h"
#include "vswitch/base/version.h"

static int cmd_help(const json_t *args);
static int cmd_version(const json_t *args);

static const struct cli_arg help_args[] = {
	{"COMMAND", NULL, "command", CLI_WORDS, true},
	{0},
};

static const struct cli_command other_cli[] = {
	{.name = "net",
	 .summary = "move a host interface behind a bridge, or back: start, stop, status, plan",
	 .run_raw = cmd_net},
	{.name = "bench", .summary = "measure the throughput from guest to guest on this host", .run_raw = cmd_bench},
	{.name = "help", .summary = "list the commands, or describe one", .args = help_args, .run = cmd_help},
	{.name = "version", .summary = "print the tool's version", .run = cmd_version},
	{0},
};

static const struct cli_command *const tables[] = {bridge_cli, port_cli,  vif_cli,  daemon_cli,
						   check_cli,  guest_cli, other_cli};
#define TABLES (sizeof(tables) / sizeof(tables[0]))

/* Row `i` of all tables, numbered consecutively; NULL past the last. */
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

/* How many of the words form the name of `row`; 0: they do not. */
static int matches(const struct cli_command *row, int argc, char **argv)
{
	size_t first = strcspn(row->name, " ");

	if (argc < 1 || strlen(argv[0]) != first || strncmp(row->name, argv[0], first))
		return 0;
	if (!row->name[first])
		return 1;
	return argc >= 2 && !strcmp(row->name + first + 1, argv[1]) ? 2 : 0;
}

/* The row that the first words name, and how many words that takes; or NULL. */
static const struct cli_command *find(int argc, char **argv, int *words)
{
	const struct cli_command *row;

	for (size_t i = 0; (row = row_at(i)); i++)
		if ((*words = matches(row, argc, argv)))
			return row;
	return NULL;
}

/* Whether `word` begins two-word commands; with `to`, list their usages. */
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
			cli_usage("%s: another word must follow", argv[0]);
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

static int help_about(int argc, char **argv)
{
	char *ask[] = {argv[0], (char *)"--help", NULL};
	int words;

	const struct cli_command *row = find(argc, argv, &words);
	if (!row)
		return is_group(argv[0], stdout) ? 0 : unknown(argc, argv);
	int r = cli_run(row, 2, ask);
	if (!row->run_raw)
		printf("%s\n", row->summary);
	return r;
}

static int cmd_help(const json_t *args)
{
	const json_t *command = json_object_get(args, "command");
	const struct cli_command *row;
	char *words[2];
	int n = 0;

	for (; n < 2 && (size_t)n < json_array_size(command); n++)
		words[n] = (char *)json_string_value(json_array_get(command, n));
	if (n)
		return help_about(n, words);
	puts("usage: xbar COMMAND ...\n");
	for (size_t i = 0; (row = row_at(i)); i++)
		printf("  %-13s %s\n", row->name, row->summary);
	puts("\n`xbar help COMMAND` shows what a command takes; xbar(8) is the manual.\n"
	     "xbard is contacted at $XBAR_SOCKET, or at /run/xbar/xbard.sock.");
	return 0;
}

static int cmd_version(const json_t *args)
{
	(void)args;
	puts("xbar " XBAR_VERSION);
	return 0;
}

int main(int argc, char **argv)
{
	int words;

	if (argc < 2) {
		cmd_help(NULL);
		return CLI_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return cmd_help(NULL);
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
		return cmd_version(NULL);

	const struct cli_command *row = find(argc - 1, argv + 1, &words);
	if (!row)
		return unknown(argc - 1, argv + 1);
	int status = cli_run(row, argc - words, argv + words);
	if (fflush(stdout) && !status)
		return cli_fail("cannot write: %s", strerror(errno));
	return status;
}
