/* SPDX-License-Identifier: BSD-3-Clause */
/* The control ring: what a guest may set up by it, and what it may not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grant_mem.h"
#include "vif/netif/netif_ctrl.h"

#define DOMID 7
#define LIST_REF 50 /* the page that requests point to */
#define DATA_REF 100

struct guest {
	struct grant_mem mem;
	struct netif_ctrl ctrl;
	const struct netif_hash *hash; /* as the workers see them */
	const struct netif_staged *staged[VIF_QUEUES_MAX];
	struct netif_tx tx;
	struct netif_rx rx;
	struct netif_mcast mcast;
	struct vif_counters count;
	struct vif_burst burst;
};

static const struct netif_hash *set_hash(void *arg, const struct netif_hash *hash)
{
	struct guest *g = arg;
	const struct netif_hash *old = g->hash;

	g->hash = hash;
	return old;
}

static const struct netif_staged *set_staged(void *arg, unsigned queue, const struct netif_staged *staged)
{
	struct guest *g = arg;
	const struct netif_staged *old = g->staged[queue];

	g->staged[queue] = staged;
	return old;
}

static int setup(void **state)
{
	static const struct netif_ctrl_ops ops = {set_hash, set_staged};
	struct guest *g = aligned_alloc(64, (sizeof(*g) + 63) & ~63UL);

	memset(g, 0, sizeof(*g));
	g->mem.domid = DOMID;
	grant_mem_grant(&g->mem, LIST_REF, GRANT_MEM_PAGES - LIST_REF);
	grant_mem_use(&g->mem);
	g->ctrl = (struct netif_ctrl){.domid = DOMID, .queues = 2, .ops = &ops, .arg = g};
	g->ctrl.ring = grant_mem_page();
	g->tx.ring = grant_mem_page();
	g->rx.ring = grant_mem_page();
	g->tx.domid = g->rx.domid = DOMID;
	g->tx.mcast = &g->mcast;
	g->rx.mcast = &g->mcast;
	assert_true(netif_ctrl_begin(&g->ctrl));
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	struct guest *g = *state;

	netif_ctrl_end(&g->ctrl);
	assert_int_equal(g->mem.mapped, 0);
	grant_mem_free(&g->mem);
	free(g->ctrl.ring);
	free(g->tx.ring);
	free(g->rx.ring);
	free(g);
	return 0;
}

/* One request and its answer: the status; *data if it is not NULL. */
static uint32_t ask(struct guest *g, uint16_t type, uint32_t a, uint32_t b, uint32_t c, uint32_t *data)
{
	uint32_t idx = g->ctrl.ring->req_prod++ % NETIF_CTRL_RING_SIZE;
	const struct xen_netif_ctrl_response *rsp = &g->ctrl.ring->ring[idx].rsp;

	g->ctrl.ring->ring[idx].req = (struct xen_netif_ctrl_request){.id = 77, .type = type, .data = {a, b, c}};
	assert_int_equal(netif_ctrl_serve(&g->ctrl, 8), 1);
	assert_int_equal(rsp->id, 77);
	assert_int_equal(rsp->type, type);
	if (data)
		*data = rsp->data;
	return rsp->status;
}

#define SUCCESS XEN_NETIF_CTRL_STATUS_SUCCESS
#define INVALID XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER

static void a_hash_is_set_up_step_by_step(void **state)
{
	struct guest *g = *state;
	uint32_t *map = (uint32_t *)g->mem.page[LIST_REF], data;

	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, 0, 0, 0, &data),
			 XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, 1, 0, 0, NULL), INVALID);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, 2, 0, 0, NULL), INVALID);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, 1, 0, 0, NULL), SUCCESS);
	assert_null(g->hash); /* no type of frame is hashed yet */
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, 0, 0, 0, &data), SUCCESS);
	assert_int_equal(data, 15);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, 16, 0, 0, NULL), INVALID);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, 3, 0, 0, NULL), SUCCESS);
	assert_int_equal(g->hash->flags, 3);
	memset(g->mem.page[LIST_REF], 0x5a, 40);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, LIST_REF, 41, 0, NULL),
			 XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, 3, 40, 0, NULL), INVALID);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, LIST_REF, 40, 0, NULL), SUCCESS);
	assert_int_equal(g->hash->key[39], 0x5a);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, LIST_REF, 10, 0, NULL), SUCCESS);
	assert_int_equal(g->hash->key[39], 0); /* a new key is a whole new key */
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, 0, 0, &data), SUCCESS);
	assert_int_equal(data, NETIF_HASH_MAP_MAX);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 129, 0, 0, NULL), INVALID);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 8, 0, 0, NULL), SUCCESS);
	for (unsigned i = 0; i < 8; i++)
		map[i] = i & 1;
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, LIST_REF, 4, 4, NULL), SUCCESS);
	assert_int_equal(g->hash->map[3], 0);
	assert_int_equal(g->hash->map[5], 1);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, 0, 0, 0, NULL), SUCCESS);
	assert_null(g->hash);
}

