/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory that a front end shares: its regions, mapped into the daemon.
 *
 * Model. A region is a piece of guest-physical memory that lies in a file of the front end's. It is checked and mapped by
 * memory_add(), and stays mapped until memory_remove() or memory_clear(); the file's descriptor is the caller's, and not
 * needed after that. The dirty log of a migration (ring.h) is a file of the front end's as well. A ring's address is translated from the front end's own address space, a buffer's from the guest's
 * (ring.h).
 *
 * Safety. Only files whose pages the kernel itself provides are mapped: a file system that is served by a program (FUSE),
 * or by another host, could make who touches a page wait for ever. A front end can shrink its file at any time: the
 * access that finds out raises SIGBUS, is given zeroes, and the port is quarantined. That holds from the mapping on. No
 * front end takes the daemon's address space away from others: it may share MEMORY_TIMES what the host has.
 *
 * Threads. The control thread's; the mappings are read and written by workers that were shown them. Take the regions out
 * of the workers' view before they are removed.
 *
 * Errors. 0 or -errno with a sentence in *err; nothing has changed then.
 */
#ifndef XBAR_VHOST_MEMORY_H
#define XBAR_VHOST_MEMORY_H

#include "vif/ring/ring.h"
#include "vswitch/base/err.h"

#define MEMORY_TIMES 8 /* of the host's own memory, or of MEMORY_LEAST if that is more */
#define MEMORY_LEAST (32ULL << 30)
#define MEMORY_LOG_MAX (1ULL << 30) /* bytes of dirty log: enough for guest-physical addresses up to 32 TiB */

struct memory_region {
	uint64_t gpa; /* in the guest's physical memory */
	uint64_t size; /* bytes */
	uint64_t user; /* in the front end's address space */
	uint8_t *va; /* in ours */
	struct mapping *mapping;
};

struct memory {
	struct vif_port *port; /* quarantined if the guest takes away what it shares */
	unsigned n;
	struct memory_region region[RING_REGIONS];
	struct ring_log log; /* bits NULL: none is shared */
	struct mapping *log_mapping;
};

/* Once, before the first port: SIGBUS on shared memory becomes a quarantine; any other SIGBUS stays fatal. 0 or -errno. */
int memory_catch_sigbus(void);

/* Map `size` bytes at `offset` of the file `fd`. */
int memory_add(struct memory *memory, uint64_t gpa, uint64_t size, uint64_t user, uint64_t offset, int fd,
	       struct err *err);
int memory_remove(struct memory *memory, uint64_t gpa, uint64_t size, uint64_t user, struct err *err);
void memory_clear(struct memory *memory);
/* Map the dirty log: `size` bytes at `offset` of the file `fd`. It takes the place of the one before. */
int memory_log(struct memory *memory, uint64_t size, uint64_t offset, int fd, struct err *err);
void memory_log_clear(struct memory *memory);

/* Our address of `len` bytes at `user` in the front end's address space; NULL unless they lie wholly in one region. */
void *memory_user(const struct memory *memory, uint64_t user, uint64_t len);
/* The table by which buffers are translated. */
void memory_table(const struct memory *memory, struct ring_mem *table);
/* Whether the guest has taken away memory that is still mapped. */
bool memory_is_truncated(const struct memory *memory);

#endif
