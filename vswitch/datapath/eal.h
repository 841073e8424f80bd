/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK's environment layer: its arguments are made here, and users never see one.
 *
 * Errors. 0 or -errno with *err. Threads: the control thread, once.
 */
#ifndef XBAR_EAL_H
#define XBAR_EAL_H

#include <stdbool.h>

#include "vswitch/base/err.h"

/* Start the EAL, with hugepages if there are enough of them and `no_huge` is not set. */
int eal_open(bool no_huge, struct err *err);
void eal_close(void);
bool eal_hugepages(void);

#endif
