/* SPDX-License-Identifier: BSD-3-Clause */
/* xbar list: the guests that have a run directory; on a Xen host also xl's. */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dir.h"
#include "guest.h"
#include "hypervisor/launch/launch.h"
#include "hypervisor/launch/process.h"
#include "vswitch/tool/cli.h"
#include "xl.h"

static const char usage[] = "usage: xbar list [--json]\n"
			    "  The guests that were started by `xbar create`, and on a Xen host xl's.\n";

/* What is known of guest `name`: its record, with "state", "pid" and "uptime" (seconds) in it. */
static json_t *look_at(const char *name)
{
	struct hv_process guest;
	struct guest_dir dir;
	struct err err;
	char path[PATH_MAX];

	if (hv_launch_check_name(name, &err) || guest_dir_name(&dir, name, &err))
		return NULL;
	enum guest_state state = guest_dir_state(&dir);
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

/* An array of rows, sorted by name; NULL with a sentence. */
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
		json_t *row = entries[i]->d_type == DT_DIR ? look_at(entries[i]->d_name) : NULL;
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

int cmd_list(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
	struct err err;
	bool json = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) == 'j')
		json = true;
	if (option >= 0 || optind != argc) {
		fputs(usage, option == 'h' ? stdout : stderr);
		return option == 'h' ? 0 : CLI_USAGE;
	}
	json_t *rows = gather(&err);
	if (!rows)
		return cli_fail("%s", err.text);
	/* A Xen host without guests of another kind: xl's own list is the whole answer. */
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
