/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation. A turn of the loop is a pass over the worker's receive queues (forward.c). Between two passes the
 * worker is quiescent: what the control thread has replaced may be freed then.
 *
 * Idle. A worker without work polls for a while, then arms every queue's wake-up, looks once more, and sleeps. Polling
 * lasts poll_us; it doubles, up to POLL_GROWS times that, each time a wake-up comes so soon that polling would have been
 * cheaper (a guest's kick and our wake-up cost both sides more). After a longer sleep it is poll_us again.
 */
#include "worker.h"
#include "rcu.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#include "vswitch/base/clock.h"
#include "vswitch/base/confine.h"
#include "vswitch/base/log.h"

#define POLL_GROWS 8
/* What libxengnttab and libxenevtchn ask of the kernel's drivers, whose headers are not everywhere. */
#define GNTDEV_GRANT_COPY _IOC(_IOC_NONE, 'G', 8, 16)
#define EVTCHN_NOTIFY _IOC(_IOC_NONE, 'E', 4, 4)

struct worker {
	unsigned id;
	int cpu, epfd, wakefd;
	pthread_t thread;
	struct forwarder *fw;
	uint64_t started; /* TSC */
	/* written by the worker alone, read by worker_info() */
	_Atomic uint64_t passes, busy_passes, sleeps, cycles_busy;
};

static struct {
	unsigned n;
	unsigned poll_us;
	bool stop; /* atomic */
	struct dp_conf *dp; /* under RCU */
	struct worker *worker[VIF_WORKERS_MAX];
} workers;

static bool workers_confined;

/* Add to a counter that this worker alone writes. */
static inline void count_add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

/* true: frames are waiting already. */
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
		count_add(&w->sleeps, 1);
		rcu_offline(); /* the control thread need not wait for a sleeper; and may free the dp_conf */
		n = epoll_wait(w->epfd, ev, 8, timeout);
		rcu_online();
		for (int i = 0; i < n; i++) {
			uint64_t count;

			if (ev[i].data.fd == w->wakefd && read(w->wakefd, &count, sizeof(count)) < 0)
				continue; /* another wake-up took it */
		}
	}
	disarm(w, rcu_read(workers.dp));
}

/*
 * What a worker asks of the kernel once it runs. The drivers' calls come first; then those of memory and threads; then what
 * a fatal signal needs. It opens nothing: what a guest could make it do, it could do to descriptors that the process has.
 */
static int confine(void)
{
	const struct confine_call calls[] = {
		{SYS_io_submit, -1, 0}, /* a guest's call */
		{SYS_epoll_wait, -1, 0},
		{SYS_writev, -1, 0}, /* TAPs */
		{SYS_read, -1, 0},
		{SYS_sendto, -1, 0}, /* AF_PACKET, AF_XDP; a guest's call that is a socket */
		{SYS_ioctl, 1, GNTDEV_GRANT_COPY},
		{SYS_ioctl, 1, EVTCHN_NOTIFY},
		{SYS_write, -1, 0},
		{SYS_recvfrom, -1, 0},
		{SYS_poll, -1, 0},
		{SYS_sched_yield, -1, 0},
		{SYS_futex, -1, 0},
		{SYS_io_setup, -1, 0},
		{SYS_io_destroy, -1, 0},
		{SYS_mmap, -1, 0},
		{SYS_munmap, -1, 0},
		{SYS_mprotect, -1, 0},
		{SYS_mremap, -1, 0},
		{SYS_madvise, -1, 0},
		{SYS_brk, -1, 0},
		{SYS_membarrier, -1, 0},
		{SYS_clock_gettime, -1, 0}, /* where the vDSO has no clock */
		{SYS_clock_nanosleep, -1, 0},
		{SYS_rt_sigreturn, -1, 0},
		{SYS_rt_sigprocmask, -1, 0},
		{SYS_rt_sigaction, -1, 0},
		{SYS_getpid, -1, 0},
		{SYS_gettid, -1, 0},
		{SYS_tgkill, 0, getpid()},
		{SYS_exit, -1, 0},
		{SYS_exit_group, -1, 0},
	};
	int r = confine_capabilities();

	return r ? r : confine_calls(calls, sizeof(calls) / sizeof(calls[0]));
}

