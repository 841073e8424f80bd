/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "rundir.h"

/* A daemon that has just been stopped may hold its lock for a moment longer. */
#define ENDING_TURNS 10
static const struct timespec ending_pause = {.tv_nsec = 30 * 1000 * 1000};

static void lock_path(const struct rundir *rundir, char *path, size_t size)
{
	snprintf(path, size, "%s/xbard.lock", rundir->path);
}

/* Whether the file that we have locked is still the one at `path`: a daemon that ends removes it. */
static bool is_current(int fd, const char *path)
{
	struct stat ours, there;

	return !fstat(fd, &ours) && !stat(path, &there) && ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

static int take_lock(struct rundir *rundir, struct err *err)
{
	char path[PATH_MAX], pid[16] = "";

	lock_path(rundir, path, sizeof(path));
	for (unsigned turn = 0;; turn++) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (fd < 0)
			return err_set(err, -errno, "cannot open %s: %s", path, strerror(errno));
		if (flock(fd, LOCK_EX | LOCK_NB)) {
			int e = errno;
			ssize_t len = pread(fd, pid, sizeof(pid) - 1, 0);
			close(fd);
			if (e == EWOULDBLOCK && turn < ENDING_TURNS) {
				nanosleep(&ending_pause, NULL);
				continue;
			}
			if (e != EWOULDBLOCK)
				return err_set(err, -e, "cannot lock %s: %s", path, strerror(e));
			pid[len > 0 ? strspn(pid, "0123456789") : 0] = '\0';
			return err_set(
				err, -EBUSY,
				"another xbard is already running, process %s (it holds %s): stop it with `xbar stop`, "
				"or give this one another --rundir",
				*pid ? pid : "unknown", path);
		}
		if (!is_current(fd, path)) {
			close(fd);
			continue;
		}
		int len = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
		if (ftruncate(fd, 0) || pwrite(fd, pid, len, 0) != len) {
			int e = errno;
			close(fd);
			return err_set(err, -e, "cannot write %s: %s", path, strerror(e));
		}
		rundir->lock = fd;
		return 0;
	}
}

int rundir_open(struct rundir *rundir, const char *path, struct err *err)
{
	*rundir = (struct rundir){.lock = -1};
	if (!mkdir(path, 0755))
		rundir->made = true;
	else if (errno != EEXIST)
		return err_set(err, -errno, "cannot make the directory %s: %s", path, strerror(errno));
	rundir->path = realpath(path, NULL);
	int r = rundir->path ? take_lock(rundir, err)
			     : err_set(err, -errno, "cannot use the directory %s: %s", path, strerror(errno));
	if (r) {
		if (rundir->made)
			rmdir(path);
		free(rundir->path);
		rundir->path = NULL;
	}
	return r;
}

void rundir_close(struct rundir *rundir)
{
	char path[PATH_MAX];

	if (rundir->lock < 0)
		return;
	lock_path(rundir, path, sizeof(path));
	unlink(path);
	close(rundir->lock);
	rundir->lock = -1;
	if (rundir->made)
		rmdir(rundir->path);
	free(rundir->path);
	rundir->path = NULL;
}

int rundir_make_shared(const char *path, int group, struct err *err)
{
	if (mkdir(path, 0700)) {
		if (errno == EEXIST)
			return 0;
		return err_set(err, -errno, "cannot make the directory %s: %s", path, strerror(errno));
	}
	if (group >= 0 && (chown(path, -1, group) || chmod(path, 0770)))
		return err_set(err, -errno, "cannot give the directory %s to the group: %s", path, strerror(errno));
	return 0;
}
