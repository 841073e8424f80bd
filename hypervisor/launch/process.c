/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "process.h"

/* Read a small file into buf[size], with a NUL. */
static int read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, buf, size - 1);
	int r = n < 0 ? -errno : 0;

	close(fd);
	buf[n < 0 ? 0 : n] = '\0';
	return r;
}

struct stat_line { /* of proc(5)'s /proc/PID/stat */
	char state;
	int parent, session;
	uint64_t start;
};

static int read_stat(pid_t pid, struct stat_line *line)
{
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int r = read_file(path, text, sizeof(text));
	if (r)
		return r == -ENOENT ? -ESRCH : r;
	/* The name in parentheses may contain blanks and parentheses: count fields from the last one. */
	const char *rest = strrchr(text, ')');
	if (!rest ||
	    sscanf(rest + 1, " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
		   &line->state, &line->parent, &line->session, &line->start) != 4)
		return -EPROTO;
	return 0;
}

int hv_process_find(pid_t pid, struct hv_process *process)
{
	struct stat_line line;

	int r = pid > 0 ? read_stat(pid, &line) : -ESRCH;
	if (r)
		return r;
	if (line.state == 'Z' || line.state == 'X')
		return -ESRCH;
	*process = (struct hv_process){.pid = pid, .start = line.start};
	return 0;
}

/* Call `act` for each process but zombies, until it returns false. */
static void for_each(bool (*act)(void *arg, const struct hv_process *process, const struct stat_line *line), void *arg)
{
	struct stat_line line;
	struct dirent *entry;
	bool more = true;

	DIR *proc = opendir("/proc");
	while (proc && more && (entry = readdir(proc))) {
		int pid = atoi(entry->d_name);
		if (pid > 0 && !read_stat(pid, &line) && line.state != 'Z' && line.state != 'X')
			more = act(arg, &(struct hv_process){.pid = pid, .start = line.start}, &line);
	}
	if (proc)
		closedir(proc);
}

static bool end_member(void *arg, const struct hv_process *process, const struct stat_line *line)
{
	const struct hv_process *leader = arg;

	if (line->session == leader->pid && line->start >= leader->start)
		hv_process_signal(process, SIGKILL);
	return true;
}

void hv_process_end_session(const struct hv_process *process)
{
	struct hv_process leader = *process, other;

	if (hv_process_find(process->pid, &other))
		for_each(end_member, &leader);
}

struct kinship {
	pid_t parent;
	struct hv_process child;
};

static bool is_not_child(void *arg, const struct hv_process *process, const struct stat_line *line)
{
	struct kinship *kinship = arg;

	if (line->parent != kinship->parent)
		return true;
	kinship->child = *process;
	return false;
}

int hv_process_child(const struct hv_process *process, struct hv_process *child)
{
	struct kinship kinship = {.parent = process->pid};

	for_each(is_not_child, &kinship);
	/* If it is alive now, its number was its own all the time. */
	if (!kinship.child.pid || !hv_process_alive(process))
		return -ESRCH;
	*child = kinship.child;
	return 0;
}

bool hv_process_alive(const struct hv_process *process)
{
	struct hv_process now;

	return !hv_process_find(process->pid, &now) && now.start == process->start;
}

int hv_process_open(const struct hv_process *process)
{
	int fd = pidfd_open(process->pid, 0);
	if (fd < 0)
		return -errno;
	/* While the pidfd is open the number cannot be reused, so one check is enough. */
	if (!hv_process_alive(process)) {
		close(fd);
		return -ESRCH;
	}
	return fd;
}

int hv_process_signal(const struct hv_process *process, int sig)
{
	int fd = hv_process_open(process);
	if (fd < 0)
		return fd;
	int r = pidfd_send_signal(fd, sig, NULL, 0) ? -errno : 0;

	close(fd);
	return r;
}

int hv_pidfile_write(const char *path, pid_t pid)
{
	struct hv_process process;
	char temp[PATH_MAX], text[64];

	int r = hv_process_find(pid, &process);
	if (r)
		return r;
	if ((size_t)snprintf(temp, sizeof(temp), "%s.new", path) >= sizeof(temp))
		return -ENAMETOOLONG;
	int len = snprintf(text, sizeof(text), "%d %" PRIu64 "\n", (int)process.pid, process.start);
	int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	ssize_t n = write(fd, text, len);
	r = n < 0 ? -errno : n < len ? -ENOSPC : 0;
	if (close(fd) && !r)
		r = -errno;
	if (!r && rename(temp, path))
		r = -errno;
	if (r)
		unlink(temp);
	return r;
}

int hv_pidfile_read(const char *path, struct hv_process *process)
{
	char text[64];
	int pid, end = 0;
	uint64_t start;

	int r = read_file(path, text, sizeof(text));
	if (r)
		return r;
	if (sscanf(text, "%9d %" SCNu64 "%n", &pid, &start, &end) != 2 || pid <= 0 || strcmp(text + end, "\n"))
		return -EINVAL;
	*process = (struct hv_process){.pid = pid, .start = start};
	return 0;
}
