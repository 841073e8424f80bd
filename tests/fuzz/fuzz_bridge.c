/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bridge/ against a naive model of it. The input is a sequence of operations, each an op byte and its arguments:
 * bursts of frames, joining and leaving, flushes, time, ageing times, sweeps, limits, static entries. The model keeps one array of
 * addresses and goes by what the headers promise; whatever the two disagree on aborts.
 *
 * The model does not know where in the table an entry is. Where what is done depends on that, it looks at what was
 * done, checks that it was one of the things that may be done, and follows: a port at its limit refuses or replaces
 * one of its own, and in a small table (the first byte says so) one below it does when its buckets are full of
 * others'.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/bridge.h"
#include "fuzz.h"

#define PORTS 8
#define BRIDGES 3
#define HOSTS 32
#define BURST 40
#define GENERATIONS 4095
#define LIMIT_DEFAULT 1024

#define CHECK(what)                                                                                                    \
	do {                                                                                                           \
		if (!(what)) {                                                                                         \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);                             \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

/* One address on one bridge. In the table it may be dead, and counts against its port all the same. */
struct host {
	bool in_table;
	bool flushed; /* with its bridge, and not swept yet */
	bool fixed; /* a static entry; neither of the two above changes then */
	uint16_t port;
	uint32_t stamp;
};

struct model {
	struct br_conf *conf;
	struct fdb *fdb;
	struct br_flow_cache cache[PORTS];
	struct host host[BRIDGES][HOSTS];
	uint16_t bridge_of[PORTS];
	uint32_t ageing[BRIDGES];
	uint32_t flushes[BRIDGES];
	uint32_t limit[PORTS];
	uint32_t move_limit[PORTS], moves[PORTS], moved_at[PORTS]; /* moves to it in the second moved_at */
	uint32_t now, swept;
	bool small;
	uint64_t refused, held;
};

/* Every other port's has room for more than two flows. */
static void memo_new(struct br_flow_cache *cache, unsigned port)
{
	if (port % 2)
		CHECK(br_flow_cache_init(cache, 8) == 0);
	else
		memset(cache, 0, sizeof(*cache));
}

struct input {
	const uint8_t *data;
	size_t left;
};

static uint8_t take(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->data++;
}

/* Hosts' addresses: 02:00:00:00:00:NN, but number 0 is all zeroes. */
static void host_mac(unsigned host, uint8_t mac[6])
{
	memset(mac, 0, 6);
	if (host) {
		mac[0] = 2;
		mac[5] = host;
	}
}

static int table_says(const struct model *m, unsigned bridge, unsigned host)
{
	uint8_t mac[6];

	host_mac(host, mac);
	return fdb_lookup(m->fdb, fdb_key(bridge, mac), m->now);
}

/* ---- what the model knows ---------------------------------------------------------------------------------------- */

static bool live(const struct model *m, unsigned bridge, const struct host *h)
{
	return h->fixed || (h->in_table && !h->flushed && m->ageing[bridge] && m->now - h->stamp <= m->ageing[bridge]);
}

static unsigned owned(const struct model *m, unsigned port)
{
	unsigned n = 0;

	for (unsigned b = 0; b < BRIDGES; b++) {
		for (unsigned i = 0; i < HOSTS; i++)
			n += m->host[b][i].in_table && !m->host[b][i].fixed && m->host[b][i].port == port;
	}
	return n;
}

static void sweep(struct model *m)
{
	fdb_sweep(m->fdb, m->now, UINT32_MAX);
	m->swept = m->now;
	for (unsigned b = 0; b < BRIDGES; b++) {
		for (unsigned i = 0; i < HOSTS; i++)
			m->host[b][i].in_table = live(m, b, &m->host[b][i]);
	}
}

static struct br_verdict model_flood(const struct model *m, unsigned in)
{
	for (unsigned p = 0; p < PORTS; p++) {
		if (p != in && m->bridge_of[p] == m->bridge_of[in])
			return (struct br_verdict){BR_FLOOD, 0, m->bridge_of[in]};
	}
	return (struct br_verdict){BR_DROP, BR_DROP_NO_EGRESS, 0};
}

/* ---- frames ------------------------------------------------------------------------------------------------------ */

/* A frame as two bytes of input say: a host's number in the lower five bits, and what is odd about it above. */
struct frame {
	uint8_t src, dst;
	uint8_t bytes[14];
};
#define SRC_GROUP 0x20
#define SRC_RUNT 0x40
#define DST_RESERVED 0x20 /* the number's lower four bits are the address's */
#define DST_GROUP 0x40
#define HOST(byte) ((byte) & (HOSTS - 1))

static struct frame make_frame(uint8_t src, uint8_t dst)
{
	struct frame f = {.src = src, .dst = dst};

	host_mac(HOST(dst), f.bytes);
	host_mac(HOST(src), f.bytes + 6);
	if (src & SRC_GROUP)
		f.bytes[6] |= 1;
	if (dst & DST_GROUP)
		f.bytes[0] |= 1;
	else if (dst & DST_RESERVED)
		memcpy(f.bytes, (uint8_t[]){0x01, 0x80, 0xc2, 0, 0, dst & 0xf}, 6);
	return f;
}

/* The verdict on the frame once its source is learned. */
static struct br_verdict model_decide(const struct model *m, unsigned in, const struct frame *f)
{
	uint16_t bridge = m->bridge_of[in];

	if (bridge == BR_NONE)
		return (struct br_verdict){BR_DROP, BR_DROP_NO_BRIDGE, 0};
	if (f->src & SRC_RUNT)
		return (struct br_verdict){BR_DROP, BR_DROP_RUNT, 0};
	if ((f->src & SRC_GROUP) || !HOST(f->src))
		return (struct br_verdict){BR_DROP, BR_DROP_SRC_INVALID, 0};
	const struct host *source = &m->host[bridge][HOST(f->src)];

	if (source->fixed && source->port != in)
		return (struct br_verdict){BR_DROP, BR_DROP_SRC_ELSEWHERE, 0};
	if (f->dst & DST_GROUP)
		return model_flood(m, in);
	if (f->dst & DST_RESERVED)
		return (struct br_verdict){BR_DROP, BR_DROP_RESERVED, 0};
	const struct host *h = &m->host[bridge][HOST(f->dst)];

	if (!live(m, bridge, h) || (h->port != in && m->bridge_of[h->port] != bridge))
		return model_flood(m, in);
	if (h->port == in)
		return (struct br_verdict){BR_DROP, BR_DROP_HAIRPIN, 0};
	return (struct br_verdict){BR_TO_PORT, 0, h->port};
}

static bool teaches(const struct model *m, unsigned in, const struct frame *f)
{
	uint16_t bridge = m->bridge_of[in];

	return bridge != BR_NONE && !(f->src & (SRC_RUNT | SRC_GROUP)) && HOST(f->src) && m->ageing[bridge] &&
	       !m->host[bridge][HOST(f->src)].fixed;
}

/* Whether the frame's source, which teaches, would be one move too many in this second. */
static bool would_be_held(const struct model *m, unsigned in, const struct host *h, uint16_t bridge)
{
	return live(m, bridge, h) && h->port != in && m->move_limit[in] && m->moved_at[in] == m->now &&
	       m->moves[in] >= m->move_limit[in];
}

static void count_move(struct model *m, unsigned in, const struct host *h, uint16_t bridge)
{
	if (!live(m, bridge, h) || h->port == in)
		return;
	m->moves[in] = m->moved_at[in] == m->now ? m->moves[in] + 1 : 1;
	m->moved_at[in] = m->now;
}

/* Whether it takes a look at the table to know what learning the frame's source did. */
static bool depends_on_places(const struct model *m, unsigned in, const struct frame *f)
{
	if (!teaches(m, in, f))
		return false;
	const struct host *h = &m->host[m->bridge_of[in]][HOST(f->src)];

	if (would_be_held(m, in, h, m->bridge_of[in]))
		return false;
	return !(h->in_table && h->port == in) && (m->small || owned(m, in) >= m->limit[in]);
}

static void model_learn(struct model *m, unsigned in, const struct frame *f)
{
	if (!teaches(m, in, f))
		return;
	uint16_t bridge = m->bridge_of[in];
	struct host *h = &m->host[bridge][HOST(f->src)];

	if (h->port == in && live(m, bridge, h) && m->now - h->stamp <= m->ageing[bridge] / 8)
		return;
	if (would_be_held(m, in, h, bridge)) {
		m->held++;
		return;
	}
	count_move(m, in, h, bridge);
	*h = (struct host){.in_table = true, .port = in, .stamp = m->now};
}

/* br_decide() was given f, and depends_on_places() is true of it: see what it did. There are no dead entries. */
static void follow(struct model *m, unsigned in, const struct frame *f)
{
	uint16_t bridge = m->bridge_of[in];
	struct host *h = &m->host[bridge][HOST(f->src)];
	int port = table_says(m, bridge, HOST(f->src));
	bool learned = port == (int)in;
	unsigned gone = 0, others = 0;

	/* A move leaves the old port's account first, so the address itself is no room for the new one. */
	bool full = owned(m, in) >= m->limit[in];

	count_move(m, in, h, bridge);
	CHECK(learned || port == -1);
	for (unsigned b = 0; b < BRIDGES; b++) {
		for (unsigned i = 1; i < HOSTS; i++) {
			struct host *other = &m->host[b][i];

			if (other == h || !other->in_table)
				continue;
			others++;
			if (table_says(m, b, i) >= 0)
				continue;
			CHECK(other->port == in && !other->fixed);
			other->in_table = false;
			gone++;
		}
	}
	CHECK(gone <= learned);
	CHECK(!learned || gone == 1 || !full);
	CHECK(learned || full || others >= 8); /* two buckets full of others */
	CHECK(gone == 0 || full || others >= 8);
	*h = (struct host){.in_table = learned, .port = in, .stamp = m->now};
	m->refused += !learned;
}

static void check_flood_set(const struct model *m, unsigned in, uint16_t bridge)
{
	unsigned iter = 0;

	for (unsigned p = 0; p < PORTS; p++) {
		if (p != in && m->bridge_of[p] == bridge)
			CHECK(br_flood_next(m->conf, bridge, in, &iter) == p);
	}
	CHECK(br_flood_next(m->conf, bridge, in, &iter) == BR_NONE);
}

/* What the real bridge says. A runt is as long as its destination's number says, below 14. */
static void decide(struct model *m, unsigned in, const struct frame *frames, unsigned n, struct br_verdict *got)
{
	struct br_frame views[BURST] = {{0}};

	for (unsigned i = 0; i < n; i++)
		views[i] = (struct br_frame){frames[i].bytes, frames[i].src & SRC_RUNT ? HOST(frames[i].dst) % 14 : 14};
	br_decide(m->conf, m->fdb, &m->cache[in], in, views, n, m->now, got);
}

static void compare(const struct model *m, unsigned in, struct br_verdict got, struct br_verdict want)
{
	CHECK(got.kind == want.kind);
	CHECK(got.kind != BR_DROP || got.reason == want.reason);
	CHECK(got.kind == BR_DROP || got.to == want.to);
	if (got.kind == BR_FLOOD)
		check_flood_set(m, in, got.to);
}

static void decide_and_compare(struct model *m, unsigned in, const struct frame *frames, const struct br_verdict *want,
			       unsigned n)
{
	struct br_verdict got[BURST];

	decide(m, in, frames, n, got);
	for (unsigned i = 0; i < n; i++)
		compare(m, in, got[i], want[i]);
}

/* Alone, since only afterwards the model knows what was learned; and with no cache of an address that may go. */
static void decide_and_follow(struct model *m, unsigned in, const struct frame *f)
{
	struct br_verdict got;

	for (unsigned p = 0; p < PORTS; p++) {
		br_flow_cache_fini(&m->cache[p]);
		memo_new(&m->cache[p], p);
	}
	decide(m, in, f, 1, &got);
	follow(m, in, f);
	compare(m, in, got, model_decide(m, in, f));
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

static void op_burst(struct model *m, struct input *input)
{
	unsigned in = take(input) % PORTS, n = take(input) % BURST + 1, done = 0;
	struct frame frames[BURST];
	struct br_verdict want[BURST];

	for (unsigned i = 0; i < n; i++) {
		uint8_t src = take(input);

		frames[i] = make_frame(src, take(input));
	}
	for (unsigned i = 0; i < n; i++) {
		if (depends_on_places(m, in, &frames[i])) {
			decide_and_compare(m, in, frames + done, want + done, i - done);
			done = i;
			/* Its dead ones first: which of several would be replaced leaves no trace. */
			sweep(m);
		}
		if (depends_on_places(m, in, &frames[i])) {
			decide_and_follow(m, in, &frames[i]);
			done = i + 1;
			continue;
		}
		model_learn(m, in, &frames[i]);
		want[i] = model_decide(m, in, &frames[i]);
	}
	decide_and_compare(m, in, frames + done, want + done, n - done);
}

/* Changed as the control side changes it: a clone is edited and takes the old one's place. */
static void op_conf(struct model *m, struct input *input)
{
	uint8_t what = take(input);
	unsigned port = what % PORTS, bridge = what / PORTS % 4; /* one past the last: leave */
	struct br_conf *conf = br_conf_clone(m->conf);
	bool was_on = m->bridge_of[port] != BR_NONE;

	CHECK(conf);
	if (bridge < BRIDGES) {
		CHECK(br_conf_join(conf, port, bridge) == (was_on ? -EBUSY : 0));
		if (!was_on)
			m->bridge_of[port] = bridge;
	} else {
		CHECK(br_conf_leave(conf, port) == (was_on ? 0 : -ENOENT));
		m->bridge_of[port] = BR_NONE;
	}
	br_conf_free(m->conf);
	m->conf = conf;
}

static void op_flush_port(struct model *m, struct input *input)
{
	uint8_t what = take(input);
	unsigned port = what % PORTS;

	/* Once, or all generations round to the same one. */
	for (unsigned i = what & 0x80 ? GENERATIONS : 1; i; i--)
		fdb_flush_port(m->fdb, port);
	for (unsigned b = 0; b < BRIDGES; b++) {
		for (unsigned i = 0; i < HOSTS; i++) {
			if (m->host[b][i].port == port && !m->host[b][i].fixed)
				m->host[b][i].in_table = false;
		}
	}
}

static void op_flush_bridge(struct model *m, struct input *input)
{
	uint8_t what = take(input);
	unsigned bridge = what % BRIDGES;

	for (unsigned n = what & 0x80 ? GENERATIONS : 1; n; n--) {
		bool wraps = ++m->flushes[bridge] % GENERATIONS == 0;

		fdb_flush_bridge(m->fdb, bridge);
		for (unsigned i = 0; i < HOSTS; i++) {
			if (m->host[bridge][i].fixed)
				continue;
			m->host[bridge][i].flushed = true;
			if (wraps) /* it went through the table */
				m->host[bridge][i].in_table = false;
		}
	}
}

static void op_time(struct model *m, struct input *input)
{
	uint8_t step = take(input);

	m->now += step < 0x80 ? step : (step & 0x7f) * 64u;
	/* fdb.h: within any nine hours. */
	if (m->now - m->swept > 6 * 3600)
		sweep(m);
}

static void op_ageing(struct model *m, struct input *input)
{
	uint8_t what = take(input);
	uint32_t seconds = take(input);

	if (what & 0x80)
		seconds *= FDB_AGEING_MAX / 128;
	if (what & 0x40) {
		fdb_ageing(m->fdb, seconds);
	} else {
		fdb_ageing_bridge(m->fdb, what % BRIDGES, seconds);
	}
	if (seconds > FDB_AGEING_MAX)
		seconds = FDB_AGEING_MAX;
	for (unsigned b = 0; b < BRIDGES; b++) {
		if ((what & 0x40) || b == what % BRIDGES)
			m->ageing[b] = seconds;
	}
}

static void op_limit(struct model *m, struct input *input)
{
	uint8_t what = take(input);
	unsigned port = what % PORTS, limit = what / PORTS;

	fdb_limit(m->fdb, port, limit);
	m->limit[port] = limit ? limit : LIMIT_DEFAULT;
}

static void op_move_limit(struct model *m, struct input *input)
{
	uint8_t what = take(input);
	unsigned port = what % PORTS;

	m->move_limit[port] = what / PORTS;
	fdb_move_limit(m->fdb, port, what / PORTS);
}

static void static_del(struct model *m, unsigned bridge, unsigned host)
{
	struct host *h = &m->host[bridge][host];
	uint8_t mac[6];

	host_mac(host, mac);
	CHECK(fdb_static_del(m->fdb, fdb_key(bridge, mac)) == (h->fixed ? 0 : -ENOENT));
	if (h->fixed)
		*h = (struct host){0};
}

static void op_static(struct model *m, struct input *input)
{
	uint8_t what = take(input), where = take(input);
	unsigned host = HOST(what), port = where % PORTS, bridge = where / PORTS % BRIDGES;
	struct host *h = &m->host[bridge][host];
	unsigned others = 0, fixed = 0, gone = 0;
	uint8_t mac[6];

	if (what & 0x80) {
		static_del(m, bridge, host);
		return;
	}
	sweep(m); /* which of several dead ones would be replaced leaves no trace */
	host_mac(host, mac);
	int r = fdb_static_add(m->fdb, fdb_key(bridge, mac), port, m->now);

	if (!host || h->fixed) {
		CHECK(r == (!host ? -EINVAL : h->port == port ? 0 : -EEXIST));
		return;
	}
	for (unsigned b = 0; b < BRIDGES; b++) {
		for (unsigned i = 1; i < HOSTS; i++) {
			struct host *other = &m->host[b][i];

			if (other == h || !other->in_table)
				continue;
			others++;
			fixed += other->fixed;
			if (table_says(m, b, i) >= 0)
				continue;
			CHECK(!other->fixed);
			other->in_table = false;
			gone++;
		}
	}
	CHECK(!r || (r == -ENOSPC && fixed >= 8 && !gone));
	CHECK(gone <= 1 && (!gone || others >= 8));
	if (!r)
		*h = (struct host){.in_table = true, .fixed = true, .port = port};
}

/* ---- the whole table --------------------------------------------------------------------------------------------- */

struct dump {
	const struct model *m;
	unsigned n;
};

static bool dump_entry(const struct fdb_entry *entry, void *arg)
{
	struct dump *dump = arg;
	const struct model *m = dump->m;
	uint8_t mac[6];

	CHECK(entry->bridge < BRIDGES && entry->mac[5] < HOSTS);
	const struct host *h = &m->host[entry->bridge][entry->mac[5]];

	host_mac(entry->mac[5], mac);
	CHECK(!memcmp(mac, entry->mac, 6));
	CHECK(live(m, entry->bridge, h));
	CHECK(entry->port == h->port);
	CHECK(entry->is_static == h->fixed);
	CHECK(entry->age == (h->fixed ? 0 : m->now - h->stamp));
	dump->n++;
	return true;
}

static void check_all(const struct model *m)
{
	struct dump dump = {.m = m};
	struct fdb_stats stats;
	unsigned all_live = 0, all_owned = 0;

	for (unsigned b = 0; b < BRIDGES; b++) {
		for (unsigned i = 0; i < HOSTS; i++) {
			const struct host *h = &m->host[b][i];

			CHECK(table_says(m, b, i) == (live(m, b, h) ? (int)h->port : -1));
			all_live += live(m, b, h);
		}
	}
	fdb_dump(m->fdb, FDB_ALL, m->now, dump_entry, &dump);
	CHECK(dump.n == all_live);
	for (unsigned p = 0; p < PORTS; p++) {
		CHECK(br_conf_bridge_of(m->conf, p) == m->bridge_of[p]);
		CHECK(fdb_count(m->fdb, p) == owned(m, p));
		all_owned += owned(m, p);
	}
	fdb_stats(m->fdb, &stats);
	CHECK(stats.entries == all_owned);
	CHECK(stats.refused == m->refused);
	CHECK(stats.held == m->held);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	bool small = take(&input) & 1;
	struct fdb_opts opts = {.entries = small ? 32 : 16384, .seed = 1};
	struct model m = {.conf = br_conf_new(), .fdb = fdb_new(&opts), .now = 65000, .swept = 65000, .small = small};

	CHECK(m.conf && m.fdb);
	for (unsigned b = 0; b < BRIDGES; b++)
		m.ageing[b] = 300;
	for (unsigned p = 0; p < PORTS; p++) {
		m.limit[p] = LIMIT_DEFAULT;
		memo_new(&m.cache[p], p);
		m.bridge_of[p] = p < 6 ? p / 3 : BR_NONE; /* two bridges of three, and two ports on none */
		if (p < 6)
			CHECK(br_conf_join(m.conf, p, p / 3) == 0);
	}
	while (input.left) {
		uint8_t op = take(&input);

		switch (op & 0xf) {
		case 0:
			op_conf(&m, &input);
			break;
		case 1:
			op_flush_port(&m, &input);
			break;
		case 2:
			op_flush_bridge(&m, &input);
			break;
		case 3:
			op_time(&m, &input);
			break;
		case 4:
			op_ageing(&m, &input);
			break;
		case 5:
			op_limit(&m, &input);
			break;
		case 6:
			sweep(&m);
			break;
		case 7:
			check_all(&m);
			break;
		case 8:
			op_static(&m, &input);
			break;
		case 9:
			op_move_limit(&m, &input);
			break;
		default:
			op_burst(&m, &input);
			break;
		}
	}
	check_all(&m);
	fdb_free(m.fdb);
	for (unsigned p = 0; p < PORTS; p++)
		br_flow_cache_fini(&m.cache[p]);
	br_conf_free(m.conf);
	return 0;
}
