/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a guest sends. A frame's first request carries the whole frame's size, and what the first buffer holds is what is
 * left when the sizes of the others are taken off it.
 *
 * The hypervisor copies the beginnings of all frames of a burst at once, so a burst is gone through twice: requests
 * first, then headers.
 */
#include "netif_ring.h"

#include "vif/grant.h"

struct request { /* a frame's requests, in private memory */
	unsigned slots; /* all of them, extra-infos too: what is to be answered */
	unsigned frags;
	uint32_t len;
	uint16_t flags;
	struct vif_grant grant[NETIF_SLOTS_MAX];
	uint16_t size[NETIF_SLOTS_MAX];
	struct netif_extra_info extra[XEN_NETIF_EXTRA_TYPE_MAX]; /* by type; type 0: not given */
};

struct pending { /* what describe() needs of a frame when its first bytes are there */
	uint16_t flags;
	uint16_t gso_size;
	uint8_t gso_type;
};

/* The last word of a switch over what a frame's requests say. */
enum verdict { GOOD, AUXILIARY, DROP, BROKEN };

static enum verdict broken(struct netif_tx *tx, const char *why)
{
	tx->broken = why;
	return BROKEN;
}

/* The request at `idx`, fetched once. */
static inline struct netif_tx_request fetch(const struct netif_tx *tx, uint32_t idx)
{
	const volatile uint32_t *from = (const volatile uint32_t *)&tx->ring->ring[idx % NETIF_RING_SIZE].req;
	uint32_t word[3] = {from[0], from[1], from[2]};
	struct netif_tx_request req;

	_Static_assert(sizeof(req) == sizeof(word), "a request is three words");
	memcpy(&req, word, sizeof(req));
	return req;
}

/* One store, behind those before: finish() */
static inline void answer(struct netif_tx *tx, uint32_t idx, uint16_t id, int16_t status)
{
	volatile uint32_t *to = (volatile uint32_t *)&tx->ring->ring[idx % NETIF_RING_SIZE].rsp;
	struct netif_tx_response rsp = {.id = id, .status = status};
	uint32_t word;

	_Static_assert(sizeof(rsp) == sizeof(word), "an answer is one word");
	memcpy(&word, &rsp, sizeof(word));
	*to = word;
}

/*
 * A backend that was killed among its answers has written some that it did not publish, over what would be read as
 * requests now. They are written in order, and leave a request all but its gref, of which the answer makes its id and a
 * status; of an extra-info the flags (read_extras). From `idx` to `req`: the end of the frames that are answered. One whose
 * grant is by chance the number of its id is taken for answered, and lost.
 */
static uint32_t finish(struct netif_tx *tx, uint32_t idx, uint32_t req)
{
	while (idx != req) {
		struct netif_tx_request slot = fetch(tx, idx);
		int16_t status = (int16_t)(slot.gref >> 16);
		struct netif_extra_info extra = {.flags = XEN_NETIF_EXTRA_FLAG_MORE};
		bool extras = slot.flags & NETTXF_extra_info;
		uint32_t end = idx + 1;

		if ((uint16_t)slot.gref != slot.id || (status != NETIF_RSP_OKAY && status != NETIF_RSP_ERROR))
			return idx;
		for (; extras && extra.flags & XEN_NETIF_EXTRA_FLAG_MORE && end != req; end++) {
			struct netif_tx_request raw = fetch(tx, end);

			memcpy(&extra, &raw, sizeof(extra));
			answer(tx, end, 0, NETIF_RSP_NULL);
		}
		for (; slot.flags & NETTXF_more_data && end != req; end++) {
			slot = fetch(tx, end);
			answer(tx, end, slot.id, status);
		}
		idx = end;
	}
	return idx;
}

bool netif_tx_begin(struct netif_tx *tx)
{
	uint32_t req = __atomic_load_n(&tx->ring->req_prod, __ATOMIC_ACQUIRE), rsp;

	rsp = __atomic_load_n(&tx->ring->rsp_prod, __ATOMIC_ACQUIRE);
	if (req - rsp > NETIF_RING_SIZE)
		return false;
	tx->rsp_prod = tx->req_seen = tx->signalled = rsp ? finish(tx, rsp, req) : rsp; /* 0: it is the first one */
	__atomic_store_n(&tx->ring->rsp_prod, tx->rsp_prod, __ATOMIC_RELEASE);
	return true;
}

