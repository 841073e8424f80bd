/* SPDX-License-Identifier: BSD-3-Clause */
#include "confine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

#define PROGRAM "bwrap"
#define TRIES 64

/* ---- the user ---------------------------------------------------------------------------------------------------- */

/* Whether a process runs as `uid`. */
static bool is_in_use(uid_t uid)
{
	struct dirent *entry;
	struct stat st;
	bool found = false;

	DIR *proc = opendir("/proc");
	while (proc && !found && (entry = readdir(proc)))
		found = atoi(entry->d_name) > 0 && !fstatat(dirfd(proc), entry->d_name, &st, 0) && st.st_uid == uid;
	if (proc)
		closedir(proc);
	return found;
}

int hv_confine_user(uid_t *uid, struct err *err)
{
	uint16_t n;

	*uid = geteuid();
	if (*uid)
		return 0;
	/* At random, so that two that are looking at the same time do not find the same. */
	for (unsigned i = 0; i < TRIES; i++) {
		if (getrandom(&n, sizeof(n), 0) != sizeof(n))
			return err_set(err, -errno, "cannot choose a user for the guest: %s", strerror(errno));
		*uid = HV_CONFINE_USER_BASE + n % HV_CONFINE_USERS;
		if (!is_in_use(*uid))
			return 0;
	}
	return err_set(err, -EAGAIN, "cannot find a free user for the guest between %u and %u", HV_CONFINE_USER_BASE,
		       HV_CONFINE_USER_BASE + HV_CONFINE_USERS - 1);
}

