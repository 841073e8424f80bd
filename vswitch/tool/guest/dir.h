/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's run directory, RUNDIR/guests/NAME: that it exists is that there is such a guest.
 *
 * Model. RUNDIR is $XBAR_RUNDIR, else /run/xbar. The directory holds guest.json (the record: what list shows, and what
 * has to be undone), the keeper's files (hypervisor/keeper.h) and the hypervisor's. Its keeper, and whoever is just
 * making or clearing it, holds a lock on its file `lock`: a directory whose lock is free was left by something that was
 * killed, and may be cleared by anybody. RUNDIR/guests/.lock is held while directories are claimed or removed.
 *
 * The record: {"name", "hypervisor", "why", "cfg", "memory_mb", "vcpus", "created" (seconds since 1970), "vifs":
 * [{"name", "devid", "bridge", "ip", "mac", "socket"}]}. A vif is in it before xbard is asked to make it.
 *
 * Threads: none. Errors: 0 or -errno with a sentence in *err.
 */
#ifndef XBAR_GUEST_DIR_H
#define XBAR_GUEST_DIR_H

#include <limits.h>
#include <stdbool.h>

#include <jansson.h>

#include "hypervisor/cfg/text.h"

struct guest_dir {
	char path[PATH_MAX]; /* absolute */
	int lock; /* -1: not ours */
};

enum guest_state {
	GUEST_NONE, /* there is no such guest */
	GUEST_DEAD, /* left over: to be cleared */
	GUEST_STARTING, /* not there yet */
	GUEST_RUNNING,
	GUEST_ENDING, /* its vifs are being taken away */
	GUEST_STATE_MAX
};

const char *guest_state_name(enum guest_state state);

/* The directory of the guests into path[PATH_MAX]. */
int guest_root(char *path, struct err *err);
/* The path of guest `name`'s, which is a valid name, into *dir. Nothing is looked at. */
int guest_dir_name(struct guest_dir *dir, const char *name, struct err *err);
enum guest_state guest_dir_state(const struct guest_dir *dir);

/* Make the directory and take its lock. What a dead guest of the name left is cleared first. -EEXIST: it is in use. */
int guest_dir_claim(struct guest_dir *dir, const char *name, struct err *err);
/* Take the lock of a dead guest's directory. -EBUSY: it is not dead. */
int guest_dir_take(struct guest_dir *dir, struct err *err);
/*
 * For the holder of the lock: have xbard take the record's vifs away, and remove the directory. With `keep_log` the
 * console's log stays behind, as RUNDIR/guests/NAME.log. What xbard does not take away is told on standard error.
 */
void guest_dir_clear(struct guest_dir *dir, const char *name, bool keep_log);

/* A new reference; NULL: there is none that can be read. */
json_t *guest_record_read(const struct guest_dir *dir);
int guest_record_write(const struct guest_dir *dir, const json_t *record, struct err *err);

#endif
