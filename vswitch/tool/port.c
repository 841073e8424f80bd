/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xbar port ..., uplink ..., fdb ..., stats: ports of every kind, their counters and the MAC table.
 */
#include <stdio.h>

#include "cli.h"
#include "top.h"

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static bool is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static void print_ports(const json_t *result)
{
	json_t *port;
	size_t i;

	printf("%-16s %-11s %-15s %-13s %s\n", "port", "kind", "bridge", "link", "");
	json_array_foreach(json_object_get(result, "ports"), i, port)
	{
		bool cut = !json_is_null(json_object_get(port, "quarantine"));
		printf("%-16s %-11s %-15s %-13s %s\n", cli_text(port, "name"), cli_text(port, "kind"),
		       cli_text(port, "bridge"),
		       cut                          ? "quarantined"
		       : is_true(port, "connected") ? "connected"
						    : "not connected",
		       cut ? cli_text(port, "quarantine") : cli_text(port, "detail"));
	}
}

static void print_direction(const char *what, const json_t *counters)
{
	printf("  %-9s %lld frames, %lld bytes; %lld GSO frames; longest frame %lld bytes\n", what,
	       number(counters, "frames"), number(counters, "bytes"), number(counters, "gso_frames"),
	       number(counters, "longest"));
}

static void print_queues(const json_t *queues)
{
	json_t *queue;
	size_t i;

	if (json_array_size(queues) < 2)
		return;
	json_array_foreach(queues, i, queue)
	{
		printf("  queue %-3zu %lld frames received, %lld sent since the guest connected\n", i,
		       number(queue, "rx_frames"), number(queue, "tx_frames"));
	}
}

static void print_port_stats(json_t *port)
{
	const char *quarantine = json_string_value(json_object_get(port, "quarantine"));
	const char *name;
	json_t *count;

	printf("%s: %s, %s, on bridge %s\n", cli_text(port, "name"), cli_text(port, "kind"),
	       quarantine                   ? "quarantined"
	       : is_true(port, "connected") ? "connected"
					    : "not connected",
	       cli_text(port, "bridge"));
	if (quarantine)
		printf("  %-9s %s (`xbar port release %s` lets it try again)\n", "why", quarantine,
		       cli_text(port, "name"));
	printf("  %-9s %s; mac %s; mtu %lld; %lld queue%s, worker %lld\n", "is", cli_text(port, "detail"),
	       cli_text(port, "mac"), number(port, "mtu"), number(port, "queues"),
	       number(port, "queues") == 1 ? "" : "s", number(port, "worker"));
	printf("  %-9s %s\n", "features", cli_text(port, "features"));
	print_direction("received", json_object_get(port, "rx"));
	print_direction("sent", json_object_get(port, "tx"));
	print_queues(json_object_get(port, "per_queue"));
	printf("  %-9s %lld segments created, %lld checksums completed\n", "software",
	       number(port, "software_segments"), number(port, "software_checksums"));
	if (number(port, "grant_copies"))
		printf("  %-9s %lld copies by the hypervisor\n", "grants", number(port, "grant_copies"));
	json_object_foreach(json_object_get(port, "drops"), name, count)
	{
		printf("  %-9s %lld %s\n", "dropped", (long long)json_integer_value(count), name);
	}
}

/* The MAC table, which all bridges share; and if it has refused addresses, what that means. */
static void print_mac_table(const json_t *result)
{
	const json_t *table = json_object_get(result, "mac_table");

	if (!table)
		return;
	printf("MAC table: %lld of %lld entries in use; at most %lld for a port, %lld for an uplink\n",
	       number(table, "entries"), number(table, "size"), number(table, "port_limit"),
	       number(table, "uplink_limit"));
	printf("  %lld learned, %lld moved to another port (%lld moves put off), %lld aged out, %lld refused\n",
	       number(table, "learned"), number(table, "moved"), number(table, "held"), number(table, "aged"),
	       number(table, "refused"));
	if (number(table, "refused"))
		printf("  refused: a port was at its limit, or the table was full there. Frames to such an address "
		       "are\n"
		       "  flooded to the whole bridge. A guest that sends from very many addresses may be the cause:\n"
		       "  `xbar fdb show` lists them by port\n");
}

