/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <rte_spinlock.h>

#include "connection.h"
#include "vswitch/base/log.h"

#define ANNOUNCE_LEN 60 /* bytes */
#define OURS UINTPTR_MAX /* the cookie of a frame that is in no ring */
#define ACCEPTS 8 /* in a turn of the loop */
#define RETRY_MS 20 /* until the first try to connect again, or to listen on; doubled up to ... */
#define RETRY_MAX_MS 500
#define REFUSED_MS 1000 /* until the next try after a front end that broke the protocol */
#define MEMORY_MS 2000 /* a front end with a guest at work shares its memory within */

struct vhost_port {
	struct vif_port base;
	struct device device;
	rte_spinlock_t tx_lock[VIF_QUEUES_MAX]; /* where workers share the port */
	struct connection connection;
	struct sockaddr_un addr;
	bool server;
	bool worked; /* frames could pass in this connection */
	bool faulty; /* the complaint is of a ring that is not served now */
	int listener; /* -1 */
	struct event *accepting;
	struct event *retry; /* the next try to connect, or to accept */
	unsigned retry_ms;
	struct event *no_memory; /* a guest is at work, and memory is missing */
	struct err complaint; /* what an administrator should know of the last front end; empty: nothing */
	uint64_t refused; /* connections beyond the first */
	struct log_limit logged;
};

static struct event_base *loop; /* the control thread's */

static struct vhost_port *port_of(struct vif_port *base)
{
	return (struct vhost_port *)base;
}

/* ---- packet path ------------------------------------------------------------------------------------------------- */

static inline struct session *session_of(struct vif_port *base)
{
	if (__builtin_expect(__atomic_load_n(&base->quarantine, __ATOMIC_RELAXED) != NULL, 0))
		return NULL;
	return __atomic_load_n(&port_of(base)->device.session, __ATOMIC_ACQUIRE);
}

/* A burst of one frame of our making: the reverse ARP request that was asked for. */
static __attribute__((noinline)) unsigned announce(struct device *d, struct vif_burst *burst,
						   struct vif_counters *count)
{
	const uint64_t mac = __atomic_exchange_n(&d->announce, 0, __ATOMIC_ACQUIRE);
	uint8_t *p = burst->head[0];

	memset(p, 0, ANNOUNCE_LEN);
	memset(p, 0xff, 6);
	memcpy(p + 6, &mac, 6);
	memcpy(p + 12, (uint8_t[10]){0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3}, 10); /* Ethernet, IPv4, request reverse */
	memcpy(p + 22, &mac, 6);
	memcpy(p + 32, &mac, 6);
	burst->frame[0].head = p;
	burst->frame[0].cookie = OURS;
	vif_frame_plain(&burst->frame[0], ANNOUNCE_LEN, ANNOUNCE_LEN, 0);
	burst->n = 1;
	burst->nseg = 0;
	count->rx_frames++;
	count->rx_bytes += ANNOUNCE_LEN;
	return 1;
}

static unsigned vhost_peek(struct vif_port *base, unsigned queue, struct vif_burst *burst)
{
	struct session *session = session_of(base);
	unsigned n;

	burst->n = 0;
	if (!session || queue >= session->pairs || !session->rx[queue].enabled)
		return 0;
	if (__builtin_expect(!queue && __atomic_load_n(&port_of(base)->device.announce, __ATOMIC_RELAXED), 0))
		return announce(&port_of(base)->device, burst, vif_count(base));
	n = ring_peek(&session->rx[queue], burst, vif_count(base));
	if (session->rx[queue].broken)
		vif_quarantine(base, session->rx[queue].broken);
	return n;
}

static void vhost_release(struct vif_port *base, unsigned queue, const struct vif_burst *burst)
{
	struct session *session = session_of(base);

	if (session && __builtin_expect(burst->frame[0].cookie != OURS, 1))
		ring_release(&session->rx[queue], burst);
}

