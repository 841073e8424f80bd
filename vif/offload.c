/* SPDX-License-Identifier: BSD-3-Clause */
#include "offload.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <rte_ip.h>

#include "grant.h"

#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_CWR 0x80

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v & 0xff;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* The next `n` bytes behind the head, to dst. false: the frame has fewer. */
static bool read_rest(struct offload *o, uint8_t *dst, uint32_t n)
{
	while (n) {
		const struct vif_seg *s = &o->frame->seg[o->seg];
		uint32_t len;

		if (o->seg == o->frame->nseg)
			return false;
		len = s->len - o->seg_at < n ? s->len - o->seg_at : n;
		memcpy(dst, s->va + o->seg_at, len);
		dst += len;
		n -= len;
		o->seg_at += len;
		if (o->seg_at == s->len) {
			o->seg++;
			o->seg_at = 0;
		}
	}
	return true;
}

/* Payload bytes [o->at, o->at + n), which begin in the head and go on in the segments. */
static bool read_payload(struct offload *o, uint8_t *dst, uint32_t n)
{
	uint32_t from = o->hdr + o->at, in_head = 0;

	if (from < o->frame->head_len) {
		in_head = o->frame->head_len - from < n ? o->frame->head_len - from : n;
		memcpy(dst, o->frame->head + from, in_head);
	}
	o->at += n;
	return read_rest(o, dst + in_head, n - in_head);
}

/* Find the headers of a frame to be cut, and check them against the metadata. */
static int parse(struct offload *o, const struct vif_frame *f)
{
	const uint8_t *p = f->head;
	unsigned at = 12, proto;

	while (at + 6 <= f->head_len && at <= 16 && (get16(p + at) == 0x8100 || get16(p + at) == 0x88a8))
		at += 4;
	if (at + 2 + 20 > f->head_len)
		return -EINVAL;
	o->l3 = at + 2;
	o->l4 = f->off.csum_start;
	o->v6 = get16(p + at) == 0x86dd;
	if (!o->v6) {
		if (get16(p + at) != 0x0800 || p[o->l3] >> 4 != 4 || (p[o->l3] & 15) < 5 ||
		    o->l4 != o->l3 + (p[o->l3] & 15) * 4u)
			return -EINVAL;
		proto = p[o->l3 + 9];
	} else {
		/* extension headers never ask for segmentation on Linux: the transport header follows at once */
		if (o->l4 != o->l3 + 40 || o->l4 > f->head_len)
			return -EINVAL;
		proto = p[o->l3 + 6];
	}
	o->tcp = proto == IPPROTO_TCP;
	if (o->tcp) {
		if (o->l4 + 20 > f->head_len || f->off.csum_offset != 16 || p[o->l4 + 12] >> 4 < 5)
			return -EINVAL;
		o->hdr = o->l4 + (p[o->l4 + 12] >> 4) * 4u;
	} else {
		if (proto != IPPROTO_UDP || o->l4 + 8 > f->head_len || f->off.csum_offset != 6)
			return -EINVAL;
		o->hdr = o->l4 + 8;
	}
	if (o->tcp != !!(f->off.needs & (VIF_CAP_TSO4 | VIF_CAP_TSO6)) ||
	    o->v6 != !!(f->off.needs & (VIF_CAP_TSO6 | VIF_CAP_USO6)))
		return -EINVAL;
	return o->hdr > f->head_len || o->hdr >= f->len ? -EINVAL : 0;
}

int offload_begin(struct offload *o, struct vif_frame *whole, uint32_t longest)
{
	struct vif_frame *room;
	const struct vif_frame *frame = *grant_copy_local(&whole, 1, &room);
	uint32_t payload;
	int r;

	o->frame = NULL;
	if (!longest || longest > OFFLOAD_SLOT)
		longest = OFFLOAD_SLOT;
	if (!frame->len)
		return -EFAULT;
	o->at = o->index = o->seg = o->seg_at = 0;
	if (!frame->off.gso_size) {
		if (frame->len > longest)
			return -EMSGSIZE;
		o->frame = frame;
		o->hdr = 0;
		o->size = frame->len;
		return 0;
	}
	r = parse(o, frame);
	if (r)
		return r;
	payload = frame->len - o->hdr;
	o->size = frame->off.gso_size;
	if (o->hdr + (payload < o->size ? payload : o->size) > longest ||
	    (payload + o->size - 1) / o->size > OFFLOAD_SEGMENTS)
		return -EMSGSIZE;
	o->frame = frame;
	return 0;
}

