/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Users, groups and file modes as administrators write them.
 *
 * Threads: one at a time (getpwnam(3)). Errors: 0, or -ENOENT or -EINVAL with *err, which names the text.
 */
#ifndef XBAR_IDS_H
#define XBAR_IDS_H

#include <sys/types.h>

#include "err.h"

#define ID_TEXT_MAX 32 /* bytes of a name, as useradd(8) takes them */

/* A name, or a number, which need not be in any file. "": -1, which chown(2) takes as "leave it". */
int user_find(const char *text, uid_t *uid, struct err *err);
int group_find(const char *text, gid_t *gid, struct err *err);
/* Octal, at most 0777, and not 0. "": 0. */
int mode_parse(const char *text, mode_t *mode, struct err *err);

#endif
