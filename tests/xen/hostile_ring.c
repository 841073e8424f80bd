/* SPDX-License-Identifier: BSD-3-Clause */
#include "hostile.h"

#include <string.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>

/* ---- broken rules ------------------------------------------------------------------------------------------------ */

static void request(struct front *f, uint16_t offset, uint16_t size, uint16_t flags)
{
	f->tx.sring->ring[f->tx.req_prod_pvt++ % 256].req =
		(netif_tx_request_t){.gref = f->tx_gref[0], .offset = offset, .size = size, .flags = flags};
}

/* A request for a piece of the frame that starts in page 0. */
static void piece(struct front *f, uint32_t at, uint16_t size, uint16_t flags)
{
	request(f, at % 4096, size, flags);
	f->tx.sring->ring[(f->tx.req_prod_pvt - 1) % 256].req.gref = f->tx_gref[at / 4096];
}

static void extra(struct front *f, uint8_t type, uint8_t flags, uint16_t gso_size, uint8_t gso_type)
{
	struct netif_extra_info info = {.type = type, .flags = flags, .u.gso = {.size = gso_size, .type = gso_type}};

	memcpy(&f->tx.sring->ring[f->tx.req_prod_pvt++ % 256].req, &info, sizeof(info));
}

static void index_ahead(struct hostile *h)
{
	struct front *f = &h->queue;

	f->tx.req_prod_pvt = f->tx.rsp_cons + 257;
}

static void index_behind(struct hostile *h)
{
	struct front *f = &h->queue;

	f->tx.req_prod_pvt = f->tx.rsp_cons - 1;
}

static void over_the_page(struct hostile *h)
{
	struct front *f = &h->queue;

	request(f, 4090, 60, 0);
}

static void over_the_page_later(struct hostile *h)
{
	struct front *f = &h->queue;

	request(f, 0, 200, NETTXF_more_data);
	request(f, 4090, 60, 0);
}

static void offset_beyond(struct hostile *h)
{
	struct front *f = &h->queue;

	request(f, 0xffff, 0xffff, 0);
}

static void no_end(struct hostile *h)
{
	struct front *f = &h->queue;

	request(f, 0, 200, NETTXF_more_data);
}

static void no_end_in_a_full_ring(struct hostile *h)
{
	struct front *f = &h->queue;

	for (int i = 0; i < 256; i++)
		request(f, 0, i ? 1 : 1000, NETTXF_more_data);
}

static void no_extra(struct hostile *h)
{
	struct front *f = &h->queue;

	request(f, 0, 60, NETTXF_extra_info);
}

static void extras_in_a_full_ring(struct hostile *h)
{
	struct front *f = &h->queue;

	request(f, 0, 60, NETTXF_extra_info);
	for (int i = 1; i < 256; i++)
		extra(f, XEN_NETIF_EXTRA_TYPE_HASH, XEN_NETIF_EXTRA_FLAG_MORE, 0, 0);
}

static void extra_unknown(struct hostile *h)
{
	struct front *f = &h->queue;

	request(f, 0, 60, NETTXF_extra_info);
	extra(f, 200, 0, 0, 0);
}

static void gso_size_0(struct hostile *h)
{
	struct front *f = &h->queue;

	request(f, 0, 3000, NETTXF_extra_info);
	extra(f, XEN_NETIF_EXTRA_TYPE_GSO, 0, 0, XEN_NETIF_GSO_TYPE_TCPV4);
}

static void gso_unknown(struct hostile *h)
{
	struct front *f = &h->queue;

	request(f, 0, 3000, NETTXF_extra_info);
	extra(f, XEN_NETIF_EXTRA_TYPE_GSO, 0, 1448, 77);
}

static void rx_index_ahead(struct hostile *h)
{
	struct front *f = &h->queue;

	__atomic_store_n(&f->rx.sring->req_prod, f->rx.rsp_cons + 1000, __ATOMIC_RELEASE);
	hostile_is_sent();
}

static void rx_index_behind(struct hostile *h)
{
	struct front *f = &h->queue;

	__atomic_store_n(&f->rx.sring->req_prod, f->rx.rsp_cons - 5, __ATOMIC_RELEASE);
	hostile_is_sent();
}

