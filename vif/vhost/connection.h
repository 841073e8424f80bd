/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connection of a front end: messages are put together, handed to message.h one at a time, and answered, and the loop
 * is never waited in.
 *
 * Limits. What is read is one message; what is to be written is one reply, and nothing is read before it is gone. In one
 * turn of the loop a connection handles CONNECTION_TURN messages. A message that has begun must be whole, and a reply taken,
 * within CONNECTION_IDLE_MS.
 *
 * Threads. The control thread's.
 */
#ifndef XBAR_VHOST_CONNECTION_H
#define XBAR_VHOST_CONNECTION_H

#include "message.h"

#define CONNECTION_TURN 16 /* messages */
#define CONNECTION_IDLE_MS 10000

struct connection {
	struct device *device;
	int fd; /* -1: there is no connection */
	struct event *readable, *writable, *idle;
	struct message in, out;
	unsigned in_have, out_have, out_done; /* bytes */
	struct message_fds fds;
	uint32_t last; /* the last request that was served; 0: none */
	/* The connection has ended for `why`, and is gone. It may begin another one, or free the connection. */
	void (*ended)(struct connection *connection, const struct err *why);
	/* A message was served. It does not end the connection. */
	void (*served)(struct connection *connection);
};

/* Serve the front end at the other end of `fd`, a unix stream socket that the connection closes. 0 or -errno: then `fd` is closed. */
int connection_begin(struct connection *connection, int fd);
/* End the connection, if there is one, without a call of ended(). `unseen` as for device_reset(). */
void connection_end(struct connection *connection, bool unseen);

#endif
