/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "client.h"

static __attribute__((format(printf, 1, 0))) void complain(const char *fmt, va_list ap)
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

const char *cli_string(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

bool cli_is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static bool is_word(const struct cli_arg *arg)
{
	return arg->kind == CLI_WORD || arg->kind == CLI_WORDS;
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
	for (const struct cli_arg *arg = command->args; arg && arg->name; arg++) {
		const char *value = value_name(arg), *last = strrchr(arg->name, ' ');
		bool bare = is_word(arg) && !arg->optional;
		fprintf(to, " %s%s%s%s%s%s", bare ? "" : "[", last ? last + 1 : arg->name, value ? " " : "",
			value ? value : "", bare ? "" : "]", arg->kind == CLI_WORDS ? "..." : "");
	}
	fputs(command->print ? " [--json]\n" : "\n", to);
	if (command->help)
		fputs(command->help, to);
}

/* Put `text` into `args` as `arg` wants it: 0 or CLI_USAGE. */
static int set_value(json_t *args, const struct cli_arg *arg, const char *text)
{
	json_t *value = NULL, *array;
	char *end;

	switch (arg->kind) {
	case CLI_WORD:
	case CLI_STRING:
		value = json_string_nocheck(text);
		break;
	case CLI_WORDS:
		array = json_object_get(args, arg->key);
		if (!array)
			json_object_set_new(args, arg->key, array = json_array());
		json_array_append_new(array, json_string_nocheck(text));
		return 0;
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
	json_object_set_new(args, arg->key, value);
	return 0;
}

/* Whether one of the names of `arg` is word[0..len). */
static bool has_name(const struct cli_arg *arg, const char *word, size_t len)
{
	for (const char *name = arg->name; *name; name += strspn(name, ", ")) {
		size_t n = strcspn(name, ",");
		if (n == len && !strncmp(name, word, len))
			return true;
		name += n;
	}
	return false;
}

/* The option that `word` ("--mtu" or "--mtu=9000") names, and *value after its '='; or NULL. */
static const struct cli_arg *find_option(const struct cli_arg *args, const char *word, const char **value)
{
	size_t len = strcspn(word, "=");

	*value = word[len] ? word + len + 1 : NULL;
	for (const struct cli_arg *arg = args; arg && arg->name; arg++)
		if (!is_word(arg) && has_name(arg, word, len))
			return arg;
	return NULL;
}

static int read_args(const struct cli_command *command, int argc, char **argv, json_t *args, bool *as_json)
{
	static const struct cli_arg none;
	const struct cli_arg *word = command->args ? command->args : &none;
	bool only_words = false;
	int r = 0;

	for (int i = 1; i < argc && !r; i++) {
		const char *value;
		if (only_words || argv[i][0] != '-') {
			if (!word->name || !is_word(word))
				return cli_usage("%s: unexpected word \"%s\"", command->name, argv[i]);
			r = set_value(args, word, argv[i]);
			if (word->kind == CLI_WORD)
				word++;
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
		bool takes_value = option->kind != CLI_TRUE && option->kind != CLI_FALSE;
		if (!takes_value && value)
			return cli_usage("%s: %s takes no value", command->name, option->name);
		if (takes_value && !value) {
			if (++i >= argc)
				return cli_usage("%s: %s needs a value", command->name, option->name);
			value = argv[i];
		}
		r = set_value(args, option, value);
	}
	if (!r && word->name && is_word(word) && !word->optional && !json_object_get(args, word->key))
		return cli_usage("%s: %s is missing", command->name, word->name);
	return r;
}

/* Takes the reference of `args`. */
static int call(const struct cli_command *command, json_t *args, bool as_json)
{
	struct err err;

	json_t *result = client_call(command->call, args, &err);
	if (!result)
		return cli_fail("%s", err.text);
	if (as_json) {
		json_dumpf(result, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (command->print) {
		command->print(result);
	}
	json_decref(result);
	return 0;
}

int cli_run(const struct cli_command *command, int argc, char **argv)
{
	json_t *args;
	bool as_json = false;

	if (command->run_raw)
		return command->run_raw(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "--help")) {
		cli_print_usage(command, stdout);
		return 0;
	}
	args = json_object();
	int r = read_args(command, argc, argv, args, &as_json);
	if (!r && command->call)
		return call(command, args, as_json);
	if (!r)
		r = command->run(args);
	json_decref(args);
	if (r == CLI_USAGE)
		cli_print_usage(command, stderr);
	return r;
}
