/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ring code against a driver written here, over ordinary memory: first a driver that keeps the rules, then drivers
 * that break each of them. All of it for both layouts: tests describe buffers as a split ring's descriptors, and offer()
 * makes slots of them if the ring is packed. What only packed rings have is in test_packed.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "vif/ring/ring_slot.h"
#include "vif/vnet.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

#define SIZE 128
#define GPA 0x100000
#define MEM (4 << 20)
#define SLOTS (3 << 20) /* where a packed ring begins */
#define EVENTS (MEM - 64)

struct guest { /* a driver's side: rings and buffers in one piece of shared memory */
	uint8_t *mem;
	struct ring_mem table;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	struct ring ring;
	uint16_t next, next_used; /* positions in a packed ring */
	unsigned outstanding; /* slots of it that the device has */
	uint16_t slots[UINT16_MAX]; /* of the buffer with that id */
	uint16_t ndone;
	struct vring_used_elem done[UINT16_MAX + 1]; /* what has come back */
	uint32_t next_buf; /* offset of free memory */
	struct vif_counters count;
	struct vif_burst burst;
};

static bool packed; /* the layout that is tested */
/* The version that is tested: there is one for each width of vectors. */
static unsigned (*peek)(struct ring *ring, struct vif_burst *burst, struct vif_counters *count);
static unsigned (*deliver)(struct ring *ring, struct vif_frame *const *frames, unsigned n, struct vif_counters *count);

static void place_ring(struct guest *g)
{
	if (packed) {
		g->ring.slot = (struct vring_packed_desc *)(g->mem + SLOTS);
		g->ring.driver_event = (struct vring_packed_desc_event *)(g->mem + EVENTS);
		g->ring.device_event = (struct vring_packed_desc_event *)(g->mem + EVENTS + 4);
	} else {
		g->ring.desc = g->desc;
		g->ring.avail = g->avail;
		g->ring.used = g->used;
	}
	ring_resume(&g->ring);
}

static int setup(void **state)
{
	struct guest *g = aligned_alloc(64, (sizeof(*g) + 63) & ~63UL);

	memset(g, 0, sizeof(*g));
	g->mem = aligned_alloc(4096, MEM);
	memset(g->mem, 0, MEM);
	g->table.n = 1;
	g->table.region[0] = (struct ring_region){GPA, MEM, g->mem};
	g->desc = (struct vring_desc *)g->mem;
	g->avail = (struct vring_avail *)(g->mem + 4096);
	g->used = (struct vring_used *)(g->mem + 8192);
	g->next_buf = 65536;
	g->next = g->next_used = PACKED_WRAP;
	g->ring = (struct ring){.mem = &g->table,
				.size = SIZE,
				.hdr_len = 12,
				.mergeable = true,
				.event_idx = true,
				.enabled = true,
				.callfd = eventfd(0, EFD_NONBLOCK),
				.kickfd = -1,
				.packed = packed};
	place_ring(g);
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	struct guest *g = *state;

	close(g->ring.callfd);
	free(g->mem);
	free(g);
	return 0;
}

static uint64_t buffer(struct guest *g, uint32_t len)
{
	uint64_t gpa = GPA + g->next_buf;

	g->next_buf += (len + 63) & ~63u;
	return gpa;
}

static uint8_t *at(struct guest *g, uint64_t gpa)
{
	return g->mem + (gpa - GPA);
}

/* Make slots of the chain from descriptor `head` on, which is the buffer's id. The first is written last. */
static void offer_packed(struct guest *g, uint16_t head)
{
	const uint16_t first = g->next, id = head;
	struct vring_desc d;
	unsigned n = 0;

	do {
		struct vring_packed_desc *slot = &g->ring.slot[packed_slot(g->next)];

		d = g->desc[head];
		slot->addr = d.addr;
		slot->len = d.len;
		slot->id = d.flags & VRING_DESC_F_NEXT ? 0xdead : id;
		slot->flags = d.flags | packed_available(g->next);
		if (!n++)
			slot->flags ^= PACKED_BOTH;
		g->next = packed_after(g->next, 1, g->ring.size);
		head = d.next;
	} while (d.flags & VRING_DESC_F_NEXT && n < g->ring.size);
	g->slots[id] = n;
	g->outstanding += n;
	assert_true(g->outstanding <= g->ring.size);
	g->ring.slot[packed_slot(first)].flags ^= PACKED_BOTH;
}

static void offer(struct guest *g, uint16_t head)
{
	if (packed)
		offer_packed(g, head);
	else
		g->avail->ring[g->avail->idx++ % g->ring.size] = head;
}

