/* SPDX-License-Identifier: BSD-3-Clause */
#include "unixsock.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_socket(const char *path, int type, struct sockaddr_un *addr, socklen_t *size)
{
	size_t len = strlen(path);

	if (len > UNIXSOCK_PATH_MAX)
		return -ENAMETOOLONG;
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(addr->sun_path, path, len);
	if (path[0] == '@')
		addr->sun_path[0] = '\0';
	*size = offsetof(struct sockaddr_un, sun_path) + len;
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

int unixsock_connect(const char *path, int type)
{
	struct sockaddr_un addr;
	socklen_t size;

	int fd = open_socket(path, type, &addr, &size);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, size)) {
		int r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

int unixsock_listen(const char *path, mode_t mode)
{
	struct sockaddr_un addr;
	struct stat st;
	socklen_t size;

	int fd = open_socket(path, SOCK_STREAM | SOCK_NONBLOCK, &addr, &size);
	if (fd < 0)
		return fd;
	if (!lstat(path, &st) && S_ISSOCK(st.st_mode))
		unlink(path);
	mode_t mask = umask(~mode & 0777);
	int r = bind(fd, (struct sockaddr *)&addr, size) || listen(fd, SOMAXCONN) ? -errno : 0;
	umask(mask);
	if (r) {
		close(fd);
		return r == -EADDRINUSE ? -EEXIST : r;
	}
	return fd;
}
