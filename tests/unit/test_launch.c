/* SPDX-License-Identifier: BSD-3-Clause */
/* Which hypervisor is chosen, and with what command line a guest is started. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "hypervisor/launch/confine.h"
#include "hypervisor/launch/launch.h"
#include "vswitch/base/unixsock.h"

/* A directory that stands for $PATH, with programs that exist and nothing more, and a file that stands for images. */
struct place {
	char dir[64], file[96], path[4096];
	struct hv_guest guest;
};

static void make_file(const char *path, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void install(const struct place *p, const char *program)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", p->dir, program);
	make_file(path, 0755);
}

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	strcpy(p->dir, "/tmp/xbar-launch.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->file, sizeof(p->file), "%s/image", p->dir);
	make_file(p->file, 0644);
	snprintf(p->path, sizeof(p->path), "%s", getenv("PATH"));
	setenv("PATH", p->dir, 1);
	unsetenv("XBAR_HYPERVISOR");
	unsetenv("XBAR_UML");
	setenv("XBAR_ACCEL", "tcg", 1);
	p->guest = (struct hv_guest){.path = (char *)"g.cfg",
				     .name = (char *)"g",
				     .vcpus = 1,
				     .memory_mb = 64,
				     .kernel = p->file,
				     .ramdisk = p->file,
				     .on_reboot = HV_ON_RESTART};
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	static const char *const made[] = {"image", "linux.uml", "qemu-system-x86_64", "a,b", "bwrap"};
	struct place *p = *state;
	char path[160];

	for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++) {
		snprintf(path, sizeof(path), "%s/%s", p->dir, made[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(p->dir), 0);
	setenv("PATH", p->path, 1);
	free(p);
	return 0;
}

static const char *chosen(const char *wanted)
{
	const struct hv_launcher *launcher;
	struct hv_why why;
	struct err err;

	return hv_launcher_choose(wanted, &launcher, &why, &err) ? NULL : launcher->name;
}

/* Is `word` in the vector, and where `next` is given, followed by it? */
static bool has(const struct hv_argv *argv, const char *word, const char *next)
{
	for (size_t i = 0; i < argv->n; i++)
		if (!strcmp(argv->v[i], word) && (!next || (argv->v[i + 1] && !strcmp(argv->v[i + 1], next))))
			return true;
	return false;
}

static const struct hv_launch_vif two_vifs[] = {
	{.socket = "/run/x/g.0.sock", .mac = {0, 0x16, 0x3e, 1, 2, 3}, .queues = 1},
	{.socket = "/run/x/g.1.sock", .mac = {0, 0x16, 0x3e, 1, 2, 4}, .mtu = 9000, .queues = 1},
};

static void qemu_with_kvm_comes_before_uml_and_uml_before_qemu_without(void **state)
{
	struct place *p = *state;

	assert_null(chosen(NULL));
	install(p, "qemu-system-x86_64");
	assert_string_equal(chosen(NULL), "qemu");
	install(p, "linux.uml");
	assert_string_equal(chosen(NULL), "uml");
	setenv("XBAR_ACCEL", "kvm", 1);
	assert_string_equal(chosen(NULL), "qemu");
}

static void a_wish_overrules_the_choice_and_is_refused_where_it_cannot_be(void **state)
{
	struct place *p = *state;

	install(p, "qemu-system-x86_64");
	install(p, "linux.uml");
	setenv("XBAR_HYPERVISOR", "qemu", 1);
	assert_string_equal(chosen(NULL), "qemu");
	assert_string_equal(chosen("uml"), "uml");
	assert_null(chosen("vmware"));
	setenv("XBAR_HYPERVISOR", "vmware", 1);
	assert_null(chosen(NULL));
}

static void names_that_could_leave_the_directory_are_refused(void **state)
{
	static const char *const bad[] = {"", ".", "..", "a/b", "-x", ".x", "a b", "a\n", "\xc3\xa9"};
	char longest[HV_LAUNCH_NAME_MAX + 2];
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(hv_launch_check_name(bad[i], &err), -EINVAL);
	memset(longest, 'a', sizeof(longest));
	longest[HV_LAUNCH_NAME_MAX + 1] = '\0';
	assert_int_equal(hv_launch_check_name(longest, &err), -EINVAL);
	longest[HV_LAUNCH_NAME_MAX] = '\0';
	assert_int_equal(hv_launch_check_name(longest, &err), 0);
	assert_int_equal(hv_launch_check_name("web-1.example_2+a", &err), 0);
}

static void uml_gets_its_vifs_in_order_with_mac_and_mtu(void **state)
{
	struct place *p = *state;
	struct hv_launch launch = {.guest = &p->guest, .dir = "/run/x", .vif = two_vifs, .nvif = 2};
	struct hv_command command = {0};
	struct err err;
	char ramdisk[128];

	install(p, "linux.uml");
	p->guest.cmdline = (char *)"quiet  console=hvc0";
	assert_int_equal(hv_launch_uml.command(&launch, &command, &err), 0);
	snprintf(ramdisk, sizeof(ramdisk), "initrd=%s", p->file);
	assert_true(has(&command.argv, "mem=64M", NULL));
	assert_true(has(&command.argv, ramdisk, NULL));
	assert_true(has(&command.argv, "virtio_uml.device=/run/x/g.0.sock:1", "xbar.eth0=00:16:3e:01:02:03,1500"));
	assert_true(has(&command.argv, "virtio_uml.device=/run/x/g.1.sock:1", "xbar.eth1=00:16:3e:01:02:04,9000"));
	/* What suits Xen comes first, so that the last console named is the one that there is. */
	assert_true(has(&command.argv, "quiet", "console=hvc0"));
	assert_string_equal(command.argv.v[command.argv.n - 1], "console=tty0");
	hv_command_fini(&command);
}

static void uml_refuses_what_its_command_line_cannot_carry(void **state)
{
	static const struct hv_launch_vif colon = {.socket = "/run/a:b", .queues = 1};
	static const struct hv_launch_vif blank = {.socket = "/run/a b", .queues = 1};
	struct place *p = *state;
	struct hv_launch launch = {.guest = &p->guest, .dir = "/run/x", .vif = &colon, .nvif = 1};
	struct hv_command command = {0};
	struct err err;
	char words[3000];

	install(p, "linux.uml");
	assert_int_equal(hv_launch_uml.command(&launch, &command, &err), -EINVAL);
	hv_command_fini(&command);
	launch.vif = &blank;
	assert_int_equal(hv_launch_uml.command(&launch, &command, &err), -EINVAL);
	hv_command_fini(&command);
	launch.nvif = 0;
	memset(words, 'w', sizeof(words));
	words[sizeof(words) - 1] = '\0';
	p->guest.cmdline = words;
	assert_int_equal(hv_launch_uml.command(&launch, &command, &err), -E2BIG);
	hv_command_fini(&command);
}

static void a_host_on_which_guests_cannot_be_confined_is_told_the_way_out(void **state)
{
	struct place *p = *state;
	struct err err;
	uid_t uid;
	char path[160];

	assert_int_equal(hv_confine_user(&uid, &err), 0);
	assert_int_equal(hv_confine_check(uid, &err), -ENOENT);
	assert_non_null(strstr(err.text, "install the package bubblewrap, or start the guest with --unconfined"));
	/* A bubblewrap that may not do what it is asked to */
	assert_int_equal(chmod(p->dir, 0755), 0);
	snprintf(path, sizeof(path), "%s/bwrap", p->dir);
	assert_int_equal(symlink("/bin/false", path), 0);
	assert_int_equal(hv_confine_check(uid, &err), -EPERM);
	assert_non_null(strstr(err.text, "fails and does not say why; allow bwrap"));
	assert_non_null(strstr(err.text, "or start the guest with --unconfined"));
}

/* It would boot without its NIC. */
static void a_socket_that_the_guests_user_may_not_reach_is_an_error(void **state)
{
	struct place *p = *state;
	const struct hv_launch_vif vif = {.socket = p->file, .queues = 1};
	struct hv_launch launch = {.guest = &p->guest, .dir = p->dir, .vif = &vif, .nvif = 1};
	struct hv_command command = {0};
	struct err err;
	char want[128];

	if (geteuid())
		skip();
	launch.confined = true;
	launch.uid = HV_CONFINE_USER_BASE;
	setenv("XBAR_UML", "/bin/sh", 1);
	p->guest.ramdisk = (char *)"/etc/passwd";
	snprintf(want, sizeof(want), "the vif's socket: %s: ", p->file);
	assert_int_equal(hv_launch_uml.command(&launch, &command, &err), -EACCES);
	assert_memory_equal(err.text, want, strlen(want));
	snprintf(want, sizeof(want), "`chmod o+x %s`", p->dir);
	assert_non_null(strstr(err.text, want));
	hv_command_fini(&command);
	assert_int_equal(chmod(p->dir, 0711), 0);
	assert_int_equal(hv_launch_uml.command(&launch, &command, &err), 0);
	hv_command_fini(&command);
	unsetenv("XBAR_UML");
}

static void a_guest_that_cannot_boot_is_refused_before_anything_is_made(void **state)
{
	struct place *p = *state;
	struct hv_launch launch = {.guest = &p->guest};
	struct hv_argv notes = {0};
	struct err err;

	p->guest.ramdisk = NULL;
	assert_int_equal(hv_launch_uml.check(&launch, &notes, &err), -EINVAL);
	p->guest.ramdisk = (char *)"/nonexistent/image";
	assert_int_equal(hv_launch_uml.check(&launch, &notes, &err), -ENOENT);
	assert_int_equal(hv_launch_qemu.check(&launch, &notes, &err), -ENOENT);
	p->guest.kernel = NULL;
	assert_int_equal(hv_launch_qemu.check(&launch, &notes, &err), -EINVAL);
	p->guest.kernel = p->guest.ramdisk = p->file;
	p->guest.ndisk = 1;
	assert_int_equal(hv_launch_uml.check(&launch, &notes, &err), -ENOTSUP);
	assert_int_equal(hv_launch_qemu.check(&launch, &notes, &err), -ENOTSUP);
	assert_int_equal(notes.n, 0);
}

/* Is there a word in the vector that begins with `begin` and ends with `end`? */
static bool has_like(const struct hv_argv *argv, const char *begin, const char *end)
{
	for (size_t i = 0; i < argv->n; i++) {
		size_t len = strlen(argv->v[i]);
		if (!strncmp(argv->v[i], begin, strlen(begin)) && len >= strlen(end) &&
		    !strcmp(argv->v[i] + len - strlen(end), end))
			return true;
	}
	return false;
}

static void qemu_listens_and_shares_its_memory(void **state)
{
	struct place *p = *state;
	struct hv_launch launch = {.guest = &p->guest, .dir = p->dir, .vif = two_vifs, .nvif = 2};
	struct hv_command command = {0};
	struct err err;

	install(p, "qemu-system-x86_64");
	assert_int_equal(hv_launch_qemu.command(&launch, &command, &err), 0);
	assert_true(has(&command.argv, "-object", "memory-backend-memfd,id=memory,size=64M,share=on"));
	assert_true(has(&command.argv, "-chardev", "socket,id=vhost0,path=/run/x/g.0.sock,server=on,wait=off"));
	assert_true(has_like(&command.argv, "unix:/tmp/", "/run/qmp.sock,server=on,wait=off"));
	assert_true(has(&command.argv, "-netdev", "vhost-user,id=net1,chardev=vhost1,queues=1"));
	assert_true(has(&command.argv, "-device", "virtio-net-pci,netdev=net0,mac=00:16:3e:01:02:03,vectors=0"));
	assert_true(has(&command.argv, "-device",
			"virtio-net-pci,netdev=net1,mac=00:16:3e:01:02:04,vectors=0,host_mtu=9000"));
	assert_true(has(&command.argv, "-accel", "tcg,thread=multi"));
	assert_false(has(&command.argv, "-no-reboot", NULL));
	hv_command_fini(&command);

	setenv("XBAR_ACCEL", "kvm", 1);
	p->guest.on_reboot = HV_ON_DESTROY;
	assert_int_equal(hv_launch_qemu.command(&launch, &command, &err), 0);
	assert_true(has(&command.argv, "-accel", "kvm"));
	assert_true(has(&command.argv, "-device", "virtio-net-pci,netdev=net0,mac=00:16:3e:01:02:03"));
	assert_true(has(&command.argv, "-no-reboot", NULL));
	hv_command_fini(&command);
}

static void qemu_takes_a_ramdisk_with_a_comma(void **state)
{
	struct place *p = *state;
	struct hv_launch launch = {.guest = &p->guest, .dir = p->dir};
	struct hv_command command = {0};
	struct err err;
	char path[96];

	install(p, "qemu-system-x86_64");
	snprintf(path, sizeof(path), "%s/a,b", p->dir);
	make_file(path, 0644);
	p->guest.ramdisk = path;
	assert_int_equal(hv_launch_qemu.command(&launch, &command, &err), 0);
	assert_true(has_like(&command.argv, "/tmp/", "/a,,b"));
	hv_command_fini(&command);
}

/* A child that listens at DIR/run/qmp.sock and answers nothing, but tells of events without end. */
static pid_t start_babbler(const char *path)
{
	static const char event[] = "{\"event\": \"POWERDOWN\"}\r\n";
	int listener = unixsock_listen(path, 0600), fd = -1;

	assert_true(listener >= 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid) {
		close(listener);
		return pid;
	}
	while (fd < 0)
		fd = accept(listener, NULL, NULL);
	while (send(fd, event, sizeof(event) - 1, MSG_NOSIGNAL) > 0)
		;
	_exit(0);
}

static void a_monitor_that_never_answers_is_given_up(void **state)
{
	struct place *p = *state;
	struct err err = {0};
	char path[96];

	snprintf(path, sizeof(path), "%s/run", p->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/run/qmp.sock", p->dir);
	pid_t pid = start_babbler(path);
	int r = hv_launch_qemu.shutdown(p->dir, &err);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	unlink(path);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(r, -EPROTO);
	assert_non_null(strstr(err.text, "monitor"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(qemu_with_kvm_comes_before_uml_and_uml_before_qemu_without),
		T(a_wish_overrules_the_choice_and_is_refused_where_it_cannot_be),
		T(names_that_could_leave_the_directory_are_refused),
		T(uml_gets_its_vifs_in_order_with_mac_and_mtu),
		T(uml_refuses_what_its_command_line_cannot_carry),
		T(a_host_on_which_guests_cannot_be_confined_is_told_the_way_out),
		T(a_socket_that_the_guests_user_may_not_reach_is_an_error),
		T(a_guest_that_cannot_boot_is_refused_before_anything_is_made),
		T(qemu_listens_and_shares_its_memory),
		T(qemu_takes_a_ramdisk_with_a_comma),
		T(a_monitor_that_never_answers_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
