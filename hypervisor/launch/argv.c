/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "argv.h"

/* Takes ownership of `word`; NULL: out of memory. */
static void push(struct hv_argv *argv, char *word)
{
	char **grown = word ? reallocarray(argv->v, argv->n + 2, sizeof(*argv->v)) : NULL;

	if (!grown) {
		free(word);
		argv->failed = true;
		return;
	}
	argv->v = grown;
	argv->v[argv->n++] = word;
	argv->v[argv->n] = NULL;
}

void hv_argv_add(struct hv_argv *argv, const char *fmt, ...)
{
	va_list ap;
	char *word;

	va_start(ap, fmt);
	if (vasprintf(&word, fmt, ap) < 0)
		word = NULL;
	va_end(ap);
	push(argv, word);
}

void hv_argv_add_words(struct hv_argv *argv, const char *line)
{
	static const char blanks[] = " \t\r\n";

	while (line && *(line += strspn(line, blanks))) {
		size_t len = strcspn(line, blanks);
		push(argv, strndup(line, len));
		line += len;
	}
}

void hv_argv_fini(struct hv_argv *argv)
{
	for (size_t i = 0; i < argv->n; i++)
		free(argv->v[i]);
	free(argv->v);
	*argv = (struct hv_argv){0};
}
