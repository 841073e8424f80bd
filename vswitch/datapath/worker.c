/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way of a frame:   peek -> decide -> deliver -> release,   a burst at a time, in process() below.
 *
 * On the packet path there is no log, no lock on the common way, no allocation, and no system call but those that a
 * port needs (a TAP's read and write, a signal to a guest that asked for one).
 *
 * A turn of the loop (pass) looks at every receive queue of the worker once, then, behind one full barrier, notifies
 * whom it must. Between two passes the worker is quiescent: it holds no pointer into a dp, a port or a guest's
 * memory, but for held bursts, which are thrown away when their port's generation has changed.
 *
 * A burst that goes to many receivers has a frame or two for each, and to begin with a receiver takes longer than to give
 * it a few frames more. So such bursts are put aside, up to DEFER_MAX of them or to the end of the pass, and what they have
 * for one receiver is delivered together.
 *
 * A receiver without buffers. Frames to one port that has none posted wait, in the sender's own ring, for at most
 * GRACE_US: the burst is held, and nothing more is taken from that queue. After that they are dropped, and the receiver
 * is known as stalled: nothing waits for it again until it takes a frame. So a stalled guest costs each of its senders
 * one grace, and no memory. Flooded frames never wait. A receiver that takes a frame now and then is not stalled, and
 * could hold up workers that comes in by an uplink: so an uplink that has waited does not wait again within three times as
 * long.
 *
 * Idle. A worker without work polls for a while, then arms every queue's wake-up, looks once more, and sleeps. The while
 * is poll_us at first; it doubles, up to POLL_GROWS times that, whenever the worker is woken so soon that it had better
 * gone on polling (a guest's kick and our waking cost both of us more), and is poll_us again after a longer sleep.
 */
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <urcu-qsbr.h>
#include <x86intrin.h>

#include "vif/offload.h"

#define GRACE_US 1000
#define EGRESS_MAX 64
#define FANOUT_MIN 8 /* a burst of so many groups at least, with fewer frames on average, is put aside */
#define DEFER_MAX 8 /* bursts put aside at most: what they fill is to stay in the cache */
#define POLL_GROWS 8
#define FLOWS 65536 /* that a worker remembers, 32 bytes each: one line in place of two or more of the MAC table */

struct egress { /* frames of a burst for one port, in order */
	uint16_t port;
	uint16_t needs; /* of workers frames together */
	uint32_t longest; /* frame, bytes */
	uint8_t n, done;
	bool flooded; /* some of them are copies of a flood: none waits */
	struct egress *next; /* of another burst, for the same port; used while bursts are ndeferred */
	struct vif_frame *frame[VIF_BURST];
} __attribute__((aligned(64))); /* that few frames lie in the same cache line */

struct burst { /* a burst under way */
	struct vif_burst burst;
	unsigned negress;
	struct egress egress[EGRESS_MAX];
	struct rxq *from;
	uint64_t since, deadline; /* TSC; held from, and until */
	uint32_t gen; /* of the port, when it was described */
};

struct worker {
	unsigned id;
	int cpu, epfd, wakefd;
	pthread_t thread;
	struct burst *burst[DEFER_MAX]; /* the first `ndeferred` are put aside, the next one is in use by process() */
	unsigned ndeferred;
	struct egress merged; /* of several bursts */
	struct egress *last_of[BR_PORT_MAX]; /* port -> the last egress for it of those that are put aside, or NULL */
	struct offload *offload;
	struct br_flow_cache flows;
	uint8_t egress_of[BR_PORT_MAX]; /* port -> its egress + 1 in the burst being sorted, or 0 */
	bool stalled[BR_PORT_MAX]; /* port has run out of its grace */
	uint16_t notify_list[BR_PORT_MAX]; /* ports to notify at the end of the pass */
	bool notify_pending[BR_PORT_MAX];
	unsigned nnotify;
	struct rxq **released; /* queues to notify likewise */
	unsigned nreleased, released_max;
	bool holding; /* some queue holds a burst */
	uint64_t passes, busy_passes, sleeps, cycles_busy, started;
};

static struct {
	unsigned n;
	unsigned poll_us;
	uint64_t tsc_per_us;
	bool stop;
	struct dp_conf *dp;
	struct worker *worker[VIF_WORKERS_MAX];
} workers;

/* ---- deliver ----------------------------------------------------------------------------------------------------- */

static inline void notify_later(struct worker *w, uint16_t port)
{
	if (!w->notify_pending[port]) {
		w->notify_pending[port] = true;
		w->notify_list[w->nnotify++] = port;
	}
}

/* The longest frame that `dst` takes without segmentation: IP packet, Ethernet header, and a VLAN tag if it has one. */
static inline bool too_big(const struct vif_port *dst, const struct vif_frame *f)
{
	uint32_t extra = f->head[12] == 0x81 && f->head[13] == 0x00 ? 18 : 14;

	return dst->mtu && !f->off.gso_size && f->len > dst->mtu + extra;
}

/* One frame, done in software for a receiver that lacks what it needs. What finds no buffers is dropped. */
static void deliver_soft(struct worker *w, struct vif_port *dst, unsigned queue, struct vif_frame *frame)
{
	struct vif_counters *count = vif_count(dst);
	int err = offload_begin(w->offload, frame);
	unsigned n;

	if (err == -EFAULT)
		return; /* the sender's fault, and counted there */
	if (err) {
		count->drop[err == -EMSGSIZE ? VIF_TX_TOO_BIG : VIF_TX_NO_OFFLOAD]++;
		return;
	}
	if (!frame->off.gso_size)
		count->sw_csums++;
	while ((n = offload_next(w->offload))) {
		struct vif_frame *ptr[OFFLOAD_SLOTS];
		unsigned sent;

		for (unsigned i = 0; i < n; i++)
			ptr[i] = &w->offload->made[i];
		if (frame->off.gso_size)
			count->sw_segments += n;
		sent = dst->ops->deliver(dst, queue, ptr, n);
		if (sent < n)
			count->drop[VIF_TX_NO_BUFFER] += n - sent;
	}
}

/* Whether the receiver takes the frame as it is, but for its length. */
static inline bool takes(const struct vif_port *dst, const struct vif_frame *f)
{
	return !f->off.needs || (!(f->off.needs & ~dst->caps) && (!dst->ops->takes || dst->ops->takes(dst, f)));
}

/* The rest of a egress of which some frames are not for the receiver as they are. As deliver_egress(). */
static __attribute__((noinline)) bool deliver_mixed(struct worker *w, struct vif_port *dst, unsigned queue,
						    struct egress *g)
{
	while (g->done < g->n) {
		struct vif_frame *f = g->frame[g->done];
		unsigned end = g->done;

		while (end < g->n && takes(dst, g->frame[end]) && !too_big(dst, g->frame[end]))
			end++;
		if (end > g->done) {
			unsigned taken = dst->ops->deliver(dst, queue, &g->frame[g->done], end - g->done);

			g->done += taken;
			if (taken)
				w->stalled[g->port] = false;
			if (g->done < end)
				return false;
			continue;
		}
		if (!takes(dst, f))
			deliver_soft(w, dst, queue, f);
		else
			vif_count(dst)->drop[VIF_TX_TOO_BIG]++;
		g->done++;
	}
	return true;
}

/* The queue of `dst` that takes what comes by `from`: a flow stays in one. */
static inline unsigned queue_for(const struct vif_port *dst, const struct rxq *from)
{
	uint16_t queues = __atomic_load_n(&dst->tx_queues, __ATOMIC_RELAXED); /* once: it may become 0 meanwhile */

	return queues > 1 ? (from->port->id + from->queue) % queues : 0;
}

/* Deliver the rest of a egress. true: workers of it is done with; false: the receiver has run out of buffers. */
static inline bool deliver_egress(struct worker *w, const struct dp_conf *dp, const struct rxq *from, struct egress *g)
{
	struct vif_port *dst = dp->port[g->port];
	unsigned queue, taken;

	if (!dst || !dst->up || !dst->tx_queues) {
		if (dst)
			vif_count(dst)->drop[VIF_TX_DOWN] += g->n - g->done;
		g->done = g->n;
		return true;
	}
	queue = queue_for(dst, from);
	notify_later(w, g->port);
	if (__builtin_expect((g->needs & ~dst->caps) || (g->needs && dst->ops->takes) ||
				     (dst->mtu && g->longest > dst->mtu + 14),
			     0))
		return deliver_mixed(w, dst, queue, g);
	taken = dst->ops->deliver(dst, queue, &g->frame[g->done], g->n - g->done);
	g->done += taken;
	if (taken)
		w->stalled[g->port] = false;
	return g->done == g->n;
}

static void drop_rest(const struct dp_conf *dp, struct egress *g)
{
	vif_count(dp->port[g->port])->drop[VIF_TX_NO_BUFFER] += g->n - g->done;
	g->done = g->n;
}

/* After workers was delivered that could be. true: the burst is done; false: some groups wait, and are alone in b->egress. */
static bool finish_or_keep(struct worker *w, const struct dp_conf *dp, struct burst *b)
{
	unsigned waiting = 0;

	for (unsigned i = 0; i < b->negress; i++) {
		struct egress *g = &b->egress[i];

		if (__builtin_expect(g->done == g->n, 1))
			continue;
		if (g->flooded || w->stalled[g->port] || __rdtsc() < b->from->no_hold_until)
			drop_rest(dp, g);
		else if (waiting != i)
			b->egress[waiting++] = *g;
		else
			waiting++;
	}
	b->negress = waiting;
	return !waiting;
}

/* Deliver workers groups. As finish_or_keep(). */
static bool deliver_all(struct worker *w, const struct dp_conf *dp, struct burst *b)
{
	bool done = true;

	for (unsigned i = 0; i < b->negress; i++) /* of a held burst some may be done with: drop_departed() */
		if (__builtin_expect(b->egress[i].done < b->egress[i].n, 1))
			done &= deliver_egress(w, dp, b->from, &b->egress[i]);
	return __builtin_expect(done, 1) || finish_or_keep(w, dp, b);
}

/* ---- sort -------------------------------------------------------------------------------------------------------- */

static void clear_index(struct worker *w, struct burst *b)
{
	for (unsigned i = 0; i < b->negress; i++)
		w->egress_of[b->egress[i].port] = 0;
}

/* The egress of `port`, made where it is not there yet. All are flushed first where there is no room: nothing waits then. */
static inline struct egress *egress_for(struct worker *w, const struct dp_conf *dp, struct burst *b, uint16_t port)
{
	unsigned at = w->egress_of[port];
	struct egress *g;

	if (__builtin_expect(at, 1))
		return &b->egress[at - 1];
	if (__builtin_expect(b->negress == EGRESS_MAX, 0)) {
		clear_index(w, b);
		if (!deliver_all(w, dp, b))
			for (unsigned k = 0; k < b->negress; k++)
				drop_rest(dp, &b->egress[k]);
		b->negress = 0;
	}
	g = &b->egress[b->negress++];
	w->egress_of[port] = b->negress;
	g->port = port;
	g->n = g->done = 0;
	g->flooded = false;
	g->needs = 0;
	g->longest = 0;
	return g;
}

/* Add frames `i` up to before `end` to the egress. */
static inline void add(struct egress *g, struct vif_frame *frames, unsigned i, unsigned end)
{
	uint32_t longest = g->longest;
	uint16_t needs = g->needs;
	unsigned n = g->n;

	for (; i < end; i++) {
		struct vif_frame *f = &frames[i];
		uint32_t len = f->off.gso_size ? 0 : f->len;

		needs |= f->off.needs;
		longest = len > longest ? len : longest;
		g->frame[n++] = f;
	}
	g->longest = longest;
	g->needs = needs;
	g->n = n;
}

/* Decide every frame and sort the burst by receiver. */
static void sort(struct worker *w, const struct dp_conf *dp, struct burst *b, uint32_t now)
{
	struct vif_counters *count = vif_count(b->from->port);
	struct br_verdict verdict[VIF_BURST];
	struct br_frame frame[VIF_BURST];
	const uint16_t in = b->from->port->id;
	const unsigned n = b->burst.n;

	b->negress = 0;
	if (!n)
		return;
	for (unsigned i = 0; i < n; i++)
		frame[i] = (struct br_frame){b->burst.frame[i].head, b->burst.frame[i].head_len};
	br_decide(dp->conf, dp->fdb, &w->flows, in, frame, n, now, verdict);
	for (unsigned i = 0, end; i < n; i = end) {
		const struct br_verdict v = verdict[i];

		for (end = i + 1; end < n && br_verdict_same(verdict[end], v); end++)
			;
		if (__builtin_expect(v.kind == BR_TO_PORT, 1)) {
			add(egress_for(w, dp, b, v.to), b->burst.frame, i, end);
		} else if (v.kind == BR_FLOOD) {
			unsigned iter = 0;
			uint16_t port;

			while ((port = br_flood_next(dp->conf, v.to, in, &iter)) != BR_NONE) {
				struct egress *g = egress_for(w, dp, b, port);

				g->flooded = true;
				add(g, b->burst.frame, i, end);
			}
		} else {
			for (unsigned k = i; k < end; k++) /* what has no length peek() has counted */
				count->br_drop[v.reason] += b->burst.frame[k].len != 0;
		}
	}
	clear_index(w, b);
}

/* ---- a queue, a pass --------------------------------------------------------------------------------------------- */

static void release(struct worker *w, const struct burst *b)
{
	struct rxq *rxq = b->from;

	rxq->port->ops->release(rxq->port, rxq->queue, &b->burst);
	if (w->nreleased < w->released_max)
		w->released[w->nreleased++] = rxq;
}

/* The burst at *slot waits for its receivers; another burst takes the slot. */
static void hold(struct worker *w, struct burst **slot)
{
	struct burst *b = *slot;
	struct rxq *rxq = b->from;

	b->since = __rdtsc();
	b->deadline = b->since + GRACE_US * workers.tsc_per_us;
	rxq->held = b;
	*slot = rxq->spare;
	rxq->spare = NULL;
	w->holding = true;
}

/* What was decided may wait while a receiver leaves the sender's bridge, and its number becomes another's. */
static void drop_departed(const struct dp_conf *dp, struct burst *b)
{
	for (unsigned i = 0; i < b->negress; i++) {
		struct egress *g = &b->egress[i];

		if (__builtin_expect(br_egress_ok(dp->conf, b->from->port->id, g->port), 1))
			continue;
		vif_count(b->from->port)->br_drop[BR_DROP_NO_EGRESS] += g->n - g->done;
		g->done = g->n;
	}
}

/* Go on with a held burst. true: the queue may be looked at again. */
static bool resume(struct worker *w, const struct dp_conf *dp, struct rxq *rxq)
{
	struct burst *b = rxq->held;

	if (b->gen != __atomic_load_n(&rxq->port->gen, __ATOMIC_ACQUIRE)) {
		/* the sender's memory has gone, and with it what was held */
		rxq->held = NULL;
		rxq->spare = b;
		return true;
	}
	drop_departed(dp, b);
	if (!deliver_all(w, dp, b)) {
		if (__rdtsc() < b->deadline) {
			w->holding = true;
			return false;
		}
		for (unsigned i = 0; i < b->negress; i++) {
			w->stalled[b->egress[i].port] = true;
			drop_rest(dp, &b->egress[i]);
		}
	}
	if (rxq->port->shared_uplink) {
		uint64_t now = __rdtsc();

		rxq->no_hold_until = now + 3 * (now - b->since);
	}
	release(w, b);
	rxq->held = NULL;
	rxq->spare = b;
	return true;
}

/* Deliver the groups from `first` on, which are for one port, together. */
static void deliver_chain(struct worker *w, const struct dp_conf *dp, const struct rxq *from, struct egress *first)
{
	struct egress *m = &w->merged;

	for (struct egress *end = first; first; first = end) {
		unsigned done;

		if (!first->next || first->n + first->next->n > VIF_BURST) {
			end = first->next;
			if (!deliver_egress(w, dp, from, first))
				return;
			continue;
		}
		m->port = first->port;
		m->n = m->done = 0;
		m->needs = 0;
		m->longest = 0;
		for (; end && m->n + end->n <= VIF_BURST; end = end->next) {
			for (unsigned i = 0; i < end->n; i++)
				m->frame[m->n + i] = end->frame[i];
			m->n += end->n;
			m->needs |= end->needs;
			m->longest = end->longest > m->longest ? end->longest : m->longest;
		}
		deliver_egress(w, dp, from, m);
		done = m->done;
		for (struct egress *g = first; g != end; g = g->next) {
			g->done = done < g->n ? done : g->n;
			done -= g->done;
		}
		if (m->done < m->n)
			return;
	}
}

/* Deliver the bursts that were put aside. */
static __attribute__((noinline)) void deliver_deferred(struct worker *w, const struct dp_conf *dp)
{
	struct egress *first[DEFER_MAX * EGRESS_MAX];
	const struct rxq *from[DEFER_MAX * EGRESS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < w->ndeferred; i++)
		for (unsigned k = 0; k < w->burst[i]->negress; k++) {
			struct egress *g = &w->burst[i]->egress[k], **last = &w->last_of[g->port];
			const struct vif_port *dst = dp->port[g->port];

			g->next = NULL;
			if (*last && dst && dst->tx_queues <= 1) { /* else the sender decides by which queue */
				(*last)->next = g;
			} else {
				from[n] = w->burst[i]->from;
				first[n++] = g;
			}
			*last = g;
		}
	for (unsigned i = 0; i < n; i++) {
		w->last_of[first[i]->port] = NULL;
		deliver_chain(w, dp, from[i], first[i]);
	}
	for (unsigned i = 0; i < w->ndeferred; i++) {
		if (finish_or_keep(w, dp, w->burst[i]))
			release(w, w->burst[i]);
		else
			hold(w, &w->burst[i]);
	}
	w->ndeferred = 0;
}

/* The whole way of a burst, or up to where it is put aside. Returns its frames. */
static unsigned process(struct worker *w, const struct dp_conf *dp, struct rxq *rxq, uint32_t now)
{
	struct burst **slot = &w->burst[w->ndeferred], *b = *slot;
	struct vif_port *port = rxq->port;

	if (rxq->held && !resume(w, dp, rxq))
		return 0;
	b->from = rxq;
	b->gen = __atomic_load_n(&port->gen, __ATOMIC_ACQUIRE);
	if (!port->ops->peek(port, rxq->queue, &b->burst))
		return 0;
	sort(w, dp, b, now);
	if (__builtin_expect(b->negress >= FANOUT_MIN && b->burst.n < FANOUT_MIN * b->negress, 0)) {
		if (++w->ndeferred == DEFER_MAX)
			deliver_deferred(w, dp);
	} else if (__builtin_expect(deliver_all(w, dp, b), 1)) {
		release(w, b);
	} else {
		hold(w, slot);
	}
	return b->burst.n;
}

static unsigned pass(struct worker *w, const struct dp_conf *dp, uint32_t now)
{
	unsigned moved = 0;

	w->holding = false;
	w->nnotify = w->nreleased = 0;
	for (unsigned i = 0; i < dp->worker[w->id].n; i++)
		moved += process(w, dp, dp->worker[w->id].rxq[i], now);
	if (w->ndeferred)
		deliver_deferred(w, dp);
	if (!w->nnotify && !w->nreleased)
		return moved;
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the indices we wrote before the wishes we read */
	for (unsigned i = 0; i < w->nreleased; i++)
		if (w->released[i]->port->ops->notify)
			w->released[i]->port->ops->notify(w->released[i]->port, (int)w->released[i]->queue);
	for (unsigned i = 0; i < w->nnotify; i++) {
		struct vif_port *port = dp->port[w->notify_list[i]];

		w->notify_pending[w->notify_list[i]] = false;
		if (port && port->ops->notify)
			port->ops->notify(port, -1);
	}
	return moved;
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

/* true: somebody has something for us already. */
static bool arm(const struct worker *w, const struct dp_conf *dp)
{
	bool waiting = false;

	for (unsigned i = 0; i < dp->worker[w->id].n && !waiting; i++) {
		const struct rxq *q = dp->worker[w->id].rxq[i];

		waiting = q->port->ops->arm && q->port->ops->arm(q->port, q->queue);
	}
	return waiting;
}

static void disarm(const struct worker *w, const struct dp_conf *dp)
{
	for (unsigned i = 0; i < dp->worker[w->id].n; i++) {
		const struct rxq *q = dp->worker[w->id].rxq[i];

		if (q->port->ops->disarm)
			q->port->ops->disarm(q->port, q->queue);
	}
}

static void sleep_until_woken(struct worker *w, const struct dp_conf *dp)
{
	struct epoll_event ev[8];
	int timeout = dp->worker[w->id].needs_poll ? 1 : -1, n;

	if (!arm(w, dp)) {
		w->sleeps++;
		urcu_qsbr_thread_offline(); /* the control thread need not wait for a sleeper; the dp may go */
		n = epoll_wait(w->epfd, ev, 8, timeout);
		urcu_qsbr_thread_online();
		for (int i = 0; i < n; i++) {
			uint64_t count;

			if (ev[i].data.fd == w->wakefd && read(w->wakefd, &count, sizeof(count)) < 0)
				continue; /* another wake-up took it */
		}
	}
	disarm(w, rcu_dereference(workers.dp));
}

static uint32_t seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint32_t)ts.tv_sec;
}

static void *loop(void *arg)
{
	struct worker *w = arg;
	const uint64_t poll = workers.poll_us * workers.tsc_per_us;
	uint64_t idle_since = 0, clock_read = 0, t0 = __rdtsc(), polls_for = poll;
	uint32_t now = seconds();

	vif_worker_id = w->id;
	urcu_qsbr_register_thread();
	w->started = t0;
	while (!__atomic_load_n(&workers.stop, __ATOMIC_RELAXED)) {
		const struct dp_conf *dp = rcu_dereference(workers.dp);
		unsigned moved = 0;
		uint64_t t1;

		if (dp)
			moved = pass(w, dp, now);
		urcu_qsbr_quiescent_state();
		t1 = __rdtsc();
		w->passes++;
		if (moved) {
			w->busy_passes++;
			w->cycles_busy += t1 - t0;
			idle_since = 0;
		} else if (!idle_since) {
			idle_since = t1;
		} else if (w->holding) {
			sched_yield(); /* the receiver may be waiting for this CPU */
		} else if (!dp || t1 - idle_since > polls_for) {
			uint64_t slept_from = t1;
			struct epoll_event ev;

			if (dp)
				sleep_until_woken(w,
						  rcu_dereference(workers.dp)); /* the one of this pass may be gone */
			else
				epoll_wait(w->epfd, &ev, 1, 10);
			idle_since = 0;
			t1 = __rdtsc();
			if (t1 - slept_from > POLL_GROWS * poll)
				polls_for = poll;
			else if (polls_for < POLL_GROWS * poll)
				polls_for *= 2;
			now = seconds();
		} else {
			_mm_pause();
		}
		if (t1 - clock_read > 1000 * workers.tsc_per_us) {
			clock_read = t1;
			now = seconds();
		}
		t0 = t1;
	}
	urcu_qsbr_unregister_thread();
	return NULL;
}

/* ---- control ----------------------------------------------------------------------------------------------------- */

struct rxq *rxq_new(struct vif_port *port, unsigned queue)
{
	struct rxq *rxq = calloc(1, sizeof(*rxq));

	if (!rxq)
		return NULL;
	rxq->port = port;
	rxq->queue = queue;
	rxq->spare = aligned_alloc(64, (sizeof(struct burst) + 63) & ~63UL);
	if (!rxq->spare) {
		free(rxq);
		return NULL;
	}
	return rxq;
}

void rxq_free(struct rxq *rxq)
{
	free(rxq->held);
	free(rxq->spare);
	free(rxq);
}

static uint64_t measure_tsc(void)
{
	struct timespec a, b;
	uint64_t t0, t1;
	int64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &a);
	t0 = __rdtsc();
	usleep(10000);
	clock_gettime(CLOCK_MONOTONIC, &b);
	t1 = __rdtsc();
	ns = (b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec;
	return (t1 - t0) * 1000 / (uint64_t)ns;
}

static void worker_free(struct worker *w)
{
	if (w->epfd >= 0)
		close(w->epfd);
	if (w->wakefd >= 0)
		close(w->wakefd);
	br_flow_cache_fini(&w->flows);
	for (unsigned i = 0; i < DEFER_MAX; i++)
		free(w->burst[i]);
	free(w->offload);
	free(w->released);
	free(w);
}

static struct worker *worker_new(unsigned id)
{
	struct worker *w = aligned_alloc(64, sizeof(*w));
	struct epoll_event ev = {.events = EPOLLIN};
	unsigned batches = 0;

	if (!w)
		return NULL;
	memset(w, 0, sizeof(*w));
	w->id = id;
	w->epfd = epoll_create1(EPOLL_CLOEXEC);
	w->wakefd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	for (unsigned i = 0; i < DEFER_MAX; i++) {
		w->burst[i] = aligned_alloc(64, (sizeof(struct burst) + 63) & ~63UL);
		batches += w->burst[i] != NULL;
	}
	w->offload = aligned_alloc(64, (sizeof(*w->offload) + 63) & ~63UL);
	w->released_max = BR_PORT_MAX * 2;
	w->released = calloc(w->released_max, sizeof(*w->released));
	ev.data.fd = w->wakefd;
	if (w->epfd < 0 || w->wakefd < 0 || batches < DEFER_MAX || !w->offload || !w->released ||
	    br_flow_cache_init(&w->flows, FLOWS) || epoll_ctl(w->epfd, EPOLL_CTL_ADD, w->wakefd, &ev)) {
		worker_free(w);
		return NULL;
	}
	return w;
}

/* The CPU for worker `i` of `n`: from `first` on, or the last ones of those that the process may use. -1: do not pin. */
static int choose_cpu(unsigned i, unsigned n, int first)
{
	cpu_set_t allowed;
	int count, skip;

	if (first >= 0)
		return first + (int)i;
	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return -1;
	count = CPU_COUNT(&allowed);
	skip = count > (int)n ? count - (int)n + (int)i : (int)i % count;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && !skip--)
			return cpu;
	return -1;
}

