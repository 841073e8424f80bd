/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state's files: what a daemon that was killed had set up, so that the next one has its bridges and ports again under
 * running guests.
 *
 * Model. A directory with one file per bridge and one per port (a bridge's has its host port too), each called NAME.json,
 * since bridges and ports share one name space. A file is one JSON object, written beside its place, synced and renamed
 * (base/jsonfile.h): a change costs one small file, and a crash half-way leaves the others alone.
 *
 * Threads. The control thread's alone. Errors. 0 or -errno with a sentence that names the file.
 */
#ifndef XBAR_STATE_H
#define XBAR_STATE_H

#include "port.h"
#include "vswitch/base/err.h"

#define STATE_DIR "state.d" /* in the daemon's directory */

/* Make the directory at `dir` unless it is there. */
int state_open(const char *dir, struct err *err);

/* Write the file of `conf`, or replace it; after 0 it outlives a crash. */
int state_write_bridge(const char *dir, const struct bridge_conf *conf, struct err *err);
int state_write_port(const char *dir, const struct port_conf *conf, struct err *err);
/* Remove the file of the bridge or port `name`. No file is no error. */
int state_remove(const char *dir, const char *name, struct err *err);
/* Remove all that state_load() would read, and the directory if it is empty then. What cannot be removed is logged. */
void state_remove_all(const char *dir);

/* What the files say, in the order in which it was made. */
struct state {
	struct bridge_conf *bridge;
	struct port_conf *port;
	unsigned bridges, ports;
	unsigned bad; /* files that could not be used */
};

/*
 * Read all files in `dir`. One that cannot be used is logged, moved aside to NAME.json.bad and counted; the others are
 * read all the same. -errno if the directory itself cannot be read; a directory that does not exist is empty.
 */
int state_load(const char *dir, struct state *out, struct err *err);
void state_free(struct state *state);

/*
 * Versions before this one kept a single file. Read that at `path`, write what it says to `dir` as above, and remove it.
 * 0, also if there is no such file. -errno if it, or one of its records, cannot be used: then the file stays where it is,
 * and the other records have been written.
 */
int state_convert(const char *path, const char *dir, struct err *err);

#endif