static unsigned vhost_deliver(struct vif_port *base, unsigned queue, struct vif_frame *const *frames, unsigned n)
{
	struct session *session = session_of(base);
	struct vif_counters *count = vif_count(base);
	unsigned done;

	if (!session || queue >= session->pairs || !session->tx[queue].enabled) {
		count->drop[VIF_TX_DOWN] += n;
		return n;
	}
	if (base->shared)
		rte_spinlock_lock(&port_of(base)->tx_lock[queue]);
	done = ring_deliver(&session->tx[queue], frames, n, count);
	if (base->shared)
		rte_spinlock_unlock(&port_of(base)->tx_lock[queue]);
	if (session->tx[queue].broken) {
		vif_quarantine(base, session->tx[queue].broken);
		count->drop[VIF_TX_DOWN] += n - done;
		done = n;
	}
	return done;
}

static void vhost_notify(struct vif_port *base, int rx_queue)
{
	struct session *session = session_of(base);
	unsigned sent = 0;

	if (!session)
		return;
	if (rx_queue >= 0) {
		if (ring_notify(&session->rx[rx_queue]))
			vif_count(base)->kicks += signal_send(&session->rx_call[rx_queue]);
		return;
	}
	for (unsigned q = 0; q < session->tx_queues; q++) {
		bool wanted;

		if (base->shared)
			rte_spinlock_lock(&port_of(base)->tx_lock[q]);
		wanted = ring_notify(&session->tx[q]);
		if (base->shared)
			rte_spinlock_unlock(&port_of(base)->tx_lock[q]);
		if (wanted)
			sent += signal_send(&session->tx_call[q]);
	}
	vif_count(base)->kicks += sent;
}

static bool vhost_arm(struct vif_port *base, unsigned queue)
{
	struct session *session = session_of(base);

	if (!session || queue >= session->pairs || !session->rx[queue].enabled)
		return false;
	/* a front end without kicks wants its ring polled */
	return ring_arm(&session->rx[queue]) || session->rx[queue].kickfd < 0;
}

static void vhost_disarm(struct vif_port *base, unsigned queue)
{
	struct session *session = session_of(base);

	if (session && queue < session->pairs && session->rx[queue].enabled)
		ring_disarm(&session->rx[queue]);
}

/* ---- what an administrator is told ------------------------------------------------------------------------------- */

/* Keep `why` for who asks, and log it, at a bounded rate. */
static void complain(struct vhost_port *port, const char *why)
{
	if (port->complaint.text != why)
		err_set(&port->complaint, 0, "%s", why);
	log_limited(&port->logged, "%s: its front end: %s", port->base.name, why);
}

/* Negotiated features in words. */
static void features_text(const struct device *d, char *buf, size_t len)
{
	static const struct {
		uint8_t bit;
		const char *name;
	} words[] = {
		{VIRTIO_NET_F_CSUM, "csum"},
		{VIRTIO_NET_F_HOST_TSO4, "tso4"},
		{VIRTIO_NET_F_HOST_TSO6, "tso6"},
		{NET_F_HOST_USO, "uso"},
		{VIRTIO_NET_F_GUEST_CSUM, "guest-csum"},
		{VIRTIO_NET_F_GUEST_TSO4, "guest-tso4"},
		{VIRTIO_NET_F_GUEST_TSO6, "guest-tso6"},
		{NET_F_GUEST_USO4, "guest-uso4"},
		{NET_F_GUEST_USO6, "guest-uso6"},
		{VIRTIO_NET_F_MRG_RXBUF, "mergeable"},
		{VIRTIO_RING_F_INDIRECT_DESC, "indirect"},
		{VIRTIO_RING_F_EVENT_IDX, "event-idx"},
		{VIRTIO_NET_F_MTU, "mtu"},
		{VIRTIO_NET_F_MQ, "multiqueue"},
		{VIRTIO_F_VERSION_1, "version-1"},
		{VIRTIO_F_RING_PACKED, "packed"},
	};
	size_t at = 0;

	for (size_t i = 0; d->session && i < sizeof(words) / sizeof(words[0]); i++)
		if (d->features & VIRTIO_F(words[i].bit) && at < len)
			at += snprintf(buf + at, len - at, "%s%s", at ? " " : "", words[i].name);
}