/* How many buffers have come back. */
static uint16_t ndone(struct guest *g)
{
	for (; !packed && g->ndone != g->used->idx; g->ndone++)
		g->done[g->ndone] = g->used->ring[g->ndone % g->ring.size];
	while (packed && g->outstanding) {
		const struct vring_packed_desc slot = g->ring.slot[packed_slot(g->next_used)];

		if ((slot.flags & PACKED_BOTH) != packed_used(g->next_used))
			break;
		assert_int_equal(!!(slot.flags & VRING_DESC_F_WRITE), slot.len != 0);
		g->done[g->ndone++] = (struct vring_used_elem){slot.id, slot.len};
		g->outstanding -= g->slots[slot.id];
		g->next_used = packed_after(g->next_used, g->slots[slot.id], g->ring.size);
	}
	return g->ndone;
}

/* A frame of `len` bytes counting up, cut at `cut` (0: header and frame in one buffer), from descriptor `head` on. */
static void send_frame(struct guest *g, uint16_t head, uint32_t len, uint32_t cut)
{
	uint64_t gpa = buffer(g, len + 12);

	memset(at(g, gpa), 0, 12);
	for (uint32_t i = 0; i < len; i++)
		at(g, gpa)[12 + i] = i * 7;
	if (!cut) {
		g->desc[head] = (struct vring_desc){gpa, len + 12, 0, 0};
	} else {
		g->desc[head] = (struct vring_desc){gpa, cut, VRING_DESC_F_NEXT, head + 1};
		g->desc[head + 1] = (struct vring_desc){gpa + cut, len + 12 - cut, 0, 0};
	}
	offer(g, head);
}

static void flatten(const struct vif_frame *f, uint8_t *out)
{
	memcpy(out, f->head, f->head_len);
	out += f->head_len;
	for (unsigned s = 0; s < f->nseg; s++) {
		memcpy(out, f->seg[s].va, f->seg[s].len);
		out += f->seg[s].len;
	}
}

static void a_frame_is_described_whole_wherever_its_buffers_are_cut(void **state)
{
	static const uint32_t lens[] = {14, 60, 64, 127, 128, 129, 1514, 9014, 65000};
	struct guest *g = *state;
	static uint8_t out[VIF_FRAME_MAX];
	uint16_t sent = 0;

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		for (uint32_t cut = 0; cut < 150 && cut < lens[i] + 12; cut += 1 + (cut == 13) * 40) {
			g->next_buf = 65536;
			send_frame(g, 0, lens[i], cut);
			assert_int_equal(peek(&g->ring, &g->burst, &g->count), 1);
			assert_int_equal(g->burst.frame[0].len, lens[i]);
			flatten(&g->burst.frame[0], out);
			for (uint32_t k = 0; k < lens[i]; k++)
				assert_int_equal(out[k], (uint8_t)(k * 7));
			ring_release(&g->ring, &g->burst);
			assert_int_equal(ndone(g), ++sent);
		}
	}
	assert_null(g->ring.broken);
	assert_int_equal(g->outstanding, 0);
	assert_int_equal(g->ring.used_idx, g->ring.last_avail);
}

static void an_indirect_chain_is_followed(void **state)
{
	struct guest *g = *state;
	uint64_t table = buffer(g, 64), data = buffer(g, 200);
	struct vring_desc *d = (struct vring_desc *)at(g, table);
	struct vring_packed_desc *p = (struct vring_packed_desc *)d;

	if (packed) { /* virtio-user marks the header so, and nothing may be written there for that */
		p[0] = (struct vring_packed_desc){data, 12, 7, VRING_DESC_F_WRITE};
		p[1] = (struct vring_packed_desc){data + 12, 60, 8, 0};
		p[2] = (struct vring_packed_desc){data + 72, 40, 9, 0};
	} else {
		d[0] = (struct vring_desc){data, 12, VRING_DESC_F_NEXT, 2};
		d[2] = (struct vring_desc){data + 12, 100, 0, 0};
	}
	g->desc[5] = (struct vring_desc){table, 48, VRING_DESC_F_INDIRECT, 0};
	offer(g, 5);
	assert_int_equal(peek(&g->ring, &g->burst, &g->count), 1);
	assert_int_equal(g->burst.frame[0].len, 100);
	ring_release(&g->ring, &g->burst);
	assert_int_equal(ndone(g), 1);
	assert_int_equal(g->done[0].id, 5);
	assert_int_equal(g->done[0].len, 0);
}

#define SENT (VIF_BURST + 8)
static void frames_are_released_in_order_and_once(void **state)
{
	struct guest *g = *state;

	for (int round = 0; round < 100; round++) {
		g->next_buf = 65536;
		for (uint16_t i = 0; i < SENT; i++)
			send_frame(g, SENT - 1 - i, 60, 0);
		assert_int_equal(peek(&g->ring, &g->burst, &g->count), VIF_BURST);
		ring_release(&g->ring, &g->burst);
		assert_int_equal(peek(&g->ring, &g->burst, &g->count), SENT - VIF_BURST);
		ring_release(&g->ring, &g->burst);
		assert_int_equal(peek(&g->ring, &g->burst, &g->count), 0);
		assert_int_equal(ndone(g), (round + 1) * SENT);
		for (uint16_t i = 0; i < SENT; i++)
			assert_int_equal(g->done[round * SENT + i].id, SENT - 1 - i);
	}
}

