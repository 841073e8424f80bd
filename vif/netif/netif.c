/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation. A session is everything that belongs to one connected frontend. It is published in port->session,
 * which each call of a worker reads once. Connecting makes a session; disconnecting unpublishes it, waits for the workers,
 * and gives pages and channels back.
 *
 * Waking. Each queue has a handle on /dev/xen/evtchn of its own, whose descriptor is in the epoll set of the queue's
 * worker, edge-triggered. A channel that has fired is masked until it is acknowledged, which the worker does when it
 * arms the queue: a busy queue takes one signal of its guest at most.
 */
#include "netif.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "netif_impl.h"
#include "vif/grant.h"

/* ---- the packet path --------------------------------------------------------------------------------------------- */

static inline struct netif_session *session_of(struct vif_port *base)
{
	if (__builtin_expect(__atomic_load_n(&base->quarantine, __ATOMIC_RELAXED) != NULL, 0))
		return NULL;
	return __atomic_load_n(&netif_port_of(base)->session, __ATOMIC_ACQUIRE);
}

static unsigned netif_peek(struct vif_port *base, unsigned queue, struct vif_burst *burst)
{
	struct netif_session *session = session_of(base);
	struct vif_counters *count = vif_count(base);
	struct netif_tx *tx;
	uint64_t before;
	unsigned n;

	burst->n = 0;
	if (!session || queue >= session->queues)
		return 0;
	tx = &session->queue[queue].tx;
	tx->staged = __atomic_load_n(&session->staged[queue], __ATOMIC_ACQUIRE);
	before = count->rx_frames;
	n = netif_tx_peek(tx, burst, count);
	session->queue[queue].rx_frames += count->rx_frames - before;
	if (__builtin_expect(tx->broken != NULL, 0))
		netif_quarantine_ring(base, &tx->broken);
	return n;
}

static void netif_release(struct vif_port *base, unsigned queue, const struct vif_burst *burst)
{
	struct netif_session *session = session_of(base);

	if (session)
		netif_tx_release(&session->queue[queue].tx, burst, vif_count(base));
}

static unsigned deliver_to(struct vif_port *base, struct netif_session *session, unsigned queue,
			   struct vif_frame *const *frames, unsigned n)
{
	struct vif_counters *count = vif_count(base);
	struct queue *q = &session->queue[queue];
	uint64_t before = count->tx_frames;
	unsigned done;

	if (base->shared)
		rte_spinlock_lock(&q->rx_lock);
	q->rx.hash = __atomic_load_n(&session->hash, __ATOMIC_ACQUIRE);
	q->rx.staged = __atomic_load_n(&session->staged[queue], __ATOMIC_ACQUIRE);
	done = netif_rx_deliver(&q->rx, frames, n, count);
	q->tx_frames += count->tx_frames - before;
	if (__builtin_expect(q->rx.broken != NULL, 0)) {
		netif_quarantine_ring(base, &q->rx.broken);
		count->drop[VIF_TX_DOWN] += n - done;
		done = n;
	}
	if (base->shared)
		rte_spinlock_unlock(&q->rx_lock);
	return done;
}

/* The queue that the guest wants a frame in; `queue` if it does not say. */
static unsigned steer(const struct netif_session *session, const struct netif_hash *hash, const struct vif_frame *frame,
		      unsigned queue)
{
	uint32_t value;
	int type;

	value = netif_hash_frame(hash, frame, &type);
	if (type < 0)
		return queue;
	return hash->map_size ? hash->map[value % hash->map_size] : value % session->queues;
}

static unsigned netif_deliver(struct vif_port *base, unsigned queue, struct vif_frame *const *frames, unsigned n)
{
	struct netif_session *session = session_of(base);
	const struct netif_hash *hash;
	unsigned done = 0;

	if (!session || queue >= session->queues) {
		vif_count(base)->drop[VIF_TX_DOWN] += n;
		return n;
	}
	hash = __atomic_load_n(&session->hash, __ATOMIC_ACQUIRE);
	if (__builtin_expect(!hash || session->queues == 1, 1))
		return deliver_to(base, session, queue, frames, n);
	while (done < n) { /* runs of frames for the same queue */
		unsigned to = steer(session, hash, frames[done], queue), run = 1, taken;

		while (done + run < n && steer(session, hash, frames[done + run], queue) == to)
			run++;
		taken = deliver_to(base, session, to, frames + done, run);
		done += taken;
		if (taken < run)
			break;
	}
	return done;
}

