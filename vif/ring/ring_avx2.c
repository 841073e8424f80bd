/* SPDX-License-Identifier: BSD-3-Clause */
/* ring_path.h for processors with AVX2. */
#pragma GCC target("arch=x86-64-v3")
#define RING_WIDTH(name) name##_avx2
#include "ring_path.h"
