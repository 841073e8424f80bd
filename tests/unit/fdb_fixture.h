/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of the MAC table share: tables with a known seed, and addresses by number.
 */
#ifndef XBAR_FDB_FIXTURE_H
#define XBAR_FDB_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bridge/fdb.h"
#include "bridge/fdb_table.h" /* where in the table an address goes */

#define ALL_BUCKETS UINT32_MAX

static inline uint64_t key_of(uint16_t bridge, uint32_t host)
{
	uint8_t mac[6] = {0x02, 0x16, host >> 24, host >> 16, host >> 8, host};

	return fdb_key(bridge, mac);
}

static inline struct fdb *table(uint32_t entries, uint32_t limit)
{
	struct fdb_opts opts = {.entries = entries, .limit = limit, .seed = 42};
	struct fdb *fdb = fdb_new(&opts);

	assert_non_null(fdb);
	return fdb;
}

static inline struct fdb_stats stats_of(const struct fdb *fdb)
{
	struct fdb_stats stats;

	fdb_stats(fdb, &stats);
	return stats;
}

#endif
