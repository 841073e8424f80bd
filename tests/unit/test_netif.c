/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The netif rings against a frontend written here, over ordinary memory: first one that keeps the rules, then ones that
 * break each of them. Grants and event channels that are real: tests/xen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grant_mem.h"
#include "vif/netif/netif_ring.h"
#include "vif/offload.h"
#include "vif/ring/ring.h"

#define DOMID 7
#define TX_REF 100 /* the guest's transmit pages: references from here on */
#define RX_REF 400

struct guest {
	struct grant_mem mem;
	struct netif_tx tx;
	struct netif_rx rx;
	struct netif_mcast mcast;
	struct vif_counters count;
	struct vif_burst burst;
};

static int setup(void **state)
{
	struct guest *g = aligned_alloc(64, (sizeof(*g) + 63) & ~63UL);

	memset(g, 0, sizeof(*g));
	g->mem.domid = DOMID;
	grant_mem_grant(&g->mem, TX_REF, 256);
	grant_mem_grant(&g->mem, RX_REF, 256);
	grant_mem_use(&g->mem);
	g->tx.ring = grant_mem_page();
	g->rx.ring = grant_mem_page();
	g->tx.ring->rsp_event = g->rx.ring->rsp_event = 1;
	g->tx.domid = g->rx.domid = DOMID;
	g->tx.mcast = &g->mcast;
	g->rx.mcast = &g->mcast;
	g->rx.sg = true;
	assert_true(netif_tx_begin(&g->tx));
	assert_true(netif_rx_begin(&g->rx));
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	struct guest *g = *state;

	grant_mem_free(&g->mem);
	free(g->tx.ring);
	free(g->rx.ring);
	free(g);
	return 0;
}

/* ---- a guest that sends ------------------------------------------------------------------------------------------ */

static void request(struct guest *g, uint32_t gref, uint16_t offset, uint16_t size, uint16_t flags)
{
	uint32_t idx = g->tx.ring->req_prod++;

	g->tx.ring->ring[idx % 256].req = (struct netif_tx_request){
		.gref = gref, .offset = offset, .size = size, .flags = flags, .id = (uint16_t)(idx * 3 + 1)};
}

static void extra(struct guest *g, struct netif_extra_info info)
{
	memcpy(&g->tx.ring->ring[g->tx.ring->req_prod++ % 256].req, &info, sizeof(info));
}

static uint8_t pattern(uint32_t i)
{
	return (uint8_t)(i * 7 + 2);
}

/* A frame that counts up: the first `cut` bytes in one slot, the rest in slots of at most `piece`. */
static void send_frame(struct guest *g, uint32_t len, uint32_t cut, uint32_t piece, uint16_t offset)
{
	uint32_t at = 0, ref = TX_REF;

	while (at < len) {
		uint32_t n = at ? piece : cut;

		if (n > len - at)
			n = len - at;
		for (uint32_t i = 0; i < n; i++)
			g->mem.page[ref][offset + i] = pattern(at + i);
		request(g, ref++, offset, at ? n : len, at + n < len ? NETTXF_more_data : 0);
		at += n;
	}
}

static unsigned peek(struct guest *g)
{
	return netif_tx_peek(&g->tx, &g->burst, &g->count);
}

static void release(struct guest *g)
{
	netif_tx_release(&g->tx, &g->burst, &g->count);
}

static int16_t status_of(const struct guest *g, uint32_t idx)
{
	return g->tx.ring->ring[idx % 256].rsp.status;
}

/* All bytes of a frame, wherever they are. */
static void flatten(struct vif_frame *f, uint8_t *out)
{
	struct vif_frame *room;
	const struct vif_frame *local = *grant_copy_local(&f, 1, &room);

	memcpy(out, local->head, local->head_len);
	out += local->head_len;
	for (unsigned s = 0; s < local->nseg; out += local->seg[s++].len)
		memcpy(out, local->seg[s].va, local->seg[s].len);
}

static void a_frame_is_described_whole_wherever_its_slots_are_cut(void **state)
{
	static const uint32_t lens[] = {14, 60, 127, 128, 129, 1514, 4000, 9014, 65535};
	static const uint32_t cuts[] = {1, 13, 14, 60, 127, 128, 129, 1000, 4000};
	static uint8_t out[VIF_FRAME_MAX];
	struct guest *g = *state;

	for (unsigned l = 0; l < sizeof(lens) / sizeof(lens[0]); l++) {
		for (unsigned c = 0; c < sizeof(cuts) / sizeof(cuts[0]); c++) {
			send_frame(g, lens[l], cuts[c], 4000, 96);
			assert_int_equal(peek(g), 1);
			assert_int_equal(g->burst.frame[0].len, lens[l]);
			flatten(&g->burst.frame[0], out);
			for (uint32_t i = 0; i < lens[l]; i++)
				assert_int_equal(out[i], pattern(i));
			release(g);
		}
	}
	assert_null(g->tx.broken);
	assert_int_equal(g->tx.ring->rsp_prod, g->tx.ring->req_prod);
	assert_int_equal(g->count.rx_frames, 9 * 9);
}

