/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A front end of vhost-user for tests: memory, rings and messages, well made or not. The back-end runs in the same thread:
 * front_turn() gives it turns of its loop.
 */
#ifndef XBAR_TEST_VHOST_FRONT_H
#define XBAR_TEST_VHOST_FRONT_H

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vif/vhost/message.h"

#define FRONT_GPA 0x40000000ULL
#define FRONT_USER 0x7f0000000000ULL
#define FRONT_MEM (1 << 20)
#define FRONT_RING 0x1000 /* bytes from ring to ring */
#define FRONT_SIZE 16 /* entries */
#define FRONT_BUFS 0x80000 /* where buffers begin */
#define FRONT_RINGS 5

enum {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	RESET_OWNER = 4,
	SET_MEM_TABLE = 5,
	SET_LOG_BASE = 6,
	SET_LOG_FD = 7,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	SET_VRING_ERR = 14,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	GET_QUEUE_NUM = 17,
	SET_VRING_ENABLE = 18,
	SEND_RARP = 19,
	NET_SET_MTU = 20,
	SET_BACKEND_REQ_FD = 21,
	SET_VRING_ENDIAN = 23,
	GET_CONFIG = 24,
	SET_CONFIG = 25,
	RESET_DEVICE = 34,
	GET_MAX_MEM_SLOTS = 36,
	ADD_MEM_REG = 37,
	REM_MEM_REG = 38,
	SET_STATUS = 39,
	GET_STATUS = 40,
};

#define NEED_REPLY 8u

struct front {
	struct event_base *loop;
	int sock, memfd;
	uint8_t *mem;
	int kick[FRONT_RINGS], call[FRONT_RINGS];
	uint64_t features; /* that it wants; all that is offered of them is acknowledged */
};

static inline void front_turn(struct front *f)
{
	for (int i = 0; i < 4; i++)
		event_base_loop(f->loop, EVLOOP_NONBLOCK);
}

static inline void front_connect(struct front *f, const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
	f->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(f->sock, (struct sockaddr *)&addr, sizeof(addr)))
		abort();
	front_turn(f);
}

