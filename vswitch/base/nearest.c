/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "nearest.h"

#define WORD_MAX 63

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;
	return m < c ? m : c;
}

/* The edits between a and b; swapping neighbours counts as one (optimal string alignment). Lengths <= WORD_MAX. */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned row[3][WORD_MAX + 2]; /* rows i, i-1, i-2, cyclically */

	for (size_t j = 0; j <= nb; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= na; i++) {
		unsigned *cur = row[i % 3], *prev = row[(i + 2) % 3], *prev2 = row[(i + 1) % 3];
		cur[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			cur[j] = min3(prev[j] + 1, cur[j - 1] + 1, prev[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && prev2[j - 2] + 1 < cur[j])
				cur[j] = prev2[j - 2] + 1;
		}
	}
	return row[na % 3][nb];
}

const char *nearest_word(const char *word, const char *(*next)(const void *arg, size_t i), const void *arg)
{
	size_t len = strnlen(word, WORD_MAX + 1);
	if (len > WORD_MAX)
		return NULL;

	const char *best = NULL, *known;
	unsigned limit = (len + 2) / 3 < 3 ? (len + 2) / 3 : 3;
	unsigned best_distance = limit + 1;
	for (size_t i = 0; (known = next(arg, i)); i++) {
		size_t known_len = strnlen(known, WORD_MAX + 1);
		if (known_len > WORD_MAX)
			continue;
		unsigned d = distance(word, len, known, known_len);
		if (d < best_distance) {
			best_distance = d;
			best = known;
		}
	}
	return best;
}
