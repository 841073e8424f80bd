/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The messages of vhost-user (QEMU's docs/interop/vhost-user.rst, "Communication"): one table of what is understood, with
 * the size, the descriptors and the negotiation that each needs. What is not in it, or not as it says, is refused, and the
 * connection is ended.
 *
 * Threads. The control thread's.
 */
#ifndef XBAR_VHOST_MESSAGE_H
#define XBAR_VHOST_MESSAGE_H

#include "device.h"

#define MESSAGE_FDS 8 /* that one message can carry */
#define MESSAGE_TABLE 8 /* regions in a memory table */
#define MESSAGE_CONFIG 256 /* bytes of configuration space */
#define MESSAGE_HEADER 12 /* bytes before the payload */

struct message_region {
	uint64_t gpa, size, user, offset;
};

struct message {
	uint32_t request, flags;
	uint32_t size; /* of the payload */
	union {
		uint64_t u64;
		struct {
			uint32_t index, num;
		} state;
		struct {
			uint32_t index, flags;
			uint64_t desc, used, avail, log;
		} addr;
		struct {
			uint64_t size, offset;
		} log;
		struct {
			uint32_t n, padding;
			struct message_region region[MESSAGE_TABLE];
		} table;
		struct {
			uint64_t padding;
			struct message_region region;
		} slot;
		struct {
			uint32_t offset, size, flags;
			uint8_t bytes[MESSAGE_CONFIG];
		} config;
	};
} __attribute__((packed));

struct message_fds {
	unsigned n;
	int fd[MESSAGE_FDS];
};

/* "SET_FEATURES", or "message 99". Valid until the next call. */
const char *message_name(uint32_t request);
/* Whether the payload that a header announces can be read at all. false: *err says why. */
bool message_header_ok(const struct message *m, struct err *err);
/*
 * Do what the message asks, and close what is left of `fds`. Returns 1: `m` is the reply, to be sent; 0: there is none;
 * or -errno: the connection has to end, for the reason in *err, after `m` has been sent if *reply is set.
 */
int message_handle(struct device *device, struct message *m, struct message_fds *fds, bool *reply, struct err *err);

#endif
