/* SPDX-License-Identifier: BSD-3-Clause */
#include "ethdev.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_spinlock.h>

#include "copy.h"
#include "grant.h"
#include "vswitch/base/err.h"

#define RX_RING 512
#define TX_RING 512
#define MBUFS 4095

struct ethdev_port {
	struct vif_port base;
	struct rte_mempool *pool;
	rte_spinlock_t tx_lock;
	uint16_t dev;
	uint16_t room; /* bytes of a frame that an mbuf holds */
	unsigned ifindex; /* of the kernel netdev; 0: there is none */
	bool tap; /* it lasts as long as a program holds it open */
	int wait_fd; /* our duplicate of what the worker sleeps on; -1: look once a millisecond */
	char netdev[64], device[64], driver[16];
	const char *reason; /* why that driver: for people */
};

static struct ethdev_port *port_of(struct vif_port *base)
{
	return (struct ethdev_port *)base;
}

/* ---- the packet path --------------------------------------------------------------------------------------------- */

static void describe(const struct rte_mbuf *m, struct vif_burst *burst, struct vif_frame *f, uint8_t *head)
{
	const struct rte_mbuf *s = m;
	unsigned at = 0, first = burst->nseg;

	*f = (struct vif_frame){.head = head, .len = m->pkt_len, .cookie = (uintptr_t)m};
	f->head_len = f->len < VIF_HEAD_LEN ? f->len : VIF_HEAD_LEN;
	for (; s; s = s->next) {
		const uint8_t *p = rte_pktmbuf_mtod(s, const uint8_t *);
		unsigned n = f->head_len - at < s->data_len ? f->head_len - at : s->data_len;

		copy_head(head + at, p, n);
		at += n;
		if (n < s->data_len && burst->nseg < VIF_SEGS)
			burst->seg[burst->nseg++] = (struct vif_seg){.va = p + n, .len = s->data_len - n};
	}
	f->seg = &burst->seg[first];
	f->nseg = burst->nseg - first;
}

static unsigned ethdev_peek(struct vif_port *base, unsigned queue, struct vif_burst *burst)
{
	struct ethdev_port *port = port_of(base);
	struct vif_counters *count = vif_count(base);
	struct rte_mbuf *mbufs[VIF_BURST];
	unsigned n = rte_eth_rx_burst(port->dev, queue, mbufs, VIF_BURST);

	burst->nseg = 0;
	for (unsigned i = 0; i < n; i++) {
		struct vif_frame *f = &burst->frame[i];

		/* the kernel takes the tag off what AF_PACKET reads: put it back */
		if (mbufs[i]->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED && rte_vlan_insert(&mbufs[i]))
			mbufs[i]->pkt_len = 0;
		if (mbufs[i]->pkt_len < 14 || mbufs[i]->nb_segs > VIF_SEGS / VIF_BURST) {
			*f = (struct vif_frame){.head = burst->head[i], .cookie = (uintptr_t)mbufs[i]};
			count->drop[VIF_RX_MALFORMED]++;
			continue;
		}
		describe(mbufs[i], burst, f, burst->head[i]);
		count->rx_frames++;
		count->rx_bytes += f->len;
		if (f->len > count->rx_max)
			count->rx_max = f->len;
	}
	burst->n = n;
	return n;
}

static void ethdev_release(struct vif_port *base, unsigned queue, const struct vif_burst *burst)
{
	(void)base;
	(void)queue;
	for (unsigned i = 0; i < burst->n; i++)
		rte_pktmbuf_free((struct rte_mbuf *)burst->frame[i].cookie);
}

/* Make the queued copies, and free the mbufs whose bytes could not be read. Returns how many are left. */
static unsigned without_failed(struct vif_frame *const *frames, struct rte_mbuf **mbufs, const uint8_t *origin,
			       unsigned n, uint64_t *bytes)
{
	uint64_t bad = grant_flush().bad_src;
	unsigned left = 0;

	for (unsigned k = 0; k < n; k++) {
		if (!(bad & 1ull << k)) {
			mbufs[left++] = mbufs[k];
			continue;
		}
		frames[origin[k]]->failed = true;
		*bytes -= mbufs[k]->pkt_len;
		rte_pktmbuf_free(mbufs[k]);
	}
	return left;
}

