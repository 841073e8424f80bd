/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A growing argument vector, as execve(2) takes it.
 *
 * Threads: none. Ownership: the vector owns its strings; hv_argv_fini() frees them. Errors: `failed` is
 * set if memory runs out, so that a builder checks once, at its end.
 */
#ifndef HV_ARGV_H
#define HV_ARGV_H

#include <stdbool.h>
#include <stddef.h>

struct hv_argv { /* all zeroes: empty */
	char **v; /* n words and a NULL */
	size_t n;
	bool failed;
};

/* Add one word. */
void hv_argv_add(struct hv_argv *argv, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Add the words of `line`, split at blanks; NULL: none. Quotes have no meaning, as on a kernel's command line. */
void hv_argv_add_words(struct hv_argv *argv, const char *line);
void hv_argv_fini(struct hv_argv *argv);

#endif
