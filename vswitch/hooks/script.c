/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "script.h"
#include "vswitch/base/log.h"

#define LINE_BYTES 480 /* longer lines are broken */
#define KILL_AFTER_S 2 /* between SIGTERM and SIGKILL */

enum stream { STREAM_OUT, STREAM_ERR, STREAM_MAX };

struct output {
	struct script *script;
	struct event *event;
	struct evbuffer *pending; /* an unfinished line */
	int fd;
	bool is_error;
};

struct script {
	char name[128];
	struct script_opts opts;
	struct output output[STREAM_MAX];
	struct event *exit_event, *timer;
	int pidfd;
	pid_t pid;
	bool timed_out;
	char last_error[LINE_BYTES + 1]; /* the last line on standard error that was not blank */
};

static void free_output(struct output *output)
{
	if (output->event)
		event_free(output->event);
	if (output->pending)
		evbuffer_free(output->pending);
	if (output->fd >= 0)
		close(output->fd);
	output->event = NULL;
	output->pending = NULL;
	output->fd = -1;
}

static void script_free(struct script *script)
{
	for (int s = 0; s < STREAM_MAX; s++)
		free_output(&script->output[s]);
	if (script->exit_event)
		event_free(script->exit_event);
	if (script->timer)
		event_free(script->timer);
	if (script->pidfd >= 0)
		close(script->pidfd);
	free(script);
}

static void take_line(struct output *output, size_t len)
{
	struct script *script = output->script;
	char line[LINE_BYTES + 1];

	len = evbuffer_remove(output->pending, line, len);
	while (len && strchr(" \t\r\n", line[len - 1]))
		len--;
	line[len] = '\0';
	if (strlen(line) != len)
		for (size_t i = 0; i < len; i++)
			if (!line[i])
				line[i] = '?';
	if (!len)
		return;
	if (output->is_error)
		memcpy(script->last_error, line, len + 1);
	log_info("%s: %s", script->name, line);
}

/* Log the complete lines; with `all`, the rest too. */
static void take_lines(struct output *output, bool all)
{
	for (;;) {
		size_t have = evbuffer_get_length(output->pending), eol_len;
		struct evbuffer_ptr eol = evbuffer_search_eol(output->pending, NULL, &eol_len, EVBUFFER_EOL_LF);

		if (!have)
			return;
		if (eol.pos >= 0 && eol.pos < LINE_BYTES)
			take_line(output, eol.pos + eol_len);
		else if (have >= LINE_BYTES)
			take_line(output, LINE_BYTES);
		else if (all)
			take_line(output, have);
		else
			return;
	}
}

/* Read what is there now, in at most `max` reads, so that a chatty script does not keep the loop busy. */
static void drain(struct output *output, unsigned max)
{
	while (max--) {
		int n = evbuffer_read(output->pending, output->fd, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0) {
			event_del(output->event);
			return;
		}
		take_lines(output, false);
	}
}

static void on_output(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	drain(arg, 4);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct script *script = arg;
	struct timeval again = {.tv_sec = KILL_AFTER_S};

	(void)fd;
	(void)what;
	if (script->timed_out) {
		kill(-script->pid, SIGKILL);
		return;
	}
	script->timed_out = true;
	log_error("%s: still running after %u s; terminating it", script->name, script->opts.timeout_s);
	kill(-script->pid, SIGTERM);
	event_add(script->timer, &again);
}

static const char *outcome(const struct script *script, const siginfo_t *info, char *buf, size_t size)
{
	if (script->timed_out)
		snprintf(buf, size, "it timed out after %u s", script->opts.timeout_s);
	else if (info->si_code == CLD_EXITED && info->si_status == 0)
		return NULL;
	else if (*script->last_error)
		return script->last_error;
	else if (info->si_code == CLD_EXITED)
		snprintf(buf, size, "it exited with status %d and wrote nothing to standard error", info->si_status);
	else
		snprintf(buf, size, "it was killed by signal %d (%s)", info->si_status, strsignal(info->si_status));
	return buf;
}

