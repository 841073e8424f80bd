/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control queue of a virtio-net device (virtio 1.2, 5.1.6.5), for guests whose driver speaks to us directly (User-Mode
 * Linux). QEMU keeps it to itself. How many queue pairs the driver uses is heard; a switch that gives a guest what is
 * addressed to it has no use for the rest, which is accepted as far as it was offered.
 *
 * Threads. The control thread's. Errors. A ring that breaks the rules gets ring->broken.
 */
#ifndef XBAR_VHOST_CTRLQ_H
#define XBAR_VHOST_CTRLQ_H

#include "vif/ring/ring.h"

#define CTRLQ_COMMANDS 16 /* that one call does */

/* Do what waits, up to CTRLQ_COMMANDS. *pairs is set if the driver asks for 1..max of them. true: the guest was answered. */
bool ctrlq_serve(struct ring *ring, unsigned max, unsigned *pairs);

#endif
