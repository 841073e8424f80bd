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
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "launch.h"
#include "vswitch/base/mac.h"
#include "vswitch/base/unixsock.h"

#define CMDLINE_MAX 2048 /* COMMAND_LINE_SIZE of User-Mode Linux */
#define VIRTIO_ID_NET 1
#define UMID "vm" /* the name of its directory below uml_dir= */
#define MEMORY_DEFAULT 128 /* MB */
#define ANSWER_MS 5000

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

/* The guest's memory is a file in a tmpfs; if that fills up, the guest is killed. */
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

static int uml_check(const struct hv_guest *guest, struct hv_argv *notes, struct err *err)
{
	char path[PATH_MAX];

	if (guest->ndisk)
		return err_set(err, -ENOTSUP,
			       "%.200s: disk=: User-Mode Linux guests boot from ramdisk= and have no disks; remove "
			       "disk=",
			       guest->path);
	if (!guest->ramdisk)
		return err_set(err, -EINVAL, "%.200s: ramdisk= is missing; a User-Mode Linux guest boots from it",
			       guest->path);
	int r = hv_launch_file("ramdisk", guest->ramdisk, path, sizeof(path), err);
	if (!r)
		r = check_memory(guest, err);
	if (r)
		return r;
	if (guest->kernel && strcmp(guest->kernel, program()))
		hv_argv_add(notes, "kernel = %s: ignored, User-Mode Linux is itself the kernel", guest->kernel);
	if (guest->vcpus > 1)
		hv_argv_add(notes, "vcpus = %u: ignored, User-Mode Linux has one processor", guest->vcpus);
	return 0;
}

/* Its kernel joins its argument vector with blanks to form its command line. */
static int check_cmdline(const struct hv_argv *argv, struct err *err)
{
	size_t len = 0;

	if (argv->failed)
		return err_nomem(err);
	for (size_t i = 1; i < argv->n; i++) {
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

static int uml_argv(const struct hv_launch *launch, struct hv_argv *argv, struct err *err)
{
	const struct hv_guest *guest = launch->guest;
	char path[PATH_MAX], mac[MAC_TEXT];

	if (!find_program(path, sizeof(path)))
		return err_set(err, -ENOENT, "%.200s: not found", program());
	hv_argv_add(argv, "%s", path);
	int r = hv_launch_file("ramdisk", guest->ramdisk, path, sizeof(path), err);
	if (r)
		return r;
	hv_argv_add(argv, "mem=%uM", memory_mb(guest));
	hv_argv_add(argv, "initrd=%s", path);
	hv_argv_add(argv, "umid=%s", UMID);
	hv_argv_add(argv, "uml_dir=%s", launch->dir);
	hv_argv_add_words(argv, guest->cmdline);
	if (guest->on_reboot != HV_ON_RESTART)
		hv_argv_add(argv, "noreboot");
	for (size_t i = 0; i < launch->nvif; i++) {
		const struct hv_launch_vif *vif = &launch->vif[i];
		if (strchr(vif->socket, ':'))
			return err_set(err, -EINVAL,
				       "%.300s: User-Mode Linux does not accept a socket with a ':' in its path",
				       vif->socket);
		hv_argv_add(argv, "virtio_uml.device=%s:%d", vif->socket, VIRTIO_ID_NET);
		hv_argv_add(argv, "xbar.eth%zu=%s,%u", i, mac_format(vif->mac, mac), vif->mtu ? vif->mtu : 1500);
	}
	/* Last, to override what the cfg may say for another hypervisor: the terminal is console 0, the only one. */
	hv_argv_add(argv, "con=null");
	hv_argv_add(argv, "con0=fd:0,fd:1");
	hv_argv_add(argv, "ssl=null");
	hv_argv_add(argv, "console=tty0");
	return check_cmdline(argv, err);
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

struct mconsole_reply {
	uint32_t err;
	uint32_t more;
	uint32_t len;
	char data[512];
};

static int mconsole_ask(int fd, const char *command, struct err *err)
{
	struct mconsole_request request = {.magic = MCONSOLE_MAGIC, .version = MCONSOLE_VERSION};
	struct sockaddr own = {.sa_family = AF_UNIX};
	struct mconsole_reply reply;

	/* The answer needs an address to go to; the kernel chooses one. */
	if (bind(fd, &own, sizeof(own.sa_family)))
		return err_set(err, -errno, "cannot bind a socket: %s", strerror(errno));
	request.len = snprintf(request.data, sizeof(request.data), "%s", command);
	if (send(fd, &request, sizeof(request), 0) != sizeof(request))
		return err_set(err, -errno, "the guest's management console: %s", strerror(errno));

	struct pollfd poller = {.fd = fd, .events = POLLIN};
	if (poll(&poller, 1, ANSWER_MS) != 1)
		return err_set(err, -ETIMEDOUT, "the guest's management console does not answer");
	ssize_t n = recv(fd, &reply, sizeof(reply), 0);
	if (n < (ssize_t)offsetof(struct mconsole_reply, data) || reply.len > sizeof(reply.data))
		return err_set(err, -EPROTO, "the guest's management console sent a malformed answer");
	if (reply.err)
		return err_set(err, -EIO, "the guest's management console: %.*s", (int)reply.len, reply.data);
	return 0;
}

static int uml_shutdown(const char *dir, struct err *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s/mconsole", dir, UMID);
	int fd = unixsock_connect(path, SOCK_DGRAM);
	if (fd < 0)
		return err_set(err, fd, "%.300s: %s: the guest may still be starting; try again", path, strerror(-fd));
	int r = mconsole_ask(fd, "cad", err);

	close(fd);
	return r;
}

const struct hv_launcher hv_launch_uml = {
	.name = "uml",
	.title = "User-Mode Linux",
	.vif_server = true,
	.queues_max = 1,
	.available = uml_available,
	.check = uml_check,
	.argv = uml_argv,
	.shutdown = uml_shutdown,
};
