/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The MAC table's writers: all that changes entries, generations and settings. fdb_table.h has the layout and the readers.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "fdb.h"
#include "fdb_table.h"

#define ENTRIES_DEFAULT 131072
#define ENTRIES_MIN 16
#define AGEING_DEFAULT 300
#define SHARE_DEFAULT 1024
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
	if (seed) {
		fdb->seed = next_random(&seed);
		fdb->mul = next_random(&seed);
	} else {
		uint64_t random[2];

		if (getrandom(random, sizeof(random), 0) != sizeof(random))
			return -1;
		fdb->seed = random[0];
		fdb->mul = random[1];
	}
	fdb->mul |= 1;
	return 0;
}

static int alloc_buckets(struct fdb *fdb, uint32_t buckets)
{
	size_t size = (size_t)buckets * sizeof(struct fdb_bucket);
	size_t align = size >= HUGE_PAGE ? HUGE_PAGE : sizeof(struct fdb_bucket);

	fdb->bucket = aligned_alloc(align, size);
	if (!fdb->bucket)
		return -1;
	/* Look-ups go all over it: one TLB entry instead of hundreds, where the kernel will. */
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
	fdb->share_default = o->share ? o->share : SHARE_DEFAULT;
	for (unsigned i = 0; i < FDB_PORT_MAX; i++)
		atomic_init(&fdb->port[i], 1ull << 32);
	for (unsigned i = 0; i < FDB_BRIDGE_MAX; i++)
		atomic_init(&fdb->bridge[i], 1u << 16);
	for (unsigned i = 0; i < FDB_PORT_MAX; i++)
		atomic_init(&fdb->share[i], fdb->share_default);
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
	return fdb_get(fdb, key, now);
}

uint32_t fdb_epoch(const struct fdb *fdb)
{
	return atomic_load_explicit(&fdb->epoch, memory_order_acquire);
}

/* ---- locks and counters ------------------------------------------------------------------------------------------ */

static void lock(_Atomic uint32_t *word)
{
	unsigned spins = 0;

	while (atomic_exchange_explicit(word, 1, memory_order_acquire)) {
		while (atomic_load_explicit(word, memory_order_relaxed)) {
#if defined(__x86_64__) || defined(__i386__)
			__builtin_ia32_pause();
#endif
			/* Held for some hundred cycles at a time: after this long the holder is not running. Let it. */
			if (++spins > 1000)
				sched_yield();
		}
	}
}

static void unlock(_Atomic uint32_t *word)
{
	atomic_store_explicit(word, 0, memory_order_release);
}

static struct fdb_stripe *stripe_of(struct fdb *fdb, uint64_t bucket)
{
	return &fdb->stripe[bucket & ((1u << fdb->stripe_shift) - 1)];
}

/* Add 1 to a counter of a stripe whose lock is held. */
static void count(_Atomic uint64_t *counter)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

static void bump_epoch(struct fdb *fdb)
{
	atomic_fetch_add_explicit(&fdb->epoch, 1, memory_order_acq_rel);
}

