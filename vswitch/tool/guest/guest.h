/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xbar create, list, console, shutdown, destroy: guests, with xl's command names. guest.c has the table, and what the
 * commands share.
 *
 * Each command returns an exit status (cli.h). On a Xen host they become xl, which manages its own guests, unless another
 * hypervisor is asked for; guests of other hypervisors are found by their run directory first.
 */
#ifndef XBAR_GUEST_H
#define XBAR_GUEST_H

#include <jansson.h>

#include "dir.h"

int cmd_create(const json_t *args);
int cmd_list(const json_t *args);
int cmd_console(const json_t *args);
int cmd_destroy(const json_t *args);
int cmd_shutdown(const json_t *args);

/* Attach to the console of guest `name`. Returns an exit status. */
int guest_console(const char *name);

/* Find guest `name` and fill *dir: its state, or GUEST_NONE with an error. */
enum guest_state guest_find(const char *name, struct guest_dir *dir, struct err *err);

#endif