static void vhost_describe(const struct vif_port *base, struct vif_about *about)
{
	const struct vhost_port *port = (const struct vhost_port *)base;

	snprintf(about->detail, sizeof(about->detail), "%s %s%s%s", port->server ? "listens on" : "connects to",
		 port->addr.sun_path, port->complaint.text[0] ? "; its front end: " : "", port->complaint.text);
	features_text(&port->device, about->features, sizeof(about->features));
}

static void on_no_memory(evutil_socket_t fd, short what, void *arg)
{
	struct vhost_port *port = arg;

	(void)fd;
	(void)what;
	if (port->connection.fd >= 0 && !port->device.memory.n)
		complain(port, "it started the guest's card without sharing the guest's memory: give QEMU a "
			       "memory-backend-memfd with share=on (`xbar create` does)");
}

static void on_served(struct connection *connection)
{
	struct vhost_port *port = (struct vhost_port *)((char *)connection - offsetof(struct vhost_port, connection));
	const struct timeval limit = {.tv_sec = MEMORY_MS / 1000};
	struct device *d = &port->device;

	if (port->base.up && !port->worked) {
		port->worked = true;
		port->retry_ms = RETRY_MS;
		port->complaint.text[0] = '\0';
		evtimer_del(port->no_memory);
	}
	if (d->fault.text[0] ? strcmp(d->fault.text, port->complaint.text) != 0 : port->faulty) {
		port->faulty = d->fault.text[0];
		if (port->faulty)
			complain(port, d->fault.text);
		else
			port->complaint.text[0] = '\0';
	}
	if (d->negotiated && !d->memory.n && !evtimer_pending(port->no_memory, NULL))
		evtimer_add(port->no_memory, &limit);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void try_again(struct vhost_port *port, unsigned ms)
{
	const struct timeval pause = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 + port->base.id % 64 * 100};

	evtimer_add(port->retry, &pause);
}

static void begin(struct vhost_port *port, int fd)
{
	port->worked = port->faulty = false;
	if (connection_begin(&port->connection, fd))
		complain(port, "no memory for its connection");
}

static void try_connect(struct vhost_port *port)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		complain(port, "no descriptors are left for its connection: raise LimitNOFILE= (ulimit -n)");
	if (fd >= 0 && !connect(fd, (struct sockaddr *)&port->addr, sizeof(port->addr))) {
		begin(port, fd);
		if (port->connection.fd >= 0)
			return;
	} else if (fd >= 0) {
		close(fd);
	}
	try_again(port, port->retry_ms);
	port->retry_ms = port->retry_ms * 2 < RETRY_MAX_MS ? port->retry_ms * 2 : RETRY_MAX_MS;
}

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
	struct vhost_port *port = arg;

	(void)what;
	for (unsigned i = 0; i < ACCEPTS; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0 && port->connection.fd < 0) {
			begin(port, fd);
		} else if (fd >= 0) {
			port->refused++;
			close(fd);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			complain(port, "no descriptors are left for its connection: raise LimitNOFILE= (ulimit -n)");
			event_del(port->accepting);
			try_again(port, RETRY_MAX_MS);
			return;
		} else if (errno != ECONNABORTED && errno != EINTR) {
			return;
		}
	}
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct vhost_port *port = arg;

	(void)fd;
	(void)what;
	if (port->server)
		event_add(port->accepting, NULL);
	else if (port->connection.fd < 0)
		try_connect(port);
}

static void on_ended(struct connection *connection, const struct err *why)
{
	struct vhost_port *port = (struct vhost_port *)((char *)connection - offsetof(struct vhost_port, connection));
	const bool hung_up = !strcmp(why->text, "the front end hung up");
	char text[256];

	evtimer_del(port->no_memory);
	if (!hung_up) {
		complain(port, why->text);
	} else if (!port->worked && connection->last && !port->complaint.text[0]) {
		snprintf(text, sizeof(text),
			 "it hung up before it had set up the guest's card, after %s: its own log says why",
			 message_name(connection->last));
		complain(port, text);
	}
	if (port->server)
		return;
	if (!hung_up)
		try_again(port, REFUSED_MS);
	else
		try_again(port, port->worked ? RETRY_MS : port->retry_ms);
}

