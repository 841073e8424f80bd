/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dir.h"
#include "hypervisor/launch/confine.h"
#include "hypervisor/launch/launch.h"
#include "hypervisor/launch/process.h"
#include "vswitch/base/jsonfile.h"
#include "vswitch/tool/client.h"

#define DEFAULT_RUNDIR "/run/xbar"
#define DAEMON_WAIT_S 10 /* for a daemon that is being restarted */

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
		return err_set(err, -EINVAL, "$XBAR_RUNDIR=%.300s: must be an absolute path", rundir);
	if ((size_t)snprintf(path, PATH_MAX, "%s/guests", rundir) >= PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "$XBAR_RUNDIR is too long a path");
	return 0;
}

int guest_dir_name(struct guest_dir *dir, const char *name, struct err *err)
{
	char root[PATH_MAX];

	dir->lock = -1;
	int r = guest_root(root, err);
	if (!r && (size_t)snprintf(dir->path, sizeof(dir->path), "%s/%s", root, name) >= sizeof(dir->path))
		r = err_set(err, -ENAMETOOLONG, "$XBAR_RUNDIR is too long a path");
	return r;
}

/* Put the path of file `name` in the directory into `path`, and return it. */
static const char *file_in(const struct guest_dir *dir, const char *name, char path[PATH_MAX])
{
	if ((size_t)snprintf(path, PATH_MAX, "%s/%s", dir->path, name) >= PATH_MAX)
		path[0] = '\0'; /* too long: no file has this name */
	return path;
}

/* ---- locks ------------------------------------------------------------------------------------------------------- */

/*
 * Open and lock a file: a descriptor, or -errno (-EAGAIN: it is locked, and `wait` is not set). The lock belongs to the
 * open file, so that a supervisor inherits it; others can test for it without taking it.
 */
