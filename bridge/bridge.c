/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the administrator set, and the decision. A burst's way is br_decide(), top to bottom.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bridge.h"
#include "fdb_table.h"

#define ETH_HDR_LEN 14
#define MAC_MASK 0xffffffffffffull
#define GROUP_BIT (1ull << 40)
#define RESERVED_PREFIX (0x0180c2000000ull >> 4) /* IEEE 802.1D-2004, table 7-10 */
#define HASH_AHEAD 64 /* frames; the worker's bursts have no more */

/* Members of bridge b, in ascending order: member[first[b]] up to before member[first[b + 1]]. */
struct br_conf {
	uint16_t bridge_of[BR_PORT_MAX];
	uint16_t first[BR_BRIDGE_MAX + 1];
	uint16_t member[BR_PORT_MAX];
};

static const char *const drop_names[] = {
	[BR_DROP_RUNT] = "runt",
	[BR_DROP_SRC_INVALID] = "source-invalid",
	[BR_DROP_RESERVED] = "reserved",
	[BR_DROP_NO_BRIDGE] = "no-bridge",
	[BR_DROP_SRC_ELSEWHERE] = "source-elsewhere",
	[BR_DROP_HAIRPIN] = "hairpin",
	[BR_DROP_NO_EGRESS] = "no-egress",
};
_Static_assert(sizeof(drop_names) / sizeof(drop_names[0]) == BR_DROP_MAX, "every drop reason has a name");

const char *br_drop_name(enum br_drop reason)
{
	return (unsigned)reason < BR_DROP_MAX ? drop_names[reason] : "unknown";
}

/* ---- what the administrator set ---------------------------------------------------------------------------------- */

struct br_conf *br_conf_new(void)
{
	struct br_conf *conf = calloc(1, sizeof(*conf));

	if (conf)
		memset(conf->bridge_of, 0xff, sizeof(conf->bridge_of));
	return conf;
}

struct br_conf *br_conf_clone(const struct br_conf *conf)
{
	struct br_conf *clone = malloc(sizeof(*clone));

	if (clone)
		memcpy(clone, conf, sizeof(*clone));
	return clone;
}

void br_conf_free(struct br_conf *conf)
{
	free(conf);
}

int br_conf_join(struct br_conf *conf, uint16_t port, uint16_t bridge)
{
	if (port >= BR_PORT_MAX || bridge >= BR_BRIDGE_MAX)
		return -EINVAL;
	if (conf->bridge_of[port] != BR_NONE)
		return -EBUSY;
	unsigned at = conf->first[bridge];
	unsigned total = conf->first[BR_BRIDGE_MAX];

	while (at < conf->first[bridge + 1] && conf->member[at] < port)
		at++;
	memmove(&conf->member[at + 1], &conf->member[at], (total - at) * sizeof(conf->member[0]));
	conf->member[at] = port;
	for (unsigned b = bridge + 1; b <= BR_BRIDGE_MAX; b++)
		conf->first[b]++;
	conf->bridge_of[port] = bridge;
	return 0;
}

int br_conf_leave(struct br_conf *conf, uint16_t port)
{
	if (port >= BR_PORT_MAX)
		return -EINVAL;
	unsigned bridge = conf->bridge_of[port];

	if (bridge == BR_NONE)
		return -ENOENT;
	unsigned at = conf->first[bridge];
	unsigned total = conf->first[BR_BRIDGE_MAX];

	while (conf->member[at] != port)
		at++;
	memmove(&conf->member[at], &conf->member[at + 1], (total - at - 1) * sizeof(conf->member[0]));
	for (unsigned b = bridge + 1; b <= BR_BRIDGE_MAX; b++)
		conf->first[b]--;
	conf->bridge_of[port] = BR_NONE;
	return 0;
}

uint16_t br_conf_bridge_of(const struct br_conf *conf, uint16_t port)
{
	return port < BR_PORT_MAX ? conf->bridge_of[port] : BR_NONE;
}

bool br_egress_ok(const struct br_conf *conf, uint16_t in, uint16_t out)
{
	uint16_t bridge = br_conf_bridge_of(conf, in);

	return in != out && bridge != BR_NONE && br_conf_bridge_of(conf, out) == bridge;
}

