/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "keeper.h"
#include "process.h"

#define SETTLE_MS 300 /* a guest that has printed something and lives this much longer is running */
#define QUIET_MS 2000 /* so is one that has lived this long without a word */
#define LEFTOVERS_MS 2000 /* how long processes of a dead guest may take to die */
#define TAIL_SIZE 400 /* of the console, for the error when a start fails */
#define CLIENT_BUFFER (1 << 20)

struct state {
	const struct hv_keeper *keeper;
	int report; /* to who started us: a failure's sentence, or nothing; -1: reported */
	int pty, signals, listener, log;
	off_t log_len;
	pid_t guest;
	bool guest_alive;
	struct timespec begun, spoke; /* when the guest began, and first printed; 0: not yet */
	char input[4096]; /* from clients, for a guest that does not take it yet */
	size_t input_len;
	int client[HV_KEEPER_CLIENTS_MAX];
	size_t nclients;
	char tail[TAIL_SIZE + 1];
	size_t tail_len;
};

static void now(struct timespec *t)
{
	clock_gettime(CLOCK_MONOTONIC, t);
}

static long ms_since(const struct timespec *t)
{
	struct timespec n;

	now(&n);
	return (n.tv_sec - t->tv_sec) * 1000 + (n.tv_nsec - t->tv_nsec) / 1000000;
}

/* Tell who started us that the guest runs (NULL), or why it does not. */
static void report(struct state *s, const char *why)
{
	if (s->report < 0)
		return;
	const char *text = why ? why : "";
	/* The reader may be gone (SIGPIPE is ignored): then nobody wants to know. */
	ssize_t n = write(s->report, text, strlen(text) + 1);
	(void)n;
	close(s->report);
	s->report = -1;
}

static int path_of(const struct state *s, const char *name, char path[PATH_MAX])
{
	return (size_t)snprintf(path, PATH_MAX, "%s/%s", s->keeper->dir, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* ---- the console ------------------------------------------------------------------------------------------------- */

static int open_log(struct state *s)
{
	char path[PATH_MAX];

	int error = path_of(s, "console.log", path);
	if (error)
		return error;
	s->log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	s->log_len = 0;
	return s->log < 0 ? -errno : 0;
}

static void write_log(struct state *s, const char *data, size_t len)
{
	char path[PATH_MAX], old[PATH_MAX];

	if (s->log >= 0 && s->log_len + len > HV_KEEPER_LOG_MAX && !path_of(s, "console.log", path) &&
	    !path_of(s, "console.log.1", old)) {
		close(s->log);
		rename(path, old);
		open_log(s);
	}
	/* A full disk costs log, not the guest. */
	if (s->log >= 0 && write(s->log, data, len) == (ssize_t)len)
		s->log_len += len;
}

static void keep_tail(struct state *s, const char *data, size_t len)
{
	if (len > TAIL_SIZE) {
		data += len - TAIL_SIZE;
		len = TAIL_SIZE;
	}
	size_t keep = s->tail_len + len > TAIL_SIZE ? TAIL_SIZE - len : s->tail_len;
	memmove(s->tail, s->tail + s->tail_len - keep, keep);
	memcpy(s->tail + keep, data, len);
	s->tail_len = keep + len;
	s->tail[s->tail_len] = '\0';
}

static void drop_client(struct state *s, size_t i)
{
	close(s->client[i]);
	s->client[i] = s->client[--s->nclients];
}

/* Read what the guest printed. false: nothing there. */
static bool take_output(struct state *s)
{
	char data[4096];
	ssize_t n = read(s->pty, data, sizeof(data));

	if (n <= 0) {
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
		/* The guest's end is closed for good; its exit will be told by a signal. */
		close(s->pty);
		s->pty = -1;
		return false;
	}
	if (!s->spoke.tv_sec)
		now(&s->spoke);
	write_log(s, data, n);
	keep_tail(s, data, n);
	for (size_t i = s->nclients; i-- > 0;)
		if (send(s->client[i], data, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN)
			drop_client(s, i);
	return true;
}

static void give_input(struct state *s)
{
	ssize_t n = write(s->pty, s->input, s->input_len);

	if (n > 0) {
		s->input_len -= n;
		memmove(s->input, s->input + n, s->input_len);
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		s->input_len = 0;
	}
}

static void take_client(struct state *s)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (s->nclients == HV_KEEPER_CLIENTS_MAX) {
		static const char full[] = "too many readers of this console already\r\n";
		send(fd, full, sizeof(full) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		close(fd);
		return;
	}
	int size = CLIENT_BUFFER;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	s->client[s->nclients++] = fd;
}

/* Only called while there is room for input. */
static void take_input(struct state *s, size_t i)
{
	ssize_t n = recv(s->client[i], s->input + s->input_len, sizeof(s->input) - s->input_len, MSG_DONTWAIT);

	if (n > 0)
		s->input_len += n;
	else if (!n || (errno != EAGAIN && errno != EINTR))
		drop_client(s, i);
}

static int open_listener(struct state *s)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char path[PATH_MAX];

	int error = path_of(s, "console.sock", path);
	if (error || strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&addr, sizeof(addr)) || listen(s->listener, 8))
		return -errno;
	return 0;
}

/* ---- the guest's process ----------------------------------------------------------------------------------------- */

/* In the guest's process-to-be: become it. On return (of -errno) it could not. */
static int become_guest(const struct state *s, int slave, pid_t keeper)
{
	sigset_t none;

	/* A guest without its keeper could be neither seen nor ended. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != keeper)
		return -ESRCH;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
		return -errno;
	for (int fd = 0; fd < 3; fd++)
		if (dup2(slave, fd) < 0)
			return -errno;
	if (chdir(s->keeper->dir))
		return -errno;
	execv(s->keeper->argv[0], s->keeper->argv);
	return -errno;
}

static int start_guest(struct state *s)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	struct termios raw = {0};
	int slave, wire[2], error = 0;
	pid_t keeper = getpid();

	cfmakeraw(&raw); /* the guest's own terminal driver does what has to be done */
	raw.c_cflag |= CREAD;
	if (openpty(&s->pty, &slave, NULL, &raw, &size))
		return -errno;
	fcntl(s->pty, F_SETFD, FD_CLOEXEC);
	fcntl(slave, F_SETFD, FD_CLOEXEC);
	fcntl(s->pty, F_SETFL, O_NONBLOCK);
	if (pipe2(wire, O_CLOEXEC))
		return -errno;
	now(&s->begun);
	s->guest = fork();
	if (s->guest < 0)
		return -errno;
	if (!s->guest) {
		error = become_guest(s, slave, keeper);
		ssize_t n = write(wire[1], &error, sizeof(error));
		(void)n;
		_exit(127);
	}
	close(slave);
	close(wire[1]);
	/* Closed by a successful exec; else it brings the error. */
	while (read(wire[0], &error, sizeof(error)) < 0 && errno == EINTR)
		;
	close(wire[0]);
	if (error)
		waitpid(s->guest, NULL, 0);
	s->guest_alive = !error;
	return error;
}

static void kill_guest(const struct state *s)
{
	kill(-s->guest, SIGKILL); /* its session: User-Mode Linux has a process for each of its guest's */
	kill(s->guest, SIGKILL);
}

/*
 * Reap orphans, and see whether the guest has ended. The guest itself stays a zombie until end_leftovers(), so that its
 * number keeps naming its session and nobody else's.
 */
static void reap(struct state *s)
{
	for (;;) {
		siginfo_t info = {.si_pid = 0};
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid)
			return;
		if (info.si_pid == s->guest) {
			s->guest_alive = false;
			return;
		}
		waitpid(info.si_pid, NULL, 0);
	}
}

