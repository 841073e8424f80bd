/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tool's command line, as data. A command is a row with the words and options that it takes. Most rows name a command
 * of xbard, whose request they fill, and a function that prints the result, and need no other code.
 *
 * Exit status: 0; CLI_FAILURE, with a sentence on standard error, if the operation failed; CLI_USAGE if the command line
 * is wrong.
 */
#ifndef XBAR_CLI_H
#define XBAR_CLI_H

#include <stdbool.h>

#include <jansson.h>

#define CLI_FAILURE 1
#define CLI_USAGE 2

enum cli_kind { /* what a word or option puts into the arguments */
		CLI_WORD, /* not an option: the next word, a string */
		CLI_WORDS, /* all further words, an array of strings; there is no other word after it */
		CLI_STRING, /* an option with a value, as the following */
		CLI_INT,
		CLI_ON_OFF,
		CLI_TRUE, /* an option without a value */
		CLI_FALSE, /* likewise */
};

struct cli_arg { /* an array of these ends with an empty one; words come before options */
	const char *name; /* as the usage shows it: "NAME", "--mtu"; of two forms of an option both: "-w, --wait" */
	const char *value; /* what the usage shows for the option's value; NULL: as the kind has it */
	const char *key; /* of the arguments' member */
	enum cli_kind kind;
	bool optional; /* a word that may be left out; options always may */
};

struct cli_command { /* a table of these ends with an empty one */
	const char *name; /* one or two words: "show", "bridge add" */
	const char *summary; /* for `xbar help` */
	const struct cli_arg *args; /* NULL: none */
	const char *help; /* lines about them, for the command's usage; NULL: none */
	/* Either: ask xbard for `call` with the arguments, and print. `--json` prints the result as it came. */
	const char *call;
	void (*print)(const json_t *result); /* NULL: print nothing */
	/* Or: run this with the arguments; their reference stays the caller's. */
	int (*run)(const json_t *args);
	/* Or: run this with the command line as it is; argv[0] is the command's last word. It shows its own usage. */
	int (*run_raw)(int argc, char **argv);
};

extern const struct cli_command bridge_cli[]; /* bridge.c */
extern const struct cli_command port_cli[]; /* port.c */
extern const struct cli_command vif_cli[]; /* vif.c */
extern const struct cli_command daemon_cli[]; /* daemon.c */
extern const struct cli_command check_cli[]; /* check.c */
extern const struct cli_command guest_cli[]; /* guest/guest.c */

/* Run a row; argv[0] is the command's last word. Returns the exit status. */
int cli_run(const struct cli_command *command, int argc, char **argv);
/* Print "usage: xbar ..." of a row that does not have run_raw. */
void cli_print_usage(const struct cli_command *command, FILE *to);
/* Say what is wrong with the command line; returns CLI_USAGE. */
int cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Say what went wrong; returns CLI_FAILURE. */
int cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Member `key` of `object` as text: "-" if it is null or missing. */
const char *cli_text(const json_t *object, const char *key);
/* Member `key` of `object` as a string, or NULL. */
const char *cli_string(const json_t *object, const char *key);
/* Whether member `key` of `object` is true. */
bool cli_is_true(const json_t *object, const char *key);

#endif