static void a_mapping_stays_in_its_table_and_its_queues(void **state)
{
	struct guest *g = *state;
	uint32_t *map = (uint32_t *)g->mem.page[LIST_REF];

	ask(g, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, 1, 0, 0, NULL);
	ask(g, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, 3, 0, 0, NULL);
	ask(g, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 8, 0, 0, NULL);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, LIST_REF, 5, 4, NULL), INVALID);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, LIST_REF, 1, 9, NULL), INVALID);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, LIST_REF, 2, UINT32_MAX, NULL), INVALID);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, LIST_REF, UINT32_MAX, 2, NULL),
			 XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW);
	map[0] = 2; /* there are queues 0 and 1 */
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, LIST_REF, 1, 0, NULL), INVALID);
}

/* Write a list of `n` grants from `ref` on to the page that requests point to. */
static struct xen_netif_gref *list(struct guest *g, unsigned n, uint32_t ref)
{
	struct xen_netif_gref *at = (struct xen_netif_gref *)g->mem.page[LIST_REF];

	for (unsigned i = 0; i < n; i++)
		at[i] = (struct xen_netif_gref){.ref = ref + i, .status = 99};
	return at;
}

static void pages_stay_mapped_until_they_are_taken_back(void **state)
{
	struct guest *g = *state;
	struct xen_netif_gref *at;
	uint32_t data;

	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE, 1, 0, 0, &data), SUCCESS);
	assert_int_equal(data, NETIF_STAGED_MAX);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE, 2, 0, 0, NULL), INVALID);
	list(g, 300, DATA_REF);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 1, LIST_REF, 300, NULL), SUCCESS);
	assert_int_equal(g->mem.mapped, 300);
	assert_null(g->staged[0]);
	assert_ptr_equal(netif_staged_find(g->staged[1], DATA_REF + 7)->va, g->mem.page[DATA_REF + 7]);
	assert_null(netif_staged_find(g->staged[1], DATA_REF + 300));
	at = list(g, 3, DATA_REF + 298);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING, 1, LIST_REF, 3, &data), SUCCESS);
	assert_int_equal(data, 2);
	assert_int_equal(at[1].status, SUCCESS);
	assert_int_equal(at[2].status, INVALID);
	assert_int_equal(g->mem.mapped, 298);
	assert_null(netif_staged_find(g->staged[1], DATA_REF + 299));
	assert_non_null(netif_staged_find(g->staged[1], DATA_REF + 297));
}

static void a_page_is_taken_back_once(void **state)
{
	struct guest *g = *state;
	struct xen_netif_gref *at;
	uint32_t data;

	list(g, 4, DATA_REF);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, LIST_REF, 4, NULL), SUCCESS);
	at = list(g, 2, DATA_REF);
	at[1] = at[0];
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING, 0, LIST_REF, 2, &data), SUCCESS);
	assert_int_equal(data, 1);
	assert_int_equal(at[0].status, SUCCESS);
	assert_int_equal(at[1].status, INVALID);
}

/* Each is a mapping, of which a process may have so many: guests with many queues must not use them up. */
static void all_guests_together_have_a_bound_too(void **state)
{
	static struct guest more[4];
	struct guest *g = *state;
	unsigned n = 0;

	for (unsigned i = 0; i < 4; i++) {
		more[i].mem.domid = DOMID;
		more[i].ctrl = (struct netif_ctrl){
			.domid = DOMID, .queues = VIF_QUEUES_MAX, .ops = g->ctrl.ops, .arg = &more[i]};
		more[i].ctrl.ring = grant_mem_page();
		assert_true(netif_ctrl_begin(&more[i].ctrl));
		for (unsigned q = 0; q < VIF_QUEUES_MAX; q++) {
			list(g, 512, DATA_REF);
			n += ask(&more[i], XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, q, LIST_REF, 512, NULL) == SUCCESS;
		}
	}
	assert_int_equal(n * 512, NETIF_STAGED_ALL);
	assert_int_equal(g->mem.mapped, NETIF_STAGED_ALL);
	list(g, 1, DATA_REF);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, LIST_REF, 1, NULL), INVALID);
	for (unsigned i = 0; i < 4; i++) {
		netif_ctrl_end(&more[i].ctrl);
		free(more[i].ctrl.ring);
	}
	assert_int_equal(g->mem.mapped, 0);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, LIST_REF, 1, NULL), SUCCESS);
}