/* Requests from rsp_prod on. All that peek() looked at before has been released, or is looked at again. */
static uint32_t waiting(struct netif_tx *tx)
{
	uint32_t n = tx->req_seen - tx->rsp_prod;

	if (n)
		return n;
	tx->req_seen = __atomic_load_n(&tx->ring->req_prod, __ATOMIC_ACQUIRE);
	n = tx->req_seen - tx->rsp_prod;
	if (__builtin_expect(n > NETIF_RING_SIZE, 0)) {
		tx->req_seen = tx->rsp_prod;
		broken(tx, "the transmit ring's request index ran ahead by more than the ring holds");
		return 0;
	}
	return n;
}

static enum verdict read_extras(struct netif_tx *tx, uint32_t idx, uint32_t left, struct request *r)
{
	struct netif_tx_request raw;
	struct netif_extra_info extra;

	do {
		if (r->slots == left)
			return broken(tx, "an extra-info is announced and not there");
		tx->slot[(idx + r->slots) % NETIF_RING_SIZE].status = NETIF_RSP_NULL;
		raw = fetch(tx, idx + r->slots++);
		memcpy(&extra, &raw, sizeof(extra));
		tx->slot[(idx + r->slots - 1) % NETIF_RING_SIZE].id = (uint16_t)(extra.flags << 8); /* finish() */
		if (!extra.type || extra.type >= XEN_NETIF_EXTRA_TYPE_MAX)
			return broken(tx, "an extra-info is of no known type");
		r->extra[extra.type] = extra;
	} while (extra.flags & XEN_NETIF_EXTRA_FLAG_MORE);
	return GOOD;
}

/* Read the requests of the frame at `idx`, of which `left` slots are announced. */
static enum verdict read_frame(struct netif_tx *tx, uint32_t idx, uint32_t left, struct request *r)
{
	struct netif_tx_request req = fetch(tx, idx), first = req;
	uint32_t rest = 0;

	r->slots = r->frags = 1;
	r->flags = req.flags;
	r->len = req.size;
	for (unsigned i = 0; i < XEN_NETIF_EXTRA_TYPE_MAX; i++)
		r->extra[i].type = 0;
	tx->slot[idx % NETIF_RING_SIZE].id = req.id;
	tx->slot[idx % NETIF_RING_SIZE].status = NETIF_RSP_OKAY;
	if (req.flags & NETTXF_extra_info && read_extras(tx, idx, left, r) == BROKEN)
		return BROKEN;
	if (r->extra[XEN_NETIF_EXTRA_TYPE_MCAST_ADD].type || r->extra[XEN_NETIF_EXTRA_TYPE_MCAST_DEL].type)
		return AUXILIARY;
	while (req.flags & NETTXF_more_data) {
		if (r->slots == left)
			return broken(tx, "a frame has fewer slots than its flags announce");
		req = fetch(tx, idx + r->slots);
		tx->slot[(idx + r->slots) % NETIF_RING_SIZE].id = req.id;
		tx->slot[(idx + r->slots) % NETIF_RING_SIZE].status = NETIF_RSP_OKAY;
		r->slots++;
		if (req.offset + (uint32_t)req.size > GRANT_PAGE)
			return broken(tx, "a transmit buffer crosses the end of its page");
		rest += req.size;
		if (r->frags < NETIF_SLOTS_MAX) {
			r->grant[r->frags] = (struct vif_grant){req.gref, req.offset, tx->domid};
			r->size[r->frags] = req.size;
		}
		r->frags++;
	}
	if (rest > r->len || r->frags > NETIF_SLOTS_MAX)
		return DROP;
	if (first.offset + r->len - rest > GRANT_PAGE)
		return broken(tx, "a transmit buffer crosses the end of its page");
	r->grant[0] = (struct vif_grant){first.gref, first.offset, tx->domid};
	r->size[0] = r->len - rest;
	return r->len < 14 ? DROP : GOOD;
}

static enum verdict read_gso(struct netif_tx *tx, const struct request *r, struct pending *p)
{
	const struct netif_extra_info *gso = &r->extra[XEN_NETIF_EXTRA_TYPE_GSO];

