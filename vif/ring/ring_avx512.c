/* SPDX-License-Identifier: BSD-3-Clause */
/* ring_path.h for processors with AVX-512. */
#pragma GCC target("arch=x86-64-v4")
#define RING_WIDTH(name) name##_avx512
#include "ring_path.h"
