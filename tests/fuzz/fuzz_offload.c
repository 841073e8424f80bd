/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frame with a virtio-net header, which may ask for segmentation and checksums, done in software: whatever the header
 * and the frame say, what is made of it keeps to the bounds and has all of the payload, and each segment's checksums are
 * right. The input is a choice of how the frame lies in memory and what the receiver takes (a byte), the frame's length
 * (two), a header (ten), and the frame.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "vif/offload.h"
#include "vif/vnet.h"

#define PREFIX (3 + sizeof(struct virtio_net_hdr))
#define SEGS 24

static void must(bool so)
{
	if (!so)
		abort();
}

/* A frame of `len` bytes: those of the input, then zeroes, in segments of `piece` bytes behind the first VIF_HEAD_LEN. */
static uint8_t *lay_out(struct vif_frame *frame, struct vif_seg *seg, const uint8_t *data, size_t size, uint32_t len,
			uint32_t piece)
{
	uint8_t *bytes = calloc(1, len);

	must(bytes);
	memcpy(bytes, data, size < len ? size : len);
	frame->len = len;
	frame->head = bytes;
	frame->head_len = len < VIF_HEAD_LEN ? len : VIF_HEAD_LEN;
	frame->seg = seg;
	for (uint32_t at = frame->head_len; at < len; at += piece) {
		if (frame->nseg == SEGS - 1)
			piece = len - at;
		seg[frame->nseg++] = (struct vif_seg){.va = bytes + at, .len = len - at < piece ? len - at : piece};
	}
	return bytes;
}

/* RFC 1071, `sum` in and out not folded; the first byte is the high one. */
static uint64_t add(const uint8_t *p, uint32_t n, uint64_t sum)
{
	for (uint32_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : p[i] << 8;
	return sum;
}

static bool right(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static void check_segment(const struct offload *o, const struct vif_frame *made)
{
	const uint8_t *p = made->head; /* all of it: the tail follows */
	const uint32_t len = made->len - o->l4;

	must(made->len > o->hdr && made->len - o->hdr <= o->size);
	if (!o->v6)
		must(right(add(p + o->l3, o->l4 - o->l3, 0)));
	must(right(add(p + o->l4, len,
		       add(p + o->l3 + (o->v6 ? 8 : 12), o->v6 ? 32 : 8, len + (o->tcp ? IPPROTO_TCP : IPPROTO_UDP)))));
}

static void cut(struct offload *o, struct vif_frame *whole, uint32_t longest, unsigned at_once)
{
	unsigned n, total = 0, left;
	uint64_t payload = 0;

	if (offload_begin(o, whole, longest))
		return;
	const unsigned hdr_len = o->hdr;

	left = offload_left(o);
	must(left <= OFFLOAD_SEGMENTS);
	while ((n = offload_next(o, at_once))) {
		must(n <= at_once);
		total += n;
		for (unsigned i = 0; i < n; i++) {
			must(o->made[i].len <= (longest ? longest : OFFLOAD_SLOT) && !o->made[i].off.needs);
			payload += o->made[i].len - hdr_len;
			if (whole->off.gso_size)
				check_segment(o, &o->made[i]);
		}
	}
	must(total == left && payload == whole->len - hdr_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct offload o __attribute__((aligned(64)));
	struct vif_frame frame = {0};
	struct virtio_net_hdr hdr;
	struct vif_seg seg[SEGS];
	uint32_t len;

	if (size < PREFIX)
		return 0;
	len = data[1] | data[2] << 8;
	if (len < 14)
		len = 14;
	memcpy(&hdr, data + 3, sizeof(hdr));
	uint8_t *bytes = lay_out(&frame, seg, data + PREFIX, size - PREFIX, len, 1 + (data[0] & 63) * 32u);
	struct vif_frame whole = frame;

	if (vnet_parse(&hdr, len, vnet_is_v6(frame.head, frame.head_len), &whole.off)) {
		struct virtio_net_hdr again;
		struct vif_offload off;

		vnet_write(&whole.off, &again);
		must(vnet_parse(&again, len, whole.off.needs & VIF_CAP_USO6, &off) && off.needs == whole.off.needs &&
		     off.gso_size == whole.off.gso_size && off.csum_valid == whole.off.csum_valid);
		cut(&o, &whole, data[0] & 0x80 ? 1514 : 0, data[0] & 0x40 ? 1 : OFFLOAD_SLOTS);
	}
	free(bytes);
	return 0;
}