static void a_burst_costs_one_call_of_the_hypervisor(void **state)
{
	struct guest *g = *state;

	for (unsigned i = 0; i < VIF_BURST + 8; i++)
		send_frame(g, 1514, 1514, 0, 0);
	assert_int_equal(peek(g), VIF_BURST);
	assert_int_equal(g->mem.calls, 1);
	assert_int_equal(g->mem.ops, VIF_BURST);
	release(g);
	assert_int_equal(peek(g), 8);
	assert_int_equal(g->mem.calls, 2);
}

static void answers_come_in_order_with_the_ids_of_their_requests(void **state)
{
	struct guest *g = *state;
	struct netif_extra_info gso = {.type = XEN_NETIF_EXTRA_TYPE_HASH, .flags = XEN_NETIF_EXTRA_FLAG_MORE};

	request(g, TX_REF, 0, 200, NETTXF_extra_info | NETTXF_more_data);
	extra(g, gso);
	gso.flags = 0;
	extra(g, gso);
	request(g, TX_REF + 1, 0, 100, 0);
	request(g, TX_REF + 2, 0, 60, 0);
	assert_int_equal(peek(g), 2);
	assert_int_equal(g->tx.ring->rsp_prod, 0);
	release(g);
	assert_int_equal(g->tx.ring->rsp_prod, 5);
	assert_int_equal(status_of(g, 0), NETIF_RSP_OKAY);
	assert_int_equal(status_of(g, 1), NETIF_RSP_NULL);
	assert_int_equal(status_of(g, 2), NETIF_RSP_NULL);
	assert_int_equal(status_of(g, 3), NETIF_RSP_OKAY);
	assert_int_equal(g->tx.ring->ring[0].rsp.id, 1);
	assert_int_equal(g->tx.ring->ring[3].rsp.id, 10);
	assert_int_equal(g->tx.ring->ring[4].rsp.id, 13);
}

static void what_is_rewritten_after_it_was_looked_at_has_no_effect(void **state)
{
	struct guest *g = *state;

	send_frame(g, 60, 60, 0, 0);
	assert_int_equal(peek(g), 1);
	memset(g->tx.ring->ring, 0xff, 12);
	memset(g->mem.page[TX_REF], 0xff, 60);
	for (uint32_t i = 0; i < 60; i++)
		assert_int_equal(g->burst.frame[0].head[i], pattern(i));
	release(g);
	assert_int_equal(g->tx.ring->ring[0].rsp.id, 1);
}

static void a_new_backend_looks_again_at_what_was_not_answered(void **state)
{
	struct guest *g = *state;

	for (unsigned i = 0; i < 3; i++)
		send_frame(g, 60 + i, 60 + i, 0, 0);
	assert_int_equal(peek(g), 3);
	release(g);
	send_frame(g, 70, 70, 0, 0);
	assert_int_equal(peek(g), 1);
	assert_true(netif_tx_begin(&g->tx));
	assert_int_equal(peek(g), 1);
	assert_int_equal(g->burst.frame[0].len, 70);
	release(g);
	assert_int_equal(g->tx.ring->rsp_prod, 4);
}

static void a_bad_grant_costs_one_frame_and_no_other(void **state)
{
	struct guest *g = *state;
	uint8_t *revoked;

	send_frame(g, 100, 100, 0, 0);
	request(g, 999, 0, 100, 0);
	send_frame(g, 101, 101, 0, 0);
	assert_int_equal(peek(g), 3);
	assert_int_equal(g->burst.frame[0].len, 100);
	assert_int_equal(g->burst.frame[1].len, 0);
	assert_int_equal(g->burst.frame[2].len, 101);
	release(g);
	assert_int_equal(status_of(g, 0), NETIF_RSP_OKAY);
	assert_int_equal(status_of(g, 1), NETIF_RSP_ERROR);
	assert_int_equal(status_of(g, 2), NETIF_RSP_OKAY);
	assert_int_equal(g->count.drop[VIF_RX_BAD_GRANT], 1);
	/* and one that goes bad between the first bytes and the rest is its sender's fault too */
	send_frame(g, 1000, 1000, 0, 0);
	assert_int_equal(peek(g), 1);
	revoked = g->mem.page[TX_REF];
	g->mem.page[TX_REF] = NULL;
	flatten(&g->burst.frame[0], (uint8_t[2000]){0});
	assert_true(g->burst.frame[0].failed);
	release(g);
	g->mem.page[TX_REF] = revoked;
	assert_int_equal(status_of(g, 3), NETIF_RSP_ERROR);
	assert_int_equal(g->count.drop[VIF_RX_BAD_GRANT], 2);
	assert_null(g->tx.broken);
}

static void a_hypervisor_that_refuses_a_whole_call_costs_the_burst(void **state)
{
	struct guest *g = *state;

	send_frame(g, 60, 60, 0, 0);
	g->mem.fail = true;
	assert_int_equal(peek(g), 1);
	assert_int_equal(g->burst.frame[0].len, 0);
	release(g);
	assert_int_equal(status_of(g, 0), NETIF_RSP_ERROR);
}

