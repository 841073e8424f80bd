/* SPDX-License-Identifier: BSD-3-Clause */
#include "hostile.h"

#include <string.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#define NOWHERE 0xffffff00u /* a grant that does not exist */
#define PATIENCE_MS 20000
#define ASK(name) XEN_NETIF_CTRL_TYPE_##name
#define SUCCESS XEN_NETIF_CTRL_STATUS_SUCCESS
#define INVALID XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER
#define OVERFLOW XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW
#define PAGES (FRONT_TX_PAGES + FRONT_RX_PAGES)

static void answers(struct hostile *h, uint16_t type, uint32_t a, uint32_t b, uint32_t c, uint32_t status,
		    const char *what)
{
	hostile_must(front_ctrl_ask(&h->ctrl, type, a, b, c, NULL) == status, what);
}

/* ---- the ring ---------------------------------------------------------------------------------------------------- */

static void move_index(struct hostile *h, uint32_t by)
{
	__atomic_store_n(&h->ctrl.ring->req_prod, h->ctrl.rsp_cons + by, __ATOMIC_RELEASE);
	xenevtchn_notify(h->ctrl.evtchn, h->ctrl.port);
}

static void index_ahead(struct hostile *h)
{
	move_index(h, FRONT_CTRL_SLOTS + 1);
}

static void index_behind(struct hostile *h)
{
	answers(h, ASK(GET_HASH_MAPPING_SIZE), 0, 0, 0, SUCCESS, "is not served");
	move_index(h, (uint32_t)-1);
}

static void unknown_types(struct hostile *h)
{
	static const uint16_t types[] = {0, 11, 0x8000, 0xffff};

	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		answers(h, types[i], 0, h->ctrl.page_ref, 1, XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED,
			"is told that an unknown type is supported");
}

/* Many requests, and many signals with each, while others must be served. */
static void storm(struct hostile *h)
{
	struct xen_netif_gref *list = h->ctrl.page;
	struct xen_netif_ctrl_response rsp;

	for (unsigned i = 0; i < 8; i++)
		list[i] = (struct xen_netif_gref){.ref = h->queue.tx_gref[i]};
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < FRONT_CTRL_SLOTS; i += 4) {
			front_ctrl_put(&h->ctrl, ASK(SET_HASH_ALGORITHM), 1, 0, 0);
			front_ctrl_put(&h->ctrl, ASK(SET_HASH_FLAGS), i & 4 ? 15 : 0, 0, 0);
			front_ctrl_put(&h->ctrl, ASK(ADD_GREF_MAPPING), 0, h->ctrl.page_ref, 8);
			front_ctrl_put(&h->ctrl, ASK(DEL_GREF_MAPPING), 0, h->ctrl.page_ref, 8);
			__atomic_store_n(&h->ctrl.ring->req_prod, h->ctrl.req_prod, __ATOMIC_RELEASE);
			for (unsigned k = 0; k < 50; k++)
				xenevtchn_notify(h->ctrl.evtchn, h->ctrl.port);
		}
		hostile_must(hostile_others_go_on(), "stops the others");
		for (unsigned i = 0; i < FRONT_CTRL_SLOTS; i++)
			hostile_must(front_ctrl_take(&h->ctrl, PATIENCE_MS, &rsp) && rsp.status == SUCCESS,
				     "is not served in the end");
	}
}

/* Requests, and the data that they point to, change while they are read. */
static void rewritten(struct hostile *h)
{
	volatile struct xen_netif_gref *list = h->ctrl.page;
	struct xen_netif_ctrl_response rsp;

	front_ctrl_ask(&h->ctrl, ASK(SET_HASH_ALGORITHM), 1, 0, 0, NULL);
	front_ctrl_ask(&h->ctrl, ASK(SET_HASH_FLAGS), 15, 0, 0, NULL);
	front_ctrl_ask(&h->ctrl, ASK(SET_HASH_MAPPING_SIZE), 100, 0, 0, NULL);
	for (unsigned round = 0; round < 60; round++) {
		static const uint16_t types[] = {ASK(ADD_GREF_MAPPING), ASK(DEL_GREF_MAPPING), ASK(SET_HASH_MAPPING),
						 ASK(SET_HASH_KEY)};
		volatile struct xen_netif_ctrl_request *req =
			&h->ctrl.ring->ring[h->ctrl.req_prod % FRONT_CTRL_SLOTS].req;

		front_ctrl_put(&h->ctrl, types[round % 4], 0, h->ctrl.page_ref, 8);
		front_ctrl_kick(&h->ctrl);
		for (unsigned k = 0; k < 5000; k++) {
			if (__atomic_load_n(&h->ctrl.ring->rsp_prod, __ATOMIC_RELAXED) == h->ctrl.req_prod)
				break;
			req->type = types[k % 4];
			req->data[1] = k & 1 ? h->ctrl.page_ref : k;
			req->data[2] = k & 2 ? 8 : 0x10000000 + k;
			list[k % 8].ref = k & 4 ? h->queue.tx_gref[k % 8] : NOWHERE;
		}
		hostile_must(front_ctrl_take(&h->ctrl, PATIENCE_MS, &rsp), "is not answered");
	}
}

