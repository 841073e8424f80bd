/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation (see vhost.h first). A conn is published in port->conn and read once by each call of a worker.
 *
 *   new_device           the rings are ready: conn_start
 *   before a message     that changes memory, rings or features: conn_stop, which waits for the workers
 *   after it             conn_start again, if the device still runs
 *   destroy_device       conn_stop
 *
 * All of that happens on the library's thread, under port->lock against vhost_close().
 */
#include "vhost.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <rte_spinlock.h>
#include <rte_vhost.h>

#include "vif/ring/ring.h"

#define VIRTIO_F(bit) (1ULL << (bit))
#define NET_F_GUEST_USO4 54 /* virtio 1.2; Debian 12's kernel headers lack them */
#define NET_F_GUEST_USO6 55
#define NET_F_HOST_USO 56
#define PROTOCOL_F_CONFIG 9 /* vhost-user: the backend answers reads of the device's configuration space */

struct vhost_conn {
	uint64_t features;
	unsigned pairs;
	struct rte_vhost_memory *table; /* the library's copy, ours to free */
	struct ring_mem mem;
	struct ring rx[VIF_QUEUES_MAX]; /* the guest sends: vrings 1, 3, ... */
	struct ring tx[VIF_QUEUES_MAX]; /* the guest receives: vrings 0, 2, ... */
};

struct vhost_port {
	struct vif_port base;
	struct vhost_conn *conn;
	rte_spinlock_t tx_lock[VIF_QUEUES_MAX]; /* where workers share the port */
	/* below: the library's thread and the control thread, under lock */
	pthread_mutex_t lock;
	struct vhost_port *next;
	char path[108];
	bool server, running, closing;
	bool enabled[2 * VIF_QUEUES_MAX];
	unsigned queues;
	int vid;
	struct virtio_net_config config;
	uint64_t offered;
};

/*
 * The library's callbacks know a device by number only, the signal handler an address only: both look here. Written
 * under list_lock; the handler reads spans without it, which its order of writing allows for.
 */
static struct vhost_port *ports;
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;

#define SPANS 4096
static struct span {
	uintptr_t start, end;
	struct vhost_port *port;
} spans[SPANS];

