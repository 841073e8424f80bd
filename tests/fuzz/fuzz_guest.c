/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest's record, guest.json in its run directory: whatever it holds, `xbar list` shows the guest. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "vswitch/tool/guest/list.c" /* its look at one guest prints to nobody here */

static char root[] = "/tmp/xbar-fuzz-XXXXXX";

static void clean_up(void)
{
	char path[PATH_MAX];

	for (const char *const *name = (const char *const[]){"guests/web/guest.json", "guests/web", "guests", "", NULL};
	     *name; name++) {
		snprintf(path, sizeof(path), "%s/%s", root, *name);
		remove(path);
	}
}

static void set_up(void)
{
	char path[PATH_MAX];

	if (!mkdtemp(root))
		abort();
	atexit(clean_up);
	snprintf(path, sizeof(path), "%s/guests", root);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/guests/web", root);
	mkdir(path, 0700);
	setenv("XBAR_RUNDIR", root, 1);
	if (!freopen("/dev/null", "w", stdout))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	char path[PATH_MAX];

	if (!ready)
		set_up();
	ready = true;
	snprintf(path, sizeof(path), "%s/guests/web/guest.json", root);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
	json_t *row = row_of("web");
	if (!json_is_string(json_object_get(row, "state")))
		abort();
	print_row(row);
	json_decref(row);
	return 0;
}