static unsigned ethdev_deliver(struct vif_port *base, unsigned queue, struct vif_frame *const *frames, unsigned n)
{
	struct ethdev_port *port = port_of(base);
	struct vif_counters *count = vif_count(base);
	struct rte_mbuf *mbufs[VIF_BURST];
	uint8_t origin[VIF_BURST]; /* index of the frame that an mbuf was made of */
	unsigned made = 0, sent, i;
	uint64_t bytes = 0;
	bool unmapped = false;

	for (i = 0; i < n && made < VIF_BURST; i++) {
		const struct vif_frame *f = frames[i];
		struct rte_mbuf *m;
		uint8_t *p;

		if (f->len > port->room) {
			count->drop[VIF_TX_TOO_BIG]++;
			continue;
		}
		m = rte_pktmbuf_alloc(port->pool);
		if (!m) {
			count->drop[VIF_TX_NO_BUFFER]++;
			continue;
		}
		p = rte_pktmbuf_mtod(m, uint8_t *);
		copy_head(p, f->head, f->head_len);
		p += f->head_len;
		if (__builtin_expect(vif_unmapped(f), 0))
			unmapped = true;
		for (unsigned s = 0; s < f->nseg; s++) {
			if (__builtin_expect(f->seg[s].va != NULL, 1))
				memcpy(p, f->seg[s].va, f->seg[s].len);
			else
				grant_copy_in(made, p, &f->grant[s], f->seg[s].len);
			p += f->seg[s].len;
		}
		origin[made] = i;
		m->data_len = m->pkt_len = f->len;
		bytes += f->len;
		if (f->len > count->tx_max)
			count->tx_max = f->len;
		mbufs[made++] = m;
	}
	if (unmapped)
		made = without_failed(frames, mbufs, origin, made, &bytes);
	if (base->shared)
		rte_spinlock_lock(&port->tx_lock);
	sent = rte_eth_tx_burst(port->dev, queue, mbufs, made);
	if (base->shared)
		rte_spinlock_unlock(&port->tx_lock);
	count->tx_frames += sent;
	for (unsigned k = sent; k < made; k++) {
		bytes -= mbufs[k]->pkt_len;
		rte_pktmbuf_free(mbufs[k]);
		count->drop[VIF_TX_ERROR]++;
	}
	count->tx_bytes += bytes;
	return i;
}

/* ---- open and close ---------------------------------------------------------------------------------------------- */

static void detach(const struct ethdev_port *port)
{
	rte_eal_hotplug_remove(strcmp(port->driver, "pci") ? "vdev" : "pci", port->device);
}

static void ethdev_close(struct vif_port *base)
{
	struct ethdev_port *port = port_of(base);

	if (port->wait_fd >= 0) {
		epoll_ctl(base->epfd[0], EPOLL_CTL_DEL, port->wait_fd, NULL);
		close(port->wait_fd);
	}
	rte_eth_promiscuous_disable(port->dev); /* a kernel netdev keeps the flag otherwise */
	rte_eth_dev_stop(port->dev);
	rte_eth_dev_close(port->dev);
	detach(port);
	rte_mempool_free(port->pool);
	free(port);
}

/* Link state as the driver knows it now. */
static bool has_link(const struct ethdev_port *port)
{
	struct rte_eth_link link;

	return !rte_eth_link_get_nowait(port->dev, &link) && link.link_status;
}

static void ethdev_describe(const struct vif_port *base, struct vif_about *about)
{
	const struct ethdev_port *port = (const struct ethdev_port *)base;

	snprintf(about->detail, sizeof(about->detail), "%s by %s", port->netdev, port->driver);
	about->connected = base->up && has_link(port);
}

static int ethdev_check(struct vif_port *base, struct err *err)
{
	struct ethdev_port *port = port_of(base);
	socklen_t len = sizeof(int);
	int error;

	if (!port->ifindex || !base->up)
		return 0;
	/* While the netdev is down its socket has an error, which would wake the worker on and on: reading it clears it. */
	if (port->wait_fd >= 0)
		getsockopt(port->wait_fd, SOL_SOCKET, SO_ERROR, &error, &len);
	/* by index: hooks rename netdevs under us */
	if (if_indextoname(port->ifindex, (char[IFNAMSIZ]){0}))
		return 0;
	base->up = false;
	if (port->wait_fd >= 0)
		epoll_ctl(base->epfd[0], EPOLL_CTL_DEL, port->wait_fd, NULL);
	/* A tap ends with the program that has made it. */
	if (port->tap)
		return err_set(err, -ESHUTDOWN, "its tap %s has been closed", port->netdev);
	return err_set(err, -ENODEV,
		       "its netdev %s has vanished: delete the uplink, and add it again when the netdev is back",
		       port->netdev);
}

static bool ethdev_needs_poll(const struct vif_port *base)
{
	return ((const struct ethdev_port *)base)->wait_fd < 0;
}

