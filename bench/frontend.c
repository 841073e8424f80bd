/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages are as in the vhost-user specification, "Communication". The order is QEMU's: owner, features, memory,
 * rings, enable. Nothing answers the messages that set something, so a question at the end tells that all were read.
 */
#include "frontend.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define F(bit) (1ULL << (bit))
#define F_PROTOCOL_FEATURES 30
#define VERSION 1
#define FRESH_PACKED 0x80008000u /* both halves at slot 0, with their wrap counters at 1 */
#define ANSWER_MS 20000 /* a switch may make room for a port's frames before it answers */

enum {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	SET_VRING_ENABLE = 18,
};

struct message {
	uint32_t request, flags, size;
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
			uint32_t n, pad;
			uint64_t gpa, size, va, offset;
		} memory;
	};
} __attribute__((packed));

static int message_send(int sock, struct message *m, uint32_t request, uint32_t size, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {m, offsetof(struct message, u64) + size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	m->request = request;
	m->flags = VERSION;
	m->size = size;
	if (fd >= 0) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == (ssize_t)iov.iov_len ? 0 : -EPIPE;
}

static int message_ask(int sock, struct message *m, uint32_t request, uint32_t size)
{
	struct pollfd p = {.fd = sock, .events = POLLIN};
	int err = message_send(sock, m, request, size, -1);

	if (err)
		return err;
	if (poll(&p, 1, ANSWER_MS) != 1)
		return -ETIMEDOUT;
	return recv(sock, m, offsetof(struct message, u64) + 8, MSG_WAITALL) == offsetof(struct message, u64) + 8
		       ? 0
		       : -ECONNRESET;
}

static int set_u64(int sock, uint32_t request, uint64_t value, int fd)
{
	struct message m = {.u64 = value};

	return message_send(sock, &m, request, 8, fd);
}

static int set_state(int sock, uint32_t request, uint32_t index, uint32_t num)
{
	struct message m = {.state = {index, num}};

	return message_send(sock, &m, request, 8, -1);
}

static int negotiate(struct guest *g, bool event_idx)
{
	struct message m = {0};
	uint64_t want = F(VIRTIO_F_VERSION_1) | F(VIRTIO_NET_F_MRG_RXBUF) | F(VIRTIO_RING_F_INDIRECT_DESC) |
			F(F_PROTOCOL_FEATURES) | F(VIRTIO_NET_F_CSUM) | F(VIRTIO_NET_F_GUEST_CSUM) |
			F(VIRTIO_NET_F_HOST_TSO4) | F(VIRTIO_NET_F_GUEST_TSO4);
	int err = message_send(g->sock, &m, SET_OWNER, 0, -1);

	if (g->opts.packed)
		want |= F(VIRTIO_F_RING_PACKED);
	if (event_idx)
		want |= F(VIRTIO_RING_F_EVENT_IDX);
	if (!err)
		err = message_ask(g->sock, &m, GET_FEATURES, 0);
	if (err)
		return err;
	g->features = m.u64 & want;
	if (!(g->features & F(VIRTIO_NET_F_MRG_RXBUF))) /* which makes the header 12 bytes, with VERSION_1 or without */
		return -ENOTSUP;
	if (g->opts.packed && !(g->features & F(VIRTIO_F_RING_PACKED)))
		return -ENOTSUP;
	if (g->opts.gso_size && !(g->features & F(VIRTIO_NET_F_HOST_TSO4)))
		return -ENOTSUP;
	if (g->features & F(F_PROTOCOL_FEATURES)) {
		err = message_ask(g->sock, &m, GET_PROTOCOL_FEATURES, 0);
		if (!err)
			err = set_u64(g->sock, SET_PROTOCOL_FEATURES, 0, -1);
	}
	return err ? err : set_u64(g->sock, SET_FEATURES, g->features, -1);
}

static int hand_over_ring(int sock, const struct guest_queue *q, uint32_t index)
{
	/* a packed ring's event areas stand where a split ring's parts of these names do */
	struct message m = {.addr = {.index = index,
				     .desc = q->slot ? (uintptr_t)q->slot : (uintptr_t)q->desc,
				     .used = (uintptr_t)q->used,
				     .avail = (uintptr_t)q->avail}};
	const uint64_t one = 1;
	int err = set_state(sock, SET_VRING_NUM, index, q->mask + 1);

	if (!err)
		err = set_state(sock, SET_VRING_BASE, index, q->slot ? FRESH_PACKED : 0);
	if (!err)
		err = message_send(sock, &m, SET_VRING_ADDR, sizeof(m.addr), -1);
	if (!err)
		err = set_u64(sock, SET_VRING_CALL, index, q->callfd);
	if (!err)
		err = set_u64(sock, SET_VRING_KICK, index, q->kickfd);
	if (!err && write(q->kickfd, &one, sizeof(one)) < 0) /* the kick that starts it: "Ring states" */
		err = -errno;
	return err;
}

static int hand_over(struct guest *g)
{
	struct message m = {.memory = {.n = 1, .gpa = GUEST_GPA, .size = g->size, .va = (uintptr_t)g->mem}};
	int err = message_send(g->sock, &m, SET_MEM_TABLE, sizeof(m.memory), g->memfd);

	if (!err)
		err = hand_over_ring(g->sock, &g->rx, 0);
	if (!err)
		err = hand_over_ring(g->sock, &g->tx, 1);
	for (uint32_t i = 0; i < 2 && !err && g->features & F(F_PROTOCOL_FEATURES); i++)
		err = set_state(g->sock, SET_VRING_ENABLE, i, 1);
	return err ? err : message_ask(g->sock, &m, GET_FEATURES, 0);
}

static int address(struct sockaddr_un *addr, const char *path)
{
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(addr->sun_path))
		return -ENAMETOOLONG;
	strcpy(addr->sun_path, path);
	return 0;
}

int frontend_listen(const char *path)
{
	struct sockaddr_un addr;
	int err = address(&addr, path), fd;

	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unlink(path);
	if (fd >= 0 && (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd < 0 ? -errno : fd;
}

static int open_socket(const char *path, int listenfd, unsigned seconds)
{
	struct pollfd p = {.fd = listenfd, .events = POLLIN};
	struct timespec pause = {.tv_nsec = 1000000};
	struct sockaddr_un addr;
	int err = address(&addr, path), fd;

	if (listenfd >= 0)
		return poll(&p, 1, (int)seconds * 1000) == 1 ? accept(listenfd, NULL, NULL) : -ETIMEDOUT;
	fd = err ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err ? err : -errno;
	for (unsigned ms = 0; connect(fd, (struct sockaddr *)&addr, sizeof(addr)); ms++) {
		if (ms >= seconds * 1000) {
			err = -errno;
			close(fd);
			return err;
		}
		nanosleep(&pause, NULL);
	}
	return fd;
}

int frontend_start(struct guest *g, const char *path, int listenfd, unsigned seconds, bool event_idx, const char **why)
{
	int err;

	*why = "connecting";
	g->sock = open_socket(path, listenfd, seconds);
	if (g->sock < 0)
		return g->sock;
	*why = g->opts.gso_size ? "negotiating features, TCP segmentation offload among them"
	       : g->opts.packed ? "negotiating features, packed rings among them"
				: "negotiating features";
	err = negotiate(g, event_idx);
	if (err)
		return err;
	guest_fill(g);
	*why = "handing over memory and rings";
	return hand_over(g);
}

void frontend_stop(struct guest *g)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct message m = {.state = {i, 0}};

		if (message_ask(g->sock, &m, GET_VRING_BASE, 8))
			break;
	}
	close(g->sock);
	g->sock = -1;
}
