/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "hypervisor/launch/launch.h"
#include "vswitch/tool/cli.h"
#include "xl.h"

bool guest_xl_here(void)
{
	struct hv_why why;

	return hv_launch_xl.available(&why) == HV_READY;
}

static int become(struct hv_argv *argv)
{
	int r = -ENOMEM;

	if (!argv->failed) {
		execvp(argv->v[0], argv->v);
		r = -errno;
	}
	hv_argv_fini(argv);
	return cli_fail("cannot run xl: %s", strerror(-r));
}

int guest_xl_create(bool console, const char *file, const json_t *settings)
{
	struct hv_argv argv = {0};

	hv_argv_add_words(&argv, console ? "xl create -c" : "xl create");
	hv_argv_add(&argv, "%s", file);
	for (size_t i = 0; i < json_array_size(settings); i++)
		hv_argv_add(&argv, "%s", json_string_value(json_array_get(settings, i)));
	return become(&argv);
}

int guest_xl(const char *command, const char *option, const char *name)
{
	struct hv_argv argv = {0};

	hv_argv_add(&argv, "xl");
	hv_argv_add(&argv, "%s", command);
	if (option)
		hv_argv_add(&argv, "%s", option);
	if (name)
		hv_argv_add(&argv, "%s", name);
	return become(&argv);
}
