/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON files that must be complete after a crash: written to a temporary file, synced, and renamed.
 *
 * Threads: no shared state. Errors: 0 or -errno with a struct err that names the file, which is unchanged then.
 */
#ifndef XBAR_JSONFILE_H
#define XBAR_JSONFILE_H

#include <jansson.h>

#include "err.h"

/* Write `json` to `path` with mode 0600. NULL, from a caller that ran out of memory, fails. Uses PATH.tmp. */
int jsonfile_save(const json_t *json, const char *path, struct err *err);

#endif