/* A netfront is told that a checksum is missing, but not where: whether it can find that out by itself. */
static bool netif_takes(const struct vif_port *base, const struct vif_frame *frame)
{
	const struct netif_session *session =
		__atomic_load_n(&((const struct netif_port *)base)->session, __ATOMIC_ACQUIRE);
	struct netif_headers h;

	return session && netif_headers(frame->head, frame->head_len, &h) && !h.tagged && !h.fragment &&
	       h.l4 == frame->off.csum_start && netif_csum_offset(h.proto) == frame->off.csum_offset &&
	       (h.v6 ? session->csum6 : session->csum4);
}

static void netif_notify(struct vif_port *base, int rx_queue)
{
	struct netif_session *session = session_of(base);
	unsigned sent = 0;

	if (!session)
		return;
	if (rx_queue >= 0) {
		struct queue *q = &session->queue[rx_queue];

		if (netif_tx_wants_signal(&q->tx))
			sent = netif_events_send(&q->ev, q->ev.tx);
		vif_count(base)->kicks += sent;
		return;
	}
	for (unsigned i = 0; i < session->queues; i++) {
		struct queue *q = &session->queue[i];
		bool wants;

		if (base->shared)
			rte_spinlock_lock(&q->rx_lock);
		wants = netif_rx_wants_signal(&q->rx);
		if (base->shared)
			rte_spinlock_unlock(&q->rx_lock);
		if (wants)
			sent += netif_events_send(&q->ev, q->ev.rx);
	}
	vif_count(base)->kicks += sent;
}

static bool netif_arm(struct vif_port *base, unsigned queue)
{
	struct netif_session *session = session_of(base);

	if (!session || queue >= session->queues)
		return false;
	netif_events_acknowledge(&session->queue[queue].ev);
	return netif_tx_arm(&session->queue[queue].tx);
}

/* ---- connect ----------------------------------------------------------------------------------------------------- */

static void session_free(struct netif_session *session)
{
	for (unsigned i = 0; i < session->queues; i++) {
		netif_events_close(&session->queue[i].ev);
		grant_unmap(session->queue[i].tx.ring);
		grant_unmap(session->queue[i].rx.ring);
	}
	netif_events_close(&session->ctrl_ev);
	grant_unmap(session->ctrl.ring);
	free(session);
}

/* Map a frontend's ring page to *page. */
static int map_ring(const struct netif_conf *conf, uint32_t ref, const char *what, void **page, struct err *err)
{
	int r;

	*page = grant_map(conf->domid, ref, true);
	if (*page)
		return 0;
	r = errno ? -errno : -EFAULT;
	return err_set(err, r, "%s ring: domain %u has not granted page %u to us: %s", what, conf->domid, ref,
		       strerror(-r));
}

static int queue_open(struct netif_session *session, struct queue *q, const struct netif_conf *conf,
		      const struct netif_queue_conf *qc, struct err *err)
{
	void *tx_ring = NULL, *rx_ring = NULL;
	int r;

	q->tx.domid = q->rx.domid = conf->domid;
	q->tx.mcast = &session->mcast;
	q->rx.mcast = &session->mcast;
	q->rx.sg = conf->sg;
	r = map_ring(conf, qc->tx_ref, "transmit", &tx_ring, err);
	if (!r)
		r = map_ring(conf, qc->rx_ref, "receive", &rx_ring, err);
	q->tx.ring = tx_ring;
	q->rx.ring = rx_ring;
	if (r)
		return r;
	if (!netif_tx_begin(&q->tx) || !netif_rx_begin(&q->rx))
		return err_set(err, -EPROTO, "domain %u's rings say that there are more requests than they hold",
			       conf->domid);
	if (q->tx.rsp_prod) /* adopted: the backend before us took its multicast groups with it */
		session->groups_lost = true;
	r = netif_events_open(&q->ev, conf->domid, qc->tx_evtchn, qc->rx_evtchn);
	return r ? err_set(err, r, "event channels %u and %u of domain %u: %s", qc->tx_evtchn, qc->rx_evtchn,
			   conf->domid, strerror(-r))
		 : 0;
}

