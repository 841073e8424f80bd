/* SPDX-License-Identifier: BSD-3-Clause */
#include "frame.h"

#define STEP 0xd1342543de82ef95u /* odd: no two words of a pattern are equal */
#ifdef __SANITIZE_THREAD__ /* its entry points are not there yet when the linker asks for the version */
#define WIDE
#else
#define WIDE __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#endif

struct frame_kind frame_kind(uint32_t len, bool tcp)
{
	return (struct frame_kind){len, tcp ? FRAME_META_TCP : FRAME_META_UDP, tcp};
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static uint32_t sum16(const uint8_t *p, unsigned n)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < n; i += 2)
		sum += (unsigned)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void put_mac(uint8_t *p, unsigned guest)
{
	p[0] = 0x02;
	p[1] = 0x5b;
	p[2] = guest;
}

void frame_pair(struct frame_pair *pair, const struct frame_kind *kind, unsigned from, unsigned to)
{
	uint8_t h[64] = {0}, *ip = h + 14, *l4 = h + 34;

	put_mac(h, to);
	h[0] |= from == to;
	put_mac(h + 6, from);
	put16(h + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, kind->len - 14);
	ip[6] = 0x40; /* don't fragment */
	ip[8] = 64;
	ip[9] = kind->tcp ? 6 : 17;
	memcpy(ip + 12, (uint8_t[8]){10, 0, 1, from + 1, 10, 0, 1, to + 1}, 8);
	put16(ip + 10, ~sum16(ip, 20));
	put16(l4 + 2, 9);
	if (kind->tcp) {
		uint8_t pseudo[12] = {0};

		l4[12] = 5 << 4;
		l4[13] = 0x10; /* ACK */
		put16(l4 + 14, 0xffff);
		memcpy(pseudo, ip + 12, 8);
		pseudo[9] = 6;
		put16(pseudo + 10, kind->len - 34);
		put16(l4 + 16, sum16(pseudo, 12)); /* the device, or the receiver, adds the rest */
	} else {
		put16(l4 + 4, kind->len - 34); /* and no checksum */
	}
	memcpy(pair->word, h, sizeof(h));
}

void frame_announce(uint8_t *p, unsigned from, uint32_t mac)
{
	memset(p, 0, FRAME_MIN);
	memset(p, 0xff, 6);
	put_mac(p + 6, from);
	memcpy(p + 9, &mac, 3);
	put16(p + 12, FRAME_TYPE_ANNOUNCE);
}

WIDE static void pattern_write(uint8_t *p, uint64_t base, uint32_t n)
{
	uint32_t words = n / 8;
	uint64_t last = base + words * STEP;

	for (uint32_t i = 0; i < words; i++)
		frame_store(p + 8 * (size_t)i, base + i * STEP);
	memcpy(p + 8 * (size_t)words, &last, n % 8);
}

void frame_pattern_write(uint8_t *p, uint64_t base, uint32_t n)
{
	pattern_write(p, base, n);
}

static bool bytes_check(const uint8_t *p, uint64_t base, uint32_t at, uint32_t n)
{
	for (; n; n--, p++, at++)
		if (*p != (uint8_t)((base + at / 8 * STEP) >> (at % 8 * 8)))
			return false;
	return true;
}

WIDE static uint64_t words_wrong(const uint8_t *p, uint64_t base, uint32_t words)
{
	uint64_t wrong = 0;

	for (uint32_t i = 0; i < words; i++)
		wrong |= frame_load(p + 8 * (size_t)i) ^ (base + i * STEP);
	return wrong;
}

bool frame_pattern_check(const uint8_t *p, uint64_t base, uint32_t at, uint32_t n)
{
	uint32_t head = -at % 8, words;

	if (head > n)
		head = n;
	if (!bytes_check(p, base, at, head))
		return false;
	words = (n - head) / 8;
	if (words_wrong(p + head, base + (at + head) / 8 * STEP, words))
		return false;
	return bytes_check(p + head + 8 * (size_t)words, base, at + head + 8 * words, (n - head) % 8);
}
