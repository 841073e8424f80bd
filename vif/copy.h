/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies into the receiver's memory. Stores never go outside [dst, dst + n): the receiver's buffer may end where its
 * memory ends.
 */
#ifndef XBAR_COPY_H
#define XBAR_COPY_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

/* Vectors as wide as the processor has that is compiled for: ring_path.h is compiled for several. */
typedef uint8_t copy_v16 __attribute__((vector_size(16), aligned(1), may_alias));

static inline void copy16(uint8_t *dst, const uint8_t *src)
{
	*(copy_v16 *)dst = *(const copy_v16 *)src;
}

#ifdef __AVX__
typedef uint8_t copy_v32 __attribute__((vector_size(32), aligned(1), may_alias));

static inline void copy32(uint8_t *dst, const uint8_t *src)
{
	*(copy_v32 *)dst = *(const copy_v32 *)src;
}
#else
static inline void copy32(uint8_t *dst, const uint8_t *src)
{
	copy_v16 a = *(const copy_v16 *)src, b = *(const copy_v16 *)(src + 16);

	*(copy_v16 *)dst = a;
	*(copy_v16 *)(dst + 16) = b;
}
#endif

#ifdef __AVX512F__
typedef uint8_t copy_v64 __attribute__((vector_size(64), aligned(1), may_alias));

static inline void copy64(uint8_t *dst, const uint8_t *src)
{
	*(copy_v64 *)dst = *(const copy_v64 *)src;
}
#else
static inline void copy64(uint8_t *dst, const uint8_t *src)
{
	copy32(dst, src);
	copy32(dst + 32, src + 32);
}
#endif

/* Prefetch the line at `p` to be written. Encoded by hand: every x86-64 accepts it, some as a no-op. */
static inline void copy_prefetchw(const uint8_t *p)
{
	__asm__ volatile("prefetchw %0" : : "m"(*p));
}

/* n <= 128. Each byte of src is read once into dst (tails overlap: some are read and written twice). */
static inline void copy_head(uint8_t *dst, const uint8_t *src, unsigned n)
{
	if (n >= 64) {
		copy64(dst, src);
		if (n > 64)
			copy64(dst + n - 64, src + n - 64);
	} else if (n >= 32) {
		copy32(dst, src);
		copy32(dst + n - 32, src + n - 32);
	} else if (n >= 16) {
		copy16(dst, src);
		copy16(dst + n - 16, src + n - 16);
	} else {
		memcpy(dst, src, n);
	}
}

/* The same of 128 bytes. */
static inline void copy_whole_head(uint8_t *dst, const uint8_t *src)
{
	copy64(dst, src);
	copy64(dst + 64, src + 64);
}

/* ---- long copies: through the cache, or around it (copy.c) ------------------------------------------------------- */

#define COPY_LONG 1024 /* bytes, at least */

enum copy_way { COPY_THROUGH, COPY_AROUND };
extern __thread enum copy_way copy_way; /* of this thread's burst, between copy_begin() and copy_end() */

uint64_t copy_choose(uint32_t len);
void copy_record(uint32_t len, uint64_t start, uint64_t bytes);

/* Begin with a burst of frames of about `len` bytes, and choose the way for it. Returns what copy_end() wants. */
static inline uint64_t copy_begin(uint32_t len)
{
	if (len >= COPY_LONG)
		return copy_choose(len);
	copy_way = COPY_THROUGH;
	return 0;
}

/* All `bytes` of it have been copied: they are ordered before the stores that follow. */
static inline void copy_end(uint32_t len, uint64_t start, uint64_t bytes)
{
	if (start)
		copy_record(len, start, bytes);
}

/* A line of memory at `dst`, not by the cache. */
static inline void copy_line_around(uint8_t *dst, const uint8_t *src)
{
#ifdef __AVX512F__
	_mm512_stream_si512((__m512i *)dst, _mm512_loadu_si512(src));
#else
	for (unsigned i = 0; i < 64; i += 16)
		_mm_stream_si128((__m128i *)(dst + i), _mm_loadu_si128((const __m128i *)(src + i)));
#endif
}

static inline void copy_around(uint8_t *dst, const uint8_t *src, uint32_t n)
{
	uint32_t head = -(uintptr_t)dst & 63;

	memcpy(dst, src, head);
	for (dst += head, src += head, n -= head; n >= 64; dst += 64, src += 64, n -= 64)
		copy_line_around(dst, src);
	memcpy(dst, src, n);
}

static inline void copy_bytes(uint8_t *dst, const uint8_t *src, uint32_t n)
{
	if (__builtin_expect(copy_way == COPY_AROUND, 0) && n >= COPY_LONG)
		copy_around(dst, src, n);
	else
		memcpy(dst, src, n);
}

#endif
