/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * User-Mode Linux: a Linux kernel that is an ordinary process.
 *
 * The kernel is the program itself, so the cfg's kernel= is ignored. It has one processor. Its NICs are vhost-user
 * sockets that it connects to once, when its drivers start; it never reconnects. The transport carries neither MAC nor
 * MTU, so they are given as xbar.ethN=MAC,MTU on the kernel's command line for the guest's boot scripts to set. It is
 * asked to shut down by "cad" (ctrl-alt-del) on its management console, to which its init reacts.
 */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "confine.h"
#include "launch.h"
#include "process.h"
#include "program.h"
#include "seccomp.h"
#include "vswitch/base/mac.h"
#include "vswitch/base/unixsock.h"

#define CMDLINE_MAX 2048 /* COMMAND_LINE_SIZE of User-Mode Linux */
#define VIRTIO_ID_NET 1
#define UMID "vm" /* the name of its directory below uml_dir= */
#define MEMORY_DEFAULT 128 /* MB */

/* In a confined guest's file system: */
#define RAMDISK "/ramdisk"
#define EMPTY "/empty"
#define RUN "/run"
#define RUN_SIZE 65536 /* bytes, for two small files */
#define SHM_EXTRA (16u << 20) /* bytes beyond the guest's memory */

static const char *program(void)
{
	const char *named = getenv("XBAR_UML");

	return named && *named ? named : "linux.uml";
}

static bool find_program(char *path, size_t size)
{
	if (!strchr(program(), '/'))
		return hv_find_program(program(), path, size);
	return !access(program(), X_OK) && (size_t)snprintf(path, size, "%s", program()) < size;
}

static enum hv_available uml_available(struct hv_why *why)
{
	char path[PATH_MAX];

	if (!find_program(path, sizeof(path))) {
		snprintf(why->text, sizeof(why->text), "%.120s (package user-mode-linux) is not installed", program());
		return HV_ABSENT;
	}
	snprintf(why->text, sizeof(why->text), "%.120s runs on any machine", path);
	return HV_READY;
}

static unsigned memory_mb(const struct hv_guest *guest)
{
	return guest->memory_mb ? guest->memory_mb : MEMORY_DEFAULT;
}

/* The memory of a guest that is not confined is a file in the host's tmpfs; if that fills up, the guest is killed. */
static int check_memory(const struct hv_guest *guest, struct err *err)
{
	static const char *const vars[] = {"TMPDIR", "TMP", "TEMP"}; /* in its order */
	const char *dir = NULL;
	struct statvfs fs;

	for (size_t i = 0; i < 3 && !dir; i++)
		dir = getenv(vars[i]);
	if (!dir)
		dir = "/dev/shm";
	if (statvfs(dir, &fs))
		return err_set(err, -errno, "%.200s, which holds a guest's memory: %s; set $TMPDIR to a tmpfs", dir,
			       strerror(errno));
	uint64_t free_mb = (uint64_t)fs.f_bavail * fs.f_frsize >> 20;
	if (free_mb < memory_mb(guest))
		return err_set(err, -ENOMEM,
			       "memory = %u: %.200s, which holds it, has %llu MB left; enlarge it (mount -o "
			       "remount,size=...) or set $TMPDIR to another tmpfs",
			       memory_mb(guest), dir, (unsigned long long)free_mb);
	return 0;
}

/* It traces the guest's processes, which Yama may forbid to who has no privileges. */
static int check_ptrace(struct err *err)
{
	FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = 0;

	if (f && fscanf(f, "%d", &scope) != 1)
		scope = 0;
	if (f)
		fclose(f);
	if (scope < 2)
		return 0;
	return err_set(
		err, -EPERM,
		"the guest cannot be confined: User-Mode Linux needs ptrace, which kernel.yama.ptrace_scope = %d "
		"forbids: `sysctl kernel.yama.ptrace_scope=1` allows it (not if it is 3); or use --hypervisor qemu%s",
		scope, scope == 2 ? ", or start the guest with --unconfined" : "");
}

