/* SPDX-License-Identifier: BSD-3-Clause */
/* What netif needs to know of a frame's headers, which its rings do not tell: checksums, hashes, multicast groups. */
#include "netif_ring.h"

#define ETH_IPV4 0x0800
#define ETH_IPV6 0x86dd
#define ETH_VLAN 0x8100
#define ETH_QINQ 0x88a8
#define PROTO_TCP 6

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* Step over IPv6 extension headers (RFC 8200, 4). false: they do not end within the `n` bytes. */
static bool skip_extensions(const uint8_t *p, unsigned n, struct netif_headers *h)
{
	unsigned at = h->l3 + 40u;

	for (;;) {
		unsigned len;

		switch (h->proto) {
		case 0: /* hop-by-hop options */
		case 43: /* routing */
		case 60: /* destination options */
			if (at + 2 > n)
				return false;
			len = 8 + p[at + 1] * 8u;
			break;
		case 44: /* fragment: all but a whole one in one */
			if (at + 8 > n)
				return false;
			h->fragment |= (get16(p + at + 2) & 0xfff9) != 0;
			len = 8;
			break;
		case 51: /* authentication */
			if (at + 2 > n)
				return false;
			len = 8 + p[at + 1] * 4u;
			break;
		default:
			h->l4 = at;
			return at <= n;
		}
		h->proto = p[at];
		at += len;
	}
}

bool netif_headers(const uint8_t *p, unsigned n, struct netif_headers *h)
{
	unsigned at = 12, type;

	*h = (struct netif_headers){0};
	while (at + 6 <= n && at <= 16 && (get16(p + at) == ETH_VLAN || get16(p + at) == ETH_QINQ)) {
		at += 4;
		h->tagged = true;
	}
	if (at + 2 > n)
		return false;
	type = get16(p + at);
	h->l3 = at + 2;
	h->v6 = type == ETH_IPV6;
	if (type == ETH_IPV4) {
		if (h->l3 + 20u > n || p[h->l3] >> 4 != 4 || (p[h->l3] & 15) < 5)
			return false;
		h->proto = p[h->l3 + 9];
		h->fragment = get16(p + h->l3 + 6) & 0x3fff; /* more fragments, or an offset */
		h->l4 = h->l3 + (p[h->l3] & 15) * 4u;
		return h->l4 <= n;
	}
	if (!h->v6 || h->l3 + 40u > n || p[h->l3] >> 4 != 6)
		return false;
	h->proto = p[h->l3 + 6];
	return skip_extensions(p, n, h);
}

/* ---- multicast filter -------------------------------------------------------------------------------------------- */

static uint64_t mac_word(const uint8_t mac[6])
{
	uint64_t word = 0;

	memcpy(&word, mac, 6);
	return word;
}

static void lock(struct netif_mcast *mcast)
{
	while (__atomic_test_and_set(&mcast->lock, __ATOMIC_ACQUIRE))
		;
}

/* The slot of a group, or where it can go; NETIF_GROUPS_MAX: the list is full. */
static unsigned slot_of(const struct netif_mcast *mcast, uint64_t word)
{
	unsigned free_slot = mcast->n;

	for (unsigned i = 0; i < mcast->n; i++) {
		if (mcast->group[i] == word)
			return i;
		if (!mcast->group[i])
			free_slot = i;
	}
	return free_slot;
}

bool netif_mcast_add(struct netif_mcast *mcast, const uint8_t mac[6])
{
	uint64_t word = mac_word(mac);
	unsigned i;

	lock(mcast);
	i = slot_of(mcast, word);
	if (i < NETIF_GROUPS_MAX) {
		__atomic_store_n(&mcast->group[i], word, __ATOMIC_RELAXED);
		if (i == mcast->n)
			__atomic_store_n(&mcast->n, i + 1, __ATOMIC_RELEASE);
	}
	__atomic_clear(&mcast->lock, __ATOMIC_RELEASE);
	return i < NETIF_GROUPS_MAX;
}

bool netif_mcast_del(struct netif_mcast *mcast, const uint8_t mac[6])
{
	uint64_t word = mac_word(mac);
	bool found;
	unsigned i;

	lock(mcast);
	i = slot_of(mcast, word);
	found = i < mcast->n && mcast->group[i] == word;
	if (found)
		__atomic_store_n(&mcast->group[i], 0, __ATOMIC_RELAXED);
	__atomic_clear(&mcast->lock, __ATOMIC_RELEASE);
	return found;
}

bool netif_mcast_wants(const struct netif_mcast *mcast, const uint8_t mac[6])
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint64_t word = mac_word(mac);
	unsigned n;

	if (!(mac[0] & 1) || !__atomic_load_n(&mcast->on, __ATOMIC_RELAXED) || !memcmp(mac, broadcast, 6))
		return true;
	n = __atomic_load_n(&mcast->n, __ATOMIC_ACQUIRE);
	for (unsigned i = 0; i < n; i++)
		if (__atomic_load_n(&mcast->group[i], __ATOMIC_RELAXED) == word)
			return true;
	return false;
}

/* ---- hash -------------------------------------------------------------------------------------------------------- */

/* Toeplitz (netif.h, "Hash algorithms"); octets of the key beyond its end are 0. */
static uint32_t toeplitz(const uint8_t *key, const uint8_t *in, unsigned n)
{
	uint64_t window = 0;
	uint32_t value = 0;
	unsigned at = 0;

	for (; at < 8; at++)
		window = window << 8 | key[at];
	for (unsigned i = 0; i < n; i++) {
		for (int bit = 7; bit >= 0; bit--) {
			if (in[i] >> bit & 1)
				value ^= window >> 32;
			window <<= 1;
		}
		window |= at < NETIF_HASH_KEY_MAX ? key[at] : 0;
		at++;
	}
	return value;
}

uint32_t netif_hash_frame(const struct netif_hash *hash, const struct vif_frame *frame, int *type)
{
	struct netif_headers h;
	uint8_t in[36];
	unsigned n;

	*type = -1;
	if (hash->algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ || !hash->flags ||
	    !netif_headers(frame->head, frame->head_len, &h))
		return 0;
	n = h.v6 ? 32 : 8;
	memcpy(in, frame->head + h.l3 + (h.v6 ? 8 : 12), n);
	if (h.proto == PROTO_TCP && !h.fragment && h.l4 + 4u <= frame->head_len) {
		int with_ports = h.v6 ? _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP : _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP;

		if (hash->flags & 1u << with_ports) {
			memcpy(in + n, frame->head + h.l4, 4);
			*type = with_ports;
			return toeplitz(hash->key, in, n + 4);
		}
	}
	*type = h.v6 ? _XEN_NETIF_CTRL_HASH_TYPE_IPV6 : _XEN_NETIF_CTRL_HASH_TYPE_IPV4;
	if (!(hash->flags & 1u << *type)) {
		*type = -1;
		return 0;
	}
	return toeplitz(hash->key, in, n);
}
