/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames that tell what became of them. Every byte follows from (sender, receiver, MAC, sequence number, time stamp),
 * is written for each frame, and read and compared by the receiver.
 *
 * Model. A flow is a (sender, receiver, MAC) triple. Guest g has the addresses 02:5b:GG:m for its MACs m = 0, 1, ...
 * (24 bits); flow m of a pair goes from m to m. What guest g sends to everybody goes to the group 03:5b:GG:m. Frames are
 * IPv4 and UDP, or TCP where they are to be segmented. Behind the headers come, aligned to 8: flow, sequence number, TSC
 * at sending, and a pattern that depends on the first two.
 *
 *   offset        0..41 or 53   headers; the UDP or TCP ports hold m too, for switches that hash them
 *   meta + 4      flow          meta is 40 (UDP) or 56 (TCP)
 *   meta + 8      sequence number, meta + 16 TSC
 *   meta + 24     pattern to the end
 */
#ifndef XBAR_BENCH_FRAME_H
#define XBAR_BENCH_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define FRAME_MIN 64
#define FRAME_MAX 65535 /* with 14 bytes of Ethernet: an mbuf's data room bounds it for some switches */
#define FRAME_TCP_HDR 54
#define FRAME_TYPE_ANNOUNCE 0x88b5 /* local experimental: shows a MAC to the switch */

struct frame_kind {
	uint32_t len; /* Ethernet header to end */
	uint32_t meta;
	bool tcp;
};

struct frame_pair { /* what all frames of a (sender, receiver) have in common: their first eight words */
	uint64_t word[8];
};

struct frame_meta {
	uint32_t flow;
	uint64_t seq, tsc;
};

struct frame_kind frame_kind(uint32_t len, bool tcp);
/* What `from` sends to `to`; to everybody where they are the same. */
void frame_pair(struct frame_pair *pair, const struct frame_kind *kind, unsigned from, unsigned to);
/* A frame of 64 bytes to everybody, from MAC `mac` of guest `from`. */
void frame_announce(uint8_t *p, unsigned from, uint32_t mac);

void frame_pattern_write(uint8_t *p, uint64_t base, uint32_t n);
/* Do the n bytes at p hold the pattern from its byte `at` on? */
bool frame_pattern_check(const uint8_t *p, uint64_t base, uint32_t at, uint32_t n);

static inline uint64_t frame_base(const struct frame_meta *m)
{
	return (m->seq + 1) * 0x9e3779b97f4a7c15 + ((uint64_t)m->flow << 40);
}

/* Word i of the frame's headers: the pair's, with the MAC's number in both addresses and in the ports. */
static inline uint64_t frame_word(const struct frame_pair *pair, unsigned i, uint32_t mac)
{
	switch (i) {
	case 0: /* bytes 3 to 5 */
		return pair->word[0] ^ (uint64_t)mac << 24;
	case 1: /* bytes 9 to 11 */
		return pair->word[1] ^ (uint64_t)mac << 8;
	case 4: /* bytes 34 to 36: source port, and half of the other */
		return pair->word[4] ^ (uint64_t)mac << 16;
	default:
		return pair->word[i];
	}
}

static inline uint64_t frame_load(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

static inline void frame_store(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, 8);
}

#define FRAME_META_UDP 40
#define FRAME_META_TCP 56

/* For numbers of words that the compiler knows: all of a short frame's work is here. */
#define FRAME_KNOWN static inline __attribute__((always_inline))

FRAME_KNOWN void frame_write_head(uint8_t *p, unsigned meta, const struct frame_pair *pair, uint32_t mac, uint32_t flow)
{
#pragma GCC unroll 8
	for (unsigned i = 0; i < meta / 8; i++)
		frame_store(p + 8 * i, frame_word(pair, i, mac));
	frame_store(p + meta, pair->word[meta / 8] | (uint64_t)flow << 32);
}

static inline void frame_write(uint8_t *p, const struct frame_kind *k, const struct frame_pair *pair, uint32_t mac,
			       const struct frame_meta *m)
{
	if (k->tcp)
		frame_write_head(p, FRAME_META_TCP, pair, mac, m->flow);
	else
		frame_write_head(p, FRAME_META_UDP, pair, mac, m->flow);
	frame_store(p + k->meta + 8, m->seq);
	frame_store(p + k->meta + 16, m->tsc);
	if (k->len > k->meta + 24)
		frame_pattern_write(p + k->meta + 24, frame_base(m), k->len - k->meta - 24);
}

/* The meta data of a frame that was received, before it is believed. At least meta + 24 bytes are at p. */
static inline struct frame_meta frame_meta(const uint8_t *p, const struct frame_kind *k)
{
	return (struct frame_meta){(uint32_t)(frame_load(p + k->meta) >> 32), frame_load(p + k->meta + 8),
				   frame_load(p + k->meta + 16)};
}

FRAME_KNOWN uint64_t frame_head_wrong(const uint8_t *p, unsigned meta, const struct frame_pair *pair, uint32_t mac)
{
	uint64_t wrong = (uint32_t)(frame_load(p + meta) ^ pair->word[meta / 8]);

#pragma GCC unroll 8
	for (unsigned i = 0; i < meta / 8; i++)
		wrong |= (frame_load(p + 8 * i) ^ frame_word(pair, i, mac)) & (i == 6 ? ~0xffff0000ull : ~0ull);
	return wrong;
}

/*
 * Are the headers those of the flow? The checksum of a frame that is to be segmented is only begun: with the segment's
 * length in it or without, as the switch likes.
 */
static inline bool frame_check_headers(const uint8_t *p, const struct frame_kind *k, const struct frame_pair *pair,
				       uint32_t mac)
{
	return !(k->tcp ? frame_head_wrong(p, FRAME_META_TCP, pair, mac)
			: frame_head_wrong(p, FRAME_META_UDP, pair, mac));
}

#endif
