/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest that writes what it likes into its rings. The input is the guest's memory: descriptors, available ring,
 * buffers; its first byte chooses features and layout. Both directions are served; the sanitizers, and the checks here, say whether
 * anything outside the guest's memory was touched or anything was said that cannot be.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "vif/ring/ring.h"

#define SIZE 16
#define MEM 8192

static void check(bool ok)
{
	if (!ok)
		abort();
}

static struct ring ring_of(uint8_t *mem, const struct ring_mem *table, uint8_t features)
{
	struct ring ring = {.desc = (struct vring_desc *)mem,
			    .avail = (struct vring_avail *)(mem + 256),
			    .used = (struct vring_used *)(mem + 512),
			    .mem = table,
			    .size = SIZE,
			    .packed = features & 64,
			    .hdr_len = features & 1 ? 12 : 10,
			    .event_idx = features & 2,
			    .mergeable = features & 1,
			    .enabled = true,
			    .callfd = -1,
			    .kickfd = -1};

	if (ring.packed) {
		ring.slot = (struct vring_packed_desc *)mem;
		ring.driver_event = (struct vring_packed_desc_event *)(mem + 256);
		ring.device_event = (struct vring_packed_desc_event *)(mem + 512);
		ring.size -= features & 2; /* no power of two */
		ring_resume(&ring);
	}
	return ring;
}

/* The control queue's way of reading a ring. */
static void serve_requests(struct ring *ring, const uint8_t *mem)
{
	struct ring_request request;

	for (unsigned i = 0; i < SIZE && ring_next_request(ring, &request); i++) {
		check(request.len <= RING_REQUEST_MAX);
		check(!request.ack || (request.ack >= mem && request.ack < mem + MEM));
		ring_answer(ring, &request, 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vif_burst burst;
	static uint8_t payload[3000] __attribute__((aligned(64)));
	struct vif_seg seg[2] = {{.va = payload + VIF_HEAD_LEN, .len = 1000},
				 {.va = payload + VIF_HEAD_LEN + 1000, .len = 300}};
	struct vif_seg rest = {.va = payload + VIF_HEAD_LEN,
			       .len = 1908}; /* 2036 and the header: all lines asked for */
	struct vif_frame frames[] = {
		{.head = payload, .len = 60, .head_len = 60},
		{.head = payload, .len = VIF_HEAD_LEN + 1300, .head_len = VIF_HEAD_LEN, .seg = seg, .nseg = 2},
		{.head = payload, .len = VIF_HEAD_LEN, .head_len = VIF_HEAD_LEN},
		{.head = payload, .len = VIF_HEAD_LEN + 1908, .head_len = VIF_HEAD_LEN, .seg = &rest, .nseg = 1},
	};
	struct vif_frame *ptr[VIF_BURST];
	struct vif_counters count = {0};
	struct ring_mem table = {.n = 2};
	struct ring ring;
	uint8_t *mem, features;

	if (size < 1)
		return 0;
	features = data[0];
	for (unsigned i = 0; i < VIF_BURST; i++)
		ptr[i] = &frames[(features & 32 ? i * i : i) % 4];
	mem = calloc(1, MEM);
	memcpy(mem, data + 1, size - 1 < MEM ? size - 1 : MEM);
	/* two regions that follow on each other: a buffer may span them */
	table.region[0] = (struct ring_region){0x1000, MEM / 2, mem};
	table.region[1] = (struct ring_region){0x1000 + MEM / 2, MEM / 2, mem + MEM / 2};
	ring = ring_of(mem, &table, features);
	for (int i = 0; i < 4 && !ring.broken; i++) {
		if (features & 128) {
			serve_requests(&ring, mem);
		} else if (features & 4) {
			unsigned n = features & 16 ? VIF_BURST : 3, done = ring_deliver(&ring, ptr, n, &count);

			check(done <= n);
		} else {
			unsigned n = ring_peek(&ring, &burst, &count);

			check(n <= VIF_BURST && n == burst.n && burst.nseg <= VIF_SEGS);
			for (unsigned f = 0; f < n; f++) {
				uint32_t len = burst.frame[f].head_len, sum = 0;

				for (unsigned s = 0; s < burst.frame[f].nseg; s++) {
					const struct vif_seg *at = &burst.frame[f].seg[s];

					check(at->va >= mem && at->va + at->len <= mem + MEM);
					len += at->len;
					sum += at->len ? at->va[0] + at->va[at->len - 1] : 0;
				}
				check(len == burst.frame[f].len || !burst.frame[f].len);
				(void)sum;
			}
			ring_release(&ring, &burst);
		}
		ring_notify(&ring);
		if (!(features & 8))
			ring_arm(&ring);
	}
	check(ring.used_idx == ring.last_avail || ring.broken);
	free(mem);
	return 0;
}
