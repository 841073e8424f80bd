/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * "Did you mean ...?": the known word nearest to a mistyped one, by edit distance.
 */
#ifndef XBAR_NEAREST_H
#define XBAR_NEAREST_H

#include <stddef.h>

/*
 * The word nearest to `word` among those that next(arg, i) returns for i = 0, 1, ... until NULL. NULL: none is
 * within a third of its length and 3 edits. Words of more than 63 bytes are near to none.
 */
const char *nearest_word(const char *word, const char *(*next)(const void *arg, size_t i), const void *arg);

#endif
