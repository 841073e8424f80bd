/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The MAC table's memory and its look-up, inline for the packet path. Private to bridge/: everyone else includes fdb.h.
 *
 * How a reader without a lock gets a key and its value as a pair. A writer that gives a slot to another key stores,
 * each with release: key 0, the new value with the next version, the new key. A reader loads, each with acquire:
 * value, key, value. Finding its key between two values of one version it knows that both values were written for that
 * key: a later key would have shown it a later version in the second load, an earlier one an earlier version in the
 * first. A refresh or a move is one store of the value alone, with the version as it was. (A version has 12 bits: to
 * be fooled, a reader would have to sleep between two loads while the slot changes hands exactly 4096 times. What it
 * then answers may be wrong, but br_decide() still keeps the frame on its bridge.)
 *
 * Generations are 1..4095 in entries that were learned. A static entry has generation 0 of its port, which no port ever
 * has: it belongs to no port's account, and neither flushes nor time touch it. GEN_WRAPPING fits no entry: while a port or bridge has it, none of its entries is
 * live and none is learned, so the sweep that removes all of them before the generation starts at 1 again leaves none
 * behind that could come alive.
 */
#ifndef XBAR_FDB_TABLE_H
#define XBAR_FDB_TABLE_H

#include <stdatomic.h>

#include "fdb.h"

#define FDB_SLOTS 4
#define FDB_STRIPES_MAX 256
#define FDB_GEN_WRAPPING 0x1000

/* A value, from the top: port 12 | port's generation 12 | bridge's generation 12 | stamp 16 | version 12. */
#define FDB_VERSION_MASK 0xfffull
_Static_assert(FDB_PORT_MAX == 1 << 12, "a port has 12 bits in a value");
_Static_assert(FDB_SKEW + FDB_AGEING_MAX + 1 < 1 << 16, "an age has 16 bits");

struct fdb_slot {
	_Atomic uint64_t key; /* 0: free */
	_Atomic uint64_t value;
};

struct fdb_bucket {
	struct fdb_slot slot[FDB_SLOTS];
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct fdb_bucket) == 64, "a bucket is a cache line");

/* Writers of a stripe's buckets hold its lock, and so need no atomic arithmetic on its counters. */
struct fdb_stripe {
	_Atomic uint32_t lock;
	_Atomic uint64_t learned, moved, aged, refused, held;
} __attribute__((aligned(64)));

#define FDB_MOVES_KEPT 16 /* that fdb_moves() can tell of; more are only counted */

struct fdb {
	/* Never changed after fdb_new(). */
	struct fdb_bucket *bucket;
	uint64_t seed, mul[2]; /* of the hash; multipliers are odd */
	uint32_t mask; /* buckets - 1 */
	uint32_t stripe_shift; /* 1 << this: stripes; a bucket's is its number's low bits */
	uint32_t limit_default;

	_Atomic uint32_t epoch __attribute__((aligned(64)));

	/* The control thread's. */
	_Atomic uint32_t control __attribute__((aligned(64))); /* lock of who changes generations and ageing times */
	uint32_t sweep_next;

	/* The latest moves, for the log: who writes or reads holds the lock. */
	_Atomic uint32_t move_lock __attribute__((aligned(64)));
	_Atomic uint32_t moves; /* in move[]; read without the lock as a hint */
	struct fdb_move move[FDB_MOVES_KEPT];

	/* Generation in the upper half, entries owned under it in the lower: they change together. */
	_Atomic uint64_t port[FDB_PORT_MAX] __attribute__((aligned(64)));
	/* Generation in the upper half; in the lower the fdb_value_aged() of the dead, 0 for an ageing time of 0. */
	_Atomic uint32_t bridge[FDB_BRIDGE_MAX];
	_Atomic uint32_t limit[FDB_PORT_MAX];
	_Atomic uint32_t move_limit[FDB_PORT_MAX]; /* addresses that may move to it in a second; 0: any number */
	_Atomic uint64_t move_count[FDB_PORT_MAX]; /* the second in the upper half, moves in it in the lower */
	struct fdb_stripe stripe[FDB_STRIPES_MAX];
};

static inline uint16_t fdb_value_port(uint64_t value)
{
	return value >> 52;
}

static inline uint32_t fdb_value_port_gen(uint64_t value)
{
	return value >> 40 & 0xfff;
}

static inline uint32_t fdb_value_bridge_gen(uint64_t value)
{
	return value >> 28 & 0xfff;
}

