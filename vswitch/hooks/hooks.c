/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hooks.h"
#include "hypervisor/cfg/xend.h"
#include "script.h"
#include "vswitch/base/log.h"
#include "vswitch/base/mac.h"
#include "vswitch/daemon/conf.h"
#include "vswitch/daemon/daemon.h"

#define ARGV_MAX 64
#define ENV_OURS_MAX 32

struct job {
	LIST_ENTRY(job) link;
	struct hooks *hooks;
	struct script *script;
	hooks_done *done;
	void *arg;
};

struct hooks {
	const struct daemon *daemon;
	struct hv_xend *xend;
	LIST_HEAD(job_list, job) jobs;
	char tool_dir[PATH_MAX]; /* where this program lies: `xbar` lies beside it */
};

/* An environment being put together: ours first, then what the daemon was given and ours does not replace. */
struct env {
	char *ours[ENV_OURS_MAX];
	unsigned n;
	bool failed;
	const char **all;
};

static void env_set(struct env *env, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void env_set(struct env *env, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (env->n < ENV_OURS_MAX && vasprintf(&env->ours[env->n], fmt, ap) >= 0)
		env->n++;
	else
		env->failed = true;
	va_end(ap);
}

static bool env_replaces(const struct env *env, const char *assignment)
{
	/* The daemon's own affairs with systemd are no script's. */
	static const char *const dropped[] = {"NOTIFY_SOCKET=", "JOURNAL_STREAM=", "WATCHDOG_PID=", "WATCHDOG_USEC="};

	for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
		if (!strncmp(assignment, dropped[i], strlen(dropped[i])))
			return true;
	for (unsigned i = 0; i < env->n; i++)
		if (!strncmp(assignment, env->ours[i], strchr(env->ours[i], '=') + 1 - env->ours[i]))
			return true;
	return false;
}

/* All assignments, NULL at the end; NULL: no memory. Valid until env_fini(). */
static const char *const *env_finish(struct env *env)
{
	size_t inherited = 0, n = 0;

	if (env->failed)
		return NULL;
	while (environ && environ[inherited])
		inherited++;
	env->all = calloc(env->n + inherited + 1, sizeof(*env->all));
	if (!env->all)
		return NULL;
	for (unsigned i = 0; i < env->n; i++)
		env->all[n++] = env->ours[i];
	for (size_t i = 0; i < inherited; i++)
		if (!env_replaces(env, environ[i]))
			env->all[n++] = environ[i];
	return env->all;
}

static void env_fini(struct env *env)
{
	for (unsigned i = 0; i < env->n; i++)
		free(env->ours[i]);
	free(env->all);
}

static void env_common(struct env *env, const struct hooks *hooks)
{
	const char *path = getenv("PATH");

	env_set(env, "PATH=%s:%s", hooks->tool_dir,
		path && *path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	env_set(env, "XBAR_SOCKET=%s", hooks->daemon->socket_path);
	env_set(env, "XBAR_RUNDIR=%s", hooks->daemon->rundir);
}

struct hooks *hooks_new(const struct daemon *daemon)
{
	struct hooks *hooks = calloc(1, sizeof(*hooks));
	if (!hooks)
		return NULL;
	hooks->daemon = daemon;
	LIST_INIT(&hooks->jobs);

	ssize_t len = readlink("/proc/self/exe", hooks->tool_dir, sizeof(hooks->tool_dir) - 1);
	char *slash = len > 0 ? memrchr(hooks->tool_dir, '/', len) : NULL;
	if (slash)
		*slash = '\0';
	else
		strcpy(hooks->tool_dir, XBAR_PREFIX "/sbin");
	return hooks;
}

static void on_done(void *arg, const char *why)
{
	struct job *job = arg;
	hooks_done *done = job->done;
	void *done_arg = job->arg;

	LIST_REMOVE(job, link);
	free(job);
	done(done_arg, why);
}

void hooks_free(struct hooks *hooks)
{
	struct job *job;

	if (!hooks)
		return;
	while ((job = LIST_FIRST(&hooks->jobs))) {
		script_abort(job->script);
		on_done(job, "the daemon is stopping");
	}
	hv_xend_free(hooks->xend);
	free(hooks);
}

void hooks_set(struct hooks *hooks, struct hv_xend *xend)
{
	hv_xend_free(hooks->xend);
	hooks->xend = xend;
}

static int check_script(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	return access(path, X_OK) ? -errno : 0;
}

int hooks_find_script(const char *dirs, const char *name, char *path, size_t size, struct err *err)
{
	int r = -ENOENT;

	if (name[0] == '/') {
		if ((size_t)snprintf(path, size, "%s", name) >= size)
			return err_set(err, -ENAMETOOLONG, "script %.200s...: its path is too long", name);
		r = check_script(path);
	}
	for (const char *dir = dirs; name[0] != '/' && *dir;) {
		size_t len = strcspn(dir, ":");
		if (len && (size_t)snprintf(path, size, "%.*s/%s", (int)len, dir, name) < size)
			r = check_script(path);
		if (r != -ENOENT)
			break;
		dir += len + (dir[len] == ':');
	}
	if (!r)
		return 0;
	if (r == -EACCES)
		return err_set(err, r, "script %s cannot be run: it must be an executable file; try chmod +x", path);
	if (name[0] == '/')
		return err_set(err, r, "there is no script %s", name);
	return err_set(err, r, "there is no script %s in %s (script_dir in xbar.conf)", name, dirs);
}

static bool is_own(const struct hooks *hooks, const char *name)
{
	static const char own[] = XBAR_PREFIX "/lib/xbar/scripts/";
	char path[PATH_MAX];
	struct err ignored;

	return hooks_find_script(hooks->daemon->conf->script_dir, name, path, sizeof(path), &ignored) ||
	       !strncmp(path, own, sizeof(own) - 1);
}

bool hooks_are_own(const struct hooks *hooks)
{
	const struct hv_xend *xend = hooks->xend;

	if (!xend)
		return is_own(hooks, "vif-bridge");
	return (!xend->network.argc || is_own(hooks, xend->network.argv[0])) &&
	       (!xend->vif.argc || is_own(hooks, xend->vif.argv[0]));
}

struct call {
	const char *script; /* as configured */
	const char *op;
	const char *subject; /* for the log: a vif's name, or NULL */
	const char *const *args; /* behind the op */
	size_t nargs;
	const char *type_if; /* NULL: none */
	unsigned timeout_s;
};

/* Start the script of `call`: 0, or -errno and *err. */
static int start_job(struct hooks *hooks, const struct call *call, struct env *env, hooks_done *done, void *arg,
		     struct err *err)
{
	const char *argv[ARGV_MAX], *const *envp;
	char path[PATH_MAX], name[128];
	size_t n = 0;

	int r = hooks_find_script(hooks->daemon->conf->script_dir, call->script, path, sizeof(path), err);
	if (r)
		return r;
	if (call->nargs + 4 > ARGV_MAX)
		return err_set(err, -E2BIG, "script %s has more than %d arguments", call->script, ARGV_MAX - 4);
	argv[n++] = path;
	argv[n++] = call->op;
	if (call->type_if)
		argv[n++] = call->type_if;
	for (size_t i = 0; i < call->nargs; i++)
		argv[n++] = call->args[i];
	argv[n] = NULL;

	const char *slash = strrchr(call->script, '/');
	snprintf(name, sizeof(name), "%s %s%s%s", slash ? slash + 1 : call->script, call->op, call->subject ? " " : "",
		 call->subject ? call->subject : "");

	struct job *job = calloc(1, sizeof(*job));
	envp = env_finish(env);
	if (!job || !envp) {
		free(job);
		return err_set(err, -ENOMEM, "no memory to run %s", path);
	}
	job->hooks = hooks;
	job->done = done;
	job->arg = arg;
	struct script_opts opts = {
		.name = name,
		.path = path,
		.argv = argv,
		.envp = envp,
		.timeout_s = call->timeout_s,
		.done = on_done,
		.arg = job,
	};
	log_debug("%s: running %s", name, path);
	r = script_run(hooks->daemon->base, &opts, &job->script, err);
	if (r) {
		free(job);
		return r;
	}
	LIST_INSERT_HEAD(&hooks->jobs, job, link);
	return 0;
}

void hooks_network(struct hooks *hooks, const char *op, hooks_done *done, void *arg)
{
	const struct hv_xend *xend = hooks->xend;
	struct env env = {0};
	struct err err = {0};

	if (!xend || !xend->network.argc) {
		done(arg, NULL);
		return;
	}
	struct call call = {
		.script = xend->network.argv[0],
		.op = op,
		.args = (const char *const *)xend->network.argv + 1,
		.nargs = xend->network.argc - 1,
		.timeout_s = hooks->daemon->conf->network_script_timeout,
	};
	env_common(&env, hooks);
	if (start_job(hooks, &call, &env, done, arg, &err))
		done(arg, err.text);
	env_fini(&env);
}

/* `tap`: the emulated card's, NULL: the script is for the vif itself. */
static void run_vif_script(struct hooks *hooks, const struct port_conf *vif, const char *op, const char *tap,
			   hooks_done *done, void *arg)
{
	const struct hv_xend *xend = hooks->xend;
	struct env env = {0};
	struct err err = {0};
	struct call call = {
		.script = "vif-bridge",
		.op = op,
		.subject = tap ? tap : vif->name,
		.type_if = tap ? "type_if=tap" : "type_if=vif",
		.timeout_s = hooks->daemon->conf->vif_script_timeout,
	};
	char mac[MAC_TEXT];

	if (*vif->script) {
		call.script = vif->script;
	} else if (xend && xend->vif.argc) {
		call.script = xend->vif.argv[0];
		call.args = (const char *const *)xend->vif.argv + 1;
		call.nargs = xend->vif.argc - 1;
	}
	env_common(&env, hooks);
	env_set(&env, "XENBUS_TYPE=vif");
	env_set(&env, "vif=%s", vif->name);
	if (tap)
		env_set(&env, "INTERFACE=%s", tap);
	env_set(&env, "script=%s", call.script);
	env_set(&env, "bridge=%s", vif->bridge);
	env_set(&env, "ip=%s", vif->ip);
	mac_format(vif->mac, mac);
	env_set(&env, "mac=%s", mac_is_zero(vif->mac) ? "" : mac);
	if (vif->mtu)
		env_set(&env, "mtu=%u", vif->mtu);
	if (*vif->guest)
		env_set(&env, "XBAR_GUEST=%s", vif->guest);
	if (vif->devid >= 0)
		env_set(&env, "XBAR_DEVID=%d", vif->devid);
	if (start_job(hooks, &call, &env, done, arg, &err))
		done(arg, err.text);
	env_fini(&env);
}

void hooks_vif(struct hooks *hooks, const struct port_conf *vif, bool online, hooks_done *done, void *arg)
{
	run_vif_script(hooks, vif, online ? "online" : "offline", NULL, done, arg);
}

void hooks_emulated(struct hooks *hooks, const struct port_conf *vif, const char *tap, hooks_done *done, void *arg)
{
	run_vif_script(hooks, vif, "add", tap, done, arg);
}
