/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
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

/*
 * Who may open the file may lock it, and so keep a daemon from starting. 0: only we may, from now on. -ESTALE: others may
 * have it open already, so it was removed, unless a daemon of an earlier version runs, which left it open to all.
 */
static int make_private(int fd, const char *path, struct err *err)
{
	char text[16] = "";
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return err_set(err, -EEXIST, "%s is not a regular file: remove it", path);
	if (st.st_uid == geteuid() && !(st.st_mode & 077))
		return 0;
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
	long pid = len > 0 ? strtol(text, NULL, 10) : 0;
	if (pid > 0 && !flock(fd, LOCK_EX | LOCK_NB))
		pid = 0;
	if (pid > 0 && (!kill(pid, 0) || errno != ESRCH))
		return 0;
	if (unlink(path) && errno != ENOENT)
		return err_set(err, -errno, "cannot remove %s: %s", path, strerror(errno));
	return -ESTALE;
}

static int take_lock(struct rundir *rundir, struct err *err)
{
	char path[PATH_MAX], pid[16] = "";

	lock_path(rundir, path, sizeof(path));
	for (unsigned turn = 0;; turn++) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
		if (fd < 0)
			return err_set(err, -errno, "cannot open %s: %s", path, strerror(errno));
		int r = make_private(fd, path, err);
		if (r) {
			close(fd);
			if (r == -ESTALE)
				continue;
			return r;
		}
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

/* Who may write to the directory, or could let others, can put anything in the place of what the daemon keeps in it. */
static int check_private(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st))
		return err_set(err, -errno, "cannot use the directory %s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return err_set(err, -ENOTDIR, "%s is not a directory", path);
	if (st.st_uid != geteuid())
		return err_set(err, -EPERM,
			       "the directory %s belongs to user %u: `chown root %s`, or choose another --rundir", path,
			       (unsigned)st.st_uid, path);
	if (st.st_mode & 022)
		return err_set(err, -EPERM,
			       "others may write to the directory %s: `chmod go-w %s`, or choose another --rundir",
			       path, path);
	return 0;
}

int rundir_open(struct rundir *rundir, const char *path, struct err *err)
{
	*rundir = (struct rundir){.lock = -1};
	if (!mkdir(path, 0755))
		rundir->made = true;
	else if (errno != EEXIST)
		return err_set(err, -errno, "cannot make the directory %s: %s", path, strerror(errno));
	rundir->path = realpath(path, NULL);
	int r = rundir->path ? check_private(rundir->path, err)
			     : err_set(err, -errno, "cannot use the directory %s: %s", path, strerror(errno));
	if (!r)
		r = take_lock(rundir, err);
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

int rundir_make_shared(const char *path, gid_t group, bool ours, struct err *err)
{
	const bool made = !mkdir(path, 0700);

	if (!made && errno != EEXIST)
		return err_set(err, -errno, "cannot make the directory %s: %s", path, strerror(errno));
	if (!made && !ours)
		return 0;
	if (chown(path, -1, group == (gid_t)-1 ? getegid() : group) || chmod(path, group == (gid_t)-1 ? 0711 : 01771))
		return err_set(err, -errno, "cannot give the directory %s to the group: %s", path, strerror(errno));
	return 0;
}