static void print_stats(const json_t *result)
{
	json_t *port;
	size_t i;

	json_array_foreach(json_object_get(result, "ports"), i, port)
	{
		print_port_stats(port);
	}
	print_mac_table(result);
}

static void print_macs(const json_t *result)
{
	json_t *row;
	size_t i;

	printf("%-16s\tmac addr\t\tis local?\tageing timer\tbridge\n", "port");
	json_array_foreach(json_object_get(result, "macs"), i, row)
	{
		printf("%-16s\t%s\t%s\t\t%4lld.00\t\t%s\n", cli_text(row, "port"), cli_text(row, "mac"),
		       is_true(row, "local")    ? "yes"
		       : is_true(row, "static") ? "static"
						: "no",
		       number(row, "age"), cli_text(row, "bridge"));
	}
}

static const struct cli_arg join_args[] = {
	{"PORT", NULL, "port", CLI_WORD, false},
	{"BRIDGE", NULL, "bridge", CLI_WORD, false},
	{0},
};

static const struct cli_arg port_args[] = {
	{"PORT", NULL, "port", CLI_WORD, false},
	{0},
};

static const struct cli_arg uplink_add_args[] = {
	{"BRIDGE", NULL, "bridge", CLI_WORD, false},
	{"NETDEV", NULL, "netdev", CLI_WORD, false},
	{"--driver", "af_packet|af_xdp|pci", "driver", CLI_STRING, true},
	{0},
};

static const struct cli_arg uplink_del_args[] = {
	{"NETDEV", NULL, "netdev", CLI_WORD, false},
	{0},
};

static const struct cli_arg fdb_args[] = {
	{"BRIDGE", NULL, "bridge", CLI_WORD, true},
	{0},
};

static const struct cli_arg flush_args[] = {
	{"BRIDGE", NULL, "bridge", CLI_WORD, true},
	{"--port", "PORT", "port", CLI_STRING, true},
	{0},
};

static const struct cli_arg fdb_change_args[] = {
	{"PORT", NULL, "port", CLI_WORD, false},
	{"MAC", NULL, "mac", CLI_WORD, false},
	{0},
};

static const struct cli_arg stats_args[] = {
	{"PORT", NULL, "port", CLI_WORD, true},
	{0},
};

static const struct cli_arg top_args[] = {
	{"-d", "SECONDS", "delay", CLI_INT, true},
	{"-n", "TIMES", "times", CLI_INT, true},
	{0},
};

const struct cli_command port_cli[] = {
	{.name = "port list", .summary = "list ports of every kind", .call = "stats", .print = print_ports},
	{.name = "port join", .summary = "put a port on a bridge", .call = "port-join", .args = join_args},
	{.name = "port leave", .summary = "take a port off its bridge", .call = "port-leave", .args = port_args},
	{.name = "port release", .summary = "end the quarantine of a port", .call = "port-release", .args = port_args},
	{.name = "uplink add",
	 .summary = "put a network interface of the host on a bridge",
	 .call = "uplink-add",
	 .args = uplink_add_args},
	{.name = "uplink del",
	 .summary = "take a network interface off its bridge",
	 .call = "uplink-del",
	 .args = uplink_del_args},
	{.name = "fdb show",
	 .summary = "list MAC addresses: learned, static, and the host's own",
	 .call = "fdb-show",
	 .args = fdb_args,
	 .print = print_macs},
	{.name = "fdb stats",
	 .summary = "how full the MAC table is, and what it has refused",
	 .call = "fdb-stats",
	 .print = print_mac_table},
	{.name = "fdb add",
	 .summary = "fix a MAC address to a port: it does not age, and nobody else can claim it",
	 .call = "fdb-add",
	 .args = fdb_change_args},
	{.name = "fdb del", .summary = "undo `fdb add`", .call = "fdb-del", .args = fdb_change_args},
	{.name = "fdb flush", .summary = "forget learned MAC addresses", .call = "fdb-flush", .args = flush_args},
	{.name = "stats",
	 .summary = "counters, drops and features per port; the MAC table",
	 .call = "stats",
	 .args = stats_args,
	 .print = print_stats},
	{.name = "top", .summary = "rates per port, refreshed", .args = top_args, .run = cmd_top},
	{0},
};
