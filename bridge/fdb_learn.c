/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Learning: which slot a source gets, and what it may take from whom (the replacement policy of fdb.h). All of it under
 * the lock of the stripe that holds both of the key's buckets, so no key is ever in the table twice.
 */
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
static bool learn_new(struct fdb *fdb, const struct source *src)
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
			return false;
		}
		/* The new entry takes the old one's place in the port's count. */
		gen = fdb_value_port_gen(fdb_slot_value(slot));
		fdb_slot_count_aged(fdb, src->stripe, slot, src->now);
	}
	fdb_slot_write(slot, src->key, source_value(src, gen));
	fdb_counter_add(&src->stripe->learned);
	return true;
}

/* The key is in `slot`: refreshed, moved, or learned again after its death. */
static bool learn_known(struct fdb *fdb, const struct source *src, struct fdb_slot *slot)
{
	uint64_t old = fdb_slot_value(slot);
	bool live = !fdb_slot_dead(fdb, slot, src->now);
	bool elsewhere = fdb_value_port(old) != src->port;
	uint32_t gen = fdb_value_port_gen(old);

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
				return false;
			}
			gen = fdb_value_port_gen(fdb_slot_value(own));
			fdb_slot_count_aged(fdb, src->stripe, own, src->now);
			fdb_slot_clear(own);
		}
	}
	fdb_slot_write(slot, src->key, source_value(src, gen));
	if (elsewhere)
		fdb_bump_epoch(fdb);
	if (live && elsewhere)
		fdb_counter_add(&src->stripe->moved);
	else if (!live)
		fdb_counter_add(&src->stripe->learned);
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

		if (fdb_slot_key(slot) == src->key)
			return learn_known(fdb, src, slot);
	}
	return learn_new(fdb, src);
}

bool fdb_learn(struct fdb *fdb, uint64_t key, uint16_t port, uint32_t now)
{
	if (!key || key >> 48 >= FDB_BRIDGE_MAX || port >= FDB_PORT_MAX)
		return false;
	struct source src = {.key = key, .hash = fdb_hash(fdb, key), .port = port, .now = now};
	struct fdb_view view = fdb_view(fdb, key >> 48, now);

	if (fdb_view_fresh(fdb, &view, key, src.hash, port))
		return true;
	src.stripe = fdb_stripe_of(fdb, src.hash);
	fdb_lock(&src.stripe->lock);
	bool known = learn_locked(fdb, &src);

	fdb_unlock(&src.stripe->lock);
	return known;
}
