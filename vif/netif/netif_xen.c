/* SPDX-License-Identifier: BSD-3-Clause */
#include "netif_xen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>
#include <xentoollog.h>

#include "vif/grant.h"

/* What the libraries have to say is said by their errno; a guest must not be able to fill the log. */
static void log_nothing(struct xentoollog_logger *logger, xentoollog_level level, int errnoval, const char *context,
			const char *format, va_list al)
{
	(void)logger;
	(void)level;
	(void)errnoval;
	(void)context;
	(void)format;
	(void)al;
}

static struct xentoollog_logger quiet = {.vmessage = log_nothing};

static int xen_copy(void *handle, uint32_t n, xengnttab_grant_copy_segment_t *op)
{
	return xengnttab_grant_copy(handle, n, op);
}

static void *xen_map(void *handle, uint32_t domid, uint32_t gref, bool writable)
{
	return xengnttab_map_grant_ref(handle, domid, gref, writable ? PROT_READ | PROT_WRITE : PROT_READ);
}

static void xen_unmap(void *handle, void *page)
{
	xengnttab_unmap(handle, page, 1);
}

static const struct grant_ops xen_ops = {.copy = xen_copy, .map = xen_map, .unmap = xen_unmap};

int netif_xen_open(struct err *err)
{
	static xengnttab_handle *handle;
	int r;

	if (handle)
		return 0;
	handle = xengnttab_open(&quiet, 0);
	if (!handle) {
		r = errno ? -errno : -ENODEV;
		return err_set(err, r, "/dev/xen/gntdev: %s: is this a Xen host, and xen_gntdev loaded?", strerror(-r));
	}
	r = grant_use(&xen_ops, handle);
	return r ? err_set(err, r, "no memory for grant copies") : 0;
}

int netif_xen_probe(struct err *err)
{
	static const char *const devices[] = {"/dev/xen/gntdev", "/dev/xen/evtchn"};

	for (unsigned i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		int fd = open(devices[i], O_RDWR | O_CLOEXEC);

		if (fd < 0) {
			int r = -errno;

			return err_set(err, r, "%s: %s: is this a Xen host?", devices[i], strerror(-r));
		}
		close(fd);
	}
	return 0;
}

int netif_events_open(struct netif_events *ev, uint32_t domid, uint32_t tx, uint32_t rx)
{
	int fd, flags;

	ev->tx = ev->rx = -1;
	ev->handle = xenevtchn_open(&quiet, 0);
	if (!ev->handle)
		return errno ? -errno : -ENODEV;
	fd = xenevtchn_fd(ev->handle);
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	ev->tx = xenevtchn_bind_interdomain(ev->handle, domid, tx);
	if (ev->tx < 0)
		return -errno;
	ev->rx = rx == tx ? ev->tx : xenevtchn_bind_interdomain(ev->handle, domid, rx);
	return ev->rx < 0 ? -errno : 0;
}

void netif_events_close(struct netif_events *ev)
{
	if (ev->handle)
		xenevtchn_close(ev->handle); /* unbinds what is bound */
	ev->handle = NULL;
}

void netif_events_acknowledge(const struct netif_events *ev)
{
	xenevtchn_port_or_error_t port[2];
	unsigned n = 0;

	/* all of them first: what is unmasked may have fired again at the next look, and so keep us here without end */
	while (n < 2 && (port[n] = xenevtchn_pending(ev->handle)) >= 0)
		n++;
	while (n)
		xenevtchn_unmask(ev->handle, port[--n]);
}

bool netif_events_send(const struct netif_events *ev, int port)
{
	return !xenevtchn_notify(ev->handle, port);
}

int netif_events_fd(const struct netif_events *ev)
{
	return xenevtchn_fd(ev->handle);
}
