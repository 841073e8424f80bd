/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "client.h"
#include "net.h"
#include "vswitch/base/nearest.h"

enum key_kind { TEXT, NUMBER, YES_NO };

/* The daemon knows which of them a command takes, and their bounds. */
static const struct key {
	const char *name;
	enum key_kind kind;
	const char *help;
} keys[] = {
	{"netdev", TEXT,
	 "the host's netdev; dummyN: none, for a private bridge (default: the default route's, or ethVIFNUM)"},
	{"bridge", TEXT, "the bridge, and the host's own netdev on it (default: xenbrVIFNUM)"},
	{"vifnum", NUMBER, "the number in both defaults"},
	{"antispoof", YES_NO, "check guests' source addresses (default: no)"},
	{"rename", YES_NO, "rename NETDEV to pNETDEV (default: yes for ethN, else no)"},
	{"address", TEXT, "ADDRESS/LENGTH[,...] for the host on the bridge"},
	{"wait", NUMBER, "seconds to wait for the netdev to appear (default: 0)"},
	{"confirm", NUMBER,
	 "seconds in which gateways that answered before must answer over the bridge, else everything is undone; "
	 "0: do not ask them (default: 10)"},
	{"until", NUMBER, "apply only this many steps of the plan"},
};
#define KEYS (sizeof(keys) / sizeof(*keys))

static void print_start(const json_t *result);
static void print_stop(const json_t *result);
static void print_status(const json_t *result);
static void print_plan(const json_t *result);
static void print_confirm(const json_t *result);

static const struct op {
	const char *name, *call;
	void (*print)(const json_t *result);
} ops[] = {
	{"start", "net-start", print_start},       {"stop", "net-stop", print_stop},
	{"status", "net-status", print_status},    {"plan", "net-plan", print_plan},
	{"confirm", "net-confirm", print_confirm},
};
#define OPS (sizeof(ops) / sizeof(*ops))

static void print_addresses(const json_t *record)
{
	json_t *address;
	size_t i;

	json_array_foreach(json_object_get(record, "addresses"), i, address)
		printf("%s%s", i ? ", " : "", json_string_value(address));
	if (!i)
		fputs("no address", stdout);
}

static void print_list(FILE *to, const json_t *list)
{
	json_t *text;
	size_t i;

	json_array_foreach(list, i, text) fprintf(to, "%s%s", i ? ", " : "", json_string_value(text));
}

/* What has confirmed the start; and what could not, since that may surprise. */
static void print_confirmation(const json_t *result)
{
	const json_t *gateways = json_object_get(result, "gateways"), *silent = json_object_get(result, "silent");
	const char *how = cli_text(result, "confirmation");

	if (!strcmp(how, "by gateways")) {
		fputs("; confirmed by ", stdout);
		print_list(stdout, gateways);
	} else {
		printf("; %s", !strcmp(how, "by hand")      ? "confirmed by hand"
			       : !strcmp(how, "off")        ? "no confirmation was asked for"
			       : !strcmp(how, "no gateway") ? "there is no gateway to confirm it"
							    : "not confirmed");
	}
	if (!json_array_size(silent))
		return;
	fflush(stdout);
	fputs("xbar: warning: ", stderr);
	print_list(stderr, silent);
	fputs(json_array_size(silent) > 1 ? ": these gateways" : ": this gateway", stderr);
	fprintf(stderr, " did not answer before the start either%s\n",
		json_array_size(gateways) ? "" : ", so it is unknown whether the host still has a network");
}

static void print_note(const json_t *result)
{
	const char *note = json_string_value(json_object_get(result, "note"));

	fflush(stdout);
	if (note)
		fprintf(stderr, "xbar: warning: %s\n", note);
}

static void print_start(const json_t *result)
{
	const char *bridge = cli_text(result, "bridge"), *netdev = cli_text(result, "netdev");
	const char *uplink = cli_text(result, "uplink");

	if (json_is_true(json_object_get(result, "already"))) {
		printf("%s is behind %s already\n", netdev, bridge);
		return;
	}
	printf("%s has taken over %s: ", bridge, netdev);
	print_addresses(result);
	if (strcmp(uplink, "-")) {
		printf("; uplink %s; the host's traffic was interrupted for %.1f ms", uplink,
		       json_integer_value(json_object_get(result, "interrupted_us")) / 1000.0);
		print_confirmation(result);
	}
	putchar('\n');
	print_note(result);
}

static void print_stop(const json_t *result)
{
	if (!json_is_true(json_object_get(result, "stopped"))) {
		puts("nothing to stop");
		return;
	}
	printf("%s has given back %s, which is as it was\n", cli_text(result, "bridge"), cli_text(result, "netdev"));
}

