/* SPDX-License-Identifier: BSD-3-Clause */
#include "jsonfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int sync_directory(const char *path)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path || (size_t)(slash - path) >= sizeof(dir))
		return 0;
	memcpy(dir, path, slash - path);
	dir[slash - path] = '\0';
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = fsync(fd) && errno != EINVAL ? -errno : 0; /* EINVAL: a file system without directory sync */
	close(fd);
	return r;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;

	int r = 0;
	for (size_t left = strlen(text); left && !r;) {
		ssize_t n = write(fd, text, left);
		if (n < 0 && errno != EINTR)
			r = -errno;
		else if (n > 0) {
			text += n;
			left -= n;
		}
	}
	if (!r && fsync(fd))
		r = -errno;
	if (close(fd) && !r)
		r = -errno;
	return r;
}

int jsonfile_save(const json_t *json, const char *path, struct err *err)
{
	char tmp[PATH_MAX];
	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= sizeof(tmp))
		return err_set(err, -ENAMETOOLONG, "%s: path is too long", path);

	char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	if (!text)
		return err_set(err, -ENOMEM, "%s: no memory to write it", path);

	int r = write_text(tmp, text);
	free(text);
	if (!r && rename(tmp, path))
		r = -errno;
	if (!r)
		r = sync_directory(path);
	if (r) {
		unlink(tmp);
		return err_set(err, r, "cannot write %s: %s", path, strerror(-r));
	}
	return 0;
}
