/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A grant table in ordinary memory, for tests of what is built on grants. The real one is tested on a real hypervisor
 * (tests/xen). It checks what the hypervisor would: that a copy's grants are there, and end where their pages end.
 */
#ifndef XBAR_TESTS_GRANT_MEM_H
#define XBAR_TESTS_GRANT_MEM_H

#include <stdlib.h>
#include <string.h>

#include "vif/grant.h"

#define GRANT_MEM_PAGES 1024

struct grant_mem {
	uint8_t *page[GRANT_MEM_PAGES]; /* by reference; NULL: not granted */
	bool readonly[GRANT_MEM_PAGES];
	uint16_t domid; /* whose they all are */
	unsigned calls, ops, mapped;
	bool fail; /* the next calls fail as a whole */
};

/* A page of zeroes, for free(3). */
static inline void *grant_mem_page(void)
{
	void *page = aligned_alloc(GRANT_PAGE, GRANT_PAGE);

	if (!page)
		abort();
	return memset(page, 0, GRANT_PAGE);
}

/* Grant pages of zeroes as `n` references from `first` on. */
static inline void grant_mem_grant(struct grant_mem *mem, uint32_t first, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		mem->page[first + i] = grant_mem_page();
}

/* Free all pages that are granted. */
static inline void grant_mem_free(struct grant_mem *mem)
{
	for (unsigned i = 0; i < GRANT_MEM_PAGES; i++)
		free(mem->page[i]);
}

static uint8_t *grant_mem_at(const struct grant_mem *mem, uint32_t ref, uint16_t domid, uint16_t offset, uint16_t len)
{
	if (ref >= GRANT_MEM_PAGES || !mem->page[ref] || domid != mem->domid)
		return NULL;
	if (offset + (uint32_t)len > GRANT_PAGE)
		abort(); /* the code under test must see to that itself */
	return mem->page[ref] + offset;
}

static int grant_mem_copy(void *ctx, uint32_t n, xengnttab_grant_copy_segment_t *op)
{
	struct grant_mem *mem = ctx;

	mem->calls++;
	if (mem->fail)
		return -1;
	for (uint32_t i = 0; i < n; i++, op++) {
		const uint8_t *src = op->source.virt;
		uint8_t *dst = op->dest.virt;

		mem->ops++;
		op->status = GNTST_bad_gntref;
		if (op->flags & GNTCOPY_source_gref)
			src = grant_mem_at(mem, op->source.foreign.ref, op->source.foreign.domid,
					   op->source.foreign.offset, op->len);
		if (op->flags & GNTCOPY_dest_gref) {
			dst = grant_mem_at(mem, op->dest.foreign.ref, op->dest.foreign.domid, op->dest.foreign.offset,
					   op->len);
			if (dst && mem->readonly[op->dest.foreign.ref])
				dst = NULL;
		}
		if (!src || !dst)
			continue;
		memmove(dst, src, op->len);
		op->status = GNTST_okay;
	}
	return 0;
}

static void *grant_mem_map(void *ctx, uint32_t domid, uint32_t gref, bool writable)
{
	struct grant_mem *mem = ctx;
	uint8_t *page = grant_mem_at(mem, gref, domid, 0, 0);

	if (!page || (writable && mem->readonly[gref]))
		return NULL;
	mem->mapped++;
	return page;
}

static void grant_mem_unmap(void *ctx, void *page)
{
	struct grant_mem *mem = ctx;

	(void)page;
	mem->mapped--;
}

static inline void grant_mem_use(struct grant_mem *mem)
{
	static const struct grant_ops ops = {grant_mem_copy, grant_mem_map, grant_mem_unmap};

	if (grant_use(&ops, mem))
		abort();
}

#endif