int workers_start(unsigned n, int first_cpu, unsigned poll_us, struct err *err)
{
	if (!n || n > VIF_WORKERS_MAX)
		return err_set(err, -EINVAL, "%u workers: choose 1 to %u", n, VIF_WORKERS_MAX);
	memset(&workers, 0, sizeof(workers));
	workers.poll_us = poll_us;
	workers.tsc_per_us = measure_tsc();
	vif_synchronize = urcu_qsbr_synchronize_rcu;
	for (unsigned i = 0; i < n; i++) {
		struct worker *w = worker_new(i);
		cpu_set_t set;
		int e;

		if (!w) {
			workers_stop();
			return err_set(err, -ENOMEM, "no memory for worker %u", i);
		}
		w->cpu = choose_cpu(i, n, first_cpu);
		e = pthread_create(&w->thread, NULL, loop, w);
		if (e) {
			worker_free(w);
			workers_stop();
			return err_set(err, -e, "worker %u does not start: %s", i, strerror(e));
		}
		workers.worker[workers.n++] = w;
		pthread_setname_np(w->thread, "xbar-worker");
		CPU_ZERO(&set);
		if (w->cpu >= 0)
			CPU_SET(w->cpu, &set);
		e = w->cpu >= 0 ? pthread_setaffinity_np(w->thread, sizeof(set), &set) : 0;
		if (e) {
			int cpu = w->cpu;

			workers_stop();
			return err_set(err, -e,
				       "worker %u cannot run on CPU %d: choose first_cpu among the CPUs that there are",
				       i, cpu);
		}
	}
	return 0;
}

