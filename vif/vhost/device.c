/* SPDX-License-Identifier: BSD-3-Clause */
#include "device.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/virtio_config.h>

#include "ctrlq.h"

uint64_t device_features(bool offload, bool mac, bool multiqueue)
{
	uint64_t f = VIRTIO_F(VIRTIO_F_VERSION_1) | VIRTIO_F(VIRTIO_F_ANY_LAYOUT) | VIRTIO_F(VIRTIO_NET_F_MRG_RXBUF) |
		     VIRTIO_F(VIRTIO_RING_F_INDIRECT_DESC) | VIRTIO_F(VIRTIO_RING_F_EVENT_IDX) |
		     VIRTIO_F(VHOST_USER_F_PROTOCOL_FEATURES) | VIRTIO_F(VHOST_F_LOG_ALL) | VIRTIO_F(VIRTIO_NET_F_MTU) |
		     VIRTIO_F(VIRTIO_NET_F_CTRL_VQ) | VIRTIO_F(VIRTIO_NET_F_CTRL_RX) |
		     VIRTIO_F(VIRTIO_NET_F_GUEST_ANNOUNCE) | VIRTIO_F(VIRTIO_F_RING_PACKED);

	if (offload)
		f |= VIRTIO_F(VIRTIO_NET_F_CSUM) | VIRTIO_F(VIRTIO_NET_F_GUEST_CSUM) |
		     VIRTIO_F(VIRTIO_NET_F_HOST_TSO4) | VIRTIO_F(VIRTIO_NET_F_HOST_TSO6) |
		     VIRTIO_F(VIRTIO_NET_F_HOST_ECN) | VIRTIO_F(VIRTIO_NET_F_GUEST_TSO4) |
		     VIRTIO_F(VIRTIO_NET_F_GUEST_TSO6) | VIRTIO_F(VIRTIO_NET_F_GUEST_ECN) | VIRTIO_F(NET_F_GUEST_USO4) |
		     VIRTIO_F(NET_F_GUEST_USO6) | VIRTIO_F(NET_F_HOST_USO);
	if (mac)
		f |= VIRTIO_F(VIRTIO_NET_F_MAC);
	if (multiqueue)
		f |= VIRTIO_F(VIRTIO_NET_F_MQ);
	return f;
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

unsigned device_ctrl(const struct device *d)
{
	if (!(d->features & VIRTIO_F(VIRTIO_NET_F_CTRL_VQ)))
		return VRINGS_MAX;
	return d->features & VIRTIO_F(VIRTIO_NET_F_MQ) ? 2 * d->pairs : 2;
}

/* ---- the control ring -------------------------------------------------------------------------------------------- */

static void on_ctrl(evutil_socket_t fd, short what, void *arg)
{
	struct device *d = arg;
	struct session *session = d->session;
	unsigned pairs = d->active;
	bool more;

	(void)fd;
	(void)what;
	if (!session || __atomic_load_n(&d->port->quarantine, __ATOMIC_RELAXED))
		return;
	ctrlq_serve(&session->ctrl, d->pairs, &pairs);
	if (session->ctrl.broken) {
		vif_quarantine(d->port, session->ctrl.broken);
		return;
	}
	more = ring_arm(&session->ctrl); /* a full barrier */
	if (ring_notify(&session->ctrl))
		signal_send(&session->ctrl_call);
	if (pairs != d->active) {
		device_stop(d);
		d->active = pairs;
		device_settle(d); /* looks at the ring again */
	} else if (more) {
		event_active(d->ctrl, EV_READ, 0);
	}
}

static void ctrl_start(struct device *d)
{
	if (!d->session->ctrl.enabled)
		return;
	if (d->session->ctrl.kickfd >= 0)
		d->ctrl = event_new(d->loop, d->session->ctrl.kickfd, EV_READ | EV_PERSIST | EV_ET, on_ctrl, d);
	if (!d->ctrl || event_add(d->ctrl, NULL))
		return;
	event_active(d->ctrl, EV_READ, 0);
}

static void ctrl_stop(struct device *d)
{
	if (d->ctrl)
		event_free(d->ctrl);
	d->ctrl = NULL;
}

/* ---- what workers see -------------------------------------------------------------------------------------------- */

/* Make the worker that sleeps in `epfd` look at its queues. No descriptor of a guest's is written to for that. */
static void wake(int epfd)
{
	static int ready = -1; /* always readable */
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};

	if (ready < 0)
		ready = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (epoll_ctl(epfd, EPOLL_CTL_MOD, ready, &ev))
		epoll_ctl(epfd, EPOLL_CTL_ADD, ready, &ev);
}

