/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tool's side of xbard's control socket: one request, one answer.
 *
 * The protocol is one JSON object per line each way. Request: {"cmd": NAME, ...arguments}. Answer: {"ok": true,
 * "result": ...} or {"ok": false, "error": "a sentence"}. vswitch/control/commands.h describes the commands.
 *
 * Threads: any; every call opens its own connection.
 */
#ifndef XBAR_CLIENT_H
#define XBAR_CLIENT_H

#include <stdbool.h>

#include <jansson.h>

#include "vswitch/base/err.h"

/* Where xbard listens: $XBAR_SOCKET, else /run/xbar/xbard.sock. */
const char *client_path(void);

/*
 * Send `cmd` with the members of `args` (takes the reference; NULL: none) and wait for the answer. Returns the result (a
 * new reference), or NULL with the error: xbard's own sentence, or why it could not be asked and what to do.
 */
json_t *client_call(const char *cmd, json_t *args, struct err *err);

/* Whether a daemon listens at client_path(). */
bool client_is_listening(void);

#endif
