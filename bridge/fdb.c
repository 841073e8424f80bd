/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The MAC table as the control side uses it: making, flushing, settings, housekeeping. Learning is in fdb_learn.c, the
 * look-up in fdb_table.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "fdb.h"
#include "fdb_write.h"

#define ENTRIES_DEFAULT 131072
#define ENTRIES_MIN 16
#define AGEING_DEFAULT 300
#define LIMIT_DEFAULT 1024
#define HUGE_PAGE (2u << 20)

/* SplitMix64 (Steele, Lea, Flood 2014): several unrelated numbers from one seed. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static int set_hash(struct fdb *fdb, uint64_t seed)
{
	uint64_t secret[3];

	if (seed) {
		for (unsigned i = 0; i < 3; i++)
			secret[i] = next_random(&seed);
	} else if (getrandom(secret, sizeof(secret), 0) != sizeof(secret)) {
		return -1;
	}
	fdb->seed = secret[0];
	fdb->mul[0] = secret[1] | 1;
	fdb->mul[1] = secret[2] | 1;
	return 0;
}

static int alloc_buckets(struct fdb *fdb, uint32_t buckets)
{
	size_t size = (size_t)buckets * sizeof(struct fdb_bucket);
	size_t align = size >= HUGE_PAGE ? HUGE_PAGE : sizeof(struct fdb_bucket);

	fdb->bucket = aligned_alloc(align, size);
	if (!fdb->bucket)
		return -1;
	/* Look-ups go all over it: one TLB entry instead of hundreds, if the kernel has huge pages. */
	if (align == HUGE_PAGE)
		(void)madvise(fdb->bucket, size, MADV_HUGEPAGE);
	memset(fdb->bucket, 0, size);
	return 0;
}

static uint32_t power_of_two(uint32_t n)
{
	return n <= 1 ? 1 : 1u << (32 - __builtin_clz(n - 1));
}

struct fdb *fdb_new(const struct fdb_opts *opts)
{
	static const struct fdb_opts defaults;
	const struct fdb_opts *o = opts ? opts : &defaults;
	uint32_t entries = o->entries ? o->entries : ENTRIES_DEFAULT;

	if (entries > FDB_ENTRIES_MAX || o->ageing > FDB_AGEING_MAX) {
		errno = EINVAL;
		return NULL;
	}
	struct fdb *fdb = aligned_alloc(64, sizeof(*fdb));

	if (!fdb)
		return NULL;
	memset(fdb, 0, sizeof(*fdb));
	uint32_t buckets = power_of_two(entries < ENTRIES_MIN ? ENTRIES_MIN : entries) / FDB_SLOTS;
	/* A key's second bucket is one of buckets/stripes/2: enough of them, also in a small table. */
	uint32_t stripes = buckets / 16 < FDB_STRIPES_MAX ? power_of_two(buckets / 16) : FDB_STRIPES_MAX;

	fdb->mask = buckets - 1;
	fdb->stripe_shift = __builtin_ctz(stripes);
	for (unsigned i = 0; i < FDB_PORT_MAX; i++)
		atomic_init(&fdb->move_limit[i], o->move_limit);
	fdb->limit_default = o->limit ? o->limit : LIMIT_DEFAULT;
	for (unsigned i = 0; i < FDB_PORT_MAX; i++)
		atomic_init(&fdb->port[i], 1ull << 32);
	for (unsigned i = 0; i < FDB_BRIDGE_MAX; i++)
		atomic_init(&fdb->bridge[i], 1u << 16);
	for (unsigned i = 0; i < FDB_PORT_MAX; i++)
		atomic_init(&fdb->limit[i], fdb->limit_default);
	fdb_ageing(fdb, o->ageing ? o->ageing : AGEING_DEFAULT);
	if (set_hash(fdb, o->seed) < 0 || alloc_buckets(fdb, buckets) < 0) {
		fdb_free(fdb);
		return NULL;
	}
	return fdb;
}

void fdb_free(struct fdb *fdb)
{
	if (!fdb)
		return;
	free(fdb->bucket);
	free(fdb);
}

int fdb_lookup(const struct fdb *fdb, uint64_t key, uint32_t now)
{
	if (!key || key >> 48 >= FDB_BRIDGE_MAX)
		return -1;
	struct fdb_view view = fdb_view(fdb, key >> 48, now);

	return fdb_view_get(fdb, &view, key, fdb_hash(fdb, key));
}

uint32_t fdb_epoch(const struct fdb *fdb)
{
	return atomic_load_explicit(&fdb->epoch, memory_order_acquire);
}

