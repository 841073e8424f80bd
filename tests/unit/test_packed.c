/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What only packed rings have: laps in rings of any size, ids that are no slots, event areas, and finding out where a ring
 * stands of which a back-end died. The driver here uses chains of random length and checks each slot that comes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vif/ring/ring_slot.h"
#include "vif/vnet.h"

#define GPA 0x100000
#define MAX 1024 /* slots */
#define BUFFERS (MAX * 16 + 4096)
#define BUFFER 256 /* bytes */
#define MEM (BUFFERS + MAX * BUFFER)
#define HDR 12

static struct vring_packed_desc_event *driver_event, *device_event;
static struct ring_mem table;
static struct vif_counters count;
static struct vif_burst burst;

static struct driver {
	uint8_t *mem;
	struct ring ring;
	uint16_t next, next_used;
	unsigned outstanding; /* slots */
	unsigned sent, done; /* buffers */
	struct {
		uint16_t id;
		unsigned slots;
	} queue[MAX]; /* from `done` on, in the order in which they were made available */
} d;

static void begin(unsigned size, uint16_t at)
{
	struct vring_packed_desc *slot = (struct vring_packed_desc *)d.mem;

	memset(d.mem, 0, MEM);
	for (unsigned i = 0; i < size; i++)
		slot[i].flags = packed_used(i < packed_slot(at) ? at : at ^ PACKED_WRAP);
	driver_event = (struct vring_packed_desc_event *)(d.mem + MAX * 16);
	device_event = driver_event + 1;
	table = (struct ring_mem){1, {{GPA, MEM, d.mem}}};
	d.ring = (struct ring){.slot = slot,
			       .driver_event = driver_event,
			       .device_event = device_event,
			       .mem = &table,
			       .size = (uint16_t)size,
			       .packed = true,
			       .hdr_len = HDR,
			       .mergeable = true,
			       .event_idx = true,
			       .enabled = true,
			       .callfd = 0,
			       .kickfd = -1};
	d.next = d.next_used = at;
	vif_pass++;
	d.outstanding = d.sent = d.done = 0;
	ring_resume(&d.ring);
	assert_int_equal(d.ring.used_idx, at);
	ring_notify(&d.ring);
}

/* A buffer in `n` slots of `len` bytes each. */
static void offer(unsigned n, uint32_t len, uint16_t write)
{
	const uint16_t id = (uint16_t)(d.sent * 7919 + 40000), first = d.next;

	for (unsigned i = 0; i < n; i++) {
		const uint32_t at = BUFFERS + packed_slot(d.next) * BUFFER;
		struct vring_packed_desc *slot = &d.ring.slot[packed_slot(d.next)];

		memset(d.mem + at, 0, HDR);
		memset(d.mem + at + HDR, (int)d.sent, BUFFER - HDR);
		slot->addr = GPA + at;
		slot->len = len;
		slot->id = i + 1 < n ? 1 : id;
		slot->flags = write | (i + 1 < n ? VRING_DESC_F_NEXT : 0) |
			      (packed_available(d.next) ^ (i ? 0 : PACKED_BOTH));
		d.next = packed_after(d.next, 1, d.ring.size);
	}
	d.ring.slot[packed_slot(first)].flags ^= PACKED_BOTH;
	d.queue[d.sent++ % MAX] = (typeof(d.queue[0])){id, n};
	d.outstanding += n;
}

/* Take back what was completed; returns how many buffers, in order. */
static unsigned collect(void)
{
	unsigned n = 0;

	for (; d.done != d.sent; n++, d.done++) {
		const struct vring_packed_desc slot = d.ring.slot[packed_slot(d.next_used)];
		const unsigned slots = d.queue[d.done % MAX].slots;

		if ((slot.flags & PACKED_BOTH) != packed_used(d.next_used))
			break;
		assert_int_equal(slot.id, d.queue[d.done % MAX].id);
		for (unsigned i = 0; i < slots; i++) {
			const uint16_t at = packed_after(d.next_used, i, d.ring.size);

			assert_int_equal(d.ring.slot[packed_slot(at)].flags & PACKED_BOTH, packed_used(at));
		}
		d.outstanding -= slots;
		d.next_used = packed_after(d.next_used, slots, d.ring.size);
	}
	return n;
}