static int ctrl_open(struct netif_port *port, struct netif_session *session, const struct netif_conf *conf,
		     struct err *err)
{
	void *ring;
	int r = map_ring(conf, conf->ctrl_ref, "control", &ring, err);

	if (r)
		return r;
	session->ctrl.domid = conf->domid;
	session->ctrl.queues = conf->queues;
	session->ctrl.ops = &netif_served_ops;
	session->ctrl.arg = port;
	session->ctrl.ring = ring;
	if (!netif_ctrl_begin(&session->ctrl))
		return err_set(err, -EPROTO, "domain %u's control ring says that there are more requests than it holds",
			       conf->domid);
	r = netif_events_open(&session->ctrl_ev, conf->domid, conf->ctrl_evtchn, conf->ctrl_evtchn);
	return r ? err_set(err, r, "event channel %u of domain %u: %s", conf->ctrl_evtchn, conf->domid, strerror(-r))
		 : 0;
}

static uint16_t caps_of(const struct netif_conf *conf)
{
	uint16_t caps = conf->csum4 || conf->csum6 ? VIF_CAP_CSUM : 0;

	if (conf->sg && conf->gso4 && conf->csum4)
		caps |= VIF_CAP_TSO4;
	if (conf->sg && conf->gso6 && conf->csum6)
		caps |= VIF_CAP_TSO6;
	return caps;
}

/* Notify the guest: a backend before us may have been killed after its last answers and before notifying of them. */
static void tell(const struct netif_events *ev)
{
	netif_events_send(ev, ev->tx);
	if (ev->rx != ev->tx)
		netif_events_send(ev, ev->rx);
}

int netif_connect(struct vif_port *base, const struct netif_conf *conf, struct err *err)
{
	struct netif_port *port = netif_port_of(base);
	struct netif_session *session;
	int r;

	if (!conf->queues || conf->queues > VIF_QUEUES_MAX)
		return err_set(err, -EINVAL, "%u queues: 1 to %d can be had", conf->queues, VIF_QUEUES_MAX);
	if (conf->queues > port->offered)
		return err_set(err, -EINVAL, "the guest asks for %u queues, and was offered %u", conf->queues,
			       port->offered);
	netif_disconnect(base);
	r = netif_xen_open(err);
	if (r)
		return r;
	session = calloc(1, sizeof(*session));
	if (!session)
		return err_nomem(err);
	session->queues = conf->queues;
	session->domid = conf->domid;
	session->csum4 = conf->csum4;
	session->csum6 = conf->csum6;
	for (unsigned i = 0; !r && i < conf->queues; i++)
		r = queue_open(session, &session->queue[i], conf, &conf->queue[i], err);
	if (!r && conf->ctrl)
		r = ctrl_open(port, session, conf, err);
	if (r) {
		session_free(session);
		return r;
	}
	snprintf(session->features, sizeof(session->features), "%s%s%s%s%s%s",
		 conf->queue[0].tx_evtchn != conf->queue[0].rx_evtchn ? "split " : "", conf->sg ? "sg " : "",
		 conf->csum4 ? "csum " : "", conf->csum6 ? "csum6 " : "", conf->gso4 ? "tso4 " : "",
		 conf->gso6 ? "tso6 " : "");
	if (session->features[0])
		session->features[strlen(session->features) - 1] = '\0';
	session->mcast.on = conf->multicast_control && !session->groups_lost;
	base->caps = caps_of(conf);
	base->rx_queues = base->tx_queues = conf->queues;
	__atomic_store_n(&base->quarantine, NULL, __ATOMIC_RELEASE); /* a new start */
	__atomic_store_n(&port->session, session, __ATOMIC_RELEASE);
	for (unsigned i = 0; !r && i < session->queues; i++) {
		struct epoll_event ev = {.events = EPOLLIN | EPOLLET};

		/* binding has made the channel fire: the worker wakes, sees the ring, and arms it */
		if (epoll_ctl(base->epfd[i], EPOLL_CTL_ADD, netif_events_fd(&session->queue[i].ev), &ev))
			r = -errno;
		tell(&session->queue[i].ev);
	}
	if (!r && conf->ctrl) {
		r = netif_serve(port);
		tell(&session->ctrl_ev);
	}
	if (r) {
		netif_disconnect(base);
		return err_set(err, r, "the rings cannot be watched: %s", strerror(-r));
	}
	base->up = true;
	return 0;
}

