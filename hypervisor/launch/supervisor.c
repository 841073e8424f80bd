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
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "process.h"
#include "supervisor.h"
#include "vswitch/base/clock.h"
#include "vswitch/base/unixsock.h"

#define SETTLE_MS 300 /* a guest that lives this long after its first output is running */
#define QUIET_MS 2000 /* so is one that lives this long without any output */
#define SEAL_MS 20 /* between two tries of hv_command_seal() */
#define SEAL_LIMIT_MS 30000
#define LEFTOVERS_MS 2000 /* how long the processes of an ended guest may take to die */
#define TAIL_SIZE 400 /* bytes of the console's end, for the error when a start fails */
#define CLIENT_BUFFER (1 << 20)

struct state {
	const struct hv_supervisor *conf;
	int report; /* a pipe to the process that started us, for report(); -1: reported */
	int pty, signals, listener, log;
	off_t log_len;
	pid_t guest;
	bool guest_alive;
	bool broke_filter; /* the guest was ended by its list of system calls */
	bool sealed; /* hv_command_seal() has succeeded */
	const char *failure; /* why the guest was killed before it counted as running; NULL: it ended by itself */
	uint64_t started_ms, output_ms; /* when the guest was started, and when it first printed; 0: not yet */
	char input[4096]; /* from clients, not yet taken by the guest */
	size_t input_len;
	int client[HV_SUPERVISOR_CLIENTS_MAX];
	size_t nclients;
	char tail[TAIL_SIZE + 1];
	size_t tail_len;
};

/* Tell the process that started us that the guest is running (NULL), or why it is not. */
static void report(struct state *s, const char *why)
{
	if (s->report < 0)
		return;
	const char *text = why ? why : "";
	/* The reader may be gone, and SIGPIPE is ignored: then there is nobody to tell. */
	ssize_t n = write(s->report, text, strlen(text) + 1);
	(void)n;
	close(s->report);
	s->report = -1;
}

