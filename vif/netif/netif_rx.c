/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a guest receives. A frame takes one posted page for every 4096 bytes, and one slot, whose page goes unused, for
 * every extra-info; its slots follow on each other, and each response goes where its request was.
 *
 * Responses are written when the hypervisor has made the copies of the whole burst, since they say how those went.
 */
#include "netif_ring.h"

#include "vif/grant.h"

struct out { /* a slot used, and what is to be answered in it */
	bool extra;
	uint8_t frame; /* index in the burst */
	uint16_t id;
	uint16_t flags;
	int16_t size;
	struct netif_extra_info info;
};

struct cursor { /* how far a frame has been copied: its head first, then its segments */
	const struct vif_frame *frame;
	int seg; /* -1: the head */
	uint32_t at;
};

/* Are there `need` requests from rsp_prod on? */
static bool posted(struct netif_rx *rx, uint32_t need)
{
	uint32_t n = rx->req_seen - rx->rsp_prod;

	if (n >= need)
		return true;
	rx->req_seen = __atomic_load_n(&rx->ring->req_prod, __ATOMIC_ACQUIRE);
	n = rx->req_seen - rx->rsp_prod;
	if (__builtin_expect(n > NETIF_RING_SIZE, 0)) {
		rx->req_seen = rx->rsp_prod;
		rx->broken = "the receive ring's request index ran ahead by more than the ring holds";
		return false;
	}
	return n >= need;
}

static inline struct netif_rx_request fetch(const struct netif_rx *rx, uint32_t idx)
{
	const volatile uint64_t *from = (const volatile uint64_t *)&rx->ring->ring[idx % NETIF_RING_SIZE].req;
	uint64_t word = *from;
	struct netif_rx_request req;

	_Static_assert(sizeof(req) == sizeof(word), "a request is one word");
	memcpy(&req, &word, sizeof(req));
	return req;
}

/* What takes the place of a request. One store, behind those before: give_back() */
static inline void store(struct netif_rx *rx, uint32_t idx, const void *response)
{
	volatile uint64_t *to = (volatile uint64_t *)&rx->ring->ring[idx % NETIF_RING_SIZE].rsp;
	uint64_t word;

	_Static_assert(sizeof(struct netif_rx_response) == sizeof(word), "a response is one word");
	_Static_assert(sizeof(struct netif_extra_info) == sizeof(word), "an extra-info is one word");
	memcpy(&word, response, sizeof(word));
	*to = word;
}

/*
 * A backend that was killed among its answers has written some that it did not publish, over what would be read as
 * requests now: by an extra-info's to whatever the guest has granted as number 1 or 2. They are written in order, and one
 * of a frame's first page, read as a request, has a grant beyond all tables. Then nothing of the ring is believed: each
 * buffer is given back as it is.
 */
static void give_back(struct netif_rx *rx, uint32_t req)
{
	struct netif_rx_request slot = fetch(rx, rx->rsp_prod);
	int16_t status = (int16_t)(slot.gref >> 16);

	if (req == rx->rsp_prod || slot.pad || (slot.gref & 0xffff) >= 1 << 5 ||
	    (status != NETIF_RSP_ERROR && (status < 14 || status > (int)GRANT_PAGE)))
		return;
	for (; rx->rsp_prod != req; rx->rsp_prod++) {
		struct netif_rx_response rsp = {.status = NETIF_RSP_ERROR};

		rsp.id = fetch(rx, rx->rsp_prod).id;
		store(rx, rx->rsp_prod, &rsp);
	}
	__atomic_store_n(&rx->ring->rsp_prod, req, __ATOMIC_RELEASE);
}

bool netif_rx_begin(struct netif_rx *rx)
{
	uint32_t req = __atomic_load_n(&rx->ring->req_prod, __ATOMIC_ACQUIRE);

	rx->rsp_prod = __atomic_load_n(&rx->ring->rsp_prod, __ATOMIC_ACQUIRE);
	if (req - rx->rsp_prod > NETIF_RING_SIZE)
		return false;
	if (rx->rsp_prod) /* else there was none before us */
		give_back(rx, req);
	rx->req_seen = rx->signalled = rx->rsp_prod;
	return true;
}

