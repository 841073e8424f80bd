/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port in memory: frames are pushed in by mem_send() and come out of mem_receive(). The far side is the caller, and may be as slow, small or poor in offloads as it likes.
 *
 * Threads. Any thread may send and receive: a mutex guards both queues, which makes the port no measure of speed.
 */
#ifndef XBAR_TESTS_MEM_PORT_H
#define XBAR_TESTS_MEM_PORT_H

#include "vif/vif.h"

struct mem_opts {
	uint16_t caps; /* VIF_CAP_*: what the far side takes */
	uint32_t mtu; /* 0: any */
	unsigned depth; /* frames that each direction holds; 0: 256. A full receiver takes no more */
};

/* As vhost_open. 0 or -errno. */
int mem_open(const struct vif_port *base, const struct mem_opts *opts, struct vif_port **out);
/* Send a copy of the frame into the switch. false: the queue is full. */
bool mem_send(struct vif_port *port, const uint8_t *frame, uint32_t len, const struct vif_offload *off);
/* The next frame delivered: its bytes to buf (VIF_FRAME_MAX), its metadata to *off. Its length, or 0: none is there. */
uint32_t mem_receive(struct vif_port *port, uint8_t *buf, struct vif_offload *off);

#endif