static void frames_that_cannot_be_are_dropped_and_answered(void **state)
{
	struct guest *g = *state;

	request(g, TX_REF, 0, 13, 0); /* too short */
	request(g, TX_REF, 0, 100, NETTXF_more_data); /* the rest is longer than the whole */
	request(g, TX_REF, 0, 101, 0);
	for (unsigned i = 0; i <= NETIF_SLOTS_MAX; i++) /* one slot too many */
		request(g, TX_REF, 0, i ? 10 : 1000, i < NETIF_SLOTS_MAX ? NETTXF_more_data : 0);
	request(g, TX_REF, 0, 60, NETTXF_csum_blank); /* no IP, so no checksum */
	send_frame(g, 60, 60, 0, 0);
	assert_int_equal(peek(g), 5);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(g->burst.frame[i].len, 0);
	assert_int_equal(g->burst.frame[4].len, 60);
	release(g);
	for (unsigned i = 0; i < 3 + 19 + 1; i++)
		assert_int_equal(status_of(g, i), NETIF_RSP_ERROR);
	assert_int_equal(status_of(g, 23), NETIF_RSP_OKAY);
	assert_int_equal(g->count.drop[VIF_RX_MALFORMED], 3);
	assert_int_equal(g->count.drop[VIF_RX_TOO_MANY_SEGS], 1);
	assert_null(g->tx.broken);
}

/* ---- offload metadata -------------------------------------------------------------------------------------------- */

/* Headers of a TCP or UDP packet, behind `tags` VLAN tags; returns where the transport header is. */
static unsigned headers(uint8_t *p, bool v6, uint8_t proto, unsigned tags)
{
	unsigned l3 = 14 + 4 * tags, l4 = l3 + (v6 ? 40 : 20);

	memset(p, 0, 128);
	for (unsigned i = 0; i < tags; i++)
		p[12 + 4 * i] = 0x81;
	p[l3 - 2] = v6 ? 0x86 : 0x08;
	p[l3 - 1] = v6 ? 0xdd : 0x00;
	p[l3] = v6 ? 0x60 : 0x45;
	p[l3 + (v6 ? 6 : 9)] = proto;
	for (unsigned i = l3 + (v6 ? 8 : 12); i < l4; i++)
		p[i] = (uint8_t)(i * 13);
	if (proto == 6)
		p[l4 + 12] = 0x50;
	return l4;
}

static void where_a_blank_checksum_is_follows_from_the_headers(void **state)
{
	struct guest *g = *state;

	for (unsigned i = 0; i < 8; i++) {
		bool v6 = i & 1, tcp = i & 2;
		unsigned l4 = headers(g->mem.page[TX_REF], v6, tcp ? 6 : 17, i >> 2);

		request(g, TX_REF, 0, 300, NETTXF_csum_blank | NETTXF_data_validated);
		assert_int_equal(peek(g), 1);
		assert_int_equal(g->burst.frame[0].off.needs, VIF_CAP_CSUM);
		assert_int_equal(g->burst.frame[0].off.csum_start, l4);
		assert_int_equal(g->burst.frame[0].off.csum_offset, tcp ? 16 : 6);
		assert_false(g->burst.frame[0].off.csum_valid);
		release(g);
	}
	headers(g->mem.page[TX_REF], false, 6, 0);
	g->mem.page[TX_REF][14 + 6] = 0x20; /* a fragment has no whole checksum */
	request(g, TX_REF, 0, 300, NETTXF_csum_blank);
	request(g, TX_REF, 0, 300, NETTXF_data_validated);
	assert_int_equal(peek(g), 2);
	assert_int_equal(g->burst.frame[0].len, 0);
	assert_int_equal(g->burst.frame[1].off.needs, 0);
	assert_true(g->burst.frame[1].off.csum_valid);
}

static void send_gso(struct guest *g, bool v6, uint16_t flags, uint8_t type, uint16_t size)
{
	struct netif_extra_info gso = {.type = XEN_NETIF_EXTRA_TYPE_GSO, .u.gso = {.size = size, .type = type}};

	headers(g->mem.page[TX_REF], v6, 6, 0);
	request(g, TX_REF, 0, 4000, flags | NETTXF_extra_info);
	extra(g, gso);
}

static void segmentation_is_asked_for_by_an_extra_info(void **state)
{
	struct guest *g = *state;

	send_gso(g, false, NETTXF_csum_blank, XEN_NETIF_GSO_TYPE_TCPV4, 1448);
	send_gso(g, true, NETTXF_csum_blank, XEN_NETIF_GSO_TYPE_TCPV6, 1000);
	assert_int_equal(peek(g), 2);
	/* both lie in one page, whose headers are those written last */
	assert_int_equal(g->burst.frame[0].len, 0);
	assert_int_equal(g->burst.frame[1].off.needs, VIF_CAP_CSUM | VIF_CAP_TSO6);
	assert_int_equal(g->burst.frame[1].off.gso_size, 1000);
	assert_int_equal(g->burst.frame[1].off.hdr_len, 14 + 40 + 20);
	assert_int_equal(g->count.drop[VIF_RX_MALFORMED], 1);
}