/* ---- hash -------------------------------------------------------------------------------------------------------- */

static void set_hash(struct hostile *h)
{
	answers(h, ASK(SET_HASH_ALGORITHM), 1, 0, 0, SUCCESS, "cannot have a hash");
	answers(h, ASK(SET_HASH_FLAGS), 15, 0, 0, SUCCESS, "cannot have its types");
	answers(h, ASK(SET_HASH_MAPPING_SIZE), 128, 0, 0, SUCCESS, "cannot have a table of the size that is offered");
}

/* Entries beyond the end of the table, also by a sum that wraps. */
static void hash_mapping_beyond(struct hostile *h)
{
	uint32_t ref = h->ctrl.page_ref;

	set_hash(h);
	memset(h->ctrl.page, 0, 4096);
	answers(h, ASK(SET_HASH_MAPPING), ref, 128, 0, SUCCESS, "cannot fill the table");
	answers(h, ASK(SET_HASH_MAPPING), ref, 1, 128, INVALID, "writes behind the table");
	answers(h, ASK(SET_HASH_MAPPING), ref, 2, 127, INVALID, "writes over its end");
	answers(h, ASK(SET_HASH_MAPPING), ref, 2, UINT32_MAX, INVALID, "writes before it");
	answers(h, ASK(SET_HASH_MAPPING), ref, 128, UINT32_MAX - 126, INVALID, "writes around it");
	answers(h, ASK(SET_HASH_MAPPING), ref, 129, 0, OVERFLOW, "writes more than it holds");
	answers(h, ASK(SET_HASH_MAPPING), ref, UINT32_MAX, 2, OVERFLOW, "writes the most there can be");
	answers(h, ASK(SET_HASH_MAPPING_SIZE), 129, 0, 0, INVALID, "has a larger table");
	answers(h, ASK(SET_HASH_MAPPING_SIZE), UINT32_MAX, 0, 0, INVALID, "has the largest table");
	answers(h, ASK(SET_HASH_MAPPING_SIZE), 4, 0, 0, SUCCESS, "cannot have a small one");
	answers(h, ASK(SET_HASH_MAPPING), ref, 5, 0, INVALID, "writes over a small one's end");
}

/* Queues that do not exist; frames that arrive after that still go to one that does. */
static void hash_queue_beyond(struct hostile *h)
{
	uint32_t *map = h->ctrl.page;

	set_hash(h);
	map[1] = 1;
	answers(h, ASK(SET_HASH_MAPPING), h->ctrl.page_ref, 2, 0, INVALID, "may choose a queue that does not exist");
	map[1] = UINT32_MAX;
	answers(h, ASK(SET_HASH_MAPPING), h->ctrl.page_ref, 2, 0, INVALID, "may choose a queue that cannot exist");
	hostile_is_sent();
}

static void hash_key_beyond(struct hostile *h)
{
	set_hash(h);
	memset(h->ctrl.page, 0x77, 4096);
	answers(h, ASK(SET_HASH_KEY), h->ctrl.page_ref, 40, 0, SUCCESS, "cannot have the longest key");
	answers(h, ASK(SET_HASH_KEY), h->ctrl.page_ref, 41, 0, OVERFLOW, "has a longer key");
	answers(h, ASK(SET_HASH_KEY), h->ctrl.page_ref, 4097, 0, OVERFLOW, "has a key beyond its page");
	answers(h, ASK(SET_HASH_KEY), h->ctrl.page_ref, UINT32_MAX, 0, OVERFLOW, "has the longest key there can be");
	answers(h, ASK(SET_HASH_ALGORITHM), 2, 0, 0, INVALID, "has an unknown algorithm");
	answers(h, ASK(SET_HASH_FLAGS), 16, 0, 0, INVALID, "has an unknown type of hash");
}

static void hash_bad_grants(struct hostile *h)
{
	set_hash(h);
	answers(h, ASK(SET_HASH_KEY), NOWHERE, 40, 0, INVALID, "has a key from nowhere");
	answers(h, ASK(SET_HASH_MAPPING), NOWHERE, 8, 0, INVALID, "has a table from nowhere");
}

/* ---- staged pages ------------------------------------------------------------------------------------------------ */

