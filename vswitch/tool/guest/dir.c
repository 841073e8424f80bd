/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dir.h"
#include "hypervisor/launch/launch.h"
#include "hypervisor/launch/process.h"
#include "vswitch/tool/client.h"

#define DEFAULT_RUNDIR "/run/xbar"
#define DAEMON_WAIT_S 10 /* for a daemon that is just being started again */

static const char *const state_name[] = {
	[GUEST_NONE] = "none",       [GUEST_DEAD] = "dead",     [GUEST_STARTING] = "starting",
	[GUEST_RUNNING] = "running", [GUEST_ENDING] = "ending",
};
_Static_assert(sizeof(state_name) / sizeof(*state_name) == GUEST_STATE_MAX, "one name each");

const char *guest_state_name(enum guest_state state)
{
	return state_name[state];
}

int guest_root(char *path, struct err *err)
{
	const char *rundir = getenv("XBAR_RUNDIR");

	if (!rundir || !*rundir)
		rundir = DEFAULT_RUNDIR;
	if (*rundir != '/')
		return err_set(err, -EINVAL, "$XBAR_RUNDIR=%.300s: has to begin with a '/'", rundir);
	if ((size_t)snprintf(path, PATH_MAX, "%s/guests", rundir) >= PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "$XBAR_RUNDIR is too long a path");
	return 0;
}

int guest_dir_name(struct guest_dir *dir, const char *name, struct err *err)
{
	char root[PATH_MAX];

	dir->lock = -1;
	int error = guest_root(root, err);
	if (!error && (size_t)snprintf(dir->path, sizeof(dir->path), "%s/%s", root, name) >= sizeof(dir->path))
		error = err_set(err, -ENAMETOOLONG, "$XBAR_RUNDIR is too long a path");
	return error;
}

/* A file in the directory, as a path that is good until the next call in the same expression's buffer. */
static const char *file_in(const struct guest_dir *dir, const char *name, char path[PATH_MAX])
{
	if ((size_t)snprintf(path, PATH_MAX, "%s/%s", dir->path, name) >= PATH_MAX)
		path[0] = '\0'; /* a name that no file has */
	return path;
}

/* ---- locks ------------------------------------------------------------------------------------------------------- */

/*
 * Open and lock a file: a descriptor, or -errno (-EAGAIN where it is locked and `wait` is not set). The lock is the open
 * file's, so that a keeper inherits it, and it can be looked at without being taken.
 */
static int lock_file(const char *path, bool wait)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	while (fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock)) {
		int error = errno;
		if (error == EINTR)
			continue;
		close(fd);
		return -error;
	}
	return fd;
}

static bool is_locked(const char *path)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return false;
	bool locked = !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
	close(fd);
	return locked;
}

/* The lock of all guests' directories, which exists afterwards. */
static int lock_root(struct err *err)
{
	char path[PATH_MAX];

	int error = guest_root(path, err);
	if (error)
		return error;
	char *slash = strrchr(path, '/');
	*slash = '\0';
	if (mkdir(path, 0755) && errno != EEXIST)
		return err_set(err, -errno, "cannot make %.300s: %s", path, strerror(errno));
	*slash = '/';
	if (mkdir(path, 0755) && errno != EEXIST)
		return err_set(err, -errno, "cannot make %.300s: %s", path, strerror(errno));
	size_t len = strlen(path);
	if ((size_t)snprintf(path + len, sizeof(path) - len, "/.lock") >= sizeof(path) - len)
		return err_set(err, -ENAMETOOLONG, "$XBAR_RUNDIR is too long a path");
	int fd = lock_file(path, true);
	return fd < 0 ? err_set(err, fd, "cannot lock %.300s: %s", path, strerror(-fd)) : fd;
}

enum guest_state guest_dir_state(const struct guest_dir *dir)
{
	struct hv_process guest;
	char path[PATH_MAX];

	if (access(dir->path, F_OK))
		return GUEST_NONE;
	if (!is_locked(file_in(dir, "lock", path)))
		return GUEST_DEAD;
	if (hv_pidfile_read(file_in(dir, "guest.pid", path), &guest))
		return GUEST_STARTING;
	return hv_process_alive(&guest) ? GUEST_RUNNING : GUEST_ENDING;
}

/* With the root's lock held: take the directory's. */
static int take(struct guest_dir *dir, struct err *err)
{
	char path[PATH_MAX];

	dir->lock = lock_file(file_in(dir, "lock", path), false);
	if (dir->lock >= 0)
		return 0;
	int error = -dir->lock;
	dir->lock = -1;
	if (error == EAGAIN || error == EACCES)
		return err_set(err, -EBUSY, "%.300s is in use", dir->path);
	return err_set(err, -error, "cannot lock %.300s: %s", path, strerror(error));
}

int guest_dir_take(struct guest_dir *dir, struct err *err)
{
	int root = lock_root(err);

	if (root < 0)
		return root;
	int error = take(dir, err);
	close(root);
	return error;
}

