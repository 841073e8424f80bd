/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A process that somebody else may have ended meanwhile, and whose number the kernel may have given away again.
 *
 * Model. A process is its number and its start time (clock ticks since boot, field 22 of proc(5)'s stat): the two
 * together name one process of this boot and no other. A pidfile holds both: "PID START\n".
 *
 * Threads: any. Errors: 0 or -errno; -ESRCH where that process is gone.
 */
#ifndef HV_PROCESS_H
#define HV_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct hv_process {
	pid_t pid;
	uint64_t start;
};

/* The process that has the number `pid` now. A zombie counts as gone. */
int hv_process_find(pid_t pid, struct hv_process *process);
bool hv_process_alive(const struct hv_process *process);
/* A pidfd (for poll(2): readable when the process has ended), to be closed by the caller; or -errno. */
int hv_process_open(const struct hv_process *process);
int hv_process_signal(const struct hv_process *process, int sig);

/*
 * Kill (SIGKILL) what is left of the session that `process`, which has ended, once led. Nothing is killed where its
 * number is another process's now: it could not be while the session had members.
 */
void hv_process_end_session(const struct hv_process *process);

/* Write the pidfile of `pid`, complete or not at all. */
int hv_pidfile_write(const char *path, pid_t pid);
/* Read a pidfile. -EINVAL where it does not hold what hv_pidfile_write() writes. Whether it runs still is not looked at. */
int hv_pidfile_read(const char *path, struct hv_process *process);

#endif
