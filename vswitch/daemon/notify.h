/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Telling systemd (or whoever set $NOTIFY_SOCKET) how far the daemon is: the protocol of sd_notify(3), which is one
 * datagram of text.
 */
#ifndef XBAR_NOTIFY_H
#define XBAR_NOTIFY_H

/* Send `message`, such as "READY=1". Without $NOTIFY_SOCKET nothing happens; an error is logged and goes no further. */
void notify_send(const char *message);

#endif
