/* SPDX-License-Identifier: BSD-3-Clause */
#include "traffic.h"

#include <errno.h>
#include <stdlib.h>

#define PIECES 64
#define AHEAD 8 /* frames by which a guest's processor looks ahead */
#define BURST_BYTES (128u << 10)

bool traffic_pattern(const char *name, enum traffic_pattern *pattern)
{
	static const char *const names[] = {"one", "both", "mesh", "hot", "flood"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i])) {
			*pattern = i;
			return true;
		}
	return false;
}

int traffic_new(struct traffic *t, struct guest *guest, unsigned n, const struct frame_kind *kind,
		enum traffic_pattern pattern, uint32_t macs)
{
	uint32_t buffers = (kind->len + GUEST_HDR + guest->rx.buf_size - 1) / guest->rx.buf_size;

	*t = (struct traffic){.n = n, .guest = guest, .kind = *kind, .pattern = pattern};
	t->macs = macs / n ? macs / n : 1;
	t->burst = BURST_BYTES / kind->len < TRAFFIC_BURST ? BURST_BYTES / kind->len : TRAFFIC_BURST;
	t->window = (guest->rx.mask + 1) / buffers;
	t->pair = calloc((size_t)n * n, sizeof(*t->pair));
	t->next = calloc((size_t)n * n * t->macs, sizeof(*t->next));
	if (!t->pair || !t->next) {
		traffic_free(t);
		return -ENOMEM;
	}
	for (unsigned from = 0; from < n; from++) {
		struct traffic_sender *s = &t->sender[from];

		for (unsigned i = 1; i < n; i++) {
			unsigned to = (from + i) % n;

			if ((pattern == TRAFFIC_ONE && (from || to != 1)) ||
			    (pattern == TRAFFIC_BOTH && (from ^ to) != 1) || (pattern == TRAFFIC_HOT && to) ||
			    pattern == TRAFFIC_FLOOD)
				continue;
			s->to[s->npair++] = to;
			frame_pair(&t->pair[from * n + to], kind, from, to);
			t->flows += t->macs;
		}
	}
	if (pattern == TRAFFIC_FLOOD) {
		t->sender[0].to[t->sender[0].npair++] = 0;
		frame_pair(&t->pair[0], kind, 0, 0);
		t->flows += (uint64_t)(n - 1) * t->macs;
	}
	return 0;
}

void traffic_free(struct traffic *t)
{
	free(t->pair);
	free(t->next);
}

bool traffic_announce(struct traffic *t, unsigned from, uint32_t mac)
{
	struct guest *g = &t->guest[from];

	if (!guest_tx_reap(g))
		return false;
	frame_announce(guest_tx_frame(g, 0), from, mac);
	guest_tx_send(g, 1);
	return true;
}

/* A flow in the frame: no division is needed to take it apart. */
static inline uint32_t flow_number(unsigned from, unsigned to, uint32_t mac)
{
	return (uint32_t)from << 26 | (uint32_t)to << 20 | mac;
}

/* ---- send -------------------------------------------------------------------------------------------------------- */

static inline void next_flow(const struct traffic *t, struct traffic_sender *s)
{
	if (++s->at < s->npair)
		return;
	s->at = 0;
	if (++s->mac < t->macs)
		return;
	s->mac = 0;
	s->seq++;
}

/* A frame leaves for `to`, if there is room for it in its window. */
static inline bool window_takes(struct traffic *t, unsigned from, unsigned to)
{
	if (__builtin_expect(to != from, 1)) {
		if (!t->paced && t->on_way[to] >= t->window)
			return false;
		t->on_way[to]++;
		return true;
	}
	for (unsigned i = 0; i < t->n && !t->paced; i++)
		if (i != from && t->on_way[i] >= t->window)
			return false;
	for (unsigned i = 0; i < t->n; i++)
		t->on_way[i] += i != from;
	return true;
}

static unsigned send_some(struct traffic *t, unsigned from, unsigned due)
{
	struct traffic_sender *s = &t->sender[from];
	struct guest *g = &t->guest[from];
	unsigned room = guest_tx_reap(g), n = 0;
	uint64_t now = __builtin_ia32_rdtsc();

	t->count.busy += room < g->slots;
	if (due > room)
		due = room;
	for (unsigned i = 0; i < AHEAD && i < due; i++)
		guest_tx_prefetch(g, i);
	for (; n < due; n++, next_flow(t, s)) {
		unsigned to = s->to[s->at];
		struct frame_meta meta = {flow_number(from, to, s->mac), s->seq, now};

		if (!window_takes(t, from, to))
			break;
		if (n + AHEAD < due)
			guest_tx_prefetch(g, n + AHEAD);
		frame_write(guest_tx_frame(g, n), &t->kind, &t->pair[from * t->n + to], s->mac, &meta);
	}
	if (n)
		guest_tx_send(g, n);
	return n;
}

/* ---- receive ----------------------------------------------------------------------------------------------------- */

static void record_latency(struct traffic *t, uint64_t cycles)
{
	unsigned top = 63 - __builtin_clzll(cycles | 16);

	t->latency[(top - 4) * 16 + (cycles >> (top - 4) & 15)]++;
}