/* Count an entry in to `port`. false: it is at its share, or being flushed; else *gen is the generation to stamp. */
static bool port_take(struct fdb *fdb, uint16_t port, uint32_t *gen)
{
	uint64_t state = atomic_load_explicit(&fdb->port[port], memory_order_relaxed);
	uint32_t share = atomic_load_explicit(&fdb->share[port], memory_order_relaxed);

	do {
		*gen = state >> 32;
		if (*gen == FDB_GEN_WRAPPING || (uint32_t)state >= share)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&fdb->port[port], &state, state + 1, memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

/* Count an entry out that was counted in under `gen`: a flush since then has done so already. */
static void port_give(struct fdb *fdb, uint16_t port, uint32_t gen)
{
	uint64_t state = atomic_load_explicit(&fdb->port[port], memory_order_relaxed);

	do {
		if (state >> 32 != gen || !(uint32_t)state)
			return;
	} while (!atomic_compare_exchange_weak_explicit(&fdb->port[port], &state, state - 1, memory_order_relaxed,
							memory_order_relaxed));
}

/* Whether `value` counts against `port`. */
static bool owned_by(const struct fdb *fdb, uint64_t value, uint16_t port)
{
	return fdb_value_port(value) == port &&
	       atomic_load_explicit(&fdb->port[port], memory_order_relaxed) >> 32 == fdb_value_port_gen(value);
}

/* ---- slots, under their stripe's lock ---------------------------------------------------------------------------- */

static uint64_t slot_key(const struct fdb_slot *slot)
{
	return atomic_load_explicit(&slot->key, memory_order_relaxed);
}

static uint64_t slot_value(const struct fdb_slot *slot)
{
	return atomic_load_explicit(&slot->value, memory_order_relaxed);
}

static bool slot_dead(const struct fdb *fdb, const struct fdb_slot *slot, uint32_t now)
{
	return !fdb_value_live(fdb, slot_key(slot), slot_value(slot), now);
}

/* Give the slot to `key`, or under the same key another value. fdb_table.h says why in this order. */
static void slot_write(struct fdb_slot *slot, uint64_t key, uint64_t value)
{
	uint64_t version = slot_value(slot) & FDB_VERSION_MASK;

	if (slot_key(slot) == key) {
		atomic_store_explicit(&slot->value, value | version, memory_order_release);
		return;
	}
	atomic_store_explicit(&slot->key, 0, memory_order_release);
	atomic_store_explicit(&slot->value, value | ((version + 1) & FDB_VERSION_MASK), memory_order_release);
	atomic_store_explicit(&slot->key, key, memory_order_release);
}

static void slot_clear(struct fdb_slot *slot)
{
	atomic_store_explicit(&slot->key, 0, memory_order_release);
}

static void count_if_aged(struct fdb *fdb, struct fdb_stripe *stripe, const struct fdb_slot *slot, uint32_t now)
{
	uint64_t key = slot_key(slot), value = slot_value(slot);

	if (fdb_value_kept(fdb, key, value) && fdb_value_expired(fdb, key, value, now))
		count(&stripe->aged);
}

/* The entry in the slot goes: settle its port's account. */
static void slot_retire(struct fdb *fdb, struct fdb_stripe *stripe, const struct fdb_slot *slot, uint32_t now)
{
	uint64_t value = slot_value(slot);

	count_if_aged(fdb, stripe, slot, now);
	port_give(fdb, fdb_value_port(value), fdb_value_port_gen(value));
}

/* ---- learning ---------------------------------------------------------------------------------------------------- */

/* One source to be learned, and what both functions below need of it. */
struct source {
	uint64_t key;
	uint64_t hash;
	uint16_t port;
	uint32_t bridge_gen;
	uint32_t now;
	struct fdb_stripe *stripe;
};

static uint64_t source_value(const struct source *src, uint32_t port_gen)
{
	return (uint64_t)src->port << 52 | (uint64_t)port_gen << 40 | (uint64_t)src->bridge_gen << 28 |
	       (uint64_t)(uint16_t)src->now << 12;
}

static struct fdb_slot *slot_at(const struct fdb *fdb, const struct source *src, unsigned i)
{
	struct fdb_bucket *bucket =
		i < FDB_SLOTS ? fdb_bucket_first(fdb, src->hash) : fdb_bucket_second(fdb, src->hash);

	return &bucket->slot[i % FDB_SLOTS];
}

/* How full a bucket is, and where there is room. */
struct room {
	struct fdb_slot *spare; /* a free slot, else a dead one, else NULL */
	unsigned live;
};

static struct room bucket_room(const struct fdb *fdb, struct fdb_bucket *bucket, uint32_t now)
{
	struct room room = {NULL, 0};

	for (unsigned i = 0; i < FDB_SLOTS; i++) {
		struct fdb_slot *slot = &bucket->slot[i];

		if (!slot_key(slot)) {
			if (!room.spare || slot_key(room.spare))
				room.spare = slot;
		} else if (!slot_dead(fdb, slot, now)) {
			room.live++;
		} else if (!room.spare) {
			room.spare = slot;
		}
	}
	return room;
}

/*
 * A slot that costs nobody anything, or NULL. The first bucket, where look-ups go first, until it is half full; then the
 * emptier one: with the first always preferred, a half full table would refuse 200 times as many.
 */
static struct fdb_slot *slot_spare(const struct fdb *fdb, const struct source *src)
{
	struct room first = bucket_room(fdb, fdb_bucket_first(fdb, src->hash), src->now);

	if (first.live < FDB_SLOTS / 2)
		return first.spare;
	struct room second = bucket_room(fdb, fdb_bucket_second(fdb, src->hash), src->now);

	return first.live <= second.live ? first.spare : second.spare;
}

/* Of the entries that the source's port owns in its two buckets: a dead one, else the longest unused, or NULL. */
static struct fdb_slot *slot_own(const struct fdb *fdb, const struct source *src)
{
	struct fdb_slot *best = NULL;
	uint32_t best_age = 0;

	for (unsigned i = 0; i < 2 * FDB_SLOTS; i++) {
		struct fdb_slot *slot = slot_at(fdb, src, i);

		if (!slot_key(slot) || !owned_by(fdb, slot_value(slot), src->port))
			continue;
		uint32_t age = slot_dead(fdb, slot, src->now) ? UINT32_MAX : fdb_value_aged(slot_value(slot), src->now);

		if (!best || age > best_age) {
			best = slot;
			best_age = age;
		}
	}
	return best;
}

/* The key is not in the table. */
static bool learn_new(struct fdb *fdb, const struct source *src)
{
	struct fdb_slot *slot = slot_spare(fdb, src);
	uint32_t gen;

	if (slot && port_take(fdb, src->port, &gen)) {
		if (slot_key(slot))
			slot_retire(fdb, src->stripe, slot, src->now);
	} else {
		slot = slot_own(fdb, src);
		if (!slot) {
			count(&src->stripe->refused);
			return false;
		}
		/* The new entry takes the old one's place in the port's count. */
		gen = fdb_value_port_gen(slot_value(slot));
		count_if_aged(fdb, src->stripe, slot, src->now);
	}
	slot_write(slot, src->key, source_value(src, gen));
	count(&src->stripe->learned);
	return true;
}

/* The key is in `slot`: refreshed, moved, or learned again after its death. */
static bool learn_known(struct fdb *fdb, const struct source *src, struct fdb_slot *slot)
{
	uint64_t old = slot_value(slot);
	bool live = !slot_dead(fdb, slot, src->now);
	bool elsewhere = fdb_value_port(old) != src->port;
	uint32_t gen = fdb_value_port_gen(old);

	if (owned_by(fdb, old, src->port)) {
		count_if_aged(fdb, src->stripe, slot, src->now);
	} else {
		bool room = port_take(fdb, src->port, &gen);

		slot_retire(fdb, src->stripe, slot, src->now);
		if (!room) {
			struct fdb_slot *own = slot_own(fdb, src);

			if (!own) {
				slot_clear(slot);
				if (elsewhere)
					bump_epoch(fdb);
				count(&src->stripe->refused);
				return false;
			}
			gen = fdb_value_port_gen(slot_value(own));
			count_if_aged(fdb, src->stripe, own, src->now);
			slot_clear(own);
		}
	}
	slot_write(slot, src->key, source_value(src, gen));
	if (elsewhere)
		bump_epoch(fdb);
	if (live && elsewhere)
		count(&src->stripe->moved);
	else if (!live)
		count(&src->stripe->learned);
	return true;
}

static bool learn_locked(struct fdb *fdb, struct source *src)
{
	uint32_t bridge = atomic_load_explicit(&fdb->bridge[src->key >> 48], memory_order_relaxed);

	src->bridge_gen = bridge >> 16;
	if (!(uint16_t)bridge || src->bridge_gen == FDB_GEN_WRAPPING)
		return false;
	for (unsigned i = 0; i < 2 * FDB_SLOTS; i++) {
		struct fdb_slot *slot = slot_at(fdb, src, i);

		if (slot_key(slot) == src->key)
			return learn_known(fdb, src, slot);
	}
	return learn_new(fdb, src);
}

bool fdb_learn(struct fdb *fdb, uint64_t key, uint16_t port, uint32_t now)
{
	if (!key || key >> 48 >= FDB_BRIDGE_MAX || port >= FDB_PORT_MAX)
		return false;
	if (fdb_fresh(fdb, key, port, now))
		return true;
	struct source src = {.key = key, .hash = fdb_hash(fdb, key), .port = port, .now = now};

	src.stripe = stripe_of(fdb, src.hash);
	lock(&src.stripe->lock);
	bool known = learn_locked(fdb, &src);

	unlock(&src.stripe->lock);
	return known;
}

/* ---- flushing ---------------------------------------------------------------------------------------------------- */

/*
 * Generations wrap: remove all that was ever learned on the port (FDB_ALL: any) or bridge (likewise). Takes every lock,
 * also where there is nothing to do: a learner that saw the old generation has written its entry by then.
 */
static void purge(struct fdb *fdb, uint16_t port, uint16_t bridge)
{
	for (uint32_t b = 0; b <= fdb->mask; b++) {
		struct fdb_stripe *stripe = stripe_of(fdb, b);

		lock(&stripe->lock);
		for (unsigned i = 0; i < FDB_SLOTS; i++) {
			struct fdb_slot *slot = &fdb->bucket[b].slot[i];
			uint64_t key = slot_key(slot), value = slot_value(slot);

			if (!key || (port != FDB_ALL && fdb_value_port(value) != port) ||
			    (bridge != FDB_ALL && key >> 48 != bridge))
				continue;
			port_give(fdb, fdb_value_port(value), fdb_value_port_gen(value));
			slot_clear(slot);
		}
		unlock(&stripe->lock);
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
	lock(&fdb->control);
	/* Learners change the count, never the generation: storing both at once starts the new one with no entries. */
	uint32_t gen = next_gen(atomic_load_explicit(&fdb->port[port], memory_order_relaxed) >> 32);

	atomic_store_explicit(&fdb->port[port], (uint64_t)gen << 32, memory_order_release);
	bump_epoch(fdb);
	if (gen == FDB_GEN_WRAPPING) {
		purge(fdb, port, FDB_ALL);
		atomic_store_explicit(&fdb->port[port], 1ull << 32, memory_order_release);
	}
	unlock(&fdb->control);
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
	lock(&fdb->control);
	uint32_t gen = next_gen(atomic_load_explicit(&fdb->bridge[bridge], memory_order_relaxed) >> 16);

	set_bridge_gen(fdb, bridge, gen);
	bump_epoch(fdb);
	if (gen == FDB_GEN_WRAPPING) {
		purge(fdb, FDB_ALL, bridge);
		set_bridge_gen(fdb, bridge, 1);
	}
	unlock(&fdb->control);
}

/* ---- settings ---------------------------------------------------------------------------------------------------- */

void fdb_share(struct fdb *fdb, uint16_t port, uint32_t entries)
{
	if (port < FDB_PORT_MAX)
		atomic_store_explicit(&fdb->share[port], entries ? entries : fdb->share_default, memory_order_relaxed);
}

uint32_t fdb_count(const struct fdb *fdb, uint16_t port)
{
	return port < FDB_PORT_MAX ? (uint32_t)atomic_load_explicit(&fdb->port[port], memory_order_relaxed) : 0;
}

void fdb_ageing_bridge(struct fdb *fdb, uint16_t bridge, uint32_t seconds)
{
	uint32_t dead_at = 0;

	if (bridge >= FDB_BRIDGE_MAX)
		return;
	if (seconds)
		dead_at = FDB_SKEW + 1 + (seconds < FDB_AGEING_MAX ? seconds : FDB_AGEING_MAX);
	lock(&fdb->control);
	uint32_t gen = atomic_load_explicit(&fdb->bridge[bridge], memory_order_relaxed) >> 16;

	atomic_store_explicit(&fdb->bridge[bridge], gen << 16 | dead_at, memory_order_release);
	bump_epoch(fdb);
	unlock(&fdb->control);
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
		uint64_t key = slot_key(&bucket->slot[i]);
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
		struct fdb_stripe *stripe = stripe_of(fdb, b);

		if (!bucket_has_dead(bucket, fdb, now))
			continue;
		lock(&stripe->lock);
		for (unsigned i = 0; i < FDB_SLOTS; i++) {
			struct fdb_slot *slot = &bucket->slot[i];

			if (slot_key(slot) && slot_dead(fdb, slot, now)) {
				slot_retire(fdb, stripe, slot, now);
				slot_clear(slot);
			}
		}
		unlock(&stripe->lock);
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
	}
}

static struct fdb_entry describe(uint64_t key, uint64_t value, uint32_t now)
{
	int age = (int)fdb_value_aged(value, now) - FDB_SKEW;
	struct fdb_entry entry = {.bridge = key >> 48, .port = fdb_value_port(value), .age = age < 0 ? 0 : age};

	for (unsigned i = 0; i < 6; i++)
		entry.mac[i] = key >> (40 - 8 * i);
	return entry;
}

void fdb_dump(const struct fdb *fdb, uint16_t bridge, uint32_t now,
	      bool (*fn)(const struct fdb_entry *entry, void *arg), void *arg)
{
	for (uint64_t s = 0; s < ((uint64_t)fdb->mask + 1) * FDB_SLOTS; s++) {
		const struct fdb_slot *slot = &fdb->bucket[s / FDB_SLOTS].slot[s % FDB_SLOTS];
		uint64_t key = slot_key(slot);

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
