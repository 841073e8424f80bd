/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "notify.h"
#include "vswitch/base/log.h"
#include "vswitch/base/unixsock.h"

void notify_send(const char *message)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (!path || (path[0] != '/' && path[0] != '@'))
		return;
	int fd = unixsock_connect(path, SOCK_DGRAM);
	if (fd < 0 || send(fd, message, strlen(message), MSG_NOSIGNAL) < 0)
		log_warn("cannot notify the service manager at %s: %s", path, strerror(fd < 0 ? -fd : errno));
	if (fd >= 0)
		close(fd);
}