/* ---- faults that break no rule ---------------------------------------------------------------------------------- */

static void bad_grants(struct hostile *h)
{
	struct front *f = &h->queue;

	for (int i = 0; i < 50; i++) {
		request(f, 0, 1514, 0);
		f->tx.sring->ring[(f->tx.req_prod_pvt - 1) % 256].req.gref = 0xffffff00u + i;
	}
}

/* In the second page, after the receiver's buffers were chosen: it gets the good frames between them, and no errors. */
static void bad_grants_behind(struct hostile *h)
{
	struct front *f = &h->queue;
	static uint8_t frame[1514];

	hostile_header(frame, hostile_mac_a, hostile_mac);
	memcpy(f->tx_page, frame, sizeof(frame));
	for (unsigned i = 0; i < 40; i++) {
		request(f, 0, sizeof(frame), NETTXF_more_data);
		piece(f, 1000, 514, 0);
		if (i % 4)
			f->tx.sring->ring[(f->tx.req_prod_pvt - 1) % 256].req.gref = 0xffffff00u + i;
	}
	front_kick(f);
	hostile_must(hostile_arrives(frame, sizeof(frame)), "does not reach others with the good frames");
}

static void ring_grants(struct hostile *h)
{
	struct front *f = &h->queue;

	request(f, 0, 1514, 0);
	f->tx.sring->ring[(f->tx.req_prod_pvt - 1) % 256].req.gref = f->tx_ref; /* its own ring as a frame */
}

static void odd_sizes(struct hostile *h)
{
	struct front *f = &h->queue;

	request(f, 0, 0, 0);
	request(f, 0, 13, 0);
	request(f, 0, 100, NETTXF_more_data);
	request(f, 0, 4000, 0);
	request(f, 0, 100, NETTXF_csum_blank);
	request(f, 0, 0xffff, NETTXF_more_data);
	for (int i = 0; i < 40; i++)
		request(f, 0, 1000, i < 39 ? NETTXF_more_data : 0);
}

static void rx_bad_grants(struct hostile *h)
{
	struct front *f = &h->queue;

	for (int i = 0; i < 256; i++)
		f->rx.sring->ring[i].req.gref = 0xffffff00u + i;
	for (int i = 0; i < 20; i++)
		hostile_is_sent();
}

/* Frames sent to it wait, then are dropped; the others do not wait long. */
static void rx_never_posts(struct hostile *h)
{
	struct front *f = &h->queue;

	f->rx.sring->req_prod = f->rx.sring->rsp_prod;
	for (int i = 0; i < 20; i++)
		hostile_is_sent();
}

static void signals_without_end(struct hostile *h)
{
	struct front *f = &h->queue;

	for (int i = 0; i < 20000; i++)
		xenevtchn_notify(f->evtchn, f->port);
}

/* It revokes the grants of rings that the backend has mapped. */
static void rings_revoked(struct hostile *h)
{
	struct front *f = &h->queue;

	xengntshr_unshare(f->gntshr, f->tx_page, FRONT_TX_PAGES);
	xengntshr_unshare(f->gntshr, f->rx_page, FRONT_RX_PAGES);
	f->tx_page = f->rx_page = NULL;
	request(f, 0, 1514, 0);
	hostile_is_sent();
}

/* Each request may be read before or after it is changed, and is valid either way. */
static void requests_rewritten(struct hostile *h)
{
	struct front *f = &h->queue;

	for (unsigned round = 0; round < 40; round++) {
		uint32_t from = f->tx.req_prod_pvt;

		for (unsigned i = 0; i < 64; i++)
			request(f, 0, 1514, 0);
		front_kick(f);
		for (unsigned k = 0; k < 2000; k++) {
			volatile netif_tx_request_t *req = &f->tx.sring->ring[(from + k % 64) % 256].req;

			if (__atomic_load_n(&f->tx.sring->rsp_prod, __ATOMIC_RELAXED) == f->tx.req_prod_pvt)
				break;
			req->size = k & 1 ? 60 : 1514;
			req->offset = k & 2 ? 2000 : 0;
			req->gref = f->tx_gref[k & 3];
			req->flags = k & 4 ? NETTXF_csum_blank : NETTXF_data_validated;
		}
		for (int k = 0; front_reap(f) && k < 250; k++)
			usleep(20000);
		hostile_must(!front_reap(f), "is not answered");
	}
}