/* Write a list of the first `n` of its pages, receive pages first, each with `flags`. */
static struct xen_netif_gref *list(const struct hostile *h, unsigned n, uint16_t flags)
{
	struct xen_netif_gref *at = h->ctrl.page;

	for (unsigned i = 0; i < n; i++)
		at[i] = (struct xen_netif_gref){.ref = i < FRONT_RX_PAGES ? h->queue.rx_gref[i]
									  : h->queue.tx_gref[i - FRONT_RX_PAGES],
						.flags = flags};
	return at;
}

static uint32_t staged(struct hostile *h, unsigned n)
{
	uint32_t data = 0;

	list(h, n, 0);
	front_ctrl_ask(&h->ctrl, ASK(DEL_GREF_MAPPING), 0, h->ctrl.page_ref, n, &data);
	return data;
}

static void staged_bad_grants(struct hostile *h)
{
	answers(h, ASK(ADD_GREF_MAPPING), 0, NOWHERE, 8, INVALID, "has a list from nowhere");
	answers(h, ASK(DEL_GREF_MAPPING), 0, NOWHERE, 8, INVALID, "has another from nowhere");
	list(h, 8, 0)[7].ref = NOWHERE;
	answers(h, ASK(ADD_GREF_MAPPING), 0, h->ctrl.page_ref, 8, INVALID, "has a page from nowhere");
	list(h, 8, 0)[0].ref = UINT32_MAX;
	answers(h, ASK(ADD_GREF_MAPPING), 0, h->ctrl.page_ref, 8, INVALID, "has the highest grant number");
	hostile_must(!staged(h, 8), "has some of a list that was refused");
}

static void staged_beyond(struct hostile *h)
{
	list(h, 8, 0);
	answers(h, ASK(ADD_GREF_MAPPING), 0, h->ctrl.page_ref, 513, INVALID, "has a list over its page's end");
	answers(h, ASK(ADD_GREF_MAPPING), 0, h->ctrl.page_ref, UINT32_MAX, INVALID, "has the longest list");
	answers(h, ASK(ADD_GREF_MAPPING), 1, h->ctrl.page_ref, 8, INVALID, "has pages of a queue that does not exist");
	answers(h, ASK(ADD_GREF_MAPPING), UINT32_MAX, h->ctrl.page_ref, 8, INVALID, "has pages of the last queue");
	answers(h, ASK(DEL_GREF_MAPPING), 1, h->ctrl.page_ref, 8, INVALID, "removes pages of such a queue");
	answers(h, ASK(DEL_GREF_MAPPING), 0, h->ctrl.page_ref, 513, INVALID, "removes a list over its page's end");
	answers(h, ASK(GET_GREF_MAPPING_SIZE), 1, 0, 0, INVALID, "is told the size for such a queue");
	hostile_must(!staged(h, 8), "has some of what was refused");
}

static void staged_twice(struct hostile *h)
{
	uint32_t data;

	list(h, 8, 0)[7] = list(h, 8, 0)[0];
	answers(h, ASK(ADD_GREF_MAPPING), 0, h->ctrl.page_ref, 8, INVALID, "has a page twice in a list");
	list(h, 8, 0);
	answers(h, ASK(ADD_GREF_MAPPING), 0, h->ctrl.page_ref, 8, SUCCESS, "cannot have them once");
	list(h, 9, 0);
	answers(h, ASK(ADD_GREF_MAPPING), 0, h->ctrl.page_ref, 9, INVALID, "has them again, with one more");
	list(h, 8, 0)[1] = list(h, 8, 0)[0];
	hostile_must(front_ctrl_ask(&h->ctrl, ASK(DEL_GREF_MAPPING), 0, h->ctrl.page_ref, 8, &data) == SUCCESS &&
			     data == 7,
		     "removes a page twice");
	hostile_must(((struct xen_netif_gref *)h->ctrl.page)[1].status == INVALID,
		     "is told that the page was staged twice");
	hostile_must(staged(h, 9) == 1, "has a wrong number of pages left");
}

/* Receive pages staged read-only: the grants allow writing, so frames are copied to them by grant copy. */
static void staged_readonly(struct hostile *h)
{
	static uint8_t in[65536 + 18];
	bool came = false;

	list(h, PAGES, XEN_NETIF_CTRLF_GREF_readonly);
	answers(h, ASK(ADD_GREF_MAPPING), 0, h->ctrl.page_ref, PAGES, SUCCESS, "cannot stage read-only pages");
	hostile_is_sent();
	for (int waited = 0; !came && waited < PATIENCE_MS; waited += 20) {
		came = front_receive(&h->queue, in) == 1514;
		front_wait(&h->queue, came ? 0 : 20);
	}
	hostile_must(came, "receives nothing in them");
}

