/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tool's side of xbard's control socket: one request, one answer.
 *
 * The protocol is one JSON object per line each way. Request: {"cmd": NAME, ...arguments}. Answer: {"ok": true,
 * "result": ...} or {"ok": false, "error": "a sentence"}. vswitch/ctl.c lists the commands.
 *
 * Threads: any; every call opens a connection of its own.
 */
#ifndef XBAR_CLIENT_H
#define XBAR_CLIENT_H

#include <stdbool.h>

#include <jansson.h>

/* Where xbard listens: $XBAR_SOCKET, else /run/xbar/xbard.sock. */
const char *client_path(void);

/*
 * Send `cmd` with the members of `args` (reference stolen; NULL: none) and wait for the answer. Returns the result (a
 * new reference), or NULL with a sentence in err[0..errlen): the daemon's, or why it could not be asked and what to do.
 */
json_t *client_call(const char *cmd, json_t *args, char *err, size_t errlen);

/* Whether a daemon listens at client_path(). */
bool client_is_listening(void);

#endif