/* One frame to deliver, of `len` bytes in a head and segments of `piece` bytes. */
static struct vif_frame make(uint8_t *bytes, uint32_t len, uint32_t piece, struct vif_seg *seg)
{
	struct vif_frame f = {
		.head = bytes, .len = len, .head_len = len < VIF_HEAD_LEN ? len : VIF_HEAD_LEN, .seg = seg};

	for (uint32_t i = 0; i < len; i++)
		bytes[i] = i * 13;
	for (uint32_t from = f.head_len; from < len; from += piece)
		seg[f.nseg++] = (struct vif_seg){.va = bytes + from, .len = len - from < piece ? len - from : piece};
	return f;
}

static void a_frame_spreads_over_mergeable_buffers(void **state)
{
	static const uint32_t lens[] = {14, 60, 128, 129, 600, 1514, 20000};
	static uint8_t bytes[VIF_FRAME_MAX] __attribute__((aligned(64)));
	struct guest *g = *state;
	struct vif_seg seg[200];

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct vif_frame f = make(bytes, lens[i], 999, seg), *ptr = &f;
		uint32_t need = lens[i] + 12, bufs = (need + 511) / 512, k = 0;
		uint16_t first = ndone(g);

		g->next_buf = 65536;
		for (uint16_t b = 0; b < SIZE; b++)
			g->desc[b] = (struct vring_desc){buffer(g, 512), 512, VRING_DESC_F_WRITE, 0};
		for (uint32_t b = 0; b < bufs; b++)
			offer(g, b);
		assert_int_equal(deliver(&g->ring, &ptr, 1, &g->count), 1);
		assert_int_equal((uint16_t)(ndone(g) - first), bufs);
		for (uint32_t b = 0; b < bufs; b++) {
			struct vring_used_elem *e = &g->done[(uint16_t)(first + b)];
			const uint8_t *p = at(g, g->desc[e->id].addr);

			assert_int_equal(e->id, b);
			assert_int_equal(e->len, b + 1 < bufs ? 512 : need - 512 * b);
			for (uint32_t n = b ? 0 : 12; n < e->len; n++, k++)
				assert_int_equal(p[n], (uint8_t)(k * 13));
			if (!b)
				assert_int_equal(((struct virtio_net_hdr_mrg_rxbuf *)p)->num_buffers, bufs);
		}
		assert_int_equal(k, lens[i]);
	}
	assert_null(g->ring.broken);
}

static void a_frame_without_enough_buffers_consumes_none(void **state)
{
	static uint8_t bytes[4096] __attribute__((aligned(64)));
	struct guest *g = *state;
	struct vif_seg seg[8];
	struct vif_frame f = make(bytes, 1514, 4000, seg), *ptr = &f;

	g->desc[0] = (struct vring_desc){buffer(g, 512), 512, VRING_DESC_F_WRITE, 0};
	g->desc[1] = (struct vring_desc){buffer(g, 512), 512, VRING_DESC_F_WRITE, 0};
	offer(g, 0);
	offer(g, 1);
	assert_int_equal(deliver(&g->ring, &ptr, 1, &g->count), 0);
	assert_int_equal(ndone(g), 0);
	g->desc[2] = (struct vring_desc){buffer(g, 512), 512, VRING_DESC_F_WRITE, 0};
	offer(g, 2);
	assert_int_equal(deliver(&g->ring, &ptr, 1, &g->count), 1);
	assert_int_equal(ndone(g), 3);
}

static void where_nothing_is_delivered_no_frame_is_looked_at(void **state)
{
	struct guest *g = *state;

	g->desc[0] = (struct vring_desc){buffer(g, 512), 512, VRING_DESC_F_WRITE, 0};
	offer(g, 0);
	assert_int_equal(deliver(&g->ring, NULL, 0, &g->count), 0);
	assert_int_equal(ndone(g), 0);
	assert_int_equal(g->count.tx_frames + g->count.tx_bytes, 0);
}

static void without_mergeable_buffers_a_frame_that_never_fits_is_dropped(void **state)
{
	static uint8_t bytes[4096] __attribute__((aligned(64)));
	struct guest *g = *state;
	struct vif_seg seg[8];
	struct vif_frame f = make(bytes, 1514, 4000, seg), *ptr = &f;

	g->ring.mergeable = false;
	g->desc[0] = (struct vring_desc){buffer(g, 512), 512, VRING_DESC_F_WRITE, 0};
	offer(g, 0);
	assert_int_equal(deliver(&g->ring, &ptr, 1, &g->count), 1);
	assert_int_equal(g->count.drop[VIF_TX_TOO_BIG], 1);
	assert_int_equal(ndone(g), 0);
}

