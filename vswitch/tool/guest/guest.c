/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest.h"

#include <errno.h>

#include "hypervisor/launch/launch.h"
#include "vswitch/tool/cli.h"

enum guest_state guest_find(const char *name, struct guest_dir *dir, struct err *err)
{
	if (hv_launch_check_name(name, err) || guest_dir_name(dir, name, err))
		return GUEST_NONE;
	enum guest_state state = guest_dir_state(dir);
	if (state == GUEST_NONE)
		err_set(err, -ENOENT, "there is no guest %s; `xbar list` shows the existing ones", name);
	return state;
}

static const struct cli_arg create_args[] = {
	{"FILE", NULL, "file", CLI_WORD, false},
	{"KEY=VALUE", NULL, "settings", CLI_WORDS, true},
	{"-c, --console", NULL, "console", CLI_TRUE, true},
	{"--hypervisor", "xl|qemu|uml", "hypervisor", CLI_STRING, true},
	{"--unconfined", NULL, "unconfined", CLI_TRUE, true},
	{0},
};

static const struct cli_arg list_args[] = {
	{"--json", NULL, "json", CLI_TRUE, true},
	{0},
};

static const struct cli_arg name_args[] = {
	{"NAME", NULL, "name", CLI_WORD, false},
	{0},
};

static const struct cli_arg shutdown_args[] = {
	{"NAME", NULL, "name", CLI_WORD, false},
	{"-w, --wait", NULL, "wait", CLI_TRUE, true},
	{0},
};

const struct cli_command guest_cli[] = {
	{.name = "create",
	 .summary = "start a guest from its cfg file",
	 .args = create_args,
	 .help = "  KEY=VALUE          settings, as if they were lines at the end of FILE\n"
		 "  -c, --console      attach to its console afterwards\n"
		 "  --hypervisor NAME  default: $XBAR_HYPERVISOR, else the best one available\n"
		 "  --unconfined       run the guest's process with all rights of the caller\n",
	 .run = cmd_create},
	{.name = "list",
	 .summary = "guests started by `xbar create`, and on a Xen host those of xl",
	 .args = list_args,
	 .run = cmd_list},
	{.name = "console",
	 .summary = "attach to a guest's console",
	 .args = name_args,
	 .help = "  Ctrl-] detaches. If standard input is not a terminal, its end does.\n",
	 .run = cmd_console},
	{.name = "shutdown",
	 .summary = "ask a guest to shut down",
	 .args = shutdown_args,
	 .help = "  -w, --wait  wait until it has\n",
	 .run = cmd_shutdown},
	{.name = "destroy", .summary = "kill a guest, as if its power were cut", .args = name_args, .run = cmd_destroy},
	{0},
};
