/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hash table of things with names. The thing holds its own struct named, and the name's storage.
 *
 * Threads: no shared state. Errors: none; nothing is allocated.
 */
#ifndef XBAR_NAMES_TABLE_H
#define XBAR_NAMES_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/queue.h>

#define NAMES_BUCKETS 1024 /* a power of two: a few ports per bucket when there are as many as can be */

struct named {
	LIST_ENTRY(named) link;
	const char *name;
};

LIST_HEAD(names_bucket, named);

/* All zeroes: empty. */
struct names_table {
	struct names_bucket bucket[NAMES_BUCKETS];
};

static inline struct names_bucket *names_bucket(struct names_table *table, const char *name)
{
	uint32_t hash = 2166136261u; /* FNV-1a: names are root's and its group's, so it needs no key */

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return &table->bucket[(hash ^ hash >> 16) & (NAMES_BUCKETS - 1)];
}

static inline struct named *names_find(struct names_table *table, const char *name)
{
	struct named *named;

	LIST_FOREACH(named, names_bucket(table, name), link)
	{
		if (!strcmp(named->name, name))
			return named;
	}
	return NULL;
}

/* `name` is not in the table yet, and does not change while it is. */
static inline void names_add(struct names_table *table, struct named *named, const char *name)
{
	named->name = name;
	LIST_INSERT_HEAD(names_bucket(table, name), named, link);
}

static inline void names_del(struct named *named)
{
	LIST_REMOVE(named, link);
}

#endif
