/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "copy.h"
#include "grant.h"
#include "vnet.h"

#define TAP_BURST 16 /* frames read in a pass: each may be 64 KiB */
#define TAP_HDR ((int)sizeof(struct virtio_net_hdr_mrg_rxbuf))
#define TAP_SLOT (VIF_FRAME_MAX + TAP_HDR)
#define TAP_IOV 200 /* pieces of a frame given to the kernel; UIO_MAXIOV is 1024 */

#ifndef TUNSETCARRIER /* Linux 5.0 */
#define TUNSETCARRIER _IOW('T', 226, int)
#endif
#ifndef TUN_F_USO4 /* Linux 6.2 */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/*
 * Reading an empty TAP costs a system call: 0.2 microseconds, or well over one in a virtual machine. So a worker that is
 * busy with other ports backs off, until it pauses for PAUSE_MAX times as long as such a read takes.
 */
#define PAUSE_MAX 64
#define PAUSE_MAX_US 100
/* While the netdev is down, flooded frames are not offered to the kernel one by one: that is tried again so often. */
#define DOWN_US 10000

struct tap_port {
	struct vif_port base;
	int fd;
	uint64_t ask_at; /* TSC */
	uint64_t pause; /* TSC cycles; 0 after a frame */
	uint64_t down_until; /* TSC; written by any worker */
	uint8_t *slots; /* TAP_BURST of TAP_SLOT bytes: what was read last */
};

static struct tap_port *port_of(struct vif_port *base)
{
	return (struct tap_port *)base;
}

static uint64_t cycles_of(uint64_t us)
{
	return rte_get_tsc_hz() / 1000000 * us;
}

/* The TAP was empty, and finding that out took from `began` to `now`. */
static void back_off(struct tap_port *port, uint64_t began, uint64_t now)
{
	uint64_t cost = now - began, max = PAUSE_MAX * cost, most = cycles_of(PAUSE_MAX_US);

	port->pause = port->pause ? 2 * port->pause : cost;
	if (port->pause > max)
		port->pause = max;
	if (port->pause > most)
		port->pause = most;
	port->ask_at = now + port->pause;
}

static unsigned tap_peek(struct vif_port *base, unsigned queue, struct vif_burst *burst)
{
	struct tap_port *port = port_of(base);
	struct vif_counters *count = vif_count(base);
	const uint64_t began = rte_rdtsc();
	unsigned n = 0;

	(void)queue;
	if (port->pause && began < port->ask_at)
		return 0;
	for (; n < TAP_BURST; n++) {
		uint8_t *slot = port->slots + (size_t)n * TAP_SLOT;
		struct vif_frame *f = &burst->frame[n];
		ssize_t got = read(port->fd, slot, TAP_SLOT);
		struct virtio_net_hdr hdr;
		uint8_t *p = slot + TAP_HDR;

		if (got < TAP_HDR + 14) {
			if (got < 0)
				break; /* nothing there, or the device was deleted: the control thread sees that */
			got = TAP_HDR;
		}
		memcpy(&hdr, slot, sizeof(hdr));
		f->head = burst->head[n];
		f->len = got - TAP_HDR;
		f->head_len = f->len < VIF_HEAD_LEN ? f->len : VIF_HEAD_LEN;
		f->nseg = 0;
		if (!f->len || !vnet_parse(&hdr, f->len, hdr.gso_type && vnet_is_v6(p, f->head_len), &f->off)) {
			count->drop[VIF_RX_MALFORMED]++;
			f->len = f->head_len = 0;
			continue;
		}
		copy_head(f->head, p, f->head_len);
		if (f->len > f->head_len) {
			burst->seg[n] = (struct vif_seg){.va = p + f->head_len, .len = f->len - f->head_len};
			f->seg = &burst->seg[n];
			f->nseg = 1;
		}
		count->rx_frames++;
		count->rx_bytes += f->len;
		count->rx_gso += f->off.gso_size != 0;
		if (f->len > count->rx_max)
			count->rx_max = f->len;
	}
	if (n) {
		port->pause = 0;
		__atomic_store_n(&port->down_until, 0, __ATOMIC_RELAXED); /* what sends is up */
	} else {
		back_off(port, began, rte_rdtsc());
	}
	burst->n = n;
	return n;
}