static unsigned room(void)
{
	return d.ring.size - d.outstanding;
}

/* The back-end dies, and another one goes on. */
static void restart(void)
{
	const struct ring old = d.ring;

	d.ring.last_avail = d.ring.used_idx = (uint16_t)rand();
	d.ring.last_region = (struct ring_region){0};
	ring_resume(&d.ring);
	assert_int_equal(d.ring.used_idx, old.used_idx);
	assert_int_equal(d.ring.last_avail, old.used_idx);
}

static const unsigned sizes[] = {1, 2, 3, 7, 16, 100, 256, 300, 1000, 1024};

static void what_a_guest_sends_comes_in_order_and_a_restart_loses_nothing(void **state)
{
	(void)state;
	for (unsigned s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		unsigned seen = 0;

		begin(sizes[s], s & 1 ? 0 : PACKED_WRAP);
		for (unsigned turn = 0; turn < 3000; turn++) {
			unsigned n, kill = (unsigned)rand() % 8;

			for (unsigned k = (unsigned)rand() % 100; k && room(); k--) {
				unsigned slots = rand() % 4 ? 1 : 1 + (unsigned)rand() % 5;

				offer(slots < room() ? slots : room(), 80, 0);
			}
			vif_pass++;
			n = ring_peek(&d.ring, &burst, &count);
			assert_null(d.ring.broken);
			if (kill == 0) { /* before the frames were given back: they come again */
				restart();
				continue;
			}
			for (unsigned i = 0; i < n; i++) {
				const unsigned slots = d.queue[(d.done + i) % MAX].slots;

				assert_int_equal(burst.frame[i].len, slots * 80 - HDR);
				assert_int_equal(burst.frame[i].head[0], (uint8_t)(seen + i));
			}
			seen += n;
			ring_release(&d.ring, &burst);
			assert_int_equal(collect(), n);
			assert_int_equal(d.next_used, d.ring.used_idx);
			if (kill == 1)
				restart();
		}
		assert_true(seen > 2000);
	}
}

/* A frame of `len` bytes. */
static struct vif_frame frame_of(uint32_t len, struct vif_seg *seg)
{
	static uint8_t bytes[4096] __attribute__((aligned(64)));
	struct vif_frame f = {
		.head = bytes, .len = len, .head_len = len < VIF_HEAD_LEN ? len : VIF_HEAD_LEN, .seg = seg};

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	if (len > f.head_len)
		seg[f.nseg++] = (struct vif_seg){.va = bytes + f.head_len, .len = len - f.head_len};
	return f;
}