/* Copy up to a page of the frame, from the cursor on, into a page of the receiver's. Returns how much. */
static uint32_t fill(struct cursor *c, unsigned tag, struct vif_grant dst, uint8_t *va)
{
	const struct vif_frame *f = c->frame;
	uint32_t done = 0;

	while (done < GRANT_PAGE && c->seg < (int)f->nseg) {
		bool in_head = c->seg < 0;
		const uint8_t *src = in_head ? f->head : f->seg[c->seg].va;
		uint32_t len = (in_head ? f->head_len : f->seg[c->seg].len) - c->at, n = len;

		if (n > GRANT_PAGE - done)
			n = GRANT_PAGE - done;
		dst.offset = done;
		if (!in_head && f->seg[c->seg].granted && !(va && src)) {
			struct vif_grant from = f->grant[c->seg];

			/* memory of a grant is nothing that the kernel would pin: tell both by their grants */
			from.offset += c->at;
			grant_copy_across(tag, &dst, &from, n);
		} else if (va) {
			memmove(va + done, src + c->at, n); /* a guest may have given one page for both */
		} else {
			grant_copy_out(tag, &dst, src + c->at, n);
		}
		done += n;
		c->at += n;
		if (n == len) {
			c->seg++;
			c->at = 0;
		}
	}
	return done;
}

/* The extra-infos that go with a frame; returns how many. */
static unsigned extras_of(const struct netif_rx *rx, const struct vif_frame *f, struct netif_extra_info info[2])
{
	unsigned n = 0;

	if (f->off.gso_size) {
		memset(&info[n], 0, sizeof(info[n]));
		info[n].type = XEN_NETIF_EXTRA_TYPE_GSO;
		info[n].u.gso.size = f->off.gso_size;
		info[n].u.gso.type = f->off.needs & VIF_CAP_TSO6 ? XEN_NETIF_GSO_TYPE_TCPV6 : XEN_NETIF_GSO_TYPE_TCPV4;
		n++;
	}
	if (rx->hash) {
		int type;
		uint32_t value = netif_hash_frame(rx->hash, f, &type);

		if (type >= 0) {
			memset(&info[n], 0, sizeof(info[n]));
			info[n].type = XEN_NETIF_EXTRA_TYPE_HASH;
			info[n].u.hash.type = type;
			info[n].u.hash.algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ;
			memcpy(info[n].u.hash.value, &value, 4); /* the least significant octet first, as x86 has it */
			n++;
		}
	}
	if (n == 2)
		info[0].flags = XEN_NETIF_EXTRA_FLAG_MORE;
	return n;
}

/* Use `pages` + `extras` posted slots, which are there, for frame `i`. */
static void put(struct netif_rx *rx, const struct vif_frame *f, unsigned i, unsigned pages, unsigned extras,
		const struct netif_extra_info *info, struct out *out)
{
	struct cursor cursor = {.frame = f, .seg = -1};

	for (unsigned k = 0; k < pages + extras; k++, out++, rx->rsp_prod++) {
		const struct netif_staged_page *page = NULL;
		struct netif_rx_request req;
		unsigned data;

		if (k && k <= extras) {
			*out = (struct out){.extra = true, .frame = i, .info = info[k - 1]};
			continue;
		}
		data = k ? k - extras : 0;
		req = fetch(rx, rx->rsp_prod);
		if (rx->staged)
			page = netif_staged_find(rx->staged, req.gref);
		*out = (struct out){.frame = i, .id = req.id, .flags = data + 1 < pages ? NETRXF_more_data : 0};
		out->size = fill(&cursor, i, (struct vif_grant){req.gref, 0, rx->domid},
				 page && page->writable ? page->va : NULL);
		if (k)
			continue;
		if (extras)
			out->flags |= NETRXF_extra_info;
		if (f->off.needs & VIF_CAP_CSUM)
			out->flags |= NETRXF_csum_blank | NETRXF_data_validated;
		else if (f->off.csum_valid)
			out->flags |= NETRXF_data_validated;
	}
}

