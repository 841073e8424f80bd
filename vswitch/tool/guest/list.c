/* SPDX-License-Identifier: BSD-3-Clause */
/* xbar list: the guests with a run directory; on a Xen host also those of xl. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "guest.h"
#include "hypervisor/launch/process.h"
#include "vswitch/tool/cli.h"
#include "xl.h"

/* The record of guest `name`, with "state", "pid" and "uptime" (seconds) added; NULL: there is no such guest. */
static json_t *row_of(const char *name)
{
	struct hv_process guest;
	struct guest_dir dir;
	struct err err;
	char path[PATH_MAX];

	enum guest_state state = guest_find(name, &dir, &err);
	if (state == GUEST_NONE)
		return NULL;
	json_t *row = guest_record_read(&dir);
	if (!row)
		row = json_pack("{s:s}", "name", name);
	json_object_set_new(row, "state", json_string(guest_state_name(state)));
	if (state == GUEST_RUNNING && (size_t)snprintf(path, sizeof(path), "%s/guest.pid", dir.path) < sizeof(path) &&
	    !hv_pidfile_read(path, &guest)) {
		json_int_t created = json_integer_value(json_object_get(row, "created"));
		json_object_set_new(row, "pid", json_integer(guest.pid));
		json_object_set_new(row, "uptime", json_integer(time(NULL) - created));
	}
	return row;
}

/* An array of rows sorted by name, or NULL with an error. */
static json_t *gather(struct err *err)
{
	char root[PATH_MAX];
	struct dirent **entries;

	if (guest_root(root, err))
		return NULL;
	json_t *rows = json_array();
	int n = scandir(root, &entries, NULL, alphasort);
	if (n < 0 && errno != ENOENT) {
		err_set(err, -errno, "cannot read %.300s: %s", root, strerror(errno));
		json_decref(rows);
		return NULL;
	}
	for (int i = 0; i < n; i++) {
		json_t *row = entries[i]->d_type == DT_DIR ? row_of(entries[i]->d_name) : NULL;
		if (row)
			json_array_append_new(rows, row);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return rows;
}

static void print_row(const json_t *row)
{
	const json_t *vifs = json_object_get(row, "vifs");
	char pid[16] = "-", uptime[32] = "-";

	if (json_object_get(row, "pid"))
		snprintf(pid, sizeof(pid), "%d", (int)json_integer_value(json_object_get(row, "pid")));
	if (json_object_get(row, "uptime")) {
		long s = json_integer_value(json_object_get(row, "uptime"));
		snprintf(uptime, sizeof(uptime), "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
	}
	printf("%-20s %-6s %7s %6d %5d %-9s %9s ", cli_text(row, "name"), cli_text(row, "hypervisor"), pid,
	       (int)json_integer_value(json_object_get(row, "memory_mb")),
	       (int)json_integer_value(json_object_get(row, "vcpus")), cli_text(row, "state"), uptime);
	for (size_t i = 0; i < json_array_size(vifs); i++) {
		const json_t *vif = json_array_get(vifs, i);
		printf(" %s@%s", cli_text(vif, "name"), cli_text(vif, "bridge"));
	}
	printf("\n");
}

int cmd_list(const json_t *args)
{
	bool json = cli_is_true(args, "json");
	struct err err;

	json_t *rows = gather(&err);
	if (!rows)
		return cli_fail("%s", err.text);
	/* On a Xen host without other guests, xl's list is the whole answer. */
	if (!json_array_size(rows) && guest_xl_here()) {
		json_decref(rows);
		return guest_xl("list", json ? "-l" : NULL, NULL);
	}
	if (json) {
		json_dumpf(rows, stdout, JSON_INDENT(2));
		printf("\n");
	} else {
		printf("%-20s %-6s %7s %6s %5s %-9s %9s  %s\n", "Name", "By", "Pid", "Mem", "VCPUs", "State", "Uptime",
		       "Vifs");
		for (size_t i = 0; i < json_array_size(rows); i++)
			print_row(json_array_get(rows, i));
	}
	json_decref(rows);
	if (!json && guest_xl_here()) {
		printf("\n");
		fflush(stdout);
		return guest_xl("list", NULL, NULL);
	}
	return 0;
}