void netif_disconnect(struct vif_port *base)
{
	struct netif_port *port = netif_port_of(base);
	struct netif_session *session = port->session;

	if (!session)
		return;
	base->up = false;
	if (session->ctrl.ring) {
		netif_unserve(port);
		netif_ctrl_end(&session->ctrl);
	}
	for (unsigned i = 0; i < session->queues; i++)
		epoll_ctl(base->epfd[i], EPOLL_CTL_DEL, netif_events_fd(&session->queue[i].ev), NULL);
	__atomic_store_n(&port->session, NULL, __ATOMIC_RELEASE);
	vif_memory_gone(base);
	vif_synchronize();
	session_free(session);
}

void netif_multicast_control(struct vif_port *base, bool on)
{
	struct netif_session *session = netif_port_of(base)->session;

	if (session && !session->groups_lost)
		__atomic_store_n(&session->mcast.on, on, __ATOMIC_RELAXED);
}

static struct vif_queue_count netif_count(const struct vif_port *base, unsigned queue)
{
	const struct netif_session *session = ((const struct netif_port *)base)->session;

	if (!session || queue >= session->queues)
		return (struct vif_queue_count){0};
	return (struct vif_queue_count){session->queue[queue].rx_frames, session->queue[queue].tx_frames};
}

static void netif_resume(struct vif_port *base)
{
	struct netif_port *port = netif_port_of(base);
	const struct netif_session *session = port->session;

	if (!session)
		return;
	for (unsigned i = 0; i < session->queues; i++)
		tell(&session->queue[i].ev);
	if (session->ctrl.ring) {
		tell(&session->ctrl_ev);
		netif_serve_again(port);
	}
}

/* ---- open and close ---------------------------------------------------------------------------------------------- */

static void netif_close(struct vif_port *base)
{
	netif_disconnect(base);
	free(base);
}

static void netif_describe(const struct vif_port *base, struct vif_about *about)
{
	const struct netif_port *port = (const struct netif_port *)base;
	const struct netif_session *session = port->session;

	snprintf(about->detail, sizeof(about->detail), "Xen domain %u", port->domid);
	if (!session)
		return;
	about->queues = session->queues;
	memcpy(about->features, session->features, sizeof(session->features));
}

const struct vif_ops netif_ops = {
	.kind = "netif",
	.role = VIF_ROLE_GUEST,
	.peek = netif_peek,
	.release = netif_release,
	.deliver = netif_deliver,
	.takes = netif_takes,
	.notify = netif_notify,
	.arm = netif_arm,
	.count = netif_count,
	.resume = netif_resume,
	.describe = netif_describe,
	.close = netif_close,
};

int netif_open(const struct vif_port *base, const struct netif_opts *opts, struct vif_port **out)
{
	struct netif_port *port = calloc(1, sizeof(*port));

	if (!port)
		return -ENOMEM;
	port->base = *base;
	port->base.ops = &netif_ops;
	port->base.mtu = opts->mtu;
	port->domid = opts->domid;
	port->offered = opts->queues;
	*out = &port->base;
	return 0;
}
