/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Source text and its errors: every parser of configuration reads a struct hv_text and reports places in it.
 *
 * Model. A place is a byte offset into the text. Line and column (both from 1, the column in bytes) are computed only for
 * messages. The first thing that cannot be understood ends a parse with an error. What is understood but has no effect,
 * or is probably not what was meant, becomes a note, and the parse continues.
 *
 * Limits. A text has at most HV_TEXT_MAX bytes and no NUL, so that parsers need no limits on lengths, and offsets fit in
 * uint32_t. At most HV_NOTES_MAX notes are kept; one more says that others were left out.
 *
 * Threads: no shared state; an object belongs to its caller. Errors: 0 or -errno with a struct err.
 */
#ifndef HV_TEXT_H
#define HV_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "vswitch/base/err.h"

#define HV_TEXT_MAX (256u << 10)
#define HV_NOTES_MAX 50
#define HV_DEPTH_MAX 64 /* lists within lists */

/* Warnings, in the same form as errors. All zeroes: none. */
struct hv_notes {
	char **line;
	size_t n;
};

struct hv_text {
	char *name; /* for messages: the path, or e.g. "--vif" */
	char *data; /* len bytes and a NUL */
	size_t len;
};

/*
 * Read the file at `path`. Returns 0, or -errno: what open and read give, -EISDIR, -EFBIG beyond HV_TEXT_MAX, -EINVAL on
 * a NUL byte. On failure there is nothing to free. hv_text_fini() may be called on all zeroes.
 */
int hv_text_load(struct hv_text *text, const char *path, struct err *err);

/* The same from memory: name and data are copied. */
int hv_text_copy(struct hv_text *text, const char *name, const char *data, size_t len, struct err *err);
void hv_text_fini(struct hv_text *text);

/* Line and column of the byte at `at` (len: the end). */
void hv_text_place(const struct hv_text *text, size_t at, unsigned *line, unsigned *column);

/* Fill `err` with "FILE:LINE:COL: sentence", without a newline, and with the place. Always returns -EINVAL. */
int hv_err_at(struct err *err, const struct hv_text *text, size_t at, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * Fill `err` with `sentence` and set only err->column, to at + 1: for the parser of a word, whose caller knows where the
 * word is. Always returns -EINVAL.
 */
int hv_err_in_word(struct err *err, size_t at, const char *sentence);

/* Add a note: "FILE:LINE:COL: warning: SENTENCE". If memory runs out, the note is lost. `notes` may be NULL. */
void hv_note_at(struct hv_notes *notes, const struct hv_text *text, size_t at, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void hv_notes_fini(struct hv_notes *notes);

#endif
