/* SPDX-License-Identifier: BSD-3-Clause */
/* The supervisor, with a shell instead of a guest: start, console, end; and the pidfiles by which it is found. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "hypervisor/launch/process.h"
#include "hypervisor/launch/supervisor.h"
#include "vswitch/base/unixsock.h"

#define WAIT_MS 10000

struct run {
	char dir[64], ended[96];
	int lock;
};

static const char *in(const struct run *run, const char *name)
{
	static char path[2][128];
	static unsigned turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", run->dir, name);
	return path[turn];
}

static int setup(void **state)
{
	struct run *run = calloc(1, sizeof(*run));

	strcpy(run->dir, "/tmp/xbar-supervisor.XXXXXX");
	assert_non_null(mkdtemp(run->dir));
	snprintf(run->ended, sizeof(run->ended), "%s/ended", run->dir);
	run->lock = open(in(run, "lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(run->lock >= 0);
	*state = run;
	return 0;
}

static int teardown(void **state)
{
	static const char *const made[] = {"lock",         "ended",     "console.log",
					   "console.sock", "guest.pid", "supervisor.pid"};
	struct run *run = *state;

	close(run->lock);
	for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++)
		unlink(in(run, made[i]));
	assert_int_equal(rmdir(run->dir), 0);
	free(run);
	return 0;
}

/* Runs in the supervisor. */
static void note_end(void *arg)
{
	const struct run *run = arg;

	close(open(run->ended, O_WRONLY | O_CREAT, 0600));
}

static int start(struct run *run, const char *script, struct err *err)
{
	char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)script, NULL};
	const struct hv_command command = {.argv.v = argv};
	struct hv_supervisor supervisor = {
		.dir = run->dir, .command = &command, .lock = run->lock, .ended = note_end, .arg = run};

	return hv_supervisor_start(&supervisor, err);
}

/* Wait until process `of` (a pidfile's) has ended. */
static void await_end(const struct hv_process *of)
{
	struct timespec pause = {.tv_nsec = 10000000};

	for (int ms = 0; ms < WAIT_MS && hv_process_alive(of); ms += 10)
		nanosleep(&pause, NULL);
	assert_false(hv_process_alive(of));
}

static struct hv_process process_of(const struct run *run, const char *pidfile)
{
	struct hv_process process;

	assert_int_equal(hv_pidfile_read(in(run, pidfile), &process), 0);
	return process;
}

static void end(const struct run *run)
{
	struct hv_process supervisor = process_of(run, "supervisor.pid");

	assert_int_equal(hv_process_signal(&supervisor, SIGTERM), 0);
	await_end(&supervisor);
}

/* Read until `text` has come. */
static void expect(int fd, const char *text)
{
	char got[1024];
	size_t len = 0;

	do {
		struct pollfd poller = {.fd = fd, .events = POLLIN};
		assert_int_equal(poll(&poller, 1, WAIT_MS), 1);
		ssize_t n = read(fd, got + len, sizeof(got) - 1 - len);
		assert_true(n > 0);
		len += n;
		got[len] = '\0';
	} while (!strstr(got, text));
}

static void a_guest_runs_until_its_supervisor_is_told_to_end_it(void **state)
{
	struct run *run = *state;
	struct err err;

	assert_int_equal(start(run, "echo hello; exec sleep 600", &err), 0);
	struct hv_process guest = process_of(run, "guest.pid"), supervisor = process_of(run, "supervisor.pid");
	assert_true(hv_process_alive(&guest));
	assert_true(hv_process_alive(&supervisor));
	assert_int_equal(waitpid(supervisor.pid, NULL, WNOHANG), -1); /* it is not our child */
	assert_int_not_equal(access(run->ended, F_OK), 0);
	end(run);
	assert_false(hv_process_alive(&guest));
	assert_int_equal(access(run->ended, F_OK), 0);
}

static void what_a_guest_started_ends_with_it(void **state)
{
	struct run *run = *state;
	struct hv_process child;
	struct err err;
	char line[32] = "";

	/* The guest ends by itself and leaves a process behind. */
	assert_int_equal(start(run, "sleep 600 & echo $! >child; echo up; sleep 1; exit 0", &err), 0);
	int fd = open(in(run, "child"), O_RDONLY);
	assert_true(fd >= 0 && read(fd, line, sizeof(line) - 1) > 0);
	close(fd);
	unlink(in(run, "child"));
	assert_int_equal(hv_process_find(atoi(line), &child), 0);
	struct hv_process supervisor = process_of(run, "supervisor.pid");
	await_end(&supervisor);
	assert_false(hv_process_alive(&child));
	assert_int_equal(access(run->ended, F_OK), 0);
}

static void a_guest_that_ends_at_once_is_a_failure_that_quotes_its_output(void **state)
{
	struct run *run = *state;
	struct err err;

	assert_int_equal(start(run, "echo no memory for this; exit 1", &err), -ECHILD);
	assert_non_null(strstr(err.text, "no memory for this"));
	assert_int_not_equal(access(run->ended, F_OK), 0);
}

static void a_guest_that_its_list_of_system_calls_ended_is_named_in_the_log(void **state)
{
	struct run *run = *state;
	struct err err;
	char log[256] = "";

	/* As bubblewrap ends if SIGSYS ended what it ran. */
	assert_int_equal(start(run, "echo up; sleep 1; exit 159", &err), 0);
	struct hv_process supervisor = process_of(run, "supervisor.pid");
	await_end(&supervisor);
	int fd = open(in(run, "console.log"), O_RDONLY);
	assert_true(fd >= 0 && read(fd, log, sizeof(log) - 1) > 0);
	close(fd);
	assert_non_null(strstr(log, "a system call that is not on its list"));
}

