/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE (2u << 20)
#define PIECE 32768 /* of a long frame: what Linux allocates for a socket's pages at once */
#define LINEAR 4096 /* longer frames go by an indirect table */
#define SHORT 2176 /* of a buffer for frames that fit, in bytes: no power of two, so that they spread over the cache */
#define TABLE 4 /* entries of it */
#define IN_FLIGHT (1u << 20) /* bytes that a guest has on the way: a sender's caches, not its ring, are its limit */

static size_t align(size_t n, size_t to)
{
	return (n + to - 1) & ~(to - 1);
}

static size_t queue_size(unsigned n)
{
	return align(n * sizeof(struct vring_desc), 4096) + align(6 + 2 * n, 4096) + align(6 + 8 * n, 4096);
}

static int queue_new(struct guest_queue *q, uint8_t *mem, unsigned n, bool packed)
{
	q->desc = (struct vring_desc *)mem;
	q->avail = (struct vring_avail *)(mem + align(n * sizeof(struct vring_desc), 4096));
	q->used = (struct vring_used *)((uint8_t *)q->avail + align(6 + 2 * n, 4096));
	q->mask = n - 1;
	if (packed) {
		q->slot = (struct vring_packed_desc *)q->desc;
		q->driver_event = (struct vring_packed_desc_event *)q->avail;
		q->device_event = (struct vring_packed_desc_event *)q->used;
		q->driver_event->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
		q->desc = calloc(n, sizeof(*q->desc));
		if (!q->desc)
			return -ENOMEM;
	} else {
		q->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	}
	q->kickfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	q->callfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return q->kickfd < 0 || q->callfd < 0 ? -errno : 0;
}

static int memory_new(struct guest *g)
{
	g->size = align(g->size, HUGE);
	g->memfd = memfd_create("guest", MFD_CLOEXEC | (g->opts.huge ? MFD_HUGETLB : 0));
	if (g->memfd < 0 || ftruncate(g->memfd, g->size))
		return -errno;
	g->mem = mmap(NULL, g->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, g->memfd, 0);
	if (g->mem == MAP_FAILED) {
		g->mem = NULL;
		return -errno;
	}
	return 0;
}

int guest_new(struct guest *g, const struct guest_opts *opts)
{
	unsigned n = opts->ring;
	int err;

	memset(g, 0, sizeof(*g));
	g->opts = *opts;
	g->sock = g->memfd = -1;
	g->rx.kickfd = g->rx.callfd = g->tx.kickfd = g->tx.callfd = -1;
	g->rx.buf_size = opts->frame + GUEST_HDR > 1536 ? 4096 : 1536;
	g->tx.buf_size = align(opts->frame + GUEST_HDR, 64) < SHORT ? SHORT : align(opts->frame + GUEST_HDR, 4096);
	g->slots = IN_FLIGHT / g->tx.buf_size < n ? IN_FLIGHT / g->tx.buf_size : n;
	g->size = 2 * queue_size(n) + n * TABLE * sizeof(struct vring_desc) + (size_t)n * g->rx.buf_size +
		  (size_t)g->slots * g->tx.buf_size + 8192;
	g->free_slot = calloc(n, sizeof(*g->free_slot));
	err = g->free_slot ? memory_new(g) : -ENOMEM;
	if (!err)
		err = queue_new(&g->rx, g->mem, n, opts->packed);
	if (!err)
		err = queue_new(&g->tx, g->mem + queue_size(n), n, opts->packed);
	if (err) {
		guest_free(g);
		return err;
	}
	g->rx.buf = g->mem + align(2 * queue_size(n) + n * TABLE * sizeof(struct vring_desc), 4096);
	g->tx.buf = g->rx.buf + align((size_t)n * g->rx.buf_size, 4096);
	return 0;
}

static uint64_t gpa(const struct guest *g, const void *p)
{
	return GUEST_GPA + (uint64_t)((const uint8_t *)p - g->mem);
}

static void shape_slot(struct guest *g, unsigned i)
{
	uint8_t *buf = g->tx.buf + (size_t)i * g->tx.buf_size;
	struct vring_desc *table = (struct vring_desc *)(g->mem + 2 * queue_size(g->tx.mask + 1)) + i * TABLE;
	uint32_t len = g->opts.frame + GUEST_HDR, at = GUEST_HDR + g->opts.gso_hdr;
	struct virtio_net_hdr *hdr = (struct virtio_net_hdr *)buf;
	unsigned n = 1;

	memset(hdr, 0, GUEST_HDR);
	if (g->opts.gso_size) {
		hdr->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		hdr->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		hdr->gso_size = g->opts.gso_size;
		hdr->hdr_len = g->opts.gso_hdr;
		hdr->csum_start = 34; /* Ethernet and IPv4 */
		hdr->csum_offset = 16;
	}
	g->tx.desc[i] = (struct vring_desc){gpa(g, buf), len, 0, 0};
	if (len <= LINEAR || !(g->features & 1ULL << VIRTIO_RING_F_INDIRECT_DESC))
		return;
	if (at == GUEST_HDR)
		at += 128;
	table[0] = (struct vring_desc){gpa(g, buf), at, VRING_DESC_F_NEXT, 1};
	for (; at < len; at += PIECE, n++)
		table[n] = (struct vring_desc){gpa(g, buf + at), len - at < PIECE ? len - at : PIECE, VRING_DESC_F_NEXT,
					       n + 1};
	table[n - 1].flags = table[n - 1].next = 0;
	if (g->tx.slot) /* such a table has no links: identifiers, which are not looked at, and flags, of which there are none */
		for (unsigned k = 0; k < n; k++)
			table[k].flags = table[k].next = 0;
	g->tx.desc[i] = (struct vring_desc){gpa(g, table), n * sizeof(*table), VRING_DESC_F_INDIRECT, 0};
}

