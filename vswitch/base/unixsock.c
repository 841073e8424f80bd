/* SPDX-License-Identifier: BSD-3-Clause */
#include "unixsock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel follows */
#define MODE_DEFAULT 0660
#ifndef SIOCUNIXFILE /* <linux/un.h>, which cannot be included beside <sys/un.h> */
#define SIOCUNIXFILE (SIOCPROTOPRIVATE + 0)
#endif

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

/* ---- the directory of a socket ----------------------------------------------------------------------------------- */

/* `at` (closed), the directory that `name` is in, gives way to `name` or, if that is a link, to where the link begins. */
static int step(int at, const char *name, char *link, size_t size)
{
	struct stat st;
	ssize_t n = 0;
	int fd = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), r = fd < 0 || fstat(fd, &st) ? -errno : 0;

	if (!r && S_ISLNK(st.st_mode)) {
		if (st.st_uid && st.st_uid != geteuid())
			r = -ELOOP;
		else if ((n = readlinkat(fd, "", link, size - 1)) < 0)
			r = -errno;
		close(fd);
		fd = n > 0 && link[0] == '/' ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)
					     : fcntl(at, F_DUPFD_CLOEXEC, 0);
		if (!r && fd < 0)
			r = -errno;
	}
	link[n > 0 ? n : 0] = '\0';
	close(at);
	if (r && fd >= 0)
		close(fd);
	return r ? r : fd;
}

/* The directory that the file at `path` is in, by an O_PATH descriptor, and the file's name there; or -errno. */
static int open_directory(const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char left[PATH_MAX], part[PATH_MAX], link[PATH_MAX];
	unsigned links = 0;

	*name = slash ? slash + 1 : path;
	if (snprintf(left, sizeof(left), "%.*s", slash ? (int)(slash - path) : 0, path) >= (int)sizeof(left))
		return -ENAMETOOLONG;
	int fd = open(path[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (fd >= 0 && left[0]) {
		const size_t len = strcspn(left, "/");
		const char *rest = left + len + strspn(left + len, "/");

		snprintf(part, sizeof(part), "%.*s", (int)len, left);
		memmove(left, rest, strlen(rest) + 1);
		if (!part[0])
			continue;
		fd = step(fd, part, link, sizeof(link));
		if (fd < 0 || !link[0])
			continue;
		if (++links > LINKS_MAX || snprintf(part, sizeof(part), "%s/%s", link, left) >= (int)sizeof(part)) {
			close(fd);
			return -ELOOP;
		}
		memcpy(left, part, sizeof(left));
	}
	return fd;
}

/* The address of the file `name` in the directory `dir`. */
static int address_in(int dir, const char *name, struct sockaddr_un *addr)
{
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	int len = snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d/%s", dir, name);
	return len < (int)sizeof(addr->sun_path) ? 0 : -ENAMETOOLONG;
}

void unixsock_remove(const char *path)
{
	const char *name;
	struct stat st;
	int dir = open_directory(path, &name);

	if (dir < 0)
		return;
	if (!fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISSOCK(st.st_mode))
		unlinkat(dir, name, 0);
	close(dir);
}

/* ---- listening --------------------------------------------------------------------------------------------------- */

/* Remove a socket that nobody listens on any longer: what a program that was killed has left. *was is what it was. */
static void remove_stale(int dir, const char *name, const struct sockaddr_un *addr, struct stat *was)
{
	int fd;

	if (fstatat(dir, name, was, AT_SYMLINK_NOFOLLOW) || !S_ISSOCK(was->st_mode)) {
		was->st_mode = 0;
		return;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) && errno == ECONNREFUSED)
		unlinkat(dir, name, 0);
	if (fd >= 0)
		close(fd);
}

/* Set whose the file of the bound socket is. It is reached through the socket: its name may be another file's by now. */
static int set_owner(int fd, uid_t owner, gid_t group)
{
	int file = ioctl(fd, SIOCUNIXFILE);
	int r = file < 0 || fchownat(file, "", owner, group, AT_EMPTY_PATH) ? -errno : 0;

	if (file >= 0)
		close(file);
	return r;
}

/* Bind `fd` to `name` in `dir`, and listen. */
static int listen_in(int dir, const char *name, int fd, struct unixsock_access access)
{
	struct sockaddr_un addr;
	struct stat was;
	int r = address_in(dir, name, &addr);

	if (r)
		return r;
	remove_stale(dir, name, &addr, &was);
	const bool ours = was.st_mode && was.st_uid == geteuid() && was.st_nlink == 1;
	if (access.group == (gid_t)-1 && ours && was.st_gid != getegid())
		access.group = was.st_gid;
	if (!access.mode)
		access.mode = ours ? was.st_mode & 0777 : MODE_DEFAULT;
	mode_t mask = umask(~access.mode & 0777);
	r = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ? -errno : 0;
	umask(mask);
	if (r)
		return r == -EADDRINUSE ? -EEXIST : r;
	/* Nobody can connect before we listen. */
	if (access.owner != (uid_t)-1 || access.group != (gid_t)-1)
		r = set_owner(fd, access.owner, access.group);
	if (!r && listen(fd, SOMAXCONN))
		r = -errno;
	if (r)
		unlinkat(dir, name, 0);
	return r;
}

int unixsock_listen_as(const char *path, const struct unixsock_access *access)
{
	const char *name;

	if (strlen(path) > UNIXSOCK_PATH_MAX)
		return -ENAMETOOLONG;
	int dir = open_directory(path, &name);
	if (dir < 0)
		return dir;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = fd < 0 ? -errno : listen_in(dir, name, fd, *access);
	close(dir);
	if (r && fd >= 0)
		close(fd);
	return r ? r : fd;
}

int unixsock_listen(const char *path, mode_t mode)
{
	return unixsock_listen_as(path, &(struct unixsock_access){.owner = -1, .group = getegid(), .mode = mode});
}
