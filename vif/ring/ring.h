/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Virtqueues as a device sees them, split and packed (virtio 1.2, 2.7 and 2.8), over memory that the guest shares.
 *
 * Model. A struct ring is one virtqueue. ring_peek() and ring_release() serve a ring that the guest sends on,
 * ring_deliver() one that it receives on; ring_notify(), ring_arm() and ring_disarm() either. Only `packed` tells the two
 * layouts apart: the layout is chosen once in each call, and callers do not see it. Buffers are completed in the order in
 * which they were made available, so what the ring itself holds tells a new back-end where to go on: ring_resume().
 *
 * Safety. The guest writes to all of this memory at any time. Every descriptor is fetched once into private memory;
 * every chain is bounded by the ring's size and every table by its stated length; the whole range of every buffer is
 * checked against the memory table. A far side that breaks the rules gets a sentence in ring->broken; the ring is not
 * served after that.
 *
 * Threads. One at a time; the port's driver locks if there are more.
 */
#ifndef XBAR_RING_H
#define XBAR_RING_H

#include <linux/virtio_ring.h>

#include "vif/vif.h"

#define RING_REGIONS 32 /* of memory */
#define RING_HDR_MAX 12 /* struct virtio_net_hdr_mrg_rxbuf */

/*
 * Descriptors that are walked for chains, empty ones too. A frame that takes more breaks the rules (Linux uses at most 19
 * to send one). What a port has in a worker's pass beyond the second number waits for the next pass, as if the receiver
 * had no buffers; a frame that has begun is finished.
 */
#define RING_STEPS_FRAME 512
#define RING_STEPS_PASS 4096

struct ring_region {
	uint64_t gpa, size;
	uint8_t *va;
};

struct ring_mem {
	unsigned n;
	struct ring_region region[RING_REGIONS];
};

/*
 * The dirty log of a guest that is being migrated: the front end's, which clears bits while we set them. It bounds what
 * is marked, so a guest that names pages beyond it loses nothing but its own migration.
 */
struct ring_log {
	uint8_t *bits; /* one for each page of 4096 bytes, from guest-physical address 0 on */
	uint64_t pages;
};

struct ring {
	union {
		struct { /* a split ring's */
			struct vring_desc *desc;
			struct vring_avail *avail;
			struct vring_used *used;
		};
		struct { /* a packed ring's */
			struct vring_packed_desc *slot;
			const struct vring_packed_desc_event *driver_event;
			struct vring_packed_desc_event *device_event;
		};
	};
	const struct ring_mem *mem;
	struct ring_region last_region; /* the region that served last; size 0: none yet */
	uint16_t size; /* a split ring's is a power of two */
	/*
	 * Where the ring stands. Split: free-running indices. Packed: a slot, with the wrap counter of its lap in bit 15, as in
	 * vhost-user and in event areas.
	 */
	uint16_t last_avail; /* next entry of the available ring, or slot, to look at */
	uint16_t used_idx; /* next entry of the used ring, or slot, to write; published by release and deliver */
	uint16_t signalled; /* split: used_idx at the last ring_notify */
	uint16_t avail_seen; /* split: the guest's index as last read */
	uint32_t untold; /* packed: slots completed since the last ring_notify */
	uint8_t hdr_len; /* of the virtio-net header: 10 or 12 */
	bool packed; /* VIRTIO_F_RING_PACKED */
	bool event_idx; /* VIRTIO_RING_F_EVENT_IDX */
	bool mergeable; /* VIRTIO_NET_F_MRG_RXBUF */
	bool enabled;
	int callfd; /* -1: the guest polls */
	int kickfd; /* -1 */
	const char *broken; /* NULL, or the rule that the guest broke: a sentence */
	const struct ring_log *log; /* NULL: nothing is marked */
	uint64_t
		log_used; /* guest-physical address by which writes to a split ring's used ring are marked, if logs_used */
	bool logs_used;
};

#define RING_REQUEST_MAX 4 /* bytes of a request that are looked at */

struct ring_request {
	uint8_t byte[RING_REQUEST_MAX]; /* a private copy */
	unsigned len; /* of what byte[] holds */
	uint8_t *ack; /* the ring code's own: where the answer goes, NULL: nowhere; and what is completed */
	uint32_t buffer;
};

/*
 * Before the first of the other calls: find where the ring stands, from what it holds, however the back-end that served it
 * before has ended. What the front end says of that is old after a crash.
 */
void ring_resume(struct ring *ring);
/* Describe up to VIF_BURST frames; returns how many. Bad frames are counted and come with len 0. */
unsigned ring_peek(struct ring *ring, struct vif_burst *burst, struct vif_counters *count);
void ring_release(struct ring *ring, const struct vif_burst *burst);
/* As vif_ops.deliver. */
unsigned ring_deliver(struct ring *ring, struct vif_frame *const *frames, unsigned n, struct vif_counters *count);
/*
 * Of a control queue's ring: the request that waits. false: there is none, or the ring is broken. Each is to be answered by
 * ring_answer() before the next one is taken.
 */
bool ring_next_request(struct ring *ring, struct ring_request *request);
void ring_answer(struct ring *ring, const struct ring_request *request, uint8_t answer);
/* After a full barrier. true: the guest is to be signalled, which is the caller's to do. */
bool ring_notify(struct ring *ring);
/* Ask for a kick. true: entries are waiting already. */
bool ring_arm(struct ring *ring);
void ring_disarm(struct ring *ring);

/*
 * Mark what has been written, after it was written. For rings with a log only.
 * ring_log_memory(): `len` bytes at `at` in shared memory. ring_log_used(): in a split ring's used ring.
 * ring_log_completed(): `n` entries of that from entry `from` on, and its index.
 */
void ring_log_memory(const struct ring *ring, const void *at, uint32_t len);
void ring_log_used(const struct ring *ring, const void *at, uint32_t len);
void ring_log_completed(const struct ring *ring, uint16_t from, unsigned n);

#endif