static void *loop(void *arg)
{
	struct worker *w = arg;
	const uint64_t poll = workers.poll_us * tsc_per_us(), ms = 1000 * tsc_per_us();
	uint64_t idle_since = 0, clock_read = 0, t0 = __rdtsc(), polls_for = poll;
	uint32_t now = clock_coarse_s();

	vif_worker_id = w->id;
	rcu_register();
	if (workers_confined) {
		int r = confine();
		if (r)
			log_warn("worker %u keeps its privileges: %s", w->id, strerror(-r));
	}
	while (!__atomic_load_n(&workers.stop, __ATOMIC_RELAXED)) {
		const struct dp_conf *dp = rcu_read(workers.dp);
		unsigned moved = 0;
		uint64_t t1;

		if (dp)
			moved = forward_pass(w->fw, dp, now);
		rcu_quiescent();
		t1 = __rdtsc();
		count_add(&w->passes, 1);
		if (moved) {
			count_add(&w->busy_passes, 1);
			count_add(&w->cycles_busy, t1 - t0);
			idle_since = 0;
		} else if (!idle_since) {
			idle_since = t1;
		} else if (forward_holds(w->fw)) {
			sched_yield(); /* the receiver may be waiting for this CPU */
		} else if (!dp || t1 - idle_since > polls_for) {
			uint64_t slept_from = t1;
			struct epoll_event ev;

			if (dp)
				sleep_until_woken(w, rcu_read(workers.dp)); /* the one of this pass may be freed */
			else
				epoll_wait(w->epfd, &ev, 1, 10);
			idle_since = 0;
			t1 = __rdtsc();
			if (t1 - slept_from > POLL_GROWS * poll)
				polls_for = poll;
			else if (polls_for < POLL_GROWS * poll)
				polls_for *= 2;
			now = clock_coarse_s();
		} else {
			_mm_pause();
		}
		if (t1 - clock_read > ms) {
			clock_read = t1;
			now = clock_coarse_s();
		}
		t0 = t1;
	}
	rcu_unregister();
	return NULL;
}

/* ---- control ----------------------------------------------------------------------------------------------------- */

static void worker_free(struct worker *w)
{
	if (w->epfd >= 0)
		close(w->epfd);
	if (w->wakefd >= 0)
		close(w->wakefd);
	forwarder_free(w->fw);
	free(w);
}

static struct worker *worker_new(unsigned id)
{
	struct worker *w = calloc(1, sizeof(*w));
	struct epoll_event ev = {.events = EPOLLIN};

	if (!w)
		return NULL;
	w->id = id;
	w->epfd = epoll_create1(EPOLL_CLOEXEC);
	w->wakefd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->fw = forwarder_new(id);
	w->started = __rdtsc();
	ev.data.fd = w->wakefd;
	if (w->epfd < 0 || w->wakefd < 0 || !w->fw || epoll_ctl(w->epfd, EPOLL_CTL_ADD, w->wakefd, &ev)) {
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

void workers_confine(void)
{
	workers_confined = true;
}

int workers_start(unsigned n, int first_cpu, unsigned poll_us, struct err *err)
{
	if (!n || n > VIF_WORKERS_MAX)
		return err_set(err, -EINVAL, "%u workers: choose 1 to %u", n, VIF_WORKERS_MAX);
	memset(&workers, 0, sizeof(workers));
	workers.poll_us = poll_us;
	vif_synchronize = rcu_synchronize;
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

	rcu_publish(workers.dp, dp);
	wake_all();
	vif_synchronize();
	return old;
}

void worker_info(unsigned id, struct worker_info *info)
{
	struct worker *w = workers.worker[id];

	*info = (struct worker_info){.id = id,
				     .cpu = w->cpu,
				     .passes = atomic_load_explicit(&w->passes, memory_order_relaxed),
				     .busy_passes = atomic_load_explicit(&w->busy_passes, memory_order_relaxed),
				     .sleeps = atomic_load_explicit(&w->sleeps, memory_order_relaxed),
				     .cycles_busy = atomic_load_explicit(&w->cycles_busy, memory_order_relaxed),
				     .cycles_total = __rdtsc() - w->started};
}
