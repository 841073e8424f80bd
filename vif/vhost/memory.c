/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation. The signal handler knows an address only, and may run in any thread at any time: it looks through
 * slots, which are never freed, only used again. A slot is taken by its `port` being set last and given back by its being
 * cleared first; the handler reads that before and after the bounds.
 */
#include "memory.h"

#include <errno.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define XFS_MAGIC 0x58465342
#define CHUNK 256

struct mapping {
	struct vif_port *port; /* NULL: the slot is free */
	uintptr_t start, end;
	bool truncated;
};

struct chunk {
	struct mapping slot[CHUNK];
	struct chunk *next;
};

static struct chunk *chunks; /* of the process, as its signal handler is */

/* ---- SIGBUS ------------------------------------------------------------------------------------------------------ */

/* The mapping that holds `at`. Async-signal-safe. */
static struct mapping *find(uintptr_t at)
{
	for (struct chunk *c = __atomic_load_n(&chunks, __ATOMIC_ACQUIRE); c; c = c->next)
		for (unsigned i = 0; i < CHUNK; i++) {
			struct mapping *m = &c->slot[i];
			struct vif_port *port = __atomic_load_n(&m->port, __ATOMIC_ACQUIRE);
			uintptr_t start = __atomic_load_n(&m->start, __ATOMIC_RELAXED);
			uintptr_t end = __atomic_load_n(&m->end, __ATOMIC_RELAXED);

			__atomic_thread_fence(__ATOMIC_ACQUIRE);
			if (port && at >= start && at < end && __atomic_load_n(&m->port, __ATOMIC_RELAXED) == port)
				return m;
		}
	return NULL;
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	struct mapping *m = NULL;
	const int saved = errno;

	(void)context;
	if (info->si_code == BUS_ADRERR || info->si_code == BUS_MCEERR_AR)
		m = find((uintptr_t)info->si_addr);
	/* zeroes in the place of what is gone: the access goes on, and the port is done for */
	if (m && mmap((void *)m->start, m->end - m->start, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED) {
		__atomic_store_n(&m->truncated, true, __ATOMIC_RELEASE);
		vif_quarantine(m->port, info->si_code == BUS_ADRERR
						? "the guest truncated the memory that it shares"
						: "memory of the guest has failed (an uncorrected hardware error)");
		errno = saved;
		return;
	}
	signal(sig, SIG_DFL);
	if (info->si_code <= 0) /* sent by a process: there is no access that would raise it again */
		raise(sig);
}

int memory_catch_sigbus(void)
{
	struct sigaction act = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigemptyset(&act.sa_mask);
	return sigaction(SIGBUS, &act, NULL) ? -errno : 0;
}

/* ---- mappings ---------------------------------------------------------------------------------------------------- */

static struct mapping *mapping_take(struct vif_port *port, void *start, size_t len)
{
	struct mapping *m = NULL;

	for (struct chunk *c = chunks; c && !m; c = c->next)
		for (unsigned i = 0; i < CHUNK && !m; i++)
			if (!c->slot[i].port)
				m = &c->slot[i];
	if (!m) {
		struct chunk *c = calloc(1, sizeof(*c));

		if (!c)
			return NULL;
		c->next = chunks;
		__atomic_store_n(&chunks, c, __ATOMIC_RELEASE);
		m = &c->slot[0];
	}
	m->truncated = false;
	__atomic_store_n(&m->start, (uintptr_t)start, __ATOMIC_RELAXED);
	__atomic_store_n(&m->end, (uintptr_t)start + len, __ATOMIC_RELAXED);
	__atomic_store_n(&m->port, port, __ATOMIC_RELEASE);
	return m;
}

static void mapping_drop(struct mapping *m)
{
	munmap((void *)m->start, m->end - m->start);
	__atomic_store_n(&m->port, NULL, __ATOMIC_RELEASE);
}

/* Whether the kernel alone provides the pages of files on such a file system. */
static bool is_local(const struct statfs *fs)
{
	switch ((unsigned long)fs->f_type) {
	case TMPFS_MAGIC: /* memfd and /dev/shm */
	case HUGETLBFS_MAGIC:
	case RAMFS_MAGIC:
	case EXT4_SUPER_MAGIC: /* ext2 and ext3 as well */
	case XFS_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

/* What one mapping of the file has to be a multiple of; 0: the file cannot be mapped, and *err says why. */
static uint64_t granule(int fd, uint64_t end, struct err *err)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) || fstatfs(fd, &fs)) {
		err_set(err, -errno, "the file of its memory cannot be looked at");
		return 0;
	}
	if (!S_ISREG(st.st_mode) || !is_local(&fs)) {
		err_set(err, -EINVAL,
			"its memory is no file of this host's kernel (file system type 0x%lx): give the guest "
			"memory by memory-backend-memfd, or a file on a tmpfs or hugetlbfs",
			(unsigned long)fs.f_type);
		return 0;
	}
	if (end > (uint64_t)st.st_size) {
		err_set(err, -EINVAL, "a memory region ends at byte %llu of a file of %llu bytes",
			(unsigned long long)end, (unsigned long long)st.st_size);
		return 0;
	}
	return (unsigned long)fs.f_type == HUGETLBFS_MAGIC ? (uint64_t)fs.f_bsize : (uint64_t)getpagesize();
}

static bool overlaps(uint64_t a, uint64_t b, uint64_t size_a, uint64_t size_b)
{
	return a < b ? b - a < size_a : a - b < size_b;
}