uint64_t traffic_latency(const uint64_t *latency, double share)
{
	uint64_t all = 0, seen = 0, want;

	for (unsigned i = 0; i < TRAFFIC_LATENCIES; i++)
		all += latency[i];
	want = (uint64_t)(share * (double)all);
	for (unsigned i = 0; i < TRAFFIC_LATENCIES; i++) {
		seen += latency[i];
		if (seen > want || (all && seen == all))
			return (16 + i % 16 + 1ull) << (i / 16);
	}
	return 0;
}

/* A flow's frame has come, undamaged: is it the one that is due? */
static void follow(struct traffic *t, unsigned pair, unsigned to, const struct frame_meta *meta)
{
	uint64_t *next = &t->next[(size_t)pair * t->macs + meta->flow % TRAFFIC_MACS];
	uint64_t gap = meta->seq - *next;

	if (__builtin_expect(gap != 0, 0)) {
		if (meta->seq < *next) {
			t->count.misordered++;
			return;
		}
		t->count.lost += gap;
		t->on_way[to] -= gap < t->on_way[to] ? gap : t->on_way[to];
	}
	t->flows_seen += !meta->seq;
	*next = meta->seq + 1;
	t->on_way[to] -= t->on_way[to] != 0;
}

/* Check the frame in `n` pieces; the first one holds the headers and the meta data. */
static void examine(struct traffic *t, unsigned to, const struct guest_piece *piece, unsigned n, uint32_t len,
		    uint64_t now)
{
	const uint8_t *p = piece->p;
	uint32_t body = t->kind.meta + 24, at = 0;
	struct frame_meta meta;
	uint64_t base;
	uint32_t mac;
	unsigned from, sent_to;

	if (__builtin_expect(p[0] & 1 && p[0] != 0x03, 0)) { /* to everybody, and not by frame_write() */
		t->count.announced += p[12] == FRAME_TYPE_ANNOUNCE >> 8; /* the host says other things */
		return;
	}
	if (p[2] != to && !(p[0] & 1)) {
		t->count.astray++;
		return;
	}
	meta = frame_meta(p, &t->kind);
	from = meta.flow >> 26;
	sent_to = p[0] & 1 ? from : to;
	mac = meta.flow % TRAFFIC_MACS;
	if (len != t->kind.len || (meta.flow >> 20 & 63) != sent_to || from >= t->n || mac >= t->macs ||
	    !frame_check_headers(p, &t->kind, &t->pair[from * t->n + sent_to], mac)) {
		t->count.damaged++;
		return;
	}
	base = frame_base(&meta);
	for (unsigned i = 0; i < n; i++) {
		uint32_t skip = i ? 0 : body;

		if (!frame_pattern_check(piece[i].p + skip, base, at, piece[i].n - skip)) {
			t->count.damaged++;
			return;
		}
		at += piece[i].n - skip;
	}
	t->count.received++;
	t->count.bytes += len;
	if (t->paced)
		record_latency(t, now - meta.tsc);
	follow(t, from * t->n + to, to, &meta);
}

static unsigned receive_some(struct traffic *t, unsigned to)
{
	struct guest *g = &t->guest[to];
	unsigned waiting = guest_rx_waiting(g), at = 0, n = 0;
	uint64_t now = __builtin_ia32_rdtsc();

	for (unsigned i = 0; i < AHEAD && i < waiting; i++)
		guest_rx_prefetch(g, i);
	while (at < waiting && n < 2 * t->burst) {
		struct guest_piece piece[PIECES];
		unsigned pieces = 1;
		uint32_t len = 0;

		if (at + AHEAD < waiting)
			guest_rx_prefetch(g, at + AHEAD);
		piece[0].p = guest_rx_frame(g, at, &len);
		piece[0].n = len;
		if (__builtin_expect(!piece[0].p, 0)) {
			pieces = guest_rx_pieces(g, at, piece, PIECES, &len);
			if (!pieces)
				break; /* its last buffers are yet to come, or it is nonsense and nothing will move */
		}
		if (len < FRAME_MIN)
			t->count.damaged++;
		else
			examine(t, to, piece, pieces, len, now);
		at += pieces;
		n++;
	}
	if (n) {
		guest_rx_done(g, at);
		guest_publish(g, &g->rx);
	}
	return n;
}

unsigned traffic_receive(struct traffic *t)
{
	unsigned n = 0;

	for (unsigned to = 0; to < t->n; to++)
		n += receive_some(t, to);
	return n;
}

unsigned traffic_turn(struct traffic *t, unsigned due)
{
	uint64_t busy = t->count.busy;
	unsigned left = 0;

	for (unsigned from = 0; from < t->n; from++) {
		if (!t->sender[from].npair)
			continue;
		if (!t->paced)
			left += send_some(t, from, t->burst);
		else if (due > left)
			left += send_some(t, from, due - left < t->burst ? due - left : t->burst);
	}
	t->count.sent += t->pattern == TRAFFIC_FLOOD ? (uint64_t)left * (t->n - 1) : left;
	t->count.turns++;
	t->count.busy = busy + (t->count.busy != busy); /* one vote a turn, however many are waiting */
	traffic_receive(t);
	return left;
}

void traffic_settle(struct traffic *t)
{
	memset(t->on_way, 0, sizeof(t->on_way));
}
