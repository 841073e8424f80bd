/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lean guest: memory, one receive and one transmit ring (split or packed, virtio 1.2, 2.7 and 2.8), and nothing of an
 * operating system.
 * It is the driver's side of what vif/ring.c is the device's side of, and polls.
 *
 * Model. Memory is one shared file: rings, then buffers, 64-byte aligned, each beginning with the 12 bytes of the
 * virtio-net header. Transmit slots are reused in the order in which the device gives them back; a slot's descriptor
 * does not change (but once, guest_shape), so that to send is to write the frame and to move an index; in a packed ring it
 * is copied to the ring's next slot. Frames beyond
 * 4 KiB are sent as Linux sends them: an indirect table of the headers and of pieces of 32 KiB. Receive buffers are as
 * Linux posts them: 1536 bytes, or 4096 where frames are longer, and such frames come in several of them
 * (VIRTIO_NET_F_MRG_RXBUF).
 *
 * Limits. The device is trusted with indices and lengths as a real driver would not: a benchmark ends on nonsense.
 *
 * Threads. One.
 */
#ifndef XBAR_BENCH_GUEST_H
#define XBAR_BENCH_GUEST_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUEST_HDR 12 /* struct virtio_net_hdr_mrg_rxbuf */
#define GUEST_SHORT 64 /* length of the frames that are sent before guest_shape() */
#define GUEST_GPA 0x40000000 /* of the memory's first byte */

struct guest_opts {
	uint16_t ring; /* entries, a power of two */
	uint32_t frame; /* length of what will be sent */
	uint16_t gso_size; /* not 0: TCP segmentation offload, this much payload a segment */
	uint16_t gso_hdr; /* with it: bytes of Ethernet, IP and TCP headers */
	bool huge; /* memory from hugepages */
	bool packed; /* the rings */
};

struct guest_queue {
	struct vring_desc *desc; /* of buffer i, at [i]; of a split ring, the guest's own copies for a packed one */
	struct vring_avail *avail;
	struct vring_used *used;
	struct vring_packed_desc *slot; /* NULL: the ring is split */
	struct vring_packed_desc_event *driver_event, *device_event;
	uint16_t seen; /* packed: used entries have been seen up to here */
	uint16_t mask;
	uint16_t avail_idx; /* next entry of the available ring to write */
	uint16_t used_idx; /* next entry of the used ring to read */
	uint16_t told; /* avail_idx when last published */
	uint32_t buf_size;
	uint8_t *buf; /* buffer i is at buf + i * buf_size */
	int kickfd, callfd;
};

struct guest {
	struct guest_opts opts;
	int memfd, sock;
	uint8_t *mem;
	size_t size;
	uint64_t features; /* negotiated */
	struct guest_queue rx, tx;
	uint16_t slots; /* transmit slots: at most a ring of them, fewer of long ones */
	uint16_t nfree, free_at; /* free slots: nfree entries of free_slot from free_at on */
	uint16_t *free_slot;
};

/* A received frame: its pieces. Valid until guest_rx_done(). */
struct guest_piece {
	const uint8_t *p;
	uint32_t n;
};

/* Make memory and rings. 0 or -errno. */
int guest_new(struct guest *g, const struct guest_opts *opts);
/* Receive buffers are posted, and what is sent is short: after the features are known, before the device starts. */
void guest_fill(struct guest *g);
/* From now on frames are sent as the options say. Every slot must be free. */
void guest_shape(struct guest *g);
void guest_free(struct guest *g);
/* Tell the device, if it asked to be told, of what was published on the queue. */
void guest_kick(struct guest *g, struct guest_queue *q);
/* Pieces of the frame that begins `k` used entries on, and its length; `max` pieces at most. 0: it is too long. */
unsigned guest_rx_pieces(struct guest *g, unsigned k, struct guest_piece *piece, unsigned max, uint32_t *len);

/* Entry `idx` of a packed ring, and what tells whose it is: laps are told apart by the index's bit above those of a slot. */
#define GUEST_AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define GUEST_USED (1u << VRING_PACKED_DESC_F_USED)

static inline struct vring_packed_desc *guest_slot(const struct guest_queue *q, uint16_t idx)
{
	return &q->slot[idx & q->mask];
}

static inline bool guest_slot_is_used(const struct guest_queue *q, uint16_t idx)
{
	const uint16_t flags = __atomic_load_n(&guest_slot(q, idx)->flags, __ATOMIC_ACQUIRE);
	const uint16_t used = idx & (q->mask + 1) ? 0 : GUEST_AVAIL | GUEST_USED;

	return (flags & (GUEST_AVAIL | GUEST_USED)) == used;
}

/* Make buffer `id` available in a packed ring. */
static inline void guest_offer_packed(struct guest_queue *q, uint16_t idx, uint16_t id)
{
	struct vring_packed_desc *slot = guest_slot(q, idx);
	const struct vring_desc *desc = &q->desc[id];
	const uint16_t flags = desc->flags | (idx & (q->mask + 1) ? GUEST_USED : GUEST_AVAIL);
	typedef uint64_t __attribute__((may_alias)) word;

	slot->addr = desc->addr;
	__atomic_store_n((word *)&slot->len, desc->len | (uint64_t)id << 32 | (uint64_t)flags << 48, __ATOMIC_RELEASE);
}

/* See what of a packed ring has been used, up to `max` entries beyond used_idx. */
static inline uint16_t guest_look(struct guest_queue *q, uint16_t max)
{
	while ((uint16_t)(q->seen - q->used_idx) < max && guest_slot_is_used(q, q->seen))
		q->seen++;
	return q->seen - q->used_idx;
}

