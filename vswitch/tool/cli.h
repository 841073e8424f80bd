/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tool's command line, as data. A command is a row; most rows name a command of xbard, the words and options that
 * make its arguments, and a function that prints the result, and need no code of their own.
 *
 * Exit status: 0; CLI_FAILURE, and a sentence on standard error, where xbard or the thing itself said no; CLI_USAGE
 * where the command line made no sense.
 */
#ifndef XBAR_CLI_H
#define XBAR_CLI_H

#include <stdbool.h>

#include <jansson.h>

#define CLI_FAILURE 1
#define CLI_USAGE 2

enum cli_kind { /* what a word or option puts into the request */
		CLI_WORD, /* not an option: the next word, a string */
		CLI_STRING,
		CLI_INT,
		CLI_TRUE, /* an option without a value */
		CLI_FALSE, /* likewise */
		CLI_ON_OFF,
};

struct cli_arg { /* an array of these ends with an empty one; words come before options */
	const char *name; /* as the usage shows it: "NAME", "--mtu" */
	const char *value; /* what the usage shows for the option's value; NULL: as the kind has it */
	const char *key; /* of the request's member */
	enum cli_kind kind;
	bool optional; /* a word that may be left out; options always may */
};

struct cli_command { /* a table of these ends with an empty one */
	const char *name; /* one or two words: "show", "bridge add" */
	const char *summary; /* for `xbar help` */
	/* Either: ask xbard for `call`, with `args`, and print. `--json` prints the result as it came. */
	const char *call;
	const struct cli_arg *args; /* NULL: none */
	void (*print)(const json_t *result); /* NULL: print nothing */
	/* Or: run this. argv[0] is the command's last word. */
	int (*run)(int argc, char **argv);
	const char *usage; /* with `run`: what may follow the name; NULL: the command shows its own */
};

extern const struct cli_command bridge_cli[]; /* bridge.c */
extern const struct cli_command port_cli[]; /* port.c */
extern const struct cli_command vif_cli[]; /* vif.c */
extern const struct cli_command daemon_cli[]; /* daemon.c */

/* Run a row that has `call`. */
int cli_call(const struct cli_command *command, int argc, char **argv);
/* Print "usage: xbar ..." of a row. */
void cli_print_usage(const struct cli_command *command, FILE *to);
/* Say what is wrong with the command line; returns CLI_USAGE. */
int cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Say what went wrong; returns CLI_FAILURE. */
int cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Member `key` of `object` as text: "-" where it is null or not there. */
const char *cli_text(const json_t *object, const char *key);

#endif
