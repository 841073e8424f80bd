/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guests of Xen: xl does it. Each function becomes xl (execvp), and returns only where that failed: CLI_FAILURE, and a
 * sentence on standard error.
 */
#ifndef XBAR_GUEST_XL_H
#define XBAR_GUEST_XL_H

#include <stdbool.h>

/* Is this a Xen control domain with xl? */
bool guest_xl_here(void);
/* words: the cfg file and KEY=VALUE settings. */
int guest_xl_create(bool console, int nwords, char **words);
/* `command` NAME, or just `command` where name is NULL; `option` may be NULL. */
int guest_xl(const char *command, const char *option, const char *name);

#endif
