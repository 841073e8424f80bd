/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The cycles that a peer was busy, for others to read while it runs: eight bytes in a file that is mapped.
 */
#ifndef XBAR_BENCH_BUSY_H
#define XBAR_BENCH_BUSY_H

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Make the file. NULL with errno. */
static inline uint64_t *busy_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	void *p = MAP_FAILED;

	if (fd >= 0 && !ftruncate(fd, sizeof(uint64_t)))
		p = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	return p == MAP_FAILED ? NULL : p;
}

/* A turn of the loop has ended that began at *tsc: it counts where something moved. *tsc is when the next one began. */
static inline void busy_turn(uint64_t *busy, uint64_t *tsc, unsigned moved)
{
	uint64_t now = __builtin_ia32_rdtsc();

	if (moved)
		*busy += now - *tsc;
	*tsc = now;
}

#endif
