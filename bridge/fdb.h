/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The MAC table (forwarding database), keyed by {bridge, MAC} in one u64. It knows no interfaces: ports and bridges are
 * numbers.
 *
 * Model. Buckets of one cache line, four entries of {key, value} each, two candidate buckets per key under a keyed hash
 * (the seed is random, so that a guest cannot aim at a bucket). The value packs port, the generations of port and
 * bridge at the time of learning, the second of last use, and a version that changes with the key, so that a reader
 * without a lock can tell a torn read. A flush of a port or bridge is one increment of its generation. An entry is
 * refreshed only when its stamp is older than an eighth of the ageing time: no shared line is written per frame, and an
 * entry may die up to an eighth of the ageing time early.
 *
 * It is not rte_hash, which has no limit per port and no keyed hash, and stores to shared lines on every refresh.
 *
 * Limits per port. Each port may own at most its limit of entries. A port at its limit replaces one of its own entries in
 * the two buckets; one below it takes a free, expired or flushed entry there, else one of its own; neither ever takes a
 * live one of a neighbour's. If that fails the address is not learned and fdb_stats.refused counts it. An address
 * that *moves* to a port without room is forgotten (and counted as refused): it is flooded, not sent to where it is no
 * longer. Entries that expired, or were flushed with their bridge, count against their port until fdb_sweep() passes
 * them.
 *
 * Moves. An address that another port sends from is moved there: that is how a guest's migration is learned, and how a
 * neighbour's traffic is stolen. fdb_move_limit() bounds how many move to a port in a second; static entries never move.
 *
 * Limits. Two buckets can be full while others are not: at 50 % load almost no insertion fails; at 78 % about 1 % do. So
 * give it twice the entries that are expected. Time is in seconds and 16 bits of it are kept,
 * so an entry unused for 18 hours would look young again: within any 9 hours fdb_sweep() must have gone round all
 * buckets. Callers' clocks may differ by FDB_SKEW seconds. The longest ageing time is FDB_AGEING_MAX.
 *
 * Threads. Look-ups take no lock and may run on any worker. Learning that changes the table takes a lock per stripe of
 * buckets; fdb_sweep(), flushes, settings and dumps may run on a control thread at the same time.
 */
#ifndef XBAR_FDB_H
#define XBAR_FDB_H

#include <stdbool.h>
#include <stdint.h>

#define FDB_PORT_MAX 4096 /* ports and bridges are below these */
#define FDB_BRIDGE_MAX 1024
#define FDB_ENTRIES_MAX (1u << 24)
#define FDB_AGEING_MAX 32768
#define FDB_SKEW 64
#define FDB_MOVE_LIMIT 16 /* a sensible fdb_opts.move_limit where ports are guests' */
#define FDB_ALL 0xffff /* fdb_dump(): every bridge */

struct fdb;

struct fdb_opts {
	uint32_t entries; /* capacity, rounded up to a power of two, at least 16; 0: 131072 */
	uint32_t ageing; /* seconds after which an unused entry is dead; 0: 300 */
	uint32_t limit; /* entries that a port may own unless fdb_limit() says otherwise; 0: 1024 */
	uint32_t
		move_limit; /* addresses that may move to a port in a second, unless fdb_move_limit() says otherwise; 0: any */
	uint64_t seed; /* of the hash; 0: from getrandom(2) */
};

struct fdb_stats {
	uint32_t entries; /* not flushed with their port; expired ones and those of a flushed bridge until swept */
	uint64_t learned, moved, aged, refused;
	uint64_t held; /* moves that fdb_move_limit() put off */
};

struct fdb_entry { /* as fdb_dump() reports it */
	uint8_t mac[6];
	uint16_t bridge, port;
	bool is_static;
	uint32_t
		age; /* of a learned one: seconds since last used as a source, or up to an eighth of the ageing time more */
};

/*
 * `opts` NULL: all defaults. NULL with errno: ENOMEM, EINVAL (more than FDB_ENTRIES_MAX entries, or an ageing time
 * above FDB_AGEING_MAX), or what getrandom(2) says. The caller frees.
 */
struct fdb *fdb_new(const struct fdb_opts *opts);
void fdb_free(struct fdb *fdb); /* no thread may use it any longer; NULL is fine */

