/* SPDX-License-Identifier: BSD-3-Clause */
#include "netif_ctrl.h"

#include <stdlib.h>

#include "vif/grant.h"

#define LIST_MAX (GRANT_PAGE / sizeof(struct xen_netif_gref)) /* entries of a list, which is one page */
#define HASH_TYPES                                                                                                     \
	(XEN_NETIF_CTRL_HASH_TYPE_IPV4 | XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP | XEN_NETIF_CTRL_HASH_TYPE_IPV6 |           \
	 XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP)

enum {
	OK = XEN_NETIF_CTRL_STATUS_SUCCESS,
	NOT_SUPPORTED = XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED,
	INVALID = XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER,
	OVERFLOW = XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW
};

bool netif_ctrl_begin(struct netif_ctrl *ctrl)
{
	uint32_t req = __atomic_load_n(&ctrl->ring->req_prod, __ATOMIC_ACQUIRE);

	ctrl->rsp_prod = __atomic_load_n(&ctrl->ring->rsp_prod, __ATOMIC_ACQUIRE);
	return req - ctrl->rsp_prod <= NETIF_CTRL_RING_SIZE;
}

/* ---- hash -------------------------------------------------------------------------------------------------------- */

/* Show the hash as it is now. */
static uint32_t publish_hash(struct netif_ctrl *ctrl)
{
	bool used = ctrl->hash.algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_NONE && ctrl->hash.flags;
	struct netif_hash *copy = used ? malloc(sizeof(*copy)) : NULL;

	if (used && !copy)
		return INVALID;
	if (copy)
		*copy = ctrl->hash;
	free((void *)(uintptr_t)ctrl->ops->set_hash(ctrl->arg, copy));
	return OK;
}

static uint32_t set_algorithm(struct netif_ctrl *ctrl, uint32_t algorithm)
{
	if (algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_NONE && algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ)
		return INVALID;
	ctrl->hash.algorithm = algorithm;
	return publish_hash(ctrl);
}

static uint32_t set_flags(struct netif_ctrl *ctrl, uint32_t flags)
{
	if (ctrl->hash.algorithm == XEN_NETIF_CTRL_HASH_ALGORITHM_NONE || flags & ~(uint32_t)HASH_TYPES)
		return INVALID;
	ctrl->hash.flags = flags;
	return publish_hash(ctrl);
}

static uint32_t set_key(struct netif_ctrl *ctrl, uint32_t gref, uint32_t len)
{
	struct vif_grant page = {gref, 0, ctrl->domid};
	uint8_t key[NETIF_HASH_KEY_MAX] = {0};

	if (len > sizeof(key))
		return OVERFLOW;
	if (len && grant_read(key, &page, len))
		return INVALID;
	memcpy(ctrl->hash.key, key, sizeof(key));
	return publish_hash(ctrl);
}

static uint32_t set_map_size(struct netif_ctrl *ctrl, uint32_t size)
{
	if (size > NETIF_HASH_MAP_MAX)
		return INVALID;
	ctrl->hash.map_size = size;
	memset(ctrl->hash.map, 0, sizeof(ctrl->hash.map));
	return publish_hash(ctrl);
}

static uint32_t set_map(struct netif_ctrl *ctrl, uint32_t gref, uint32_t n, uint32_t at)
{
	struct vif_grant page = {gref, 0, ctrl->domid};
	uint32_t map[NETIF_HASH_MAP_MAX];

	if (n > NETIF_HASH_MAP_MAX)
		return OVERFLOW;
	if (at > ctrl->hash.map_size || n > ctrl->hash.map_size - at)
		return INVALID;
	if (n && grant_read(map, &page, n * sizeof(map[0])))
		return INVALID;
	for (uint32_t i = 0; i < n; i++)
		if (map[i] >= ctrl->queues)
			return INVALID;
	memcpy(&ctrl->hash.map[at], map, n * sizeof(map[0]));
	return publish_hash(ctrl);
}

/* ---- pages that stay mapped -------------------------------------------------------------------------------------- */

