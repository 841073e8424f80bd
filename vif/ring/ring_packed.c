/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation. A packed ring has no index that tells how far the device is, and what the front end says is old if a
 * back-end was killed: only the slots tell. AVAIL bits change where the driver is, USED bits where the device is. For the
 * latter to hold, two rules are kept beyond what the specification asks for:
 *   - all slots of a chain are marked as used, not only the first, which is the one that the driver reads;
 *   - frames are completed in ascending order. What belongs to one frame (the slots of a chain, several receive buffers)
 *     is completed in descending order, since a driver that sees the beginning takes the rest to be there. A back-end that
 *     is killed in between leaves a gap, and what is in front of the gap is known from the ring: mend().
 * So the ring of a back-end that does not keep them can be gone on with only if its buffers have one slot each, as nearly
 * all have (an indirect table has one).
 */
#include "ring_slot.h"

/* ---- completion -------------------------------------------------------------------------------------------------- */

/* Complete a buffer of several slots that begins at `at`. */
static void complete_chain(struct ring *ring, uint16_t at, uint32_t buffer, uint32_t len, uint16_t write)
{
	for (unsigned i = packed_buffer_slots(buffer) - 1; i; i--) {
		const uint16_t pos = packed_after(at, i, ring->size);
		struct vring_packed_desc *slot = &ring->slot[packed_slot(pos)];
		const uint16_t rest = __atomic_load_n(&slot->flags, __ATOMIC_RELAXED) & ~PACKED_USED;

		__atomic_store_n(&slot->flags, rest | (packed_used(pos) & PACKED_USED), __ATOMIC_RELEASE);
	}
	packed_complete(&ring->slot[packed_slot(at)], (uint16_t)buffer, len, write | packed_used(at));
}

/* Complete `n` buffers of one frame from `at` on; returns where they end. */
static uint16_t complete_group(struct ring *ring, uint16_t at, const struct vring_used_elem *elem, unsigned n,
			       uint16_t write)
{
	uint16_t pos[HEADS_MAX];

	for (unsigned i = 0; i < n; i++) {
		pos[i] = at;
		at = packed_after(at, packed_buffer_slots(elem[i].id), ring->size);
	}
	for (unsigned i = n; i--;)
		complete_chain(ring, pos[i], elem[i].id, elem[i].len & ~HEAD_MORE, write);
	return at;
}

/* The slots are in the guest's memory as its buffers are: no address of their own is needed to mark them. */
static void log_slots(const struct ring *ring, unsigned first, unsigned n)
{
	const unsigned room = ring->size - first, part = n < room ? n : room;

	ring_log_memory(ring, &ring->slot[first], part * sizeof(ring->slot[0]));
	ring_log_memory(ring, &ring->slot[0], (n - part) * sizeof(ring->slot[0]));
}

/* All up to `to` is completed. */
static void moved(struct ring *ring, uint16_t to)
{
	const uint16_t from = ring->used_idx;
	const unsigned lap = (from ^ to) & PACKED_WRAP ? ring->size : 0;
	const unsigned n = packed_slot(to) + lap - packed_slot(from);

	if (__builtin_expect(ring->log != NULL, 0))
		log_slots(ring, packed_slot(from), n < ring->size ? n : ring->size);
	ring->untold += n;
	ring->used_idx = to;
}

/* Frames some of which lie in several buffers or slots. */
static uint16_t complete_groups(struct ring *ring, uint16_t at, const struct heads *heads)
{
	for (unsigned i = 0, n; i < heads->n; i += n) {
		for (n = 1; i + n < heads->n && heads->elem[i + n].len & HEAD_MORE;)
			n++;
		at = complete_group(ring, at, &heads->elem[i], n, VRING_DESC_F_WRITE);
	}
	return at;
}

void packed_publish(struct ring *ring, const struct heads *heads)
{
	const uint16_t begin = ring->used_idx;
	uint16_t used = packed_used(begin) | VRING_DESC_F_WRITE;
	unsigned slot = packed_slot(begin);
	const unsigned size = ring->size;

	if (heads->grouped) {
		moved(ring, complete_groups(ring, begin, heads));
		return;
	}
	for (unsigned i = 0; i < heads->n; i++) {
		packed_complete(&ring->slot[slot], (uint16_t)heads->elem[i].id, heads->elem[i].len, used);
		if (++slot == size) {
			slot = 0;
			used ^= PACKED_BOTH;
		}
	}
	moved(ring, packed_after(begin, heads->n, size));
}

void packed_release(struct ring *ring, const struct vif_burst *burst)
{
	const unsigned size = ring->size;
	uint16_t at = ring->used_idx;

	for (unsigned i = 0; i < burst->n; i++) {
		const uint32_t buffer = (uint32_t)burst->frame[i].cookie, slots = packed_buffer_slots(buffer);

		if (__builtin_expect(slots == 1, 1))
			packed_complete(&ring->slot[packed_slot(at)], (uint16_t)buffer, 0, packed_used(at));
		else
			complete_chain(ring, at, buffer, 0, 0);
		at = packed_after(at, slots, size);
	}
	moved(ring, at);
	__builtin_prefetch(&ring->slot[packed_slot(ring->last_avail)]);
}

