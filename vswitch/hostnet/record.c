/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record.h"
#include "vswitch/base/jsonfile.h"
#include "vswitch/base/names.h"

#define VERSION 1
#define SUFFIX ".json"

void record_fini(struct record *rec)
{
	rtnl_snap_free(rec->snap);
	rec->snap = NULL;
}

static void path_of(char path[PATH_MAX], const char *rundir, const char *bridge)
{
	snprintf(path, PATH_MAX, "%s/net/%s" SUFFIX, rundir, bridge);
}

static int from_json(const json_t *json, const char *bridge, struct record *rec, struct err *err)
{
	const char *named, *netdev, *uplink;
	const char *gateways = "";
	int version, there, had_bridge, had_host, done, confirm = 0;
	json_t *snap;
	json_error_t why;

	if (json_unpack_ex((json_t *)json, &why, 0, "{s:i, s:s, s:s, s:s, s:b, s:b, s:b, s:b, s?i, s?s, s:o}",
			   "version", &version, "bridge", &named, "netdev", &netdev, "uplink", &uplink, "there", &there,
			   "had_bridge", &had_bridge, "had_host", &had_host, "done", &done, "confirm", &confirm,
			   "gateways", &gateways, "snapshot", &snap))
		return err_set(err, -EINVAL, "%s", why.text);
	if (version != VERSION)
		return err_set(err, -EINVAL, "version %d, of another xbard", version);
	if (strcmp(named, bridge) || !name_is_ifname(netdev) || (*uplink && !name_is_ifname(uplink)))
		return err_set(err, -EINVAL, "a bad name");
	if (confirm < 0 || strlen(gateways) >= NETREC_GATEWAYS)
		return err_set(err, -EINVAL, "\"confirm\" or \"gateways\" is out of bounds");
	*rec = (struct record){
		.there = there, .had_bridge = had_bridge, .had_host = had_host, .done = done, .confirm = confirm};
	name_copy(rec->gateways, sizeof(rec->gateways), gateways);
	name_copy(rec->bridge, sizeof(rec->bridge), bridge);
	name_copy(rec->netdev, sizeof(rec->netdev), netdev);
	name_copy(rec->uplink, sizeof(rec->uplink), uplink);
	return rtnl_snap_from_json(snap, &rec->snap, err);
}

int record_load(const char *rundir, const char *bridge, struct record *rec, struct err *err)
{
	char path[PATH_MAX];
	json_error_t why;
	struct err detail;

	*rec = (struct record){0};
	path_of(path, rundir, bridge);
	if (access(path, F_OK) && errno == ENOENT)
		return -ENOENT;
	json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
	if (!json)
		return err_set(
			err, -EINVAL,
			"%s:%d: %s; it holds what bridge %s has taken over: give that back by hand and remove the "
			"file",
			path, why.line, why.text, bridge);
	int r = from_json(json, bridge, rec, &detail);
	json_decref(json);
	if (r)
		return err_set(
			err, r,
			"%s: %.200s; it holds what bridge %s has taken over: give that back by hand and remove the "
			"file",
			path, detail.text, bridge);
	return 0;
}

int record_save(const char *rundir, const struct record *rec, struct err *err)
{
	char dir[PATH_MAX], path[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s/net", rundir);
	path_of(path, rundir, rec->bridge);
	json_t *snap = rtnl_snap_to_json(rec->snap);
	json_t *json = json_pack("{s:i, s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:i, s:s, s:o}", "version", VERSION,
				 "bridge", rec->bridge, "netdev", rec->netdev, "uplink", rec->uplink, "there",
				 rec->there, "had_bridge", rec->had_bridge, "had_host", rec->had_host, "done",
				 rec->done, "confirm", rec->confirm, "gateways", rec->gateways, "snapshot", snap);
	if (!json)
		return err_set(err, -ENOMEM, "no memory to write %s", path);
	int r = mkdir(dir, 0700) && errno != EEXIST ? err_set(err, -errno, "cannot make %s: %s", dir, strerror(errno))
						    : jsonfile_save(json, path, err);
	json_decref(json);
	return r;
}

int record_remove(const char *rundir, const struct record *rec, struct err *err)
{
	char path[PATH_MAX];

	path_of(path, rundir, rec->bridge);
	if (unlink(path) && errno != ENOENT)
		return err_set(err, -errno, "cannot remove %s: %s", path, strerror(errno));
	snprintf(path, sizeof(path), "%s/net", rundir);
	rmdir(path); /* the last one's end; while others are there it stays */
	return 0;
}

static int is_record(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name), suffix = strlen(SUFFIX);
	return n > suffix && !strcmp(entry->d_name + n - suffix, SUFFIX);
}

void record_each(const char *rundir, bool (*fn)(struct record *rec, const struct err *err, void *arg), void *arg)
{
	char dir[PATH_MAX];
	struct dirent **entries;
	bool more = true;

	snprintf(dir, sizeof(dir), "%s/net", rundir);
	int n = scandir(dir, &entries, is_record, alphasort);
	for (int i = 0; i < n; i++) {
		struct record rec;
		struct err err;
		char *name = entries[i]->d_name;
		name[strlen(name) - strlen(SUFFIX)] = '\0';
		if (more && name_is_ifname(name)) {
			int r = record_load(rundir, name, &rec, &err);
			more = r == -ENOENT || fn(r ? NULL : &rec, &err, arg);
			if (!r)
				record_fini(&rec);
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

struct search {
	const char *netdev;
	struct record *rec;
	struct err *err;
	int result;
};

static bool compare(struct record *rec, const struct err *err, void *arg)
{
	struct search *search = arg;

	if (!rec) {
		*search->err = *err;
		search->result = -EINVAL;
		return true;
	}
	if (strcmp(rec->netdev, search->netdev) && strcmp(rec->uplink, search->netdev))
		return true;
	*search->rec = *rec;
	rec->snap = NULL;
	search->result = 0;
	return false;
}

int record_find(const char *rundir, const char *netdev, struct record *rec, struct err *err)
{
	struct search search = {.netdev = netdev, .rec = rec, .err = err, .result = -ENOENT};

	*rec = (struct record){0};
	record_each(rundir, compare, &search);
	return search.result;
}
