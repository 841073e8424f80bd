/* SPDX-License-Identifier: BSD-3-Clause */
/* xbar shutdown and xbar destroy. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "hypervisor/launch/launch.h"
#include "hypervisor/launch/process.h"
#include "vswitch/tool/cli.h"
#include "xl.h"

#define DESTROY_WAIT_MS 60000 /* until the scripts of the guest's vifs have run */

/* Wait until the guest's directory or its supervisor is gone. false: neither within limit_ms (negative: no limit). */
static bool wait_gone(const struct guest_dir *dir, long limit_ms)
{
	struct timespec pause = {.tv_nsec = 20000000};

	for (long waited = 0; limit_ms < 0 || waited < limit_ms; waited += 20) {
		enum guest_state state = guest_dir_state(dir);
		if (state == GUEST_NONE || state == GUEST_DEAD)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

static int destroy(struct guest_dir *dir, const char *name, enum guest_state state)
{
	struct hv_process supervisor;
	struct err err;
	char path[PATH_MAX];

	if (state != GUEST_DEAD) {
		int r = (size_t)snprintf(path, sizeof(path), "%s/supervisor.pid", dir->path) < sizeof(path)
				? hv_pidfile_read(path, &supervisor)
				: -ENAMETOOLONG;
		if (!r)
			r = hv_process_signal(&supervisor, SIGTERM);
		if (r == -ENOENT)
			return cli_fail("guest %s is still being created; try again in a moment", name);
		if (r && r != -ESRCH)
			return cli_fail("guest %s: cannot signal its supervisor: %s", name, strerror(-r));
		if (!wait_gone(dir, DESTROY_WAIT_MS))
			return cli_fail("guest %s has not ended within %d s", name, DESTROY_WAIT_MS / 1000);
	}
	if (guest_dir_state(dir) == GUEST_DEAD) {
		if (guest_dir_take(dir, &err))
			return cli_fail("%s", err.text);
		guest_dir_clear(dir, name);
	}
	return 0;
}

int cmd_destroy(const json_t *args)
{
	const char *name = cli_string(args, "name");
	struct guest_dir dir;
	struct err err;

	enum guest_state state = guest_find(name, &dir, &err);
	if (state == GUEST_NONE)
		return guest_xl_here() ? guest_xl("destroy", NULL, name) : cli_fail("%s", err.text);
	return destroy(&dir, name, state);
}

static int ask(const struct guest_dir *dir, const char *name, bool wait)
{
	json_t *record = guest_record_read(dir);
	const char *hypervisor = json_string_value(json_object_get(record, "hypervisor"));
	const struct hv_launcher *launcher = hypervisor ? hv_launcher_find(hypervisor) : NULL;
	struct err err;

	json_decref(record);
	if (!launcher || !launcher->shutdown)
		return cli_fail("guest %s: %s/guest.json does not name its hypervisor; `xbar destroy %s` kills it",
				name, dir->path, name);
	if (launcher->shutdown(dir->path, &err))
		return cli_fail("guest %s: %s", name, err.text);
	if (wait)
		wait_gone(dir, -1);
	return 0;
}

int cmd_shutdown(const json_t *args)
{
	const char *name = cli_string(args, "name");
	bool wait = cli_is_true(args, "wait");
	struct guest_dir dir;
	struct err err;

	switch (guest_find(name, &dir, &err)) {
	case GUEST_NONE:
		return guest_xl_here() ? guest_xl("shutdown", wait ? "-w" : NULL, name) : cli_fail("%s", err.text);
	case GUEST_DEAD:
		return cli_fail("guest %s is dead; `xbar destroy %s` clears what it left", name, name);
	case GUEST_ENDING:
		if (wait)
			wait_gone(&dir, -1);
		return 0;
	default:
		return ask(&dir, name, wait);
	}
}