static struct vhost_port *port_of(struct vif_port *base)
{
	return (struct vhost_port *)base;
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static void spans_add(struct vhost_port *port, const struct rte_vhost_memory *table)
{
	pthread_mutex_lock(&list_lock);
	for (unsigned i = 0, s = 0; i < table->nregions && s < SPANS; s++) {
		if (spans[s].port)
			continue;
		spans[s].start = (uintptr_t)table->regions[i].mmap_addr;
		spans[s].end = spans[s].start + table->regions[i].mmap_size;
		__atomic_store_n(&spans[s].port, port, __ATOMIC_RELEASE);
		i++;
	}
	pthread_mutex_unlock(&list_lock);
}

static void spans_remove(const struct vhost_port *port)
{
	pthread_mutex_lock(&list_lock);
	for (unsigned s = 0; s < SPANS; s++)
		if (spans[s].port == port)
			__atomic_store_n(&spans[s].port, NULL, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&list_lock);
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr;

	(void)context;
	for (unsigned s = 0; s < SPANS; s++) {
		struct vhost_port *port = __atomic_load_n(&spans[s].port, __ATOMIC_ACQUIRE);

		if (!port || at < spans[s].start || at >= spans[s].end)
			continue;
		/* zeroes in place of what the guest took away: the access goes on, and the port is done for */
		if (mmap((void *)spans[s].start, spans[s].end - spans[s].start, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED)
			break;
		vif_quarantine(&port->base, "the guest truncated the memory that it shares");
		return;
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

int vhost_catch_sigbus(void)
{
	struct sigaction act = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigemptyset(&act.sa_mask);
	return sigaction(SIGBUS, &act, NULL) ? -errno : 0;
}

/* ---- conn -------------------------------------------------------------------------------------------------------- */

static void conn_free(struct vhost_conn *conn)
{
	for (unsigned q = 0; q < conn->pairs; q++) {
		if (conn->rx[q].kickfd >= 0)
			close(conn->rx[q].kickfd);
		if (conn->rx[q].callfd >= 0)
			close(conn->rx[q].callfd);
		if (conn->tx[q].callfd >= 0)
			close(conn->tx[q].callfd);
	}
	free(conn->table);
	free(conn);
}

static int dup_nonblock(int fd)
{
	int copy;

	if (fd < 0)
		return -1;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	/* a guest that never reads its pipe must not hold a worker */
	if (copy >= 0)
		fcntl(copy, F_SETFL, fcntl(copy, F_GETFL) | O_NONBLOCK);
	return copy;
}

static bool ring_fill(struct ring *ring, const struct vhost_conn *conn, int vid, unsigned vring, bool enabled)
{
	struct rte_vhost_vring v;
	uint64_t f = conn->features;

	*ring = (struct ring){.callfd = -1, .kickfd = -1};
	if (!enabled || rte_vhost_get_vhost_vring(vid, vring, &v) || !v.desc || !v.avail || !v.used || !v.size ||
	    (v.size & (v.size - 1)))
		return false;
	if (rte_vhost_get_vring_base(vid, vring, &ring->last_avail, &ring->used_idx))
		return false;
	ring->desc = v.desc;
	ring->avail = v.avail;
	ring->used = v.used;
	ring->mem = &conn->mem;
	ring->size = v.size;
	ring->avail_seen = ring->last_avail;
	ring->signalled = ring->used_idx - 1; /* the guest may be waiting for what was told before a restart */
	ring->event_idx = f & VIRTIO_F(VIRTIO_RING_F_EVENT_IDX);
	ring->mergeable = f & VIRTIO_F(VIRTIO_NET_F_MRG_RXBUF);
	ring->hdr_len = f & (VIRTIO_F(VIRTIO_NET_F_MRG_RXBUF) | VIRTIO_F(VIRTIO_F_VERSION_1)) ? 12 : 10;
	ring->callfd = dup_nonblock(v.callfd);
	ring->kickfd = dup_nonblock(v.kickfd);
	ring->enabled = true;
	return true;
}

static uint16_t caps_of(uint64_t f)
{
	uint16_t caps = 0;

	if (!(f & VIRTIO_F(VIRTIO_NET_F_GUEST_CSUM)))
		return 0;
	caps = VIF_CAP_CSUM;
	caps |= f & VIRTIO_F(VIRTIO_NET_F_GUEST_TSO4) ? VIF_CAP_TSO4 : 0;
	caps |= f & VIRTIO_F(VIRTIO_NET_F_GUEST_TSO6) ? VIF_CAP_TSO6 : 0;
	caps |= f & VIRTIO_F(VIRTIO_NET_F_GUEST_ECN) ? VIF_CAP_ECN : 0;
	caps |= f & VIRTIO_F(NET_F_GUEST_USO4) ? VIF_CAP_USO4 : 0;
	caps |= f & VIRTIO_F(NET_F_GUEST_USO6) ? VIF_CAP_USO6 : 0;
	return caps;
}

/* Take the conn from the workers, and hand the indices back to the library. Under port->lock. */
static void conn_stop(struct vhost_port *port)
{
	struct vhost_conn *conn = port->conn;

	if (!conn)
		return;
	port->base.up = false;
	__atomic_store_n(&port->conn, NULL, __ATOMIC_RELEASE);
	for (unsigned q = 0; q < conn->pairs; q++)
		if (conn->rx[q].kickfd >= 0)
			epoll_ctl(port->base.epfd[q], EPOLL_CTL_DEL, conn->rx[q].kickfd, NULL);
	vif_memory_gone(&port->base);
	vif_synchronize();
	for (unsigned q = 0; q < conn->pairs; q++) {
		/* what was looked at and not completed is for the next backend to look at again: so used, twice */
		if (conn->rx[q].enabled)
			rte_vhost_set_vring_base(port->vid, 2 * q + 1, conn->rx[q].used_idx, conn->rx[q].used_idx);
		if (conn->tx[q].enabled)
			rte_vhost_set_vring_base(port->vid, 2 * q, conn->tx[q].used_idx, conn->tx[q].used_idx);
	}
	spans_remove(port);
	conn_free(conn);
}

/* Build a conn from what the library knows now, and show it to the workers. Under port->lock. */
static void conn_start(struct vhost_port *port)
{
	struct vhost_conn *conn = calloc(1, sizeof(*conn));
	bool tx = false;

	if (!conn)
		return;
	if (rte_vhost_get_mem_table(port->vid, &conn->table) || conn->table->nregions > RING_REGIONS ||
	    rte_vhost_get_negotiated_features(port->vid, &conn->features)) {
		free(conn->table);
		free(conn);
		return;
	}
	conn->mem.n = conn->table->nregions;
	for (unsigned i = 0; i < conn->mem.n; i++) {
		const struct rte_vhost_mem_region *r = &conn->table->regions[i];

		conn->mem.region[i] =
			(struct ring_region){r->guest_phys_addr, r->size, (uint8_t *)(uintptr_t)r->host_user_addr};
	}
	spans_add(port, conn->table);
	conn->pairs = port->queues;
	port->base.rx_queues = port->base.tx_queues = 0;
	for (unsigned q = 0; q < conn->pairs; q++) {
		if (ring_fill(&conn->rx[q], conn, port->vid, 2 * q + 1, port->enabled[2 * q + 1]))
			port->base.rx_queues = q + 1;
		if (ring_fill(&conn->tx[q], conn, port->vid, 2 * q, port->enabled[2 * q]) &&
		    port->base.tx_queues == q) {
			port->base.tx_queues = q + 1; /* a receiver's queues are used without gaps */
			tx = true;
		}
		if (conn->tx[q].enabled)
			ring_disarm(&conn->tx[q]);
	}
	port->base.caps = caps_of(conn->features);
	__atomic_store_n(&port->conn, conn, __ATOMIC_RELEASE);
	port->base.up = tx;
	for (unsigned q = 0; q < conn->pairs; q++) {
		struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
		const uint64_t one = 1;

		if (conn->rx[q].kickfd < 0)
			continue;
		epoll_ctl(port->base.epfd[q], EPOLL_CTL_ADD, conn->rx[q].kickfd, &ev);
		/* wake the worker, so that it sees the ring and arms it */
		if (write(conn->rx[q].kickfd, &one, sizeof(one)) < 0)
			continue; /* full: it is awake */
	}
}

/* ---- the library's callbacks ------------------------------------------------------------------------------------- */

/* The port of device `vid`, locked; NULL: it is being closed. */
static struct vhost_port *port_take(int vid)
{
	char path[sizeof(ports->path)];
	struct vhost_port *port;

	if (rte_vhost_get_ifname(vid, path, sizeof(path)))
		return NULL;
	pthread_mutex_lock(&list_lock);
	for (port = ports; port && strcmp(port->path, path); port = port->next)
		;
	pthread_mutex_unlock(&list_lock);
	if (port)
		pthread_mutex_lock(&port->lock);
	return port;
}

static int on_new_device(int vid)
{
	struct vhost_port *port = port_take(vid);

	if (!port)
		return -1;
	port->vid = vid;
	port->running = true;
	__atomic_store_n(&port->base.quarantine, NULL, __ATOMIC_RELEASE); /* a device reset is a new start */
	conn_stop(port);
	conn_start(port);
	pthread_mutex_unlock(&port->lock);
	return 0;
}

static void on_destroy_device(int vid)
{
	struct vhost_port *port = port_take(vid);

	if (!port)
		return;
	conn_stop(port);
	port->running = false;
	pthread_mutex_unlock(&port->lock);
}

static int on_vring_state(int vid, uint16_t vring, int enable)
{
	struct vhost_port *port = port_take(vid);

	if (!port)
		return 0;
	if (vring < 2 * port->queues && port->enabled[vring] != !!enable) {
		port->enabled[vring] = enable;
		if (port->running) {
			conn_stop(port);
			conn_start(port);
		}
	}
	pthread_mutex_unlock(&port->lock);
	return 0;
}

/* As on the wire (vhost-user specification, "Communication"); the library's own copy of it is not public. */
struct message {
	uint32_t request, flags, size;
	struct {
		uint32_t offset, size, flags;
		uint8_t region[256];
	} config;
} __attribute__((packed));

enum { /* requests that change what a conn describes */
       MSG_SET_FEATURES = 2,
       MSG_SET_OWNER = 3,
       MSG_RESET_OWNER = 4,
       MSG_SET_MEM_TABLE = 5,
       MSG_SET_VRING_NUM = 8,
       MSG_GET_VRING_BASE = 11,
       MSG_SET_VRING_KICK = 12,
       MSG_SET_VRING_CALL = 13,
       MSG_GET_CONFIG = 24,
};

static bool changes_conn(uint32_t request)
{
	return request == MSG_SET_FEATURES || request == MSG_RESET_OWNER || request == MSG_SET_MEM_TABLE ||
	       (request >= MSG_SET_VRING_NUM && request <= MSG_SET_VRING_CALL);
}

static enum rte_vhost_msg_result before_message(int vid, void *arg)
{
	enum rte_vhost_msg_result result = RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	struct message *msg = arg;
	struct vhost_port *port;

	if (!changes_conn(msg->request) && msg->request != MSG_GET_CONFIG)
		return result;
	port = port_take(vid);
	if (!port)
		return result;
	if (msg->request != MSG_GET_CONFIG) {
		conn_stop(port);
	} else if (msg->config.size <= sizeof(msg->config.region)) {
		memset(msg->config.region, 0, msg->config.size);
		if (msg->config.offset < sizeof(port->config)) {
			uint32_t n = sizeof(port->config) - msg->config.offset;

			memcpy(msg->config.region, (uint8_t *)&port->config + msg->config.offset,
			       n < msg->config.size ? n : msg->config.size);
		}
		result = RTE_VHOST_MSG_RESULT_REPLY;
	}
	pthread_mutex_unlock(&port->lock);
	return result;
}

static enum rte_vhost_msg_result after_message(int vid, void *arg)
{
	const struct message *msg = arg;
	struct vhost_port *port;

	if (!changes_conn(msg->request))
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	port = port_take(vid);
	if (!port)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	if (port->running && !port->conn)
		conn_start(port);
	pthread_mutex_unlock(&port->lock);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static const struct rte_vhost_user_extern_ops extern_ops = {before_message, after_message};

static int on_new_connection(int vid)
{
	struct vhost_port *port = port_take(vid);

	if (!port)
		return -1;
	memset(port->enabled, 0, sizeof(port->enabled));
	pthread_mutex_unlock(&port->lock);
	return rte_vhost_extern_callback_register(vid, &extern_ops, NULL);
}

static const struct rte_vhost_device_ops device_ops = {
	.new_device = on_new_device,
	.destroy_device = on_destroy_device,
	.vring_state_changed = on_vring_state,
	.new_connection = on_new_connection,
};

/* ---- the packet path --------------------------------------------------------------------------------------------- */

static inline struct vhost_conn *conn_of(struct vif_port *base)
{
	if (__builtin_expect(__atomic_load_n(&base->quarantine, __ATOMIC_RELAXED) != NULL, 0))
		return NULL;
	return __atomic_load_n(&port_of(base)->conn, __ATOMIC_ACQUIRE);
}

static unsigned vhost_peek(struct vif_port *base, unsigned queue, struct vif_burst *burst)
{
	struct vhost_conn *conn = conn_of(base);
	unsigned n;

	burst->n = 0;
	if (!conn || queue >= conn->pairs || !conn->rx[queue].enabled)
		return 0;
	n = ring_peek(&conn->rx[queue], burst, vif_count(base));
	if (conn->rx[queue].broken)
		vif_quarantine(base, conn->rx[queue].broken);
	return n;
}

static void vhost_release(struct vif_port *base, unsigned queue, const struct vif_burst *burst)
{
	struct vhost_conn *conn = conn_of(base);

	if (conn)
		ring_release(&conn->rx[queue], burst);
}

static unsigned vhost_deliver(struct vif_port *base, unsigned queue, struct vif_frame *const *frames, unsigned n)
{
	struct vhost_conn *conn = conn_of(base);
	struct vif_counters *count = vif_count(base);
	unsigned done;

	if (!conn || queue >= conn->pairs || !conn->tx[queue].enabled) {
		count->drop[VIF_TX_DOWN] += n;
		return n;
	}
	if (base->shared)
		rte_spinlock_lock(&port_of(base)->tx_lock[queue]);
	done = ring_deliver(&conn->tx[queue], frames, n, count);
	if (base->shared)
		rte_spinlock_unlock(&port_of(base)->tx_lock[queue]);
	if (conn->tx[queue].broken) {
		vif_quarantine(base, conn->tx[queue].broken);
		count->drop[VIF_TX_DOWN] += n - done;
		done = n;
	}
	return done;
}

static void vhost_notify(struct vif_port *base, int rx_queue)
{
	struct vhost_conn *conn = conn_of(base);
	unsigned sent = 0;

	if (!conn)
		return;
	if (rx_queue >= 0) {
		vif_count(base)->kicks += ring_notify(&conn->rx[rx_queue]);
		return;
	}
	for (unsigned q = 0; q < base->tx_queues; q++) {
		if (base->shared)
			rte_spinlock_lock(&port_of(base)->tx_lock[q]);
		sent += ring_notify(&conn->tx[q]);
		if (base->shared)
			rte_spinlock_unlock(&port_of(base)->tx_lock[q]);
	}
	vif_count(base)->kicks += sent;
}

static bool vhost_arm(struct vif_port *base, unsigned queue)
{
	struct vhost_conn *conn = conn_of(base);

	return conn && queue < conn->pairs && conn->rx[queue].enabled && ring_arm(&conn->rx[queue]);
}

static void vhost_disarm(struct vif_port *base, unsigned queue)
{
	struct vhost_conn *conn = conn_of(base);

	if (conn && queue < conn->pairs && conn->rx[queue].enabled)
		ring_disarm(&conn->rx[queue]);
}

/* ---- open and close ---------------------------------------------------------------------------------------------- */

static void vhost_close(struct vif_port *base)
{
	struct vhost_port *port = port_of(base), **at;

	/* waits for the library's thread, and calls on_destroy_device for a guest that is connected */
	rte_vhost_driver_unregister(port->path);
	pthread_mutex_lock(&list_lock);
	for (at = &ports; *at != port; at = &(*at)->next)
		;
	*at = port->next;
	pthread_mutex_unlock(&list_lock);
	conn_stop(port);
	pthread_mutex_destroy(&port->lock);
	free(port);
}

/* Negotiated features in words, "" when not connected. */
static void features_text(const struct vif_port *base, char *buf, size_t len)
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
	};
	struct vhost_port *port = (struct vhost_port *)(uintptr_t)base;
	size_t at = 0;

	buf[0] = 0;
	pthread_mutex_lock(&port->lock);
	for (size_t i = 0; port->conn && i < sizeof(words) / sizeof(words[0]); i++)
		if (port->conn->features & VIRTIO_F(words[i].bit) && at < len)
			at += snprintf(buf + at, len - at, "%s%s", at ? " " : "", words[i].name);
	pthread_mutex_unlock(&port->lock);
}

static void vhost_describe(const struct vif_port *base, struct vif_about *about)
{
	const struct vhost_port *port = (const struct vhost_port *)base;

	snprintf(about->detail, sizeof(about->detail), "%s %s", port->server ? "listens on" : "connects to",
		 port->path);
	features_text(base, about->features, sizeof(about->features));
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
	.describe = vhost_describe,
	.close = vhost_close,
};

static uint64_t features_to_offer(const struct vhost_opts *opts)
{
	uint64_t f = VIRTIO_F(VIRTIO_F_VERSION_1) | VIRTIO_F(VIRTIO_F_ANY_LAYOUT) | VIRTIO_F(VIRTIO_NET_F_MRG_RXBUF) |
		     VIRTIO_F(VIRTIO_RING_F_INDIRECT_DESC) | VIRTIO_F(VIRTIO_RING_F_EVENT_IDX) |
		     VIRTIO_F(VHOST_USER_F_PROTOCOL_FEATURES) | VIRTIO_F(VIRTIO_NET_F_MTU);

	if (!opts->no_offload)
		f |= VIRTIO_F(VIRTIO_NET_F_CSUM) | VIRTIO_F(VIRTIO_NET_F_GUEST_CSUM) |
		     VIRTIO_F(VIRTIO_NET_F_HOST_TSO4) | VIRTIO_F(VIRTIO_NET_F_HOST_TSO6) |
		     VIRTIO_F(VIRTIO_NET_F_HOST_ECN) | VIRTIO_F(VIRTIO_NET_F_GUEST_TSO4) |
		     VIRTIO_F(VIRTIO_NET_F_GUEST_TSO6) | VIRTIO_F(VIRTIO_NET_F_GUEST_ECN) | VIRTIO_F(NET_F_GUEST_USO4) |
		     VIRTIO_F(NET_F_GUEST_USO6) | VIRTIO_F(NET_F_HOST_USO);
	/* User-Mode Linux talks to us directly and would hand us its control queue; QEMU serves that itself */
	if (!opts->server)
		f |= VIRTIO_F(VIRTIO_NET_F_CTRL_VQ) | VIRTIO_F(VIRTIO_NET_F_CTRL_RX) |
		     VIRTIO_F(VIRTIO_NET_F_GUEST_ANNOUNCE);
	if (!opts->server && opts->queues > 1)
		f |= VIRTIO_F(VIRTIO_NET_F_MQ);
	if (memcmp(opts->mac, (uint8_t[6]){0}, 6))
		f |= VIRTIO_F(VIRTIO_NET_F_MAC);
	return f;
}

/* A socket that nobody listens on any more is what a daemon that was killed has left: make way. */
static void remove_stale(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	strcpy(addr.sun_path, path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) && errno == ECONNREFUSED)
		unlink(path);
	close(fd);
}

/*
 * The library's thread looks for new listening sockets once a second, but is woken by a connection that it makes itself.
 * So let it make one, to a socket of ours beside `path`: what the guest would wait for otherwise. Failing that, it waits.
 */
static void wake_library(const char *path)
{
	static const struct rte_vhost_device_ops none;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd;

	if ((size_t)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s.wake", path) >= sizeof(addr.sun_path))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	unlink(addr.sun_path);
	if (!bind(fd, (struct sockaddr *)&addr, sizeof(addr)) && !listen(fd, 1) &&
	    !rte_vhost_driver_register(addr.sun_path, RTE_VHOST_USER_CLIENT | RTE_VHOST_USER_NO_RECONNECT)) {
		if (!rte_vhost_driver_callback_register(addr.sun_path, &none))
			rte_vhost_driver_start(addr.sun_path);
		rte_vhost_driver_unregister(addr.sun_path);
	}
	unlink(addr.sun_path);
	close(fd);
}

int vhost_open(const struct vif_port *base, const struct vhost_opts *opts, struct vif_port **out)
{
	uint64_t flags = opts->server ? 0 : RTE_VHOST_USER_CLIENT, protocol;
	struct vhost_port *port;
	int err = -EINVAL;

	if (strlen(opts->path) >= sizeof(port->path))
		return -ENAMETOOLONG;
	port = aligned_alloc(64, (sizeof(*port) + 63) & ~63UL);
	if (!port)
		return -ENOMEM;
	memset(port, 0, sizeof(*port));
	port->base = *base;
	port->base.ops = &vhost_ops;
	port->base.mtu = opts->mtu;
	port->queues = opts->queues;
	port->server = opts->server;
	port->vid = -1;
	strcpy(port->path, opts->path);
	memcpy(port->config.mac, opts->mac, 6);
	port->config.status = VIRTIO_NET_S_LINK_UP;
	port->config.max_virtqueue_pairs = opts->queues;
	port->config.mtu = opts->mtu;
	port->offered = features_to_offer(opts);
	pthread_mutex_init(&port->lock, NULL);

	if (opts->server)
		remove_stale(port->path);
	if (rte_vhost_driver_register(port->path, flags)) {
		err = opts->server ? -EADDRINUSE : -EIO;
		goto free_port;
	}
	/* connections may come in as soon as the driver starts: be findable before */
	pthread_mutex_lock(&list_lock);
	port->next = ports;
	ports = port;
	pthread_mutex_unlock(&list_lock);
	/* SLAVE_REQ is for User-Mode Linux, which without it takes interrupt 0 for its rings and fails */
	protocol = 1ULL << VHOST_USER_PROTOCOL_F_SLAVE_REQ | 1ULL << VHOST_USER_PROTOCOL_F_MQ |
		   1ULL << VHOST_USER_PROTOCOL_F_REPLY_ACK | 1ULL << VHOST_USER_PROTOCOL_F_NET_MTU;
	if (opts->server) /* QEMU answers reads of the configuration space itself, and warns of us doing so */
		protocol |= 1ULL << PROTOCOL_F_CONFIG;
	if (rte_vhost_driver_set_features(port->path, port->offered) ||
	    rte_vhost_driver_set_protocol_features(port->path, protocol) ||
	    rte_vhost_driver_callback_register(port->path, &device_ops) || rte_vhost_driver_start(port->path)) {
		vhost_close(&port->base);
		return -EADDRINUSE;
	}
	if (opts->server)
		wake_library(port->path);
	*out = &port->base;
	return 0;

free_port:
	pthread_mutex_destroy(&port->lock);
	free(port);
	return err;
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */
