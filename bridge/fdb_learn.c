/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Learning: which slot a source gets, and what it may take from whom (the replacement policy of fdb.h). All of it under
 * the lock of the stripe that holds both of the key's buckets, so no key is ever in the table twice.
 */
#include <errno.h>

#include "fdb_write.h"

/* One source to be learned, and what both functions below need of it. */
struct source {
	uint64_t key;
	uint64_t hash;
	uint16_t port;
	uint32_t bridge_gen;
	uint32_t now;
	struct fdb_stripe *stripe;
};

static uint64_t static_value(uint16_t port)
{
	return (uint64_t)port << 52 | 1ull << 28; /* not 0, which stands for no entry */
}

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

		if (!fdb_slot_key(slot)) {
			if (!room.spare || fdb_slot_key(room.spare))
				room.spare = slot;
		} else if (!fdb_slot_dead(fdb, slot, now)) {
			room.live++;
		} else if (!room.spare) {
			room.spare = slot;
		}
	}
	return room;
}

/*
 * A slot that costs nobody anything, or NULL. The first bucket, where look-ups go first, until it is half full; then
 * the emptier one: with the first always preferred, a half full table would refuse 200 times as many.
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

		if (!fdb_slot_key(slot) || !fdb_owned_by(fdb, fdb_slot_value(slot), src->port))
			continue;
		uint32_t age = fdb_slot_dead(fdb, slot, src->now) ? UINT32_MAX
								  : fdb_value_aged(fdb_slot_value(slot), src->now);

		if (!best || age > best_age) {
			best = slot;
			best_age = age;
		}
	}
	return best;
}

/* The key is not in the table. */
static enum fdb_learned learn_new(struct fdb *fdb, const struct source *src)
{
	struct fdb_slot *slot = slot_spare(fdb, src);
	uint32_t gen;

	if (slot && fdb_port_take(fdb, src->port, &gen)) {
		if (fdb_slot_key(slot))
			fdb_slot_retire(fdb, src->stripe, slot, src->now);
	} else {
		slot = slot_own(fdb, src);
		if (!slot) {
			fdb_counter_add(&src->stripe->refused);
			return FDB_UNKNOWN;
		}
		/* The new entry takes the old one's place in the port's count. */
		gen = fdb_value_port_gen(fdb_slot_value(slot));
		fdb_slot_count_aged(fdb, src->stripe, slot, src->now);
	}
	fdb_slot_write(slot, src->key, source_value(src, gen));
	fdb_counter_add(&src->stripe->learned);
	return FDB_KNOWN;
}

/* Whether one more address may move to the source's port in this second; if so, it is counted. */
static bool may_move(struct fdb *fdb, const struct source *src)
{
	_Atomic uint64_t *count = &fdb->move_count[src->port];
	uint32_t limit = atomic_load_explicit(&fdb->move_limit[src->port], memory_order_relaxed);
	uint64_t was = atomic_load_explicit(count, memory_order_relaxed), now;

	do {
		now = was >> 32 == src->now ? was + 1 : (uint64_t)src->now << 32 | 1;
		if (limit && (uint32_t)now > limit)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(count, &was, now, memory_order_relaxed, memory_order_relaxed));
	return true;
}

/* Keep the move for fdb_moves(), if there is room. */
static void note_move(struct fdb *fdb, const struct source *src, uint16_t from)
{
	fdb_lock(&fdb->move_lock);
	uint32_t n = atomic_load_explicit(&fdb->moves, memory_order_relaxed);

	if (n < FDB_MOVES_KEPT) {
		struct fdb_move *move = &fdb->move[n];

		for (unsigned i = 0; i < 6; i++)
			move->mac[i] = src->key >> (40 - 8 * i);
		move->bridge = src->key >> 48;
		move->from = from;
		move->to = src->port;
		atomic_store_explicit(&fdb->moves, n + 1, memory_order_relaxed);
	}
	fdb_unlock(&fdb->move_lock);
}

/* The key is in `slot`: refreshed, moved, or learned again after its death. */
static enum fdb_learned learn_known(struct fdb *fdb, const struct source *src, struct fdb_slot *slot)
{
	uint64_t old = fdb_slot_value(slot);
	bool live = !fdb_slot_dead(fdb, slot, src->now);
	bool elsewhere = fdb_value_port(old) != src->port;
	uint32_t gen = fdb_value_port_gen(old);

	if (fdb_value_static(old))
		return elsewhere ? FDB_ELSEWHERE : FDB_KNOWN;
	if (live && elsewhere && !may_move(fdb, src)) {
		fdb_counter_add(&src->stripe->held);
		return FDB_HELD;
	}

	if (fdb_owned_by(fdb, old, src->port)) {
		fdb_slot_count_aged(fdb, src->stripe, slot, src->now);
	} else {
		bool room = fdb_port_take(fdb, src->port, &gen);

		fdb_slot_retire(fdb, src->stripe, slot, src->now);
		if (!room) {
			struct fdb_slot *own = slot_own(fdb, src);

			if (!own) {
				fdb_slot_clear(slot);
				if (elsewhere)
					fdb_bump_epoch(fdb);
				fdb_counter_add(&src->stripe->refused);
				return FDB_UNKNOWN;
			}
			gen = fdb_value_port_gen(fdb_slot_value(own));
			fdb_slot_count_aged(fdb, src->stripe, own, src->now);
			fdb_slot_clear(own);
		}
	}
	fdb_slot_write(slot, src->key, source_value(src, gen));
	if (elsewhere)
		fdb_bump_epoch(fdb);
	if (live && elsewhere) {
		fdb_counter_add(&src->stripe->moved);
		note_move(fdb, src, fdb_value_port(old));
	} else if (!live) {
		fdb_counter_add(&src->stripe->learned);
	}
	return FDB_KNOWN;
}