static void flags_rewritten(struct hostile *h)
{
	struct front *f = &h->queue;
	uint32_t from = f->tx.req_prod_pvt;

	for (unsigned i = 0; i < 200; i++)
		request(f, 0, 60, 0);
	front_kick(f);
	for (unsigned k = 0; k < 100000; k++) {
		volatile netif_tx_request_t *req = &f->tx.sring->ring[(from + k % 200) % 256].req;

		req->flags = k & 0xf;
		req->size = k * 977;
		req->offset = k * 131;
	}
}

/* A frame whose headers lie in buffers of one byte each. */
static void headers_in_pieces(struct hostile *h)
{
	struct front *f = &h->queue;
	static uint8_t frame[1514];

	hostile_header(frame, hostile_mac_a, hostile_mac);
	memcpy(f->tx_page, frame, sizeof(frame));
	request(f, 0, sizeof(frame), NETTXF_more_data); /* the first piece: one byte */
	for (unsigned at = 1; at < 17; at++)
		piece(f, at, 1, NETTXF_more_data);
	piece(f, 17, sizeof(frame) - 17, 0);
	front_kick(f);
	hostile_must(hostile_arrives(frame, sizeof(frame)), "does not arrive whole");
	request(f, 0, 20, NETTXF_more_data | NETTXF_csum_blank); /* its checksum would lie beyond its end */
	piece(f, 1, 19, 0);
}

/* The longest TSO frame, in the largest number of slots, the first of which has one byte. */
static void first_slot_tiny(struct hostile *h)
{
	static const uint8_t ip[] = {0x08, 0, 0x45, 0, 0xff, 0xf1, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};
	struct front *f = &h->queue;
	static uint8_t frame[65535];
	uint32_t at = 1;

	hostile_header(frame, hostile_mac_a, hostile_mac);
	memset(frame + 12, 0x33, sizeof(frame) - 12);
	memcpy(frame + 12, ip, sizeof(ip));
	frame[34 + 12] = 5 << 4; /* of TCP's header */
	frame[34 + 13] = 0x10;
	memcpy(f->tx_page, frame, sizeof(frame));
	request(f, 0, sizeof(frame), NETTXF_more_data | NETTXF_extra_info | NETTXF_csum_blank);
	extra(f, XEN_NETIF_EXTRA_TYPE_GSO, 0, 1448, XEN_NETIF_GSO_TYPE_TCPV4);
	for (unsigned slot = 1; slot < 18; slot++) {
		uint32_t n = slot == 1 ? 99 : slot < 17 ? 4096 - at % 4096 : sizeof(frame) - at;

		piece(f, at, n, slot < 17 ? NETTXF_more_data : 0);
		at += n;
	}
	front_kick(f);
	hostile_must(hostile_arrives(frame, sizeof(frame)), "does not arrive whole");
}

/* Buffers of no bytes: the first, some in the middle, the last, and nothing else. */
static void empty_slots(struct hostile *h)
{
	struct front *f = &h->queue;
	static uint8_t frame[1514];

	hostile_header(frame, hostile_mac_a, hostile_mac);
	memcpy(f->tx_page, frame, sizeof(frame));
	request(f, 4096, sizeof(frame), NETTXF_more_data);
	piece(f, 0, 100, NETTXF_more_data);
	for (unsigned i = 0; i < 5; i++)
		request(f, i ? 0 : 4096, 0, NETTXF_more_data);
	piece(f, 100, sizeof(frame) - 100, NETTXF_more_data);
	request(f, 0, 0, 0);
	front_kick(f);
	hostile_must(hostile_arrives(frame, sizeof(frame)), "does not arrive whole");
	request(f, 0, 0, NETTXF_more_data);
	request(f, 0, 0, NETTXF_more_data);
	request(f, 0, 0, 0);
}