static int path_of(const struct state *s, const char *name, char path[PATH_MAX])
{
	return (size_t)snprintf(path, PATH_MAX, "%s/%s", s->conf->dir, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* ---- the console ------------------------------------------------------------------------------------------------- */

static int open_log(struct state *s)
{
	char path[PATH_MAX];

	int r = path_of(s, "console.log", path);
	if (r)
		return r;
	s->log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	s->log_len = 0;
	return s->log < 0 ? -errno : 0;
}

static void write_log(struct state *s, const char *data, size_t len)
{
	char path[PATH_MAX], old[PATH_MAX];

	if (s->log >= 0 && s->log_len + len > HV_SUPERVISOR_LOG_MAX && !path_of(s, "console.log", path) &&
	    !path_of(s, "console.log.1", old)) {
		close(s->log);
		rename(path, old);
		open_log(s);
	}
	/* If the disk is full, log is lost; the guest continues. */
	if (s->log >= 0 && write(s->log, data, len) == (ssize_t)len)
		s->log_len += len;
}

static void save_tail(struct state *s, const char *data, size_t len)
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

/* To the log and all clients. */
static void show(struct state *s, const char *data, size_t n)
{
	write_log(s, data, n);
	save_tail(s, data, n);
	for (size_t i = s->nclients; i-- > 0;)
		if (send(s->client[i], data, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN)
			drop_client(s, i);
}

/* Read output of the guest. false: there is none. */
static bool read_output(struct state *s)
{
	char data[4096];
	ssize_t n = read(s->pty, data, sizeof(data));

	if (n <= 0) {
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
		/* The guest's end is closed for good; SIGCHLD will report its exit. */
		close(s->pty);
		s->pty = -1;
		return false;
	}
	if (!s->output_ms)
		s->output_ms = clock_ms();
	show(s, data, n);
	return true;
}

static void write_input(struct state *s)
{
	ssize_t n = write(s->pty, s->input, s->input_len);

	if (n > 0) {
		s->input_len -= n;
		memmove(s->input, s->input + n, s->input_len);
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		s->input_len = 0;
	}
}

static void accept_client(struct state *s)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (s->nclients == HV_SUPERVISOR_CLIENTS_MAX) {
		static const char full[] = "this console has too many clients already\r\n";
		send(fd, full, sizeof(full) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		close(fd);
		return;
	}
	int size = CLIENT_BUFFER;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	s->client[s->nclients++] = fd;
}

/* Called only if there is room for input. */
static void read_input(struct state *s, size_t i)
{
	ssize_t n = recv(s->client[i], s->input + s->input_len, sizeof(s->input) - s->input_len, MSG_DONTWAIT);

	if (n > 0)
		s->input_len += n;
	else if (!n || (errno != EAGAIN && errno != EINTR))
		drop_client(s, i);
}

static int open_listener(struct state *s)
{
	char path[PATH_MAX];

	int r = path_of(s, "console.sock", path);
	if (r)
		return r;
	s->listener = unixsock_listen(path, 0600);
	return s->listener < 0 ? s->listener : 0;
}

/* ---- the guest's process ----------------------------------------------------------------------------------------- */

/* In the new process: become the guest. Returns only on failure, with -errno. */
static int exec_guest(const struct state *s, int slave, pid_t supervisor)
{
	sigset_t none;

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
	if (chdir(s->conf->command->confined ? "/" : s->conf->dir))
		return -errno;
	return hv_command_exec(s->conf->command, supervisor);
}

static int start_guest(struct state *s)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	struct termios raw = {0};
	int slave, exec_error[2], r = 0;
	pid_t supervisor = getpid();

	cfmakeraw(&raw); /* line discipline is the guest's own business */
	raw.c_cflag |= CREAD;
	if (openpty(&s->pty, &slave, NULL, &raw, &size))
		return -errno;
	fcntl(s->pty, F_SETFD, FD_CLOEXEC);
	fcntl(slave, F_SETFD, FD_CLOEXEC);
	fcntl(s->pty, F_SETFL, O_NONBLOCK);
	if (pipe2(exec_error, O_CLOEXEC))
		return -errno;
	s->started_ms = clock_ms();
	s->guest = fork();
	if (s->guest < 0)
		return -errno;
	if (!s->guest) {
		r = exec_guest(s, slave, supervisor);
		ssize_t n = write(exec_error[1], &r, sizeof(r));
		(void)n;
		_exit(127);
	}
	close(slave);
	close(exec_error[1]);
	if (s->conf->command->fd)
		close(s->conf->command->fd); /* the guest has it */
	/* A successful exec closes it; else it delivers the error. */
	while (read(exec_error[0], &r, sizeof(r)) < 0 && errno == EINTR)
		;
	close(exec_error[0]);
	if (r)
		waitpid(s->guest, NULL, 0);
	s->guest_alive = !r;
	return r;
}

static void kill_guest(const struct state *s)
{
	kill(-s->guest, SIGKILL); /* its session: User-Mode Linux runs each process of the guest as one of the host */
	kill(s->guest, SIGKILL);
}

/*
 * Reap orphans, and find out whether the guest has ended. The guest itself stays a zombie until kill_leftovers(), so that
 * its number cannot be reused while it names the session.
 */
static void reap(struct state *s)
{
	for (;;) {
		siginfo_t info = {.si_pid = 0};
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid)
			return;
		if (info.si_pid == s->guest) {
			s->guest_alive = false;
			/* bubblewrap ends as a shell does: with 128 and the signal's number. */
			s->broke_filter =
				info.si_code == CLD_EXITED ? info.si_status == 128 + SIGSYS : info.si_status == SIGSYS;
			return;
		}
		waitpid(info.si_pid, NULL, 0);
	}
}

/* The guest has ended: kill what it left, which was reparented to us (PR_SET_CHILD_SUBREAPER). */
static void kill_leftovers(struct state *s)
{
	static const char broke_filter[] =
		"\r\nxbar: the guest's process made a system call that is not on its list, and "
		"was killed; the kernel's log names it (type=1326)\r\n";
	struct timespec pause = {.tv_nsec = 5000000};
	uint64_t since = clock_ms();

	kill_guest(s);
	while (waitpid(-1, NULL, WNOHANG) >= 0 && clock_ms() - since < LEFTOVERS_MS)
		nanosleep(&pause, NULL);
	while (s->pty >= 0 && read_output(s))
		;
	if (s->broke_filter)
		show(s, broke_filter, sizeof(broke_filter) - 1);
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

static void on_signal(struct state *s)
{
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGTERM)
		kill_guest(s);
	else
		reap(s);
}

/* How many ms poll may wait until success is to be reported; -1: no limit. */
static int report_due(struct state *s)
{
	if (s->report < 0)
		return -1;
	uint64_t due = s->started_ms + QUIET_MS, now = clock_ms();
	if (s->output_ms && s->output_ms + SETTLE_MS < due)
		due = s->output_ms + SETTLE_MS;
	/* As soon as it can be, and not only when success is due: the guest may be running already. */
	if (!s->sealed && !hv_command_seal(s->conf->command)) {
		if (now < s->started_ms + SEAL_LIMIT_MS)
			return SEAL_MS;
		s->failure = "the guest has not created its sockets";
		kill_guest(s);
		return -1;
	}
	s->sealed = true;
	if (now < due)
		return due - now;
	report(s, NULL);
	return -1;
}

static void run_loop(struct state *s)
{
	enum { SIGNALS, LISTENER, PTY, CLIENTS };
	struct pollfd fds[CLIENTS + HV_SUPERVISOR_CLIENTS_MAX];

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
		/* Backwards, since drop_client() moves the last one into the gap. */
		for (size_t i = n; i-- > 0;)
			if (fds[CLIENTS + i].revents && reading)
				read_input(s, i);
			else if (fds[CLIENTS + i].revents & (POLLHUP | POLLERR))
				drop_client(s, i);
		if (s->pty >= 0 && s->input_len)
			write_input(s);
		if (s->pty >= 0 && fds[PTY].revents & (POLLIN | POLLHUP | POLLERR))
			read_output(s);
		if (fds[LISTENER].revents)
			accept_client(s);
		if (fds[SIGNALS].revents)
			on_signal(s);
	}
}

