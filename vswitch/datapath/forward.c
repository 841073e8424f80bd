/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation. process() is a burst's whole way, read from top to bottom.
 *
 * The packet path has no log, no lock on its fast path, no allocation, and no system call but those that a port needs
 * (a TAP's read and write, a signal to a guest that asked for one).
 *
 * A pass looks at every receive queue of the worker once. Then, behind one full barrier, it notifies those who are to be
 * notified. Between two passes the worker holds no pointer into a dp_conf, a port or a guest's memory, with one
 * exception: held bursts, which are dropped if their port's generation has changed.
 *
 * Egress. A burst is sorted by receiver: its frames for one port are an egress. A flood, or traffic to many addresses,
 * gives each egress only one or two frames, and the cost per receiver dominates. So a burst with FANOUT_MIN receivers or
 * more is deferred, until DEFER_MAX bursts have been or the pass ends, and the frames that all of them have for one
 * receiver are delivered together.
 *
 * A receiver without buffers. Its frames wait for at most GRACE_US, in the sender's own ring: the burst is held, and
 * nothing more is taken from that queue. After that they are dropped and the receiver counts as stalled: nothing waits
 * for it until it takes a frame again. So a stalled guest costs each of its senders one grace, and no memory. Flooded
 * frames never wait for buffers.
 *
 * One that takes a frame now and then does not stall, and would hold its senders again and again. A sender that has this
 * receiver alone loses nothing by that. For one that has others (an uplink, the host, a router guest) the waits for all
 * of its receivers together are bounded: GRACE_SHARED_US each, and after a wait of t there is none for SHARED_REST * t.
 *
 * Work that a frame's header asks for (soft.h) has a budget for each sender and pass. A burst that is over it is held
 * until a later pass; this costs its sender alone, and always ends.
 */
#include "forward.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <x86intrin.h>

#include "soft.h"
#include "vswitch/base/clock.h"

#define GRACE_US 1000
#define GRACE_SHARED_US 250 /* of a sender with several receivers */
#define SHARED_REST 7 /* such a sender that was held for t is not held again for this many times t */
#define SHARED_FOR 1 /* seconds */
#define EGRESS_MAX 64
#define FANOUT_MIN 8 /* a burst for at least so many receivers, with fewer frames than that for each, is deferred */
#define DEFER_MAX 8 /* bursts deferred: the buffers that they fill should stay in the cache */
#define FLOWS 65536 /* in a worker's flow cache, 32 bytes each: one cache line read instead of two or more of the fdb */

_Static_assert(sizeof(((struct vif_counters *)0)->br_drop) / sizeof(uint64_t) >= BR_DROP_MAX,
	       "every drop reason has a counter");

struct burst { /* under way */
	struct vif_burst in;
	unsigned negress;
	struct egress egress[EGRESS_MAX];
	struct rxq *from;
	bool for_buffers; /* it is or was held since a receiver had no buffers */
	uint64_t since, deadline; /* TSC: held from, and when to stop waiting for buffers */
	uint32_t gen; /* of the port when the burst was taken */
};

struct forwarder {
	unsigned id;
	struct burst *burst[DEFER_MAX]; /* the first `ndeferred` are deferred, the next one is in use by process() */
	unsigned ndeferred;
	struct egress merged; /* of several deferred bursts */
	struct egress *last_of[BR_PORT_MAX]; /* port -> the last egress for it among the deferred ones, or NULL */
	struct offload *offload;
	struct br_flow_cache flows;
	uint8_t egress_of[BR_PORT_MAX]; /* port -> its egress + 1 in the burst being sorted, or 0 */
	bool stalled[BR_PORT_MAX]; /* the port has run out of its grace */
	uint16_t notify_list[BR_PORT_MAX]; /* ports to notify at the end of the pass */
	bool notify_pending[BR_PORT_MAX];
	unsigned nnotify;
	struct rxq **released; /* receive queues to notify likewise */
	unsigned nreleased, released_max;
	bool holds; /* some queue holds a burst */
	uint32_t now; /* the pass's time, seconds */
};

/* ---- deliver ----------------------------------------------------------------------------------------------------- */

static inline void notify_later(struct forwarder *fw, uint16_t port)
{
	if (!fw->notify_pending[port]) {
		fw->notify_pending[port] = true;
		fw->notify_list[fw->nnotify++] = port;
	}
}

/* Deliver the rest of an egress. true: all of it is done with; false: it has to wait (e->over_budget says for what). */
static inline bool deliver_egress(struct forwarder *fw, const struct dp_conf *dp, struct rxq *from, struct egress *e)
{
	struct vif_port *dst = dp->port[e->port];
	unsigned queue = 0, queues;
	bool took = false;

	e->over_budget = false;
	/* read once: the driver may set both to 0 meanwhile, and checks again what it needs */
	queues = dst && vif_is_up(dst) ? atomic_load_explicit(&dst->tx_queues, memory_order_relaxed) : 0;
	if (__builtin_expect(!queues, 0)) {
		if (dst)
			vif_count(dst)->drop[VIF_TX_DOWN] += e->n - e->done;
		e->done = e->n;
		return true;
	}
	if (queues > 1)
		queue = (from->port->id + from->queue) % queues; /* a flow stays in one */
	notify_later(fw, e->port);
	if (__builtin_expect(egress_all_as_is(dst, e), 1))
		took = egress_offer(dst, queue, e, e->n);
	else
		e->over_budget = soft_deliver(fw->offload, dst, queue, e, &from->soft_budget, &took) == OVER_BUDGET;
	if (took)
		fw->stalled[e->port] = false;
	return e->done == e->n;
}

static void drop_rest(const struct dp_conf *dp, struct egress *e)
{
	vif_count(dp->port[e->port])->drop[VIF_TX_NO_BUFFER] += e->n - e->done;
	e->done = e->n;
}

/*
 * Every egress has been offered to its receiver. `expired`: those that wait for buffers have waited for long enough. true:
 * the burst is finished; false: some frames wait, and only their egresses are left in b->egress.
 */
static bool finish_or_keep(struct forwarder *fw, const struct dp_conf *dp, struct burst *b, bool expired)
{
	unsigned waiting = 0;

	for (unsigned i = 0; i < b->negress; i++) {
		struct egress *e = &b->egress[i];

		if (__builtin_expect(e->done == e->n, 1))
			continue;
		if (!e->over_budget) {
			if (expired)
				fw->stalled[e->port] = true;
			if (e->flooded || fw->stalled[e->port] || __rdtsc() < b->from->no_hold_until) {
				drop_rest(dp, e);
				continue;
			}
			b->for_buffers = true;
		}
		if (waiting != i)
			b->egress[waiting] = *e;
		waiting++;
	}
	b->negress = waiting;
	return !waiting;
}

/* Offer every egress of the burst to its receiver. As finish_or_keep(). */
static bool deliver_all(struct forwarder *fw, const struct dp_conf *dp, struct burst *b, bool expired)
{
	bool done = true;

	for (unsigned i = 0; i < b->negress; i++) /* an egress of a held burst may be done: drop_departed() */
		if (__builtin_expect(b->egress[i].done < b->egress[i].n, 1))
			done &= deliver_egress(fw, dp, b->from, &b->egress[i]);
	return __builtin_expect(done, 1) || finish_or_keep(fw, dp, b, expired);
}

/* ---- sort by receiver -------------------------------------------------------------------------------------------- */

static void clear_index(struct forwarder *fw, struct burst *b)
{
	for (unsigned i = 0; i < b->negress; i++)
		fw->egress_of[b->egress[i].port] = 0;
}

/* The burst's egress for `port`, made if there is none yet. If there is no room for it, all are flushed; none waits then. */
static inline struct egress *egress_for(struct forwarder *fw, const struct dp_conf *dp, struct burst *b, uint16_t port)
{
	unsigned at = fw->egress_of[port];
	struct egress *e;

	if (__builtin_expect(at, 1))
		return &b->egress[at - 1];
	if (__builtin_expect(b->negress == EGRESS_MAX, 0)) {
		clear_index(fw, b);
		if (!deliver_all(fw, dp, b, false))
			for (unsigned k = 0; k < b->negress; k++)
				drop_rest(dp, &b->egress[k]);
		b->negress = 0;
	}
	e = &b->egress[b->negress++];
	fw->egress_of[port] = b->negress;
	e->port = port;
	e->n = e->done = 0;
	e->flooded = false;
	e->needs = 0;
	e->longest = 0;
	return e;
}

/* Add frames `i` up to before `end`. */
static inline void add(struct egress *e, struct vif_frame *frames, unsigned i, unsigned end)
{
	uint32_t longest = e->longest;
	uint16_t needs = e->needs;
	unsigned n = e->n;

	for (; i < end; i++) {
		struct vif_frame *f = &frames[i];
		uint32_t len = f->off.gso_size ? 0 : f->len;

		needs |= f->off.needs;
		longest = len > longest ? len : longest;
		e->frame[n++] = f;
	}
	e->longest = longest;
	e->needs = needs;
	e->n = n;
}

/* Decide every frame and sort the burst by receiver. */
static void sort(struct forwarder *fw, const struct dp_conf *dp, struct burst *b, uint32_t now)
{
	struct vif_counters *count = vif_count(b->from->port);
	struct br_verdict verdict[VIF_BURST];
	struct br_frame frame[VIF_BURST];
	const uint16_t in = b->from->port->id;
	const unsigned n = b->in.n;

	b->negress = 0;
	if (!n)
		return;
	for (unsigned i = 0; i < n; i++)
		frame[i] = (struct br_frame){b->in.frame[i].head, b->in.frame[i].head_len};
	br_decide(dp->conf, dp->fdb, &fw->flows, in, frame, n, now, verdict);
	for (unsigned i = 0, end; i < n; i = end) {
		const struct br_verdict v = verdict[i];

		for (end = i + 1; end < n && br_verdict_same(verdict[end], v); end++)
			;
		if (__builtin_expect(v.kind == BR_TO_PORT, 1)) {
			add(egress_for(fw, dp, b, v.to), b->in.frame, i, end);
		} else if (v.kind == BR_FLOOD) {
			unsigned iter = 0;
			uint16_t port;

			while ((port = br_flood_next(dp->conf, v.to, in, &iter)) != BR_NONE) {
				struct egress *e = egress_for(fw, dp, b, port);

				e->flooded = true;
				add(e, b->in.frame, i, end);
			}
		} else {
			for (unsigned k = i; k < end; k++) /* a frame of length 0 was counted by peek() */
				count->br_drop[v.reason] += b->in.frame[k].len != 0;
		}
	}
	clear_index(fw, b);
}

/* ---- hold and release -------------------------------------------------------------------------------------------- */

static void release(struct forwarder *fw, const struct burst *b)
{
	struct rxq *rxq = b->from;

	rxq->port->ops->release(rxq->port, rxq->queue, &b->in);
	if (fw->nreleased < fw->released_max)
		fw->released[fw->nreleased++] = rxq;
}

/*
 * Whether a wait for one receiver would hold up frames for others: many send through the port, or its unicast has gone to
 * more than one port lately, as the host's does, or a router guest's.
 */
static bool is_shared(const struct forwarder *fw, const struct rxq *rxq)
{
	return rxq->port->shared_uplink || (int32_t)(rxq->shared_until - fw->now) >= 0;
}

/* Remember whom the queue sends to. Two receivers in a burst, or another than the last one, make it shared for a while. */
static inline void note_peers(const struct forwarder *fw, struct rxq *rxq, const struct burst *b)
{
	unsigned peers = 0;

	if (__builtin_expect(b->negress == 1 && b->egress[0].port == rxq->peer, 1))
		return;
	for (unsigned i = 0; i < b->negress && peers < 2; i++)
		if (!b->egress[i].flooded) {
			peers += 1 + (rxq->peer != BR_NONE && rxq->peer != b->egress[i].port);
			rxq->peer = b->egress[i].port;
		}
	if (peers > 1)
		rxq->shared_until = fw->now + SHARED_FOR;
}

/* The burst at *slot waits for its receivers; another one takes the slot. */
static void hold(struct forwarder *fw, struct burst **slot)
{
	struct burst *b = *slot;
	struct rxq *rxq = b->from;

	b->since = __rdtsc();
	b->deadline = b->since + (is_shared(fw, rxq) ? GRACE_SHARED_US : GRACE_US) * tsc_per_us();
	rxq->held = b;
	*slot = rxq->spare;
	rxq->spare = NULL;
	fw->holds = true;
}

/* While frames waited, their receiver may have left the sender's bridge, and its port number may be another port's now. */
static void drop_departed(const struct dp_conf *dp, struct burst *b)
{
	for (unsigned i = 0; i < b->negress; i++) {
		struct egress *e = &b->egress[i];

		if (__builtin_expect(br_egress_ok(dp->conf, b->from->port->id, e->port), 1))
			continue;
		vif_count(b->from->port)->br_drop[BR_DROP_NO_EGRESS] += e->n - e->done;
		e->done = e->n;
	}
}

/* Go on with a held burst. true: the queue may be looked at again. */
static bool resume(struct forwarder *fw, const struct dp_conf *dp, struct rxq *rxq)
{
	struct burst *b = rxq->held;

	if (b->gen != __atomic_load_n(&rxq->port->gen, __ATOMIC_ACQUIRE)) {
		/* the sender's memory is gone, and what was held with it */
		rxq->held = NULL;
		rxq->spare = b;
		return true;
	}
	rxq->soft_budget = SOFT_BYTES;
	drop_departed(dp, b);
	if (!deliver_all(fw, dp, b, __rdtsc() >= b->deadline)) {
		fw->holds = true;
		return false;
	}
	if (b->for_buffers && is_shared(fw, rxq)) {
		uint64_t now = __rdtsc();

		rxq->no_hold_until = now + SHARED_REST * (now - b->since);
	}
	release(fw, b);
	rxq->held = NULL;
	rxq->spare = b;
	return true;
}

/* ---- deferred bursts --------------------------------------------------------------------------------------------- */

/* Deliver the egresses from `first` on, which are for one port, together. */
static void deliver_chain(struct forwarder *fw, const struct dp_conf *dp, struct rxq *from, struct egress *first)
{
	struct egress *m = &fw->merged;

	for (struct egress *end = first; first; first = end) {
		unsigned done;

		if (!first->next || first->n + first->next->n > VIF_BURST) {
			end = first->next;
			if (!deliver_egress(fw, dp, from, first))
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
		deliver_egress(fw, dp, from, m);
		done = m->done;
		for (struct egress *e = first; e != end; e = e->next) {
			e->done = done < e->n ? done : e->n;
			e->over_budget = m->over_budget;
			done -= e->done;
		}
		if (m->done < m->n)
			return;
	}
}

static __attribute__((noinline)) void deliver_deferred(struct forwarder *fw, const struct dp_conf *dp)
{
	struct egress *first[DEFER_MAX * EGRESS_MAX];
	struct rxq *from[DEFER_MAX * EGRESS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < fw->ndeferred; i++)
		for (unsigned k = 0; k < fw->burst[i]->negress; k++) {
			struct egress *e = &fw->burst[i]->egress[k], **last = &fw->last_of[e->port];
			const struct vif_port *dst = dp->port[e->port];

			e->next = NULL;
			/* with several queues the sender decides which one: those are not merged */
			if (*last && dst && atomic_load_explicit(&dst->tx_queues, memory_order_relaxed) <= 1) {
				(*last)->next = e;
			} else {
				from[n] = fw->burst[i]->from;
				first[n++] = e;
			}
			*last = e;
		}
	for (unsigned i = 0; i < n; i++) {
		fw->last_of[first[i]->port] = NULL;
		deliver_chain(fw, dp, from[i], first[i]);
	}
	for (unsigned i = 0; i < fw->ndeferred; i++) {
		if (finish_or_keep(fw, dp, fw->burst[i], false))
			release(fw, fw->burst[i]);
		else
			hold(fw, &fw->burst[i]);
	}
	fw->ndeferred = 0;
}

/* ---- a queue, a pass --------------------------------------------------------------------------------------------- */

/* The whole way of a burst, or until it is deferred. Returns its frames. */
static unsigned process(struct forwarder *fw, const struct dp_conf *dp, struct rxq *rxq)
{
	struct burst **slot = &fw->burst[fw->ndeferred], *b = *slot;
	struct vif_port *port = rxq->port;

	if (rxq->held && !resume(fw, dp, rxq))
		return 0;
	b->from = rxq;
	b->for_buffers = false;
	b->gen = __atomic_load_n(&port->gen, __ATOMIC_ACQUIRE);
	if (!port->ops->peek(port, rxq->queue, &b->in))
		return 0;
	rxq->soft_budget = SOFT_BYTES;
	sort(fw, dp, b, fw->now);
	note_peers(fw, rxq, b);
	if (__builtin_expect(b->negress >= FANOUT_MIN && b->in.n < FANOUT_MIN * b->negress, 0)) {
		if (++fw->ndeferred == DEFER_MAX)
			deliver_deferred(fw, dp);
	} else if (__builtin_expect(deliver_all(fw, dp, b, false), 1)) {
		release(fw, b);
	} else {
		hold(fw, slot);
	}
	return b->in.n;
}

unsigned forward_pass(struct forwarder *fw, const struct dp_conf *dp, uint32_t now)
{
	unsigned moved = 0;

	fw->now = now;
	vif_pass++;
	fw->holds = false;
	fw->nnotify = fw->nreleased = 0;
	for (unsigned i = 0; i < dp->worker[fw->id].n; i++)
		moved += process(fw, dp, dp->worker[fw->id].rxq[i]);
	if (fw->ndeferred)
		deliver_deferred(fw, dp);
	if (!fw->nnotify && !fw->nreleased)
		return moved;
	/* our indices are written before the guests' wishes for a notification are read */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < fw->nreleased; i++)
		if (fw->released[i]->port->ops->notify)
			fw->released[i]->port->ops->notify(fw->released[i]->port, (int)fw->released[i]->queue);
	for (unsigned i = 0; i < fw->nnotify; i++) {
		struct vif_port *port = dp->port[fw->notify_list[i]];

		fw->notify_pending[fw->notify_list[i]] = false;
		if (port && port->ops->notify)
			port->ops->notify(port, -1);
	}
	return moved;
}

bool forward_holds(const struct forwarder *fw)
{
	return fw->holds;
}

/* ---- make and free ----------------------------------------------------------------------------------------------- */

uint64_t tsc_per_us(void)
{
	static uint64_t measured;
	uint64_t t0, ns;

	if (__builtin_expect(measured, 1))
		return measured;
	ns = clock_ns();
	t0 = __rdtsc();
	usleep(10000);
	ns = clock_ns() - ns;
	measured = (__rdtsc() - t0) * 1000 / ns;
	return measured;
}

static struct burst *burst_new(void)
{
	return aligned_alloc(64, (sizeof(struct burst) + 63) & ~63UL);
}

struct rxq *rxq_new(struct vif_port *port, unsigned queue)
{
	struct rxq *rxq = calloc(1, sizeof(*rxq));

	if (!rxq)
		return NULL;
	rxq->port = port;
	rxq->queue = queue;
	rxq->peer = BR_NONE;
	rxq->shared_until = UINT32_MAX; /* before any time: nothing has been sent yet */
	rxq->spare = burst_new();
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

struct forwarder *forwarder_new(unsigned id)
{
	struct forwarder *fw = aligned_alloc(64, sizeof(*fw));
	unsigned bursts = 0;

	if (!fw)
		return NULL;
	memset(fw, 0, sizeof(*fw));
	fw->id = id;
	for (unsigned i = 0; i < DEFER_MAX; i++) {
		fw->burst[i] = burst_new();
		bursts += fw->burst[i] != NULL;
	}
	fw->offload = aligned_alloc(64, (sizeof(*fw->offload) + 63) & ~63UL);
	fw->released_max = BR_PORT_MAX * 2;
	fw->released = calloc(fw->released_max, sizeof(*fw->released));
	if (bursts < DEFER_MAX || !fw->offload || !fw->released || br_flow_cache_init(&fw->flows, FLOWS)) {
		forwarder_free(fw);
		return NULL;
	}
	tsc_per_us(); /* not for the first time on the packet path */
	return fw;
}

void forwarder_free(struct forwarder *fw)
{
	if (!fw)
		return;
	br_flow_cache_fini(&fw->flows);
	for (unsigned i = 0; i < DEFER_MAX; i++)
		free(fw->burst[i]);
	free(fw->offload);
	free(fw->released);
	free(fw);
}
