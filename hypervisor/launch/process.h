/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Processes of others, which may have ended, and whose number the kernel may have reused.
 *
 * Model. A process is its number and its start time (clock ticks since boot, field 22 of proc(5)'s stat): together
 * they identify one process of this boot. A pidfile holds both: "PID START\n".
 *
 * Threads: any. Errors: 0 or -errno; -ESRCH if that process is gone.
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

/* The process that now has the number `pid`. A zombie counts as gone. */
int hv_process_find(pid_t pid, struct hv_process *process);
bool hv_process_alive(const struct hv_process *process);
/* A process whose parent is `process`. -ESRCH: there is none. */
int hv_process_child(const struct hv_process *process, struct hv_process *child);
/* A pidfd (for poll(2): readable when the process has ended), to be closed by the caller; or -errno. */
int hv_process_open(const struct hv_process *process);
int hv_process_signal(const struct hv_process *process, int sig);

/*
 * Kill (SIGKILL) what is left of the session that `process`, which has ended, once led. Does nothing if another process
 * has that number now, since the kernel does not reuse the number of a session that has members.
 */
void hv_process_end_session(const struct hv_process *process);

/* Write the pidfile of `pid`, atomically. */
int hv_pidfile_write(const char *path, pid_t pid);
/* Read a pidfile. -EINVAL: hv_pidfile_write() did not write it. Whether the process still runs is not checked. */
int hv_pidfile_read(const char *path, struct hv_process *process);

#endif
