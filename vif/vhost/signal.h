/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors by which a front end is told, and tells, that a ring has something new.
 *
 * Safety. They are shared with the front end: it can clear O_NONBLOCK behind our back and fill an eventfd's counter, after
 * which write(2) waits for ever. So none is ever read, and none written: an eventfd is signalled by the completion of an
 * asynchronous read of nothing (IOCB_FLAG_RESFD), which the kernel does without waiting and without overflow, and to a
 * unix socket, which is what User-Mode Linux has, goes a message with MSG_DONTWAIT. Nothing else is taken: who writes to
 * a pipe waits for who holds its lock, and the poll(2) of a file that a program serves may wait for that program.
 */
#ifndef XBAR_VHOST_SIGNAL_H
#define XBAR_VHOST_SIGNAL_H

#include <stdbool.h>

#include "vswitch/base/err.h"

struct signal {
	int fd; /* -1: none, the guest polls */
	bool socket;
};

/* Once, before the first of the others. 0 or -errno. */
int signal_init(void);
/*
 * Take over `fd`, by which a guest is to be told. 0, and *out is for signal_send() and signal_close(); or -errno with a
 * sentence in *err, and `fd` is closed.
 */
int signal_adopt(int fd, struct signal *out, struct err *err);
/* May be called again, and for none. */
void signal_close(struct signal *signal);
/* Any thread. false: the guest has not been told (it is behind with reading, or the kernel has no memory). */
bool signal_send(const struct signal *signal);
/* Whether `fd` can be waited for: an eventfd or a unix stream socket. */
bool signal_is_waitable(int fd);

#endif