void guest_shape(struct guest *g)
{
	for (unsigned i = 0; i < g->slots; i++)
		shape_slot(g, i);
}

void guest_fill(struct guest *g)
{
	g->nfree = g->slots;
	for (unsigned i = 0; i < g->slots; i++) {
		g->free_slot[i] = i;
		memset(g->tx.buf + (size_t)i * g->tx.buf_size, 0, GUEST_HDR);
		g->tx.desc[i] = (struct vring_desc){gpa(g, g->tx.buf + (size_t)i * g->tx.buf_size),
						    GUEST_HDR + GUEST_SHORT, 0, 0};
	}
	for (unsigned i = 0; i <= g->rx.mask; i++) {
		g->rx.desc[i] = (struct vring_desc){gpa(g, g->rx.buf + (size_t)i * g->rx.buf_size), g->rx.buf_size,
						    VRING_DESC_F_WRITE, 0};
		if (g->rx.slot)
			guest_offer_packed(&g->rx, (uint16_t)i, (uint16_t)i);
		else
			guest_offer(&g->rx.avail->ring[i], i);
	}
	g->rx.avail_idx = g->rx.mask + 1;
	if (!g->rx.slot)
		__atomic_store_n(&g->rx.avail->idx, g->rx.avail_idx, __ATOMIC_RELEASE);
	g->rx.told = g->rx.avail_idx;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void guest_free(struct guest *g)
{
	close_fd(g->sock);
	close_fd(g->memfd);
	close_fd(g->rx.kickfd);
	close_fd(g->rx.callfd);
	close_fd(g->tx.kickfd);
	close_fd(g->tx.callfd);
	if (g->rx.slot)
		free(g->rx.desc);
	if (g->tx.slot)
		free(g->tx.desc);
	if (g->mem)
		munmap(g->mem, g->size);
	free(g->free_slot);
}

void guest_kick(struct guest *g, struct guest_queue *q)
{
	bool event_idx = g->features & 1ULL << VIRTIO_RING_F_EVENT_IDX, wanted;
	const uint16_t *wish = (const uint16_t *)(const void *)&q->used->ring[q->mask + 1];
	const uint64_t one = 1;

	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* our index before their wish */
	if (q->slot) {
		const uint16_t flags = __atomic_load_n(&q->device_event->flags, __ATOMIC_RELAXED);
		const uint16_t at =
			q->device_event->off_wrap; /* as an index near ours, in this lap or the one before */
		uint16_t event = (q->avail_idx & ~q->mask) | (at & q->mask);

		if (!(at & 0x8000) != !!(event & (q->mask + 1)))
			event -= q->mask + 1;
		wanted = flags == VRING_PACKED_EVENT_FLAG_DESC ? vring_need_event(event, q->avail_idx, q->told)
							       : flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	} else if (
		event_idx) { /* theirs is behind the used ring, ours behind the available ring: never, for half a turn more */
		wanted = vring_need_event(*wish, q->avail_idx, q->told);
		q->avail->ring[q->mask + 1] = q->used_idx - 0x8000;
	} else {
		wanted = !(__atomic_load_n(&q->used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY);
	}
	q->told = q->avail_idx;
	if (wanted && write(q->kickfd, &one, sizeof(one)) < 0)
		return; /* full: it has been told often enough */
}

unsigned guest_rx_pieces(struct guest *g, unsigned k, struct guest_piece *piece, unsigned max, uint32_t *len)
{
	struct vring_used_elem e = guest_rx_used(g, k);
	unsigned n = *(const uint16_t *)(g->rx.buf + (size_t)e.id * g->rx.buf_size + 10);

	*len = 0;
	if (!n || n > max || k + n > guest_rx_waiting(g))
		return 0;
	for (unsigned i = 0; i < n; i++) {
		uint32_t skip = i ? 0 : GUEST_HDR;

		e = guest_rx_used(g, k + i);
		piece[i] = (struct guest_piece){g->rx.buf + (size_t)e.id * g->rx.buf_size + skip, e.len - skip};
		*len += piece[i].n;
	}
	return n;
}
