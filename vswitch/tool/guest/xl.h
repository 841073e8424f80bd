/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guests of Xen are left to xl. These functions become xl (execvp); they return only if that fails: CLI_FAILURE, with a
 * sentence on standard error.
 */
#ifndef XBAR_GUEST_XL_H
#define XBAR_GUEST_XL_H

#include <stdbool.h>

#include <jansson.h>

/* Is this a Xen control domain with xl? */
bool guest_xl_here(void);
/* `settings`: an array of KEY=VALUE strings, or NULL. */
int guest_xl_create(bool console, const char *file, const json_t *settings);
/* xl COMMAND [OPTION] [NAME]; `option` and `name` may be NULL. */
int guest_xl(const char *command, const char *option, const char *name);

#endif
