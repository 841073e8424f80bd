/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A Xen guest that writes what it likes into its rings. The input is its pages: transmit ring, receive ring, control
 * ring, then what it has granted. The first byte chooses what is set up. Everything is served a few times, as a worker
 * does; the sanitizers, and the checks here, say whether a byte outside the guest's grants was touched or anything was
 * said that cannot be.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "tests/unit/grant_mem.h"
#include "vif/netif/netif_ctrl.h"
#include "vif/netif/netif_ring.h"
#include "vif/offload.h"

#define DOMID 3
#define PAGES 8 /* granted, references 0 to 7 */

struct guest {
	struct grant_mem mem;
	struct netif_tx tx;
	struct netif_rx rx;
	struct netif_ctrl ctrl;
	struct netif_mcast mcast;
	const struct netif_hash *hash;
	const struct netif_staged *staged;
	struct vif_counters count;
};

static void check(bool ok)
{
	if (!ok)
		abort();
}

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
	const struct netif_staged *old = g->staged;

	check(!queue);
	g->staged = staged;
	return old;
}

static void check_frame(const struct vif_frame *f)
{
	uint32_t len = f->head_len;

	for (unsigned s = 0; s < f->nseg; s++) {
		check(f->grant[s].domid == DOMID && f->grant[s].offset + f->seg[s].len <= GRANT_PAGE);
		check(f->seg[s].len && f->seg[s].granted);
		len += f->seg[s].len;
	}
	check(len == f->len);
	check(!f->len || f->len >= 14);
	if (f->len && f->off.needs)
		check((uint32_t)f->off.csum_start + f->off.csum_offset + 2 <= f->head_len);
	if (f->len && f->off.gso_size)
		check(f->off.needs & (VIF_CAP_TSO4 | VIF_CAP_TSO6));
}

/* A turn: what the guest sends comes back to it, whole, and once more in software's pieces. */
static void turn(struct guest *g)
{
	static struct vif_burst burst;
	static struct offload offload;
	uint32_t before = g->tx.rsp_prod;
	unsigned n;

	g->tx.staged = g->rx.staged = g->staged;
	g->rx.hash = g->hash;
	n = netif_tx_peek(&g->tx, &burst, &g->count);
	check(n <= VIF_BURST && n == burst.n && burst.nseg <= VIF_SEGS);
	for (unsigned i = 0; i < n; i++) {
		struct vif_frame *f = &burst.frame[i];

		check_frame(f);
		if (!f->len)
			continue;
		netif_rx_deliver(&g->rx, &f, 1, &g->count);
		if (offload_begin(&offload, f, 0))
			continue;
		for (unsigned made; (made = offload_next(&offload, OFFLOAD_SLOTS));) {
			struct vif_frame *ptr = &offload.made[made - 1];

			netif_rx_deliver(&g->rx, &ptr, 1, &g->count);
		}
	}
	netif_tx_release(&g->tx, &burst, &g->count);
	check(g->tx.rsp_prod - before <= NETIF_RING_SIZE);
	netif_tx_wants_signal(&g->tx);
	netif_rx_wants_signal(&g->rx);
	netif_tx_arm(&g->tx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct netif_ctrl_ops ops = {set_hash, set_staged};
	struct guest *g = calloc(1, sizeof(*g));
	uint8_t *page[3 + PAGES];

	check(g != NULL);
	for (unsigned i = 0; i < 3 + PAGES; i++) {
		size_t from = 1 + (size_t)i * GRANT_PAGE, n = size > from ? size - from : 0;

		page[i] = aligned_alloc(GRANT_PAGE, GRANT_PAGE);
		memset(page[i], 0, GRANT_PAGE);
		if (n)
			memcpy(page[i], data + from, n < GRANT_PAGE ? n : GRANT_PAGE);
		if (i >= 3)
			g->mem.page[i - 3] = page[i];
	}
	g->mem.domid = DOMID;
	g->mem.readonly[1] = true;
	grant_mem_use(&g->mem);
	g->tx.ring = (struct netif_tx_sring *)page[0];
	g->rx.ring = (struct netif_rx_sring *)page[1];
	g->ctrl.ring = (struct xen_netif_ctrl_sring *)page[2];
	g->tx.domid = g->rx.domid = g->ctrl.domid = DOMID;
	g->tx.mcast = &g->mcast;
	g->rx.mcast = &g->mcast;
	g->rx.sg = size && data[0] & 1;
	g->mcast.on = size && data[0] & 2;
	g->ctrl.queues = 1;
	g->ctrl.ops = &ops;
	g->ctrl.arg = g;
	if (netif_tx_begin(&g->tx) && netif_rx_begin(&g->rx) && netif_ctrl_begin(&g->ctrl)) {
		for (int i = 0; i < 4 && !g->tx.broken && !g->rx.broken && !g->ctrl.broken; i++) {
			if (size && data[0] & 4) {
				netif_ctrl_serve(&g->ctrl, 8);
				netif_ctrl_arm(&g->ctrl);
			}
			turn(g);
		}
	}
	netif_ctrl_end(&g->ctrl);
	check(!g->mem.mapped);
	for (unsigned i = 0; i < 3 + PAGES; i++)
		free(page[i]);
	free(g);
	return 0;
}