/* ---- flushing ---------------------------------------------------------------------------------------------------- */

/*
 * Generations wrap: remove all that was ever learned on the port (FDB_ALL: any) or bridge (likewise). Takes every lock,
 * even if there is nothing to do: a learner that saw the old generation has written its entry by then.
 */
static void purge(struct fdb *fdb, uint16_t port, uint16_t bridge)
{
	for (uint32_t b = 0; b <= fdb->mask; b++) {
		struct fdb_stripe *stripe = fdb_stripe_of(fdb, b);

		fdb_lock(&stripe->lock);
		for (unsigned i = 0; i < FDB_SLOTS; i++) {
			struct fdb_slot *slot = &fdb->bucket[b].slot[i];
			uint64_t key = fdb_slot_key(slot), value = fdb_slot_value(slot);

			if (!key || fdb_value_static(value) || (port != FDB_ALL && fdb_value_port(value) != port) ||
			    (bridge != FDB_ALL && key >> 48 != bridge))
				continue;
			fdb_port_give(fdb, fdb_value_port(value), fdb_value_port_gen(value));
			fdb_slot_clear(slot);
		}
		fdb_unlock(&stripe->lock);
	}
}

static uint32_t next_gen(uint32_t gen)
{
	return gen + 1 < FDB_GEN_WRAPPING ? gen + 1 : FDB_GEN_WRAPPING;
}

void fdb_flush_port(struct fdb *fdb, uint16_t port)
{
	if (port >= FDB_PORT_MAX)
		return;
	fdb_lock(&fdb->control);
	/* Learners change the count, never the generation: storing both at once starts the new one with no entries. */
	uint32_t gen = next_gen(atomic_load_explicit(&fdb->port[port], memory_order_relaxed) >> 32);

	atomic_store_explicit(&fdb->port[port], (uint64_t)gen << 32, memory_order_release);
	fdb_bump_epoch(fdb);
	if (gen == FDB_GEN_WRAPPING) {
		purge(fdb, port, FDB_ALL);
		atomic_store_explicit(&fdb->port[port], 1ull << 32, memory_order_release);
	}
	fdb_unlock(&fdb->control);
}

static void set_bridge_gen(struct fdb *fdb, uint16_t bridge, uint32_t gen)
{
	uint32_t state = atomic_load_explicit(&fdb->bridge[bridge], memory_order_relaxed);

	atomic_store_explicit(&fdb->bridge[bridge], gen << 16 | (uint16_t)state, memory_order_release);
}

void fdb_flush_bridge(struct fdb *fdb, uint16_t bridge)
{
	if (bridge >= FDB_BRIDGE_MAX)
		return;
	fdb_lock(&fdb->control);
	uint32_t gen = next_gen(atomic_load_explicit(&fdb->bridge[bridge], memory_order_relaxed) >> 16);

	set_bridge_gen(fdb, bridge, gen);
	fdb_bump_epoch(fdb);
	if (gen == FDB_GEN_WRAPPING) {
		purge(fdb, FDB_ALL, bridge);
		set_bridge_gen(fdb, bridge, 1);
	}
	fdb_unlock(&fdb->control);
}

/* ---- settings ---------------------------------------------------------------------------------------------------- */

void fdb_limit(struct fdb *fdb, uint16_t port, uint32_t entries)
{
	if (port < FDB_PORT_MAX)
		atomic_store_explicit(&fdb->limit[port], entries ? entries : fdb->limit_default, memory_order_relaxed);
}

void fdb_move_limit(struct fdb *fdb, uint16_t port, uint32_t per_second)
{
	if (port < FDB_PORT_MAX)
		atomic_store_explicit(&fdb->move_limit[port], per_second, memory_order_relaxed);
}

unsigned fdb_moves(struct fdb *fdb, struct fdb_move *out, unsigned max)
{
	uint32_t n = 0;

	if (!atomic_load_explicit(&fdb->moves, memory_order_relaxed))
		return 0;
	fdb_lock(&fdb->move_lock);
	n = atomic_load_explicit(&fdb->moves, memory_order_relaxed);
	n = n < max ? n : max;
	memcpy(out, fdb->move, n * sizeof(*out));
	atomic_store_explicit(&fdb->moves, 0, memory_order_relaxed);
	fdb_unlock(&fdb->move_lock);
	return n;
}

uint32_t fdb_count(const struct fdb *fdb, uint16_t port)
{
	return port < FDB_PORT_MAX ? (uint32_t)atomic_load_explicit(&fdb->port[port], memory_order_relaxed) : 0;
}