/* The worker was woken, perhaps by us. */
static void tap_disarm(struct vif_port *base, unsigned queue)
{
	(void)queue;
	port_of(base)->pause = 0;
}

static void tap_release(struct vif_port *base, unsigned queue, const struct vif_burst *burst)
{
	(void)base;
	(void)queue;
	(void)burst; /* the slots are simply read into again */
}

static unsigned tap_deliver(struct vif_port *base, unsigned queue, struct vif_frame *const *frames, unsigned n)
{
	struct tap_port *port = port_of(base);
	struct vif_counters *count = vif_count(base);
	struct vif_frame *room[VIF_BURST];

	(void)queue; /* the kernel locks */
	if (rte_rdtsc() < __atomic_load_n(&port->down_until, __ATOMIC_RELAXED)) {
		count->drop[VIF_TX_DOWN] += n;
		return n;
	}
	frames = grant_copy_local(frames, n, room);
	for (unsigned i = 0; i < n; i++) {
		const struct vif_frame *f = frames[i];
		struct virtio_net_hdr_mrg_rxbuf hdr = {.num_buffers = 0};
		struct iovec iov[TAP_IOV];
		unsigned k = 2;

		if (!f->len)
			continue; /* its sender's fault, and counted there */
		if (f->nseg > TAP_IOV - 2) {
			count->drop[VIF_TX_TOO_BIG]++;
			continue;
		}
		vnet_write(&f->off, &hdr.hdr);
		if (f->off.gso_size) /* the kernel pulls this much: it must cover the headers, not more */
			hdr.hdr.hdr_len = f->off.hdr_len < f->len ? f->off.hdr_len : f->head_len;
		iov[0] = (struct iovec){&hdr, TAP_HDR};
		iov[1] = (struct iovec){f->head, f->head_len};
		for (unsigned s = 0; s < f->nseg; s++, k++)
			iov[k] = (struct iovec){(void *)(uintptr_t)f->seg[s].va, f->seg[s].len};
		if (writev(port->fd, iov, k) < 0) {
			if (errno == EAGAIN)
				return i;
			if (errno == EIO) { /* the netdev is down */
				count->drop[VIF_TX_DOWN] += n - i;
				__atomic_store_n(&port->down_until, rte_rdtsc() + cycles_of(DOWN_US), __ATOMIC_RELAXED);
				return n;
			}
			count->drop[VIF_TX_ERROR]++;
			continue;
		}
		count->tx_frames++;
		count->tx_bytes += f->len;
		count->tx_gso += f->off.gso_size != 0;
		if (f->len > count->tx_max)
			count->tx_max = f->len;
	}
	return n;
}

static void tap_close(struct vif_port *base)
{
	struct tap_port *port = port_of(base);

	epoll_ctl(base->epfd[0], EPOLL_CTL_DEL, port->fd, NULL);
	close(port->fd);
	free(port->slots);
	free(port);
}

/* One request about the netdev, by a socket of the moment. */
static int netdev_ioctl(const char *name, unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = 0;

	if (fd < 0)
		return -errno;
	memcpy(ifr->ifr_name, name, strnlen(name, IFNAMSIZ - 1)); /* tap_open() has checked its length */
	if (ioctl(fd, request, ifr))
		r = -errno;
	close(fd);
	return r;
}

static int tap_set_mtu(struct vif_port *base, uint32_t mtu)
{
	struct ifreq ifr = {.ifr_mtu = (int)mtu};
	int r = netdev_ioctl(base->name, SIOCSIFMTU, &ifr);

	if (!r)
		base->mtu = mtu;
	return r;
}

int tap_mac(const struct vif_port *base, uint8_t mac[6])
{
	struct ifreq ifr = {0};
	int r = netdev_ioctl(base->name, SIOCGIFHWADDR, &ifr);

	if (!r)
		memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	return r;
}

static int tap_set_mac(struct vif_port *base, const uint8_t mac[6])
{
	struct ifreq ifr = {.ifr_hwaddr.sa_family = ARPHRD_ETHER};

	memcpy(ifr.ifr_hwaddr.sa_data, mac, 6);
	return netdev_ioctl(base->name, SIOCSIFHWADDR, &ifr);
}