static int lock_file(const char *path, bool wait)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	while (fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock)) {
		int r = -errno;
		if (r == -EINTR)
			continue;
		close(fd);
		return r;
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

/* Take the lock of the directory of all guests, which is created if need be. A descriptor, or -errno. */
static int lock_root(struct err *err)
{
	char path[PATH_MAX];

	int r = guest_root(path, err);
	if (r)
		return r;
	char *slash = strrchr(path, '/');
	*slash = '\0';
	if (mkdir(path, 0755) && errno != EEXIST)
		return err_set(err, -errno, "cannot create %.300s: %s", path, strerror(errno));
	*slash = '/';
	if (mkdir(path, 0755) && errno != EEXIST)
		return err_set(err, -errno, "cannot create %.300s: %s", path, strerror(errno));
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

/* Take the directory's lock; lock_root() is held. */
static int take(struct guest_dir *dir, struct err *err)
{
	char path[PATH_MAX];

	dir->lock = lock_file(file_in(dir, "lock", path), false);
	if (dir->lock >= 0)
		return 0;
	int r = dir->lock;
	dir->lock = -1;
	if (r == -EAGAIN || r == -EACCES)
		return err_set(err, -EBUSY, "%.300s is in use", dir->path);
	return err_set(err, r, "cannot lock %.300s: %s", path, strerror(-r));
}

int guest_dir_take(struct guest_dir *dir, struct err *err)
{
	int root = lock_root(err);

	if (root < 0)
		return root;
	int r = take(dir, err);
	close(root);
	return r;
}

/* One attempt. *fresh: the directory is new; else a dead guest left it. */
static int make_and_take(struct guest_dir *dir, bool *fresh, struct err *err)
{
	char path[PATH_MAX];
	int root = lock_root(err);

	if (root < 0)
		return root;
	*fresh = !mkdir(dir->path, 0711);
	/* Whatever the umask is: the guest's user must reach its sockets. */
	if (*fresh && (chmod(dir->path, 0711) || mkdir(file_in(dir, HV_LAUNCH_RUN, path), 0711) || chmod(path, 0711)))
		*fresh = false;
	int r = !*fresh && errno != EEXIST
			? err_set(err, -errno, "cannot create %.300s: %s", dir->path, strerror(errno))
			: take(dir, err);
	close(root);
	return r;
}

int guest_dir_claim(struct guest_dir *dir, const char *name, struct err *err)
{
	bool fresh = false;

	int r = guest_dir_name(dir, name, err);
	for (int attempt = 0; attempt < 2 && !r; attempt++) {
		r = make_and_take(dir, &fresh, err);
		if (r == -EBUSY)
			return err_set(err, -EEXIST,
				       "guest %s already exists (%s): `xbar list` shows it, `xbar destroy %s` kills "
				       "it",
				       name, guest_state_name(guest_dir_state(dir)), name);
		if (r || fresh)
			return r;
		guest_dir_clear(dir, name);
	}
	return r ? r : err_set(err, -EEXIST, "cannot clear %.300s, which a dead guest left", dir->path);
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
	char path[PATH_MAX];

	return jsonfile_save(record, file_in(dir, "guest.json", path), err);
}

/* Whether a guest's record has the user; lock_root() is held. */
static bool is_claimed(uid_t uid)
{
	char root[PATH_MAX];
	struct dirent *entry;
	struct guest_dir dir;
	struct err err;
	bool found = false;

	DIR *guests = guest_root(root, &err) ? NULL : opendir(root);
	while (guests && !found && (entry = readdir(guests))) {
		if (entry->d_name[0] == '.' || guest_dir_name(&dir, entry->d_name, &err))
			continue;
		json_t *record = guest_record_read(&dir);
		found = json_integer_value(json_object_get(record, "uid")) == uid;
		json_decref(record);
	}
	if (guests)
		closedir(guests);
	return found;
}

int guest_record_claim_user(const struct guest_dir *dir, json_t *record, uid_t *uid, struct err *err)
{
	int root = lock_root(err);
	if (root < 0)
		return root;
	int r;
	do
		r = hv_confine_user(uid, err);
	while (!r && !geteuid() && is_claimed(*uid));
	if (!r) {
		json_object_set_new(record, "uid", json_integer(*uid));
		r = guest_record_write(dir, record, err);
	}
	close(root);
	return r;
}

/* ---- clearing ---------------------------------------------------------------------------------------------------- */

/* Wait until xbard listens: it may be restarting. */
static bool wait_for_daemon(void)
{
	struct timespec pause = {.tv_nsec = 200000000};

	for (int i = 0; i < DAEMON_WAIT_S * 5; i++) {
		if (client_is_listening())
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

/* The names of xbard's vifs that are guest `guest`'s, as the keys of a new object; NULL with an error. */
static json_t *vifs_of(const char *guest, struct err *err)
{
	json_t *result = client_call("vif-list", NULL, err), *vif;
	size_t i;

	if (!result)
		return NULL;
	json_t *names = json_object();
	json_array_foreach(json_object_get(result, "vifs"), i, vif)
	{
		const char *owner = json_string_value(json_object_get(vif, "guest"));
		if (owner && !strcmp(owner, guest))
			json_object_set_new(names, json_string_value(json_object_get(vif, "name")), json_true());
	}
	json_decref(result);
	return names;
}

static void delete_vifs(const struct guest_dir *dir, const char *guest)
{
	json_t *record = guest_record_read(dir), *vifs = json_object_get(record, "vifs"), *ours = NULL;
	struct err err;

	if (json_array_size(vifs) && !wait_for_daemon())
		fprintf(stderr, "xbar: xbard does not answer at %s: the vifs of guest %s remain\n", client_path(),
			guest);
	else if (json_array_size(vifs) && !(ours = vifs_of(guest, &err)))
		fprintf(stderr, "xbar: %s: the vifs of guest %s remain\n", err.text, guest);
	/* In reverse order, as everything is undone. */
	for (size_t i = json_array_size(vifs); ours && i-- > 0;) {
		const char *name = json_string_value(json_object_get(json_array_get(vifs, i), "name"));
		if (!name || !json_object_get(ours, name))
			continue;
		json_t *result = client_call("vif-del", json_pack("{s:s}", "name", name), &err);
		if (!result)
			fprintf(stderr, "xbar: %s\n", err.text);
		json_decref(result);
	}
	json_decref(ours);
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

void guest_dir_clear(struct guest_dir *dir, const char *name)
{
	char path[PATH_MAX], root[PATH_MAX], kept[PATH_MAX], gone[PATH_MAX];
	struct hv_process guest;
	struct err err;

	/* A guest whose supervisor was killed may have left processes. */
	if (!hv_pidfile_read(file_in(dir, "guest.pid", path), &guest))
		hv_process_end_session(&guest);
	delete_vifs(dir, name);
	int lock = lock_root(&err);
	if (guest_root(root, &err) || (size_t)snprintf(kept, sizeof(kept), "%s/%s.log", root, name) >= sizeof(kept) ||
	    (size_t)snprintf(gone, sizeof(gone), "%s/.%s.gone", root, name) >= sizeof(gone)) {
		fprintf(stderr, "xbar: cannot remove %s: its path is too long\n", dir->path);
	} else {
		rename(file_in(dir, "console.log", path), kept);
		/* Renamed first, so that the guest is gone in one step. */
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