static inline bool fdb_value_static(uint64_t value)
{
	return !(value >> 40 & 0xfff);
}

/* Seconds since last use, plus FDB_SKEW: a stamp from another worker's clock, a little ahead of ours, is no old one. */
static inline uint16_t fdb_value_aged(uint64_t value, uint32_t now)
{
	return now - (uint32_t)(value >> 12) + FDB_SKEW;
}

static inline uint64_t fdb_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/*
 * Every key bit affects every hash bit, under a secret of three words. One multiplication is too few: addresses are handed out in sequence, and under some multipliers that crowds into few buckets (of 300 seeds
 * the worst made a half full table refuse 1584 of 65536, where random addresses never had more than 10 refused).
 */
static inline uint64_t fdb_hash(const struct fdb *fdb, uint64_t key)
{
	return fdb_mix(fdb_mix(key ^ fdb->seed, fdb->mul[0]), fdb->mul[1]);
}

static inline struct fdb_bucket *fdb_bucket_first(const struct fdb *fdb, uint64_t hash)
{
	return &fdb->bucket[hash & fdb->mask];
}

/* Another bucket, of the same stripe, so that one lock holds both. */
static inline struct fdb_bucket *fdb_bucket_second(const struct fdb *fdb, uint64_t hash)
{
	uint64_t offset = (hash >> 32 | 1) << fdb->stripe_shift;

	return &fdb->bucket[(hash ^ offset) & fdb->mask];
}

/*
 * Start loading what a look-up of `key` reads first. The second bucket is left alone: few entries are there, about one
 * in ten of a table a quarter full.
 */
static inline void fdb_prefetch(const struct fdb *fdb, uint64_t hash)
{
	__builtin_prefetch(fdb_bucket_first(fdb, hash));
	/* Without this, gcc treats the function as pure and drops calls to it. */
	__asm__ volatile("");
}

static inline unsigned fdb_slot_match(const struct fdb_bucket *bucket, uint64_t key, unsigned i)
{
	return (unsigned)(atomic_load_explicit(&bucket->slot[i].key, memory_order_relaxed) == key) << i;
}

/* Which slots hold `key`, a bit each: no branch that depends on where in the bucket it is. */
static inline unsigned fdb_bucket_match(const struct fdb_bucket *bucket, uint64_t key)
{
	_Static_assert(FDB_SLOTS == 4, "written out, since compilers do not unroll loops over atomics");
	return fdb_slot_match(bucket, key, 0) | fdb_slot_match(bucket, key, 1) | fdb_slot_match(bucket, key, 2) |
	       fdb_slot_match(bucket, key, 3);
}

/* The slot's value if it is `key`'s, else 0 (which no entry has). */
static inline uint64_t fdb_slot_read(const struct fdb_slot *slot, uint64_t key)
{
	uint64_t before = atomic_load_explicit(&slot->value, memory_order_acquire);
	uint64_t found = atomic_load_explicit(&slot->key, memory_order_acquire);
	uint64_t value = atomic_load_explicit(&slot->value, memory_order_relaxed);

	return found == key && !((before ^ value) & FDB_VERSION_MASK) ? value : 0;
}

/* The halves of a slot, for who holds its stripe's lock or reads just one of them. */
static inline uint64_t fdb_slot_key(const struct fdb_slot *slot)
{
	return atomic_load_explicit(&slot->key, memory_order_relaxed);
}

static inline uint64_t fdb_slot_value(const struct fdb_slot *slot)
{
	return atomic_load_explicit(&slot->value, memory_order_relaxed);
}

/* Give the slot to `key`, or another value to the key that has it. `value` comes without version. Under the lock. */
static inline void fdb_slot_write(struct fdb_slot *slot, uint64_t key, uint64_t value)
{
	uint64_t version = fdb_slot_value(slot) & FDB_VERSION_MASK;

	if (fdb_slot_key(slot) == key) {
		atomic_store_explicit(&slot->value, value | version, memory_order_release);
		return;
	}
	atomic_store_explicit(&slot->key, 0, memory_order_release);
	atomic_store_explicit(&slot->value, value | ((version + 1) & FDB_VERSION_MASK), memory_order_release);
	atomic_store_explicit(&slot->key, key, memory_order_release);
}

