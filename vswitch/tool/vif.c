/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xbar vif ...: guests' network interfaces.
 */
#include <stdio.h>

#include "cli.h"

static void print_added(const json_t *result)
{
	printf("%s\t%s\n", cli_text(result, "socket"), cli_text(result, "mac"));
}

static void print_list(const json_t *result)
{
	json_t *vif, *domid;
	char xen[32];
	size_t i;

	printf("%-16s %-16s %-15s %-17s %-20s %s\n", "vif", "guest", "bridge", "mac", "ip", "attached by");
	json_array_foreach(json_object_get(result, "vifs"), i, vif)
	{
		domid = json_object_get(vif, "domid");
		snprintf(xen, sizeof(xen), "Xen domain %lld", (long long)json_integer_value(domid));
		printf("%-16s %-16s %-15s %-17s %-20s %s%s\n", cli_text(vif, "name"), cli_text(vif, "guest"),
		       cli_text(vif, "bridge"), cli_text(vif, "mac"), cli_text(vif, "ip"),
		       json_is_integer(domid) ? xen : cli_text(vif, "socket"),
		       json_is_true(json_object_get(vif, "pending")) ? " (its script is running)" : "");
	}
}

static const struct cli_arg add_args[] = {
	{"NAME", NULL, "name", CLI_WORD, false},
	{"BRIDGE", NULL, "bridge", CLI_WORD, false},
	{"--server", NULL, "server", CLI_TRUE, true},
	{"--socket", "PATH", "socket", CLI_STRING, true},
	{"--socket-owner", "USER", "socket_owner", CLI_STRING, true},
	{"--socket-group", "GROUP", "socket_group", CLI_STRING, true},
	{"--socket-mode", "MODE", "socket_mode", CLI_STRING, true},
	{"--mac", "MAC", "mac", CLI_STRING, true},
	{"--ip", "ADDRESSES", "ip", CLI_STRING, true},
	{"--mtu", NULL, "mtu", CLI_INT, true},
	{"--queues", NULL, "queues", CLI_INT, true},
	{"--no-offload", NULL, "no_offload", CLI_TRUE, true},
	{"--hotplug", NULL, "hotplug", CLI_TRUE, true},
	{"--script", "NAME", "script", CLI_STRING, true},
	{"--guest", "NAME", "guest", CLI_STRING, true},
	{"--devid", NULL, "devid", CLI_INT, true},
	{0},
};

static const struct cli_arg del_args[] = {
	{"NAME", NULL, "name", CLI_WORD, false},
	{0},
};

const struct cli_command vif_cli[] = {
	{.name = "vif add",
	 .summary = "create a vhost-user port for a guest, and print its socket and MAC",
	 .call = "vif-add",
	 .args = add_args,
	 .print = print_added},
	{.name = "vif del", .summary = "delete a guest's vhost-user port", .call = "vif-del", .args = del_args},
	{.name = "vif list", .summary = "list guests' ports", .call = "vif-list", .print = print_list},
	{0},
};