static void the_guest_is_signalled_when_it_asks_and_not_otherwise(void **state)
{
	struct guest *g = *state;

	for (int i = 0; i < 4; i++)
		send_frame(g, i, 60, 0);
	peek(&g->ring, &g->burst, &g->count);
	g->burst.n = 0;
	ring_notify(&g->ring); /* what was there before we began */
	if (packed) /* wake me when entry 2 is used */
		*(struct vring_packed_desc_event *)(g->mem + EVENTS) =
			(struct vring_packed_desc_event){2 | PACKED_WRAP, VRING_PACKED_EVENT_FLAG_DESC};
	else
		g->avail->ring[SIZE] = 2;
	g->burst.n = 2;
	ring_release(&g->ring, &g->burst);
	assert_false(ring_notify(&g->ring));
	ring_release(&g->ring, &g->burst);
	assert_true(ring_notify(&g->ring));
	assert_false(ring_notify(&g->ring));
}

static void arming_tells_of_entries_that_came_before(void **state)
{
	struct guest *g = *state;

	assert_false(ring_arm(&g->ring));
	send_frame(g, 0, 60, 0);
	assert_true(ring_arm(&g->ring));
}

/* ---- bursts, against the same frames one by one ------------------------------------------------------------------ */

#define BIG 1024 /* entries: more than one burst may use */
#define BIG_AVAIL 16384
#define BIG_USED 32768
#define FRAMES VIF_BURST

struct source { /* frames of all lengths */
	uint8_t bytes[VIF_FRAME_MAX] __attribute__((aligned(64)));
	struct vif_seg seg[FRAMES][2];
	struct vif_frame frame[FRAMES], *ptr[FRAMES];
};

static void big_ring(struct guest *g)
{
	memset(g->mem, 0, MEM);
	g->avail = (struct vring_avail *)(g->mem + BIG_AVAIL);
	g->used = (struct vring_used *)(g->mem + BIG_USED);
	g->ring.size = BIG;
	g->next_buf = 65536;
	g->next = g->next_used = PACKED_WRAP;
	g->ndone = g->outstanding = 0;
	place_ring(g);
}

static void fill(struct source *from, const uint32_t *lens, unsigned n)
{
	for (uint32_t i = 0; i < VIF_FRAME_MAX; i++)
		from->bytes[i] = i * 13 + (i >> 8);
	for (unsigned i = 0; i < FRAMES; i++) {
		uint32_t len = lens[rand() % n], rest;
		struct vif_frame *f = &from->frame[i];

		*f = (struct vif_frame){.head = from->bytes, .len = len, .seg = from->seg[i]};
		f->head_len = len < VIF_HEAD_LEN ? len : VIF_HEAD_LEN;
		f->off.csum_valid = rand() % 2;
		rest = len - f->head_len;
		if (rest > 1 && rand() % 2) {
			f->seg = from->seg[i];
			from->seg[i][0] = (struct vif_seg){.va = from->bytes + f->head_len, .len = rest / 2};
			from->seg[i][1] =
				(struct vif_seg){.va = from->bytes + f->head_len + rest / 2, .len = rest - rest / 2};
			f->nseg = 2;
		} else if (rest) {
			from->seg[i][0] = (struct vif_seg){.va = from->bytes + f->head_len, .len = rest};
			f->nseg = 1;
		}
		from->ptr[i] = f;
	}
}

/* Post `n` buffers, of one descriptor or chained; `at` is the next descriptor. */
static void post(struct guest *g, unsigned n, const uint32_t *sizes, unsigned nsizes, unsigned chained, uint16_t *at)
{
	for (; n && *at + 3 < BIG; n--) {
		uint32_t size = sizes[rand() % nsizes], cut = 1 + rand() % 200;
		uint64_t gpa = buffer(g, size);
		uint16_t head = *at;

		if (chained && !(rand() % chained) && cut < size) {
			g->desc[head] = (struct vring_desc){gpa, cut, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, head + 1};
			g->desc[head + 1] = (struct vring_desc){gpa + cut, size - cut, VRING_DESC_F_WRITE, 0};
			*at += 2;
		} else {
			g->desc[head] = (struct vring_desc){gpa, size, VRING_DESC_F_WRITE, 0};
			*at += 1;
		}
		offer(g, head);
	}
}

