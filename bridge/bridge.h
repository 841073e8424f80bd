/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The decision: where a frame that came in on a port goes.
 *
 * Model. A *bridge* is one L2 learning domain, a number below BR_BRIDGE_MAX; a *port* is a number below BR_PORT_MAX and
 * is on one bridge or on none. All that an administrator sets (which port is on which bridge) is a `struct br_conf`,
 * written once and never changed after it was handed to a worker: to change it, clone, edit the clone, publish the
 * clone, wait until no worker uses the old one, free that. What frames teach is in a `struct fdb` (fdb.h), which lives
 * on through all confs. Each worker has a `struct br_flow_cache` for speed.
 *
 * Limits. Looks at nothing but the copy of the header that it is given; does no I/O, takes no clock (time is an argument, in
 * seconds) and allocates nothing per frame.
 *
 * Threads. br_decide() may run on any number of workers at once over the same conf and fdb, each with its own cache.
 * The br_conf_* writers want a conf that no worker sees yet.
 *
 * Errors. Acts return 0 or -errno, look-ups NULL or -1, predicates bool.
 */
#ifndef XBAR_BRIDGE_H
#define XBAR_BRIDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "fdb.h"

#define BR_PORT_MAX FDB_PORT_MAX
#define BR_BRIDGE_MAX FDB_BRIDGE_MAX
#define BR_NONE 0xffff /* "no bridge", "no port" */

/* Why a frame was not forwarded. Every one has a name (br_drop_name) and a counter per ingress port. */
enum br_drop {
	BR_DROP_RUNT, /* shorter than an Ethernet header */
	BR_DROP_SRC_INVALID, /* source is a group address or all zeroes */
	BR_DROP_RESERVED, /* to 01:80:c2:00:00:00..0f, which an 802.1D bridge never forwards */
	BR_DROP_NO_BRIDGE, /* the ingress port is on no bridge */
	BR_DROP_HAIRPIN, /* the destination is behind the ingress port */
	BR_DROP_SRC_ELSEWHERE, /* the source is a static address of another port, the host's for example */
	BR_DROP_NO_EGRESS, /* no other port on the bridge may have it */
	BR_DROP_MAX
};

/* A word for scripts and tables, as "no-egress"; "unknown" out of range. A constant. */
const char *br_drop_name(enum br_drop reason);

enum br_kind { BR_TO_PORT, BR_FLOOD, BR_DROP };

struct br_verdict {
	uint8_t kind; /* enum br_kind */
	uint8_t reason; /* enum br_drop, if kind is BR_DROP */
	uint16_t to; /* the port; or the bridge whose members get it, all but ingress: see br_flood_next */
};

static inline bool br_verdict_same(struct br_verdict a, struct br_verdict b)
{
	return a.kind == b.kind && a.reason == b.reason && a.to == b.to;
}

struct br_frame {
	const uint8_t *hdr; /* private copy of the frame's first bytes, from the Ethernet header on */
	uint16_t hdr_len; /* bytes at hdr; >= min(14, the frame's length) */
};

/* ---- what the administrator set ---------------------------------------------------------------------------------- */

struct br_conf;

/* NULL: no memory. The caller frees, once no worker uses it. */
struct br_conf *br_conf_new(void);
struct br_conf *br_conf_clone(const struct br_conf *conf);
void br_conf_free(struct br_conf *conf);

/* Put `port` on `bridge`. -EINVAL if a number is out of range, -EBUSY if the port is on a bridge already. */
int br_conf_join(struct br_conf *conf, uint16_t port, uint16_t bridge);
/*
 * Take `port` off its bridge. -ENOENT if it is on none, -EINVAL out of range. The caller flushes the port in the
 * fdb.
 */
int br_conf_leave(struct br_conf *conf, uint16_t port);
/* The bridge that `port` is on, or BR_NONE. */
uint16_t br_conf_bridge_of(const struct br_conf *conf, uint16_t port);

/* May a frame from `in` leave by `out`? All rules of egress stand in this one predicate. */
bool br_egress_ok(const struct br_conf *conf, uint16_t in, uint16_t out);

/*
 * Walk the ports that a BR_FLOOD verdict names: start with *iter = 0, call until it returns BR_NONE. Only ports for
 * which br_egress_ok() holds are returned.
 */
uint16_t br_flood_next(const struct br_conf *conf, uint16_t bridge, uint16_t in, unsigned *iter);

/* ---- private to a worker ----------------------------------------------------------------------------------------- */

/* A flow: the frames that a port sends from one address to another. Valid while the cache has the same stamp. */
struct br_flow {
	uint64_t head; /* the frames' first 12 bytes */
	uint32_t tail;
	uint32_t from; /* port and its bridge */
	uint32_t stamp; /* 0: unused */
	uint16_t where; /* the destination's port; BR_NONE: it is a group */
} __attribute__((aligned(32)));

#define BR_FLOWS 2 /* in a set */

struct br_flow_set { /* a cache line */
	struct br_flow flow[BR_FLOWS];
};

/*
 * A worker's cache of flows whose source has been learned and whose destination is known. Everything in it is valid for
 * one second at most, and until the fdb's epoch changes. When more than half of the lookups evict another flow, the cache
 * is bypassed for a while. A cache of zeroes has room for two flows; br_flow_cache_init() gives it more.
 */
struct br_flow_cache {
	struct br_flow_set *set; /* NULL: `small` alone */
	uint32_t mask; /* sets - 1 */
	uint32_t stamp;
	uint32_t second, epoch;
	uint32_t lookups, evictions; /* since update_bypass() last decided */
	uint32_t bypass; /* lookups that still have to bypass it */
	struct br_flow_set small;
};

/* Room for `flows` flows, rounded up to a power of two. -ENOMEM. The memory is the cache's: br_flow_cache_fini(). */
int br_flow_cache_init(struct br_flow_cache *cache, unsigned flows);
void br_flow_cache_fini(struct br_flow_cache *cache);

/*
 * Decide a burst of `n` frames that came in on `in`; out[i] is frame i's verdict. `now` is in seconds of a monotonic
 * clock. Frames are decided in order, so a source learned from frame i serves frame i+1. Counts nothing: the caller
 * adds drops up by reason.
 *
 * Of several reasons to drop a frame the first of these is given: NO_BRIDGE, RUNT, SRC_INVALID, SRC_ELSEWHERE; then, the source being
 * learned, RESERVED, HAIRPIN, NO_EGRESS. A destination whose port is not, or no longer, on the ingress port's bridge is
 * unknown, and flooded: no entry of the fdb can carry a frame from one bridge to another.
 */
void br_decide(const struct br_conf *conf, struct fdb *fdb, struct br_flow_cache *cache, uint16_t in,
	       const struct br_frame *frames, unsigned n, uint32_t now, struct br_verdict *out);

#endif
