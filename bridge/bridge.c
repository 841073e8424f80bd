/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the administrator set, and the decision. A burst's way is br_decide(), top to bottom.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "fdb_table.h"

#define ETH_HDR_LEN 14
#define MAC_MASK 0xffffffffffffull
#define GROUP_BIT (1ull << 40)
#define RESERVED_PREFIX (0x0180c2000000ull >> 4) /* IEEE 802.1D-2004, table 7-10 */
#define HASH_AHEAD 64 /* frames; the worker's bursts have no more */
#define KEY_NONE UINT64_MAX /* on bridge 0xffff, which is none: no frame's key */

/* Members of bridge b, in ascending order: member[first[b]] up to before member[first[b + 1]]. */
struct br_conf {
	uint16_t bridge_of[BR_PORT_MAX];
	uint16_t first[BR_BRIDGE_MAX + 1];
	uint16_t member[BR_PORT_MAX];
};

static const char *const drop_names[] = {
	[BR_DROP_RUNT] = "runt",         [BR_DROP_SRC_INVALID] = "source-invalid",
	[BR_DROP_RESERVED] = "reserved", [BR_DROP_NO_BRIDGE] = "no-bridge",
	[BR_DROP_HAIRPIN] = "hairpin",   [BR_DROP_NO_EGRESS] = "no-egress",
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
	return (struct br_verdict){.kind = BR_TO_SET, .to = bridge};
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

/* The first 6 of the 8 bytes at p. */
static uint64_t load_dst(const uint8_t *hdr)
{
	uint64_t bytes;

	memcpy(&bytes, hdr, sizeof(bytes));
	return be64toh(bytes) >> 16;
}

/* The last 6 of the 8 bytes before the EtherType. */
static uint64_t load_src(const uint8_t *hdr)
{
	uint64_t bytes;

	memcpy(&bytes, hdr + 4, sizeof(bytes));
	return be64toh(bytes) & MAC_MASK;
}

struct hashes { /* of the addresses of a few frames, from `from` up to before `to` */
	unsigned from, to;
	uint64_t src[HASH_AHEAD], dst[HASH_AHEAD];
};

/* Hash what is to be looked up next, and start loading it: frames from many addresses wait for memory once together. */
static __attribute__((noinline)) void hash_ahead(const struct fdb *fdb, uint64_t domain, const struct br_frame *frames,
						 unsigned from, unsigned n, struct hashes *h)
{
	h->from = from;
	h->to = n - from < HASH_AHEAD ? n : from + HASH_AHEAD;
	for (unsigned i = 0; i < h->to - from; i++) {
		const struct br_frame *frame = &frames[from + i];

		if (frame->hdr_len < ETH_HDR_LEN)
			continue;
		h->src[i] = fdb_hash(fdb, domain | load_src(frame->hdr));
		fdb_prefetch(fdb, h->src[i]);
		h->dst[i] = fdb_hash(fdb, domain | load_dst(frame->hdr));
		fdb_prefetch(fdb, h->dst[i]);
	}
}

void br_decide(const struct br_conf *conf, struct fdb *fdb, struct br_memo *memo, uint16_t in,
	       const struct br_frame *frames, unsigned n, uint32_t now, struct br_verdict *out)
{
	uint16_t bridge = br_conf_bridge_of(conf, in);

	if (bridge == BR_NONE) {
		for (unsigned i = 0; i < n; i++)
			out[i] = drop(BR_DROP_NO_BRIDGE);
		return;
	}

	const uint64_t domain = (uint64_t)bridge << 48;
	const struct br_verdict flood = decide_flood(conf, bridge, in);
	/* Read before any look-up whose answer is remembered under it. */
	uint32_t epoch = fdb_epoch(fdb);
	struct fdb_scope scope = fdb_scope(fdb, bridge, now);
	bool remembers = memo->second == now && memo->epoch == epoch && memo->port == in;
	uint64_t known_src = remembers && memo->src_key ? memo->src_key : KEY_NONE;
	uint64_t known_dst = remembers && memo->dst_key ? memo->dst_key : KEY_NONE;
	uint16_t dst_port = memo->dst_port;
	struct br_verdict dst_verdict = decide_known(conf, in, dst_port, flood);
	struct hashes h;

	h.to = 0;

	for (unsigned i = 0; i < n; i++) {
		if (__builtin_expect(frames[i].hdr_len < ETH_HDR_LEN, 0)) {
			out[i] = drop(BR_DROP_RUNT);
			continue;
		}
		uint64_t src = domain | load_src(frames[i].hdr);
		uint64_t dst = domain | load_dst(frames[i].hdr);

		if (src == known_src && dst == known_dst) {
			out[i] = dst_verdict;
			continue;
		}
		if (i >= h.to)
			hash_ahead(fdb, domain, frames, i, n, &h);

		if (src != known_src) {
			if ((src & GROUP_BIT) || src == domain) {
				out[i] = drop(BR_DROP_SRC_INVALID);
				continue;
			}
			if (fdb_scope_fresh(fdb, &scope, src, h.src[i - h.from], in) || fdb_learn(fdb, src, in, now))
				known_src = src;
			/* A move, ours or another worker's, or a flush: what was known may be wrong. */
			uint32_t epoch_now = fdb_epoch(fdb);

			if (__builtin_expect(epoch_now != epoch, 0)) {
				epoch = epoch_now;
				scope = fdb_scope(fdb, bridge, now);
				known_src = KEY_NONE;
				known_dst = KEY_NONE;
			}
			if (dst == known_dst) {
				out[i] = dst_verdict;
				continue;
			}
		}

		if (__builtin_expect((dst & GROUP_BIT) || dst == domain, 0)) {
			out[i] = (dst & MAC_MASK) >> 4 == RESERVED_PREFIX ? drop(BR_DROP_RESERVED) : flood;
			continue;
		}
		int port = fdb_scope_get(fdb, &scope, dst, h.dst[i - h.from]);

		if (port < 0) {
			out[i] = flood;
			continue;
		}
		known_dst = dst;
		dst_port = port;
		dst_verdict = decide_known(conf, in, dst_port, flood);
		out[i] = dst_verdict;
	}

	*memo = (struct br_memo){
		.src_key = known_src != KEY_NONE ? known_src : 0,
		.dst_key = known_dst != KEY_NONE ? known_dst : 0,
		.second = now,
		.epoch = epoch,
		.dst_port = dst_port,
		.port = in,
	};
}