const struct vif_ops ethdev_ops = {
	.kind = "uplink",
	.role = VIF_ROLE_UPLINK,
	.peek = ethdev_peek,
	.release = ethdev_release,
	.deliver = ethdev_deliver,
	.describe = ethdev_describe,
	.check = ethdev_check,
	.needs_poll = ethdev_needs_poll,
	.close = ethdev_close,
};

static bool is_tap(const char *netdev)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/net/%s/tun_flags", netdev);
	return !access(path, F_OK);
}

#define COOKIES 256

/* Sockets of `family` that the process has: the kernel's cookie of each, at most COOKIES. How many. */
static unsigned list_sockets(int family, uint64_t *cookie, int *fds)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	unsigned n = 0;

	while (dir && n < COOKIES && (entry = readdir(dir))) {
		socklen_t len = sizeof(int), size = sizeof(*cookie);
		int fd = atoi(entry->d_name), domain;

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) || domain != family ||
		    getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie[n], &size))
			continue;
		fds[n++] = fd;
	}
	if (dir)
		closedir(dir);
	return n;
}

/*
 * The socket that the driver has opened for itself, the one that poll(2) tells of frames for: one of `family` that is
 * not among the `nbefore` that there were before. A duplicate, or -1.
 */
static int find_socket(int family, const uint64_t *before, unsigned nbefore)
{
	uint64_t now[COOKIES];
	int fds[COOKIES];
	unsigned n = list_sockets(family, now, fds);

	for (unsigned i = 0; i < n; i++) {
		bool old = false;

		for (unsigned k = 0; k < nbefore && !old; k++)
			old = before[k] == now[i];
		if (!old)
			return fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
	}
	return -1;
}

/*
 * A packet socket hears what the kernel itself sends on the netdev, too: the host's own frames would come in as if from
 * beyond, and its probes for duplicate addresses would find themselves. (A filter, since PACKET_IGNORE_OUTGOING does
 * nothing for a socket in a fanout group, where the driver puts its own.)
 */
static void ignore_outgoing(int fd, int family)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog filter = {sizeof(code) / sizeof(code[0]), code};

	if (fd >= 0 && family == AF_PACKET)
		setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

static bool is_pci(const char *name)
{
	unsigned domain, bus, slot, function;

	return sscanf(name, "%x:%x:%x.%x", &domain, &bus, &slot, &function) == 4 ||
	       sscanf(name, "%x:%x.%x", &bus, &slot, &function) == 3;
}

/* Bytes of a frame in AF_PACKET's ring. */
static int ring_frame(uint32_t mtu)
{
	return mtu > 1900 ? 16384 : 2048;
}

/* Set up device, queues and pool; start. */
static int start(struct ethdev_port *port, struct err *err)
{
	struct rte_eth_conf conf = {0};
	uint16_t mtu = port->base.mtu;
	char pool[RTE_MEMPOOL_NAMESIZE];
	int r;

	port->room = (mtu < 1500 ? 1500 : mtu) + 14 + 8;
	snprintf(pool, sizeof(pool), "uplink%u", port->base.id);
	/* AF_PACKET wants buffers of the size of its ring's frames, whatever comes in them. */
	int least = !strcmp(port->driver, "af_packet") ? ring_frame(mtu) : 2048;
	port->pool = rte_pktmbuf_pool_create(
		pool, MBUFS, 128, 0, RTE_PKTMBUF_HEADROOM + (port->room < least ? least : port->room), SOCKET_ID_ANY);
	if (!port->pool)
		return err_set(err, -ENOMEM,
			       "no memory for %d packet buffers: give xbard hugepages (sysctl vm.nr_hugepages)", MBUFS);
	r = rte_eth_dev_configure(port->dev, 1, 1, &conf);
	if (!r)
		r = rte_eth_rx_queue_setup(port->dev, 0, RX_RING, SOCKET_ID_ANY, NULL, port->pool);
	if (!r)
		r = rte_eth_tx_queue_setup(port->dev, 0, TX_RING, SOCKET_ID_ANY, NULL);
	if (!r)
		r = rte_eth_dev_start(port->dev);
	if (r) {
		rte_mempool_free(port->pool);
		return err_set(err, r, "%s: the %s driver would not start: %s", port->netdev, port->driver,
			       strerror(-r));
	}
	rte_eth_promiscuous_enable(port->dev);
	return 0;
}