uint16_t br_flood_next(const struct br_conf *conf, uint16_t bridge, uint16_t in, unsigned *iter)
{
	if (bridge >= BR_BRIDGE_MAX)
		return BR_NONE;
	unsigned members = conf->first[bridge + 1] - conf->first[bridge];

	while (*iter < members) {
		uint16_t port = conf->member[conf->first[bridge] + (*iter)++];

		if (br_egress_ok(conf, in, port))
			return port;
	}
	return BR_NONE;
}

/* ---- the decision ------------------------------------------------------------------------------------------------ */

static struct br_verdict drop(enum br_drop reason)
{
	return (struct br_verdict){.kind = BR_DROP, .reason = reason};
}

/* The verdict on all frames of `in` that are for everyone. */
static struct br_verdict decide_flood(const struct br_conf *conf, uint16_t bridge, uint16_t in)
{
	unsigned iter = 0;

	if (br_flood_next(conf, bridge, in, &iter) == BR_NONE)
		return drop(BR_DROP_NO_EGRESS);
	return (struct br_verdict){.kind = BR_FLOOD, .to = bridge};
}

/* The verdict on a frame whose destination is behind `port`, as the fdb says. */
static struct br_verdict decide_known(const struct br_conf *conf, uint16_t in, uint16_t port, struct br_verdict flood)
{
	if (port == in)
		return drop(BR_DROP_HAIRPIN);
	if (!br_egress_ok(conf, in, port))
		return flood;
	return (struct br_verdict){.kind = BR_TO_PORT, .to = port};
}

/* Both addresses, as they stand in a frame: its first 12 bytes. */
struct addresses {
	uint64_t head;
	uint32_t tail;
};

static inline struct addresses addresses_of(const uint8_t *hdr)
{
	struct addresses a;

	memcpy(&a.head, hdr, sizeof(a.head));
	memcpy(&a.tail, hdr + sizeof(a.head), sizeof(a.tail));
	return a;
}

static inline uint64_t dst_of(struct addresses a)
{
	return be64toh(a.head) >> 16;
}

static inline uint64_t src_of(struct addresses a)
{
	return (be64toh(a.head) & 0xffff) << 32 | be32toh(a.tail);
}

/* ---- the flow cache ------------------------------------------------------------------------------------------------------- */

#define HUGE_PAGE ((size_t)2 << 20)
#define PREFETCH_AHEAD 8 /* frames: a flow is prefetched so long before it is looked up */
#define REVIEW_LOOKUPS 8192 /* between two decisions of update_bypass() */
#define BYPASS_LOOKUPS (16 * REVIEW_LOOKUPS) /* lookups that a bypass lasts */

int br_flow_cache_init(struct br_flow_cache *cache, unsigned flows)
{
	uint32_t sets = 1;
	size_t size;

	memset(cache, 0, sizeof(*cache));
	while (sets < flows / BR_FLOWS)
		sets *= 2;
	size = sets * sizeof(struct br_flow_set);
	cache->set = aligned_alloc(size < HUGE_PAGE ? sizeof(struct br_flow_set) : HUGE_PAGE, size);
	if (!cache->set)
		return -ENOMEM;
	if (size >= HUGE_PAGE)
		madvise(cache->set, size, MADV_HUGEPAGE); /* without them it is only slower */
	memset(cache->set, 0, size);
	cache->mask = sets - 1;
	return 0;
}

void br_flow_cache_fini(struct br_flow_cache *cache)
{
	free(cache->set);
}

/* The hash is not keyed: an attacker who forces collisions only falls back to the MAC table. */
static inline struct br_flow_set *set_of(struct br_flow_cache *cache, struct addresses a, uint32_t from)
{
	uint64_t hash = (a.head ^ from) * 0x9e3779b97f4a7c15 ^ a.tail * 0xc2b2ae3d27d4eb4f;

	return cache->set ? &cache->set[hash >> 40 & cache->mask] : &cache->small;
}

static inline void prefetch_flow(struct br_flow_cache *cache, const struct br_frame *frame, uint32_t from)
{
	if (frame->hdr_len >= ETH_HDR_LEN)
		__builtin_prefetch(set_of(cache, addresses_of(frame->hdr), from));
}

static inline bool flow_is(const struct br_flow *flow, struct addresses a, uint32_t from, uint32_t stamp)
{
	return flow->head == a.head && flow->tail == a.tail && flow->from == from && flow->stamp == stamp;
}