static void wake_all(void)
{
	const uint64_t one = 1;

	for (unsigned i = 0; i < workers.n; i++)
		if (write(workers.worker[i]->wakefd, &one, sizeof(one)) < 0)
			continue; /* it has been woken more often than can be counted */
}

void workers_stop(void)
{
	__atomic_store_n(&workers.stop, true, __ATOMIC_RELAXED);
	wake_all();
	for (unsigned i = 0; i < workers.n; i++) {
		pthread_join(workers.worker[i]->thread, NULL);
		worker_free(workers.worker[i]);
	}
	workers.n = 0;
}

unsigned workers_count(void)
{
	return workers.n;
}

int worker_epfd(unsigned id)
{
	return workers.worker[id]->epfd;
}

struct dp_conf *worker_publish(struct dp_conf *dp)
{
	struct dp_conf *old = workers.dp;

	rcu_assign_pointer(workers.dp, dp);
	wake_all();
	vif_synchronize();
	return old;
}

void worker_info(unsigned id, struct worker_info *info)
{
	const struct worker *w = workers.worker[id];

	*info = (struct worker_info){.id = id,
				     .cpu = w->cpu,
				     .passes = w->passes,
				     .busy_passes = w->busy_passes,
				     .sleeps = w->sleeps,
				     .cycles_busy = w->cycles_busy,
				     .cycles_total = __rdtsc() - w->started};
}
