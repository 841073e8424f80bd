/* SPDX-License-Identifier: BSD-3-Clause */
/* Xen: xl and libxl manage their guests themselves, and reach the switch through xenstore and the hook scripts. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "launch.h"
#include "program.h"

static enum hv_available xl_available(struct hv_why *why)
{
	char text[256], path[PATH_MAX];
	ssize_t n = -1;

	int fd = open("/proc/xen/capabilities", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	text[n < 0 ? 0 : n] = '\0';
	if (!strstr(text, "control_d")) {
		snprintf(why->text, sizeof(why->text), "this is not a Xen control domain");
		return HV_ABSENT;
	}
	if (!hv_find_program("xl", path, sizeof(path))) {
		snprintf(why->text, sizeof(why->text), "this is a Xen control domain, but xl is not installed");
		return HV_ABSENT;
	}
	snprintf(why->text, sizeof(why->text), "this is a Xen control domain");
	return HV_READY;
}

const struct hv_launcher hv_launch_xl = {
	.name = "xl",
	.title = "Xen",
	.native = true,
	.available = xl_available,
};
