/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies into the receiver's memory. Stores never go outside [dst, dst + n): the receiver's buffer may end where its
 * memory ends.
 */
#ifndef XBAR_COPY_H
#define XBAR_COPY_H

#include <emmintrin.h>
#include <stdint.h>
#include <string.h>

static inline void copy16(uint8_t *dst, const uint8_t *src)
{
	_mm_storeu_si128((__m128i *)dst, _mm_loadu_si128((const __m128i *)src));
}

static inline void copy64(uint8_t *dst, const uint8_t *src)
{
	__m128i a = _mm_loadu_si128((const __m128i *)src), b = _mm_loadu_si128((const __m128i *)(src + 16));
	__m128i c = _mm_loadu_si128((const __m128i *)(src + 32)), d = _mm_loadu_si128((const __m128i *)(src + 48));

	_mm_storeu_si128((__m128i *)dst, a);
	_mm_storeu_si128((__m128i *)(dst + 16), b);
	_mm_storeu_si128((__m128i *)(dst + 32), c);
	_mm_storeu_si128((__m128i *)(dst + 48), d);
}

/* Bring the line at `p` here, to be written. Encoded by hand: all of x86-64 has it, as a no-op where it has no effect. */
static inline void copy_expect(const uint8_t *p)
{
	__asm__ volatile("prefetchw %0" : : "m"(*p));
}

/* n <= 128. Each byte of src is read once into dst (tails overlap: some are read and written twice). */
static inline void copy_snap(uint8_t *dst, const uint8_t *src, unsigned n)
{
	if (n >= 64) {
		copy64(dst, src);
		if (n > 64)
			copy64(dst + n - 64, src + n - 64);
	} else if (n >= 32) {
		copy16(dst, src);
		copy16(dst + 16, src + 16);
		copy16(dst + n - 32, src + n - 32);
		copy16(dst + n - 16, src + n - 16);
	} else if (n >= 16) {
		copy16(dst, src);
		copy16(dst + n - 16, src + n - 16);
	} else {
		memcpy(dst, src, n);
	}
}

/* At least COPY_LONG bytes, in the way that costs less just now (copy.c), ordered before the stores that follow. */
#define COPY_LONG 1024
void copy_long(uint8_t *dst, const uint8_t *src, uint32_t n);

static inline void copy_bytes(uint8_t *dst, const uint8_t *src, uint32_t n)
{
	if (n >= COPY_LONG)
		copy_long(dst, src, n);
	else
		memcpy(dst, src, n);
}

#endif
