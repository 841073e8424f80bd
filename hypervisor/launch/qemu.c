/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * QEMU, with KVM or without. The guest's memory is a memfd that the switch maps; QEMU listens on the vifs' sockets and waits
 * for the switch before it runs the guest.
 *
 * Without KVM a NIC gets no MSI-X vectors, since QEMU 7.2 can crash when the guest unmasks the first vector of a
 * vhost-user NIC. Pin interrupts cost little compared with emulating every instruction.
 *
 * A guest is asked to shut down by its power button (QMP system_powerdown), to which its acpid or systemd must react.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kvm.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confine.h"
#include "launch.h"
#include "program.h"
#include "vswitch/base/clock.h"
#include "vswitch/base/mac.h"
#include "vswitch/base/unixsock.h"

#define PROGRAM "qemu-system-x86_64"
#define MEMORY_DEFAULT 256 /* MB */
#define ANSWER_MS 5000
#define LINE_SIZE 4096
#define LINES_MAX 256 /* read for one answer */

/* In a confined guest's file system: */
#define KERNEL "/kernel"
#define RAMDISK "/ramdisk"
#define RUN "/" HV_LAUNCH_RUN
#define TMP_SIZE (1u << 20) /* bytes */

/* Can the processor run an unmodified guest kernel, not only a paravirtual one? */
static bool has_vmx_or_svm(void)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char *line = NULL;
	size_t size = 0;
	bool found = false;

	if (!f)
		return false;
	while (!found && getline(&line, &size, f) > 0) {
		if (strncmp(line, "flags", 5))
			continue;
		char *state, *word = strtok_r(line, " \t\n", &state);
		for (; word && !found; word = strtok_r(NULL, " \t\n", &state))
			found = !strcmp(word, "vmx") || !strcmp(word, "svm");
		break;
	}
	free(line);
	fclose(f);
	return found;
}

/* Can KVM be used? *why says why, or why not. */
static bool kvm_works(struct hv_why *why)
{
	const char *named = getenv("XBAR_ACCEL");

	if (named && (!strcmp(named, "kvm") || !strcmp(named, "tcg"))) {
		snprintf(why->text, sizeof(why->text), "$XBAR_ACCEL=%s", named);
		return !strcmp(named, "kvm");
	}
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0) {
		snprintf(why->text, sizeof(why->text), "/dev/kvm: %s", strerror(errno));
		return false;
	}
	int vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		snprintf(why->text, sizeof(why->text), "/dev/kvm cannot create a VM: %s", strerror(errno));
	else
		close(vm);
	close(kvm);
	if (vm >= 0 && !has_vmx_or_svm()) {
		snprintf(why->text, sizeof(why->text), "the processor has neither vmx nor svm");
		return false;
	}
	if (vm >= 0)
		snprintf(why->text, sizeof(why->text), "KVM works here");
	return vm >= 0;
}

static enum hv_available qemu_available(struct hv_why *why)
{
	char path[PATH_MAX];
	struct hv_why kvm;

	if (!hv_find_program(PROGRAM, path, sizeof(path))) {
		snprintf(why->text, sizeof(why->text), "%s is not installed", PROGRAM);
		return HV_ABSENT;
	}
	if (kvm_works(&kvm)) {
		snprintf(why->text, sizeof(why->text), "%.200s", kvm.text);
		return HV_READY;
	}
	snprintf(why->text, sizeof(why->text), "QEMU would run slowly, without KVM: %.180s", kvm.text);
	return HV_SLOW;
}

static int qemu_check(const struct hv_launch *launch, struct hv_argv *notes, struct err *err)
{
	const struct hv_guest *guest = launch->guest;
	char path[PATH_MAX];
	int r = 0;

	if (launch->confined && geteuid())
		return err_set(
			err, -EPERM,
			"the guest cannot be confined: for QEMU that takes root, which gives it a directory for its "
			"sockets; run this as root, or start the guest with --unconfined");
	if (guest->ndisk)
		return err_set(err, -ENOTSUP,
			       "%.200s: disk=: QEMU guests boot from kernel= and ramdisk= and have no disks; remove "
			       "disk=",
			       guest->path);
	if (!guest->kernel)
		return err_set(err, -EINVAL, "%.200s: kernel= is missing; a QEMU guest boots from it", guest->path);
	r = hv_launch_file(launch, "kernel", guest->kernel, path, sizeof(path), err);
	if (!r && guest->ramdisk)
		r = hv_launch_file(launch, "ramdisk", guest->ramdisk, path, sizeof(path), err);
	for (size_t i = 0; i < guest->nvif && !r; i++)
		if (guest->vif[i].model && strcmp(guest->vif[i].model, "virtio-net"))
			hv_argv_add(notes, "vif %zu: model=%s: ignored, every NIC is a virtio-net", i,
				    guest->vif[i].model);
	return r;
}

