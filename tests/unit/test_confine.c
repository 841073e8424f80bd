/* SPDX-License-Identifier: BSD-3-Clause */
/* What a confined guest's process may see and do, tried with a shell and with this program instead of a guest. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "hypervisor/launch/command.h"
#include "hypervisor/launch/confine.h"
#include "hypervisor/launch/seccomp.h"

/* ---- the list of system calls ------------------------------------------------------------------------------------ */

static void call_uname(void)
{
	struct utsname name;

	syscall(SYS_uname, &name);
}

static void call_clone(void)
{
	if (!syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL))
		syscall(SYS_exit_group, 0);
}

static void call_clone_with_a_namespace(void)
{
	syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
}

static void call_unix_socket(void)
{
	syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}

static void call_other_socket(void)
{
	syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static void call_mount(void)
{
	syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL);
}

static void call_unshare(void)
{
	syscall(SYS_unshare, CLONE_NEWUSER);
}

static void call_bpf(void)
{
	syscall(SYS_bpf, 0, NULL, 0);
}

static void call_terminal_size(void)
{
	syscall(SYS_ioctl, 0, TIOCGWINSZ, NULL);
}

static void call_terminal_input(void)
{
	syscall(SYS_ioctl, 0, TIOCSTI, "x");
}

static void call_line_discipline(void)
{
	syscall(SYS_ioctl, 0, 0x100000000L | TIOCSETD, NULL);
}

/* uname by the numbers of the x32 ABI */
static void call_x32(void)
{
	syscall(0x40000000 | SYS_uname, NULL);
}

/* Load the filter, make the call, and end: how the process ended. */
static int status_of(void (*call)(void))
{
	struct sock_filter filter[256];
	int status;

	pid_t pid = fork();
	if (!pid) {
		int fd = hv_seccomp_uml();
		ssize_t n = read(fd, filter, sizeof(filter));
		struct sock_fprog program = {.len = n / sizeof(*filter), .filter = filter};
		close(fd);
		if (n <= 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0))
			_exit(1);
		call();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void a_system_call_that_is_not_listed_ends_the_process(void **state)
{
	static void (*const allowed[])(void) = {call_uname, call_clone, call_unix_socket, call_terminal_size};
	static void (*const forbidden[])(void) = {
		call_clone_with_a_namespace, call_other_socket,   call_mount, call_unshare, call_bpf, call_x32,
		call_terminal_input,         call_line_discipline};

	(void)state;
	for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
		assert_int_equal(status_of(allowed[i]), 0);
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(*forbidden); i++) {
		int status = status_of(forbidden[i]);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
}

/* ---- files that must be readable --------------------------------------------------------------------------------- */

static void what_keeps_the_guests_user_from_a_file_is_named(void **state)
{
	char dir[] = "/tmp/xbar-confine.XXXXXX", file[64], want[128];
	struct err err;
	uid_t uid;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/image", dir);
	close(open(file, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(hv_confine_user(&uid, &err), 0);
	assert_int_not_equal(uid, 0);

	chmod(dir, 0755);
	chmod(file, 0644);
	assert_int_equal(hv_confine_access(uid, "ramdisk", file, R_OK, &err), 0);
	chmod(file, 0200);
	assert_int_equal(hv_confine_access(uid, "ramdisk", file, R_OK, &err), -EACCES);
	snprintf(want, sizeof(want), "`chmod o+r %s`", file);
	assert_non_null(strstr(err.text, want));
	chmod(dir, 0200);
	assert_int_equal(hv_confine_access(uid, "ramdisk", file, R_OK, &err), -EACCES);
	snprintf(want, sizeof(want), "`chmod o+x %s`", dir);
	assert_non_null(strstr(err.text, want));
	assert_memory_equal(err.text, "ramdisk: ", 9);

	chmod(dir, 0700);
	assert_int_equal(unlink(file) | rmdir(dir), 0);
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

/* Run `script` in a confined shell; what it prints. */
static void run_confined(const char *script, char *out, size_t size)
{
	struct hv_command command = {.confined = true};
	struct err err;
	size_t len = 0;
	int wire[2];

	if (hv_confine_user(&command.uid, &err) || hv_confine_check(command.uid, &err)) {
		print_message("%s\n", err.text);
		skip();
	}
	hv_confine_begin(&command.argv);
	assert_int_equal(hv_confine_program(&command.argv, "/bin/sh", command.uid, &err), 0);
	hv_confine_tmpfs(&command.argv, "/run", 65536);
	hv_confine_end(&command.argv);
	hv_argv_add_words(&command.argv, "/bin/sh -c");
	hv_argv_add(&command.argv, "%s", script);
	assert_false(command.argv.failed);

	assert_int_equal(pipe2(wire, O_CLOEXEC), 0);
	pid_t parent = getpid(), pid = fork();
	if (!pid) {
		dup2(wire[1], STDOUT_FILENO);
		dup2(wire[1], STDERR_FILENO);
		_exit(-hv_command_exec(&command, parent));
	}
	close(wire[1]);
	for (ssize_t n; len < size - 1 && (n = read(wire[0], out + len, size - 1 - len)) > 0;)
		len += n;
	out[len] = '\0';
	close(wire[0]);
	waitpid(pid, NULL, 0);
	hv_command_fini(&command);
}

static void a_confined_program_sees_only_what_it_was_given(void **state)
{
	char out[4096];

	(void)state;
	run_confined("echo /*", out, sizeof(out));
	assert_null(strstr(out, "/etc"));
	assert_null(strstr(out, "/proc"));
	assert_null(strstr(out, "/root"));
	assert_non_null(strstr(out, "/run"));
	run_confined("echo x >/x; echo x >/run/x && echo only there; echo x >/bin/x", out, sizeof(out));
	assert_non_null(strstr(out, "/x: Read-only file system"));
	assert_non_null(strstr(out, "only there"));
	assert_non_null(strstr(out, "/bin/x: Read-only file system"));
	/* The tmpfs is as small as it was asked for. */
	run_confined("x=0123456789abcdef; x=$x$x$x$x; x=$x$x$x$x; x=$x$x$x$x; x=$x$x$x$x; x=$x$x$x$x; x=$x$x$x$x$x\n"
		     "echo $x >/run/x || echo full",
		     out, sizeof(out));
	assert_non_null(strstr(out, "full"));
}

static void a_confined_program_has_no_rights(void **state)
{
	char out[4096], script[128];

	(void)state;
	/* Signals reach none of the host's processes: its namespace has process 1 and itself. */
	snprintf(script, sizeof(script), "kill -0 $$ && echo self; kill -0 %d || echo alone", (int)getpid());
	run_confined(script, out, sizeof(out));
	assert_non_null(strstr(out, "self\n"));
	assert_non_null(strstr(out, "alone\n"));
	run_confined("ulimit -c", out, sizeof(out));
	assert_string_equal(out, "0\n");
	if (geteuid())
		return;
	/* 4096 processes of its user, and those that it starts count. */
	run_confined("ulimit -p", out, sizeof(out));
	assert_string_equal(out, "4096\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_system_call_that_is_not_listed_ends_the_process),
		cmocka_unit_test(what_keeps_the_guests_user_from_a_file_is_named),
		cmocka_unit_test(a_confined_program_sees_only_what_it_was_given),
		cmocka_unit_test(a_confined_program_has_no_rights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