static void answer(struct netif_rx *rx, uint32_t from, const struct out *out, uint64_t bad)
{
	for (uint32_t idx = from; idx != rx->rsp_prod; idx++, out++) {
		struct netif_rx_response rsp = {.id = out->id, .flags = out->flags, .status = out->size};

		if (bad & 1ull << out->frame)
			rsp.status = NETIF_RSP_ERROR;
		store(rx, idx, out->extra ? (const void *)&out->info : &rsp);
	}
	__atomic_store_n(&rx->ring->rsp_prod, rx->rsp_prod, __ATOMIC_RELEASE);
}

struct burst { /* under way */
	uint32_t from; /* its first slot */
	uint64_t skip; /* frames, by index, that are done with: dropped and counted */
	uint64_t put; /* those that have slots */
	struct out out[NETIF_RING_SIZE];
};

/* Give slots to frames, and queue their copies. Returns how many frames there was room for. */
static unsigned put_all(struct netif_rx *rx, struct vif_frame *const *frames, unsigned n, struct burst *b,
			struct vif_counters *count)
{
	unsigned i;

	rx->rsp_prod = b->from;
	b->put = 0;
	for (i = 0; i < n && i < VIF_BURST; i++) {
		const struct vif_frame *f = frames[i];
		unsigned pages = (f->len + GRANT_PAGE - 1) / GRANT_PAGE, extras, used = rx->rsp_prod - b->from;
		struct netif_extra_info info[2];

		if (__builtin_expect(b->skip & 1ull << i || f->failed, 0))
			continue;
		if (__builtin_expect(f->head[0] & 1, 0) && !netif_mcast_wants(rx->mcast, f->head)) {
			count->drop[VIF_TX_FILTERED]++;
			b->skip |= 1ull << i;
			continue;
		}
		if (pages > 1 && !rx->sg) {
			count->drop[VIF_TX_TOO_BIG]++;
			b->skip |= 1ull << i;
			continue;
		}
		extras = extras_of(rx, f, info);
		if (used + pages + extras > NETIF_RING_SIZE || !posted(rx, pages + extras))
			break;
		put(rx, f, i, pages, extras, info, b->out + used);
		b->put |= 1ull << i;
	}
	return i;
}

unsigned netif_rx_deliver(struct netif_rx *rx, struct vif_frame *const *frames, unsigned n, struct vif_counters *count)
{
	struct grant_result result;
	struct burst b;
	unsigned i;

	b.from = rx->rsp_prod;
	b.skip = 0;
	for (bool again = false;; again = true) {
		i = put_all(rx, frames, n, &b, count);
		if (!b.put)
			return i;
		result = grant_flush();
		count->grant_copies += result.copies;
		for (unsigned k = 0; k < i && result.bad_src; k++)
			if (result.bad_src & 1ull << k)
				frames[k]->failed = true;
		if (__builtin_expect(!result.bad_src || again, 1))
			break;
		/* a sender's fault is nothing to tell the receiver of: the same once more without its frames */
		b.skip |= result.bad_src;
	}
	for (unsigned k = 0; k < i; k++) {
		if (!(b.put & 1ull << k))
			continue;
		if (__builtin_expect((result.bad_src | result.bad_dst) & 1ull << k, 0)) {
			count->drop[VIF_TX_BAD_GRANT] += !(result.bad_src & 1ull << k);
			continue;
		}
		count->tx_frames++;
		count->tx_bytes += frames[k]->len;
		count->tx_gso += frames[k]->off.gso_size != 0;
		if (frames[k]->len > count->tx_max)
			count->tx_max = frames[k]->len;
	}
	answer(rx, b.from, b.out, result.bad_src | result.bad_dst);
	return i;
}

bool netif_rx_wants_signal(struct netif_rx *rx)
{
	uint32_t new = rx->rsp_prod, old = rx->signalled;

	rx->signalled = new;
	return new - __atomic_load_n(&rx->ring->rsp_event, __ATOMIC_RELAXED) < new - old;
}
