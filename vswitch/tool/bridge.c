/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xbar show, xbar bridge ...: bridges, in brctl's columns.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"

static void print_id(const char *mac)
{
	fputs("8000.", stdout);
	if (!strcmp(mac, "-"))
		mac = "00:00:00:00:00:00";
	for (; *mac; mac++)
		if (*mac != ':')
			putchar(*mac);
}

/* Byte for byte what `brctl show` prints, since scripts parse it. */
static void print_show(const json_t *result)
{
	json_t *bridge, *interface;
	size_t i, j;

	puts("bridge name\tbridge id\t\tSTP enabled\tinterfaces");
	json_array_foreach(json_object_get(result, "bridges"), i, bridge)
	{
		const json_t *interfaces = json_object_get(bridge, "interfaces");

		printf("%s\t\t", cli_text(bridge, "name"));
		print_id(cli_text(bridge, "mac"));
		fputs("\tno\t\t", stdout);
		if (!json_array_size(interfaces))
			putchar('\n');
		json_array_foreach(interfaces, j, interface)
		{
			printf("%s%s\n", j ? "\t\t\t\t\t\t\t" : "", json_string_value(interface));
		}
	}
}

static void print_names(const json_t *result)
{
	json_t *bridge;
	size_t i;

	json_array_foreach(json_object_get(result, "bridges"), i, bridge)
	{
		puts(cli_text(bridge, "name"));
	}
}

static const struct cli_arg show_args[] = {
	{"BRIDGE", NULL, "bridge", CLI_WORD, true},
	{0},
};

static const struct cli_arg add_args[] = {
	{"NAME", NULL, "name", CLI_WORD, false},
	{"--no-host", NULL, "host", CLI_FALSE, true},
	{"--mac", "MAC", "mac", CLI_STRING, true},
	{"--mtu", NULL, "mtu", CLI_INT, true},
	{"--ageing", "SECONDS", "ageing", CLI_INT, true},
	{"--may-exist", NULL, "may_exist", CLI_TRUE, true},
	{0},
};

static const struct cli_arg del_args[] = {
	{"NAME", NULL, "name", CLI_WORD, false},
	{0},
};

static const struct cli_arg set_args[] = {
	{"NAME", NULL, "name", CLI_WORD, false},          {"--host", NULL, "host", CLI_ON_OFF, true},
	{"--mac", "MAC", "mac", CLI_STRING, true},        {"--mtu", NULL, "mtu", CLI_INT, true},
	{"--ageing", "SECONDS", "ageing", CLI_INT, true}, {0},
};

const struct cli_command bridge_cli[] = {
	{.name = "show",
	 .summary = "bridges and the interfaces on them",
	 .call = "show",
	 .args = show_args,
	 .print = print_show},
	{.name = "bridge add",
	 .summary = "create a bridge, with a host port of the same name",
	 .call = "bridge-add",
	 .args = add_args},
	{.name = "bridge del", .summary = "delete a bridge and its host port", .call = "bridge-del", .args = del_args},
	{.name = "bridge set", .summary = "change a bridge or its host port", .call = "bridge-set", .args = set_args},
	{.name = "bridge list", .summary = "list the names of the bridges", .call = "show", .print = print_names},
	{0},
};
