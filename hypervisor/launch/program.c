/* SPDX-License-Identifier: BSD-3-Clause */
#include "program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_SIZE 4096

bool hv_find_program(const char *program, char *path, size_t size)
{
	const char *dirs = getenv("PATH");

	if (!dirs || !*dirs)
		dirs = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	for (; *dirs; dirs += *dirs == ':') {
		size_t len = strcspn(dirs, ":");
		int n = snprintf(path, size, "%.*s/%s", (int)len, dirs, program);
		if (len && n > 0 && (size_t)n < size && !access(path, X_OK))
			return true;
		dirs += len;
	}
	return false;
}

int hv_become_user(uid_t uid, gid_t group)
{
	if (geteuid() == uid)
		return 0;
	if (setgroups(group ? 1 : 0, &group) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		return -errno;
	return 0;
}

/* In the new process. */
static void exec_as(uid_t uid, const char *const argv[], int out)
{
	static char *const none[] = {NULL};
	int null = open("/dev/null", O_RDWR);

	if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
	    dup2(out, STDERR_FILENO) >= 0 && !hv_become_user(uid, 0))
		execve(argv[0], (char *const *)argv, none);
	dprintf(out, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

int hv_program_start(struct hv_running *running, uid_t uid, const char *const argv[])
{
	int wire[2];

	if (pipe2(wire, O_CLOEXEC))
		return -errno;
	running->pid = fork();
	if (!running->pid)
		exec_as(uid, argv, wire[1]);
	int r = running->pid < 0 ? -errno : 0;
	close(wire[1]);
	running->out = r ? NULL : fdopen(wire[0], "r");
	if (running->out)
		return 0;
	close(wire[0]);
	if (r)
		return r;
	waitpid(running->pid, NULL, 0);
	return -ENOMEM;
}

int hv_program_wait(struct hv_running *running)
{
	int status;

	fclose(running->out);
	while (waitpid(running->pid, &status, 0) < 0)
		if (errno != EINTR)
			return 255;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* The loader that the program asks for. 0, and "": it is linked statically. */
static int find_loader(const char *program, char loader[PATH_MAX])
{
	Elf64_Ehdr elf;
	Elf64_Phdr segment;
	int r = 0;

	loader[0] = '\0';
	int fd = open(program, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pread(fd, &elf, sizeof(elf), 0) != sizeof(elf) || memcmp(elf.e_ident, ELFMAG, SELFMAG) ||
	    elf.e_ident[EI_CLASS] != ELFCLASS64)
		r = -ENOEXEC;
	for (unsigned i = 0; !r && i < elf.e_phnum; i++) {
		if (pread(fd, &segment, sizeof(segment), elf.e_phoff + i * sizeof(segment)) != sizeof(segment))
			r = -ENOEXEC;
		else if (segment.p_type == PT_INTERP &&
			 (segment.p_filesz == 0 || segment.p_filesz > PATH_MAX ||
			  pread(fd, loader, segment.p_filesz, segment.p_offset) != (ssize_t)segment.p_filesz ||
			  loader[segment.p_filesz - 1]))
			r = -ENOEXEC;
		if (!r && segment.p_type == PT_INTERP)
			break;
	}
	close(fd);
	return r;
}

int hv_program_libraries(const char *program, uid_t uid, void (*found)(void *arg, const char *path), void *arg)
{
	char loader[PATH_MAX], line[LINE_SIZE], path[PATH_MAX];
	const char *const argv[] = {loader, "--list", program, NULL};
	struct hv_running list;

	int r = find_loader(program, loader);
	if (r || !*loader)
		return r;
	found(arg, loader);
	r = hv_program_start(&list, uid, argv);
	if (r)
		return r;
	/* "NAME => PATH (ADDRESS)"; the loader itself and the kernel's own have no "=>". */
	while (fgets(line, sizeof(line), list.out)) {
		const char *arrow = strstr(line, "=> /");
		if (arrow && sscanf(arrow + 3, "%4095s", path) == 1)
			found(arg, path);
	}
	return hv_program_wait(&list) ? -ENOEXEC : 0;
}
