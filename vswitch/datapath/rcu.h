/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Read-copy-update between the control thread and the workers: liburcu's quiescent-state flavour finds out when all
 * workers are done with what they may have read.
 *
 * The thread sanitizer does not see into liburcu, so each wait tells it what liburcu guarantees: what a worker did before
 * it was quiescent happened before rcu_synchronize() returned.
 */
#ifndef XBAR_RCU_H
#define XBAR_RCU_H

#include <urcu-qsbr.h>

#include "vif/vif.h"

#ifdef __SANITIZE_THREAD__
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#define RCU_SEEN() __tsan_acquire(&vif_synchronize) /* any one address */
#define RCU_DONE() __tsan_release(&vif_synchronize)
#else
#define RCU_SEEN() ((void)0)
#define RCU_DONE() ((void)0)
#endif

#define rcu_publish(pointer, value) __atomic_store_n(&(pointer), (value), __ATOMIC_RELEASE)
#define rcu_read(pointer) __atomic_load_n(&(pointer), __ATOMIC_ACQUIRE)

/* Worker: nothing that was read so far is used from here on. */
static inline void rcu_quiescent(void)
{
	RCU_DONE();
	urcu_qsbr_quiescent_state();
}

/* Worker: the same, until rcu_online(): nobody waits for a thread that sleeps in between. */
static inline void rcu_offline(void)
{
	RCU_DONE();
	urcu_qsbr_thread_offline();
}

static inline void rcu_online(void)
{
	urcu_qsbr_thread_online();
}

static inline void rcu_register(void)
{
	urcu_qsbr_register_thread();
}

static inline void rcu_unregister(void)
{
	RCU_DONE();
	urcu_qsbr_unregister_thread();
}

/* Control thread: wait until every worker has been quiescent. */
static inline void rcu_synchronize(void)
{
	urcu_qsbr_synchronize_rcu();
	RCU_SEEN();
}

#endif
