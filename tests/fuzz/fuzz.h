/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every fuzz target defines and replay.c or libFuzzer calls. A target aborts on what must not be, keeps nothing
 * from one input to the next, and returns 0.
 */
#ifndef XBAR_FUZZ_H
#define XBAR_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
