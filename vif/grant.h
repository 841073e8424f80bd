/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies that the hypervisor makes, to and from memory that a Xen guest has granted: queued, then made in one system
 * call.
 *
 * Model. Each worker has one queue. What is queued is done when grant_flush() returns, or before; which of the copies
 * failed is told by the tag that each was queued with, a frame's index in its burst. Copies have no order among
 * themselves.
 *
 * Threads. The queue is that of the calling worker (vif_worker_id). grant_read(), grant_write() and grant_use() are for
 * the other threads.
 *
 * Errors. A guest may revoke a grant at any time, or have granted nothing: every copy may fail.
 */
#ifndef XBAR_GRANT_H
#define XBAR_GRANT_H

#include <xengnttab.h>

#include "vif.h"

#define GRANT_PAGE 4096u

/* The hypervisor, or a stand-in for it in tests. */
struct grant_ops {
	/* As xengnttab_grant_copy(): 0 and each copy's status, or not 0: none of the statuses is to be believed. */
	int (*copy)(void *ctx, uint32_t n, xengnttab_grant_copy_segment_t *op);
	/* Map a page; NULL: it cannot be. */
	void *(*map)(void *ctx, uint32_t domid, uint32_t gref, bool writable);
	void (*unmap)(void *ctx, void *page);
};

/* Set once, before the first copy. 0 or -ENOMEM. */
int grant_use(const struct grant_ops *ops, void *ctx);
/* NULL: grant_use() has not been called. */
void *grant_map(uint32_t domid, uint32_t gref, bool writable);
void grant_unmap(void *page);

/* Of a frame, by tag: which could not be read, and which could not be written. */
struct grant_result {
	uint64_t bad_src, bad_dst;
	unsigned copies; /* that were asked for */
};

/* `tag` is below 64. No copy crosses a page that is granted; one of no bytes is none. */
void grant_copy_in(unsigned tag, uint8_t *dst, const struct vif_grant *src, uint32_t len);
void grant_copy_out(unsigned tag, const struct vif_grant *dst, const uint8_t *src, uint32_t len);
void grant_copy_across(unsigned tag, const struct vif_grant *dst, const struct vif_grant *src, uint32_t len);
struct grant_result grant_flush(void);

/*
 * The same frames for a receiver that needs bytes to look at: those that are not mapped are replaced by copies, valid
 * until the worker's next call. One that cannot be had is marked as failed and replaced by a frame of length 0. Returns
 * `frames` itself, or room[0..n).
 */
struct vif_frame *const *grant_copy_local(struct vif_frame *const *frames, unsigned n, struct vif_frame **room);

/* At once, for any thread: 0 or -EFAULT. */
int grant_read(void *dst, const struct vif_grant *src, uint32_t len);
int grant_write(const struct vif_grant *dst, const void *src, uint32_t len);

#endif
