/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings whose backend was killed among its answers, some written and none published: what the next one makes of them. */
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

#define DOMID 7
#define REF 100 /* the guest's pages: references from here on */
#define PAGES 16
#define START 253 /* of the indices: the ring's end is among what is looked at */
#define AT(i) ((START + (i)) % NETIF_RING_SIZE)

struct guest {
	struct grant_mem mem;
	struct netif_mcast mcast;
	struct vif_counters count;
	struct vif_burst burst;
	struct netif_tx tx;
	struct netif_rx rx;
	void *before, *after; /* a ring's page as the guest wrote it, and as a backend has answered it */
};

static int setup(void **state)
{
	struct guest *g = aligned_alloc(64, (sizeof(*g) + 63) & ~63UL);

	memset(g, 0, sizeof(*g));
	g->mem.domid = DOMID;
	grant_mem_grant(&g->mem, 0, 8); /* the guest's console, its xenstore ... */
	grant_mem_grant(&g->mem, REF, PAGES);
	grant_mem_use(&g->mem);
	g->tx.ring = grant_mem_page();
	g->rx.ring = grant_mem_page();
	g->before = grant_mem_page();
	g->after = grant_mem_page();
	g->tx.domid = g->rx.domid = DOMID;
	g->tx.mcast = &g->mcast;
	g->rx.mcast = &g->mcast;
	g->rx.sg = true;
	g->tx.ring->req_prod = g->tx.ring->rsp_prod = g->rx.ring->req_prod = g->rx.ring->rsp_prod = START;
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	struct guest *g = *state;

	grant_mem_free(&g->mem);
	free(g->tx.ring);
	free(g->rx.ring);
	free(g->before);
	free(g->after);
	free(g);
	return 0;
}

static void request(struct guest *g, uint32_t gref, uint16_t size, uint16_t flags)
{
	uint32_t idx = g->tx.ring->req_prod++;

	g->tx.ring->ring[idx % NETIF_RING_SIZE].req =
		(struct netif_tx_request){.gref = gref, .size = size, .flags = flags, .id = 200 + idx - START};
}

static void extra(struct guest *g, uint8_t type, uint8_t flags)
{
	struct netif_extra_info info = {.type = type, .flags = flags, .u.mcast.addr = {1, 0, 0x5e, 0, 0, 1}};

	memcpy(&g->tx.ring->ring[g->tx.ring->req_prod++ % NETIF_RING_SIZE].req, &info, sizeof(info));
}

/* The ring as it is when its backend is killed with `k` slots answered. */
static void kill_at(const struct guest *g, void *ring, size_t head, size_t slot, unsigned k)
{
	memcpy(ring, g->before, GRANT_PAGE);
	for (unsigned i = 0; i < k; i++)
		memcpy((uint8_t *)ring + head + AT(i) * slot, (uint8_t *)g->after + head + AT(i) * slot, slot);
}