	*p = (struct pending){.flags = r->flags};
	if (!gso->type)
		return GOOD;
	if (!gso->u.gso.size)
		return broken(tx, "a segment size of 0 is asked for");
	if (gso->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV4 && gso->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV6)
		return broken(tx, "a segmentation type that is not known is asked for");
	p->gso_size = gso->u.gso.size;
	p->gso_type = gso->u.gso.type;
	return GOOD;
}

/* Queue the copies of a frame's first bytes, and describe the rest. The burst has room for it. */
static void describe(const struct netif_tx *tx, const struct request *r, struct vif_burst *burst, unsigned i)
{
	struct vif_frame *frame = &burst->frame[i];
	const uint8_t *va[NETIF_SLOTS_MAX];
	bool mapped = tx->staged != NULL;
	uint32_t head_done = 0;

	for (unsigned k = 0; mapped && k < r->frags; k++) {
		const struct netif_staged_page *page = netif_staged_find(tx->staged, r->grant[k].gref);

		mapped = page;
		va[k] = page ? page->va + r->grant[k].offset : NULL;
	}
	frame->len = r->len;
	frame->head_len = r->len < VIF_HEAD_LEN ? r->len : VIF_HEAD_LEN;
	frame->seg = &burst->seg[burst->nseg];
	frame->grant = &burst->grant[burst->nseg];
	for (unsigned k = 0; k < r->frags; k++) {
		uint32_t n = frame->head_len - head_done < r->size[k] ? frame->head_len - head_done : r->size[k];

		if (mapped)
			memcpy(frame->head + head_done, va[k], n);
		else
			grant_copy_in(i, frame->head + head_done, &r->grant[k], n);
		head_done += n;
		if (n == r->size[k])
			continue;
		burst->grant[burst->nseg] = r->grant[k];
		burst->grant[burst->nseg].offset += n;
		burst->seg[burst->nseg++] =
			(struct vif_seg){.va = mapped ? va[k] + n : NULL, .len = r->size[k] - n, .granted = true};
	}
	frame->nseg = &burst->seg[burst->nseg] - frame->seg;
}

