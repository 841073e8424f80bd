/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Programs of the host: where they are, as whom they run, what they need to run, and what they print.
 *
 * Threads: any, but hv_program_start() and what calls it: the caller must have only one thread. Errors: 0 or -errno.
 */
#ifndef HV_PROGRAM_H
#define HV_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/* Put the file that execvp(3) would run as `program` into path[size]. false: there is none. */
bool hv_find_program(const char *program, char *path, size_t size);

/*
 * Become user `uid` with the group of the same number, and `group` as the only supplementary one (0: none), for good. Does
 * nothing if the caller is that user; else the caller must be root.
 */
int hv_become_user(uid_t uid, gid_t group);

struct hv_running {
	FILE *out; /* what it prints, on standard output and as errors */
	pid_t pid;
};

/*
 * Run argv[0], a path, as user `uid` without supplementary groups, without environment and without input; if `uid` is not
 * the caller's, the caller is root. A program that cannot be run prints why and exits with 127.
 */
int hv_program_start(struct hv_running *running, uid_t uid, const char *const argv[]);
/* Wait for its end: its exit status, or 255 if a signal ended it. Output that was not read is lost. */
int hv_program_wait(struct hv_running *running);

/*
 * Call `found` with the path of the loader that `program` asks for, and of each library that it is linked with, as
 * user `uid` finds them. -ENOEXEC: it is no program for this machine, or its libraries cannot all be found.
 */
int hv_program_libraries(const char *program, uid_t uid, void (*found)(void *arg, const char *path), void *arg);

#endif