/* The guest has ended: end what it left, which is ours to wait for (PR_SET_CHILD_SUBREAPER). */
static void end_leftovers(struct state *s)
{
	struct timespec since, pause = {.tv_nsec = 5000000};

	now(&since);
	kill_guest(s);
	while (waitpid(-1, NULL, WNOHANG) >= 0 && ms_since(&since) < LEFTOVERS_MS)
		nanosleep(&pause, NULL);
	while (s->pty >= 0 && take_output(s))
		;
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

static void take_signal(struct state *s)
{
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGTERM)
		kill_guest(s);
	else
		reap(s);
}

/* How long poll may wait until report() is due; -1: no limit. */
static int report_due(struct state *s)
{
	if (s->report < 0)
		return -1;
	long left = s->spoke.tv_sec ? SETTLE_MS - ms_since(&s->spoke) : LONG_MAX;
	long quiet = QUIET_MS - ms_since(&s->begun);
	if (quiet < left)
		left = quiet;
	if (left > 0)
		return left;
	report(s, NULL);
	return -1;
}

static void look_after(struct state *s)
{
	enum { SIGNALS, LISTENER, PTY, CLIENTS };
	struct pollfd fds[CLIENTS + HV_KEEPER_CLIENTS_MAX];

	while (s->guest_alive) {
		short reading = s->input_len < sizeof(s->input) ? POLLIN : 0;
		size_t n = s->nclients;
		fds[SIGNALS] = (struct pollfd){.fd = s->signals, .events = POLLIN};
		fds[LISTENER] = (struct pollfd){.fd = s->listener, .events = POLLIN};
		fds[PTY] = (struct pollfd){.fd = s->pty, .events = POLLIN | (s->input_len ? POLLOUT : 0)};
		for (size_t i = 0; i < n; i++)
			fds[CLIENTS + i] = (struct pollfd){.fd = s->client[i], .events = reading};
		if (poll(fds, CLIENTS + n, report_due(s)) < 0 && errno != EINTR)
			return;
		/* Backwards, since dropping one moves the last into its place. */
		for (size_t i = n; i-- > 0;)
			if (fds[CLIENTS + i].revents && reading)
				take_input(s, i);
			else if (fds[CLIENTS + i].revents & (POLLHUP | POLLERR))
				drop_client(s, i);
		if (s->pty >= 0 && s->input_len)
			give_input(s);
		if (s->pty >= 0 && fds[PTY].revents & (POLLIN | POLLHUP | POLLERR))
			take_output(s);
		if (fds[LISTENER].revents)
			take_client(s);
		if (fds[SIGNALS].revents)
			take_signal(s);
	}
}