/* One bit for each ring that was set up to run. */
static uint64_t set_up(const struct device *d)
{
	const bool enable = !(d->features & VIRTIO_F(VHOST_USER_F_PROTOCOL_FEATURES));
	uint64_t mask = 0;

	for (unsigned i = 0; i < VRINGS_MAX; i++)
		if (d->setup[i].started && d->setup[i].addressed && (enable || d->setup[i].enabled))
			mask |= 1ULL << i;
	return mask;
}

static void unshow(struct device *d, bool unseen)
{
	struct session *session = d->session;

	d->built = false;
	if (!session)
		return;
	d->port->up = false;
	__atomic_store_n(&d->session, NULL, __ATOMIC_RELEASE);
	ctrl_stop(d);
	for (unsigned q = 0; q < session->pairs; q++)
		if (session->rx[q].enabled && session->rx[q].kickfd >= 0)
			epoll_ctl(d->port->epfd[q], EPOLL_CTL_DEL, session->rx[q].kickfd, NULL);
	vif_memory_gone(d->port);
	if (!unseen)
		vif_synchronize();
	rings_collect(d->setup, session, device_ctrl(d));
	rings_free(session);
}

static void show(struct device *d)
{
	const struct rings_plan plan = {
		.features = d->features, .pairs = d->pairs, .active = d->active, .ctrl = device_ctrl(d)};
	struct session *session;

	d->built = true;
	d->shown = set_up(d);
	d->fault.text[0] = '\0';
	if (!d->shown || !d->memory.n || !d->negotiated)
		return;
	session = rings_build(d->setup, &d->memory, &plan, &d->fault);
	if (!session)
		return;
	d->port->rx_queues = session->rx_queues;
	d->port->tx_queues = session->tx_queues;
	d->port->caps = caps_of(session->features);
	__atomic_store_n(&d->session, session, __ATOMIC_RELEASE);
	d->port->up = session->tx_queues > 0;
	for (unsigned q = 0; q < session->pairs; q++) {
		struct epoll_event ev = {.events = EPOLLIN | EPOLLET};

		if (!session->rx[q].enabled)
			continue;
		if (session->rx[q].kickfd >= 0)
			epoll_ctl(d->port->epfd[q], EPOLL_CTL_ADD, session->rx[q].kickfd, &ev);
		wake(d->port->epfd[q]); /* so that the worker sees the ring and arms it */
	}
	ctrl_start(d);
}

void device_touch(struct device *d, unsigned index)
{
	if (d->built && d->shown & 1ULL << index)
		unshow(d, false);
}

void device_stop(struct device *d)
{
	unshow(d, false);
}

void device_settle(struct device *d)
{
	if (d->built && d->shown == set_up(d))
		return;
	unshow(d, false);
	show(d);
}

void device_start_ring(struct device *d, unsigned index)
{
	bool first = true;

	for (unsigned i = 0; i < VRINGS_MAX; i++)
		first &= !d->setup[i].started;
	d->setup[index].started = true;
	if (index == device_ctrl(d) && d->features & VIRTIO_F(VIRTIO_NET_F_MQ))
		d->active = 1; /* until the driver says otherwise */
	if (first && !memory_is_truncated(&d->memory))
		__atomic_store_n(&d->port->quarantine, NULL, __ATOMIC_RELEASE);
}

void device_announce(struct device *d, const uint8_t mac[6])
{
	uint64_t announce = DEVICE_ANNOUNCE;

	memcpy(&announce, mac, 6);
	__atomic_store_n(&d->announce, announce, __ATOMIC_RELEASE);
	wake(d->port->epfd[0]);
}

void device_init(struct device *d)
{
	d->memory.port = d->port;
	d->backend = -1;
	d->active = d->pairs;
	for (unsigned i = 0; i < VRINGS_MAX; i++)
		ring_setup_init(&d->setup[i]);
}

void device_reset_rings(struct device *d)
{
	unshow(d, false);
	for (unsigned i = 0; i < VRINGS_MAX; i++)
		ring_setup_reset(&d->setup[i]);
	d->features = 0;
	d->negotiated = false;
	d->status = 0;
	d->active = d->pairs;
}

void device_reset(struct device *d, bool unseen)
{
	unshow(d, unseen);
	device_reset_rings(d);
	memory_clear(&d->memory);
	memory_log_clear(&d->memory);
	__atomic_store_n(&d->announce, 0, __ATOMIC_RELAXED);
	if (d->backend >= 0)
		close(d->backend);
	d->backend = -1;
	d->owned = d->asked = d->offers_config = false;
	d->protocol = 0;
	d->fault.text[0] = '\0';
}