/* {bridge, MAC at p[0..5]} as a key; never 0 for a valid (non-group, non-zero) source. */
static inline uint64_t fdb_key(uint16_t bridge, const uint8_t *p)
{
	return (uint64_t)bridge << 48 | (uint64_t)p[0] << 40 | (uint64_t)p[1] << 32 | (uint64_t)p[2] << 24 |
	       (uint64_t)p[3] << 16 | (uint64_t)p[4] << 8 | p[5];
}

/* The live port behind `key` at second `now`, or -1. */
int fdb_lookup(const struct fdb *fdb, uint64_t key, uint32_t now);
enum fdb_learned {
	FDB_UNKNOWN, /* not in the table: it was refused, the bridge's ageing time is 0, or key, bridge or port is none */
	FDB_KNOWN, /* in the table, on this port */
	FDB_HELD, /* in the table, on the port where it was: too many addresses move to this one */
	FDB_ELSEWHERE, /* a static entry has it on another port: the frame's source is not genuine */
};

/*
 * Note that `key` was seen as a source on `port` at second `now`: learn, move or refresh. Group addresses are the caller's
 * to keep out.
 */
enum fdb_learned fdb_learn(struct fdb *fdb, uint64_t key, uint16_t port, uint32_t now);
/*
 * Changes whenever an answer that a look-up has given may have become wrong (a move, a flush). Who remembers an answer
 * reads it *before* the look-up, and trusts the answer while it stays the same, within the same second.
 */
uint32_t fdb_epoch(const struct fdb *fdb);

/*
 * O(1), but one call in 4095 of the same port or bridge goes through the table, as generations wrap. Out of range: no-
 * op.
 */
void fdb_flush_port(struct fdb *fdb, uint16_t port);
void fdb_flush_bridge(struct fdb *fdb, uint16_t bridge);
/* How many entries `port` may own; 0: as fdb_opts.limit says. What it owns above that stays until it ages. */
void fdb_limit(struct fdb *fdb, uint16_t port, uint32_t entries);
/* How many entries `port` owns. */
uint32_t fdb_count(const struct fdb *fdb, uint16_t port);
/* How many addresses may move to `port` from another in a second; 0: any number. */
void fdb_move_limit(struct fdb *fdb, uint16_t port, uint32_t per_second);

/*
 * Static entries: `key` is behind `port`, whatever frames say, until fdb_static_del(). An entry that was learned is
 * replaced. Neither ageing nor flushes touch them: before a port or a bridge goes, its owner deletes them. Control thread.
 * -EINVAL: key or port is none; -EEXIST: it is static on another port; -ENOSPC: both buckets are full of static entries.
 */
int fdb_static_add(struct fdb *fdb, uint64_t key, uint16_t port, uint32_t now);
int fdb_static_del(struct fdb *fdb, uint64_t key); /* -ENOENT */

struct fdb_move {
	uint8_t mac[6];
	uint16_t bridge, from, to;
};
/*
 * The moves since the last call, oldest first, at most `max` of them; of more than a few between two calls the later ones
 * are only counted (fdb_stats.moved). Returns how many were written to out[].
 */
unsigned fdb_moves(struct fdb *fdb, struct fdb_move *out, unsigned max);

/*
 * Ageing time of all bridges, or of one. 0: as `brctl setageing BRIDGE 0`, nothing is learned or found, all is flooded.
 * More than FDB_AGEING_MAX is taken as FDB_AGEING_MAX.
 */
void fdb_ageing(struct fdb *fdb, uint32_t seconds);
void fdb_ageing_bridge(struct fdb *fdb, uint16_t bridge, uint32_t seconds);
/*
 * Drop dead entries in the next `buckets` buckets (at most all of them), going round: housekeeping, from one control
 * thread. A bucket holds four entries; see Limits for how often.
 */
void fdb_sweep(struct fdb *fdb, uint32_t now, uint32_t buckets);
void fdb_stats(const struct fdb *fdb, struct fdb_stats *out);
/* Report every live entry on `bridge` (FDB_ALL: all), in no order; `fn` returns false to stop. */
void fdb_dump(const struct fdb *fdb, uint16_t bridge, uint32_t now,
	      bool (*fn)(const struct fdb_entry *entry, void *arg), void *arg);

#endif