static void what_a_guest_receives_fills_its_buffers_in_order(void **state)
{
	(void)state;
	for (unsigned s = 3; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		unsigned got = 0;

		begin(sizes[s], s & 1 ? 0 : PACKED_WRAP);
		for (unsigned turn = 0; turn < 2000; turn++) {
			struct vif_seg seg;
			struct vif_frame f = frame_of(60 + (unsigned)rand() % 900, &seg), *ptr[VIF_BURST];
			unsigned n = 1 + (unsigned)rand() % VIF_BURST;
			const bool chains = rand() % 2;

			for (unsigned k = (unsigned)rand() % 200; k && room(); k--) {
				unsigned slots = chains && !(rand() % 4) ? 1 + (unsigned)rand() % 3 : 1;

				offer(slots < room() ? slots : room(), BUFFER, VRING_DESC_F_WRITE);
			}
			for (unsigned i = 0; i < n; i++)
				ptr[i] = &f;
			vif_pass++;
			n = ring_deliver(&d.ring, ptr, n, &count);
			assert_null(d.ring.broken);
			for (unsigned i = 0; i < n; i++) {
				const struct virtio_net_hdr_mrg_rxbuf *hdr;
				uint32_t len = 0;
				unsigned k, buffers;

				hdr = (const void *)(d.mem + BUFFERS + packed_slot(d.next_used) * BUFFER);
				buffers = hdr->num_buffers;
				assert_in_range(buffers, 1, 5);
				for (k = 0; k < buffers; k++) {
					const unsigned done = d.done;

					len += d.ring.slot[packed_slot(d.next_used)].len;
					assert_int_equal(d.ring.slot[packed_slot(d.next_used)].id,
							 d.queue[done % MAX].id);
					assert_int_equal(d.ring.slot[packed_slot(d.next_used)].flags,
							 packed_used(d.next_used) | VRING_DESC_F_WRITE);
					d.outstanding -= d.queue[done % MAX].slots;
					d.next_used = packed_after(d.next_used, d.queue[done % MAX].slots, d.ring.size);
					d.done++;
				}
				assert_int_equal(len, f.len + HDR);
				got++;
			}
			assert_int_equal(collect(), 0);
			assert_int_equal(d.next_used, d.ring.used_idx);
			if (!(turn % 5))
				restart();
		}
		assert_true(got > 300);
	}
}

/* A frame in several buffers is completed last slot first: die after each of the stores. */
static void a_back_end_that_dies_within_a_frame_leaves_a_ring_that_goes_on(void **state)
{
	static struct vring_packed_desc before[MAX];
	struct vif_seg seg;

	(void)state;
	for (unsigned size = 5; size < 12; size++)
		for (unsigned at = 0; at < 2 * size; at++)
			for (unsigned chained = 0; chained < 3; chained++) /* 2: a chain that is sent */
				for (unsigned cut = 0; cut <= 4; cut++) {
					const uint16_t from = at < size ? at | PACKED_WRAP : at - size;
					struct vif_frame f = frame_of(700, &seg), *one = &f;
					unsigned buffers = 0, slots = 0;

					begin(size, from);
					while (slots < 4) {
						unsigned n = chained == 2 ? 4 : chained && slots == 1 ? 2 : 1;

						offer(n, chained == 2 ? 40 : BUFFER,
						      chained == 2 ? 0 : VRING_DESC_F_WRITE);
						slots += n;
						buffers++;
					}
					memcpy(before, d.ring.slot, size * sizeof(before[0]));
					if (chained == 2) {
						assert_int_equal(ring_peek(&d.ring, &burst, &count), 1);
						ring_release(&d.ring, &burst);
					} else {
						f.len = chained ? 900 : 960;
						seg.len = f.len - VIF_HEAD_LEN;
						assert_int_equal(ring_deliver(&d.ring, &one, 1, &count), 1);
					}
					for (unsigned i = 0; i < cut; i++) {
						const unsigned slot = packed_slot(packed_after(from, i, size));

						d.ring.slot[slot] = before[slot];
					}
					ring_resume(&d.ring);
					assert_true(ring_notify(&d.ring));
					if (cut == 4) { /* nothing had happened yet */
						assert_int_equal(d.ring.used_idx, from);
						assert_int_equal(collect(), 0);
					} else {
						assert_int_equal(collect(), buffers);
						assert_int_equal(d.ring.used_idx, packed_after(from, 4, size));
					}
					if (cut == 4)
						continue;
					while (room())
						offer(1, 80, 0);
					ring_peek(&d.ring, &burst, &count);
					ring_release(&d.ring, &burst);
					collect();
					assert_null(d.ring.broken);
				}
}

