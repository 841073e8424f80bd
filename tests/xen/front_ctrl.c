/* SPDX-License-Identifier: BSD-3-Clause */
#include "front.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#define PATIENCE_MS 20000

void front_ctrl_open(struct front_ctrl *c, uint32_t backend)
{
	memset(c, 0, sizeof(*c));
	c->backend = backend;
	c->gntshr = xengntshr_open(NULL, 0);
	c->evtchn = xenevtchn_open(NULL, 0);
	if (!c->gntshr || !c->evtchn)
		die("no /dev/xen/gntalloc or /dev/xen/evtchn: %s", strerror(errno));
	c->ring = front_share(c->gntshr, backend, 1, &c->ref);
	c->ring->req_event = c->ring->rsp_event = 1;
	c->page = front_share(c->gntshr, backend, 1, &c->page_ref);
	c->port = xenevtchn_bind_unbound_port(c->evtchn, backend);
	if (c->port < 0)
		die("no event channel: %s", strerror(errno));
}

void front_ctrl_close(struct front_ctrl *c)
{
	xengntshr_unshare(c->gntshr, c->ring, 1);
	xengntshr_unshare(c->gntshr, c->page, 1);
	xengntshr_close(c->gntshr);
	xenevtchn_close(c->evtchn);
}

void front_ctrl_put(struct front_ctrl *c, uint16_t type, uint32_t a, uint32_t b, uint32_t d)
{
	c->ring->ring[c->req_prod % FRONT_CTRL_SLOTS].req =
		(struct xen_netif_ctrl_request){.id = (uint16_t)c->req_prod, .type = type, .data = {a, b, d}};
	c->req_prod++;
}

void front_ctrl_kick(struct front_ctrl *c)
{
	uint32_t old = c->ring->req_prod, new = c->req_prod;

	__atomic_store_n(&c->ring->req_prod, new, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (new - __atomic_load_n(&c->ring->req_event, __ATOMIC_RELAXED) < new - old)
		xenevtchn_notify(c->evtchn, c->port);
}

bool front_ctrl_take(struct front_ctrl *c, int ms, struct xen_netif_ctrl_response *rsp)
{
	struct pollfd fd = {.fd = xenevtchn_fd(c->evtchn), .events = POLLIN};

	for (;;) {
		int port;

		c->ring->rsp_event = c->rsp_cons + 1;
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (__atomic_load_n(&c->ring->rsp_prod, __ATOMIC_ACQUIRE) != c->rsp_cons)
			break;
		if (poll(&fd, 1, ms) <= 0)
			return false;
		port = xenevtchn_pending(c->evtchn);
		if (port >= 0)
			xenevtchn_unmask(c->evtchn, port);
	}
	*rsp = c->ring->ring[c->rsp_cons % FRONT_CTRL_SLOTS].rsp;
	if (rsp->id != (uint16_t)c->rsp_cons)
		die("control request %u is answered as %u", c->rsp_cons, rsp->id);
	c->rsp_cons++;
	return true;
}

uint32_t front_ctrl_ask(struct front_ctrl *c, uint16_t type, uint32_t a, uint32_t b, uint32_t d, uint32_t *data)
{
	struct xen_netif_ctrl_response rsp;

	front_ctrl_put(c, type, a, b, d);
	front_ctrl_kick(c);
	if (!front_ctrl_take(c, PATIENCE_MS, &rsp))
		die("control request of type %u is not answered", type);
	if (rsp.type != type)
		die("control request of type %u is answered as type %u", type, rsp.type);
	if (data)
		*data = rsp.data;
	return rsp.status;
}