static void on_exit_event(evutil_socket_t fd, short what, void *arg)
{
	struct script *script = arg;
	siginfo_t info = {0};
	char buf[128];

	(void)what;
	if (waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG) || !info.si_pid)
		return;
	for (int s = 0; s < STREAM_MAX; s++) {
		/* More than a pipe holds: everything that the script itself wrote before it ended. */
		drain(&script->output[s], 64);
		take_lines(&script->output[s], true);
	}
	if (script->timed_out)
		kill(-script->pid, SIGKILL); /* what it left running might hold what it should have released */

	const char *why = outcome(script, &info, buf, sizeof(buf));
	script->opts.done(script->opts.arg, why);
	script_free(script);
}

/* Start the process with its ends of the pipes: 0 or -errno. */
static int spawn(struct script *script, const int out[2], const int err[2])
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, defaults;

	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE); /* ignored in the daemon, and that would be inherited */
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	posix_spawn_file_actions_addchdir_np(&actions, "/");
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &defaults);

	int r = posix_spawn(&script->pid, script->opts.path, &actions, &attr, (char *const *)script->opts.argv,
			    (char *const *)script->opts.envp);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* Take over the reading end of `pipe_fds` and watch it: 0 or -errno. */
static int watch_output(struct script *script, struct event_base *base, enum stream stream, int pipe_fds[2])
{
	struct output *output = &script->output[stream];

	output->script = script;
	output->is_error = stream == STREAM_ERR;
	output->fd = pipe_fds[0];
	pipe_fds[0] = -1;
	output->pending = evbuffer_new();
	output->event = event_new(base, output->fd, EV_READ | EV_PERSIST, on_output, output);
	if (!output->pending || !output->event || fcntl(output->fd, F_SETFL, O_NONBLOCK) ||
	    event_add(output->event, NULL))
		return -ENOMEM;
	return 0;
}

static int watch_exit(struct script *script, struct event_base *base)
{
	struct timeval limit = {.tv_sec = script->opts.timeout_s};

	script->pidfd = pidfd_open(script->pid, 0);
	if (script->pidfd < 0)
		return -errno;
	script->exit_event = event_new(base, script->pidfd, EV_READ | EV_PERSIST, on_exit_event, script);
	script->timer = event_new(base, -1, 0, on_timeout, script);
	if (!script->exit_event || !script->timer || event_add(script->exit_event, NULL) ||
	    event_add(script->timer, &limit))
		return -ENOMEM;
	return 0;
}

static void kill_and_reap(const struct script *script)
{
	kill(-script->pid, SIGKILL);
	while (waitpid(script->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int script_run(struct event_base *base, const struct script_opts *opts, struct script **out, struct err *err)
{
	int pipes[STREAM_MAX][2] = {{-1, -1}, {-1, -1}};
	int r = 0;

	struct script *script = calloc(1, sizeof(*script));
	if (!script)
		return err_set(err, -ENOMEM, "no memory to run %s", opts->path);
	script->opts = *opts;
	script->pidfd = -1;
	snprintf(script->name, sizeof(script->name), "%s", opts->name);
	for (int s = 0; s < STREAM_MAX; s++)
		script->output[s].fd = -1;

	for (int s = 0; s < STREAM_MAX && !r; s++) {
		if (pipe2(pipes[s], O_CLOEXEC))
			r = -errno;
		else
			r = watch_output(script, base, s, pipes[s]);
	}
	if (!r)
		r = spawn(script, pipes[STREAM_OUT], pipes[STREAM_ERR]);
	if (!r) {
		r = watch_exit(script, base);
		if (r)
			kill_and_reap(script);
	}
	for (int s = 0; s < STREAM_MAX; s++)
		for (int end = 0; end < 2; end++)
			if (pipes[s][end] >= 0)
				close(pipes[s][end]);
	/* The caller's, and no longer needed. */
	script->opts.name = script->opts.path = NULL;
	script->opts.argv = script->opts.envp = NULL;
	if (r) {
		script_free(script);
		return err_set(err, r, "cannot run %s: %s", opts->path, strerror(-r));
	}
	*out = script;
	return 0;
}

void script_abort(struct script *script)
{
	kill_and_reap(script);
	script_free(script);
}
