/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
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

struct record *record_new(void)
{
	return calloc(1, sizeof(struct record));
}

void record_free(struct record *rec)
{
	if (!rec)
		return;
	rtnl_snap_free(rec->snap);
	free(rec->damaged);
	free(rec);
}

json_t *record_addresses(const struct record *rec)
{
	return rtnl_snap_address_list(rec->snap);
}

static void path_of(const struct records *records, const char *bridge, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s" SUFFIX, records->dir, bridge);
}

/* ---- the store --------------------------------------------------------------------------------------------------- */

static void keep(struct records *records, struct record *rec)
{
	struct record *next;

	TAILQ_FOREACH(next, &records->list, link)
	if (strcmp(next->bridge, rec->bridge) > 0)
		break;
	if (next)
		TAILQ_INSERT_BEFORE(next, rec, link);
	else
		TAILQ_INSERT_TAIL(&records->list, rec, link);
	rec->kept = true;
}

static void let_go(struct records *records, struct record *rec)
{
	if (rec->kept)
		TAILQ_REMOVE(&records->list, rec, link);
	rec->kept = false;
}

int record_get(const struct records *records, const char *bridge, struct record **out, struct err *err)
{
	TAILQ_FOREACH(*out, &records->list, link)
	if (!strcmp((*out)->bridge, bridge))
		break;
	if (!*out)
		return -ENOENT;
	return (*out)->damaged ? err_set(err, -EINVAL, "%s", (*out)->damaged) : 0;
}

int record_find(const struct records *records, const char *netdev, struct record **out, struct err *err)
{
	const struct record *damaged = NULL;

	TAILQ_FOREACH(*out, &records->list, link)
	{
		if ((*out)->damaged)
			damaged = *out;
		else if (!strcmp((*out)->netdev, netdev) || !strcmp((*out)->uplink, netdev))
			return 0;
	}
	return damaged ? err_set(err, -EINVAL, "%s", damaged->damaged) : -ENOENT;
}

/* ---- the files --------------------------------------------------------------------------------------------------- */

static int from_json(const json_t *json, struct record *rec, struct err *err)
{
	const char *bridge, *netdev, *uplink, *gateways = "";
	int version, there, had_bridge, had_host, done, confirm = 0;
	json_t *snap;
	json_error_t why;

	if (json_unpack_ex((json_t *)json, &why, 0, "{s:i, s:s, s:s, s:s, s:b, s:b, s:b, s:b, s?i, s?s, s:o}",
			   "version", &version, "bridge", &bridge, "netdev", &netdev, "uplink", &uplink, "there",
			   &there, "had_bridge", &had_bridge, "had_host", &had_host, "done", &done, "confirm", &confirm,
			   "gateways", &gateways, "snapshot", &snap))
		return err_set(err, -EINVAL, "%s", why.text);
	if (version != VERSION)
		return err_set(err, -EINVAL, "version %d, of another xbard", version);
	if (strcmp(bridge, rec->bridge) || !name_is_ifname(netdev) || (*uplink && !name_is_ifname(uplink)))
		return err_set(err, -EINVAL, "a bad name");
	if (confirm < 0 || strlen(gateways) >= RECORD_GATEWAYS)
		return err_set(err, -EINVAL, "\"confirm\" or \"gateways\" is out of bounds");
	rec->there = there;
	rec->had_bridge = had_bridge;
	rec->had_host = had_host;
	rec->done = done;
	rec->confirm = confirm;
	name_copy(rec->gateways, sizeof(rec->gateways), gateways);
	name_copy(rec->netdev, sizeof(rec->netdev), netdev);
	name_copy(rec->uplink, sizeof(rec->uplink), uplink);
	return rtnl_snap_from_json(snap, &rec->snap, err);
}

/* Read the file of `bridge` into the store. -ENOMEM. */
static int load(struct records *records, const char *bridge)
{
	struct err why = {0};
	json_error_t where;
	char path[PATH_MAX];

	struct record *rec = record_new();
	if (!rec)
		return -ENOMEM;
	name_copy(rec->bridge, sizeof(rec->bridge), bridge);
	path_of(records, bridge, path);
	json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
	if (!json)
		err_set(&why, -EINVAL, "line %d: %s", where.line, where.text);
	if ((!json || from_json(json, rec, &why)) &&
	    asprintf(&rec->damaged,
		     "%s: %.200s; it holds what bridge %s has taken over: give that back by hand and remove the file",
		     path, why.text, bridge) < 0) {
		rec->damaged = NULL;
		record_free(rec);
		json_decref(json);
		return -ENOMEM;
	}
	json_decref(json);
	keep(records, rec);
	return 0;
}

static int load_all(struct records *records)
{
	DIR *dir = opendir(records->dir);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!r && (entry = readdir(dir))) {
		char *suffix = strrchr(entry->d_name, '.');
		if (!suffix || strcmp(suffix, SUFFIX))
			continue;
		*suffix = '\0';
		if (name_is_ifname(entry->d_name))
			r = load(records, entry->d_name);
	}
	closedir(dir);
	return r;
}

int records_open(const char *rundir, struct records **out, struct err *err)
{
	*out = NULL;
	struct records *records = calloc(1, sizeof(*records));
	if (!records)
		return err_nomem(err);
	TAILQ_INIT(&records->list);
	int r = asprintf(&records->dir, "%s/net", rundir) < 0 ? -ENOMEM : load_all(records);
	if (r) {
		err_set(err, r, "cannot read the records in %s/net: %s", rundir, strerror(-r));
		records_close(records);
		return r;
	}
	*out = records;
	return 0;
}

void records_close(struct records *records)
{
	struct record *rec;

	if (!records)
		return;
	while ((rec = TAILQ_FIRST(&records->list))) {
		let_go(records, rec);
		record_free(rec);
	}
	free(records->dir);
	free(records);
}

void records_refresh(struct records *records)
{
	struct record *rec, *next;
	char path[PATH_MAX];

	for (rec = TAILQ_FIRST(&records->list); rec; rec = next) {
		next = TAILQ_NEXT(rec, link);
		path_of(records, rec->bridge, path);
		if (access(path, F_OK) && errno == ENOENT) {
			let_go(records, rec);
			record_free(rec);
		}
	}
}

int record_save(struct records *records, struct record *rec, struct err *err)
{
	char path[PATH_MAX];

	path_of(records, rec->bridge, path);
	json_t *snap = rtnl_snap_to_json(rec->snap);
	json_t *json = json_pack("{s:i, s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:i, s:s, s:o}", "version", VERSION,
				 "bridge", rec->bridge, "netdev", rec->netdev, "uplink", rec->uplink, "there",
				 rec->there, "had_bridge", rec->had_bridge, "had_host", rec->had_host, "done",
				 rec->done, "confirm", rec->confirm, "gateways", rec->gateways, "snapshot", snap);
	if (!json)
		return err_set(err, -ENOMEM, "no memory to write %s", path);
	int r = 0;
	if (mkdir(records->dir, 0700) && errno != EEXIST)
		r = err_set(err, -errno, "cannot make %s: %s", records->dir, strerror(errno));
	if (!r)
		r = jsonfile_save(json, path, err);
	json_decref(json);
	if (!r && !rec->kept)
		keep(records, rec);
	return r;
}

int record_remove(struct records *records, struct record *rec, struct err *err)
{
	char path[PATH_MAX];

	path_of(records, rec->bridge, path);
	if (unlink(path) && errno != ENOENT)
		return err_set(err, -errno, "cannot remove %s: %s", path, strerror(errno));
	rmdir(records->dir); /* after the last one; while there are others it stays */
	let_go(records, rec);
	return 0;
}
