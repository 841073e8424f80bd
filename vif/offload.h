/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * In software, what a receiver cannot do: cut a TSO or USO frame into segments, complete a partial checksum. The slow
 * path, so written to be plain: every result is a whole copy with whole checksums, in memory of the caller's.
 *
 * Safety. The sender's header decides how much work there is, and the sender may be hostile: a frame may become at most
 * OFFLOAD_SEGMENTS segments of at most OFFLOAD_SLOT bytes; whatever does not add up is refused. Payload is read while
 * the sender may be changing it, which can spoil its own checksum and nothing else.
 *
 * Threads. None of its own; a struct offload belongs to one worker.
 */
#ifndef XBAR_OFFLOAD_H
#define XBAR_OFFLOAD_H

#include "vif.h"

#define OFFLOAD_SLOT 16384 /* bytes of a frame made here: jumbo frames fit */
#define OFFLOAD_SLOTS 16 /* frames made in one go */
#define OFFLOAD_SEGMENTS 256 /* of one frame: 64 KiB at an MSS of 256 */

struct offload {
	const struct vif_frame *frame; /* being cut, all of it mapped; NULL: none */
	unsigned l3, l4, hdr; /* offsets: IP header, TCP or UDP header, payload */
	bool v6, tcp;
	uint32_t at; /* payload bytes done */
	uint32_t size; /* payload bytes per segment */
	uint16_t index; /* segments done */
	unsigned seg; /* reading position in frame->seg */
	uint32_t seg_at;
	struct vif_seg tail[OFFLOAD_SLOTS];
	struct vif_frame made[OFFLOAD_SLOTS];
	uint8_t slot[OFFLOAD_SLOTS][OFFLOAD_SLOT] __attribute__((aligned(64)));
};

/*
 * Begin with `frame`, which must stay until the last offload_next(). No frame made of it may be longer than `longest`
 * bytes (0: OFFLOAD_SLOT). 0; -EINVAL: its headers and metadata do not agree; -EMSGSIZE: too many or too long segments;
 * -EFAULT: what the sender has granted cannot be read (frame->failed).
 */
int offload_begin(struct offload *o, struct vif_frame *frame, uint32_t longest);
/*
 * Make up to `max` frames, at most OFFLOAD_SLOTS: o->made[], valid until the next call. Returns how many; 0: the frame is
 * done.
 */
unsigned offload_next(struct offload *o, unsigned max);
/* How many frames are still to be made of it. */
unsigned offload_left(const struct offload *o);

#endif
