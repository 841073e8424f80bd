/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a process and a thread have left after they have given up the rest. Each test runs in a process of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vswitch/base/confine.h"
#include "vswitch/daemon/privileges.h"

/* Run `test` in a new process: 0, or what it returned. */
static int in_process(int (*test)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(test());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			return __LINE__ % 250 + 1;                                                                     \
	} while (0)

static int make_calls(void)
{
	const struct confine_call calls[] = {
		{SYS_getpid, -1, 0},     {SYS_ioctl, 1, FIONREAD}, {SYS_tgkill, 0, getpid()}, {SYS_rt_sigreturn, -1, 0},
		{SYS_exit_group, -1, 0}, {SYS_sigaltstack, -1, 0}, /* the last: address sanitizer */
	};
	const pid_t self = getpid(), parent = getppid();
	int n, fds[2];

	CHECK(!pipe(fds));
	CHECK(!confine_calls(calls, sizeof(calls) / sizeof(calls[0])));
	CHECK(getpid() == self);
	CHECK(!ioctl(fds[0], FIONREAD, &n) && !n);
	CHECK(ioctl(fds[0], FIOCLEX) == -1 && errno == EPERM);
	CHECK(open("/dev/null", O_RDONLY) == -1 && errno == EPERM);
	CHECK(syscall(SYS_socket, 1, 1, 0) == -1 && errno == EPERM);
	CHECK(!syscall(SYS_tgkill, self, self, 0));
	CHECK(syscall(SYS_tgkill, parent, parent, 0) == -1 && errno == EPERM);
	CHECK(syscall(0x40000000 | SYS_getpid) == -1 && errno == EPERM); /* the x32 interface's */
	return 0;
}

static void a_thread_makes_the_calls_on_its_list_alone(void **state)
{
	(void)state;
	assert_int_equal(in_process(make_calls), 0);
}

static int drop_all_but_two(void)
{
	const uint64_t keep = CAPABILITY(NET_ADMIN) | CAPABILITY(CHOWN), had = confine_kept();
	struct err err;

	CHECK(!confine_process(keep, &err));
	CHECK(confine_kept() == (had & keep));
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	if (had & CAPABILITY(SETPCAP)) {
		CHECK(prctl(PR_CAPBSET_READ, CAP_NET_ADMIN) == 1);
		CHECK(prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) == 0);
	}
	CHECK(!confine_process(keep, &err)); /* nothing is left that it could drop, nor the right to */
	CHECK(!confine_capabilities());
	CHECK(confine_kept() == 0);
	return 0;
}

static void capabilities_are_dropped_for_good(void **state)
{
	(void)state;
	assert_int_equal(in_process(drop_all_but_two), 0);
}

static void names_of_capabilities_are_read(void **state)
{
	static const char *const bad[] = {"sys_modul", "cap_", "sys_module,auto", "16", "all sys_module"};
	struct err err;
	uint64_t mask;

	(void)state;
	assert_int_equal(privileges_parse("auto", &mask, &err), 0);
	assert_int_equal(mask, 0);
	assert_int_equal(privileges_parse("", &mask, &err), 0);
	assert_int_equal(mask, 0);
	assert_int_equal(privileges_parse("all", &mask, &err), 0);
	assert_int_equal(mask, ~0ULL);
	assert_int_equal(privileges_parse(" CAP_SYS_ADMIN, sys_module\tcap_Bpf", &mask, &err), 0);
	assert_int_equal(mask, CAPABILITY(SYS_ADMIN) | CAPABILITY(SYS_MODULE) | CAPABILITY(BPF));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(privileges_parse(bad[i], &mask, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_makes_the_calls_on_its_list_alone),
		cmocka_unit_test(capabilities_are_dropped_for_good),
		cmocka_unit_test(names_of_capabilities_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
