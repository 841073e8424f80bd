/* SPDX-License-Identifier: BSD-3-Clause */
#include "front.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#define PAGE 4096u
#define barrier() __atomic_thread_fence(__ATOMIC_SEQ_CST)

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

void *front_share(void *gntshr, uint32_t backend, unsigned n, uint32_t *refs)
{
	void *p = xengntshr_share_pages(gntshr, backend, (int)n, refs, 1);

	if (!p)
		die("%u pages cannot be granted: %s (modprobe xen-gntalloc?)", n, strerror(errno));
	memset(p, 0, (size_t)n * PAGE);
	return p;
}

static void post(struct front *f, unsigned page)
{
	uint32_t slot = f->rx.req_prod_pvt++ % 256;
	netif_rx_request_t *req = &f->rx.sring->ring[slot].req;

	req->id = f->rx_id[slot] = page;
	req->gref = f->rx_gref[page];
}

static void publish(uint32_t *shared, uint32_t value)
{
	__atomic_store_n(shared, value, __ATOMIC_RELEASE);
}

void front_open(struct front *f, uint32_t backend, bool split)
{
	memset(f, 0, sizeof(*f));
	f->backend = backend;
	f->gntshr = xengntshr_open(NULL, 0);
	f->evtchn = xenevtchn_open(NULL, 0);
	if (!f->gntshr || !f->evtchn)
		die("no /dev/xen/gntalloc or /dev/xen/evtchn: %s", strerror(errno));
	f->tx.sring = front_share(f->gntshr, backend, 1, &f->tx_ref);
	f->rx.sring = front_share(f->gntshr, backend, 1, &f->rx_ref);
	f->tx.nr_ents = f->rx.nr_ents = 256;
	f->tx.sring->req_event = f->tx.sring->rsp_event = 1;
	f->rx.sring->req_event = f->rx.sring->rsp_event = 1;
	f->tx_page = front_share(f->gntshr, backend, FRONT_TX_PAGES, f->tx_gref);
	f->rx_page = front_share(f->gntshr, backend, FRONT_RX_PAGES, f->rx_gref);
	f->port = f->rx_port = xenevtchn_bind_unbound_port(f->evtchn, backend);
	if (split)
		f->rx_port = xenevtchn_bind_unbound_port(f->evtchn, backend);
	if (f->port < 0 || f->rx_port < 0)
		die("no event channel: %s", strerror(errno));
	for (unsigned i = 0; i < FRONT_RX_PAGES; i++)
		post(f, i);
	publish(&f->rx.sring->req_prod, f->rx.req_prod_pvt);
}

void front_close(struct front *f)
{
	xengntshr_unshare(f->gntshr, f->tx.sring, 1);
	xengntshr_unshare(f->gntshr, f->rx.sring, 1);
	if (f->tx_page) /* otherwise an act has revoked them already */
		xengntshr_unshare(f->gntshr, f->tx_page, FRONT_TX_PAGES);
	if (f->rx_page)
		xengntshr_unshare(f->gntshr, f->rx_page, FRONT_RX_PAGES);
	xengntshr_close(f->gntshr);
	xenevtchn_close(f->evtchn);
}

bool front_send(struct front *f, const uint8_t *frame, uint32_t len, uint16_t flags, uint16_t gso)
{
	unsigned pages = (len + PAGE - 1) / PAGE;
	uint32_t at = 0;

	if (f->tx_used + pages > FRONT_TX_PAGES || 256 - (f->tx.req_prod_pvt - f->tx.rsp_cons) < pages + 1)
		return false;
	for (unsigned i = 0; i < pages; i++) {
		unsigned page = f->tx_at++ % FRONT_TX_PAGES;
		uint32_t n = len - at < PAGE ? len - at : PAGE;
		netif_tx_request_t *req = &f->tx.sring->ring[f->tx.req_prod_pvt++ % 256].req;

		memcpy(f->tx_page + page * PAGE, frame + at, n);
		*req = (netif_tx_request_t){.gref = f->tx_gref[page],
					    .id = page,
					    .size = i ? n : len,
					    .flags = (i ? 0 : flags) | (i + 1 < pages ? NETTXF_more_data : 0)};
		at += n;
		if (!i && gso) {
			struct netif_extra_info extra = {.type = XEN_NETIF_EXTRA_TYPE_GSO,
							 .u.gso = {.size = gso, .type = XEN_NETIF_GSO_TYPE_TCPV4}};

			req->flags |= NETTXF_extra_info;
			memcpy(&f->tx.sring->ring[f->tx.req_prod_pvt++ % 256].req, &extra, sizeof(extra));
		}
	}
	f->tx_used += pages;
	return true;
}