/* A path as an option's value: a comma is written twice. */
static const char *escaped(const char *path, char out[2 * PATH_MAX])
{
	size_t n = 0;

	for (; *path && n < 2 * PATH_MAX - 2; path++) {
		out[n++] = *path;
		if (*path == ',')
			out[n++] = ',';
	}
	out[n] = '\0';
	return out;
}

static void add_vif(struct hv_argv *argv, size_t i, const struct hv_launch_vif *vif, const char *socket, bool kvm)
{
	char path[2 * PATH_MAX], mac[MAC_TEXT], queues[64] = "", mtu[32] = "";

	if (vif->queues > 1)
		snprintf(queues, sizeof(queues), ",mq=on,vectors=%u", kvm ? 2 * vif->queues + 2 : 0);
	else if (!kvm)
		snprintf(queues, sizeof(queues), ",vectors=0");
	if (vif->mtu)
		snprintf(mtu, sizeof(mtu), ",host_mtu=%u", vif->mtu);
	hv_argv_add(argv, "-chardev");
	hv_argv_add(argv, "socket,id=vhost%zu,path=%s,server=on,wait=off", i, escaped(socket, path));
	hv_argv_add(argv, "-netdev");
	hv_argv_add(argv, "vhost-user,id=net%zu,chardev=vhost%zu,queues=%u", i, i, vif->queues);
	hv_argv_add(argv, "-device");
	hv_argv_add(argv, "virtio-net-pci,netdev=net%zu,mac=%s%s%s", i, mac_format(vif->mac, mac), queues, mtu);
}

static int confine(const struct hv_launch *launch, struct hv_command *command, const char *program, const char *kernel,
		   const char *ramdisk, bool kvm, struct err *err)
{
	/* What Debian's QEMU opens beside its libraries: its own modules, firmware and option ROMs. */
	static const char *const parts[] = {"/usr/lib/x86_64-linux-gnu/qemu", "/usr/share/qemu", "/usr/share/seabios",
					    "/usr/lib/ipxe/qemu"};
	struct hv_argv *argv = &command->argv;
	char run[PATH_MAX];
	struct stat st;

	command->confined = true;
	command->uid = launch->uid;
	/* It must make its sockets itself: it takes no listening ones for vhost-user. */
	snprintf(run, sizeof(run), "%s/" HV_LAUNCH_RUN, launch->dir);
	snprintf(command->sealed_dir, sizeof(command->sealed_dir), "%s", run);
	command->sealed_files = launch->nvif + 1;
	if (chown(run, launch->uid, -1))
		return err_set(err, -errno, "%.300s: cannot give it to user %u: %s", run, launch->uid, strerror(errno));
	int r = hv_confine_access(launch->uid, "the guest's directory", run, W_OK, err);
	if (r)
		return r;
	hv_confine_begin(argv);
	r = hv_confine_program(argv, program, launch->uid, err);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		hv_confine_file(argv, parts[i], parts[i], true);
	hv_confine_file(argv, kernel, KERNEL, false);
	if (ramdisk)
		hv_confine_file(argv, ramdisk, RAMDISK, false);
	hv_argv_add_words(argv, "--dev /dev");
	if (kvm) {
		hv_argv_add_words(argv, "--dev-bind /dev/kvm /dev/kvm");
		if (!stat("/dev/kvm", &st))
			command->group = st.st_gid;
	}
	hv_argv_add_words(argv, "--remount-ro /dev");
	hv_confine_tmpfs(argv, "/tmp", TMP_SIZE);
	hv_argv_add(argv, "--bind");
	hv_argv_add(argv, "%s", run);
	hv_argv_add(argv, RUN);
	hv_confine_end(argv);
	return r;
}