static unsigned deliver_from(struct guest *g, struct source *from, unsigned done, unsigned at_once)
{
	while (done < FRAMES) {
		unsigned n = FRAMES - done < at_once ? FRAMES - done : at_once;
		unsigned taken;

		vif_pass++;
		taken = deliver(&g->ring, from->ptr + done, n, &g->count);
		assert_in_range(taken, 0, n);
		/* also where no more fits into one call */
		if (!taken)
			break;
		done += taken;
	}
	return done;
}

/* As if the ring had been in use. */
static void begin_at(struct guest *g, uint16_t at)
{
	if (packed) {
		at &= PACKED_WRAP | (BIG - 1);
		for (unsigned i = 0; i < BIG; i++)
			g->ring.slot[i].flags = packed_used(i < packed_slot(at) ? at : at ^ PACKED_WRAP);
		g->next = g->next_used = at;
	} else {
		g->avail->idx = g->used->idx = g->ndone = at;
	}
	ring_resume(&g->ring);
	assert_int_equal(g->ring.last_avail, at);
}

/* Random bursts into random buffers, whole and one by one: the same bytes everywhere, and the same counts. */
static void a_burst_leaves_what_its_frames_leave_one_by_one(void **state)
{
	static const uint32_t lens[] = {14, 59, 60, 128, 129, 500, 1514, 2035, 2036, 2037, 2100, 4084, 4085, 9014};
	static const uint32_t sizes[] = {26, 72, 512, 1526, 2047, 2048, 2049, 4096, 9100};
	struct source *from = aligned_alloc(64, (sizeof(*from) + 63) & ~63UL);
	struct guest *one = *state, *whole;
	void *other;

	setup(&other);
	whole = other;
	srand(1);
	for (unsigned round = 0; round < 600; round++) {
		struct guest *both[] = {one, whole};
		unsigned seed = rand(), done[2];

		for (unsigned b = 0; b < 2; b++) {
			struct guest *g = both[b];
			uint16_t at = 0;

			srand(seed);
			memset(&g->count, 0, sizeof(g->count));
			big_ring(g);
			begin_at(g, seed);
			g->ring.mergeable = seed & 1;
			g->ring.hdr_len = seed & 3 ? 12 : 10;
			g->ring.last_region = (struct ring_region){0};
			fill(from, lens, seed & 4 ? sizeof(lens) / sizeof(lens[0]) : 5);
			done[b] = 0;
			/* runs dry in the middle, and goes on */
			for (unsigned k = 0; k < 3; k++) {
				post(g, rand() % 80, sizes + (seed & 8 ? 6 : 0), seed & 8 ? 3 : 9, rand() % 8, &at);
				done[b] = deliver_from(g, from, done[b], b ? FRAMES : 1);
			}
			assert_null(g->ring.broken);
			assert_int_equal(g->ring.last_avail, g->ring.used_idx);
			ndone(g);
			assert_int_equal(packed ? g->next_used : g->used->idx, g->ring.used_idx);
		}
		assert_int_equal(done[0], done[1]);
		assert_int_equal(one->ring.last_avail, whole->ring.last_avail);
		/* more calls, more attempts that find too few buffers */
		one->count.pass = whole->count.pass;
		one->count.pass_steps = whole->count.pass_steps;
		one->count.ring_steps = whole->count.ring_steps;
		assert_memory_equal(&one->count, &whole->count, sizeof(one->count));
		assert_memory_equal(one->mem, whole->mem, MEM);
		srand(seed + 1);
	}
	teardown(&other);
	free(from);
}

static void a_burst_that_needs_more_buffers_than_one_call_may_use_goes_on_in_the_next(void **state)
{
	static const uint32_t len = 9014, size = 512;
	struct source *from = aligned_alloc(64, (sizeof(*from) + 63) & ~63UL);
	struct guest *g = *state;
	uint16_t at = 0;
	unsigned done;

	big_ring(g);
	fill(from, &len, 1);
	post(g, BIG - 4, &size, 1, 0, &at);
	done = deliver(&g->ring, from->ptr, FRAMES, &g->count);
	assert_in_range(done, 1, FRAMES - 1);
	assert_int_equal(ndone(g), done * 18);
	assert_int_equal(g->ring.last_avail, done * 18 + (packed ? PACKED_WRAP : 0));
	assert_int_equal(g->count.tx_frames, done);
	done += deliver(&g->ring, from->ptr + done, FRAMES - done, &g->count);
	assert_int_equal(ndone(g), done * 18);
	assert_int_equal(done, (BIG - 4) / 18);
	assert_null(g->ring.broken);
	free(from);
}

