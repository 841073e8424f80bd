/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xend-config.sxp: the scripts that bring up the host's network and each vif.
 *
 * The grammar is xend's: S-expressions, each option a list (NAME VALUE...). A string has either kind of quote, may span
 * lines, and knows the escapes \a \b \t \n \v \f \r \\ \' \" \xHH \ooo; before any other character the backslash is kept
 * (xend lost the character; there is a note). A word begins with any other printable character and ends before a blank, a
 * '#', or one of {}()<>[]; so that a bracket can only be a word's first character. A comment extends from '#' to the end
 * of the line. Byte 4 (Ctrl-D) ends the text.
 *
 * Model. Two options are read. As with xend, the first of several settings counts; (network-script 'NAME ARG...') is one
 * string, split at blanks; no setting, or an empty one, means no script. Other options are ignored, with a note if the
 * name looks like a misspelling of one of the two. Scripts are named as written; the caller resolves relative names.
 *
 * Limits: lists nest to HV_DEPTH_MAX. Threads: none. Ownership: struct hv_xend owns all it points to; free it with
 * hv_xend_free().
 */
#ifndef HV_XEND_H
#define HV_XEND_H

#include <stdio.h>

#include "text.h"

struct hv_xend_script {
	char **argv; /* the script and its arguments, NULL-terminated; NULL: none */
	size_t argc;
	unsigned line; /* where it was set; 0: nowhere */
};

struct hv_xend {
	char *path; /* of the file it was read from */
	struct hv_xend_script network, vif; /* `vif` has xend's default, vif-bridge, if it is not set */
	struct hv_notes notes; /* warnings: print them */
};

/* Returns 0, or -errno (-EINVAL for what the file says, -ENOMEM, else from reading it) with *out NULL. */
int hv_xend_load(const char *path, struct hv_xend **out, struct err *err);
int hv_xend_parse(const struct hv_text *text, struct hv_xend **out, struct err *err);
/* Write the two options, as far as they are set, in one fixed form that parses to the same. */
void hv_xend_print(const struct hv_xend *xend, FILE *out);
void hv_xend_free(struct hv_xend *xend); /* NULL is allowed */

#endif