/* Bytes that a front end may share. */
static uint64_t limit(void)
{
	const uint64_t host = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)getpagesize();

	return MEMORY_TIMES * (host > MEMORY_LEAST ? host : MEMORY_LEAST);
}

static int check(const struct memory *memory, uint64_t gpa, uint64_t size, uint64_t user, uint64_t offset,
		 struct err *err)
{
	uint64_t total = 0;

	if (memory->n == RING_REGIONS)
		return err_set(err, -ENOSPC, "more than %d memory regions", RING_REGIONS);
	if (!size || size > INT64_MAX || gpa + size < gpa || user + size < user || offset > INT64_MAX - size)
		return err_set(err, -EINVAL, "a memory region of %llu bytes that cannot be", (unsigned long long)size);
	for (unsigned i = 0; i < memory->n; i++) {
		const struct memory_region *r = &memory->region[i];

		total += r->size;
		if (overlaps(gpa, r->gpa, size, r->size) || overlaps(user, r->user, size, r->size))
			return err_set(err, -EINVAL, "memory regions overlap");
	}
	if (size > limit() - total)
		return err_set(err, -ENOMEM, "more memory than %d times the host's own", MEMORY_TIMES);
	return 0;
}

/* Map `size` bytes at `offset` of the file. *va is where they are. */
static int map(struct vif_port *port, uint64_t size, uint64_t offset, int fd, struct mapping **out, uint8_t **va,
	       struct err *err)
{
	const uint64_t unit = granule(fd, offset + size, err);

	if (!unit)
		return -EINVAL;
	const uint64_t first = offset & ~(unit - 1), last = (offset + size + unit - 1) & ~(unit - 1);
	uint8_t *start = mmap(NULL, last - first, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, (off_t)first);
	if (start == MAP_FAILED)
		return err_set(err, -errno, "a memory region of %llu bytes cannot be mapped: %s",
			       (unsigned long long)size,
			       errno == EACCES || errno == EPERM ? "its file is not open for reading and writing"
			       : errno == ENOMEM ? "no memory, or too many mappings (sysctl vm.max_map_count)"
						 : "the kernel refuses");
	/* a core of the daemon is for its developer, who has no business in guests' memory */
	madvise(start, last - first, MADV_DONTDUMP);
	*out = mapping_take(port, start, last - first);
	if (!*out) {
		munmap(start, last - first);
		return err_nomem(err);
	}
	*va = start + (offset - first);
	return 0;
}

int memory_add(struct memory *memory, uint64_t gpa, uint64_t size, uint64_t user, uint64_t offset, int fd,
	       struct err *err)
{
	struct memory_region region = {.gpa = gpa, .size = size, .user = user};
	int r = check(memory, gpa, size, user, offset, err);

	if (!r)
		r = map(memory->port, size, offset, fd, &region.mapping, &region.va, err);
	if (!r)
		memory->region[memory->n++] = region;
	return r;
}

int memory_remove(struct memory *memory, uint64_t gpa, uint64_t size, uint64_t user, struct err *err)
{
	for (unsigned i = 0; i < memory->n; i++) {
		struct memory_region *r = &memory->region[i];

		if (r->gpa != gpa || r->size != size || r->user != user)
			continue;
		mapping_drop(r->mapping);
		*r = memory->region[--memory->n];
		return 0;
	}
	return err_set(err, -ENOENT, "a memory region is to be removed that was never added");
}

void memory_clear(struct memory *memory)
{
	while (memory->n)
		mapping_drop(memory->region[--memory->n].mapping);
}

void memory_log_clear(struct memory *memory)
{
	if (memory->log.bits)
		mapping_drop(memory->log_mapping);
	memory->log = (struct ring_log){0};
}

int memory_log(struct memory *memory, uint64_t size, uint64_t offset, int fd, struct err *err)
{
	struct mapping *mapping;
	uint8_t *bits;
	int r;

	if (!size || size > MEMORY_LOG_MAX || offset > INT64_MAX - size)
		return err_set(err, -EINVAL, "a dirty log of %llu bytes", (unsigned long long)size);
	r = map(memory->port, size, offset, fd, &mapping, &bits, err);
	if (r)
		return r;
	memory_log_clear(memory);
	memory->log = (struct ring_log){.bits = bits, .pages = 8 * size};
	memory->log_mapping = mapping;
	return 0;
}

/* ---- translation ------------------------------------------------------------------------------------------------- */

void *memory_user(const struct memory *memory, uint64_t user, uint64_t len)
{
	for (unsigned i = 0; i < memory->n; i++) {
		const struct memory_region *r = &memory->region[i];

		if (user - r->user < r->size && len <= r->size - (user - r->user))
			return r->va + (user - r->user);
	}
	return NULL;
}

void memory_table(const struct memory *memory, struct ring_mem *table)
{
	table->n = memory->n;
	for (unsigned i = 0; i < memory->n; i++) {
		const struct memory_region *r = &memory->region[i];

		table->region[i] = (struct ring_region){r->gpa, r->size, r->va};
	}
}

bool memory_is_truncated(const struct memory *memory)
{
	for (unsigned i = 0; i < memory->n; i++)
		if (__atomic_load_n(&memory->region[i].mapping->truncated, __ATOMIC_ACQUIRE))
			return true;
	return memory->log.bits && __atomic_load_n(&memory->log_mapping->truncated, __ATOMIC_ACQUIRE);
}
