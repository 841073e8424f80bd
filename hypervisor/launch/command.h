/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command that runs a guest: its arguments, a descriptor that it inherits, and as whom it runs.
 *
 * Threads: none. Ownership: a command owns its arguments and its descriptor; hv_command_fini() frees and closes them.
 */
#ifndef HV_COMMAND_H
#define HV_COMMAND_H

#include <limits.h>
#include <sys/types.h>

#include "argv.h"
#include "vswitch/base/err.h"

#define HV_COMMAND_PROCESSES 4096 /* of a confined guest that root starts: User-Mode Linux has one per process */

struct hv_command { /* all zeroes: empty */
	struct hv_argv argv;
	int fd; /* inherited under the same number; 0: none */
	bool fixed_addresses; /* without address space randomisation */
	bool confined; /* argv is bubblewrap's (confine.h), and is run by: */
	uid_t uid; /* this user; if it is not the caller's, the caller is root */
	gid_t group; /* a supplementary group; 0: none */
	/*
	 * A directory that belongs to `uid` until there are `sealed_files` in it, and then to root, so that the guest can
	 * not fill the host's file system. The guest does not count as running before. "": none.
	 */
	char sealed_dir[PATH_MAX];
	unsigned sealed_files;
};

/*
 * In the process that is to be the guest: become the command's user, and run it. Returns only on failure, with -errno.
 * The process is killed when its parent, the process `parent`, ends.
 */
int hv_command_exec(const struct hv_command *command, pid_t parent);

/* false: there are not enough files in sealed_dir yet. Else the directory is root's now, or there is none. */
bool hv_command_seal(const struct hv_command *command);

void hv_command_fini(struct hv_command *command);

#endif