static inline void front_init(struct front *f, struct event_base *loop)
{
	*f = (struct front){.loop = loop, .sock = -1};
	f->memfd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (f->memfd < 0 || ftruncate(f->memfd, FRONT_MEM))
		abort();
	f->mem = mmap(NULL, FRONT_MEM, PROT_READ | PROT_WRITE, MAP_SHARED, f->memfd, 0);
	if (f->mem == MAP_FAILED)
		abort();
	for (int i = 0; i < FRONT_RINGS; i++) {
		f->kick[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		f->call[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	f->features =
		1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_NET_F_MRG_RXBUF | 1ULL << VHOST_USER_F_PROTOCOL_FEATURES;
}

static inline void front_hang_up(struct front *f)
{
	if (f->sock >= 0)
		close(f->sock);
	f->sock = -1;
	front_turn(f);
}

static inline void front_fini(struct front *f)
{
	front_hang_up(f);
	munmap(f->mem, FRONT_MEM);
	close(f->memfd);
	for (int i = 0; i < FRONT_RINGS; i++) {
		close(f->kick[i]);
		close(f->call[i]);
	}
}

/* Send bytes with descriptors; whether all were taken. */
static inline bool front_send(const struct front *f, const void *bytes, size_t len, const int *fd, unsigned nfd)
{
	char control[CMSG_SPACE(64 * sizeof(int))] = {0};
	struct iovec iov = {(void *)(uintptr_t)bytes, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (nfd) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(nfd * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfd * sizeof(int));
		memcpy(CMSG_DATA(c), fd, nfd * sizeof(int));
	}
	return sendmsg(f->sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

/* Send a message, its payload and size set by the caller, and let it be served. */
static inline bool front_message(struct front *f, uint32_t request, struct message *m, uint32_t size, int fd)
{
	m->request = request;
	m->flags = 1 | (m->flags & NEED_REPLY);
	m->size = size;
	bool sent = front_send(f, m, MESSAGE_HEADER + size, &fd, fd >= 0);
	front_turn(f);
	return sent;
}

static inline bool front_u64(struct front *f, uint32_t request, uint64_t value, int fd)
{
	struct message m = {.u64 = value};

	return front_message(f, request, &m, 8, fd);
}

static inline bool front_state(struct front *f, uint32_t request, uint32_t index, uint32_t num)
{
	struct message m = {.state = {index, num}};

	return front_message(f, request, &m, 8, -1);
}

/* The next reply. false: there is none. */
static inline bool front_reply(struct front *f, struct message *m)
{
	front_turn(f);
	if (recv(f->sock, m, MESSAGE_HEADER, MSG_DONTWAIT) != MESSAGE_HEADER)
		return false;
	return recv(f->sock, (uint8_t *)m + MESSAGE_HEADER, m->size, MSG_DONTWAIT) == (ssize_t)m->size;
}

static inline bool front_ask(struct front *f, uint32_t request, struct message *m, uint32_t size)
{
	return front_message(f, request, m, size, -1) && front_reply(f, m) && m->request == request && m->flags == 5;
}

/* Whether the back-end has hung up. */
static inline bool front_is_out(struct front *f)
{
	char byte;

	front_turn(f);
	ssize_t n = recv(f->sock, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
	return n == 0 || (n < 0 && errno != EAGAIN);
}

static inline void front_negotiate(struct front *f, uint64_t protocol)
{
	struct message m = {0};

	front_message(f, SET_OWNER, &m, 0, -1);
	if (!front_ask(f, GET_FEATURES, &m, 0))
		abort();
	f->features &= m.u64;
	front_u64(f, SET_PROTOCOL_FEATURES, protocol, -1);
	front_u64(f, SET_FEATURES, f->features, -1);
}

static inline void front_memory(struct front *f)
{
	struct message m = {.table = {.n = 1, .region = {{FRONT_GPA, FRONT_MEM, FRONT_USER, 0}}}};

	front_message(f, SET_MEM_TABLE, &m, 40, f->memfd);
}

static inline struct vring_desc *front_desc(struct front *f, unsigned index)
{
	return (struct vring_desc *)(f->mem + index * FRONT_RING);
}

static inline struct vring_avail *front_avail(struct front *f, unsigned index)
{
	return (struct vring_avail *)(f->mem + index * FRONT_RING + 0x400);
}

static inline struct vring_used *front_used(struct front *f, unsigned index)
{
	return (struct vring_used *)(f->mem + index * FRONT_RING + 0x800);
}

static inline void front_address(struct front *f, unsigned index)
{
	const uint64_t at = FRONT_USER + index * FRONT_RING;
	struct message m = {.addr = {.index = index, .desc = at, .avail = at + 0x400, .used = at + 0x800}};

	front_message(f, SET_VRING_ADDR, &m, 40, -1);
}

static inline void front_ring(struct front *f, unsigned index)
{
	front_state(f, SET_VRING_NUM, index, FRONT_SIZE);
	front_state(f, SET_VRING_BASE, index, front_used(f, index)->idx);
	front_address(f, index);
	front_u64(f, SET_VRING_CALL, index, f->call[index]);
	front_u64(f, SET_VRING_KICK, index, f->kick[index]);
}

static inline void front_enable(struct front *f, unsigned index)
{
	front_state(f, SET_VRING_ENABLE, index, 1);
}

/* All of the above, for one queue pair. */
static inline void front_start(struct front *f, const char *path)
{
	front_connect(f, path);
	front_negotiate(f, 1 << 0 | 1 << 3 | 1 << 13 | 1 << 15 | 1 << 16);
	front_memory(f);
	for (unsigned i = 0; i < 2; i++) {
		front_ring(f, i);
		front_enable(f, i);
	}
}

/* Make buffer `n` of `len` bytes available on a ring. */
static inline void front_offer(struct front *f, unsigned index, uint16_t n, uint32_t len)
{
	struct vring_avail *avail = front_avail(f, index);

	front_desc(f, index)[n] = (struct vring_desc){.addr = FRONT_GPA + FRONT_BUFS + (index * FRONT_SIZE + n) * 2048u,
						      .len = len,
						      .flags = index % 2 ? 0 : VRING_DESC_F_WRITE};
	avail->ring[avail->idx % FRONT_SIZE] = n;
	__atomic_store_n(&avail->idx, avail->idx + 1, __ATOMIC_RELEASE);
}

#endif