static int qemu_command(const struct hv_launch *launch, struct hv_command *command, struct err *err)
{
	const struct hv_guest *guest = launch->guest;
	unsigned memory = guest->memory_mb ? guest->memory_mb : MEMORY_DEFAULT;
	char path[PATH_MAX], program[PATH_MAX], kernel[PATH_MAX], ramdisk[PATH_MAX] = "", quoted[2 * PATH_MAX];
	struct hv_argv *argv = &command->argv;
	struct hv_why why;
	bool kvm = kvm_works(&why);
	int r;

	if (!hv_find_program(PROGRAM, path, sizeof(path)))
		return err_set(err, -ENOENT, "%s: not found", PROGRAM);
	r = hv_launch_file(launch, "QEMU", path, program, sizeof(program), err);
	if (!r)
		r = hv_launch_file(launch, "kernel", guest->kernel, kernel, sizeof(kernel), err);
	if (!r && guest->ramdisk)
		r = hv_launch_file(launch, "ramdisk", guest->ramdisk, ramdisk, sizeof(ramdisk), err);
	if (!r && launch->confined)
		r = confine(launch, command, program, kernel, guest->ramdisk ? ramdisk : NULL, kvm, err);
	if (r)
		return r;
	hv_argv_add(argv, "%s", program);
	hv_argv_add_words(argv, "-nodefaults -no-user-config -display none");
	hv_argv_add_words(argv, "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	hv_argv_add(argv, "-name");
	hv_argv_add(argv, "guest=%s", guest->name);
	hv_argv_add_words(argv, "-machine q35,memory-backend=memory");
	hv_argv_add_words(argv, kvm ? "-accel kvm -cpu host" : "-accel tcg,thread=multi -cpu max");
	hv_argv_add(argv, "-smp");
	hv_argv_add(argv, "%u", guest->vcpus);
	hv_argv_add(argv, "-m");
	hv_argv_add(argv, "%u", memory);
	hv_argv_add(argv, "-object");
	hv_argv_add(argv, "memory-backend-memfd,id=memory,size=%uM,share=on", memory);
	hv_argv_add_words(argv, "-chardev stdio,id=console,signal=off -serial chardev:console");
	hv_argv_add(argv, "-qmp");
	hv_argv_add(argv, "unix:%s%s/qmp.sock,server=on,wait=off", launch->confined ? "" : escaped(launch->dir, quoted),
		    RUN);
	hv_argv_add(argv, "-device");
	hv_argv_add(argv, "virtio-rng-pci%s", kvm ? "" : ",vectors=0");
	if (guest->on_reboot != HV_ON_RESTART)
		hv_argv_add(argv, "-no-reboot");
	for (size_t i = 0; i < launch->nvif; i++) {
		const char *socket = launch->vif[i].socket, *slash = strrchr(socket, '/');
		snprintf(path, sizeof(path), "%s%s", launch->confined ? RUN : "",
			 launch->confined && slash ? slash : socket);
		add_vif(argv, i, &launch->vif[i], path, kvm);
	}
	hv_argv_add(argv, "-kernel");
	hv_argv_add(argv, "%s", launch->confined ? KERNEL : kernel);
	if (guest->ramdisk) {
		hv_argv_add(argv, "-initrd");
		/* QEMU takes a list of files */
		hv_argv_add(argv, "%s", launch->confined ? RAMDISK : escaped(ramdisk, quoted));
	}
	hv_argv_add(argv, "-append");
	hv_argv_add(argv, "%s%sconsole=ttyS0", guest->cmdline ? guest->cmdline : "", guest->cmdline ? " " : "");
	return argv->failed ? err_nomem(err) : 0;
}

/* Read one line of QMP into line[LINE_SIZE], until `deadline` (clock_ms()). */
static int qmp_read(int fd, uint64_t deadline, char *line)
{
	size_t n = 0;

	while (n < LINE_SIZE - 1) {
		uint64_t now = clock_ms();
		struct pollfd poller = {.fd = fd, .events = POLLIN};
		int ready = poll(&poller, 1, now < deadline ? (int)(deadline - now) : 0);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready != 1)
			return -ETIMEDOUT;
		if (read(fd, line + n, 1) != 1)
			return -ECONNRESET;
		if (line[n++] == '\n')
			break;
	}
	line[n] = '\0';
	return 0;
}

/* Send one command and wait for its answer, skipping events: not for ever, as the guest may have taken QEMU over. */
static int qmp_ask(int fd, uint64_t deadline, const char *command)
{
	char line[LINE_SIZE];
	int n = snprintf(line, sizeof(line), "{\"execute\": \"%s\"}\n", command);

	if (send(fd, line, n, MSG_NOSIGNAL) != n)
		return -ECONNRESET;
	for (int i = 0; i < LINES_MAX; i++) {
		int r = qmp_read(fd, deadline, line);
		if (r)
			return r;
		if (!strncmp(line, "{\"return\"", 9))
			return 0;
		if (!strncmp(line, "{\"error\"", 8))
			return -EIO;
	}
	return -EPROTO;
}

static int qemu_shutdown(const char *dir, struct err *err)
{
	char path[PATH_MAX], greeting[LINE_SIZE];

	snprintf(path, sizeof(path), "%s/" HV_LAUNCH_RUN "/qmp.sock", dir);
	int fd = unixsock_connect(path, SOCK_STREAM);
	if (fd < 0)
		return err_set(err, fd, "%.300s: %s", path, strerror(-fd));
	uint64_t deadline = clock_ms() + ANSWER_MS;
	int r = qmp_read(fd, deadline, greeting);
	if (!r)
		r = qmp_ask(fd, deadline, "qmp_capabilities");
	if (!r)
		r = qmp_ask(fd, deadline, "system_powerdown");
	close(fd);
	if (r)
		return err_set(err, r, "QEMU's QMP monitor: %s", strerror(-r));
	return 0;
}

const struct hv_launcher hv_launch_qemu = {
	.name = "qemu",
	.title = "QEMU",
	.queues_max = 16,
	.available = qemu_available,
	.check = qemu_check,
	.command = qemu_command,
	.shutdown = qemu_shutdown,
};