static void a_whole_checksum_over_what_is_to_be_cut_is_begun_anew(void **state)
{
	struct guest *g = *state;
	struct offload *o = aligned_alloc(64, (sizeof(*o) + 63) & ~63UL);
	uint8_t *blank, *whole;
	uint32_t sum;
	unsigned n;

	/* what the segments come out as must not depend on what was in the field */
	send_gso(g, false, 0, XEN_NETIF_GSO_TYPE_TCPV4, 1448);
	g->mem.page[TX_REF][14 + 20 + 16] = 0xab;
	assert_int_equal(peek(g), 1);
	whole = g->burst.frame[0].head;
	assert_int_equal(g->burst.frame[0].off.needs, VIF_CAP_CSUM | VIF_CAP_TSO4);
	blank = g->mem.page[TX_REF];
	/* the field holds the pseudo header's sum, not complemented: summed up with it, it is the receiver's to check */
	sum = 6 + (4000 - 34);
	for (unsigned i = 26; i < 34; i += 2)
		sum += (uint32_t)blank[i] << 8 | blank[i + 1];
	assert_int_equal((whole[50] << 8 | whole[51]), (sum & 0xffff) + (sum >> 16));
	assert_int_equal(offload_begin(o, &g->burst.frame[0], 0), 0);
	n = offload_next(o, OFFLOAD_SLOTS);
	assert_int_equal(n, 3);
	assert_int_equal(o->made[2].len, 4000 - 2 * 1448);
	free(o);
}

/* ---- guests that break the rules --------------------------------------------------------------------------------- */

static void ahead(struct guest *g)
{
	g->tx.ring->req_prod = 257;
}

static void backwards(struct guest *g)
{
	send_frame(g, 60, 60, 0, 0);
	peek(g);
	release(g);
	g->tx.ring->req_prod = 0;
}

static void page_end_first(struct guest *g)
{
	request(g, TX_REF, 4090, 60, 0);
}

static void page_end_later(struct guest *g)
{
	request(g, TX_REF, 0, 200, NETTXF_more_data);
	request(g, TX_REF, 4090, 60, 0);
}

static void offset_wraps(struct guest *g)
{
	request(g, TX_REF, 0xffff, 0xffff, 0);
}

static void more_without_end(struct guest *g)
{
	request(g, TX_REF, 0, 200, NETTXF_more_data);
	request(g, TX_REF, 0, 60, NETTXF_more_data);
}

static void more_round_the_ring(struct guest *g)
{
	for (unsigned i = 0; i < 256; i++)
		request(g, TX_REF, 0, i ? 1 : 1000, NETTXF_more_data);
}

static void extra_missing(struct guest *g)
{
	request(g, TX_REF, 0, 60, NETTXF_extra_info);
}

static void extras_without_end(struct guest *g)
{
	request(g, TX_REF, 0, 60, NETTXF_extra_info);
	for (unsigned i = 1; i < 256; i++)
		extra(g,
		      (struct netif_extra_info){.type = XEN_NETIF_EXTRA_TYPE_HASH, .flags = XEN_NETIF_EXTRA_FLAG_MORE});
}

static void extra_of_type_0(struct guest *g)
{
	request(g, TX_REF, 0, 60, NETTXF_extra_info);
	extra(g, (struct netif_extra_info){.type = 0});
}

static void extra_of_type_5(struct guest *g)
{
	request(g, TX_REF, 0, 60, NETTXF_extra_info);
	extra(g, (struct netif_extra_info){.type = XEN_NETIF_EXTRA_TYPE_MAX});
}

static void gso_of_size_0(struct guest *g)
{
	send_gso(g, false, 0, XEN_NETIF_GSO_TYPE_TCPV4, 0);
}

static void gso_of_no_type(struct guest *g)
{
	send_gso(g, false, 0, XEN_NETIF_GSO_TYPE_NONE, 1448);
}