/* It continues to signal and to write nonsense while it is quarantined and removed. */
static void fires_when_quarantined(struct hostile *h)
{
	struct front *f = &h->queue;

	f->tx.req_prod_pvt = f->tx.rsp_cons + 5000;
	front_kick(f);
	for (int i = 0; i < 5000; i++) {
		f->tx.sring->req_prod = i * 7919;
		f->rx.sring->req_prod = i * 104729;
		xenevtchn_notify(f->evtchn, f->port);
	}
}

/* A quarantine ends when the guest closes and reconnects: nothing of the broken ring is used again. */
static void back_after_quarantine(struct hostile *h)
{
	static uint8_t frame[1514];

	for (unsigned round = 0; round < 3; round++) {
		__atomic_store_n(&h->queue.rx.sring->req_prod, h->queue.rx.rsp_cons + 1000, __ATOMIC_RELEASE);
		hostile_is_sent();
		hostile_must(front_shows_soon(&h->vif, "receive ring's request index"), "is not quarantined");
		hostile_is_sent();
		front_disconnect(&h->vif);
		hostile_close(h);
		hostile_open(h);
		hostile_must(front_connect(&h->vif), "does not reconnect");
		hostile_header(frame, hostile_mac_a, hostile_mac);
		front_send(&h->queue, frame, sizeof(frame), 0, 0);
		front_kick(&h->queue);
		hostile_must(hostile_arrives(frame, sizeof(frame)), "does not reach others then");
	}
}

/* Frames to a quarantined guest are dropped, and do not delay their sender. */
static void sent_to_when_quarantined(struct hostile *h)
{
	unsigned long before;

	h->queue.tx.req_prod_pvt = h->queue.tx.rsp_cons + 257;
	front_kick(&h->queue);
	hostile_must(front_shows_soon(&h->vif, "request index ran ahead"), "is not quarantined");
	before = front_count(&h->vif, "tx-down");
	for (int i = 0; i < 200; i++) {
		hostile_is_sent();
		for (int k = 0; front_reap(&hostile_a) > 32 && k < 250; k++)
			front_wait(&hostile_a, 20);
	}
	hostile_must(hostile_others_go_on(), "stops its senders");
	hostile_must(front_count(&h->vif, "tx-down") >= before + 200, "is not said to be down");
}

/* Requests made while the port was quarantined, and signalled without effect, are served when the quarantine ends. */
static void released(struct hostile *h)
{
	struct xen_netif_ctrl_response rsp;
	struct front *f = &h->queue;
	static uint8_t frame[1514];
	uint32_t at;

	for (int k = 0; front_reap(f) && k < 250; k++)
		usleep(20000);
	at = f->tx.req_prod_pvt;
	f->tx.req_prod_pvt = at + 257;
	front_kick(f);
	hostile_must(front_shows_soon(&h->vif, "request index ran ahead"), "is not quarantined");
	front_ctrl_put(&h->ctrl, XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE, 0, 0, 0);
	front_ctrl_kick(&h->ctrl);
	hostile_must(!front_ctrl_take(&h->ctrl, 300, &rsp), "is served while it is quarantined");
	f->tx.req_prod_pvt = at;
	hostile_header(frame, hostile_mac_a, hostile_mac);
	front_send(f, frame, sizeof(frame), 0, 0);
	__atomic_store_n(&f->tx.sring->req_prod, f->tx.req_prod_pvt, __ATOMIC_RELEASE);
	hostile_must(front_release(&h->vif), "cannot be released");
	hostile_must(hostile_arrives(frame, sizeof(frame)), "does not reach others then");
	hostile_must(front_ctrl_take(&h->ctrl, 20000, &rsp), "gets no answer on its control ring then");
}

