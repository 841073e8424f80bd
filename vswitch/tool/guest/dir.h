/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's run directory, RUNDIR/guests/NAME: the guest exists if and only if this directory does.
 *
 * Model. RUNDIR is $XBAR_RUNDIR, else /run/xbar. The directory holds guest.json (the record: what `xbar list` shows and
 * what must be undone), the supervisor's files (hypervisor/launch/supervisor.h) and the hypervisor's. The guest's
 * supervisor, or the process that creates or clears the directory, holds a lock on its file `lock`. A directory whose
 * lock is free was left behind by a process that was killed; anyone may clear it. RUNDIR/guests/.lock is held while
 * directories are claimed or removed.
 *
 * The record: {"name", "hypervisor", "why", "cfg", "memory_mb", "vcpus", "created" (seconds since 1970), "vifs":
 * [{"name", "devid", "bridge", "ip", "mac", "socket"}], "confined", "uid" (if confined: the user that its
 * process runs as)}. It is written twice: with all the vifs that will be asked for, before xbard is asked for the first, and
 * with their MACs and sockets before the guest starts. So a vif in it may not exist, or may be another guest's of the same
 * name.
 *
 * Threads: none. Errors: 0 or -errno with a struct err.
 */
#ifndef XBAR_GUEST_DIR_H
#define XBAR_GUEST_DIR_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include <jansson.h>

#include "vswitch/base/err.h"

struct guest_dir {
	char path[PATH_MAX]; /* absolute */
	int lock; /* -1: not ours */
};

enum guest_state {
	GUEST_NONE, /* there is no such guest */
	GUEST_DEAD, /* a leftover, to be cleared */
	GUEST_STARTING, /* being created */
	GUEST_RUNNING,
	GUEST_ENDING, /* its vifs are being removed */
	GUEST_STATE_MAX
};

const char *guest_state_name(enum guest_state state);

/* Put the path of the directory of all guests into path[PATH_MAX]. */
int guest_root(char *path, struct err *err);
/* Fill *dir with the path for guest `name`, a valid name. Does not touch the file system. */
int guest_dir_name(struct guest_dir *dir, const char *name, struct err *err);
enum guest_state guest_dir_state(const struct guest_dir *dir);

/* Create the directory and take its lock. Clears what a dead guest of that name left. -EEXIST: it is in use. */
int guest_dir_claim(struct guest_dir *dir, const char *name, struct err *err);
/* Take the lock of a dead guest's directory. -EBUSY: the guest is not dead. */
int guest_dir_take(struct guest_dir *dir, struct err *err);
/*
 * For the holder of the lock: have xbard remove the record's vifs as far as they are this guest's, then remove the
 * directory. The console's log is kept as RUNDIR/guests/NAME.log. Failures go to standard error.
 */
void guest_dir_clear(struct guest_dir *dir, const char *name);

/* A new reference; NULL: there is no readable record. */
json_t *guest_record_read(const struct guest_dir *dir);
int guest_record_write(const struct guest_dir *dir, const json_t *record, struct err *err);
/*
 * Choose a user for the confined guest (hv_confine_user()) that no other guest's record has, and write the record with it.
 * The user is the guest's until the directory is removed.
 */
int guest_record_claim_user(const struct guest_dir *dir, json_t *record, uid_t *uid, struct err *err);

#endif