static unsigned staged_all; /* by whichever thread */

/* NULL: it is not granted, or there are too many. */
static void *stage(uint16_t domid, uint32_t gref, bool writable)
{
	void *va = NULL;

	if (__atomic_add_fetch(&staged_all, 1, __ATOMIC_RELAXED) <= NETIF_STAGED_ALL)
		va = grant_map(domid, gref, writable);
	if (!va)
		__atomic_sub_fetch(&staged_all, 1, __ATOMIC_RELAXED);
	return va;
}

static void unstage(void *va)
{
	grant_unmap(va);
	__atomic_sub_fetch(&staged_all, 1, __ATOMIC_RELAXED);
}

static void insert(struct netif_staged *staged, const struct netif_staged_page *page)
{
	uint32_t i = page->gref * 2654435761u >> 22;

	while (staged->page[i].va)
		i = (i + 1) % NETIF_STAGED_HASH;
	staged->page[i] = *page;
	staged->n++;
}

/* A copy of `from` (NULL: an empty one). NULL: no memory. */
static struct netif_staged *copy_of(const struct netif_staged *from)
{
	struct netif_staged *copy = calloc(1, sizeof(*copy));

	if (copy && from)
		*copy = *from;
	return copy;
}

static void show(struct netif_ctrl *ctrl, unsigned queue, struct netif_staged *staged)
{
	const struct netif_staged *old;

	if (staged && !staged->n) {
		free(staged);
		staged = NULL;
	}
	ctrl->staged[queue] = staged;
	old = ctrl->ops->set_staged(ctrl->arg, queue, staged);
	for (unsigned i = 0; old && i < NETIF_STAGED_HASH; i++)
		if (old->page[i].va && (!staged || !netif_staged_find(staged, old->page[i].gref)))
			unstage(old->page[i].va);
	free((void *)(uintptr_t)old);
}

static uint32_t add_pages(struct netif_ctrl *ctrl, uint32_t queue, uint32_t gref, uint32_t n)
{
	struct vif_grant page = {gref, 0, ctrl->domid};
	struct xen_netif_gref list[LIST_MAX];
	struct netif_staged *staged;
	uint32_t done = 0;

	if (queue >= ctrl->queues || n > LIST_MAX)
		return INVALID;
	if (!n)
		return OK;
	if (grant_read(list, &page, n * sizeof(list[0])))
		return INVALID;
	staged = copy_of(ctrl->staged[queue]);
	if (!staged)
		return INVALID;
	for (; done < n && staged->n < NETIF_STAGED_MAX; done++) {
		struct netif_staged_page one = {.gref = list[done].ref,
						.writable = !(list[done].flags & XEN_NETIF_CTRLF_GREF_readonly)};

		if (netif_staged_find(staged, one.gref))
			break;
		one.va = stage(ctrl->domid, one.gref, one.writable);
		if (!one.va)
			break;
		insert(staged, &one);
	}
	if (done == n) {
		show(ctrl, queue, staged);
		return OK;
	}
	while (done--) /* all or none */
		unstage(netif_staged_find(staged, list[done].ref)->va);
	free(staged);
	return INVALID;
}