static void frames_of_one_buffer_behind_long_ones_wait_for_the_next_call_too(void **state)
{
	static const uint32_t len = 9014, size = 512;
	const unsigned longs = 28,
		       fit = 512 - longs * 18; /* of 18 buffers; and what is left of those that a call may use */
	struct source *from = aligned_alloc(64, (sizeof(*from) + 63) & ~63UL);
	struct guest *g = *state;
	uint16_t at = 0;

	big_ring(g);
	fill(from, &len, 1);
	for (unsigned i = longs; i < FRAMES; i++) {
		from->frame[i].len = from->frame[i].head_len = 60;
		from->frame[i].nseg = 0;
	}
	post(g, BIG - 4, &size, 1, 0, &at);
	assert_int_equal(deliver(&g->ring, from->ptr, FRAMES, &g->count), longs + fit);
	assert_int_equal(ndone(g), 512);
	assert_int_equal(deliver(&g->ring, from->ptr + longs + fit, FRAMES - longs - fit, &g->count),
			 FRAMES - longs - fit);
	assert_int_equal(g->count.tx_frames, FRAMES);
	assert_int_equal(g->count.tx_bytes, longs * 9014 + (FRAMES - longs) * 60);
	assert_int_equal(g->count.tx_max, 9014);
	free(from);
}

/* ---- drivers that break the rules -------------------------------------------------------------------------------- */

struct breach {
	const char *name;
	void (*prepare)(struct guest *g);
	bool write; /* a receive ring's breach */
	bool split; /* there is no such breach of a packed ring */
};

static void outside(struct guest *g)
{
	g->desc[0] = (struct vring_desc){0x10, 100, g->ring.mergeable ? 0 : 0, 0};
	offer(g, 0);
}

static void past_the_end(struct guest *g)
{
	g->desc[0] = (struct vring_desc){GPA + MEM - 50, 100, 0, 0};
	offer(g, 0);
}

static void wraps_around(struct guest *g)
{
	g->desc[0] = (struct vring_desc){UINT64_MAX - 10, 100, 0, 0};
	offer(g, 0);
}

static void loops(struct guest *g)
{
	g->desc[0] = (struct vring_desc){buffer(g, 64), 1, VRING_DESC_F_NEXT, 1};
	g->desc[1] = (struct vring_desc){g->desc[0].addr, 1, VRING_DESC_F_NEXT, 0};
	offer(g, 0);
}

static void next_is_nowhere(struct guest *g)
{
	g->desc[0] = (struct vring_desc){buffer(g, 64), 64, VRING_DESC_F_NEXT, SIZE};
	offer(g, 0);
}

static void head_is_nowhere(struct guest *g)
{
	offer(g, SIZE);
}

static void index_runs_ahead(struct guest *g)
{
	g->avail->idx = SIZE + 1;
}

static void wrong_direction(struct guest *g)
{
	g->desc[0] = (struct vring_desc){buffer(g, 64), 64, VRING_DESC_F_WRITE, 0};
	offer(g, 0);
}

static void table_in_table(struct guest *g)
{
	uint64_t table = buffer(g, 64);

	*(struct vring_desc *)at(g, table) =
		(struct vring_desc){table, 16, VRING_DESC_F_INDIRECT, VRING_DESC_F_INDIRECT};
	g->desc[0] = (struct vring_desc){table, 16, VRING_DESC_F_INDIRECT, 0};
	offer(g, 0);
}

static void table_of_odd_length(struct guest *g)
{
	g->desc[0] = (struct vring_desc){buffer(g, 64), 17, VRING_DESC_F_INDIRECT, 0};
	offer(g, 0);
}

static void table_too_long(struct guest *g)
{
	g->desc[0] = (struct vring_desc){buffer(g, 64), 16 * (SIZE + 1), VRING_DESC_F_INDIRECT, 0};
	offer(g, 0);
}

static void table_outside(struct guest *g)
{
	g->desc[0] = (struct vring_desc){GPA + MEM - 16, 32, VRING_DESC_F_INDIRECT, 0};
	offer(g, 0);
}

static void table_with_successor(struct guest *g)
{
	g->desc[0] = (struct vring_desc){buffer(g, 64), 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 1};
	offer(g, 0);
}

static const struct breach breaches[] = {
	{"outside", outside, false, false},
	{"past the end", past_the_end, false, false},
	{"wraps around", wraps_around, false, false},
	{"loops", loops, false, false},
	{"next is nowhere", next_is_nowhere, false, true},
	{"head is nowhere", head_is_nowhere, false, true},
	{"index runs ahead", index_runs_ahead, false, true},
	{"wrong direction", wrong_direction, false, false},
	{"table in table", table_in_table, false, false},
	{"table of odd length", table_of_odd_length, false, false},
	{"table too long", table_too_long, false, false},
	{"table outside", table_outside, false, false},
	{"table with successor", table_with_successor, false, false},
	{"outside, receiving", outside, true, false},
	{"head is nowhere, receiving", head_is_nowhere, true, true},
	{"index runs ahead, receiving", index_runs_ahead, true, true},
	{"table too long, receiving", table_too_long, true, false},
};

