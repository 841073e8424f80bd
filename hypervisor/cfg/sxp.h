/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * S-expressions as xend read them: lists in parentheses, atoms, strings.
 *
 * Model. A string has either quote, may go over lines, and knows the escapes \a \b \t \n \v \f \r \\ \' \" \xHH \ooo;
 * before any other character the backslash stays (xend lost the character; there is a note). An atom begins with any
 * other printable character and ends before a blank, a '#', or one of {}()<>[]; so that a bracket is an atom's first
 * character or an atom of its own. A comment goes from '#' to the end of the line. Byte 4 (control-D) ends the text.
 * There is no difference between an atom and a string of the same bytes.
 *
 * Limits: lists nest to HV_DEPTH_MAX. Threads: none. Ownership: a node owns its children; the text it was parsed from is
 * needed for messages only.
 */
#ifndef HV_SXP_H
#define HV_SXP_H

#include <stdio.h>

#include "text.h"

struct hv_sxp {
	char *atom; /* NULL: a list */
	size_t at; /* where it begins in the text */
	struct hv_sxp *child; /* of a list */
	size_t n;
};

/* All values of the text, as a list. Returns 0, or -EINVAL, -ENOMEM with *out NULL. notes may be NULL. */
int hv_sxp_parse(const struct hv_text *text, struct hv_sxp **out, struct hv_notes *notes, struct err *err);
void hv_sxp_free(struct hv_sxp *sxp); /* NULL: nothing */

/* The name of a list: its first value where that is an atom; else NULL, as for an atom. */
const char *hv_sxp_name(const struct hv_sxp *sxp);

/*
 * Where the values of a named list begin: behind its name, and behind a list of attributes, ((@ ...)), if there is one.
 */
size_t hv_sxp_first(const struct hv_sxp *sxp);

/* Write the values of a list, one on a line, in one fixed form that parses to the same again. */
void hv_sxp_print(const struct hv_sxp *list, FILE *out);

#endif