static int uml_check(const struct hv_launch *launch, struct hv_argv *notes, struct err *err)
{
	const struct hv_guest *guest = launch->guest;
	char path[PATH_MAX];

	if (guest->ndisk)
		return err_set(err, -ENOTSUP,
			       "%.200s: disk=: User-Mode Linux guests boot from ramdisk= and have no disks; remove "
			       "disk=",
			       guest->path);
	if (!guest->ramdisk)
		return err_set(err, -EINVAL, "%.200s: ramdisk= is missing; a User-Mode Linux guest boots from it",
			       guest->path);
	int r = hv_launch_file(launch, "ramdisk", guest->ramdisk, path, sizeof(path), err);
	if (!r)
		r = launch->confined ? check_ptrace(err) : check_memory(guest, err);
	if (r)
		return r;
	if (guest->kernel && strcmp(guest->kernel, program()))
		hv_argv_add(notes, "kernel = %s: ignored, User-Mode Linux is itself the kernel", guest->kernel);
	if (guest->vcpus > 1)
		hv_argv_add(notes, "vcpus = %u: ignored, User-Mode Linux has one processor", guest->vcpus);
	return 0;
}

/* Its kernel joins its arguments, from `first` on, with blanks to form its command line. */
static int check_cmdline(const struct hv_argv *argv, size_t first, struct err *err)
{
	size_t len = 0;

	if (argv->failed)
		return err_nomem(err);
	for (size_t i = first; i < argv->n; i++) {
		len += strlen(argv->v[i]) + 1;
		if (strpbrk(argv->v[i], " \t\n"))
			return err_set(err, -EINVAL, "'%.300s': User-Mode Linux does not accept paths with blanks",
				       argv->v[i]);
	}
	if (len >= CMDLINE_MAX)
		return err_set(err, -E2BIG, "the guest's kernel command line has %zu bytes; User-Mode Linux accepts %d",
			       len, CMDLINE_MAX - 1);
	return 0;
}

static void socket_name(const struct hv_launch *launch, size_t i, char *name, size_t size)
{
	if (launch->confined)
		snprintf(name, size, "/vif%zu.sock", i);
	else
		snprintf(name, size, "%s", launch->vif[i].socket);
}

/* Begin the command with bubblewrap, in whose file system all is in its root. */
static int confine(const struct hv_launch *launch, struct hv_command *command, const char *kernel, const char *ramdisk,
		   struct err *err)
{
	struct hv_argv *argv = &command->argv;
	char name[PATH_MAX];

	int filter = hv_seccomp_uml();
	if (filter < 0)
		return err_set(err, filter, "cannot write the list of system calls: %s", strerror(-filter));
	command->fd = filter;
	command->confined = true;
	command->uid = launch->uid;
	hv_confine_begin(argv);
	hv_argv_add(argv, "--seccomp");
	hv_argv_add(argv, "%d", filter);
	int r = hv_confine_program(argv, kernel, launch->uid, err);
	hv_confine_file(argv, ramdisk, RAMDISK, false);
	for (size_t i = 0; i < launch->nvif && !r; i++) {
		const char *path = launch->vif[i].socket;
		socket_name(launch, i, name, sizeof(name));
		hv_confine_file(argv, path, name, false);
		/* It is the guest's to connect to. A guest that could not would only lack the NIC. */
		if (!geteuid() && lchown(path, launch->uid, -1))
			r = err_set(err, -errno, "%.300s: cannot give it to user %u: %s", path, launch->uid,
				    strerror(errno));
		if (!r)
			r = hv_confine_access(launch->uid, "the vif's socket", path, W_OK, err);
	}
	hv_argv_add_words(argv, "--dir " EMPTY);
	hv_confine_tmpfs(argv, "/dev/shm", ((uint64_t)memory_mb(launch->guest) << 20) + SHM_EXTRA);
	hv_confine_tmpfs(argv, RUN, RUN_SIZE);
	hv_confine_end(argv);
	return r;
}