static int netdev_check(const char *netdev, uint32_t *mtu, struct err *err)
{
	struct ifreq ifr = {0};
	int fd, r = 0;

	if (strlen(netdev) >= IFNAMSIZ || !if_nametoindex(netdev))
		return err_set(err, -ENODEV, "there is no netdev %s here: `ip link` shows those that there are",
			       netdev);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	strcpy(ifr.ifr_name, netdev);
	if (fd < 0 || ioctl(fd, SIOCGIFMTU, &ifr)) {
		r = err_set(err, -errno, "%s: %s", netdev, strerror(errno));
	} else {
		*mtu = ifr.ifr_mtu;
		if (!ioctl(fd, SIOCGIFFLAGS, &ifr) && !(ifr.ifr_flags & IFF_UP)) {
			ifr.ifr_flags |= IFF_UP;
			ioctl(fd, SIOCSIFFLAGS, &ifr);
		}
	}
	if (fd >= 0)
		close(fd);
	return r;
}

int ethdev_open(const struct vif_port *base, const struct ethdev_opts *opts, struct vif_port **out, struct err *err)
{
	const char *driver = opts->driver, *reason = "as asked";
	struct ethdev_port *port;
	uint64_t before[COOKIES];
	int fds[COOKIES], family, r;
	unsigned nbefore;
	uint32_t mtu = 1500;
	char args[160];

	port = aligned_alloc(64, (sizeof(*port) + 63) & ~63UL);
	if (!port)
		return err_nomem(err);
	memset(port, 0, sizeof(*port));
	port->base = *base;
	port->base.ops = &ethdev_ops;
	port->base.rx_queues = port->base.tx_queues = 1;
	port->base.shared_uplink = true;
	port->base.mtu = mtu;
	port->wait_fd = -1;
	snprintf(port->netdev, sizeof(port->netdev), "%s", opts->netdev);
	if (!driver && is_pci(opts->netdev)) {
		driver = "pci";
		reason = "it is a PCI address";
	} else if (!driver) {
		driver = "af_packet";
		reason = "it stays with its kernel driver; AF_XDP only where it is asked for";
	}
	snprintf(port->driver, sizeof(port->driver), "%s", driver);
	family = strcmp(driver, "af_xdp") ? AF_PACKET : AF_XDP;
	nbefore = list_sockets(family, before, fds);
	if (!strcmp(driver, "pci")) {
		snprintf(port->device, sizeof(port->device), "%s", opts->netdev);
		args[0] = 0;
		r = rte_eal_hotplug_add("pci", opts->netdev, "");
	} else {
		r = netdev_check(opts->netdev, &mtu, err);
		if (r)
			goto free_port;
		port->base.mtu = mtu;
		snprintf(port->device, sizeof(port->device), "net_%s%u", driver, base->id);
		if (!strcmp(driver, "af_packet"))
			snprintf(args, sizeof(args),
				 "iface=%s,qpairs=1,blocksz=%d,framesz=%d,framecnt=512,qdisc_bypass=1", opts->netdev,
				 mtu > 1900 ? 65536 : 4096, ring_frame(mtu));
		else
			snprintf(args, sizeof(args), "iface=%s,start_queue=0,queue_count=1", opts->netdev);
		r = rte_eal_hotplug_add("vdev", port->device, args);
	}
	if (r) {
		r = err_set(err, r < 0 ? r : -EIO,
			    !strcmp(driver, "pci")
				    ? "%s: DPDK cannot take this device: is it bound to vfio-pci (driverctl "
				      "set-override %s vfio-pci)?"
				    : "%s: the %s driver would not take it: is another program using it? "
				      "Try the other of af_packet and af_xdp",
			    opts->netdev, !strcmp(driver, "pci") ? opts->netdev : driver);
		goto free_port;
	}
	r = rte_eth_dev_get_port_by_name(port->device, &port->dev);
	if (r)
		err_set(err, r, "%s: the %s driver has made no device of it", opts->netdev, driver);
	else
		r = start(port, err);
	if (r)
		goto remove;
	if (strcmp(driver, "pci")) {
		port->ifindex = if_nametoindex(opts->netdev);
		port->tap = is_tap(opts->netdev);
		port->wait_fd = find_socket(family, before, nbefore);
		ignore_outgoing(port->wait_fd, family);
	}
	if (port->wait_fd >= 0) {
		struct epoll_event ev = {.events = EPOLLIN};

		epoll_ctl(base->epfd[0], EPOLL_CTL_ADD, port->wait_fd, &ev);
	}
	port->reason = reason;
	port->base.up = true;
	*out = &port->base;
	return 0;

remove:
	detach(port);
free_port:
	free(port);
	return r;
}

void ethdev_choice(const struct vif_port *base, char *buf, size_t size)
{
	const struct ethdev_port *port = (const struct ethdev_port *)base;

	snprintf(buf, size, "%s by the %s driver (%s)%s", port->netdev, port->driver, port->reason,
		 port->wait_fd < 0 ? "; it cannot wake a sleeping worker, so one looks every millisecond" : "");
}