static void print_progress(const json_t *record)
{
	bool public = json_is_string(json_object_get(record, "uplink"));

	if (!json_is_true(json_object_get(record, "done")))
		fputs("incomplete\t", stdout);
	else if (json_object_get(record, "seconds_left"))
		printf("unconfirmed, %lld s left for %s\t",
		       (long long)json_integer_value(json_object_get(record, "seconds_left")),
		       cli_text(record, "missing"));
	else if (public && !json_is_true(json_object_get(record, "uplink_there")))
		fputs("uplink gone\t", stdout);
	else
		printf("%s\t", json_is_true(json_object_get(record, "unconfirmed")) ? "unconfirmed" : "started");
}

static void print_status(const json_t *result)
{
	json_t *record;
	size_t i;

	if (!json_array_size(result))
		puts("no netdev of the host is behind a bridge");
	json_array_foreach(result, i, record)
	{
		const json_t *error = json_object_get(record, "error");
		if (error) {
			printf("error: %s\n", json_string_value(error));
			continue;
		}
		printf("%s\tnetdev %s\tuplink %s\t", cli_text(record, "bridge"), cli_text(record, "netdev"),
		       cli_text(record, "uplink"));
		print_progress(record);
		print_addresses(record);
		putchar('\n');
	}
}

static void print_plan(const json_t *result)
{
	json_t *step;
	size_t i;

	if (json_is_true(json_object_get(result, "already")))
		printf("%s is behind %s already; starting it again checks these steps:\n", cli_text(result, "netdev"),
		       cli_text(result, "bridge"));
	json_array_foreach(json_object_get(result, "steps"), i, step)
		printf("%2zu  %-9s  %s\n", i + 1, cli_text(step, "step"), cli_text(step, "text"));
	print_note(result);
}

static void print_confirm(const json_t *result)
{
	(void)result;
	puts("the start is confirmed");
}

static void usage(FILE *to)
{
	fputs("usage: xbar net {start|stop|status|plan|confirm} [--json] [KEY=VALUE]...\n", to);
	for (size_t i = 0; i < KEYS; i++)
		fprintf(to, "  %-10s %s\n", keys[i].name, keys[i].help);
}

static const char *key_at(const void *arg, size_t i)
{
	(void)arg;
	return i < KEYS ? keys[i].name : NULL;
}

static json_t *value_of(const struct key *key, const char *text)
{
	static const char *const yes[] = {"yes", "on", "true", "1", "y"}, *const no[] = {"no", "off", "false", "0",
											 "n"};
	char *end;

	if (key->kind == TEXT)
		return json_string(text);
	if (key->kind == NUMBER) {
		long long number = strtoll(text, &end, 10);
		return *text >= '0' && *text <= '9' && !*end ? json_integer(number) : NULL;
	}
	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
		if (!strcmp(text, yes[i]))
			return json_true();
		if (!strcmp(text, no[i]))
			return json_false();
	}
	return NULL;
}

/* Put "KEY=VALUE" into `args`: 0, or an exit status after saying what is wrong. */
static int add_word(json_t *args, const char *word)
{
	const char *equals = strchr(word, '=');

	if (!equals)
		return cli_usage("net: \"%s\" is not of the form KEY=VALUE; `xbar net help` lists the keys", word);
	for (size_t i = 0; i < KEYS; i++) {
		if (strlen(keys[i].name) != (size_t)(equals - word) || strncmp(word, keys[i].name, equals - word))
			continue;
		if (json_object_get(args, keys[i].name))
			return cli_usage("net: %s is given twice", keys[i].name);
		json_t *value = value_of(&keys[i], equals + 1);
		if (!value)
			return cli_usage("net: %s=%s: %s", keys[i].name, equals + 1,
					 keys[i].kind == NUMBER   ? "that is not a number"
					 : keys[i].kind == YES_NO ? "say yes or no"
								  : "that is not UTF-8 text");
		json_object_set_new(args, keys[i].name, value);
		return 0;
	}
	char name[64];
	snprintf(name, sizeof(name), "%.*s", (int)(equals - word), word);
	const char *near = nearest_word(name, key_at, NULL);
	return cli_usage("net: \"%s\" is not a key%s%s%s; `xbar net help` lists the keys", name,
			 near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

int cmd_net(int argc, char **argv)
{
	const struct op *op = NULL;
	bool as_json = false;
	struct err err;
	int status = 0;

	if (argc >= 2 && (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		usage(stdout);
		return 0;
	}
	for (size_t i = 0; argc >= 2 && i < OPS; i++)
		if (!strcmp(argv[1], ops[i].name))
			op = &ops[i];
	if (!op) {
		usage(stderr);
		return CLI_USAGE;
	}
	json_t *args = json_object();
	for (int i = 2; i < argc && !status; i++) {
		if (!strcmp(argv[i], "--json"))
			as_json = true;
		else
			status = add_word(args, argv[i]);
	}
	if (status) {
		json_decref(args);
		return status;
	}
	json_t *result = client_call(op->call, args, &err);
	if (!result)
		return cli_fail("%s", err.text);
	if (as_json) {
		json_dumpf(result, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		op->print(result);
	}
	json_decref(result);
	return 0;
}