bool front_group(struct front *f, bool add, const uint8_t group[6])
{
	struct netif_extra_info extra = {.type = add ? XEN_NETIF_EXTRA_TYPE_MCAST_ADD : XEN_NETIF_EXTRA_TYPE_MCAST_DEL};

	if (f->tx_used == FRONT_TX_PAGES || 256 - (f->tx.req_prod_pvt - f->tx.rsp_cons) < 2)
		return false;
	memcpy(extra.u.mcast.addr, group, 6);
	f->tx.sring->ring[f->tx.req_prod_pvt++ % 256].req = (netif_tx_request_t){.flags = NETTXF_extra_info};
	memcpy(&f->tx.sring->ring[f->tx.req_prod_pvt++ % 256].req, &extra, sizeof(extra));
	f->tx_used++; /* as front_reap() counts */
	return true;
}

void front_kick(struct front *f)
{
	uint32_t old = f->tx.sring->req_prod, new = f->tx.req_prod_pvt;

	publish(&f->tx.sring->req_prod, new);
	barrier();
	if (new - __atomic_load_n(&f->tx.sring->req_event, __ATOMIC_RELAXED) < new - old)
		xenevtchn_notify(f->evtchn, f->port);
}

unsigned front_reap(struct front *f)
{
	uint32_t prod = __atomic_load_n(&f->tx.sring->rsp_prod, __ATOMIC_ACQUIRE);

	if (prod - f->tx.rsp_cons > 256)
		die("the backend has answered more requests than were made");
	for (; f->tx.rsp_cons != prod; f->tx.rsp_cons++) {
		netif_tx_response_t rsp = f->tx.sring->ring[f->tx.rsp_cons % 256].rsp;

		if (rsp.status == NETIF_RSP_NULL)
			continue;
		f->tx_errors += rsp.status != NETIF_RSP_OKAY;
		f->tx_used -= f->tx_used > 0;
	}
	f->tx.sring->rsp_event = prod + 1;
	return f->tx.req_prod_pvt - f->tx.rsp_cons;
}

uint32_t front_receive(struct front *f, uint8_t *buf)
{
	uint32_t prod = __atomic_load_n(&f->rx.sring->rsp_prod, __ATOMIC_ACQUIRE), len = 0;
	bool more, extra = false, bad = false;

	if (prod == f->rx.rsp_cons) {
		f->rx.sring->rsp_event = prod + 1;
		barrier();
		prod = __atomic_load_n(&f->rx.sring->rsp_prod, __ATOMIC_ACQUIRE);
		if (prod == f->rx.rsp_cons)
			return 0;
	}
	f->rx_slots_of_last = 0;
	f->last_extra.type = 0;
	do {
		uint32_t slot = f->rx.rsp_cons++ % 256;
		netif_rx_response_t rsp = f->rx.sring->ring[slot].rsp;
		unsigned page = f->rx_id[slot];

		if (prod - f->rx.rsp_cons > 256)
			die("a frame has no last slot");
		if (!f->rx_slots_of_last)
			f->last_flags = rsp.flags;
		if (rsp.id != page)
			die("a response is not in the slot of its request");
		if (rsp.status < 0)
			bad = true;
		else if (rsp.offset + rsp.status > (int)PAGE || len + rsp.status > 65536 + 18)
			die("a response of %d bytes at %u", rsp.status, rsp.offset);
		else
			memcpy(buf + len, f->rx_page + page * PAGE + rsp.offset, rsp.status), len += rsp.status;
		f->rx_slots_of_last++;
		more = rsp.flags & NETRXF_more_data;
		extra = rsp.flags & NETRXF_extra_info;
		post(f, page);
		while (extra) {
			struct netif_extra_info info;

			slot = f->rx.rsp_cons++ % 256;
			memcpy(&info, &f->rx.sring->ring[slot].rsp, sizeof(info));
			f->last_extra = info;
			extra = info.flags & XEN_NETIF_EXTRA_FLAG_MORE;
			post(f, f->rx_id[slot]);
		}
	} while (more);
	publish(&f->rx.sring->req_prod, f->rx.req_prod_pvt);
	f->rx_errors += bad;
	return bad ? 0 : len;
}

void front_wait(struct front *f, int ms)
{
	struct pollfd fd = {.fd = xenevtchn_fd(f->evtchn), .events = POLLIN};
	int port;

	if (poll(&fd, 1, ms) <= 0)
		return;
	port = xenevtchn_pending(f->evtchn);
	f->signals += port == f->port;
	f->rx_signals += port == f->rx_port;
	if (port >= 0)
		xenevtchn_unmask(f->evtchn, port);
}
