/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ifupdown.h"
#include "vswitch/base/clock.h"
#include "vswitch/base/ip.h"

#define OUTPUT_MAX 16384

const char *ifupdown_path(void)
{
	const char *path = getenv("XBAR_INTERFACES");
	return path && *path ? path : "/etc/network/interfaces";
}

/* ---- running it -------------------------------------------------------------------------------------------------- */

struct output {
	char out[OUTPUT_MAX], error[OUTPUT_MAX]; /* what it wrote, as strings */
};

/* Start `ifquery -i PATH NAME` with its output in the pipes' ends `out` and `error`. 0 or -errno. */
static int start(const char *path, const char *name, int out, int error, pid_t *pid)
{
	char *const argv[] = {"ifquery", "-i", (char *)path, (char *)name, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t signals;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, error, STDERR_FILENO);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	sigemptyset(&signals);
	posix_spawnattr_setsigmask(&attr, &signals);
	sigaddset(&signals, SIGPIPE);
	posix_spawnattr_setsigdefault(&attr, &signals);
	int r = -posix_spawnp(pid, argv[0], &files, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return r;
}

/* Read both pipes to their ends; what does not fit is dropped. -ETIMEDOUT when the time is up. */
static int read_both(const int fds[2], struct output *output)
{
	struct pollfd ends[] = {{.fd = fds[0], .events = POLLIN}, {.fd = fds[1], .events = POLLIN}};
	char *const text[] = {output->out, output->error};
	char rest[512];
	size_t used[2] = {0};
	uint64_t limit = clock_ms() + IFUPDOWN_TIMEOUT_MS;

	while (ends[0].fd >= 0 || ends[1].fd >= 0) {
		uint64_t now = clock_ms();
		if (now >= limit)
			return -ETIMEDOUT;
		if (poll(ends, 2, (int)(limit - now)) < 0 && errno != EINTR)
			return -errno;
		for (unsigned i = 0; i < 2; i++) {
			if (ends[i].fd < 0 || !ends[i].revents)
				continue;
			size_t room = OUTPUT_MAX - 1 - used[i];
			ssize_t n = read(ends[i].fd, room ? text[i] + used[i] : rest, room ? room : sizeof(rest));
			if (n > 0 && room)
				used[i] += n;
			else if (n == 0 || (n < 0 && errno != EINTR))
				ends[i].fd = -1;
		}
	}
	return 0;
}

/* Returns its exit status, 128 and a signal's number, or -errno. */
static int run(const char *path, const char *name, struct output *output)
{
	int out[2], error[2], status;
	pid_t pid;

	memset(output, 0, sizeof(*output));
	if (pipe2(out, O_CLOEXEC))
		return -errno;
	if (pipe2(error, O_CLOEXEC)) {
		int r = -errno;
		close(out[0]);
		close(out[1]);
		return r;
	}
	int r = start(path, name, out[1], error[1], &pid);
	close(out[1]);
	close(error[1]);
	if (!r) {
		r = read_both((int[]){out[0], error[0]}, output);
		if (r)
			kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (!r)
			r = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	close(out[0]);
	close(error[0]);
	return r;
}

/* ---- what it says ------------------------------------------------------------------------------------------------ */

/*
 * ifupdown's prints the interface's stanzas as "KEY: VALUE" lines, one stanza after the other, in which keys come in any
 * order. ifupdown-ng's prints one stanza, "iface NAME", in which each indented "address" stands for itself.
 */
struct stanza {
	const char *address, *netmask; /* NULL: not read yet */
};

struct reader {
	const char *path, *name;
	int (*fn)(const char *address, void *arg, struct err *err);
	void *arg;
	struct err *err;
};

static int end_stanza(const struct reader *reader, struct stanza *stanza)
{
	const char *address = stanza->address, *netmask = stanza->netmask;
	char text[160];
	struct err why;

	*stanza = (struct stanza){0};
	if (!address || !netmask) /* not a static one: those have a netmask, if only an empty or derived one */
		return 0;
	bool ipv6 = strchr(address, ':');
	int len = !*netmask && ipv6 ? 64 : ip_mask_length(netmask, ipv6 ? AF_INET6 : AF_INET);
	snprintf(text, sizeof(text), "%s/%d", address, len);
	/* It prints a length that is too long as netmask 0.0.0.0. */
	int r = len > 0 ? reader->fn(text, reader->arg, &why) : -EINVAL;
	if (r == -EINVAL)
		err_set(reader->err, r,
			"%s: interface %s has address \"%.60s\" with netmask \"%.60s\", which is not valid",
			reader->path, reader->name, address, netmask);
	else if (r)
		err_set(reader->err, r, "%s: %.400s", reader->path, why.text);
	return r;
}

#define NG_ADDRESS "  address "

/* ifupdown-ng has put the netmask behind the address, unless it could not. */
static int take_ng(const struct reader *reader, const char *address)
{
	struct err why;
	int r = strchr(address, '/') ? reader->fn(address, reader->arg, &why) : -EINVAL;

	if (r == -EINVAL)
		return err_set(reader->err, r,
			       "%s: interface %s has address \"%.60s\", which is not a valid ADDRESS/LENGTH",
			       reader->path, reader->name, address);
	return r ? err_set(reader->err, r, "%s: %.400s", reader->path, why.text) : 0;
}

static int read_output(const struct reader *reader, char *text)
{
	struct stanza stanza = {0};
	int r = 0;

	for (char *next, *line = strtok_r(text, "\n", &next); line && !r; line = strtok_r(NULL, "\n", &next)) {
		const char **value = !strncmp(line, "address: ", 9)   ? &stanza.address
				     : !strncmp(line, "netmask: ", 9) ? &stanza.netmask
								      : NULL;
		if (!strncmp(line, NG_ADDRESS, strlen(NG_ADDRESS)))
			r = take_ng(reader, line + strlen(NG_ADDRESS));
		else if (value && *value)
			r = end_stanza(reader, &stanza);
		if (value)
			*value = line + 9;
	}
	return r ? r : end_stanza(reader, &stanza);
}

/* The first line that it wrote to standard error, without its own name. */
static const char *first_error(char *text)
{
	text[strcspn(text, "\n")] = '\0';
	return strncmp(text, "ifquery: ", 9) ? text : text + 9;
}

int ifupdown_addresses(const char *path, const char *name, int (*fn)(const char *address, void *arg, struct err *err),
		       void *arg, struct err *err)
{
	const struct reader reader = {.path = path, .name = name, .fn = fn, .arg = arg, .err = err};
	struct output output;

	if (access(path, F_OK) && errno == ENOENT)
		return 0;
	int r = run(path, name, &output);
	if (!r)
		return read_output(&reader, output.out);
	if (r == -ENOENT)
		return err_set(
			err, -ENOPKG,
			"%s was not read: there is no ifquery; install ifupdown, or give the bridge its addresses "
			"by address=",
			path);
	if (r == -ETIMEDOUT)
		return err_set(err, r, "%s: ifquery did not end within %d ms; say address=ADDRESS/LENGTH to go without",
			       path, IFUPDOWN_TIMEOUT_MS);
	if (r < 0)
		return err_set(err, r, "%s: cannot run ifquery: %s", path, strerror(-r));
	const char *why = first_error(output.error);
	if (r == 1 && !strncmp(why, "unknown interface ", 18))
		return 0;
	return err_set(err, -EINVAL, "%s: ifquery cannot read it (exit status %d): %.300s", path, r, why);
}
