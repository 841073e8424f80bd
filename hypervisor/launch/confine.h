/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Confinement: a guest's process runs as a user of its own, and sees nothing of the host but what it is given.
 *
 * Model. Privileges are dropped first (command.h); then bubblewrap makes new mount, pid, ipc, uts and network namespaces,
 * in which there are the program with its libraries, the guest's kernel and ramdisk, and its vifs' sockets, all read-only,
 * and small tmpfs. The process gets no capabilities and can gain none. It ends with its parent, and all that it started
 * ends with it.
 *
 * User. If root launches the guest, it runs as one of HV_CONFINE_USERS users from HV_CONFINE_USER_BASE on, which have no
 * names and own no files, and each of which is one guest's at a time; else as the caller's user. A user of its own may
 * have HV_COMMAND_PROCESSES processes, so that a guest cannot use up the host's process numbers.
 *
 * Threads: the caller must have only one thread. Errors: 0 or -errno with a struct err.
 */
#ifndef HV_CONFINE_H
#define HV_CONFINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "argv.h"
#include "process.h"
#include "vswitch/base/err.h"

/* 0x70000000: a range that neither distributions, container managers nor systemd give away. */
#define HV_CONFINE_USER_BASE 1879048192u
#define HV_CONFINE_USERS 65536u

/*
 * A user that a new guest may run as: of those of which no process runs, any. The caller sees to it that two guests do not
 * get the same one before their processes run.
 */
int hv_confine_user(uid_t *uid, struct err *err);
/* Whether guests can be confined on this host as `uid`; the error says what prevents it and what to do. */
int hv_confine_check(uid_t uid, struct err *err);
/*
 * Whether `uid` may access the file at `path` (absolute, without symbolic links) as access(2) has it in `mode`. The error,
 * which begins with `what`, names the directory or file that is in the way and what to do.
 */
int hv_confine_access(uid_t uid, const char *what, const char *path, int mode, struct err *err);

/* ---- bubblewrap's arguments, in this order ----------------------------------------------------------------------- */

void hv_confine_begin(struct hv_argv *argv);
/* Give it the program at `program`, and the loader and libraries with which user `uid` runs it. */
int hv_confine_program(struct hv_argv *argv, const char *program, uid_t uid, struct err *err);
/* Give it the file or directory at `path`, read-only, as `name`. With `optional` it need not exist. */
void hv_confine_file(struct hv_argv *argv, const char *path, const char *name, bool optional);
/* Give it an empty tmpfs of `bytes` at `name`. */
void hv_confine_tmpfs(struct hv_argv *argv, const char *name, uint64_t bytes);
/* What is added next is the program's own command line. */
void hv_confine_end(struct hv_argv *argv);

/* ---- of a running guest ------------------------------------------------------------------------------------------ */

/* Open, with O_PATH, the file that the confined guest `guest` (bubblewrap's process) has at `path`. -errno: there is none. */
int hv_confine_open(const struct hv_process *guest, const char *path);

#endif