/* Leave the caller's terminal, directory and descriptors. */
static int detach(struct state *s)
{
	sigset_t set;

	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_SETMASK, &set, NULL);
	umask(077);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	int null = open("/dev/null", O_RDWR);
	if (null < 0 || chdir("/"))
		return -errno;
	for (int fd = 0; fd < 3; fd++)
		if (dup2(null, fd) < 0)
			return -errno;
	int low = s->report < s->keeper->lock ? s->report : s->keeper->lock;
	int high = s->report < s->keeper->lock ? s->keeper->lock : s->report;
	if (low > 3)
		close_range(3, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0U, 0);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC);
	return s->signals < 0 ? -errno : 0;
}

static int write_pidfiles(const struct state *s)
{
	char path[PATH_MAX];
	int error = path_of(s, "keeper.pid", path);

	if (!error)
		error = hv_pidfile_write(path, getpid());
	if (!error)
		error = path_of(s, "guest.pid", path);
	if (!error)
		error = hv_pidfile_write(path, s->guest);
	/* A guest that has ended already is told of with what it printed. */
	return error == -ESRCH ? 0 : error;
}

/* What the guest printed last, in one line. */
static const char *last_words(struct state *s)
{
	char *start = s->tail, *c;

	while (s->tail_len && strchr("\r\n ", s->tail[s->tail_len - 1]))
		s->tail[--s->tail_len] = '\0';
	for (c = start; *c; c++)
		if (*c == '\n' || *c == '\r' || *c == '\t')
			*c = ' ';
	return *start ? start : "it printed nothing";
}

static void keep(struct state *s)
{
	char why[512];
	const char *what = "cannot leave the terminal";

	int error = detach(s);
	if (!error) {
		what = "cannot make the console";
		error = open_log(s);
	}
	if (!error)
		error = open_listener(s);
	if (!error) {
		what = s->keeper->argv[0];
		error = start_guest(s);
	}
	if (error) {
		snprintf(why, sizeof(why), "%.300s: %s", what, strerror(-error));
		report(s, why);
		return;
	}
	error = write_pidfiles(s);
	if (error) {
		kill_guest(s);
		snprintf(why, sizeof(why), "cannot write the pidfiles: %s", strerror(-error));
	}
	look_after(s);
	end_leftovers(s);
	if (s->report < 0) {
		s->keeper->ended(s->keeper->arg);
		return;
	}
	if (!error)
		snprintf(why, sizeof(why), "the guest ended at once: %s", last_words(s));
	report(s, why);
}

/* ---- who starts it ----------------------------------------------------------------------------------------------- */

/* Read the keeper's report to its end: 0 where all is well. */
static int read_report(int fd, struct err *err)
{
	char text[sizeof(err->text)];
	size_t len = 0;

	while (len < sizeof(text) - 1) {
		ssize_t n = read(fd, text + len, sizeof(text) - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += n;
	}
	text[len] = '\0';
	if (!len)
		return err_set(err, -EIO, "the guest's keeper died before it could start the guest");
	return *text ? err_set(err, -ECHILD, "%s", text) : 0;
}

int hv_keeper_start(const struct hv_keeper *keeper, struct err *err)
{
	int wire[2];

	if (pipe2(wire, O_CLOEXEC))
		return err_set(err, -errno, "cannot make a pipe: %s", strerror(errno));
	pid_t first = fork();
	if (first < 0) {
		int error = errno;
		close(wire[0]);
		close(wire[1]);
		return err_set(err, -error, "cannot fork: %s", strerror(error));
	}
	if (!first) {
		/* Twice, so that the keeper is no child of ours and leads no session that could get a terminal. */
		if (setsid() < 0 || fork() != 0)
			_exit(0);
		struct state s = {
			.keeper = keeper, .report = wire[1], .pty = -1, .signals = -1, .listener = -1, .log = -1};
		keep(&s);
		_exit(0);
	}
	close(wire[1]);
	while (waitpid(first, NULL, 0) < 0 && errno == EINTR)
		;
	int error = read_report(wire[0], err);
	close(wire[0]);
	return error;
}
