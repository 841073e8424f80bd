/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A netif port and its event channels, whose far side is written here: the ports of /dev/xen/evtchn with their masks, and
 * guests that fire at any moment. What needs a real hypervisor: tests/xen.
 */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <xenevtchn.h>

#include "grant_mem.h"
#include "vif/netif/netif.h"
#include "vif/netif/netif_ring.h"

#define DOMID 7
#define CHANNELS 8
#define ENOUGH 1000 /* calls that no bounded piece of work makes */

/* ---- the machine: event channels, by the frontend's port ---------------------------------------------------------- */

struct xenevtchn_handle { /* ports are the frontend's, for simplicity */
	int fd;
	bool bound[CHANNELS], pending[CHANNELS], masked[CHANNELS];
};

static struct {
	bool storm; /* every channel fires as soon as it may */
	unsigned unmasked[CHANNELS], sent[CHANNELS], looks;
	sem_t paused, go_on; /* the control rings' thread */
	struct grant_mem mem;
} machine;

/* The guest fires: heard once, until it is unmasked. */
static void fire(struct xenevtchn_handle *handle, unsigned port)
{
	const uint64_t one = 1;

	if (handle->masked[port])
		return;
	handle->masked[port] = handle->pending[port] = true;
	if (write(handle->fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned flags)
{
	struct xenevtchn_handle *handle = calloc(1, sizeof(*handle));

	(void)logger;
	(void)flags;
	handle->fd = eventfd(0, EFD_NONBLOCK);
	return handle;
}

int xenevtchn_close(xenevtchn_handle *handle)
{
	close(handle->fd);
	free(handle);
	return 0;
}

int xenevtchn_fd(xenevtchn_handle *handle)
{
	return handle->fd;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *handle, uint32_t domid, evtchn_port_t port)
{
	(void)domid;
	handle->bound[port] = true;
	fire(handle, port);
	return (int)port;
}

int xenevtchn_notify(xenevtchn_handle *handle, evtchn_port_t port)
{
	__atomic_fetch_add(&machine.sent[port], handle->bound[port], __ATOMIC_RELAXED);
	return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *handle)
{
	if (++machine.looks > ENOUGH)
		fail_msg("a guest that fires without end is listened to without end");
	for (int port = 0; port < CHANNELS; port++) {
		if (handle->pending[port]) {
			handle->pending[port] = false;
			return port;
		}
	}
	return -1;
}

int xenevtchn_unmask(xenevtchn_handle *handle, evtchn_port_t port)
{
	machine.unmasked[port]++;
	handle->masked[port] = false;
	if (machine.storm)
		fire(handle, port);
	return 0;
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned flags)
{
	(void)logger;
	(void)flags;
	return (void *)&machine;
}

void *xengnttab_map_grant_ref(xengnttab_handle *handle, uint32_t domid, uint32_t ref, int prot)
{
	(void)handle;
	(void)prot;
	return grant_mem_map(&machine.mem, domid, ref, true);
}

int xengnttab_unmap(xengnttab_handle *handle, void *page, uint32_t n)
{
	(void)handle;
	(void)n;
	grant_mem_unmap(&machine.mem, page);
	return 0;
}

int xengnttab_grant_copy(xengnttab_handle *handle, uint32_t n, xengnttab_grant_copy_segment_t *op)
{
	(void)handle;
	return grant_mem_copy(&machine.mem, n, op);
}

/* Only the control rings' thread sleeps: for as long as the test says. */
int usleep(useconds_t us)
{
	(void)us;
	sem_post(&machine.paused);
	sem_wait(&machine.go_on);
	return 0;
}

static void wait_for_pause(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 20;
	assert_int_equal(sem_timedwait(&machine.paused, &until), 0);
}

/* ---- a port ------------------------------------------------------------------------------------------------------ */

#define TX_REF 10
#define RX_REF 11
#define CTRL_REF 12
#define TX_REF_1 13 /* of a second queue */
#define RX_REF_1 14
#define PAGE_REF 100

static struct vif_counters counters[VIF_WORKERS_MAX];
static struct netif_conf conf;
static struct vif_port *port;
static struct netif_tx_sring *tx;
static struct netif_rx_sring *rx;
static int epfd;

static void nobody_to_wait_for(void)
{
}

static int setup(void **state)
{
	const struct netif_opts opts = {.domid = DOMID, .queues = VIF_QUEUES_MAX, .mtu = 1500};
	struct vif_port base;

	(void)state;
	memset(&machine.mem, 0, sizeof(machine.mem));
	memset(machine.unmasked, 0, sizeof(machine.unmasked));
	memset(machine.sent, 0, sizeof(machine.sent));
	memset(counters, 0, sizeof(counters));
	machine.looks = 0;
	machine.storm = false;
	machine.mem.domid = DOMID;
	for (unsigned ref = TX_REF; ref < PAGE_REF + 8; ref++)
		machine.mem.page[ref] = calloc(1, GRANT_PAGE);
	tx = (struct netif_tx_sring *)machine.mem.page[TX_REF];
	rx = (struct netif_rx_sring *)machine.mem.page[RX_REF];
	vif_synchronize = nobody_to_wait_for;
	epfd = epoll_create1(0);
	base = (struct vif_port){.name = "vif7.0", .counters = counters, .epfd = {epfd}};
	assert_int_equal(netif_open(&base, &opts, &port), 0);
	conf = (struct netif_conf){.domid = DOMID,
				   .queues = 1,
				   .queue[0] = {TX_REF, RX_REF, 2, 3},
				   .ctrl_ref = CTRL_REF,
				   .ctrl_evtchn = 4};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	machine.storm = false;
	port->ops->close(port);
	assert_int_equal(machine.mem.mapped, 0);
	for (unsigned ref = TX_REF; ref < PAGE_REF + 8; ref++)
		free(machine.mem.page[ref]);
	close(epfd);
	return 0;
}

static void connect_port(void)
{
	struct err err;

	if (netif_connect(port, &conf, &err))
		fail_msg("%s", err.text);
}

static void both_channels_of_a_queue_are_heard_again_once_it_is_armed(void **state)
{
	(void)state;
	connect_port();
	assert_false(port->ops->arm(port, 0));
	assert_int_equal(machine.unmasked[2], 1);
	assert_int_equal(machine.unmasked[3], 1);
	assert_false(port->ops->arm(port, 0));
	assert_int_equal(machine.unmasked[2], 1);
}

static void a_storm_of_events_keeps_no_worker(void **state)
{
	(void)state;
	connect_port();
	machine.storm = true;
	for (unsigned i = 1; i < 4; i++) {
		assert_false(port->ops->arm(port, 0));
		assert_int_equal(machine.unmasked[2], i);
		assert_int_equal(machine.unmasked[3], i);
	}
}

static void a_storm_of_events_gets_one_turn_a_pause_of_the_control_rings_thread(void **state)
{
	(void)state;
	conf.ctrl = true;
	machine.storm = true;
	connect_port();
	for (unsigned i = 1; i < 4; i++) {
		wait_for_pause();
		assert_int_equal(machine.unmasked[4], i);
		sem_post(&machine.go_on);
	}
	wait_for_pause(); /* so that it is not at work when the test is over */
	netif_disconnect(port);
	sem_post(&machine.go_on);
}

/* A backend that is ended between its answers and telling of them leaves a guest that waits to be told. */
static void a_guest_whose_backend_was_lost_is_told_to_look(void **state)
{
	(void)state;
	tx->req_prod = tx->rsp_prod = 5;
	tx->rsp_event = 1;
	rx->req_prod = rx->rsp_prod = 5;
	rx->rsp_event = 1;
	connect_port();
	assert_int_equal(machine.sent[2], 1);
	assert_int_equal(machine.sent[3], 1);
	conf.queue[0].rx_evtchn = 2;
	connect_port();
	assert_int_equal(machine.sent[2], 2);
}

static bool gets_multicast(void)
{
	static uint8_t bytes[VIF_HEAD_LEN] __attribute__((aligned(64))) = {1, 0, 0x5e, 0, 0, 1};
	struct vif_frame frame = {.head = bytes, .len = 60, .head_len = 60}, *frames = &frame;
	uint64_t before = counters[0].tx_frames;

	rx->ring[rx->req_prod++ % NETIF_RING_SIZE].req = (struct netif_rx_request){.id = 1, .gref = PAGE_REF};
	assert_int_equal(port->ops->deliver(port, 0, &frames, 1), 1);
	return counters[0].tx_frames > before;
}

/* What it fired for while nobody listened, and what it was not told of, is made up for. */
static void a_guest_whose_port_is_no_longer_quarantined_is_looked_at_and_told_to_look(void **state)
{
	struct xen_netif_ctrl_sring *ring = (struct xen_netif_ctrl_sring *)machine.mem.page[CTRL_REF];

	(void)state;
	conf.ctrl = true;
	connect_port();
	wait_for_pause();
	vif_quarantine(port, "for a test");
	ring->ring[0].req = (struct xen_netif_ctrl_request){.type = XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE};
	ring->req_prod = 1;
	memset(machine.sent, 0, sizeof(machine.sent));
	port->quarantine = NULL;
	port->ops->resume(port);
	assert_int_equal(machine.sent[2], 1);
	assert_int_equal(machine.sent[3], 1);
	sem_post(&machine.go_on);
	wait_for_pause();
	assert_int_equal(ring->rsp_prod, 1);
	netif_disconnect(port);
	sem_post(&machine.go_on);
}

static void groups_that_a_lost_backend_was_told_of_are_not_filtered_out(void **state)
{
	(void)state;
	conf.multicast_control = true;
	connect_port();
	assert_false(gets_multicast());
	tx->req_prod = tx->rsp_prod = 3; /* of which one or another named a group */
	connect_port();
	assert_true(gets_multicast());
	netif_multicast_control(port, false);
	netif_multicast_control(port, true); /* nothing says that it has named its groups again */
	assert_true(gets_multicast());
	tx->req_prod = tx->rsp_prod = 0;
	connect_port();
	assert_false(gets_multicast());
	netif_multicast_control(port, false);
	assert_true(gets_multicast());
	netif_multicast_control(port, true);
	assert_false(gets_multicast());
}

static void frames_are_counted_by_queue(void **state)
{
	struct netif_rx_sring *rx_1 = (struct netif_rx_sring *)machine.mem.page[RX_REF_1];
	struct netif_tx_sring *tx_1 = (struct netif_tx_sring *)machine.mem.page[TX_REF_1];
	static uint8_t bytes[VIF_HEAD_LEN] __attribute__((aligned(64)));
	static struct vif_burst burst;
	struct vif_frame frame = {.head = bytes, .len = 60, .head_len = 60}, *frames[] = {&frame, &frame};

	(void)state;
	conf.queues = 2;
	conf.queue[1] = (struct netif_queue_conf){TX_REF_1, RX_REF_1, 5, 6};
	port->epfd[1] = epfd;
	connect_port();
	assert_int_equal(port->rx_queues, 2);
	for (int i = 0; i < 2; i++)
		rx_1->ring[rx_1->req_prod++].req = (struct netif_rx_request){.id = i, .gref = PAGE_REF + i};
	rx->ring[rx->req_prod++].req = (struct netif_rx_request){.gref = PAGE_REF + 2};
	assert_int_equal(port->ops->deliver(port, 1, frames, 2), 2);
	assert_int_equal(port->ops->deliver(port, 0, frames, 1), 1);
	tx_1->ring[tx_1->req_prod++].req = (struct netif_tx_request){.gref = PAGE_REF, .size = 60};
	assert_int_equal(port->ops->peek(port, 0, &burst), 0);
	assert_int_equal(port->ops->peek(port, 1, &burst), 1);
	port->ops->release(port, 1, &burst);

	assert_int_equal(port->ops->count(port, 0).rx_frames, 0);
	assert_int_equal(port->ops->count(port, 0).tx_frames, 1);
	assert_int_equal(port->ops->count(port, 1).rx_frames, 1);
	assert_int_equal(port->ops->count(port, 1).tx_frames, 2);
	assert_int_equal(counters[0].rx_frames + counters[0].tx_frames, 4);
	netif_disconnect(port);
	assert_int_equal(port->ops->count(port, 1).tx_frames, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(both_channels_of_a_queue_are_heard_again_once_it_is_armed),
		T(a_storm_of_events_keeps_no_worker),
		T(a_storm_of_events_gets_one_turn_a_pause_of_the_control_rings_thread),
		T(a_guest_whose_backend_was_lost_is_told_to_look),
		T(a_guest_whose_port_is_no_longer_quarantined_is_looked_at_and_told_to_look),
		T(groups_that_a_lost_backend_was_told_of_are_not_filtered_out),
		T(frames_are_counted_by_queue),
	};

	sem_init(&machine.paused, 0, 0);
	sem_init(&machine.go_on, 0, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
