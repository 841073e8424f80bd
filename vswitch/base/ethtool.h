/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a netdev coalesces received frames (GRO, LRO). A switch that reads from it needs them as they were on the wire.
 * There is no rtnetlink request for this.
 *
 * Threads: any. Errors: 0 or -errno with a sentence.
 */
#ifndef XBAR_ETHTOOL_H
#define XBAR_ETHTOOL_H

#include "err.h"

#define ETHTOOL_GRO (1 << 0)
#define ETHTOOL_LRO (1 << 1)

/* Those of ETHTOOL_GRO and ETHTOOL_LRO that are on at `name`; 0 also if there is no such netdev. */
int ethtool_rx_coalescing(const char *name);
/* Turn on those of `kinds`, and the others off. -ENODEV: the netdev is gone. */
int ethtool_set_rx_coalescing(const char *name, int kinds, struct err *err);

#endif