static void vhost_resume(struct vif_port *base)
{
	struct vhost_port *port = port_of(base);

	if (port->connection.fd < 0)
		return;
	if (memory_is_truncated(&port->device.memory)) {
		connection_end(&port->connection,
			       false); /* what is left is no memory of the guest's: it has to share it again */
		if (!port->server)
			try_again(port, RETRY_MS);
		return;
	}
	device_stop(&port->device);
	device_settle(&port->device);
}

static void vhost_close(struct vif_port *base)
{
	struct vhost_port *port = port_of(base);
	struct event *events[] = {port->accepting, port->retry, port->no_memory};

	connection_end(&port->connection, true);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i])
			event_free(events[i]);
	if (port->listener >= 0) {
		close(port->listener);
		unixsock_remove(port->addr.sun_path);
	}
	free(port);
}

const struct vif_ops vhost_ops = {
	.kind = "vhost-user",
	.role = VIF_ROLE_GUEST,
	.peek = vhost_peek,
	.release = vhost_release,
	.deliver = vhost_deliver,
	.notify = vhost_notify,
	.arm = vhost_arm,
	.disarm = vhost_disarm,
	.resume = vhost_resume,
	.describe = vhost_describe,
	.close = vhost_close,
};

static int start_listening(struct vhost_port *port, const struct unixsock_access *access)
{
	int fd = unixsock_listen_as(port->addr.sun_path, access);

	if (fd < 0)
		return fd;
	port->listener = fd;
	port->accepting = event_new(port->device.loop, fd, EV_READ | EV_PERSIST, on_accept, port);
	return port->accepting && !event_add(port->accepting, NULL) ? 0 : -ENOMEM;
}

int vhost_open(const struct vif_port *base, const struct vhost_opts *opts, struct vif_port **out)
{
	const bool has_mac = memcmp(opts->mac, (uint8_t[6]){0}, 6);
	struct vhost_port *port;
	int r = 0;

	if (strlen(opts->path) >= sizeof(port->addr.sun_path))
		return -ENAMETOOLONG;
	port = aligned_alloc(64, (sizeof(*port) + 63) & ~63UL);
	if (!port)
		return -ENOMEM;
	memset(port, 0, sizeof(*port));
	port->base = *base;
	port->base.ops = &vhost_ops;
	port->base.mtu = opts->mtu;
	port->server = opts->server;
	port->listener = -1;
	port->retry_ms = RETRY_MS;
	port->addr.sun_family = AF_UNIX;
	strcpy(port->addr.sun_path, opts->path);
	port->device.port = &port->base;
	port->device.loop = loop;
	port->device.pairs = opts->queues;
	port->device.offered = device_features(!opts->no_offload, has_mac, opts->queues > 1);
	memcpy(port->device.config.mac, opts->mac, 6);
	port->device.config.status = VIRTIO_NET_S_LINK_UP;
	port->device.config.max_virtqueue_pairs = opts->queues;
	port->device.config.mtu = opts->mtu;
	device_init(&port->device);
	port->connection =
		(struct connection){.device = &port->device, .fd = -1, .ended = on_ended, .served = on_served};
	port->retry = evtimer_new(loop, on_retry, port);
	port->no_memory = evtimer_new(loop, on_no_memory, port);
	if (!port->retry || !port->no_memory)
		r = -ENOMEM;
	else if (opts->server)
		r = start_listening(port, &opts->access);
	else
		try_connect(port);
	if (r) {
		vhost_close(&port->base);
		return r;
	}
	*out = &port->base;
	return 0;
}

int vhost_init(struct event_base *base)
{
	loop = base;
	int r = signal_init();
	return r ? r : memory_catch_sigbus();
}