/* Rings and channels that the guest does not own. */
static void rings_not_granted(struct hostile *h)
{
	static uint8_t frame[1514];

	for (unsigned i = 0; i < 6; i++) {
		struct front is = h->queue;
		struct front_ctrl ctrl_is = h->ctrl;

		front_disconnect(&h->vif);
		if (i == 0)
			h->queue.tx_ref = 0xffffff00;
		if (i == 1)
			h->queue.rx_ref = 0xfffffff;
		if (i == 2)
			h->queue.rx_ref = h->queue.tx_ref;
		if (i == 3)
			h->queue.port = h->queue.rx_port = 4000;
		if (i == 4)
			h->ctrl.ref = 0xffffff00;
		if (i == 5)
			h->ctrl.port = h->queue.port;
		hostile_must(!front_connect(&h->vif), "connects with rings that do not exist");
		h->queue = is;
		h->ctrl = ctrl_is;
	}
	front_disconnect(&h->vif);
	hostile_close(h);
	hostile_open(h);
	hostile_must(front_connect(&h->vif), "does not connect with right ones");
	hostile_header(frame, hostile_mac_a, hostile_mac);
	front_send(&h->queue, frame, sizeof(frame), 0, 0);
	front_kick(&h->queue);
	hostile_must(hostile_arrives(frame, sizeof(frame)), "does not reach others then");
}

#define CUT(name, replays, act, why)                                                                                   \
	{                                                                                                              \
		name, replays, act, QUARANTINED, why                                                                   \
	}
#define FINE(name, replays, act)                                                                                       \
	{                                                                                                              \
		name, replays, act, CONNECTED, NULL                                                                    \
	}

const struct hostile_act hostile_ring_acts[] = {
	CUT("index-ahead", "XSA-39", index_ahead, "request index ran ahead"),
	CUT("index-behind", "XSA-39", index_behind, "request index ran ahead"),
	CUT("over-the-page", NULL, over_the_page, "crosses the end of its page"),
	CUT("over-the-page-later", NULL, over_the_page_later, "crosses the end of its page"),
	CUT("offset-beyond", NULL, offset_beyond, "crosses the end of its page"),
	CUT("no-end", NULL, no_end, "fewer slots"),
	CUT("no-end-in-a-full-ring", "XSA-39", no_end_in_a_full_ring, "fewer slots"),
	CUT("no-extra", NULL, no_extra, "announced and not there"),
	CUT("extras-in-a-full-ring", NULL, extras_in_a_full_ring, "announced and not there"),
	CUT("extra-unknown", NULL, extra_unknown, "no known type"),
	CUT("gso-size-0", NULL, gso_size_0, "segment size of 0"),
	CUT("gso-unknown", NULL, gso_unknown, "segmentation type"),
	CUT("rx-index-ahead", "XSA-374", rx_index_ahead, "receive ring's request index"),
	CUT("rx-index-behind", "XSA-374", rx_index_behind, "receive ring's request index"),
	CUT("fires-when-quarantined", "XSA-90", fires_when_quarantined, "request index ran ahead"),
	CUT("sent-to-when-quarantined", "XSA-424", sent_to_when_quarantined, "request index ran ahead"),
	FINE("back-after-quarantine", "XSA-374", back_after_quarantine),
	FINE("released", NULL, released),
	FINE("rings-not-granted", "XSA-362", rings_not_granted),
	FINE("bad-grants", "XSA-362", bad_grants),
	FINE("bad-grants-behind", "XSA-362", bad_grants_behind),
	FINE("ring-grants", NULL, ring_grants),
	FINE("odd-sizes", NULL, odd_sizes),
	FINE("headers-in-pieces", "XSA-423", headers_in_pieces),
	FINE("first-slot-tiny", "XSA-432", first_slot_tiny),
	FINE("empty-slots", "XSA-448", empty_slots),
	FINE("requests-rewritten", "XSA-155", requests_rewritten),
	{"flags-rewritten", "XSA-155", flags_rewritten, EITHER, NULL},
	FINE("rx-bad-grants", "XSA-362", rx_bad_grants),
	FINE("rx-never-posts", "XSA-392", rx_never_posts),
	FINE("signals-without-end", "XSA-332", signals_without_end),
	FINE("rings-revoked", NULL, rings_revoked),
	{0},
};