/* The Internet checksum's pseudo header sum, not complemented, as a sender leaves it in the checksum field. */
static uint16_t pseudo_sum(const uint8_t *p, const struct netif_headers *h, uint32_t len)
{
	const uint8_t *addr = p + h->l3 + (h->v6 ? 8 : 12);
	uint32_t sum = h->proto + (len >> 16) + (len & 0xffff);

	for (unsigned i = 0; i < (h->v6 ? 32 : 8); i += 2)
		sum += (uint32_t)addr[i] << 8 | addr[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Flags and extra-info to offload metadata. netif does not say where a checksum starts and goes. false: malformed. */
static bool parse_offload(struct vif_frame *frame, const struct pending *p)
{
	struct netif_headers h;
	uint16_t sum;

	frame->off = (struct vif_offload){.csum_valid = p->flags & NETTXF_data_validated};
	if (!(p->flags & NETTXF_csum_blank) && !p->gso_size)
		return true;
	if (!netif_headers(frame->head, frame->head_len, &h) || h.fragment || !netif_csum_offset(h.proto))
		return false;
	frame->off.csum_valid = false;
	frame->off.needs = VIF_CAP_CSUM;
	frame->off.csum_start = h.l4;
	frame->off.csum_offset = netif_csum_offset(h.proto);
	if ((uint32_t)h.l4 + frame->off.csum_offset + 2 > frame->head_len)
		return false;
	if (!p->gso_size)
		return true;
	if (h.proto != 6 || h.v6 != (p->gso_type == XEN_NETIF_GSO_TYPE_TCPV6))
		return false;
	frame->off.needs |= h.v6 ? VIF_CAP_TSO6 : VIF_CAP_TSO4;
	if (frame->head[h.l4 + 13] & 0x80) /* CWR */
		frame->off.needs |= VIF_CAP_ECN;
	frame->off.gso_size = p->gso_size;
	frame->off.hdr_len = h.l4 + (frame->head[h.l4 + 12] >> 4) * 4u;
	if (!(p->flags &
	      NETTXF_csum_blank)) { /* a whole checksum over what is to be cut: start over with the pseudo header */
		sum = pseudo_sum(frame->head, &h, frame->len - h.l4);
		frame->head[h.l4 + 16] = sum >> 8;
		frame->head[h.l4 + 17] = sum & 0xff;
	}
	return true;
}

static void groups(struct netif_tx *tx, uint32_t idx, const struct request *r)
{
	const struct netif_extra_info *add = &r->extra[XEN_NETIF_EXTRA_TYPE_MCAST_ADD];
	const struct netif_extra_info *del = &r->extra[XEN_NETIF_EXTRA_TYPE_MCAST_DEL];

	if (add->type && !netif_mcast_add(tx->mcast, add->u.mcast.addr))
		tx->slot[idx % NETIF_RING_SIZE].status = NETIF_RSP_ERROR;
	if (del->type)
		netif_mcast_del(tx->mcast, del->u.mcast.addr);
}

static void drop(struct vif_frame *frame, struct vif_counters *count, enum vif_drop reason)
{
	frame->len = frame->head_len = frame->nseg = 0;
	frame->failed = true;
	count->drop[reason]++;
}

unsigned netif_tx_peek(struct netif_tx *tx, struct vif_burst *burst, struct vif_counters *count)
{
	struct pending pending[VIF_BURST];
	uint32_t left = waiting(tx), idx = tx->rsp_prod;
	unsigned i = 0;
	struct grant_result result;

	burst->nseg = 0;
	for (; i < VIF_BURST && left; i++) {
		struct vif_frame *frame = &burst->frame[i];
		enum verdict verdict;
		struct request r;

		verdict = read_frame(tx, idx, left, &r);
		if (verdict == GOOD)
			verdict = read_gso(tx, &r, &pending[i]);
		if (verdict == BROKEN || burst->nseg + NETIF_SLOTS_MAX > VIF_SEGS)
			break; /* or: it begins the next burst */
		frame->head = burst->head[i];
		frame->cookie = idx + r.slots;
		frame->failed = false;
		frame->len = frame->head_len = frame->nseg = 0;
		if (verdict == AUXILIARY)
			groups(tx, idx, &r);
		else if (r.frags > NETIF_SLOTS_MAX)
			drop(frame, count, VIF_RX_TOO_MANY_SEGS);
		else if (verdict == DROP)
			drop(frame, count, VIF_RX_MALFORMED);
		else
			describe(tx, &r, burst, i);
		idx += r.slots;
		left -= r.slots;
	}
	burst->n = i;
	if (!i)
		return 0;
	result = grant_flush();
	count->grant_copies += result.copies;
	for (unsigned k = 0; k < i; k++) {
		struct vif_frame *frame = &burst->frame[k];

		if (!frame->len)
			continue;
		if (result.bad_src & 1ull << k) {
			drop(frame, count, VIF_RX_BAD_GRANT);
		} else if (!parse_offload(frame, &pending[k])) {
			drop(frame, count, VIF_RX_MALFORMED);
		} else {
			count->rx_frames++;
			count->rx_bytes += frame->len;
			count->rx_gso += frame->off.gso_size != 0;
			if (frame->len > count->rx_max)
				count->rx_max = frame->len;
		}
	}
	return i;
}

void netif_tx_release(struct netif_tx *tx, const struct vif_burst *burst, struct vif_counters *count)
{
	uint32_t idx = tx->rsp_prod;

	for (unsigned i = 0; i < burst->n; i++) {
		const struct vif_frame *frame = &burst->frame[i];

		if (frame->failed && frame->len)
			count->drop[VIF_RX_BAD_GRANT]++; /* some receiver could not be given it */
		for (; idx != (uint32_t)frame->cookie; idx++) {
			int16_t status = tx->slot[idx % NETIF_RING_SIZE].status;

			if (frame->failed && status == NETIF_RSP_OKAY)
				status = NETIF_RSP_ERROR;
			answer(tx, idx, tx->slot[idx % NETIF_RING_SIZE].id, status);
		}
	}
	tx->rsp_prod = idx;
	__atomic_store_n(&tx->ring->rsp_prod, idx, __ATOMIC_RELEASE);
}

bool netif_tx_wants_signal(struct netif_tx *tx)
{
	uint32_t new = tx->rsp_prod, old = tx->signalled;

	tx->signalled = new;
	return new - __atomic_load_n(&tx->ring->rsp_event, __ATOMIC_RELAXED) < new - old;
}

bool netif_tx_arm(struct netif_tx *tx)
{
	__atomic_store_n(&tx->ring->req_event, tx->rsp_prod + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* our wish before their index */
	return __atomic_load_n(&tx->ring->req_prod, __ATOMIC_ACQUIRE) != tx->rsp_prod;
}