static int tap_set_carrier(struct vif_port *base, bool carrier)
{
	int value = carrier;

	return ioctl(port_of(base)->fd, TUNSETCARRIER, &value) ? -errno : 0;
}

static void tap_unpersist(struct vif_port *base)
{
	ioctl(port_of(base)->fd, TUNSETPERSIST, 0);
}

static void tap_describe(const struct vif_port *base, struct vif_about *about)
{
	snprintf(about->detail, sizeof(about->detail), "TAP %s", base->name);
	snprintf(about->features, sizeof(about->features), "csum tso4 tso6%s", base->caps & VIF_CAP_USO4 ? " uso" : "");
}

const struct vif_ops tap_ops = {
	.kind = "host",
	.role = VIF_ROLE_HOST,
	.peek = tap_peek,
	.release = tap_release,
	.deliver = tap_deliver,
	.disarm = tap_disarm,
	.describe = tap_describe,
	.set_mtu = tap_set_mtu,
	.set_mac = tap_set_mac,
	.set_carrier = tap_set_carrier,
	.unpersist = tap_unpersist,
	.close = tap_close,
};

static int set_up(const char *name, const uint8_t *mac)
{
	struct ifreq ifr = {0};
	int r;

	if (mac) {
		struct ifreq now = {0};

		ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
		memcpy(ifr.ifr_hwaddr.sa_data, mac, 6);
		/* an adopted device keeps its MAC, and need not go down for it */
		if (netdev_ioctl(name, SIOCGIFHWADDR, &now) || memcmp(now.ifr_hwaddr.sa_data, mac, 6)) {
			r = netdev_ioctl(name, SIOCSIFHWADDR, &ifr);
			if (r)
				return r;
		}
	}
	memset(&ifr, 0, sizeof(ifr));
	r = netdev_ioctl(name, SIOCGIFFLAGS, &ifr);
	if (r || ifr.ifr_flags & IFF_UP)
		return r;
	ifr.ifr_flags |= IFF_UP;
	return netdev_ioctl(name, SIOCSIFFLAGS, &ifr);
}

int tap_open(const struct vif_port *base, const uint8_t *mac, uint32_t mtu, struct vif_port **out)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	unsigned offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	struct epoll_event ev = {.events = EPOLLIN};
	struct tap_port *port;
	int hdr = TAP_HDR, r;
	bool uso;

	if (strlen(base->name) >= IFNAMSIZ)
		return -ENAMETOOLONG;
	port = aligned_alloc(64, (sizeof(*port) + 63) & ~63UL);
	if (!port)
		return -ENOMEM;
	memset(port, 0, sizeof(*port));
	port->base = *base;
	port->base.ops = &tap_ops;
	port->base.rx_queues = port->base.tx_queues = 1;
	port->slots = malloc((size_t)TAP_BURST * TAP_SLOT);
	port->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (!port->slots || port->fd < 0)
		goto fail;
	strcpy(ifr.ifr_name, base->name);
	if (ioctl(port->fd, TUNSETIFF, &ifr))
		goto fail;
	if (ioctl(port->fd, TUNSETVNETHDRSZ, &hdr) || ioctl(port->fd, TUNSETPERSIST, 1))
		goto fail;
	uso = !ioctl(port->fd, TUNSETOFFLOAD, (unsigned long)(offload | TUN_F_USO4 | TUN_F_USO6));
	if (!uso && ioctl(port->fd, TUNSETOFFLOAD, (unsigned long)offload))
		goto fail;
	port->base.caps = VIF_CAP_CSUM | VIF_CAP_TSO4 | VIF_CAP_TSO6 | VIF_CAP_ECN;
	if (uso)
		port->base.caps |= VIF_CAP_USO4 | VIF_CAP_USO6;
	r = tap_set_mtu(&port->base, mtu);
	if (!r)
		r = set_up(base->name, mac);
	if (!r && epoll_ctl(base->epfd[0], EPOLL_CTL_ADD, port->fd, &ev))
		r = -errno;
	if (r) {
		tap_unpersist(&port->base);
		errno = -r;
		goto fail;
	}
	port->base.up = true;
	*out = &port->base;
	return 0;

fail:
	r = errno ? -errno : -ENOMEM;
	if (port->fd >= 0)
		close(port->fd);
	free(port->slots);
	free(port);
	return r;
}