static inline const struct br_flow *flow_lookup(const struct br_flow_set *set, struct addresses a, uint32_t from,
						uint32_t stamp)
{
	if (flow_is(&set->flow[0], a, from, stamp))
		return &set->flow[0];
	return flow_is(&set->flow[1], a, from, stamp) ? &set->flow[1] : NULL;
}

/* Returns whether another flow was evicted. */
static bool flow_insert(struct br_flow_set *set, struct addresses a, uint32_t from, uint32_t stamp, uint16_t where)
{
	bool full = set->flow[1].stamp == stamp;

	set->flow[1] = set->flow[0];
	set->flow[0] = (struct br_flow){a.head, a.tail, from, stamp, where};
	return full;
}

/* Empty the cache: its answers may be wrong. */
static void flow_invalidate(struct br_flow_cache *cache)
{
	if (++cache->stamp)
		return;
	if (cache->set) /* the stamp has wrapped: old stamps would become valid again */
		memset(cache->set, 0, (cache->mask + 1) * sizeof(*cache->set));
	memset(&cache->small, 0, sizeof(cache->small));
	cache->stamp = 1;
}

/* Decide whether the cache pays off, after a burst with so many lookups and evictions. */
static void update_bypass(struct br_flow_cache *cache, unsigned lookups, unsigned evictions)
{
	if (cache->bypass) {
		cache->bypass = cache->bypass > lookups ? cache->bypass - lookups : 0;
		return;
	}
	cache->lookups += lookups;
	cache->evictions += evictions;
	if (cache->lookups < REVIEW_LOOKUPS)
		return;
	cache->bypass = cache->evictions > cache->lookups / 2 ? BYPASS_LOOKUPS : 0;
	cache->lookups = cache->evictions = 0;
}

/* ---- a burst ----------------------------------------------------------------------------------------------------- */

/* A burst under way. */
struct burst_ctx {
	const struct br_conf *conf;
	struct fdb *fdb;
	struct br_flow_cache *cache;
	const struct br_frame *frames;
	unsigned n;
	uint32_t now, epoch;
	uint16_t in;
	uint64_t domain; /* the bridge, in a key */
	struct br_verdict flood;
	struct fdb_view view;
	unsigned ahead; /* frames that the next hash_ahead() is for */
	unsigned from, to; /* frames whose addresses' hashes are these: */
	uint64_t src[HASH_AHEAD], dst[HASH_AHEAD];
};

/*
 * Hash the addresses that are looked up next and prefetch their buckets, so that frames from many addresses wait for
 * memory together, once. The number of frames grows with each cache miss that follows another.
 */
static void hash_ahead(struct burst_ctx *p, unsigned i)
{
	if (i != p->to)
		p->ahead = 1;
	p->from = i;
	p->to = p->n - i < p->ahead ? p->n : i + p->ahead;
	p->ahead = p->ahead < HASH_AHEAD / 4 ? 4 * p->ahead : HASH_AHEAD;
	for (unsigned k = 0; k < p->to - i; k++) {
		const struct br_frame *frame = &p->frames[i + k];
		struct addresses a;

		if (frame->hdr_len < ETH_HDR_LEN)
			continue;
		a = addresses_of(frame->hdr);
		p->src[k] = fdb_hash(p->fdb, p->domain | src_of(a));
		fdb_prefetch(p->fdb, p->src[k]);
		p->dst[k] = fdb_hash(p->fdb, p->domain | dst_of(a));
		fdb_prefetch(p->fdb, p->dst[k]);
	}
}

/* Note the source. Anything but FDB_KNOWN: the flow must not be cached. */
static enum fdb_learned learn(struct burst_ctx *p, uint64_t src, uint64_t hash)
{
	enum fdb_learned learned =
		fdb_view_fresh(p->fdb, &p->view, src, hash, p->in) ? FDB_KNOWN : fdb_learn(p->fdb, src, p->in, p->now);
	/* A move, ours or another worker's, or a flush. */
	uint32_t epoch = fdb_epoch(p->fdb);

	if (__builtin_expect(epoch == p->epoch, 1))
		return learned;
	p->epoch = epoch;
	p->view = fdb_view(p->fdb, p->domain >> 48, p->now);
	flow_invalidate(p->cache);
	return learned == FDB_KNOWN ? FDB_UNKNOWN : learned;
}

