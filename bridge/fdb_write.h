/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the MAC table's writers share: locks, counters, the ports' accounts, and how an entry goes. Private to fdb.c and
 * fdb_learn.c; the packet path calls none of it for a frame that teaches nothing.
 */
#ifndef XBAR_FDB_WRITE_H
#define XBAR_FDB_WRITE_H

#include <sched.h>

#include "fdb_table.h"

/* ---- locks and counters ------------------------------------------------------------------------------------------ */

static inline void fdb_lock(_Atomic uint32_t *word)
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

static inline void fdb_unlock(_Atomic uint32_t *word)
{
	atomic_store_explicit(word, 0, memory_order_release);
}

static inline struct fdb_stripe *fdb_stripe_of(struct fdb *fdb, uint64_t bucket)
{
	return &fdb->stripe[bucket & ((1u << fdb->stripe_shift) - 1)];
}

/* Add 1 to a counter of a stripe whose lock is held. */
static inline void fdb_counter_add(_Atomic uint64_t *counter)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

static inline void fdb_bump_epoch(struct fdb *fdb)
{
	atomic_fetch_add_explicit(&fdb->epoch, 1, memory_order_acq_rel);
}

/* Count an entry in to `port`. false: it is at its limit, or being flushed; else *gen is the generation to stamp. */
static inline bool fdb_port_take(struct fdb *fdb, uint16_t port, uint32_t *gen)
{
	uint64_t state = atomic_load_explicit(&fdb->port[port], memory_order_relaxed);
	uint32_t limit = atomic_load_explicit(&fdb->limit[port], memory_order_relaxed);

	do {
		*gen = state >> 32;
		if (*gen == FDB_GEN_WRAPPING || (uint32_t)state >= limit)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&fdb->port[port], &state, state + 1, memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

/* Count an entry out that was counted in under `gen`: a flush since then has done so already. */
static inline void fdb_port_give(struct fdb *fdb, uint16_t port, uint32_t gen)
{
	uint64_t state = atomic_load_explicit(&fdb->port[port], memory_order_relaxed);

	do {
		if (state >> 32 != gen || !(uint32_t)state)
			return;
	} while (!atomic_compare_exchange_weak_explicit(&fdb->port[port], &state, state - 1, memory_order_relaxed,
							memory_order_relaxed));
}

/* Whether `value` counts against `port`. */
static inline bool fdb_owned_by(const struct fdb *fdb, uint64_t value, uint16_t port)
{
	return fdb_value_port(value) == port &&
	       atomic_load_explicit(&fdb->port[port], memory_order_relaxed) >> 32 == fdb_value_port_gen(value);
}

/* ---- slots, under their stripe's lock ---------------------------------------------------------------------------- */

static inline bool fdb_slot_dead(const struct fdb *fdb, const struct fdb_slot *slot, uint32_t now)
{
	return !fdb_value_live(fdb, fdb_slot_key(slot), fdb_slot_value(slot), now);
}

static inline void fdb_slot_count_aged(struct fdb *fdb, struct fdb_stripe *stripe, const struct fdb_slot *slot,
				       uint32_t now)
{
	uint64_t key = fdb_slot_key(slot), value = fdb_slot_value(slot);

	if (fdb_value_kept(fdb, key, value) && fdb_value_expired(fdb, key, value, now))
		fdb_counter_add(&stripe->aged);
}

/* The entry in the slot goes: settle its port's account. */
static inline void fdb_slot_retire(struct fdb *fdb, struct fdb_stripe *stripe, const struct fdb_slot *slot,
				   uint32_t now)
{
	uint64_t value = fdb_slot_value(slot);

	fdb_slot_count_aged(fdb, stripe, slot, now);
	fdb_port_give(fdb, fdb_value_port(value), fdb_value_port_gen(value));
}

#endif