static void every_breach_of_the_rules_is_found_and_named(void **state)
{
	static uint8_t bytes[256] __attribute__((aligned(64)));

	(void)state;
	for (size_t i = 0; i < sizeof(breaches) / sizeof(breaches[0]); i++) {
		struct vif_seg seg[4];
		struct vif_frame f = make(bytes, 60, 100, seg), *ptr = &f;
		struct guest *g;
		void *s;

		if (packed && breaches[i].split)
			continue;
		setup(&s);
		g = s;
		breaches[i].prepare(g);
		if (breaches[i].write) {
			if (packed)
				g->ring.slot[0].flags |= VRING_DESC_F_WRITE;
			else if (!(g->desc[0].flags & VRING_DESC_F_INDIRECT))
				g->desc[0].flags |= VRING_DESC_F_WRITE;
			assert_int_equal(deliver(&g->ring, &ptr, 1, &g->count), 0);
		} else {
			assert_int_equal(peek(&g->ring, &g->burst, &g->count), 0);
		}
		if (!g->ring.broken)
			fail_msg("not found: %s", breaches[i].name);
		teardown(&s);
	}
}

/* ---- bounded work ------------------------------------------------------------------------------------------------ */

/* A chain of `n` empty descriptors from `head` on, and one of `len` bytes at its end. */
static void chain_of_nothing(struct guest *g, uint16_t head, unsigned n, uint32_t len, uint16_t flags)
{
	for (unsigned i = 0; i < n; i++)
		g->desc[head + i] = (struct vring_desc){GPA, 0, flags | VRING_DESC_F_NEXT, head + i + 1};
	g->desc[head + n] = (struct vring_desc){GPA + 1 * 65536, len, flags, 0};
	offer(g, head);
}

static void a_frame_in_more_descriptors_than_a_frame_may_have_breaks_the_rules(void **state)
{
	struct guest *g = *state;

	big_ring(g);
	chain_of_nothing(g, 0, RING_STEPS_FRAME - 1, 72, 0);
	assert_int_equal(peek(&g->ring, &g->burst, &g->count), 1);
	assert_int_equal(g->count.ring_steps, RING_STEPS_FRAME);
	ring_release(&g->ring, &g->burst);
	assert_int_equal(ndone(g), 1);
	chain_of_nothing(g, 0, RING_STEPS_FRAME, 72, 0);
	assert_int_equal(peek(&g->ring, &g->burst, &g->count), 0);
	assert_non_null(g->ring.broken);
	assert_true(g->count.ring_steps <= 2 * RING_STEPS_FRAME + 1);
}

static void a_receivers_empty_buffers_are_counted_over_all_that_a_frame_takes(void **state)
{
	static uint8_t bytes[64] __attribute__((aligned(64)));
	struct vif_seg seg[1];
	struct vif_frame f = make(bytes, 60, 100, seg), *ptr = &f;
	struct guest *g = *state;

	big_ring(g);
	for (unsigned i = 0; i < 10; i++) /* the same chain again and again: no rule forbids that */
		chain_of_nothing(g, 0, 100, 0, VRING_DESC_F_WRITE);
	assert_int_equal(deliver(&g->ring, &ptr, 1, &g->count), 0);
	assert_non_null(g->ring.broken);
	assert_true(g->count.ring_steps <= RING_STEPS_FRAME + 1);
}

/* In a packed ring a chain has slots of its own. */
static void huge_ring(struct guest *g)
{
	big_ring(g);
	if (packed)
		g->ring.size = 32768;
}

static void what_takes_too_many_descriptors_for_a_pass_waits_for_the_next(void **state)
{
	static uint8_t bytes[64] __attribute__((aligned(64)));
	struct vif_seg seg[1];
	struct vif_frame f = make(bytes, 60, 100, seg), *ptr[VIF_BURST];
	const unsigned each = 400, fit = RING_STEPS_PASS / (each + 1) + 1;
	struct guest *g = *state;

	huge_ring(g);
	for (unsigned i = 0; i < VIF_BURST; i++) {
		ptr[i] = &f;
		chain_of_nothing(g, 0, each, 2000, VRING_DESC_F_WRITE);
	}
	vif_pass++;
	assert_int_equal(deliver(&g->ring, ptr, VIF_BURST, &g->count), fit);
	assert_int_equal(deliver(&g->ring, ptr, VIF_BURST, &g->count), 0);
	vif_pass++;
	assert_int_equal(deliver(&g->ring, ptr, VIF_BURST, &g->count), fit);
	assert_null(g->ring.broken);
	/* and likewise of what the guest sends */
	setup(state);
	teardown((void **)&g);
	g = *state;
	huge_ring(g);
	for (unsigned i = 0; i < VIF_BURST; i++)
		chain_of_nothing(g, 0, each, 72, 0);
	vif_pass++;
	assert_int_equal(peek(&g->ring, &g->burst, &g->count), fit);
	ring_release(&g->ring, &g->burst);
	assert_int_equal(peek(&g->ring, &g->burst, &g->count), 0);
	vif_pass++;
	assert_int_equal(peek(&g->ring, &g->burst, &g->count), fit);
	assert_null(g->ring.broken);
}