/* Decide frame `i` by the MAC table. `*where` is the destination to be cached: a port, BR_NONE (flood), or -1: none. */
static __attribute__((noinline)) struct br_verdict decide_by_fdb(struct burst_ctx *p, unsigned i, struct addresses a,
								 int *where)
{
	uint64_t src = p->domain | src_of(a), dst = p->domain | dst_of(a);
	enum fdb_learned learned;
	bool known;
	int port;

	*where = -1;
	if ((src & GROUP_BIT) || src == p->domain)
		return drop(BR_DROP_SRC_INVALID);
	if (i >= p->to)
		hash_ahead(p, i);
	learned = learn(p, src, p->src[i - p->from]);
	if (learned == FDB_ELSEWHERE)
		return drop(BR_DROP_SRC_ELSEWHERE);
	known = learned == FDB_KNOWN;
	if ((dst & GROUP_BIT) || dst == p->domain) {
		if ((dst & MAC_MASK) >> 4 == RESERVED_PREFIX)
			return drop(BR_DROP_RESERVED);
		*where = known ? BR_NONE : -1;
		return p->flood;
	}
	port = fdb_view_get(p->fdb, &p->view, dst, p->dst[i - p->from]);
	if (port < 0)
		return p->flood;
	*where = known ? port : -1;
	return decide_known(p->conf, p->in, port, p->flood);
}

void br_decide(const struct br_conf *conf, struct fdb *fdb, struct br_flow_cache *cache, uint16_t in,
	       const struct br_frame *frames, unsigned n, uint32_t now, struct br_verdict *out)
{
	uint16_t bridge = br_conf_bridge_of(conf, in);
	struct burst_ctx p;

	if (bridge == BR_NONE) {
		for (unsigned i = 0; i < n; i++)
			out[i] = drop(BR_DROP_NO_BRIDGE);
		return;
	}
	p.conf = conf;
	p.fdb = fdb;
	p.cache = cache;
	p.frames = frames;
	p.n = n;
	p.now = now;
	p.in = in;
	p.domain = (uint64_t)bridge << 48;
	p.flood = decide_flood(conf, bridge, in);
	p.epoch = fdb_epoch(fdb); /* before any look-up whose answer is remembered under it */
	p.view = fdb_view(fdb, bridge, now);
	p.to = 0;
	if (cache->second != now || cache->epoch != p.epoch || !cache->stamp) {
		flow_invalidate(cache);
		cache->second = now;
	}

	const uint32_t from = in | (uint32_t)bridge << 16;
	const bool bypass = cache->bypass;
	struct addresses last = {0, 0};
	struct br_verdict verdict = drop(BR_DROP_RUNT);
	bool again = false; /* `verdict` holds for all frames between the last addresses */
	unsigned lookups = 0, evictions = 0;

	p.ahead = bypass ? HASH_AHEAD : 1;
	for (unsigned i = 0; i < n; i++) {
		if (__builtin_expect(frames[i].hdr_len < ETH_HDR_LEN, 0)) {
			out[i] = drop(BR_DROP_RUNT);
			continue;
		}
		struct addresses a = addresses_of(frames[i].hdr);

		if (again && a.head == last.head && a.tail == last.tail) { /* frames of a flow follow on each other */
			out[i] = verdict;
			continue;
		}
		struct br_flow_set *set = set_of(cache, a, from);
		const struct br_flow *flow = bypass ? NULL : flow_lookup(set, a, from, cache->stamp);

		lookups++;
		if (!bypass && i + PREFETCH_AHEAD < n)
			prefetch_flow(cache, &frames[i + PREFETCH_AHEAD], from);
		if (flow) {
			again = true;
			verdict = flow->where == BR_NONE ? p.flood : decide_known(conf, in, flow->where, p.flood);
		} else {
			int where;

			verdict = decide_by_fdb(&p, i, a, &where);
			again = where >= 0;
			if (again && !bypass)
				evictions += flow_insert(set, a, from, cache->stamp, where);
		}
		last = a;
		out[i] = verdict;
	}
	cache->epoch = p.epoch;
	update_bypass(cache, lookups, evictions);
}
