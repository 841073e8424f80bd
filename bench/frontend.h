/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The front end's side of vhost-user: what QEMU says for a guest to a switch. One queue pair; the memory, the rings and
 * the features of a struct guest are handed over, and the rings enabled.
 *
 * Errors. 0 or -errno, and then *why names the step that failed.
 */
#ifndef XBAR_BENCH_FRONTEND_H
#define XBAR_BENCH_FRONTEND_H

#include "guest.h"

/* Listen at `path`, for a switch that connects. The descriptor, or -errno. */
int frontend_listen(const char *path);
/*
 * Talk to the switch: connect to `path`, again until `seconds` have passed, or, where `listenfd` is not -1, take a
 * connection from there. On return the switch has seen the rings enabled.
 */
int frontend_start(struct guest *g, const char *path, int listenfd, unsigned seconds, bool event_idx, const char **why);
/* Stop the rings and hang up. */
void frontend_stop(struct guest *g);

#endif