static void all_of_a_list_is_mapped_or_none(void **state)
{
	struct guest *g = *state;

	list(g, 10, DATA_REF)[9].ref = 3; /* not granted */
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, LIST_REF, 10, NULL), INVALID);
	list(g, 10, DATA_REF)[9].ref = DATA_REF; /* twice */
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, LIST_REF, 10, NULL), INVALID);
	assert_int_equal(g->mem.mapped, 0);
	list(g, 512, DATA_REF);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, LIST_REF, 513, NULL), INVALID);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, LIST_REF, 512, NULL), SUCCESS);
	list(g, 1, DATA_REF + 600);
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, LIST_REF, 1, NULL), INVALID); /* full */
	assert_int_equal(ask(g, XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 5, LIST_REF, 1, NULL), INVALID);
}

static void frames_in_pages_that_stay_mapped_cost_no_call_of_the_hypervisor(void **state)
{
	struct guest *g = *state;
	union netif_tx_sring_entry *tx;
	union netif_rx_sring_entry *rx;
	unsigned calls;

	list(g, 512, DATA_REF);
	ask(g, XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, LIST_REF, 512, NULL);
	g->tx.staged = g->rx.staged = g->staged[0];
	memset(g->mem.page[DATA_REF], 0x11, GRANT_PAGE);
	tx = g->tx.ring->ring;
	rx = g->rx.ring->ring;
	tx[0].req = (struct netif_tx_request){.gref = DATA_REF, .offset = 16, .size = 1000};
	tx[1].req = (struct netif_tx_request){.gref = DATA_REF, .offset = 16, .size = 1000};
	rx[0].req = (struct netif_rx_request){.gref = DATA_REF + 300};
	rx[1].req = (struct netif_rx_request){.gref = DATA_REF + 700}; /* granted, not mapped */
	g->tx.ring->req_prod = g->rx.ring->req_prod = 2;
	calls = g->mem.calls;
	assert_int_equal(netif_tx_peek(&g->tx, &g->burst, &g->count), 2);
	assert_int_equal(netif_rx_deliver(&g->rx, (struct vif_frame *[]){&g->burst.frame[0]}, 1, &g->count), 1);
	assert_int_equal(g->mem.calls, calls);
	assert_int_equal(g->mem.page[DATA_REF + 300][999], 0x11);
	assert_int_equal(g->mem.page[DATA_REF + 300][1000], 0);
	assert_int_equal(netif_rx_deliver(&g->rx, (struct vif_frame *[]){&g->burst.frame[1]}, 1, &g->count), 1);
	assert_int_equal(g->mem.calls, calls + 1);
	assert_int_equal(g->count.grant_copies, 2); /* the head's, and the rest's */
	assert_int_equal(g->mem.page[DATA_REF + 700][999], 0x11);
}

static void a_control_ring_that_runs_ahead_is_broken(void **state)
{
	struct guest *g = *state;

	assert_int_equal(ask(g, 11, 0, 0, 0, NULL), XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED);
	g->ctrl.ring->req_prod += NETIF_CTRL_RING_SIZE + 1;
	assert_int_equal(netif_ctrl_serve(&g->ctrl, 8), 0);
	assert_non_null(strstr(g->ctrl.broken, "control ring"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_hash_is_set_up_step_by_step),
		T(a_mapping_stays_in_its_table_and_its_queues),
		T(pages_stay_mapped_until_they_are_taken_back),
		T(a_page_is_taken_back_once),
		T(all_guests_together_have_a_bound_too),
		T(all_of_a_list_is_mapped_or_none),
		T(frames_in_pages_that_stay_mapped_cost_no_call_of_the_hypervisor),
		T(a_control_ring_that_runs_ahead_is_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
