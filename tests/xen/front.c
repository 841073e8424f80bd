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

#include <xen/io/xenbus.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

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

static void *share(struct front *f, unsigned n, uint32_t *refs)
{
	void *p = xengntshr_share_pages(f->gntshr, f->backend, (int)n, refs, 1);

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

void front_open(struct front *f, uint32_t backend)
{
	memset(f, 0, sizeof(*f));
	f->backend = backend;
	f->gntshr = xengntshr_open(NULL, 0);
	f->evtchn = xenevtchn_open(NULL, 0);
	if (!f->gntshr || !f->evtchn)
		die("no /dev/xen/gntalloc or /dev/xen/evtchn: %s", strerror(errno));
	f->tx.sring = share(f, 1, &f->tx_ref);
	f->rx.sring = share(f, 1, &f->rx_ref);
	f->tx.nr_ents = f->rx.nr_ents = 256;
	f->tx.sring->req_event = f->tx.sring->rsp_event = 1;
	f->rx.sring->req_event = f->rx.sring->rsp_event = 1;
	f->tx_page = share(f, FRONT_TX_PAGES, f->tx_gref);
	f->rx_page = share(f, FRONT_RX_PAGES, f->rx_gref);
	f->port = xenevtchn_bind_unbound_port(f->evtchn, backend);
	if (f->port < 0)
		die("no event channel: %s", strerror(errno));
	for (unsigned i = 0; i < FRONT_RX_PAGES; i++)
		post(f, i);
	publish(&f->rx.sring->req_prod, f->rx.req_prod_pvt);
}

void front_close(struct front *f)
{
	xengntshr_unshare(f->gntshr, f->tx.sring, 1);
	xengntshr_unshare(f->gntshr, f->rx.sring, 1);
	xengntshr_unshare(f->gntshr, f->tx_page, FRONT_TX_PAGES);
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
		die("the backend has answered more than was asked");
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
			die("a frame's slots do not end");
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
	if (port >= 0)
		xenevtchn_unmask(f->evtchn, port);
}

/* ---- xenstore ---------------------------------------------------------------------------------------------------- */

static void put(struct xs_handle *xs, const char *dir, const char *key, const char *fmt, ...)
{
	char path[256], value[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s/%s", dir, key);
	if (!xs_write(xs, XBT_NULL, path, value, strlen(value)))
		die("xenstore: %s: %s", path, strerror(errno));
}

static int get_state(struct xs_handle *xs, const char *dir)
{
	char path[256];
	unsigned len;
	char *value;
	int state;

	snprintf(path, sizeof(path), "%s/state", dir);
	value = xs_read(xs, XBT_NULL, path, &len);
	state = value ? atoi(value) : 0;
	free(value);
	return state;
}

static void await(struct xs_handle *xs, const char *dir, int state)
{
	for (int i = 0; i < 600; i++) {
		if (get_state(xs, dir) == state)
			return;
		usleep(100000);
	}
	die("%s: state %d, and not %d", dir, get_state(xs, dir), state);
}

static void dirs(unsigned devid, char back[128], char front[128])
{
	snprintf(back, 128, "/local/domain/0/backend/vif/0/%u", devid);
	snprintf(front, 128, "/local/domain/0/device/vif/%u", devid);
}

void front_attach(struct front *f, unsigned devid, const char *bridge, const uint8_t mac[6])
{
	struct xs_handle *xs = xs_open(0);
	char back[128], front[128], text[18];

	if (!xs)
		die("no xenstore: %s", strerror(errno));
	dirs(devid, back, front);
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	put(xs, front, "backend", "%s", back);
	put(xs, front, "backend-id", "0");
	put(xs, front, "handle", "%u", devid);
	put(xs, front, "mac", "%s", text);
	put(xs, front, "state", "%d", XenbusStateInitialising);
	put(xs, back, "frontend", "%s", front);
	put(xs, back, "frontend-id", "0");
	put(xs, back, "handle", "%u", devid);
	put(xs, back, "mac", "%s", text);
	put(xs, back, "bridge", "%s", bridge);
	put(xs, back, "online", "1");
	put(xs, back, "hotplug-status", "connected"); /* no toolstack runs a script for it */
	put(xs, back, "state", "%d", XenbusStateInitialising);
	await(xs, back, XenbusStateInitWait);
	put(xs, front, "tx-ring-ref", "%u", f->tx_ref);
	put(xs, front, "rx-ring-ref", "%u", f->rx_ref);
	put(xs, front, "event-channel", "%d", f->port);
	put(xs, front, "request-rx-copy", "1");
	put(xs, front, "feature-rx-notify", "1");
	put(xs, front, "feature-sg", "1");
	put(xs, front, "feature-gso-tcpv4", "1");
	put(xs, front, "feature-gso-tcpv6", "1");
	put(xs, front, "feature-ipv6-csum-offload", "1");
	put(xs, front, "state", "%d", XenbusStateInitialised);
	put(xs, front, "state", "%d", XenbusStateConnected);
	await(xs, back, XenbusStateConnected);
	xs_close(xs);
}

void front_detach(unsigned devid)
{
	struct xs_handle *xs = xs_open(0);
	char back[128], front[128];

	if (!xs)
		die("no xenstore: %s", strerror(errno));
	dirs(devid, back, front);
	put(xs, back, "online", "0");
	put(xs, front, "state", "%d", XenbusStateClosed);
	xs_rm(xs, XBT_NULL, back);
	xs_rm(xs, XBT_NULL, front);
	xs_close(xs);
}
