/* SPDX-License-Identifier: BSD-3-Clause */
/* xbar shutdown, which asks the guest, and xbar destroy, which does not. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dir.h"
#include "guest.h"
#include "hypervisor/launch/launch.h"
#include "hypervisor/launch/process.h"
#include "vswitch/tool/cli.h"
#include "xl.h"

#define DESTROY_WAIT_MS 60000 /* for the vif-scripts of the guest's vifs */

static const char destroy_usage[] = "usage: xbar destroy NAME\n"
				    "  End a guest at once, as if its power were cut.\n";
static const char shutdown_usage[] = "usage: xbar shutdown [-w] NAME\n"
				     "  Ask a guest to shut itself down.\n"
				     "  -w, --wait  wait until it has\n";

/* Find guest `name`: its state; GUEST_NONE, and the sentence is told, where the name is none. */
static enum guest_state find(const char *name, struct guest_dir *dir, struct err *err)
{
	if (hv_launch_check_name(name, err) || guest_dir_name(dir, name, err))
		return GUEST_NONE;
	enum guest_state state = guest_dir_state(dir);
	if (state == GUEST_NONE)
		err_set(err, -ENOENT, "there is no guest %s; `xbar list` shows those that there are", name);
	return state;
}

/* Wait until the guest's directory is gone, or its keeper is. false: neither, for limit_ms. Below 0: no limit. */
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
	struct hv_process keeper;
	struct err err;
	char path[PATH_MAX];

	if (state != GUEST_DEAD) {
		int error = (size_t)snprintf(path, sizeof(path), "%s/keeper.pid", dir->path) < sizeof(path)
				    ? hv_pidfile_read(path, &keeper)
				    : -ENAMETOOLONG;
		if (!error)
			error = hv_process_signal(&keeper, SIGTERM);
		if (error == -ENOENT)
			return cli_fail("guest %s is just being created; try again in a moment", name);
		if (error && error != -ESRCH)
			return cli_fail("guest %s: cannot end its keeper: %s", name, strerror(-error));
		if (!wait_gone(dir, DESTROY_WAIT_MS))
			return cli_fail("guest %s has not ended after %d s", name, DESTROY_WAIT_MS / 1000);
	}
	if (guest_dir_state(dir) == GUEST_DEAD) {
		if (guest_dir_take(dir, &err))
			return cli_fail("%s", err.text);
		guest_dir_clear(dir, name, true);
	}
	return 0;
}

int cmd_destroy(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
	struct guest_dir dir;
	struct err err;
	int option = getopt_long(argc, argv, "", options, NULL);

	if (option >= 0 || argc - optind != 1) {
		fputs(destroy_usage, option == 'h' ? stdout : stderr);
		return option == 'h' ? 0 : CLI_USAGE;
	}
	enum guest_state state = find(argv[optind], &dir, &err);
	if (state == GUEST_NONE)
		return guest_xl_here() ? guest_xl("destroy", NULL, argv[optind]) : cli_fail("%s", err.text);
	return destroy(&dir, argv[optind], state);
}

static int ask(const struct guest_dir *dir, const char *name, bool wait)
{
	json_t *record = guest_record_read(dir);
	const char *hypervisor = json_string_value(json_object_get(record, "hypervisor"));
	const struct hv_launcher *launcher = hypervisor ? hv_launcher_find(hypervisor) : NULL;
	struct err err;

	json_decref(record);
	if (!launcher || !launcher->shutdown)
		return cli_fail("guest %s: %s/guest.json does not say what runs it; `xbar destroy %s` ends it", name,
				dir->path, name);
	if (launcher->shutdown(dir->path, &err))
		return cli_fail("guest %s: %s", name, err.text);
	if (wait)
		wait_gone(dir, -1);
	return 0;
}

int cmd_shutdown(int argc, char **argv)
{
	static const struct option options[] = {
		{"wait", no_argument, NULL, 'w'}, {"help", no_argument, NULL, 'h'}, {0}};
	struct guest_dir dir;
	struct err err;
	bool wait = false;
	int option;

	while ((option = getopt_long(argc, argv, "w", options, NULL)) == 'w')
		wait = true;
	if (option >= 0 || argc - optind != 1) {
		fputs(shutdown_usage, option == 'h' ? stdout : stderr);
		return option == 'h' ? 0 : CLI_USAGE;
	}
	const char *name = argv[optind];
	switch (find(name, &dir, &err)) {
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