static struct fdb_slot *slot_of(const struct fdb *fdb, const struct source *src)
{
	for (unsigned i = 0; i < 2 * FDB_SLOTS; i++) {
		struct fdb_slot *slot = slot_at(fdb, src, i);

		if (fdb_slot_key(slot) == src->key)
			return slot;
	}
	return NULL;
}

static enum fdb_learned learn_locked(struct fdb *fdb, struct source *src)
{
	uint32_t bridge = atomic_load_explicit(&fdb->bridge[src->key >> 48], memory_order_relaxed);
	struct fdb_slot *slot = slot_of(fdb, src);

	src->bridge_gen = bridge >> 16;
	if (!(slot && fdb_value_static(fdb_slot_value(slot))) &&
	    (!(uint16_t)bridge || src->bridge_gen == FDB_GEN_WRAPPING))
		return FDB_UNKNOWN;
	return slot ? learn_known(fdb, src, slot) : learn_new(fdb, src);
}

enum fdb_learned fdb_learn(struct fdb *fdb, uint64_t key, uint16_t port, uint32_t now)
{
	if (!key || key >> 48 >= FDB_BRIDGE_MAX || port >= FDB_PORT_MAX)
		return FDB_UNKNOWN;
	struct source src = {.key = key, .hash = fdb_hash(fdb, key), .port = port, .now = now};
	uint64_t value = fdb_find(fdb, key, src.hash);

	/* What a forger sends again and again takes no lock. */
	if (value && fdb_value_static(value))
		return fdb_value_port(value) == port ? FDB_KNOWN : FDB_ELSEWHERE;
	struct fdb_view view = fdb_view(fdb, key >> 48, now);

	if (value && fdb_value_port(value) == port && fdb_view_holds(fdb, &view, value, view.refresh_at))
		return FDB_KNOWN;
	src.stripe = fdb_stripe_of(fdb, src.hash);
	fdb_lock(&src.stripe->lock);
	enum fdb_learned learned = learn_locked(fdb, &src);

	fdb_unlock(&src.stripe->lock);
	return learned;
}

/* ---- static entries ---------------------------------------------------------------------------------------------- */

/* A slot for a static entry: a spare one, else that of the entry that was unused for longest. NULL: all are static. */
static struct fdb_slot *slot_for_static(const struct fdb *fdb, const struct source *src)
{
	struct fdb_slot *best = slot_spare(fdb, src);

	if (best)
		return best;
	for (unsigned i = 0; i < 2 * FDB_SLOTS; i++) {
		struct fdb_slot *slot = slot_at(fdb, src, i);
		uint64_t value = fdb_slot_value(slot);

		if (!fdb_value_static(value) &&
		    (!best || fdb_value_aged(value, src->now) > fdb_value_aged(fdb_slot_value(best), src->now)))
			best = slot;
	}
	return best;
}

static int static_add(struct fdb *fdb, const struct source *src)
{
	struct fdb_slot *slot = slot_of(fdb, src);

	if (slot && fdb_value_static(fdb_slot_value(slot)))
		return fdb_value_port(fdb_slot_value(slot)) == src->port ? 0 : -EEXIST;
	if (!slot)
		slot = slot_for_static(fdb, src);
	if (!slot)
		return -ENOSPC;
	if (fdb_slot_key(slot))
		fdb_slot_retire(fdb, src->stripe, slot, src->now);
	fdb_slot_write(slot, src->key, static_value(src->port));
	fdb_bump_epoch(fdb);
	return 0;
}

static int static_del(struct fdb *fdb, const struct source *src)
{
	struct fdb_slot *slot = slot_of(fdb, src);

	if (!slot || !fdb_value_static(fdb_slot_value(slot)))
		return -ENOENT;
	fdb_slot_clear(slot);
	fdb_bump_epoch(fdb);
	return 0;
}

int fdb_static_add(struct fdb *fdb, uint64_t key, uint16_t port, uint32_t now)
{
	struct source src = {.key = key, .hash = fdb_hash(fdb, key), .port = port, .now = now};

	if (!(key << 16) || key >> 48 >= FDB_BRIDGE_MAX || port >= FDB_PORT_MAX)
		return -EINVAL;
	src.stripe = fdb_stripe_of(fdb, src.hash);
	fdb_lock(&src.stripe->lock);
	int r = static_add(fdb, &src);

	fdb_unlock(&src.stripe->lock);
	return r;
}

int fdb_static_del(struct fdb *fdb, uint64_t key)
{
	struct source src = {.key = key, .hash = fdb_hash(fdb, key)};

	if (!key || key >> 48 >= FDB_BRIDGE_MAX)
		return -ENOENT;
	src.stripe = fdb_stripe_of(fdb, src.hash);
	fdb_lock(&src.stripe->lock);
	int r = static_del(fdb, &src);

	fdb_unlock(&src.stripe->lock);
	return r;
}
