/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The single file of version 1, RUNDIR/state.json: {"version": 1, "bridges": [...], "uplinks": [...], "vifs": [...]}. Its
 * records become those of today by renaming members, and are read like any other then.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kinds.h"
#include "state_impl.h"

#define FILE_SIZE_MAX (16 << 20) /* a few thousand vifs took about a megabyte */

/* What was member `was` of `json` is now member `now`. */
static void rename_member(json_t *json, const char *was, const char *now)
{
	json_t *value = json_object_get(json, was);

	if (!value)
		return;
	json_object_set(json, now, value);
	json_object_del(json, was);
}

static int convert_bridge(json_t *json, const char *dir, struct err *err)
{
	struct bridge_conf conf;
	int r = state_bridge_from_json(json, &conf, err);

	return r ? r : state_write_bridge(dir, &conf, err);
}

static int convert_port(json_t *json, enum port_kind kind, const char *dir, struct err *err)
{
	struct port_conf conf;
	int r = 0;

	json_object_set_new(json, "kind", json_string(kind_name(kind)));
	r = state_port_from_json(json, &conf, err);
	return r ? r : state_write_port(dir, &conf, err);
}

static int convert_uplink(json_t *json, const char *dir, struct err *err)
{
	rename_member(json, "netdev", "name");
	rename_member(json, "merging", "coalescing");
	rename_member(json, "bridge", "on");
	return convert_port(json, PORT_UPLINK, dir, err);
}

static int convert_vif(json_t *json, const char *dir, struct err *err)
{
	enum port_kind kind = json_is_true(json_object_get(json, "xen")) ? PORT_NETIF : PORT_VHOST;

	json_object_del(json, "xen");
	rename_member(json, "bridge", "on");
	rename_member(json, "want_bridge", "bridge");
	return convert_port(json, kind, dir, err);
}

static const struct {
	const char *name;
	int (*convert)(json_t *json, const char *dir, struct err *err);
} lists[] = {
	{"bridges", convert_bridge},
	{"uplinks", convert_uplink},
	{"vifs", convert_vif},
};

/* All records that can be converted are; returns the first error. */
static int convert(json_t *json, const char *dir, struct err *err)
{
	json_int_t order = 0;
	int first = 0;

	if (json_integer_value(json_object_get(json, "version")) != 1)
		return err_set(err, -EINVAL, "\"version\" must be 1");
	for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++) {
		json_t *list = json_object_get(json, lists[l].name), *record;
		size_t i;

		if (!json_is_array(list) && !first)
			first = err_set(err, -EINVAL, "\"%s\" must be an array", lists[l].name);
		json_array_foreach(list, i, record)
		{
			struct err why;

			json_object_set_new(record, "order", json_integer(++order));
			json_object_set_new(record, "version", json_integer(STATE_VERSION));
			int r = lists[l].convert(record, dir, &why);
			if (r && !first)
				first = err_set(err, r, "%s[%zu]: %s", lists[l].name, i, why.text);
		}
	}
	return first;
}

int state_convert(const char *path, const char *dir, struct err *err)
{
	struct err why;

	if (access(path, F_OK) && errno == ENOENT)
		return 0;
	json_t *json = state_read_file(path, FILE_SIZE_MAX, err);
	if (!json)
		return -errno;
	int r = convert(json, dir, &why);
	json_decref(json);
	if (r)
		return err_set(err, r, "%s: %s", path, why.text);
	return unlink(path) ? err_set(err, -errno, "cannot remove %s: %s", path, strerror(errno)) : 0;
}