/* The rings themselves, and the list, as buffers, so that frames overwrite them. */
static void staged_rings(struct hostile *h)
{
	struct xen_netif_gref *at = h->ctrl.page;
	struct front *f = &h->queue;
	uint32_t refs[] = {f->tx_ref, f->rx_ref, h->ctrl.ref, h->ctrl.page_ref};

	for (unsigned i = 0; i < 4; i++)
		at[i] = (struct xen_netif_gref){.ref = refs[i]};
	answers(h, ASK(ADD_GREF_MAPPING), 0, h->ctrl.page_ref, 4, SUCCESS, "cannot have its own rings");
	for (unsigned i = 0; i < 256; i++) {
		f->rx.sring->ring[i].req.gref = refs[i % 4];
		if (i < 64)
			f->tx.sring->ring[f->tx.req_prod_pvt++ % 256].req =
				(netif_tx_request_t){.gref = refs[i % 4], .offset = i * 8, .size = 1514};
	}
	front_kick(f);
	for (int i = 0; i < 20; i++)
		hostile_is_sent();
}

/* Pages are removed while frames in them are being moved, some of which wait for a receiver. */
static void staged_deleted_under_way(struct hostile *h)
{
	static uint8_t frame[1514];
	struct front *f = &h->queue;

	hostile_header(frame, hostile_mac_a, hostile_mac);
	for (unsigned round = 0; round < 10; round++) {
		struct xen_netif_ctrl_response rsp;

		list(h, PAGES, 0);
		answers(h, ASK(ADD_GREF_MAPPING), 0, h->ctrl.page_ref, PAGES, SUCCESS, "cannot have its pages");
		front_ctrl_put(&h->ctrl, ASK(DEL_GREF_MAPPING), 0, h->ctrl.page_ref, PAGES);
		front_reap(f);
		while (front_send(f, frame, sizeof(frame), 0, 0))
			;
		front_kick(f);
		hostile_is_sent();
		front_ctrl_kick(&h->ctrl);
		hostile_must(front_ctrl_take(&h->ctrl, PATIENCE_MS, &rsp) && rsp.data == PAGES,
			     "does not get all of them back");
	}
	for (int k = 0; front_reap(f) && k < 250; k++)
		usleep(20000);
	hostile_must(!front_reap(f) && !f->tx_errors, "has frames that failed or were not answered");
}

/* The guest revokes pages that the backend has staged, and then sends frames from them. */
static void staged_revoked(struct hostile *h)
{
	struct front *f = &h->queue;

	list(h, PAGES, 0);
	answers(h, ASK(ADD_GREF_MAPPING), 0, h->ctrl.page_ref, PAGES, SUCCESS, "cannot have its pages");
	xengntshr_unshare(f->gntshr, f->tx_page, FRONT_TX_PAGES);
	xengntshr_unshare(f->gntshr, f->rx_page, FRONT_RX_PAGES);
	f->tx_page = f->rx_page = NULL;
	for (unsigned i = 0; i < 64; i++)
		f->tx.sring->ring[f->tx.req_prod_pvt++ % 256].req =
			(netif_tx_request_t){.gref = f->tx_gref[i], .size = 1514};
	for (unsigned i = 0; i < 8; i++)
		hostile_is_sent();
}

#define CUT(name, replays, act, why)                                                                                   \
	{                                                                                                              \
		name, replays, act, QUARANTINED, why                                                                   \
	}
#define FINE(name, replays, act)                                                                                       \
	{                                                                                                              \
		name, replays, act, CONNECTED, NULL                                                                    \
	}

const struct hostile_act hostile_ctrl_acts[] = {
	CUT("ctrl-index-ahead", "XSA-39", index_ahead, "control ring's request index"),
	CUT("ctrl-index-behind", "XSA-39", index_behind, "control ring's request index"),
	FINE("ctrl-unknown-types", NULL, unknown_types),
	FINE("ctrl-storm", "XSA-332", storm),
	FINE("ctrl-rewritten", "XSA-155", rewritten),
	FINE("hash-mapping-beyond", "XSA-270", hash_mapping_beyond),
	FINE("hash-queue-beyond", "XSA-270", hash_queue_beyond),
	FINE("hash-key-beyond", NULL, hash_key_beyond),
	FINE("hash-bad-grants", "XSA-362", hash_bad_grants),
	FINE("staged-bad-grants", "XSA-362", staged_bad_grants),
	FINE("staged-beyond", NULL, staged_beyond),
	FINE("staged-twice", NULL, staged_twice),
	FINE("staged-readonly", NULL, staged_readonly),
	{"staged-rings", NULL, staged_rings, EITHER, NULL},
	FINE("staged-deleted", NULL, staged_deleted_under_way),
	FINE("staged-revoked", NULL, staged_revoked),
	{0},
};
