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

#include "jsonfile.h"
#include "names.h"
#include "netrec.h"

#define VERSION 1
#define SUFFIX ".json"

void netrec_fini(struct netrec *rec)
{
	netcfg_snap_free(rec->snap);
	rec->snap = NULL;
}

static void path_of(char path[PATH_MAX], const char *rundir, const char *bridge)
{
	snprintf(path, PATH_MAX, "%s/net/%s" SUFFIX, rundir, bridge);
}

static int from_json(const json_t *json, const char *bridge, struct netrec *rec, struct sw_err *err)
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
		return sw_fail(err, -EINVAL, "%s", why.text);
	if (version != VERSION)
		return sw_fail(err, -EINVAL, "version %d, of another xbard", version);
	if (strcmp(named, bridge) || !name_is_ifname(netdev) || (*uplink && !name_is_ifname(uplink)))
		return sw_fail(err, -EINVAL, "a bad name");
	if (confirm < 0 || strlen(gateways) >= NETREC_GATEWAYS)
		return sw_fail(err, -EINVAL, "\"confirm\" or \"gateways\" is out of bounds");
	*rec = (struct netrec){
		.there = there, .had_bridge = had_bridge, .had_host = had_host, .done = done, .confirm = confirm};
	name_copy(rec->gateways, sizeof(rec->gateways), gateways);
	name_copy(rec->bridge, sizeof(rec->bridge), bridge);
	name_copy(rec->netdev, sizeof(rec->netdev), netdev);
	name_copy(rec->uplink, sizeof(rec->uplink), uplink);
	return netcfg_snap_from_json(snap, &rec->snap, err);
}

int netrec_load(const char *rundir, const char *bridge, struct netrec *rec, struct sw_err *err)
{
	char path[PATH_MAX];
	json_error_t why;
	struct sw_err detail;

	*rec = (struct netrec){0};
	path_of(path, rundir, bridge);
	if (access(path, F_OK) && errno == ENOENT)
		return -ENOENT;
	json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
	if (!json)
		return sw_fail(
			err, -EINVAL,
			"%s:%d: %s; it holds what bridge %s has taken over: give that back by hand and remove the "
			"file",
			path, why.line, why.text, bridge);
	int r = from_json(json, bridge, rec, &detail);
	json_decref(json);
	if (r)
		return sw_fail(
			err, r,
			"%s: %.200s; it holds what bridge %s has taken over: give that back by hand and remove the "
			"file",
			path, detail.text, bridge);
	return 0;
}

int netrec_save(const char *rundir, const struct netrec *rec, struct sw_err *err)
{
	char dir[PATH_MAX], path[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s/net", rundir);
	path_of(path, rundir, rec->bridge);
	json_t *snap = netcfg_snap_to_json(rec->snap);
	json_t *json = json_pack("{s:i, s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:i, s:s, s:o}", "version", VERSION,
				 "bridge", rec->bridge, "netdev", rec->netdev, "uplink", rec->uplink, "there",
				 rec->there, "had_bridge", rec->had_bridge, "had_host", rec->had_host, "done",
				 rec->done, "confirm", rec->confirm, "gateways", rec->gateways, "snapshot", snap);
	if (!json)
		return sw_fail(err, -ENOMEM, "no memory to write %s", path);
	int r = mkdir(dir, 0700) && errno != EEXIST ? sw_fail(err, -errno, "cannot make %s: %s", dir, strerror(errno))
						    : jsonfile_save(json, path, err);
	json_decref(json);
	return r;
}

int netrec_remove(const char *rundir, const struct netrec *rec, struct sw_err *err)
{
	char path[PATH_MAX];

	path_of(path, rundir, rec->bridge);
	if (unlink(path) && errno != ENOENT)
		return sw_fail(err, -errno, "cannot remove %s: %s", path, strerror(errno));
	snprintf(path, sizeof(path), "%s/net", rundir);
	rmdir(path); /* the last one's end; while others are there it stays */
	return 0;
}

static int is_record(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name), suffix = strlen(SUFFIX);
	return n > suffix && !strcmp(entry->d_name + n - suffix, SUFFIX);
}

void netrec_each(const char *rundir, bool (*fn)(struct netrec *rec, const struct sw_err *err, void *arg), void *arg)
{
	char dir[PATH_MAX];
	struct dirent **entries;
	bool more = true;

	snprintf(dir, sizeof(dir), "%s/net", rundir);
	int n = scandir(dir, &entries, is_record, alphasort);
	for (int i = 0; i < n; i++) {
		struct netrec rec;
		struct sw_err err;
		char *name = entries[i]->d_name;
		name[strlen(name) - strlen(SUFFIX)] = '\0';
		if (more && name_is_ifname(name)) {
			int r = netrec_load(rundir, name, &rec, &err);
			more = r == -ENOENT || fn(r ? NULL : &rec, &err, arg);
			if (!r)
				netrec_fini(&rec);
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

struct search {
	const char *netdev;
	struct netrec *rec;
	struct sw_err *err;
	int result;
};

static bool compare(struct netrec *rec, const struct sw_err *err, void *arg)
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

int netrec_find(const char *rundir, const char *netdev, struct netrec *rec, struct sw_err *err)
{
	struct search search = {.netdev = netdev, .rec = rec, .err = err, .result = -ENOENT};

	*rec = (struct netrec){0};
	netrec_each(rundir, compare, &search);
	return search.result;
}
