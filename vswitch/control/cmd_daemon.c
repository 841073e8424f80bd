/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands on the daemon itself.
 */
#include "commands.h"
#include "vswitch/base/log.h"
#include "vswitch/daemon/daemon.h"

static const struct ctl_arg log_level_args[] = {
	{"level", CTL_STRING, true, 0, 0},
	{0},
};

static void log_level(struct ctl_request *req)
{
	const char *name = ctl_str(req, "level");
	int level = log_level_find(name);

	if (level < 0) {
		ctl_reply_error(req, "log-level: there is no level \"%.40s\": error, warning, info or debug", name);
		return;
	}
	log_set_level(level);
	ctl_reply_ok(req, NULL);
}

static const struct ctl_arg stop_args[] = {
	{"keep", CTL_BOOL, false, 0, 0}, /* leave all as a crash would, for the next start to find */
	{0},
};

static void stop(struct ctl_request *req)
{
	struct daemon *daemon = ctl_parts(req)->daemon;
	bool keep = ctl_bool(req, "keep", false);

	ctl_reply_ok(req, NULL);
	daemon->stop(daemon, keep);
}

const struct ctl_command daemon_commands[] = {
	{"log-level", CTL_WRITE, log_level_args, log_level},
	{"stop", CTL_WRITE, stop_args, stop},
	{0},
};