static void bad_offload_metadata_costs_the_frame_and_not_the_ring(void **state)
{
	static const struct virtio_net_hdr bad[] = {
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 60, .csum_offset = 16},
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 0xffff, .csum_offset = 0xffff},
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 0, .csum_offset = 0},
		{.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1448},
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4},
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .gso_type = 0x42, .gso_size = 100},
	};
	struct guest *g = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		send_frame(g, i, 60, 0);
		memcpy(at(g, g->desc[i].addr), &bad[i], sizeof(bad[i]));
	}
	send_frame(g, 20, 60, 0);
	assert_int_equal(peek(&g->ring, &g->burst, &g->count), 7);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(g->burst.frame[i].len, 0);
	assert_int_equal(g->burst.frame[6].len, 60);
	assert_int_equal(g->count.drop[VIF_RX_MALFORMED], 6);
	assert_int_equal(g->count.rx_frames, 1);
	assert_null(g->ring.broken);
}

static void runts_and_giants_are_dropped(void **state)
{
	struct guest *g = *state;

	send_frame(g, 0, 13, 0);
	send_frame(g, 1, VIF_FRAME_MAX + 1, 0);
	send_frame(g, 2, 0, 0);
	assert_int_equal(peek(&g->ring, &g->burst, &g->count), 3);
	assert_int_equal(g->count.rx_frames, 0);
	assert_int_equal(g->count.drop[VIF_RX_MALFORMED], 3);
}

#define VERSION(width)                                                                                                 \
	static int setup_##width(void **state)                                                                         \
	{                                                                                                              \
		peek = ring_peek_##width;                                                                              \
		deliver = ring_deliver_##width;                                                                        \
		packed = false;                                                                                        \
		return setup(state);                                                                                   \
	}                                                                                                              \
	static int setup_packed_##width(void **state)                                                                  \
	{                                                                                                              \
		peek = ring_peek_##width;                                                                              \
		deliver = ring_deliver_##width;                                                                        \
		packed = true;                                                                                         \
		return setup(state);                                                                                   \
	}
VERSION(sse)
VERSION(avx2)
VERSION(avx512)

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup_sse, teardown)
		T(a_frame_is_described_whole_wherever_its_buffers_are_cut),
		T(an_indirect_chain_is_followed),
		T(frames_are_released_in_order_and_once),
		T(a_frame_spreads_over_mergeable_buffers),
		T(a_frame_without_enough_buffers_consumes_none),
		T(where_nothing_is_delivered_no_frame_is_looked_at),
		T(without_mergeable_buffers_a_frame_that_never_fits_is_dropped),
		T(the_guest_is_signalled_when_it_asks_and_not_otherwise),
		T(arming_tells_of_entries_that_came_before),
		T(a_burst_leaves_what_its_frames_leave_one_by_one),
		T(a_burst_that_needs_more_buffers_than_one_call_may_use_goes_on_in_the_next),
		T(frames_of_one_buffer_behind_long_ones_wait_for_the_next_call_too),
		T(every_breach_of_the_rules_is_found_and_named),
		T(a_frame_in_more_descriptors_than_a_frame_may_have_breaks_the_rules),
		T(a_receivers_empty_buffers_are_counted_over_all_that_a_frame_takes),
		T(what_takes_too_many_descriptors_for_a_pass_waits_for_the_next),
		T(bad_offload_metadata_costs_the_frame_and_not_the_ring),
		T(runts_and_giants_are_dropped),
	};
	const struct {
		const char *what;
		CMFixtureFunction setup, setup_packed;
		bool can;
	} version[] = {
		{"SSE", setup_sse, setup_packed_sse, true},
		{"AVX2", setup_avx2, setup_packed_avx2, RING_CAN_AVX2},
		{"AVX-512", setup_avx512, setup_packed_avx512, RING_CAN_AVX512},
	};
	struct CMUnitTest all[6 * LEN(tests)] = {{0}};
	unsigned n = 0;

	for (unsigned v = 0; v < LEN(version); v++) {
		if (!version[v].can)
			print_message("not tested, as this processor does not have it: %s\n", version[v].what);
		for (unsigned i = 0; version[v].can && i < LEN(tests); i++) {
			all[n] = all[n + 1] = tests[i];
			all[n++].setup_func = version[v].setup;
			all[n++].setup_func = version[v].setup_packed;
		}
	}
	return _cmocka_run_group_tests("rings", all, n, NULL, NULL);
}
