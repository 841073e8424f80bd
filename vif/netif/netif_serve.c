/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The thread that serves the control rings of all ports.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "netif_impl.h"
#include "vswitch/base/clock.h"
#include "vswitch/base/confine.h"

#define CTRL_TURN 8 /* control requests served before another guest's are looked at */
#define CTRL_PAUSE_US 1000 /* at least, between two turns: guests that fire or ask without end get half a CPU at most */

/* The thread is started for the first of them, and then stays. */
static struct {
	pthread_mutex_t lock;
	struct netif_port *ports;
	int epfd; /* -1: not started */
} ctrl = {.lock = PTHREAD_MUTEX_INITIALIZER, .epfd = -1};

static const struct netif_hash *set_hash(void *arg, const struct netif_hash *hash)
{
	struct netif_port *port = arg;
	const struct netif_hash *old = __atomic_exchange_n(&port->session->hash, hash, __ATOMIC_ACQ_REL);

	if (old)
		vif_synchronize();
	return old;
}

static const struct netif_staged *set_staged(void *arg, unsigned queue, const struct netif_staged *staged)
{
	struct netif_port *port = arg;
	const struct netif_staged *old = __atomic_exchange_n(&port->session->staged[queue], staged, __ATOMIC_ACQ_REL);

	if (old) {
		/* bursts that are held may point to pages that are about to be unmapped */
		vif_memory_gone(&port->base);
		vif_synchronize();
	}
	return old;
}

const struct netif_ctrl_ops netif_served_ops = {.set_hash = set_hash, .set_staged = set_staged};

void netif_serve_again(struct netif_port *port)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = port};

	epoll_ctl(ctrl.epfd, EPOLL_CTL_MOD, netif_events_fd(&port->session->ctrl_ev), &ev);
}

static void serve_ctrl(struct netif_port *port)
{
	struct netif_session *session = port->session;

	netif_events_acknowledge(&session->ctrl_ev);
	if (__atomic_load_n(&port->base.quarantine, __ATOMIC_RELAXED))
		return;
	if (netif_ctrl_serve(&session->ctrl, CTRL_TURN))
		netif_events_send(&session->ctrl_ev, session->ctrl_ev.tx);
	if (session->ctrl.broken) {
		netif_quarantine_ring(&port->base, &session->ctrl.broken);
		return;
	}
	if (netif_ctrl_arm(&session->ctrl)) /* it has more: after the other guests that wait */
		netif_serve_again(port);
}

static void *ctrl_loop(void *arg)
{
	(void)arg;
	confine_capabilities(); /* where that is not possible, it goes on with those of the process */
	for (;;) {
		struct epoll_event ev;
		struct netif_port *port;
		uint64_t began, took;

		if (epoll_wait(ctrl.epfd, &ev, 1, -1) != 1)
			continue;
		began = clock_ns() / 1000;
		pthread_mutex_lock(&ctrl.lock);
		for (port = ctrl.ports; port && port != ev.data.ptr; port = port->next)
			;
		if (port)
			serve_ctrl(port);
		pthread_mutex_unlock(&ctrl.lock);
		took = clock_ns() / 1000 - began;
		usleep(took > CTRL_PAUSE_US ? took : CTRL_PAUSE_US);
	}
	return NULL;
}

int netif_serve(struct netif_port *port)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.ptr = port};
	int r = 0;

	pthread_mutex_lock(&ctrl.lock);
	if (ctrl.epfd < 0) {
		pthread_attr_t attr;
		pthread_t thread;

		ctrl.epfd = epoll_create1(EPOLL_CLOEXEC);
		pthread_attr_init(&attr);
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		r = ctrl.epfd < 0 ? -errno : -pthread_create(&thread, &attr, ctrl_loop, NULL);
		pthread_attr_destroy(&attr);
		if (!r) {
			pthread_setname_np(thread, "xbar-netif-ctrl");
		} else if (ctrl.epfd >= 0) {
			close(ctrl.epfd);
			ctrl.epfd = -1;
		}
	}
	if (!r && epoll_ctl(ctrl.epfd, EPOLL_CTL_ADD, netif_events_fd(&port->session->ctrl_ev), &ev))
		r = -errno;
	if (!r) {
		port->next = ctrl.ports;
		ctrl.ports = port;
	}
	pthread_mutex_unlock(&ctrl.lock);
	return r;
}

void netif_unserve(struct netif_port *port)
{
	struct netif_port **at;

	pthread_mutex_lock(&ctrl.lock);
	for (at = &ctrl.ports; *at && *at != port; at = &(*at)->next)
		;
	if (*at) {
		*at = port->next;
		epoll_ctl(ctrl.epfd, EPOLL_CTL_DEL, netif_events_fd(&port->session->ctrl_ev), NULL);
	}
	pthread_mutex_unlock(&ctrl.lock);
}
