/* SPDX-License-Identifier: BSD-3-Clause */
#include "offload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

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

uint64_t offload_sum(const uint8_t *p, uint32_t n, uint64_t sum)
{
	/* in memory order; the fold sets the bytes right. 32 bits at a time cannot overflow 64 in 64 KiB */
	for (; n >= 4; n -= 4, p += 4) {
		uint32_t v;

		memcpy(&v, p, 4);
		sum += v;
	}
	if (n >= 2) {
		uint16_t v;

		memcpy(&v, p, 2);
		sum += v;
		p += 2;
		n -= 2;
	}
	if (n) {
		uint8_t last[2] = {*p, 0};
		uint16_t v;

		memcpy(&v, last, 2);
		sum += v;
	}
	return sum;
}

uint16_t offload_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~ntohs((uint16_t)sum);
}

/* The next `n` bytes behind the snapshot, to dst. false: the frame has fewer. */
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

/* Payload bytes [o->at, o->at + n), which begin in the snapshot and go on in the segments. */
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

int offload_begin(struct offload *o, struct vif_frame *whole)
{
	struct vif_frame *room;
	const struct vif_frame *frame = *grant_copy_local(&whole, 1, &room);
	uint32_t payload;
	int err;

	o->frame = NULL;
	if (!frame->len)
		return -EFAULT;
	o->at = o->index = o->seg = o->seg_at = 0;
	if (!frame->off.gso_size) {
		if (frame->len > OFFLOAD_SLOT)
			return -EMSGSIZE;
		o->frame = frame;
		o->hdr = 0;
		o->size = frame->len;
		return 0;
	}
	err = parse(o, frame);
	if (err)
		return err;
	payload = frame->len - o->hdr;
	o->size = frame->off.gso_size;
	if (o->hdr + o->size > OFFLOAD_SLOT || (payload + o->size - 1) / o->size > OFFLOAD_SEGMENTS)
		return -EMSGSIZE;
	o->frame = frame;
	return 0;
}

/* The pseudo header's sum for `len` bytes of transport header and payload (RFC 793, RFC 8200 8.1). */
static uint64_t pseudo(const struct offload *o, const uint8_t *p, uint32_t len)
{
	uint8_t tail[4] = {0, o->tcp ? IPPROTO_TCP : IPPROTO_UDP, len >> 8 & 0xff, len & 0xff};
	uint64_t sum = offload_sum(tail, sizeof(tail), 0);

	return o->v6 ? offload_sum(p + o->l3 + 8, 32, sum) : offload_sum(p + o->l3 + 12, 8, sum);
}

/* Set right the headers of segment o->index, `n` bytes of payload from `at` on. */
static void finish(const struct offload *o, uint8_t *p, uint32_t at, uint32_t n, bool last)
{
	uint8_t *ip = p + o->l3, *tp = p + o->l4;
	uint32_t len = o->hdr - o->l4 + n; /* transport header and payload */
	uint16_t sum;

	if (o->v6) {
		put16(ip + 4, len);
	} else {
		put16(ip + 2, o->l4 - o->l3 + len);
		put16(ip + 4, get16(ip + 4) + o->index);
		put16(ip + 10, 0);
		put16(ip + 10, offload_fold(offload_sum(ip, o->l4 - o->l3, 0)));
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
	sum = offload_fold(offload_sum(tp, len, pseudo(o, p, len)));
	put16(tp + o->frame->off.csum_offset, sum || o->tcp ? sum : 0xffff);
}

/* A frame that is only to have its checksum completed: sum from csum_start, the pseudo header is in the field. */
static void complete(const struct offload *o, uint8_t *p)
{
	const struct vif_offload *off = &o->frame->off;
	uint16_t sum;

	if (!(off->needs & VIF_CAP_CSUM))
		return;
	sum = offload_fold(offload_sum(p + off->csum_start, o->frame->len - off->csum_start, 0));
	put16(p + off->csum_start + off->csum_offset, sum || off->csum_offset != 6 ? sum : 0xffff);
}

unsigned offload_next(struct offload *o)
{
	const struct vif_frame *f = o->frame;
	unsigned made = 0;

	while (o->frame && made < OFFLOAD_SLOTS) {
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
