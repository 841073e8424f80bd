/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon's directory for files that live as long as it runs, and the lock in it that keeps a second daemon away.
 *
 * Errors. 0 or -errno with *err.
 */
#ifndef XBAR_RUNDIR_H
#define XBAR_RUNDIR_H

#include <stdbool.h>
#include <sys/types.h>

#include "vswitch/base/err.h"

struct rundir {
	char *path; /* absolute */
	bool made; /* by us, so removed at the end */
	int lock; /* descriptor of PATH/xbard.lock, which holds our process id; -1: not locked */
};

/*
 * Make the directory if need be, and lock it: -EBUSY if a daemon is running there, whose process *err names; -EPERM if anyone else
 * may write to it. The lock is a file that nobody else may open; one that others may open is replaced.
 */
int rundir_open(struct rundir *rundir, const char *path, struct err *err);
/* Remove the lock and, if we made the directory and it is empty, the directory. */
void rundir_close(struct rundir *rundir);
/*
 * Make the directory at `path`, for sockets: all may pass through it to a socket that is theirs, and members of `group` (-1:
 * nobody) may make their own in it and remove those again. One that is there is left as it is, unless `ours`.
 */
int rundir_make_shared(const char *path, gid_t group, bool ours, struct err *err);

#endif
