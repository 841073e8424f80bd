/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a netdev coalesces received frames (GRO, LRO): a switch that reads it wants them as they were on the wire. There
 * is no rtnetlink request for this.
 *
 * Threads: any. Errors: 0 or -errno with a sentence.
 */
#ifndef XBAR_ETHTOOL_H
#define XBAR_ETHTOOL_H

#include "err.h"

#define ETHTOOL_GRO (1 << 0)
#define ETHTOOL_LRO (1 << 1)

/* Which of the two `name` does; 0 also where there is no such netdev, or it has neither. */
int ethtool_rx_coalescing(const char *name);
/* Switch on those of `kinds`, and the others off. -ENODEV where the netdev is gone. */
int ethtool_set_rx_coalescing(const char *name, int kinds, struct err *err);

#endif
