/* SPDX-License-Identifier: BSD-3-Clause */
/* ring_path.h for processors with AVX-512; the Makefile has the flags. */
#define RING_WIDTH(name) name##_avx512
#include "ring_path.h"