static void every_broken_rule_has_its_sentence(void **state)
{
	static const struct {
		void (*break_it)(struct guest *g);
		const char *why;
	} rules[] = {
		{ahead, "request index ran ahead"},        {backwards, "request index ran ahead"},
		{page_end_first, "crosses the end"},       {page_end_later, "crosses the end"},
		{offset_wraps, "crosses the end"},         {more_without_end, "fewer slots"},
		{more_round_the_ring, "fewer slots"},      {extra_missing, "announced and not there"},
		{extras_without_end, "announced and not"}, {extra_of_type_0, "no known type"},
		{extra_of_type_5, "no known type"},        {gso_of_size_0, "segment size of 0"},
		{gso_of_no_type, "segmentation type"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		void *mine;
		struct guest *g;

		setup(&mine);
		g = mine;
		rules[i].break_it(g);
		assert_int_equal(peek(g), 0);
		assert_non_null(g->tx.broken);
		assert_non_null(strstr(g->tx.broken, rules[i].why));
		teardown(&mine);
	}
}

static void frames_before_a_broken_one_are_still_good(void **state)
{
	struct guest *g = *state;

	send_frame(g, 60, 60, 0, 0);
	page_end_first(g);
	assert_int_equal(peek(g), 1);
	assert_int_equal(g->burst.frame[0].len, 60);
	assert_non_null(g->tx.broken);
}

/* ---- a guest that receives --------------------------------------------------------------------------------------- */

static void post(struct guest *g, unsigned n)
{
	while (n--) {
		uint32_t idx = g->rx.ring->req_prod++;

		g->rx.ring->ring[idx % 256].req =
			(struct netif_rx_request){.id = (uint16_t)(idx * 5 + 2), .gref = RX_REF + idx % 256};
	}
}

/* A mapped frame of `len` bytes that count up, with one segment behind its head. */
static struct vif_frame mapped_frame(uint8_t *bytes, uint32_t len, struct vif_seg *seg)
{
	struct vif_frame f = {
		.head = bytes, .len = len, .head_len = len < VIF_HEAD_LEN ? len : VIF_HEAD_LEN, .seg = seg};

	for (uint32_t i = 0; i < len; i++)
		bytes[i] = pattern(i);
	if (len > VIF_HEAD_LEN) {
		*seg = (struct vif_seg){.va = bytes + VIF_HEAD_LEN, .len = len - VIF_HEAD_LEN};
		f.nseg = 1;
	}
	return f;
}

static unsigned deliver(struct guest *g, struct vif_frame *f)
{
	return netif_rx_deliver(&g->rx, &f, 1, &g->count);
}

static const struct netif_rx_response *answer(const struct guest *g, uint32_t idx)
{
	return &g->rx.ring->ring[idx % 256].rsp;
}

static void a_mapped_frame_fills_as_many_pages_as_it_needs(void **state)
{
	static const uint32_t lens[] = {14, 60, 128, 129, 1514, 4096, 4097, 9014, 65549};
	static uint8_t bytes[VIF_FRAME_MAX];
	struct guest *g = *state;

	post(g, 256);
	for (unsigned l = 0; l < sizeof(lens) / sizeof(lens[0]); l++) {
		uint32_t from = g->rx.ring->rsp_prod, pages = (lens[l] + 4095) / 4096, at = 0;
		unsigned calls = g->mem.calls;
		struct vif_seg seg;
		struct vif_frame f = mapped_frame(bytes, lens[l], &seg);

		assert_int_equal(deliver(g, &f), 1);
		assert_int_equal(g->mem.calls, calls + 1);
		assert_int_equal(g->rx.ring->rsp_prod, from + pages);
		for (uint32_t k = 0; k < pages; k++) {
			const struct netif_rx_response *rsp = answer(g, from + k);

			assert_int_equal(rsp->id, (uint16_t)((from + k) * 5 + 2));
			assert_int_equal(rsp->flags, k + 1 < pages ? NETRXF_more_data : 0);
			assert_int_equal(rsp->offset, 0);
			assert_int_equal(rsp->status, lens[l] - at < 4096 ? lens[l] - at : 4096);
			for (int i = 0; i < rsp->status; i++)
				assert_int_equal(g->mem.page[RX_REF + (from + k) % 256][i], pattern(at + i));
			at += rsp->status;
		}
		assert_int_equal(at, lens[l]);
	}
	assert_int_equal(g->count.tx_frames, 9);
	assert_null(g->rx.broken);
}

static void guest_to_guest_is_copied_by_the_hypervisor_alone(void **state)
{
	static const uint32_t lens[] = {60, 129, 1514, 9014, 65535};
	static const uint16_t offsets[] = {0, 2, 96};
	struct guest *g = *state;

	for (unsigned l = 0; l < 5 * 3; l++) {
		uint32_t len = lens[l / 3], from = g->rx.ring->rsp_prod, at = 0;

		post(g, 256 - (g->rx.ring->req_prod - g->rx.ring->rsp_prod));
		send_frame(g, len, 4000, 4000, offsets[l % 3]);
		assert_int_equal(peek(g), 1);
		assert_int_equal(deliver(g, &g->burst.frame[0]), 1);
		assert_int_equal(g->mem.calls, 2 * l + 2);
		release(g);
		for (; from != g->rx.ring->rsp_prod; from++)
			for (int i = 0; i < answer(g, from)->status; i++)
				assert_int_equal(g->mem.page[RX_REF + from % 256][i], pattern(at++));
		assert_int_equal(at, len);
	}
}

static void metadata_goes_with_the_first_slot(void **state)
{
	static uint8_t bytes[9014];
	struct guest *g = *state;
	struct vif_seg seg;
	struct vif_frame f = mapped_frame(bytes, sizeof(bytes), &seg);
	struct netif_extra_info info;

	post(g, 256);
	f.off = (struct vif_offload){.needs = VIF_CAP_CSUM | VIF_CAP_TSO6, .gso_size = 1428};
	assert_int_equal(deliver(g, &f), 1);
	assert_int_equal(g->rx.ring->rsp_prod, 4); /* 3 pages, and one slot for the extra-info */
	assert_int_equal(answer(g, 0)->flags,
			 NETRXF_csum_blank | NETRXF_data_validated | NETRXF_more_data | NETRXF_extra_info);
	memcpy(&info, answer(g, 1), sizeof(info));
	assert_int_equal(info.type, XEN_NETIF_EXTRA_TYPE_GSO);
	assert_int_equal(info.flags, 0);
	assert_int_equal(info.u.gso.size, 1428);
	assert_int_equal(info.u.gso.type, XEN_NETIF_GSO_TYPE_TCPV6);
	assert_int_equal(answer(g, 2)->flags, NETRXF_more_data);
	assert_int_equal(answer(g, 3)->flags, 0);
	assert_memory_equal(g->mem.page[RX_REF + 2], bytes + 4096, 4096);
	assert_int_equal(g->count.tx_gso, 1);
}

static void a_frame_waits_until_all_of_its_slots_are_posted(void **state)
{
	static uint8_t bytes[9014];
	struct guest *g = *state;
	struct vif_seg seg;
	struct vif_frame f = mapped_frame(bytes, sizeof(bytes), &seg);

	post(g, 2);
	assert_int_equal(deliver(g, &f), 0);
	assert_int_equal(g->rx.ring->rsp_prod, 0);
	post(g, 1);
	assert_int_equal(deliver(g, &f), 1);
	assert_int_equal(g->rx.ring->rsp_prod, 3);
}

static void without_scatter_gather_a_frame_is_one_page(void **state)
{
	static uint8_t bytes[4097];
	struct guest *g = *state;
	struct vif_seg seg;
	struct vif_frame f = mapped_frame(bytes, 4096, &seg);

	g->rx.sg = false;
	post(g, 10);
	assert_int_equal(deliver(g, &f), 1);
	f = mapped_frame(bytes, 4097, &seg);
	assert_int_equal(deliver(g, &f), 1);
	assert_int_equal(g->rx.ring->rsp_prod, 1);
	assert_int_equal(g->count.drop[VIF_TX_TOO_BIG], 1);
}

static void a_copy_that_failed_is_answered_to_whose_fault_it_was(void **state)
{
	static uint8_t bytes[9014];
	struct guest *g = *state;
	struct vif_seg seg;
	struct vif_frame f = mapped_frame(bytes, sizeof(bytes), &seg), *frames[4];

	/* the receiver's fault */
	post(g, 20);
	g->mem.readonly[RX_REF + 1] = true;
	assert_int_equal(deliver(g, &f), 1);
	assert_int_equal(g->rx.ring->rsp_prod, 3);
	for (unsigned k = 0; k < 3; k++)
		assert_int_equal(answer(g, k)->status, NETIF_RSP_ERROR);
	assert_int_equal(answer(g, 0)->flags, NETRXF_more_data);
	assert_int_equal(g->count.drop[VIF_TX_BAD_GRANT], 1);
	assert_int_equal(g->count.tx_frames, 0);
	assert_false(f.failed);
	/* the sender's: between two guests it has to be found out whose, and the receiver is not told of it */
	for (unsigned i = 0; i < 4; i++) {
		request(g, TX_REF, 0, 1000 + i, NETTXF_more_data);
		request(g, i % 2 ? TX_REF : 999, 0, 500, 0);
	}
	assert_int_equal(peek(g), 4);
	for (unsigned i = 0; i < 4; i++)
		frames[i] = &g->burst.frame[i];
	assert_int_equal(netif_rx_deliver(&g->rx, frames, 4, &g->count), 4);
	assert_int_equal(g->rx.ring->rsp_prod, 5);
	assert_int_equal(answer(g, 3)->status, 1001);
	assert_int_equal(answer(g, 4)->status, 1003);
	assert_true(g->burst.frame[0].failed && g->burst.frame[2].failed);
	assert_false(g->burst.frame[1].failed || g->burst.frame[3].failed);
	release(g);
	assert_int_equal(g->count.tx_frames, 2);
	assert_int_equal(g->count.drop[VIF_RX_BAD_GRANT], 2);
	assert_int_equal(g->count.drop[VIF_TX_BAD_GRANT], 1);
	send_frame(g, 1000, 1000, 0, 0);
	assert_int_equal(peek(g), 1);
	g->mem.readonly[RX_REF + 5] = true;
	assert_int_equal(deliver(g, &g->burst.frame[0]), 1);
	assert_false(g->burst.frame[0].failed);
	assert_int_equal(g->count.drop[VIF_TX_BAD_GRANT], 2);
}

static void a_receivers_index_that_runs_ahead_is_broken(void **state)
{
	static uint8_t bytes[60];
	struct guest *g = *state;
	struct vif_seg seg;
	struct vif_frame f = mapped_frame(bytes, sizeof(bytes), &seg);

	g->rx.ring->req_prod = 257;
	assert_int_equal(deliver(g, &f), 0);
	assert_non_null(strstr(g->rx.broken, "receive ring"));
	g->rx.ring->req_prod = 300;
	assert_false(netif_rx_begin(&g->rx));
	g->tx.ring->rsp_prod = 1;
	assert_false(netif_tx_begin(&g->tx));
}

static void signals_are_sent_only_where_they_are_wanted(void **state)
{
	static uint8_t bytes[60];
	struct guest *g = *state;
	struct vif_seg seg;
	struct vif_frame f = mapped_frame(bytes, sizeof(bytes), &seg);

	post(g, 20);
	assert_false(netif_rx_wants_signal(&g->rx));
	g->rx.ring->rsp_event = 3;
	deliver(g, &f);
	deliver(g, &f);
	assert_false(netif_rx_wants_signal(&g->rx));
	deliver(g, &f);
	assert_true(netif_rx_wants_signal(&g->rx));
	assert_false(netif_rx_wants_signal(&g->rx));
	g->tx.ring->rsp_event = 1;
	send_frame(g, 60, 60, 0, 0);
	peek(g);
	release(g);
	assert_true(netif_tx_wants_signal(&g->tx));
	assert_false(netif_tx_arm(&g->tx));
	assert_int_equal(g->tx.ring->req_event, 2);
	send_frame(g, 60, 60, 0, 0);
	assert_true(netif_tx_arm(&g->tx));
}

/* ---- mapped receivers of granted frames -------------------------------------------------------------------------- */

static void a_virtqueue_gets_granted_bytes_and_never_half_a_frame(void **state)
{
	struct guest *g = *state;
	uint8_t *mem = aligned_alloc(4096, 65536), *revoked;
	struct ring_mem table = {.n = 1, .region = {{0x10000, 65536, mem}}};
	struct ring ring = {.desc = (struct vring_desc *)mem, .size = 16, .mem = &table, .hdr_len = 12};
	struct vif_frame *frames[3];

	memset(mem, 0xee, 65536);
	ring.avail = (struct vring_avail *)(mem + 4096);
	ring.used = (struct vring_used *)(mem + 8192);
	ring.callfd = ring.kickfd = -1;
	memset(mem, 0, 12288);
	for (unsigned i = 0; i < 4; i++) {
		/* the third buffer is in two pieces */
		ring.desc[i] = (struct vring_desc){0x14000 + 4096 * i, i < 2 ? 2048 : 600,
						   VRING_DESC_F_WRITE | (i == 2 ? VRING_DESC_F_NEXT : 0), i + 1};
		if (i < 3)
			ring.avail->ring[ring.avail->idx++] = i;
	}
	send_frame(g, 1000, 1000, 0, 0);
	request(g, TX_REF + 1, 0, 700, 0);
	send_frame(g, 1000, 1000, 0, 0);
	assert_int_equal(peek(g), 3);
	revoked = g->mem.page[TX_REF + 1];
	g->mem.page[TX_REF + 1] = NULL;
	for (unsigned i = 0; i < 3; i++)
		frames[i] = &g->burst.frame[i];
	assert_int_equal(ring_deliver(&ring, frames, 3, &g->count), 3);
	g->mem.page[TX_REF + 1] = revoked;
	assert_int_equal(ring.used->idx, 3);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(mem[0x4000 + 12 + i], pattern(i));
	for (unsigned i = 0; i < 14; i++)
		assert_int_equal(mem[0x5000 + 12 + i], 0); /* nobody listens to that address */
	for (unsigned i = 0; i < 588; i++)
		assert_int_equal(mem[0x6000 + 12 + i], pattern(i));
	assert_true(frames[1]->failed);
	assert_int_equal(g->count.tx_frames, 2);
	assert_int_equal(g->count.tx_bytes, 2000);
	free(mem);
}

/* ---- multicast, hash --------------------------------------------------------------------------------------------- */

static void only_the_groups_that_were_asked_for_are_delivered(void **state)
{
	static const uint8_t group[6] = {1, 0, 0x5e, 0, 0, 9}, other[6] = {1, 0, 0x5e, 0, 0, 10};
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, unicast[6] = {2};
	struct guest *g = *state;
	struct netif_extra_info info = {.type = XEN_NETIF_EXTRA_TYPE_MCAST_ADD};

	assert_true(netif_mcast_wants(&g->mcast, other));
	g->mcast.on = true;
	assert_false(netif_mcast_wants(&g->mcast, group));
	memcpy(info.u.mcast.addr, group, 6);
	request(g, TX_REF, 0, 0, NETTXF_extra_info);
	extra(g, info);
	assert_int_equal(peek(g), 1);
	assert_int_equal(g->burst.frame[0].len, 0);
	release(g);
	assert_int_equal(status_of(g, 0), NETIF_RSP_OKAY);
	assert_int_equal(status_of(g, 1), NETIF_RSP_NULL);
	assert_true(netif_mcast_wants(&g->mcast, group));
	assert_false(netif_mcast_wants(&g->mcast, other));
	assert_true(netif_mcast_wants(&g->mcast, broadcast));
	assert_true(netif_mcast_wants(&g->mcast, unicast));
	info.type = XEN_NETIF_EXTRA_TYPE_MCAST_DEL;
	request(g, TX_REF, 0, 0, NETTXF_extra_info);
	extra(g, info);
	peek(g);
	release(g);
	assert_false(netif_mcast_wants(&g->mcast, group));
}

static void the_list_of_groups_is_bounded(void **state)
{
	struct guest *g = *state;
	uint8_t mac[6] = {1};

	for (unsigned i = 0; i < NETIF_GROUPS_MAX; i++) {
		mac[5] = i;
		assert_true(netif_mcast_add(&g->mcast, mac));
		assert_true(netif_mcast_add(&g->mcast, mac)); /* twice is once */
	}
	mac[4] = 1;
	assert_false(netif_mcast_add(&g->mcast, mac));
	mac[4] = 0;
	mac[5] = 3;
	assert_true(netif_mcast_del(&g->mcast, mac));
	assert_false(netif_mcast_del(&g->mcast, mac));
	mac[4] = 1;
	assert_true(netif_mcast_add(&g->mcast, mac));
}

/* The key and the vectors that network cards' makers publish. */
static void the_hash_is_the_published_one(void **state)
{
	static const uint8_t key[40] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
					0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
					0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
					0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};
	static const uint8_t addr[12] = {66,  9,  149,       187,         161,       142,
					 100, 80, 2794 >> 8, 2794 & 0xff, 1766 >> 8, 1766 & 0xff};
	struct netif_hash hash = {.algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ, .flags = 15};
	uint8_t bytes[128];
	struct vif_frame f = {.head = bytes, .head_len = 128, .len = 128};
	int type;

	(void)state;
	memcpy(hash.key, key, 40);
	headers(bytes, false, 6, 0);
	memcpy(bytes + 26, addr, 12);
	assert_int_equal(netif_hash_frame(&hash, &f, &type), 0x51ccc178);
	assert_int_equal(type, _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP);
	hash.flags = XEN_NETIF_CTRL_HASH_TYPE_IPV4;
	assert_int_equal(netif_hash_frame(&hash, &f, &type), 0x323e8fc2);
	assert_int_equal(type, _XEN_NETIF_CTRL_HASH_TYPE_IPV4);
	hash.flags = XEN_NETIF_CTRL_HASH_TYPE_IPV6;
	netif_hash_frame(&hash, &f, &type);
	assert_int_equal(type, -1);
}

