/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How much work a guest's ring can ask for. The input says how large the rings are, up to 32,768 entries, and what stands
 * in descriptors and available ring, repeated until they are full. Descriptors are counted where they are fetched, not
 * where the code under test counts them, and neither a frame nor a pass may take more than its budget.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "vif/ring/ring_slot.h"

/* The slow path of the rings, compiled here so that each of its fetches is counted. */
static uint64_t fetched;
#define fetch(desc) (fetched++, fetch(desc))
#include "vif/ring/ring_chain.c"
#undef fetch

#define RING_MAX 32768
#define BUFFERS 65536
#define GPA 0x100000
#define TABLE (16 * RING_MAX)
#define MEM (TABLE + BUFFERS)
#define PASSES 3

static struct {
	uint8_t mem[MEM] __attribute__((aligned(64))); /* descriptors, then what they and indirect tables point to */
	uint8_t avail[6 + 2 * RING_MAX] __attribute__((aligned(64)));
	uint8_t used[6 + 8 * RING_MAX] __attribute__((aligned(64)));
} guest;

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* Repeat the n bytes at `from` over all of `to`. */
static void tile(uint8_t *to, size_t size, const uint8_t *from, size_t n)
{
	for (size_t at = 0; n && at < size; at += n)
		memcpy(to + at, from, size - at < n ? size - at : n);
}

/* What each descriptor is made of, as the input has it: small numbers, so that most of them mean something. */
struct record {
	uint8_t page, len, flags, next;
};

static void write_descriptors(const uint8_t *data, size_t size, unsigned ring, bool packed)
{
	struct vring_desc *desc = (struct vring_desc *)guest.mem;
	size_t records = size / sizeof(struct record);

	for (unsigned i = 0; i < TABLE / sizeof(*desc) && records; i++) {
		struct record r;

		memcpy(&r, data + i % records * sizeof(r), sizeof(r));
		/* an indirect table is a piece of the descriptor table itself */
		desc[i] = (struct vring_desc){
			.addr = r.flags & VRING_DESC_F_INDIRECT ? GPA + r.page * 16u : GPA + TABLE + r.page * 64u,
			.len = r.flags & VRING_DESC_F_INDIRECT ? 16u * (r.len & 128 ? ring : r.len) : r.len * 16u,
			.flags = r.flags & 7,
			.next = r.next == 255 ? 0 : (i + 1 + r.next) % ring};
		if (packed) { /* the same fields, but for these: all slots are available in the first lap */
			struct vring_packed_desc *slot = (struct vring_packed_desc *)&desc[i];

			slot->id = (uint16_t)(i * 3);
			slot->flags = (r.flags & 7) | packed_available(PACKED_WRAP);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vif_burst burst;
	static uint8_t bytes[3000] __attribute__((aligned(64)));
	struct vif_seg seg = {.va = bytes, .len = sizeof(bytes) - VIF_HEAD_LEN};
	struct vif_frame frame = {
		.head = bytes, .len = sizeof(bytes), .head_len = VIF_HEAD_LEN, .seg = &seg, .nseg = 1};
	struct ring_mem table = {1, {{GPA, MEM, guest.mem}}};
	struct vif_frame *frames[VIF_BURST];
	struct vif_counters count = {0};
	struct ring ring;
	bool packed;

	if (size < 8)
		return 0;
	ring = (struct ring){.desc = (struct vring_desc *)guest.mem,
			     .avail = (struct vring_avail *)guest.avail,
			     .used = (struct vring_used *)guest.used,
			     .mem = &table,
			     .size = 1u << (3 + data[0] % 13),
			     .hdr_len = data[1] & 1 ? 12 : 10,
			     .mergeable = data[1] & 1,
			     .enabled = true,
			     .callfd = -1,
			     .kickfd = -1};
	packed = data[1] & 16;
	if (packed) {
		ring.packed = true;
		ring.slot = (struct vring_packed_desc *)guest.mem;
		ring.driver_event = (struct vring_packed_desc_event *)guest.avail;
		ring.device_event = (struct vring_packed_desc_event *)guest.used;
		ring.last_avail = ring.used_idx = PACKED_WRAP;
	}
	memset(&guest, 0, sizeof(guest));
	write_descriptors(data + 4, size - 4, ring.size, packed);
	tile(guest.avail + 4, 2u * ring.size, data + 2, data[1] & 4 ? 2 : size - 2);
	for (unsigned i = 0; !packed && i < ring.size; i++)
		ring.avail->ring[i] &= ring.size - 1;
	if (!packed)
		ring.avail->idx = ring.size;
	for (unsigned i = 0; i < VIF_BURST; i++)
		frames[i] = &frame;
	for (unsigned pass = 0; pass < PASSES && !ring.broken; pass++) {
		uint64_t before = fetched;

		vif_pass++;
		for (unsigned call = 0; call < 8 && !ring.broken; call++) {
			uint64_t one = fetched;

			if (data[1] & 2) {
				ring_deliver(&ring, frames, data[1] & 8 ? 1 : VIF_BURST, &count);
			} else {
				ring_peek(&ring, &burst, &count);
				ring_release(&ring, &burst);
			}
			/* of one frame: its descriptors, and an indirect one before each buffer's table */
			if (data[1] & 8 && data[1] & 2)
				check(fetched - one <= 2 * RING_STEPS_FRAME + 2);
		}
		check(fetched - before <= 2 * (RING_STEPS_PASS + RING_STEPS_FRAME + 2));
	}
	return 0;
}
