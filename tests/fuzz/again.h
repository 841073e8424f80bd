/* SPDX-License-Identifier: BSD-3-Clause */
/* What a parser has understood, printed, is understood again, to the same. */
#ifndef XBAR_FUZZ_AGAIN_H
#define XBAR_FUZZ_AGAIN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/cfg/text.h"

struct again {
	void *(*parse)(const struct hv_text *text, struct err *err); /* NULL: not understood */
	void (*print)(const void *tree, FILE *out);
	void (*free)(void *tree);
};

/* Print and free `tree`. The caller frees the result. */
static inline char *again_print(const struct again *how, void *tree, size_t *len)
{
	char *s = NULL;
	FILE *mem = open_memstream(&s, len);

	if (!mem)
		abort();
	how->print(tree, mem);
	fclose(mem);
	how->free(tree);
	return s;
}

static inline void print_and_parse_again(const struct again *how, const struct hv_text *text)
{
	struct err err = {0};
	void *tree = how->parse(text, &err);
	char *first, *second;
	struct hv_text again;
	size_t len;

	if (!tree)
		return;
	first = again_print(how, tree, &len);
	if (len <= HV_TEXT_MAX) { /* escapes make it longer */
		if (hv_text_copy(&again, "printed", first, len, &err) || !(tree = how->parse(&again, &err)))
			abort();
		second = again_print(how, tree, &len);
		if (strcmp(first, second) != 0)
			abort();
		hv_text_fini(&again);
		free(second);
	}
	free(first);
}

#endif
