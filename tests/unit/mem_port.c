/* SPDX-License-Identifier: BSD-3-Clause */
#include "mem_port.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vif/grant.h"

struct packet {
	struct vif_offload off;
	uint32_t len;
	uint8_t bytes[];
};

struct queue { /* packets [head, tail) of a ring of `depth` */
	unsigned head, tail, depth;
	struct packet **packet;
};

struct mem_port {
	struct vif_port base;
	pthread_mutex_t lock;
	struct queue in, out;
	int wakefd;
};

static struct mem_port *port_of(struct vif_port *base)
{
	return (struct mem_port *)base;
}

static bool queue_full(const struct queue *q)
{
	return q->tail - q->head == q->depth;
}

static unsigned mem_peek(struct vif_port *base, unsigned queue, struct vif_burst *burst)
{
	struct mem_port *port = port_of(base);
	unsigned n = 0;

	(void)queue;
	pthread_mutex_lock(&port->lock);
	for (; n < VIF_BURST && port->in.head + n != port->in.tail; n++) {
		struct packet *p = port->in.packet[(port->in.head + n) % port->in.depth];
		struct vif_frame *f = &burst->frame[n];

		*f = (struct vif_frame){.head = burst->head[n], .len = p->len, .off = p->off};
		f->head_len = p->len < VIF_HEAD_LEN ? p->len : VIF_HEAD_LEN;
		memcpy(f->head, p->bytes, f->head_len);
		if (p->len > f->head_len) {
			burst->seg[n] = (struct vif_seg){.va = p->bytes + f->head_len, .len = p->len - f->head_len};
			f->seg = &burst->seg[n];
			f->nseg = 1;
		}
		vif_count(base)->rx_frames++;
		vif_count(base)->rx_bytes += p->len;
	}
	burst->n = n;
	pthread_mutex_unlock(&port->lock);
	return n;
}

static void mem_release(struct vif_port *base, unsigned queue, const struct vif_burst *burst)
{
	struct mem_port *port = port_of(base);

	(void)queue;
	pthread_mutex_lock(&port->lock);
	for (unsigned i = 0; i < burst->n; i++)
		free(port->in.packet[port->in.head++ % port->in.depth]);
	pthread_mutex_unlock(&port->lock);
}

static unsigned mem_deliver(struct vif_port *base, unsigned queue, struct vif_frame *const *frames, unsigned n)
{
	struct mem_port *port = port_of(base);
	struct vif_frame *room[VIF_BURST];
	unsigned i;

	(void)queue;
	frames = grant_copy_local(frames, n, room);
	pthread_mutex_lock(&port->lock);
	for (i = 0; i < n && !queue_full(&port->out); i++) {
		const struct vif_frame *f = frames[i];
		struct packet *p;
		uint8_t *to;

		if (!f->len)
			continue; /* its sender's fault, and counted there */
		p = malloc(sizeof(*p) + f->len);
		if (!p)
			break;
		p->off = f->off;
		p->len = f->len;
		memcpy(p->bytes, f->head, f->head_len);
		to = p->bytes + f->head_len;
		for (unsigned s = 0; s < f->nseg; s++) {
			memcpy(to, f->seg[s].va, f->seg[s].len);
			to += f->seg[s].len;
		}
		port->out.packet[port->out.tail++ % port->out.depth] = p;
		/* atomic: tests look at them meanwhile */
		__atomic_fetch_add(&vif_count(base)->tx_frames, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&vif_count(base)->tx_bytes, f->len, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&port->lock);
	return i;
}

static void queue_free(struct queue *q)
{
	while (q->packet && q->head != q->tail)
		free(q->packet[q->head++ % q->depth]);
	free(q->packet);
}

static void mem_close(struct vif_port *base)
{
	struct mem_port *port = port_of(base);

	epoll_ctl(base->epfd[0], EPOLL_CTL_DEL, port->wakefd, NULL);
	close(port->wakefd);
	queue_free(&port->in);
	queue_free(&port->out);
	pthread_mutex_destroy(&port->lock);
	free(port);
}

static bool mem_arm(struct vif_port *base, unsigned queue)
{
	struct mem_port *port = port_of(base);
	bool waiting;

	(void)queue;
	pthread_mutex_lock(&port->lock);
	waiting = port->in.head != port->in.tail;
	pthread_mutex_unlock(&port->lock);
	return waiting;
}

static const struct vif_ops mem_ops = {
	.kind = "memory",
	.role = VIF_ROLE_GUEST,
	.peek = mem_peek,
	.release = mem_release,
	.deliver = mem_deliver,
	.arm = mem_arm,
	.close = mem_close,
};

int mem_open(const struct vif_port *base, const struct mem_opts *opts, struct vif_port **out)
{
	struct mem_port *port = calloc(1, sizeof(*port));
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
	int r = -ENOMEM;

	if (!port)
		return -ENOMEM;
	port->base = *base;
	port->base.ops = &mem_ops;
	port->base.caps = opts->caps;
	port->base.mtu = opts->mtu;
	port->base.rx_queues = port->base.tx_queues = 1;
	port->in.depth = port->out.depth = opts->depth ? opts->depth : 256;
	port->in.packet = calloc(port->in.depth, sizeof(struct packet *));
	port->out.packet = calloc(port->out.depth, sizeof(struct packet *));
	port->wakefd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	pthread_mutex_init(&port->lock, NULL);
	if (!port->in.packet || !port->out.packet || port->wakefd < 0)
		goto fail;
	if (epoll_ctl(base->epfd[0], EPOLL_CTL_ADD, port->wakefd, &ev)) {
		r = -errno;
		goto fail;
	}
	port->base.up = true;
	*out = &port->base;
	return 0;

fail:
	if (port->wakefd >= 0)
		close(port->wakefd);
	queue_free(&port->in);
	queue_free(&port->out);
	free(port);
	return r;
}

bool mem_send(struct vif_port *base, const uint8_t *frame, uint32_t len, const struct vif_offload *off)
{
	struct mem_port *port = port_of(base);
	struct packet *p = malloc(sizeof(*p) + len);
	const uint64_t one = 1;
	bool sent;

	if (!p)
		return false;
	p->off = off ? *off : (struct vif_offload){0};
	p->len = len;
	memcpy(p->bytes, frame, len);
	pthread_mutex_lock(&port->lock);
	sent = !queue_full(&port->in);
	if (sent)
		port->in.packet[port->in.tail++ % port->in.depth] = p;
	pthread_mutex_unlock(&port->lock);
	if (!sent) {
		free(p);
		return false;
	}
	if (write(port->wakefd, &one, sizeof(one)) < 0)
		/* cppcheck-suppress memleak ; as below */
		return true; /* it has been woken before */
	/* cppcheck-suppress memleak ; the queue has it, and mem_release() frees it */
	return true;
}

uint32_t mem_receive(struct vif_port *base, uint8_t *buf, struct vif_offload *off)
{
	struct mem_port *port = port_of(base);
	struct packet *p = NULL;
	uint32_t len = 0;

	pthread_mutex_lock(&port->lock);
	if (port->out.head != port->out.tail)
		p = port->out.packet[port->out.head++ % port->out.depth];
	pthread_mutex_unlock(&port->lock);
	if (p) {
		len = p->len;
		memcpy(buf, p->bytes, len);
		if (off)
			*off = p->off;
		free(p);
	}
	return len;
}