static int uml_command(const struct hv_launch *launch, struct hv_command *command, struct err *err)
{
	const struct hv_guest *guest = launch->guest;
	struct hv_argv *argv = &command->argv;
	char path[PATH_MAX], kernel[PATH_MAX], ramdisk[PATH_MAX], mac[MAC_TEXT];
	int r;

	if (!find_program(path, sizeof(path)))
		return err_set(err, -ENOENT, "%.200s: not found", program());
	r = hv_launch_file(launch, "User-Mode Linux", path, kernel, sizeof(kernel), err);
	if (!r)
		r = hv_launch_file(launch, "ramdisk", guest->ramdisk, ramdisk, sizeof(ramdisk), err);
	if (!r && launch->confined)
		r = confine(launch, command, kernel, ramdisk, err);
	if (r)
		return r;
	/* With randomised addresses its memory file is larger than mem=, by up to 1 GB. */
	command->fixed_addresses = true;
	hv_argv_add(argv, "%s", kernel);
	size_t first = argv->n;
	hv_argv_add(argv, "mem=%uM", memory_mb(guest));
	hv_argv_add(argv, "initrd=%s", launch->confined ? RAMDISK : ramdisk);
	hv_argv_add(argv, "umid=%s", UMID);
	hv_argv_add(argv, "uml_dir=%s", launch->confined ? RUN : launch->dir);
	if (launch->confined)
		hv_argv_add(argv, "hostfs=" EMPTY);
	/* Each of the 512 legacy terminals that it makes else costs a process of the host at boot. */
	hv_argv_add(argv, "pty.legacy_count=0");
	hv_argv_add_words(argv, guest->cmdline);
	if (guest->on_reboot != HV_ON_RESTART)
		hv_argv_add(argv, "noreboot");
	for (size_t i = 0; i < launch->nvif; i++) {
		const struct hv_launch_vif *vif = &launch->vif[i];
		socket_name(launch, i, path, sizeof(path));
		if (strchr(path, ':'))
			return err_set(err, -EINVAL,
				       "%.300s: User-Mode Linux does not accept a socket with a ':' in its path", path);
		hv_argv_add(argv, "virtio_uml.device=%s:%d", path, VIRTIO_ID_NET);
		hv_argv_add(argv, "xbar.eth%zu=%s,%u", i, mac_format(vif->mac, mac), vif->mtu ? vif->mtu : 1500);
	}
	/* Last, to override what the cfg may say for another hypervisor: the terminal is console 0, the only one. */
	hv_argv_add_words(argv, "con=null con0=fd:0,fd:1 ssl=null console=tty0");
	return check_cmdline(argv, first, err);
}

/* The management console's protocol: arch/um/drivers/mconsole.h in Linux. */
#define MCONSOLE_MAGIC 0xcafebabe
#define MCONSOLE_VERSION 2

struct mconsole_request {
	uint32_t magic;
	uint32_t version;
	uint32_t len;
	char data[512];
};

/* The path of the management console's socket; *fd, for the caller to close, is what the path goes by, or -1. */
static int find_mconsole(const char *dir, char *path, size_t size, int *fd)
{
	struct hv_process guest;

	*fd = -1;
	snprintf(path, size, "%s/%s/mconsole", dir, UMID);
	if (!access(path, F_OK))
		return 0;
	/* A confined guest has it in a file system of its own. */
	snprintf(path, size, "%s/guest.pid", dir);
	int r = hv_pidfile_read(path, &guest);
	if (!r)
		*fd = r = hv_confine_open(&guest, RUN "/" UMID "/mconsole");
	if (r < 0)
		return r;
	snprintf(path, size, "/proc/self/fd/%d", *fd);
	return 0;
}

/*
 * It answers to the address of who asked, which it cannot reach from a network namespace of its own: that it took the
 * request is all that can be known.
 */
static int uml_shutdown(const char *dir, struct err *err)
{
	struct mconsole_request request = {
		.magic = MCONSOLE_MAGIC, .version = MCONSOLE_VERSION, .len = 3, .data = "cad"};
	char path[PATH_MAX];
	int inside;

	int r = find_mconsole(dir, path, sizeof(path), &inside);
	int fd = r ? r : unixsock_connect(path, SOCK_DGRAM | SOCK_NONBLOCK);
	r = fd < 0 ? fd : send(fd, &request, sizeof(request), MSG_NOSIGNAL) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	if (inside >= 0)
		close(inside);
	return r ? err_set(err, r, "the guest's management console: %s: the guest may still be starting; try again",
			   strerror(-r))
		 : 0;
}

const struct hv_launcher hv_launch_uml = {
	.name = "uml",
	.title = "User-Mode Linux",
	.vif_server = true,
	.queues_max = 1,
	.available = uml_available,
	.check = uml_check,
	.command = uml_command,
	.shutdown = uml_shutdown,
};