/* Take back the slots that the device has done with; returns how many are free. */
static inline unsigned guest_tx_reap(struct guest *g)
{
	const uint16_t mask = g->tx.mask;
	const struct vring_used_elem *ring = g->tx.used->ring;
	uint16_t *slot = g->free_slot, to = g->free_at + g->nfree, idx;

	if (__builtin_expect(g->tx.slot != NULL, 0)) {
		for (; g->nfree < g->slots && guest_slot_is_used(&g->tx, g->tx.used_idx); g->nfree++, to++)
			slot[to & mask] = guest_slot(&g->tx, g->tx.used_idx++)->id;
		return g->nfree;
	}
	idx = __atomic_load_n(&g->tx.used->idx, __ATOMIC_ACQUIRE);
	g->nfree += (uint16_t)(idx - g->tx.used_idx);
	for (uint16_t at = g->tx.used_idx; at != idx; at++, to++)
		slot[to & mask] = (uint16_t)ring[at & mask].id;
	g->tx.used_idx = idx;
	return g->nfree;
}

/* The k-th free slot's frame, to be written. k is below what guest_tx_reap() said. */
static inline uint8_t *guest_tx_frame(const struct guest *g, unsigned k)
{
	return g->tx.buf + (size_t)g->free_slot[(g->free_at + k) & g->tx.mask] * g->tx.buf_size + GUEST_HDR;
}

/* The k-th free slot will be written. (gcc's prefetch asks for lines to be written only where it may assume prefetchw.) */
static inline void guest_tx_prefetch(const struct guest *g, unsigned k)
{
	const uint8_t *p = guest_tx_frame(g, k) - GUEST_HDR;

	__asm__ volatile("prefetchw %0\n\tprefetchw %1" : : "m"(*p), "m"(p[64]));
}

/* Write an entry of the available ring only where it says something else: the device reads that line. */
static inline void guest_offer(uint16_t *entry, uint16_t head)
{
	if (*entry != head)
		*entry = head;
}

/* Publish what was offered. */
static inline void guest_publish(struct guest *g, struct guest_queue *q)
{
	if (__builtin_expect(!q->slot, 1))
		__atomic_store_n(&q->avail->idx, q->avail_idx, __ATOMIC_RELEASE);
	guest_kick(g, q);
}

/* Send the first n free slots. */
static inline void guest_tx_send(struct guest *g, unsigned n)
{
	const uint16_t mask = g->tx.mask, *slot = g->free_slot;
	uint16_t *ring = g->tx.avail->ring, at = g->tx.avail_idx, from = g->free_at;

	if (__builtin_expect(g->tx.slot != NULL, 0))
		for (unsigned i = 0; i < n; i++, at++, from++)
			guest_offer_packed(&g->tx, at, slot[from & mask]);
	else
		for (unsigned i = 0; i < n; i++, at++, from++)
			guest_offer(&ring[at & mask], slot[from & mask]);
	g->tx.avail_idx = at;
	g->free_at = from;
	g->nfree -= n;
	guest_publish(g, &g->tx);
}

/* Used entries waiting. */
static inline uint16_t guest_rx_waiting(struct guest *g)
{
	if (__builtin_expect(g->rx.slot != NULL, 0))
		return guest_look(&g->rx, g->rx.mask + 1);
	return __atomic_load_n(&g->rx.used->idx, __ATOMIC_ACQUIRE) - g->rx.used_idx;
}

/* What the used entry `k` entries on says. */
static inline struct vring_used_elem guest_rx_used(const struct guest *g, unsigned k)
{
	const uint16_t idx = g->rx.used_idx + k;

	if (__builtin_expect(!g->rx.slot, 1))
		return g->rx.used->ring[idx & g->rx.mask];
	return (struct vring_used_elem){guest_slot(&g->rx, idx)->id, guest_slot(&g->rx, idx)->len};
}

/*
 * The frame that begins `k` used entries on, where it lies in one buffer, which most do: its bytes and length. NULL: see
 * guest_rx_pieces().
 */
static inline const uint8_t *guest_rx_frame(const struct guest *g, unsigned k, uint32_t *len)
{
	const struct vring_used_elem e = guest_rx_used(g, k);
	const uint8_t *p = g->rx.buf + (size_t)e.id * g->rx.buf_size;

	if (*(const uint16_t *)(p + 10) > 1) /* num_buffers */
		return NULL;
	*len = e.len - GUEST_HDR;
	return p + GUEST_HDR;
}

/* The frame that begins `k` used entries on will be wanted. */
static inline void guest_rx_prefetch(const struct guest *g, unsigned k)
{
	const uint32_t id = guest_rx_used(g, k).id;

	__builtin_prefetch(g->rx.buf + (size_t)id * g->rx.buf_size);
	__builtin_prefetch(g->rx.buf + (size_t)id * g->rx.buf_size + 64);
}

/* Post the buffers of the next `n` used entries again; guest_publish() shows them. */
static inline void guest_rx_done(struct guest *g, unsigned n)
{
	const uint16_t mask = g->rx.mask;
	const struct vring_used_elem *used = g->rx.used->ring;
	uint16_t *ring = g->rx.avail->ring, at = g->rx.avail_idx, from = g->rx.used_idx;

	if (__builtin_expect(g->rx.slot != NULL, 0))
		for (; n--; at++, from++)
			guest_offer_packed(&g->rx, at, guest_slot(&g->rx, from)->id);
	else
		for (; n--; at++, from++)
			guest_offer(&ring[at & mask], (uint16_t)used[from & mask].id);
	g->rx.avail_idx = at;
	g->rx.used_idx = from;
}

#endif