/* Free the slot. The value stays, for its version. Under the lock. */
static inline void fdb_slot_clear(struct fdb_slot *slot)
{
	atomic_store_explicit(&slot->key, 0, memory_order_release);
}

/* The value of `key` (not 0), live or dead, or 0. */
static inline uint64_t fdb_find(const struct fdb *fdb, uint64_t key, uint64_t hash)
{
	const struct fdb_bucket *bucket = fdb_bucket_first(fdb, hash);
	unsigned match = fdb_bucket_match(bucket, key);

	if (!match) {
		bucket = fdb_bucket_second(fdb, hash);
		match = fdb_bucket_match(bucket, key);
		if (!match)
			return 0;
	}
	return fdb_slot_read(&bucket->slot[__builtin_ctz(match)], key);
}

/* Whether neither port nor bridge was flushed since; a static entry never is. `value` is one that fdb_find() gave for `key`, not 0. */
static inline bool fdb_value_kept(const struct fdb *fdb, uint64_t key, uint64_t value)
{
	uint64_t port = atomic_load_explicit(&fdb->port[fdb_value_port(value)], memory_order_relaxed);
	uint32_t bridge = atomic_load_explicit(&fdb->bridge[key >> 48], memory_order_relaxed);

	return fdb_value_static(value) ||
	       (port >> 32 == fdb_value_port_gen(value) && bridge >> 16 == fdb_value_bridge_gen(value));
}

static inline bool fdb_value_expired(const struct fdb *fdb, uint64_t key, uint64_t value, uint32_t now)
{
	uint32_t bridge = atomic_load_explicit(&fdb->bridge[key >> 48], memory_order_relaxed);

	return !fdb_value_static(value) && fdb_value_aged(value, now) >= (uint16_t)bridge;
}

static inline bool fdb_value_live(const struct fdb *fdb, uint64_t key, uint64_t value, uint32_t now)
{
	return fdb_value_kept(fdb, key, value) && !fdb_value_expired(fdb, key, value, now);
}

/* ---- look-ups ---------------------------------------------------------------------------------------------------- */

/*
 * What all lookups on one bridge have in common. Callers that keep a view must read fdb_epoch() before they take it, and
 * take another when the epoch has changed.
 */
struct fdb_view {
	uint32_t bridge_gen;
	uint16_t expire_at, refresh_at; /* the fdb_value_aged() from which an entry is dead, or due for a new stamp */
	uint32_t now;
};

static inline struct fdb_view fdb_view(const struct fdb *fdb, uint16_t bridge, uint32_t now)
{
	uint32_t word = atomic_load_explicit(&fdb->bridge[bridge], memory_order_relaxed);
	uint16_t expire_at = word;
	/* an eighth of the ageing time; if that is 0 nothing is live */
	uint16_t refresh_at = expire_at ? FDB_SKEW + (expire_at - FDB_SKEW - 1) / 8 + 1 : 0;

	return (struct fdb_view){word >> 16, expire_at, refresh_at, now};
}

/* Whether `value`, found for a key of the view's bridge, is static, or is kept and not `limit` old yet. */
static inline bool fdb_view_holds(const struct fdb *fdb, const struct fdb_view *view, uint64_t value, uint16_t limit)
{
	uint64_t port = atomic_load_explicit(&fdb->port[fdb_value_port(value)], memory_order_relaxed);
	uint32_t gens = (uint32_t)(port >> 32) << 12 | view->bridge_gen; /* GEN_WRAPPING makes it match no entry */

	return (gens == (value >> 28 & 0xffffff) && fdb_value_aged(value, view->now) < limit) ||
	       fdb_value_static(value);
}

/* The live port behind `key`, which is not 0, is of the view's bridge and hashes to `hash`; or -1. */
static inline int fdb_view_get(const struct fdb *fdb, const struct fdb_view *view, uint64_t key, uint64_t hash)
{
	uint64_t value = fdb_find(fdb, key, hash);

	return value && fdb_view_holds(fdb, view, value, view->expire_at) ? fdb_value_port(value) : -1;
}

/* Whether fdb_learn() would find nothing to write: live, on `port`, and stamped within the last eighth of its life. */
static inline bool fdb_view_fresh(const struct fdb *fdb, const struct fdb_view *view, uint64_t key, uint64_t hash,
				  uint16_t port)
{
	uint64_t value = fdb_find(fdb, key, hash);

	return value && fdb_value_port(value) == port && fdb_view_holds(fdb, view, value, view->refresh_at);
}

#endif