/* One attempt: *fresh says whether the directory is new; else a dead guest left it. */
static int make_and_take(struct guest_dir *dir, bool *fresh, struct err *err)
{
	int root = lock_root(err);

	if (root < 0)
		return root;
	*fresh = !mkdir(dir->path, 0700);
	int error = !*fresh && errno != EEXIST
			    ? err_set(err, -errno, "cannot make %.300s: %s", dir->path, strerror(errno))
			    : take(dir, err);
	close(root);
	return error;
}

int guest_dir_claim(struct guest_dir *dir, const char *name, struct err *err)
{
	bool fresh = false;

	int error = guest_dir_name(dir, name, err);
	for (int attempt = 0; attempt < 2 && !error; attempt++) {
		error = make_and_take(dir, &fresh, err);
		if (error == -EBUSY)
			return err_set(err, -EEXIST,
				       "there is a guest %s already (%s): `xbar list` shows it, `xbar destroy %s` "
				       "ends it",
				       name, guest_state_name(guest_dir_state(dir)), name);
		if (error || fresh)
			return error;
		guest_dir_clear(dir, name, true);
	}
	return error ? error : err_set(err, -EEXIST, "cannot clear %.300s, which a dead guest left", dir->path);
}

/* ---- the record -------------------------------------------------------------------------------------------------- */

json_t *guest_record_read(const struct guest_dir *dir)
{
	char path[PATH_MAX];
	json_t *record = json_load_file(file_in(dir, "guest.json", path), 0, NULL);

	if (json_is_object(record))
		return record;
	json_decref(record);
	return NULL;
}

int guest_record_write(const struct guest_dir *dir, const json_t *record, struct err *err)
{
	char path[PATH_MAX], temp[PATH_MAX];

	file_in(dir, "guest.json", path);
	file_in(dir, "guest.json.new", temp);
	if (!json_dump_file(record, temp, JSON_INDENT(1)) && !rename(temp, path))
		return 0;
	return err_set(err, -EIO, "cannot write %.300s: %s", path, strerror(errno));
}

/* ---- clearing ---------------------------------------------------------------------------------------------------- */

/* Wait until xbard listens, which it does not while it is started again. */
static bool wait_for_daemon(void)
{
	struct timespec pause = {.tv_nsec = 200000000};

	for (int i = 0; i < DAEMON_WAIT_S * 5; i++) {
		int fd = hv_unix_connect(client_path(), SOCK_STREAM);
		if (fd >= 0) {
			close(fd);
			return true;
		}
		nanosleep(&pause, NULL);
	}
	return false;
}

static void delete_vifs(const struct guest_dir *dir)
{
	json_t *record = guest_record_read(dir), *vifs = json_object_get(record, "vifs");

	if (json_array_size(vifs) && !wait_for_daemon())
		fprintf(stderr, "xbar: xbard does not answer at %s; the vifs of %s are left for it to forget\n",
			client_path(), dir->path);
	else
		/* The last one first, as everything is undone. */
		for (size_t i = json_array_size(vifs); i-- > 0;) {
			const char *name = json_string_value(json_object_get(json_array_get(vifs, i), "name"));
			char why[512];
			json_t *result =
				name ? client_call("vif-del", json_pack("{s:s}", "name", name), why, sizeof(why))
				     : NULL;
			if (name && !result)
				fprintf(stderr, "xbar: %s\n", why);
			json_decref(result);
		}
	json_decref(record);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path) && errno != ENOENT;
}

static void remove_tree(const char *path)
{
	if (nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS) && errno != ENOENT)
		fprintf(stderr, "xbar: cannot remove %s: %s\n", path, strerror(errno));
}

void guest_dir_clear(struct guest_dir *dir, const char *name, bool keep_log)
{
	char path[PATH_MAX], root[PATH_MAX], kept[PATH_MAX], gone[PATH_MAX];
	struct hv_process guest;
	struct err err;

	/* A guest whose keeper was killed may have left processes. */
	if (!hv_pidfile_read(file_in(dir, "guest.pid", path), &guest))
		hv_process_end_session(&guest);
	delete_vifs(dir);
	int lock = lock_root(&err);
	if (guest_root(root, &err) || (size_t)snprintf(kept, sizeof(kept), "%s/%s.log", root, name) >= sizeof(kept) ||
	    (size_t)snprintf(gone, sizeof(gone), "%s/.%s.gone", root, name) >= sizeof(gone)) {
		fprintf(stderr, "xbar: cannot remove %s: its path is too long\n", dir->path);
	} else {
		if (keep_log)
			rename(file_in(dir, "console.log", path), kept);
		/* Gone in one step for whoever looks, and only then taken apart. */
		remove_tree(gone);
		if (rename(dir->path, gone))
			fprintf(stderr, "xbar: cannot rename %s: %s\n", dir->path, strerror(errno));
		else
			remove_tree(gone);
	}
	if (lock >= 0)
		close(lock);
	if (dir->lock >= 0)
		close(dir->lock);
	dir->lock = -1;
}
