/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tell systemd (or whoever set $NOTIFY_SOCKET) that the daemon is ready or stopping. The protocol is that of
 * sd_notify(3): one datagram of text.
 */
#ifndef XBAR_NOTIFY_H
#define XBAR_NOTIFY_H

/* Send `message`, such as "READY=1". Without $NOTIFY_SOCKET nothing happens; an error is only logged. */
void notify_send(const char *message);

#endif