static void a_hash_goes_with_each_frame(void **state)
{
	static uint8_t bytes[1514];
	struct guest *g = *state;
	struct netif_hash hash = {.algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ, .flags = 15, .key = {1, 2, 3}};
	struct vif_seg seg;
	struct vif_frame f = mapped_frame(bytes, sizeof(bytes), &seg);
	struct netif_extra_info info[2];
	uint32_t value;
	int type;

	headers(bytes, false, 6, 0);
	f.off = (struct vif_offload){.needs = VIF_CAP_CSUM | VIF_CAP_TSO4, .gso_size = 500};
	g->rx.hash = &hash;
	post(g, 10);
	assert_int_equal(deliver(g, &f), 1);
	assert_int_equal(g->rx.ring->rsp_prod, 3);
	memcpy(info, answer(g, 1), sizeof(info[0]));
	memcpy(info + 1, answer(g, 2), sizeof(info[0]));
	assert_int_equal(info[0].type, XEN_NETIF_EXTRA_TYPE_GSO);
	assert_int_equal(info[0].flags, XEN_NETIF_EXTRA_FLAG_MORE);
	assert_int_equal(info[1].type, XEN_NETIF_EXTRA_TYPE_HASH);
	assert_int_equal(info[1].flags, 0);
	memcpy(&value, info[1].u.hash.value, 4);
	assert_int_equal(value, netif_hash_frame(&hash, &f, &type));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_frame_is_described_whole_wherever_its_slots_are_cut),
		T(a_burst_costs_one_call_of_the_hypervisor),
		T(answers_come_in_order_with_the_ids_of_their_requests),
		T(what_is_rewritten_after_it_was_looked_at_has_no_effect),
		T(a_new_backend_looks_again_at_what_was_not_answered),
		T(a_bad_grant_costs_one_frame_and_no_other),
		T(a_hypervisor_that_refuses_a_whole_call_costs_the_burst),
		T(frames_that_cannot_be_are_dropped_and_answered),
		T(where_a_blank_checksum_is_follows_from_the_headers),
		T(segmentation_is_asked_for_by_an_extra_info),
		T(a_whole_checksum_over_what_is_to_be_cut_is_begun_anew),
		T(every_broken_rule_has_its_sentence),
		T(frames_before_a_broken_one_are_still_good),
		T(a_mapped_frame_fills_as_many_pages_as_it_needs),
		T(guest_to_guest_is_copied_by_the_hypervisor_alone),
		T(metadata_goes_with_the_first_slot),
		T(a_frame_waits_until_all_of_its_slots_are_posted),
		T(without_scatter_gather_a_frame_is_one_page),
		T(a_copy_that_failed_is_answered_to_whose_fault_it_was),
		T(a_receivers_index_that_runs_ahead_is_broken),
		T(signals_are_sent_only_where_they_are_wanted),
		T(a_virtqueue_gets_granted_bytes_and_never_half_a_frame),
		T(only_the_groups_that_were_asked_for_are_delivered),
		T(the_list_of_groups_is_bounded),
		T(the_hash_is_the_published_one),
		T(a_hash_goes_with_each_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
