/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that must be whole after a crash: written beside their place, synced, and renamed into it.
 *
 * Threads: no shared state. Errors: 0 or -errno, and then *err holds a sentence that names the file; what stood there
 * before still does.
 */
#ifndef XBAR_JSONFILE_H
#define XBAR_JSONFILE_H

#include <jansson.h>

#include "err.h"

/* Put `json` (NULL: there was no memory for it) at `path`, for root alone to read. PATH.tmp is used on the way. */
int jsonfile_save(const json_t *json, const char *path, struct err *err);

#endif
