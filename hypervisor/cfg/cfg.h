/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The grammar of a guest's cfg file: xl's, which is the part of Python that is data.
 *
 *     file    = { [ NAME ( "=" | "+=" ) value ] ( newline | ";" ) }
 *     value   = NUMBER | STRING | "[" [ value { "," value } [ "," ] ] "]"
 *
 * A comment begins with '#'. Within a list newlines and comments may surround each value. A backslash at the end of a line
 * continues it, also in a string: Python has that, xl does not. Names begin with a lower-case letter. Strings have either
 * kind of quote, end on the line that they begin on, and know the escapes \\ \' \" \a \b \f \n \r \t \v \xHH and \ooo
 * (of the last two, xl of Xen 4.17 refuses \xHH, and leaves \ooo out of the string without a message: a note says so).
 * Numbers are kept as text (hexadecimal with 0x, octal with a leading 0) until hv_cfg_number() is called.
 *
 * The last of several settings of one name counts; "+=" adds to the one before.
 *
 * Why not libxlutil: it is Xen's private ABI and changes with each release, it is not installed on hosts without Xen, it
 * has no columns in its messages, and it cannot be fuzzed apart from the rest of Xen's libraries.
 *
 * Limits: lists nest to HV_DEPTH_MAX, HV_CFG_SETTINGS_MAX settings. Threads: none. Ownership: struct hv_cfg owns all it
 * points to; the text it was parsed from is needed only for messages.
 */
#ifndef HV_CFG_H
#define HV_CFG_H

#include <stdbool.h>
#include <stdio.h>

#include "text.h"

#define HV_CFG_SETTINGS_MAX 1024

enum hv_cfg_kind { HV_CFG_STRING, HV_CFG_NUMBER, HV_CFG_LIST };

struct hv_cfg_value {
	enum hv_cfg_kind kind;
	size_t at; /* where it begins in the text */
	char *string; /* of a string, with its escapes resolved; the number as written; NULL for a list */
	uint32_t *src; /* strlen(string) + 1 of them: src[i] is the place of string[i] in the text */
	struct hv_cfg_value *item; /* of a list */
	size_t nitem;
};

struct hv_cfg_setting {
	char *name;
	size_t at;
	bool added; /* "+=" was used */
	struct hv_cfg_value value;
};

struct hv_cfg {
	struct hv_cfg_setting *setting; /* each name once, in the order in which they were first set */
	size_t n;
};

/* Returns 0, or -EINVAL, -ENOMEM with *out NULL. notes may be NULL. */
int hv_cfg_parse(const struct hv_text *text, struct hv_cfg **out, struct hv_notes *notes, struct err *err);
void hv_cfg_free(struct hv_cfg *cfg); /* NULL is allowed */

/* NULL: not set. */
const struct hv_cfg_setting *hv_cfg_find(const struct hv_cfg *cfg, const char *name);

/*
 * The value of a setting as a number from min to max. As with xl a string may hold the number. -EINVAL: it is not a
 * number, or out of range.
 */
int hv_cfg_number(const struct hv_text *text, const struct hv_cfg_setting *setting, long min, long max, long *out,
		  struct err *err);

/* The value of a setting as text; numbers are text too. NULL with an error: it is a list. Valid as long as the setting. */
const char *hv_cfg_string(const struct hv_text *text, const struct hv_cfg_setting *setting, struct err *err);

/* Write a setting as a line, in one fixed form that parses to the same. */
void hv_cfg_print_setting(const struct hv_cfg_setting *setting, FILE *out);

/* Write a string in quotes, as both this grammar and that of xend-config.sxp read it. */
void hv_print_quoted(const char *string, FILE *out);

#endif
