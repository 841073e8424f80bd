/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A netfront's shared rings (xen/include/public/io/netif.h, io/ring.h) as a backend sees them.
 *
 * Model. A struct netif_tx is a ring that the guest sends on, a struct netif_rx one that it receives on, over a page that
 * somebody has mapped. Requests are answered in order, each in its own slot; so rsp_prod, in the shared page, alone says
 * where a new backend goes on, and where a burst that was thrown away is peeked again.
 *
 * Safety. The guest writes to these pages at any time. Each request is fetched once, into private memory; req_prod may
 * lead rsp_prod by the ring's size at most; a buffer lies in one page; a frame's slots are all there when it is announced.
 * A guest that breaks these rules gets a sentence in ->broken, and the port's driver quarantines it. What the guest's rings
 * make the hypervisor read or write is the guest's own grants: the domain is never taken from a ring.
 *
 * Threads. One at a time per ring; the port's driver locks if there are more. netif_mcast has its own lock.
 */
#ifndef XBAR_NETIF_RING_H
#define XBAR_NETIF_RING_H

#include <stdint.h>
#include <string.h>

#include <xen/grant_table.h>
#include <xen/io/netif.h>

#include "vif/vif.h"

#define NETIF_RING_SIZE 256 /* slots of a ring in one page, in either direction */
#define NETIF_SLOTS_MAX 18 /* of a frame that the guest sends, without extra-infos (XEN_NETIF_NR_SLOTS_MIN) */
#define NETIF_GROUPS_MAX 64 /* multicast groups that a guest may ask for */
#define NETIF_HASH_KEY_MAX 40
#define NETIF_HASH_MAP_MAX 128

/* ---- headers ----------------------------------------------------------------------------------------------------- */

/* Where the headers of an IP packet are in an Ethernet frame; found in its first bytes only. */
struct netif_headers {
	uint16_t l3, l4; /* offsets */
	uint8_t proto;
	bool v6, tagged, fragment;
};

/* false: it is no IP packet, or its headers do not end within the `n` bytes at p. */
bool netif_headers(const uint8_t *p, unsigned n, struct netif_headers *h);
/* Where TCP or UDP keep their checksum, from l4 on; 0: another protocol. */
static inline uint16_t netif_csum_offset(uint8_t proto)
{
	return proto == 6 ? 16 : proto == 17 ? 6 : 0;
}

/* ---- multicast filter -------------------------------------------------------------------------------------------- */

struct netif_mcast {
	bool on; /* only the groups asked for are delivered */
	bool lock;
	unsigned n; /* slots of group[] in use, of which some may be 0 */
	uint64_t group[NETIF_GROUPS_MAX]; /* MAC address in the low 48 bits; 0: free */
};

/* false: the list is full, or the address is not there. */
bool netif_mcast_add(struct netif_mcast *mcast, const uint8_t mac[6]);
bool netif_mcast_del(struct netif_mcast *mcast, const uint8_t mac[6]);
bool netif_mcast_wants(const struct netif_mcast *mcast, const uint8_t mac[6]);

/* ---- pages that stay mapped -------------------------------------------------------------------------------------- */

#define NETIF_STAGED_MAX 512 /* pages of a queue that a guest may have mapped: every slot of both rings */
#define NETIF_STAGED_HASH 1024
#define NETIF_STAGED_ALL 16384 /* of all guests: each is a mapping of its own, and a process may have 65530 */

/* Grants that the guest has asked to keep mapped, by reference: open addressing. Never changes once published. */
struct netif_staged {
	unsigned n;
	struct netif_staged_page {
		uint32_t gref;
		bool writable;
		uint8_t *va; /* NULL: a free place */
	} page[NETIF_STAGED_HASH];
};

/* NULL: it is not there. */
static inline const struct netif_staged_page *netif_staged_find(const struct netif_staged *staged, uint32_t gref)
{
	for (uint32_t i = gref * 2654435761u >> 22;; i = (i + 1) % NETIF_STAGED_HASH) {
		if (!staged->page[i].va)
			return NULL;
		if (staged->page[i].gref == gref)
			return &staged->page[i];
	}
}

/* ---- hash -------------------------------------------------------------------------------------------------------- */

/* How a guest wants its frames spread over its queues (netif.h, "Hash algorithms"). Never changes once published. */
struct netif_hash {
	uint32_t algorithm, flags;
	uint8_t key[NETIF_HASH_KEY_MAX];
	uint32_t map_size; /* 0: modulo the queues */
	uint32_t map[NETIF_HASH_MAP_MAX];
};

/* The hash of a frame; *type is then _XEN_NETIF_CTRL_HASH_TYPE_*, or -1: this frame has none. */
uint32_t netif_hash_frame(const struct netif_hash *hash, const struct vif_frame *frame, int *type);

/* ---- rings ------------------------------------------------------------------------------------------------------- */

struct netif_tx {
	struct netif_tx_sring *ring;
	uint32_t rsp_prod; /* next request to look at, and to answer */
	uint32_t req_seen; /* req_prod as last read */
	uint32_t signalled; /* rsp_prod at the last notification */
	uint16_t domid;
	const char *broken; /* NULL, or the rule that the guest broke: a sentence */
	struct netif_mcast *mcast;
	const struct netif_staged *staged; /* NULL: none */
	struct {
		uint16_t id;
		int16_t status;
	} slot[NETIF_RING_SIZE]; /* of the requests of the burst, what is to be answered */
};

struct netif_rx {
	struct netif_rx_sring *ring;
	uint32_t rsp_prod, req_seen, signalled; /* as above */
	uint16_t domid;
	bool sg; /* frames may use more than one page */
	const char *broken;
	const struct netif_mcast *mcast;
	const struct netif_staged *staged;
	const struct netif_hash *hash; /* NULL: none; its value goes with each frame */
};

/* Begin with a page, where its last backend stopped, even in the middle of its answers. false: its indices are wrong. */
bool netif_tx_begin(struct netif_tx *tx);
bool netif_rx_begin(struct netif_rx *rx);

/* As vif_ops.peek and release. */
unsigned netif_tx_peek(struct netif_tx *tx, struct vif_burst *burst, struct vif_counters *count);
void netif_tx_release(struct netif_tx *tx, const struct vif_burst *burst, struct vif_counters *count);
/* As vif_ops.deliver. Slots are published on return. */
unsigned netif_rx_deliver(struct netif_rx *rx, struct vif_frame *const *frames, unsigned n, struct vif_counters *count);

/* After a full barrier: does the guest want to know of what was published since the last time? */
bool netif_tx_wants_signal(struct netif_tx *tx);
bool netif_rx_wants_signal(struct netif_rx *rx);
/* Ask for a signal when there is a request. true: there is one already. */
bool netif_tx_arm(struct netif_tx *tx);

#endif