/* Store a checksum: the complement of the sum of both. A UDP checksum of 0 would mean that there is none. */
static void put_checksum(uint8_t *at, uint16_t a, uint16_t b, bool udp)
{
	uint32_t sum = (uint32_t)a + b;
	uint16_t checksum = ~((sum & 0xffff) + (sum >> 16));

	if (udp && !checksum)
		checksum = 0xffff;
	memcpy(at, &checksum, sizeof(checksum)); /* sums are in memory order */
}

/* Set right the headers of segment o->index, `n` bytes of payload from `at` on. */
static void finish(const struct offload *o, uint8_t *p, uint32_t at, uint32_t n, bool last)
{
	uint8_t *ip = p + o->l3, *tp = p + o->l4;
	uint32_t len = o->hdr - o->l4 + n; /* transport header and payload */
	uint16_t pseudo;

	if (o->v6) {
		put16(ip + 4, len);
		pseudo = rte_ipv6_phdr_cksum((const struct rte_ipv6_hdr *)ip, 0);
	} else {
		put16(ip + 2, o->l4 - o->l3 + len);
		put16(ip + 4, get16(ip + 4) + o->index);
		put16(ip + 10, 0);
		put_checksum(ip + 10, rte_raw_cksum(ip, o->l4 - o->l3), 0, false);
		pseudo = rte_ipv4_phdr_cksum((const struct rte_ipv4_hdr *)ip, 0);
	}
	if (o->tcp) {
		put32(tp + 4, get32(tp + 4) + at);
		if (o->index)
			tp[13] &= (uint8_t)~TCP_CWR;
		if (!last)
			tp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	} else {
		put16(tp + 4, len);
	}
	put16(tp + o->frame->off.csum_offset, 0);
	put_checksum(tp + o->frame->off.csum_offset, rte_raw_cksum(tp, len), pseudo, !o->tcp);
}

/* A frame that is only to have its checksum completed: sum from csum_start, the pseudo header is in the field. */
static void complete(const struct offload *o, uint8_t *p)
{
	const struct vif_offload *off = &o->frame->off;

	if (off->needs & VIF_CAP_CSUM)
		put_checksum(p + off->csum_start + off->csum_offset,
			     rte_raw_cksum(p + off->csum_start, o->frame->len - off->csum_start), 0,
			     off->csum_offset == 6);
}

unsigned offload_left(const struct offload *o)
{
	return o->frame ? (o->frame->len - o->hdr - o->at + o->size - 1) / o->size : 0;
}

unsigned offload_next(struct offload *o, unsigned max)
{
	const struct vif_frame *f = o->frame;
	unsigned made = 0;

	while (o->frame && made < max) {
		uint32_t at = o->at, left = f->len - o->hdr - at, n = left < o->size ? left : o->size;
		struct vif_frame *out = &o->made[made];
		uint8_t *p = o->slot[made];

		memcpy(p, f->head, o->hdr);
		if (!read_payload(o, p + o->hdr, n)) {
			o->frame = NULL; /* shorter than it says: what the segments add up to is checked by peek() */
			break;
		}
		if (f->off.gso_size)
			finish(o, p, at, n, n == left);
		else
			complete(o, p);
		*out = (struct vif_frame){.head = p, .len = o->hdr + n, .seg = &o->tail[made]};
		out->head_len = out->len < VIF_HEAD_LEN ? out->len : VIF_HEAD_LEN;
		if (out->len > out->head_len) {
			o->tail[made] = (struct vif_seg){.va = p + out->head_len, .len = out->len - out->head_len};
			out->nseg = 1;
		}
		out->off.csum_valid = f->off.csum_valid;
		o->index++;
		made++;
		if (n == left)
			o->frame = NULL;
	}
	return made;
}