static void close_others(const struct state *s)
{
	const int kept[] = {s->report, s->conf->lock, s->conf->command->fd};
	int last = 2;

	for (size_t i = 0; i < 3; i++)
		last = kept[i] > last ? kept[i] : last;
	for (int fd = 3; fd < last; fd++)
		if (fd != kept[0] && fd != kept[1] && fd != kept[2])
			close(fd);
	close_range(last + 1, ~0U, 0);
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
	close_others(s);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC);
	return s->signals < 0 ? -errno : 0;
}

static int write_pidfiles(const struct state *s)
{
	char path[PATH_MAX];
	int r = path_of(s, "supervisor.pid", path);

	if (!r)
		r = hv_pidfile_write(path, getpid());
	if (!r)
		r = path_of(s, "guest.pid", path);
	if (!r)
		r = hv_pidfile_write(path, s->guest);
	/* If the guest has ended already, its output is the better error. */
	return r == -ESRCH ? 0 : r;
}

/* The end of the guest's output, as one line. */
static const char *console_tail(struct state *s)
{
	char *start = s->tail, *c;

	while (s->tail_len && strchr("\r\n ", s->tail[s->tail_len - 1]))
		s->tail[--s->tail_len] = '\0';
	for (c = start; *c; c++)
		if (*c == '\n' || *c == '\r' || *c == '\t')
			*c = ' ';
	return *start ? start : "none";
}

static void supervise(struct state *s)
{
	char why[512];
	const char *what = "cannot leave the terminal";

	int r = detach(s);
	if (!r) {
		what = "cannot set up the console";
		r = open_log(s);
	}
	if (!r)
		r = open_listener(s);
	if (!r) {
		what = s->conf->command->argv.v[0];
		r = start_guest(s);
	}
	if (r) {
		snprintf(why, sizeof(why), "%.300s: %s", what, strerror(-r));
		report(s, why);
		return;
	}
	r = write_pidfiles(s);
	if (r) {
		kill_guest(s);
		snprintf(why, sizeof(why), "cannot write the pidfiles: %s", strerror(-r));
	}
	run_loop(s);
	kill_leftovers(s);
	if (s->report < 0) {
		s->conf->ended(s->conf->arg);
		return;
	}
	if (!r)
		snprintf(why, sizeof(why), "%s; its last output: %s",
			 s->failure ? s->failure : "the guest ended at once", console_tail(s));
	report(s, why);
}

/* ---- the caller's side -------------------------------------------------------------------------------------------- */

/* Read the supervisor's report. */
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
		return err_set(err, -EIO, "the guest's supervisor died before it could start the guest");
	return *text ? err_set(err, -ECHILD, "%s", text) : 0;
}

int hv_supervisor_start(const struct hv_supervisor *supervisor, struct err *err)
{
	int wire[2];

	if (pipe2(wire, O_CLOEXEC))
		return err_set(err, -errno, "cannot create a pipe: %s", strerror(errno));
	pid_t first = fork();
	if (first < 0) {
		int r = errno;
		close(wire[0]);
		close(wire[1]);
		return err_set(err, -r, "cannot fork: %s", strerror(r));
	}
	if (!first) {
		/* Fork twice, so that the supervisor is not our child and cannot acquire a terminal. */
		if (setsid() < 0 || fork() != 0)
			_exit(0);
		struct state s = {
			.conf = supervisor, .report = wire[1], .pty = -1, .signals = -1, .listener = -1, .log = -1};
		supervise(&s);
		_exit(0);
	}
	close(wire[1]);
	while (waitpid(first, NULL, 0) < 0 && errno == EINTR)
		;
	int r = read_report(wire[0], err);
	close(wire[0]);
	return r;
}