void fdb_ageing_bridge(struct fdb *fdb, uint16_t bridge, uint32_t seconds)
{
	uint32_t expire_at = 0;

	if (bridge >= FDB_BRIDGE_MAX)
		return;
	if (seconds)
		expire_at = FDB_SKEW + 1 + (seconds < FDB_AGEING_MAX ? seconds : FDB_AGEING_MAX);
	fdb_lock(&fdb->control);
	uint32_t gen = atomic_load_explicit(&fdb->bridge[bridge], memory_order_relaxed) >> 16;

	atomic_store_explicit(&fdb->bridge[bridge], gen << 16 | expire_at, memory_order_release);
	fdb_bump_epoch(fdb);
	fdb_unlock(&fdb->control);
}

void fdb_ageing(struct fdb *fdb, uint32_t seconds)
{
	for (unsigned bridge = 0; bridge < FDB_BRIDGE_MAX; bridge++)
		fdb_ageing_bridge(fdb, bridge, seconds);
}

/* ---- housekeeping ------------------------------------------------------------------------------------------------ */

/* Looks without the lock first: most buckets have nothing to drop. */
static bool bucket_has_dead(const struct fdb_bucket *bucket, const struct fdb *fdb, uint32_t now)
{
	for (unsigned i = 0; i < FDB_SLOTS; i++) {
		uint64_t key = fdb_slot_key(&bucket->slot[i]);
		uint64_t value = key ? fdb_slot_read(&bucket->slot[i], key) : 0;

		if (value && !fdb_value_live(fdb, key, value, now))
			return true;
	}
	return false;
}

void fdb_sweep(struct fdb *fdb, uint32_t now, uint32_t buckets)
{
	if (buckets > fdb->mask)
		buckets = fdb->mask + 1;
	for (; buckets; buckets--, fdb->sweep_next++) {
		uint32_t b = fdb->sweep_next & fdb->mask;
		struct fdb_bucket *bucket = &fdb->bucket[b];
		struct fdb_stripe *stripe = fdb_stripe_of(fdb, b);

		if (!bucket_has_dead(bucket, fdb, now))
			continue;
		fdb_lock(&stripe->lock);
		for (unsigned i = 0; i < FDB_SLOTS; i++) {
			struct fdb_slot *slot = &bucket->slot[i];

			if (fdb_slot_key(slot) && fdb_slot_dead(fdb, slot, now)) {
				fdb_slot_retire(fdb, stripe, slot, now);
				fdb_slot_clear(slot);
			}
		}
		fdb_unlock(&stripe->lock);
	}
}

void fdb_stats(const struct fdb *fdb, struct fdb_stats *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < FDB_PORT_MAX; i++)
		out->entries += fdb_count(fdb, i);
	for (unsigned i = 0; i < FDB_STRIPES_MAX; i++) {
		const struct fdb_stripe *stripe = &fdb->stripe[i];

		out->learned += atomic_load_explicit(&stripe->learned, memory_order_relaxed);
		out->moved += atomic_load_explicit(&stripe->moved, memory_order_relaxed);
		out->aged += atomic_load_explicit(&stripe->aged, memory_order_relaxed);
		out->refused += atomic_load_explicit(&stripe->refused, memory_order_relaxed);
		out->held += atomic_load_explicit(&stripe->held, memory_order_relaxed);
	}
}

static struct fdb_entry describe(uint64_t key, uint64_t value, uint32_t now)
{
	bool is_static = fdb_value_static(value);
	int age = is_static ? 0 : (int)fdb_value_aged(value, now) - FDB_SKEW;
	struct fdb_entry entry = {
		.bridge = key >> 48, .port = fdb_value_port(value), .is_static = is_static, .age = age < 0 ? 0 : age};

	for (unsigned i = 0; i < 6; i++)
		entry.mac[i] = key >> (40 - 8 * i);
	return entry;
}

void fdb_dump(const struct fdb *fdb, uint16_t bridge, uint32_t now,
	      bool (*fn)(const struct fdb_entry *entry, void *arg), void *arg)
{
	for (uint64_t s = 0; s < ((uint64_t)fdb->mask + 1) * FDB_SLOTS; s++) {
		const struct fdb_slot *slot = &fdb->bucket[s / FDB_SLOTS].slot[s % FDB_SLOTS];
		uint64_t key = fdb_slot_key(slot);

		if (!key || (bridge != FDB_ALL && key >> 48 != bridge))
			continue;
		uint64_t value = fdb_slot_read(slot, key);

		if (!value || !fdb_value_live(fdb, key, value, now))
			continue;
		struct fdb_entry entry = describe(key, value, now);

		if (!fn(&entry, arg))
			return;
	}
}
