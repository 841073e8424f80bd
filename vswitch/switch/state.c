/* SPDX-License-Identifier: BSD-3-Clause */
#include "state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state_impl.h"
#include "vswitch/base/jsonfile.h"
#include "vswitch/base/log.h"

#define FILE_SIZE_MAX (64 << 10) /* a record takes about one kilobyte */
#define SUFFIX ".json"

static int path_of(char path[PATH_MAX], const char *dir, const char *name, const char *suffix, struct err *err)
{
	if (snprintf(path, PATH_MAX, "%s/%s%s", dir, name, suffix) >= PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "%s: path is too long", dir);
	return 0;
}

int state_open(const char *dir, struct err *err)
{
	if (mkdir(dir, 0700) && errno != EEXIST)
		return err_set(err, -errno, "cannot make the directory %s: %s", dir, strerror(errno));
	return 0;
}

/* Takes `json`. */
static int save(const char *dir, const char *name, json_t *json, struct err *err)
{
	char path[PATH_MAX];
	int r = path_of(path, dir, name, SUFFIX, err);

	if (!r)
		r = jsonfile_save(json, path, err);
	json_decref(json);
	return r;
}

int state_write_bridge(const char *dir, const struct bridge_conf *conf, struct err *err)
{
	return save(dir, conf->name, state_bridge_to_json(conf), err);
}

int state_write_port(const char *dir, const struct port_conf *conf, struct err *err)
{
	return save(dir, conf->name, state_port_to_json(conf), err);
}

int state_remove(const char *dir, const char *name, struct err *err)
{
	char path[PATH_MAX];
	int r = path_of(path, dir, name, SUFFIX, err);

	if (!r && unlink(path) && errno != ENOENT)
		return err_set(err, -errno, "cannot remove %s: %s", path, strerror(errno));
	return r;
}

/* Whether `name` ends in `suffix`, behind something. */
static bool ends_in(const char *name, const char *suffix)
{
	size_t len = strlen(name), tail = strlen(suffix);

	return len > tail && !strcmp(name + len - tail, suffix);
}

json_t *state_read_file(const char *path, long max, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	json_error_t where;
	struct stat st;

	if (fd < 0) {
		int error = errno;
		err_set(err, -error, "cannot read %s: %s", path, strerror(error));
		errno = error;
		return NULL;
	}
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > max) {
		close(fd);
		err_set(err, -EINVAL, "%s: is not a regular file of at most %ld KiB", path, max >> 10);
		errno = EINVAL;
		return NULL;
	}
	/* In one piece: json_loadfd() reads byte by byte. */
	char *text = malloc(st.st_size + 1);
	ssize_t len = text ? read(fd, text, st.st_size) : 0;
	close(fd);
	json_t *json = json_loadb(text ? text : "", len > 0 ? len : 0, JSON_REJECT_DUPLICATES, &where);
	free(text);
	if (!json)
		err_set(err, -EINVAL, "%s:%d:%d: %s", path, where.line, where.column, where.text);
	else if (!json_is_object(json))
		err_set(err, -EINVAL, "%s: must be a JSON object", path);
	else
		return json;
	json_decref(json);
	errno = EINVAL;
	return NULL;
}

/* Read the record in DIR/FILE to the end of state->bridge or state->port, which have room for it. */
static int read_record(const char *dir, const char *file, struct state *state, struct err *err)
{
	char path[PATH_MAX];
	struct err why;
	const char *name;
	int r = path_of(path, dir, file, "", err);

	if (r)
		return r;
	json_t *json = state_read_file(path, FILE_SIZE_MAX, err);
	if (!json)
		return -errno;
	bool is_bridge = state_is_bridge(json);
	if (is_bridge) {
		r = state_bridge_from_json(json, &state->bridge[state->bridges], &why);
		name = state->bridge[state->bridges].name;
	} else {
		r = state_port_from_json(json, &state->port[state->ports], &why);
		name = state->port[state->ports].name;
	}
	if (!r && (strlen(name) + strlen(SUFFIX) != strlen(file) || strncmp(name, file, strlen(name))))
		r = err_set(&why, -EINVAL, "it is the record of %s", name);
	json_decref(json);
	if (r)
		return err_set(err, r, "%s: %s", path, why.text);
	if (is_bridge)
		state->bridges++;
	else
		state->ports++;
	return 0;
}

static void move_aside(const char *dir, const char *file, const struct err *why)
{
	char path[PATH_MAX], bad[PATH_MAX];
	struct err err;

	if (path_of(path, dir, file, "", &err) || path_of(bad, dir, file, ".bad", &err) || rename(path, bad))
		log_error("%s; what it says is not restored, and it cannot be moved aside: %s", why->text,
			  strerror(errno));
	else
		log_error("%s; what it says is not restored; the file is now %s", why->text, bad);
}

static int by_bridge_order(const void *a, const void *b)
{
	const struct bridge_conf *x = a, *y = b;

	return (x->order > y->order) - (x->order < y->order);
}

static int by_port_order(const void *a, const void *b)
{
	const struct port_conf *x = a, *y = b;

	return (x->order > y->order) - (x->order < y->order);
}

static int is_record(const struct dirent *entry)
{
	return ends_in(entry->d_name, SUFFIX);
}

int state_load(const char *dir, struct state *out, struct err *err)
{
	struct dirent **file;
	int n = scandir(dir, &file, is_record, alphasort);

	*out = (struct state){0};
	if (n < 0)
		return errno == ENOENT ? 0 : err_set(err, -errno, "cannot read %s: %s", dir, strerror(errno));
	out->bridge = calloc(n + 1, sizeof(*out->bridge));
	out->port = calloc(n + 1, sizeof(*out->port));
	for (int i = 0; i < n; i++) {
		struct err why;
		if (out->bridge && out->port && read_record(dir, file[i]->d_name, out, &why)) {
			move_aside(dir, file[i]->d_name, &why);
			out->bad++;
		}
		free(file[i]);
	}
	free(file);
	if (!out->bridge || !out->port) {
		state_free(out);
		return err_nomem(err);
	}
	qsort(out->bridge, out->bridges, sizeof(*out->bridge), by_bridge_order);
	qsort(out->port, out->ports, sizeof(*out->port), by_port_order);
	return 0;
}

void state_free(struct state *state)
{
	free(state->bridge);
	free(state->port);
	*state = (struct state){0};
}

/* Also what a daemon that was killed had begun to write. */
static int is_ours(const struct dirent *entry)
{
	return ends_in(entry->d_name, SUFFIX) || ends_in(entry->d_name, SUFFIX ".tmp");
}

void state_remove_all(const char *dir)
{
	struct dirent **file;
	char path[PATH_MAX];
	struct err err;
	int n = scandir(dir, &file, is_ours, NULL);

	for (int i = 0; i < n; i++) {
		if (!path_of(path, dir, file[i]->d_name, "", &err) && unlink(path))
			log_warn("cannot remove %s: %s", path, strerror(errno));
		free(file[i]);
	}
	if (n >= 0)
		free(file);
	rmdir(dir); /* it stays if a file was moved aside in it */
}