static void events_come_when_they_were_asked_for(void **state)
{
	(void)state;
	for (unsigned size = 3; size < 9; size++)
		for (unsigned wish = 0; wish < 2 * size; wish++) {
			begin(size, PACKED_WRAP);
			for (unsigned step = 0; step < 6 * size; step++) {
				const unsigned n = 1 + (unsigned)rand() % 3;
				bool crossed = false;

				*driver_event = (struct vring_packed_desc_event){
					wish < size ? wish | PACKED_WRAP : wish - size, VRING_PACKED_EVENT_FLAG_DESC};
				for (unsigned i = 0; i < n; i++) {
					crossed |= d.next == driver_event->off_wrap;
					offer(1, 80, 0);
				}
				/* a whole lap at once is told in any case */
				crossed |= n == size;
				assert_int_equal(ring_peek(&d.ring, &burst, &count), n);
				ring_release(&d.ring, &burst);
				assert_int_equal(ring_notify(&d.ring), crossed);
				assert_false(ring_notify(&d.ring));
				collect();
			}
		}
	driver_event->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
	offer(1, 80, 0);
	ring_peek(&d.ring, &burst, &count);
	ring_release(&d.ring, &burst);
	assert_false(ring_notify(&d.ring));
	driver_event->flags = VRING_PACKED_EVENT_FLAG_ENABLE;
	collect();
	offer(1, 80, 0);
	ring_peek(&d.ring, &burst, &count);
	ring_release(&d.ring, &burst);
	assert_true(ring_notify(&d.ring));
}

static void a_kick_is_asked_for_at_the_slot_that_comes_next(void **state)
{
	(void)state;
	begin(7, 5);
	assert_false(ring_arm(&d.ring));
	assert_int_equal(device_event->off_wrap, 5);
	assert_int_equal(device_event->flags, VRING_PACKED_EVENT_FLAG_DESC);
	offer(2, 40, 0);
	assert_true(ring_arm(&d.ring));
	ring_peek(&d.ring, &burst, &count);
	ring_release(&d.ring, &burst);
	assert_false(ring_arm(&d.ring));
	assert_int_equal(device_event->off_wrap, PACKED_WRAP);
	ring_disarm(&d.ring);
	assert_int_equal(device_event->flags, VRING_PACKED_EVENT_FLAG_DISABLE);
	d.ring.event_idx = false;
	ring_arm(&d.ring);
	assert_int_equal(device_event->flags, VRING_PACKED_EVENT_FLAG_ENABLE);
}

static void a_chain_that_cannot_be_taken_is_given_back_whole(void **state)
{
	(void)state;
	begin(1000, PACKED_WRAP);
	offer(FRAME_SEGS + 4, 30, 0);
	offer(1, 80, 0);
	vif_pass++;
	memset(&count, 0, sizeof(count));
	assert_int_equal(ring_peek(&d.ring, &burst, &count), 2);
	assert_int_equal(count.drop[VIF_RX_TOO_MANY_SEGS], 1);
	assert_int_equal(burst.frame[1].len, 68);
	ring_release(&d.ring, &burst);
	assert_int_equal(collect(), 2);
	assert_null(d.ring.broken);
}

static void a_chain_without_an_end_breaks_the_ring(void **state)
{
	(void)state;
	begin(20, PACKED_WRAP);
	offer(20, 10, 0);
	d.ring.slot[19].flags |= VRING_DESC_F_NEXT;
	assert_int_equal(ring_peek(&d.ring, &burst, &count), 0);
	assert_non_null(d.ring.broken);
	assert_int_equal(collect(), 0);
}

static int setup(void **state)
{
	(void)state;
	srand(1);
	d.mem = aligned_alloc(4096, (MEM + 4095) & ~4095u);
	return d.mem ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(d.mem);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_guest_sends_comes_in_order_and_a_restart_loses_nothing),
		cmocka_unit_test(what_a_guest_receives_fills_its_buffers_in_order),
		cmocka_unit_test(a_back_end_that_dies_within_a_frame_leaves_a_ring_that_goes_on),
		cmocka_unit_test(events_come_when_they_were_asked_for),
		cmocka_unit_test(a_kick_is_asked_for_at_the_slot_that_comes_next),
		cmocka_unit_test(a_chain_that_cannot_be_taken_is_given_back_whole),
		cmocka_unit_test(a_chain_without_an_end_breaks_the_ring),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