/* ---- notifications ----------------------------------------------------------------------------------------------- */

/* An event area, as a whole (virtio 1.2, 2.8.14). */
typedef uint32_t __attribute__((may_alias)) event_word;

static uint32_t event(uint16_t flags, uint16_t at)
{
	return at | (uint32_t)flags << 16;
}

/* Whether the last `done` slots that were completed hold the position `at`. */
static bool is_among(const struct ring *ring, uint16_t at, uint32_t done)
{
	int back = (int)packed_slot(ring->used_idx) - (int)packed_slot(at);

	if ((ring->used_idx ^ at) & PACKED_WRAP)
		back += ring->size;
	return back > 0 && (uint32_t)back <= done;
}

bool packed_notify(struct ring *ring)
{
	const uint32_t done = ring->untold;
	uint32_t wish;

	if (!done)
		return false;
	ring->untold = 0;
	wish = __atomic_load_n((const event_word *)ring->driver_event, __ATOMIC_RELAXED);
	if ((wish >> 16 & 3) == VRING_PACKED_EVENT_FLAG_DISABLE)
		return false;
	if ((wish >> 16 & 3) == VRING_PACKED_EVENT_FLAG_DESC && ring->event_idx && done < ring->size &&
	    !is_among(ring, (uint16_t)wish, done))
		return false;
	return ring->callfd >= 0;
}

static void set_wish(struct ring *ring, uint32_t wish)
{
	__atomic_store_n((event_word *)ring->device_event, wish, __ATOMIC_RELAXED);
	if (__builtin_expect(ring->log != NULL, 0))
		ring_log_memory(ring, ring->device_event, sizeof(*ring->device_event));
}

bool packed_arm(struct ring *ring)
{
	const uint32_t wish = ring->event_idx ? event(VRING_PACKED_EVENT_FLAG_DESC, ring->last_avail)
					      : event(VRING_PACKED_EVENT_FLAG_ENABLE, 0);

	set_wish(ring, wish);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* our wish is written before their slot is read */
	return packed_waiting(ring, ring->last_avail);
}

void packed_disarm(struct ring *ring)
{
	set_wish(ring, event(VRING_PACKED_EVENT_FLAG_DISABLE, 0));
}

/* ---- where the ring stands --------------------------------------------------------------------------------------- */

/* Where the driver will make the next buffer available, or did so while this was looked for. */
static uint16_t driver_place(const struct ring *ring)
{
	const unsigned first = packed_flags(&ring->slot[0]) & PACKED_AVAIL;
	unsigned i = 1;

	while (i < ring->size && (packed_flags(&ring->slot[i]) & PACKED_AVAIL) == first)
		i++;
	return packed_after(first ? PACKED_WRAP : 0, i, ring->size);
}

/* Whether the slot at `at` was completed in the lap of `at`. The driver may have used it again since. */
static bool is_completed(const struct ring *ring, uint16_t at)
{
	return ((packed_flags(&ring->slot[packed_slot(at)]) ^ packed_used(at)) & PACKED_USED) == 0;
}

/* The buffer at `at`, as the driver made it, and where the next one begins. */
static struct vring_used_elem read_buffer(const struct ring *ring, uint16_t *at, uint16_t *write)
{
	struct vring_packed_desc desc;
	uint32_t slots = 0, len = 0;

	do {
		desc = packed_fetch(&ring->slot[packed_slot(*at)]);
		len += desc.len;
		*write = desc.flags & VRING_DESC_F_WRITE;
		*at = packed_after(*at, 1, ring->size);
	} while (++slots < HEADS_MAX && slots < ring->size && desc.flags & VRING_DESC_F_NEXT);
	return (struct vring_used_elem){packed_buffer(desc.id, slots), len & ~HEAD_MORE};
}

/*
 * Complete what a back-end that was killed left of the frame at `at`: slots that are completed, behind others that are not.
 * Those others are as the driver made them: all but the frame's last buffer are full, and if that one is among them, it is
 * the only one, and gets bytes of no meaning at its end. Returns where the ring stands then.
 */
static uint16_t mend(struct ring *ring, uint16_t at, uint16_t driver)
{
	struct vring_used_elem elem[HEADS_MAX];
	unsigned gap = 0, n = 0;
	uint16_t end = at, from = at, write = 0;

	for (; end != driver && !is_completed(ring, end); gap++)
		end = packed_after(end, 1, ring->size);
	if (end == driver || gap > HEADS_MAX)
		return at;
	while (end != driver && is_completed(ring, end))
		end = packed_after(end, 1, ring->size);
	for (unsigned done = 0; done < gap; done += packed_buffer_slots(elem[n++].id))
		elem[n] = read_buffer(ring, &from, &write);
	complete_group(ring, at, elem, n, write);
	return end;
}

void packed_resume(struct ring *ring)
{
	const uint16_t driver = driver_place(ring);
	uint16_t at = driver ^ PACKED_WRAP; /* the device is a lap behind at most */

	while (at != driver && is_completed(ring, at))
		at = packed_after(at, 1, ring->size);
	ring->used_idx = at;
	moved(ring, mend(ring, at, driver));
	ring->last_avail = ring->used_idx;
	ring->untold = ring->size; /* the guest may be waiting for what was told before a restart */
}
