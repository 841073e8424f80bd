/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "client.h"

static void complain(const char *fmt, va_list ap)
{
	fputs("xbar: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

int cli_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	return CLI_USAGE;
}

int cli_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	return CLI_FAILURE;
}

const char *cli_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "-";
}

static const char *value_name(const struct cli_arg *arg)
{
	if (arg->value)
		return arg->value;
	switch (arg->kind) {
	case CLI_STRING:
		return "TEXT";
	case CLI_INT:
		return "N";
	case CLI_ON_OFF:
		return "on|off";
	default:
		return NULL;
	}
}

void cli_print_usage(const struct cli_command *command, FILE *to)
{
	fprintf(to, "usage: xbar %s", command->name);
	if (command->usage && *command->usage)
		fprintf(to, " %s", command->usage);
	for (const struct cli_arg *arg = command->args; arg && arg->name; arg++) {
		const char *value = value_name(arg);
		bool bare = arg->kind == CLI_WORD && !arg->optional;
		fprintf(to, bare ? " %s%s%s%s" : " [%s%s%s%s]", arg->name, value ? " " : "", value ? value : "", "");
	}
	fputs(command->print ? " [--json]\n" : "\n", to);
}

/* Put `text` into the request as `arg` wants it: 0 or CLI_USAGE. */
static int set_value(json_t *request, const struct cli_arg *arg, const char *text)
{
	json_t *value = NULL;
	char *end;

	switch (arg->kind) {
	case CLI_WORD:
	case CLI_STRING:
		value = json_string(text);
		if (!value)
			return cli_usage("%s: the value is not UTF-8 text", arg->name);
		break;
	case CLI_INT: {
		errno = 0;
		long long number = strtoll(text, &end, 10);
		if (errno || end == text || *end)
			return cli_usage("%s: \"%s\" is not a whole number", arg->name, text);
		value = json_integer(number);
		break;
	}
	case CLI_ON_OFF:
		if (strcmp(text, "on") && strcmp(text, "off"))
			return cli_usage("%s: \"%s\" is neither on nor off", arg->name, text);
		value = json_boolean(!strcmp(text, "on"));
		break;
	case CLI_TRUE:
	case CLI_FALSE:
		value = json_boolean(arg->kind == CLI_TRUE);
		break;
	}
	json_object_set_new(request, arg->key, value);
	return 0;
}

/* The option that `word` ("--mtu" or "--mtu=9000") names, and *value behind its '='; or NULL. */
static const struct cli_arg *find_option(const struct cli_arg *args, const char *word, const char **value)
{
	size_t len = strcspn(word, "=");

	*value = word[len] ? word + len + 1 : NULL;
	for (const struct cli_arg *arg = args; arg && arg->name; arg++)
		if (arg->kind != CLI_WORD && strlen(arg->name) == len && !strncmp(arg->name, word, len))
			return arg;
	return NULL;
}

static int read_args(const struct cli_command *command, int argc, char **argv, json_t *request, bool *as_json)
{
	const struct cli_arg *word = command->args;
	bool only_words = false;
	int r = 0;

	for (int i = 1; i < argc && !r; i++) {
		const char *value;
		if (only_words || argv[i][0] != '-') {
			if (!word || !word->name || word->kind != CLI_WORD)
				return cli_usage("%s: unexpected word \"%s\"", command->name, argv[i]);
			r = set_value(request, word++, argv[i]);
			continue;
		}
		if (!strcmp(argv[i], "--")) {
			only_words = true;
			continue;
		}
		if (command->print && !strcmp(argv[i], "--json")) {
			*as_json = true;
			continue;
		}
		const struct cli_arg *option = find_option(command->args, argv[i], &value);
		if (!option)
			return cli_usage("%s: unknown option %s", command->name, argv[i]);
		bool wants = option->kind != CLI_TRUE && option->kind != CLI_FALSE;
		if (!wants && value)
			return cli_usage("%s: %s takes no value", command->name, option->name);
		if (wants && !value) {
			if (++i >= argc)
				return cli_usage("%s: %s wants a value", command->name, option->name);
			value = argv[i];
		}
		r = set_value(request, option, value);
	}
	if (!r && word && word->name && word->kind == CLI_WORD && !word->optional)
		return cli_usage("%s: %s is missing", command->name, word->name);
	return r;
}

int cli_call(const struct cli_command *command, int argc, char **argv)
{
	json_t *request = json_object();
	bool as_json = false;
	char err[2048];

	int r = read_args(command, argc, argv, request, &as_json);
	if (r) {
		json_decref(request);
		return r;
	}
	json_t *result = client_call(command->call, request, err, sizeof(err));
	if (!result)
		return cli_fail("%s", err);
	if (as_json) {
		json_dumpf(result, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (command->print) {
		command->print(result);
	}
	json_decref(result);
	return 0;
}