/* Call `act` in a process of user `uid`: what it returns, 0 to 254; 255: the process could not be made. */
static int as_user(uid_t uid, int (*act)(void *arg), void *arg)
{
	int status;

	pid_t pid = fork();
	if (!pid) {
		if (hv_become_user(uid, 0))
			_exit(255);
		_exit(act(arg));
	}
	if (pid < 0)
		return 255;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* ---- what stands in the way -------------------------------------------------------------------------------------- */

static long read_number(const char *path, long absent)
{
	long number = absent;
	FILE *f = fopen(path, "re");

	if (f && fscanf(f, "%ld", &number) != 1)
		number = absent;
	if (f)
		fclose(f);
	return number;
}

/* Let it confine a program that does nothing: 0, or the first line of what it prints in `why`. */
static int try_it(const char *path, uid_t uid, char why[200], struct err *err)
{
	struct hv_running running;
	struct hv_argv argv = {0};

	hv_confine_begin(&argv);
	int r = hv_confine_program(&argv, path, uid, err);
	hv_confine_end(&argv);
	hv_argv_add(&argv, "%s", path);
	hv_argv_add(&argv, "--version");
	if (!r && argv.failed)
		r = err_nomem(err);
	if (!r) {
		r = hv_program_start(&running, uid, (const char *const *)argv.v);
		if (r)
			err_set(err, r, "%.300s: cannot run it: %s", path, strerror(-r));
	}
	hv_argv_fini(&argv);
	if (r)
		return r;
	if (!fgets(why, 200, running.out))
		snprintf(why, 200, "%.160s fails and does not say why", path);
	why[strcspn(why, "\n")] = '\0';
	return hv_program_wait(&running);
}

int hv_confine_check(uid_t uid, struct err *err)
{
	char path[PATH_MAX], why[200];

	if (!hv_find_program(PROGRAM, path, sizeof(path)))
		return err_set(err, -ENOENT,
			       "the guest cannot be confined: " PROGRAM " is not installed: install the package "
			       "bubblewrap, or start the guest with --unconfined");
	int r = try_it(path, uid, why, err);
	if (r <= 0)
		return r;
	if (!read_number("/proc/sys/kernel/unprivileged_userns_clone", 1))
		return err_set(err, -EPERM,
			       "the guest cannot be confined: users may not create namespaces: `sysctl "
			       "kernel.unprivileged_userns_clone=1` allows it; or start the guest with --unconfined");
	if (!read_number("/proc/sys/user/max_user_namespaces", 1))
		return err_set(err, -EPERM,
			       "the guest cannot be confined: user namespaces are switched off: `sysctl "
			       "user.max_user_namespaces=10000` allows them; or start the guest with --unconfined");
	return err_set(err, -EPERM,
		       "the guest cannot be confined: %s; allow " PROGRAM " to do that for users without privileges, "
		       "or start the guest with --unconfined",
		       why);
}

struct walk {
	const char *path;
	int mode;
};

/* The number of the first component of the path that cannot be passed, from 1; 0: none. */
static int walk(void *arg)
{
	const struct walk *w = arg;
	char prefix[PATH_MAX];
	int n = 0;

	for (const char *end = w->path; *end;) {
		end += strcspn(end + 1, "/") + 1;
		snprintf(prefix, sizeof(prefix), "%.*s", (int)(end - w->path), w->path);
		n++;
		if (access(prefix, *end ? X_OK : w->mode))
			return n < 254 ? n : 254;
	}
	return 0;
}

int hv_confine_access(uid_t uid, const char *what, const char *path, int mode, struct err *err)
{
	struct walk w = {path, mode};
	const char *end = path;

	int n = as_user(uid, walk, &w);
	if (!n)
		return 0;
	if (n == 255)
		return err_set(err, -EAGAIN, "%s: cannot find out whether user %u may read %.300s", what, uid, path);
	for (int i = 0; i < n && *end; i++)
		end += strcspn(end + 1, "/") + 1;
	int len = end - path;
	if (*end)
		return err_set(err, -EACCES,
			       "%s: %.150s: the guest runs as user %u, which may not pass through %.*s: `chmod o+x "
			       "%.*s`, move the file, or start the guest with --unconfined",
			       what, path, uid, len, path, len, path);
	return err_set(err, -EACCES,
		       "%s: %.150s: the guest runs as user %u, which may not %s it: `chmod o+%c %.150s`, or start the "
		       "guest with --unconfined",
		       what, path, uid, mode == R_OK ? "read" : "write to", mode == R_OK ? 'r' : 'w', path);
}

/* ---- arguments --------------------------------------------------------------------------------------------------- */

void hv_confine_begin(struct hv_argv *argv)
{
	char path[PATH_MAX];

	hv_argv_add(argv, "%s", hv_find_program(PROGRAM, path, sizeof(path)) ? path : PROGRAM);
	hv_argv_add_words(argv, "--unshare-all --die-with-parent --new-session --cap-drop ALL --clearenv --chdir /");
}

void hv_confine_file(struct hv_argv *argv, const char *path, const char *name, bool optional)
{
	hv_argv_add(argv, optional ? "--ro-bind-try" : "--ro-bind");
	hv_argv_add(argv, "%s", path);
	hv_argv_add(argv, "%s", name);
}

void hv_confine_tmpfs(struct hv_argv *argv, const char *name, uint64_t bytes)
{
	hv_argv_add(argv, "--size");
	hv_argv_add(argv, "%llu", (unsigned long long)bytes);
	hv_argv_add(argv, "--tmpfs");
	hv_argv_add(argv, "%s", name);
}

void hv_confine_end(struct hv_argv *argv)
{
	hv_argv_add_words(argv, "--remount-ro / --");
}

static void add_library(void *arg, const char *path)
{
	hv_confine_file(arg, path, path, false);
}

int hv_confine_program(struct hv_argv *argv, const char *program, uid_t uid, struct err *err)
{
	hv_confine_file(argv, program, program, false);
	int r = hv_program_libraries(program, uid, add_library, argv);
	if (r == -ENOEXEC)
		return err_set(err, r,
			       "%.300s: it is not a program that can run here, or not all of its libraries can be "
			       "found: `ldd %.100s` shows them",
			       program, program);
	return r ? err_set(err, r, "%.300s: cannot find out its libraries: %s", program, strerror(-r)) : 0;
}

/* ---- of a running guest ------------------------------------------------------------------------------------------ */

int hv_confine_open(const struct hv_process *guest, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS};
	struct hv_process inner;
	char root[64];

	/* bubblewrap's own process stays outside; its child is the first one inside. */
	int r = hv_process_child(guest, &inner);
	if (r)
		return r;
	snprintf(root, sizeof(root), "/proc/%d/root", (int)inner.pid);
	int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	/* The guest may put anything there: a symbolic link must not lead out to the host. */
	int fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
	r = fd < 0 ? -errno : fd;
	close(dir);
	/* `root` was this process's only if it still is. */
	if (r >= 0 && !hv_process_alive(&inner)) {
		close(r);
		return -ESRCH;
	}
	return r;
}