static void a_frame_that_was_answered_is_not_read_again_and_the_next_one_is(void **state)
{
	static const unsigned first[] = {0, 4, 5, 7, 9}; /* of each frame's slots; the third is no frame */
	struct guest *g = *state;
	const size_t head = offsetof(struct netif_tx_sring, ring), slot = sizeof(g->tx.ring->ring[0]);
	const struct netif_tx_sring *after = g->after;

	request(g, REF, 300, NETTXF_extra_info | NETTXF_more_data);
	extra(g, XEN_NETIF_EXTRA_TYPE_HASH, XEN_NETIF_EXTRA_FLAG_MORE);
	extra(g, XEN_NETIF_EXTRA_TYPE_HASH, 0);
	request(g, REF + 1, 100, 0);
	request(g, REF + 2, 60, 0);
	request(g, 0, 0, NETTXF_extra_info);
	extra(g, XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 0);
	request(g, 999, 200, NETTXF_more_data); /* not granted */
	request(g, REF + 3, 100, 0);
	request(g, REF + 4, 61, 0);
	memcpy(g->before, g->tx.ring, GRANT_PAGE);
	assert_true(netif_tx_begin(&g->tx));
	assert_int_equal(netif_tx_peek(&g->tx, &g->burst, &g->count), 5);
	netif_tx_release(&g->tx, &g->burst, &g->count);
	memcpy(g->after, g->tx.ring, GRANT_PAGE);
	assert_int_equal(after->rsp_prod, START + 10);
	assert_int_equal(after->ring[AT(7)].rsp.status, NETIF_RSP_ERROR);

	for (unsigned k = 0; k <= 10; k++) {
		unsigned left = 0;

		kill_at(g, g->tx.ring, head, slot, k);
		assert_true(netif_tx_begin(&g->tx));
		while (left < 5 && first[4 - left] >= k)
			left++;
		assert_int_equal(g->tx.ring->rsp_prod, START + (left ? first[5 - left] : 10));
		assert_int_equal(netif_tx_peek(&g->tx, &g->burst, &g->count), left);
		assert_null(g->tx.broken);
		assert_true(!left || g->burst.frame[left - 1].len == 61);
		if (left)
			netif_tx_release(&g->tx, &g->burst, &g->count);
		assert_int_equal(g->tx.ring->rsp_prod, START + 10);
		for (unsigned i = 0; i < 10; i++) {
			bool aux = i == 1 || i == 2 || i == 6; /* whose answers have no id */

			assert_int_equal(g->tx.ring->ring[AT(i)].rsp.status, after->ring[AT(i)].rsp.status);
			assert_true(aux || g->tx.ring->ring[AT(i)].rsp.id == 200 + i);
		}
	}
}

static unsigned deliver(struct guest *g, struct vif_frame *a, struct vif_frame *b)
{
	return netif_rx_deliver(&g->rx, (struct vif_frame *[]){a, b}, 2, &g->count);
}

static void nothing_is_written_to_where_an_answer_seems_to_point(void **state)
{
	static uint8_t bytes[6000] __attribute__((aligned(64))) = {2, 0xaa};
	struct guest *g = *state;
	const size_t head = offsetof(struct netif_rx_sring, ring), slot = sizeof(g->rx.ring->ring[0]);
	const struct netif_rx_sring *after = g->after;
	struct vif_seg seg = {.va = bytes + VIF_HEAD_LEN, .len = sizeof(bytes) - VIF_HEAD_LEN};
	struct vif_frame whole = {.head = bytes,
				  .head_len = VIF_HEAD_LEN,
				  .len = sizeof(bytes),
				  .seg = &seg,
				  .nseg = 1,
				  .off = {.needs = VIF_CAP_CSUM | VIF_CAP_TSO4, .gso_size = 1448}};
	struct vif_frame small = {.head = bytes, .head_len = 60, .len = 60};

	for (unsigned i = 0; i < 6; i++)
		g->rx.ring->ring[AT(i)].req = (struct netif_rx_request){.id = 200 + i, .pad = i, .gref = REF + i};
	g->rx.ring->req_prod = START + 6;
	memcpy(g->before, g->rx.ring, GRANT_PAGE);
	assert_true(netif_rx_begin(&g->rx));
	assert_int_equal(deliver(g, &whole, &small), 2); /* page, extra-info, page; page */
	memcpy(g->after, g->rx.ring, GRANT_PAGE);
	assert_int_equal(after->rsp_prod, START + 4);

	for (unsigned k = 0; k <= 4; k++) {
		kill_at(g, g->rx.ring, head, slot, k);
		assert_true(netif_rx_begin(&g->rx));
		assert_int_equal(g->rx.ring->rsp_prod, START + (k ? 6 : 0));
		for (unsigned i = 0; k && i < 6; i++) {
			assert_int_equal(g->rx.ring->ring[AT(i)].rsp.status, NETIF_RSP_ERROR);
			assert_true((i == 1 && k > 1) || g->rx.ring->ring[AT(i)].rsp.id == 200 + i);
		}
		assert_int_equal(deliver(g, &whole, &small), k ? 0 : 2);
		for (unsigned ref = 0; ref < 8; ref++)
			for (unsigned i = 0; i < GRANT_PAGE; i++)
				assert_int_equal(g->mem.page[ref][i], 0);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_frame_that_was_answered_is_not_read_again_and_the_next_one_is),
		T(nothing_is_written_to_where_an_answer_seems_to_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