static void a_guest_is_not_running_before_its_directory_is_sealed(void **state)
{
	struct run *run = *state;
	struct hv_command command = {0};
	struct err err;
	struct stat st;
	char script[256];

	if (geteuid())
		skip();
	snprintf(command.sealed_dir, sizeof(command.sealed_dir), "%s", in(run, "run"));
	command.sealed_files = 1;
	snprintf(script, sizeof(script), "echo up; sleep 1; touch %s; exec sleep 600", in(run, "run/socket"));
	char *argv[] = {(char *)"/bin/sh", (char *)"-c", script, NULL};
	command.argv.v = argv;
	struct hv_supervisor supervisor = {
		.dir = run->dir, .command = &command, .lock = run->lock, .ended = note_end, .arg = run};
	assert_int_equal(mkdir(command.sealed_dir, 0711) | chown(command.sealed_dir, 1, -1), 0);
	assert_int_equal(hv_supervisor_start(&supervisor, &err), 0);
	assert_int_equal(stat(command.sealed_dir, &st), 0);
	assert_int_equal(st.st_uid, 0);
	end(run);
	assert_int_equal(unlink(in(run, "run/socket")) | rmdir(command.sealed_dir), 0);
}

static void a_program_that_is_not_there_is_a_failure(void **state)
{
	struct run *run = *state;
	char *argv[] = {(char *)"/nonexistent/guest", NULL};
	const struct hv_command command = {.argv.v = argv};
	struct hv_supervisor supervisor = {
		.dir = run->dir, .command = &command, .lock = run->lock, .ended = note_end, .arg = run};
	struct err err;

	assert_int_equal(hv_supervisor_start(&supervisor, &err), -ECHILD);
	assert_non_null(strstr(err.text, "/nonexistent/guest: No such file"));
}

static void the_console_takes_input_and_is_logged(void **state)
{
	struct run *run = *state;
	struct err err;
	char log[256] = "";

	assert_int_equal(start(run, "echo ready; while read -r x; do echo \"got $x\"; done", &err), 0);
	int one = unixsock_connect(in(run, "console.sock"), SOCK_STREAM);
	int two = unixsock_connect(in(run, "console.sock"), SOCK_STREAM);
	assert_true(one >= 0 && two >= 0);
	assert_int_equal(write(one, "apple\n", 6), 6);
	expect(one, "got apple");
	assert_int_equal(write(two, "pear\n", 5), 5);
	expect(two, "got pear");
	expect(one, "got pear");
	close(two);
	assert_int_equal(write(one, "plum\n", 5), 5);
	expect(one, "got plum");
	close(one);
	end(run);
	int fd = open(in(run, "console.log"), O_RDONLY);
	assert_true(fd >= 0 && read(fd, log, sizeof(log) - 1) > 0);
	close(fd);
	assert_non_null(strstr(log, "ready"));
	assert_non_null(strstr(log, "got plum"));
}

static void a_reader_that_does_not_read_does_not_stop_the_guest(void **state)
{
	struct run *run = *state;
	struct err err;
	char mark[128];

	snprintf(mark, sizeof(mark),
		 "echo ready; read -r x; head -c 3000000 /dev/zero | tr '\\0' 'a'; touch %s; exec sleep 600",
		 in(run, "done"));
	assert_int_equal(start(run, mark, &err), 0);
	int fd = unixsock_connect(in(run, "console.sock"), SOCK_STREAM);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "go\n", 3), 3);
	struct timespec pause = {.tv_nsec = 10000000};
	for (int ms = 0; ms < WAIT_MS && access(in(run, "done"), F_OK); ms += 10)
		nanosleep(&pause, NULL);
	assert_int_equal(unlink(in(run, "done")), 0);
	close(fd);
	end(run);
}

static void a_pidfile_names_one_process_and_no_later_one(void **state)
{
	struct run *run = *state;
	struct hv_process process, later;
	pid_t child = fork();

	if (!child) {
		pause();
		_exit(0);
	}
	assert_int_equal(hv_pidfile_write(in(run, "guest.pid"), child), 0);
	process = process_of(run, "guest.pid");
	assert_true(hv_process_alive(&process));
	later = process;
	later.start++;
	assert_false(hv_process_alive(&later));
	assert_int_equal(hv_process_signal(&later, SIGKILL), -ESRCH);
	assert_int_equal(hv_process_signal(&process, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_false(hv_process_alive(&process));
	assert_int_equal(hv_process_signal(&process, SIGKILL), -ESRCH);
}

static void a_damaged_pidfile_names_nobody(void **state)
{
	static const char *const bad[] = {"", "1", "1 2", "-1 2\n", "1 2 3\n", "x 2\n", "99999999999 2\n"};
	struct run *run = *state;
	struct hv_process process;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		FILE *f = fopen(in(run, "guest.pid"), "w");
		assert_non_null(f);
		fputs(bad[i], f);
		fclose(f);
		assert_int_equal(hv_pidfile_read(in(run, "guest.pid"), &process), -EINVAL);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_guest_runs_until_its_supervisor_is_told_to_end_it),
		T(what_a_guest_started_ends_with_it),
		T(a_guest_that_ends_at_once_is_a_failure_that_quotes_its_output),
		T(a_guest_that_its_list_of_system_calls_ended_is_named_in_the_log),
		T(a_guest_is_not_running_before_its_directory_is_sealed),
		T(a_program_that_is_not_there_is_a_failure),
		T(the_console_takes_input_and_is_logged),
		T(a_reader_that_does_not_read_does_not_stop_the_guest),
		T(a_pidfile_names_one_process_and_no_later_one),
		T(a_damaged_pidfile_names_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