static uint32_t del_pages(struct netif_ctrl *ctrl, uint32_t queue, uint32_t gref, uint32_t n, uint32_t *removed)
{
	struct vif_grant page = {gref, 0, ctrl->domid};
	struct xen_netif_gref list[LIST_MAX];
	bool gone[NETIF_STAGED_HASH] = {false};
	struct netif_staged *staged;
	const struct netif_staged *old;

	if (queue >= ctrl->queues || n > LIST_MAX)
		return INVALID;
	if (!n)
		return OK;
	if (grant_read(list, &page, n * sizeof(list[0])))
		return INVALID;
	staged = calloc(1, sizeof(*staged));
	if (!staged)
		return INVALID;
	old = ctrl->staged[queue];
	for (uint32_t i = 0; i < n; i++) {
		const struct netif_staged_page *is = old ? netif_staged_find(old, list[i].ref) : NULL;
		bool here = is && !gone[is - old->page];

		if (here)
			gone[is - old->page] = true;
		list[i].status = here ? OK : INVALID;
	}
	for (unsigned i = 0; old && i < NETIF_STAGED_HASH; i++)
		if (old->page[i].va && !gone[i])
			insert(staged, &old->page[i]);
	*removed = old ? old->n - staged->n : 0;
	show(ctrl, queue, staged);
	return grant_write(&page, list, n * sizeof(list[0])) ? INVALID : OK;
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

static uint32_t serve(struct netif_ctrl *ctrl, const struct xen_netif_ctrl_request *req, uint32_t *data)
{
	switch (req->type) {
	case XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM:
		return set_algorithm(ctrl, req->data[0]);
	case XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS:
		*data = HASH_TYPES;
		return ctrl->hash.algorithm == XEN_NETIF_CTRL_HASH_ALGORITHM_NONE ? NOT_SUPPORTED : OK;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS:
		return set_flags(ctrl, req->data[0]);
	case XEN_NETIF_CTRL_TYPE_SET_HASH_KEY:
		return set_key(ctrl, req->data[0], req->data[1]);
	case XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE:
		*data = NETIF_HASH_MAP_MAX;
		return OK;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE:
		return set_map_size(ctrl, req->data[0]);
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING:
		return set_map(ctrl, req->data[0], req->data[1], req->data[2]);
	case XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE:
		*data = NETIF_STAGED_MAX;
		return req->data[0] < ctrl->queues ? OK : INVALID;
	case XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING:
		return add_pages(ctrl, req->data[0], req->data[1], req->data[2]);
	case XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING:
		return del_pages(ctrl, req->data[0], req->data[1], req->data[2], data);
	default:
		return NOT_SUPPORTED;
	}
}

static struct xen_netif_ctrl_request fetch(const struct netif_ctrl *ctrl, uint32_t idx)
{
	const volatile uint32_t *from = (const volatile uint32_t *)&ctrl->ring->ring[idx % NETIF_CTRL_RING_SIZE].req;
	uint32_t word[4] = {from[0], from[1], from[2], from[3]};
	struct xen_netif_ctrl_request req;

	_Static_assert(sizeof(req) == sizeof(word), "a request is four words");
	memcpy(&req, word, sizeof(req));
	return req;
}

unsigned netif_ctrl_serve(struct netif_ctrl *ctrl, unsigned max)
{
	uint32_t n = __atomic_load_n(&ctrl->ring->req_prod, __ATOMIC_ACQUIRE) - ctrl->rsp_prod;

	if (n > NETIF_CTRL_RING_SIZE) {
		ctrl->broken = "the control ring's request index ran ahead by more than the ring holds";
		return 0;
	}
	if (n > max)
		n = max;
	for (uint32_t i = 0; i < n; i++) {
		struct xen_netif_ctrl_request req = fetch(ctrl, ctrl->rsp_prod);
		struct xen_netif_ctrl_response rsp = {.id = req.id, .type = req.type};

		rsp.status = serve(ctrl, &req, &rsp.data);
		if (rsp.status != OK)
			rsp.data = 0;
		ctrl->ring->ring[ctrl->rsp_prod % NETIF_CTRL_RING_SIZE].rsp = rsp;
		__atomic_store_n(&ctrl->ring->rsp_prod, ++ctrl->rsp_prod, __ATOMIC_RELEASE);
	}
	return n;
}

bool netif_ctrl_arm(struct netif_ctrl *ctrl)
{
	__atomic_store_n(&ctrl->ring->req_event, ctrl->rsp_prod + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&ctrl->ring->req_prod, __ATOMIC_ACQUIRE) != ctrl->rsp_prod;
}

void netif_ctrl_end(struct netif_ctrl *ctrl)
{
	free((void *)(uintptr_t)ctrl->ops->set_hash(ctrl->arg, NULL));
	for (unsigned q = 0; q < ctrl->queues; q++)
		show(ctrl, q, NULL);
}
