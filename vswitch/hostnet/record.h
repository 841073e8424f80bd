/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The records of what bridges have taken over from the host: everything that is needed to give it back, by this daemon or
 * by the next one.
 *
 * Model. One file per bridge, RUNDIR/net/BRIDGE.json, which exists before the first change and until the last one is
 * undone. The files are read once, when the daemon starts; after that the records are in memory, and every change is
 * written through. A file that cannot be used is kept as a record with nothing but its bridge and `damaged`. An
 * administrator may remove a file to give its record up: records_refresh() looks for that.
 *
 * Threads. The control thread's alone.
 *
 * Ownership. A record that is `kept` is the store's; one that is not, since it was not saved yet or was removed, is freed
 * by record_free(). A record owns its snapshot.
 *
 * Errors. 0 or -errno with a sentence in *err.
 */
#ifndef XBAR_RECORD_H
#define XBAR_RECORD_H

#include <net/if.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "vswitch/hostnet/rtnl/rtnl.h"

#define RECORD_GATEWAYS 512

struct record {
	TAILQ_ENTRY(record) link;
	bool kept; /* in the store, and on disk */
	char *damaged; /* why its file cannot be used; NULL: it can */
	char bridge[IFNAMSIZ]; /* the host port has the same name */
	char netdev[IFNAMSIZ]; /* its original name; for a private bridge "dummyN", which need not exist */
	char uplink[IFNAMSIZ]; /* its name while it is taken over ("peth0"); "": a private bridge */
	bool there; /* the netdev exists: its configuration moves */
	bool had_bridge, had_host; /* existed before: they stay when everything is given back */
	bool done; /* all steps were applied */
	unsigned
		confirm; /* seconds in which `gateways` must answer, else all is undone; 0: confirmed, or nobody is asked */
	char gateways[RECORD_GATEWAYS]; /* those that answered before the change, separated by spaces */
	struct rtnl_snap *snap; /* what the netdev had, or what the host port is given */
};

TAILQ_HEAD(record_list, record);

struct records {
	struct record_list list; /* in the order of the bridges' names */
	char *dir; /* RUNDIR/net */
};

/* Read all records below `rundir`. Those that cannot be used are no error; -ENOMEM. */
int records_open(const char *rundir, struct records **out, struct err *err);
void records_close(struct records *records); /* NULL: does nothing; the files stay */
/* Drop the records whose files somebody has removed. Pointers to those are invalid afterwards. */
void records_refresh(struct records *records);

struct record *record_new(void); /* NULL: no memory */
void record_free(struct record *rec); /* NULL: does nothing */
/* The record of `bridge`. -ENOENT, without a sentence, if there is none; -EINVAL if its file is damaged. */
int record_get(const struct records *records, const char *bridge, struct record **out, struct err *err);
/*
 * The record whose netdev or uplink is called `netdev`. -ENOENT, without a sentence, if there is none; -EINVAL if it may be
 * the one of a damaged file.
 */
int record_find(const struct records *records, const char *netdev, struct record **out, struct err *err);
/* Write it, so that it survives a crash, and keep it. */
int record_save(struct records *records, struct record *rec, struct err *err);
/* Remove file and record, which is the caller's afterwards. A file that does not exist is not an error. */
int record_remove(struct records *records, struct record *rec, struct err *err);
/* The addresses in its snapshot, as rtnl_snap_address_list(). */
json_t *record_addresses(const struct record *rec);

#endif
