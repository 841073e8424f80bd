/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vif's life. It follows from what xenstore says; all that is remembered is whether the vif is attached and connected.
 * Each event marks the vifs that it may concern as stale; each stale vif is read once and moved on by this table:
 *
 *   the frontend is       we                                       our state becomes
 *   ------------------    -------------------------------------    ------------------------------------------------------
 *   Initialising          disconnect                               InitWait, from any; Closed if not online
 *   Initialised,          connect, once hotplug-status says so     Connected, from InitWait
 *     Connected           connect at once                          stays Connected: a previous daemon served it
 *   Closing               disconnect                               Closing
 *   Closed                disconnect                               Closed; the port stays until the directory is gone
 *   not there             disconnect                               InitWait from Initialising (it may come), else Closed
 *   anything else         disconnect, complain                     Closing
 *
 * A vif whose directory is gone is detached. A directory that we have attached and that says Initialising again is a new
 * vif in the same place. A change of state is made in a transaction, and only if the state is still the one that was
 * read; if it is not, the event about that change is on its way.
 */
#include "xenback.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "xenback_parse.h"
#include "xenback_store.h"

#define ROOT "backend/vif"
#define TOKEN_ROOT "vifs"
#define TOKEN_DOMAINS "domains"
/* Per call: bounds a guest that never stops writing, yet is enough to drain what arrived while vifs were read. */
#define EVENTS_AT_ONCE 65536

struct vif {
	LIST_ENTRY(vif) link;
	uint32_t domid, devid;
	char dir[XB_PATH_MAX]; /* backend/vif/D/N: also the token of the watch on its frontend */
	char name[sizeof(((struct xenback_vif *)0)->name)];
	char frontend[XB_FRONTEND_MAX]; /* what is watched; "": nothing */
	bool read; /* its directory was read, and the vif attached or refused */
	bool attached, connected, multicast;
	bool complained; /* there is a sentence in error/ */
	time_t told; /* when ops->trouble was last called, since a guest can cause errors as fast as it can write */
	bool dead; /* its domain is gone: the frontend's nodes mean nothing */
	bool stale; /* must be read */
};

struct xenback {
	struct xs_handle *xs;
	const struct xenback_ops *ops;
	void *arg;
	unsigned max_queues;
	LIST_HEAD(vif_list, vif) vifs;
	bool domains_heard; /* a watch fires once when it is set */
};

static void complain(struct xenback *xb, struct vif *vif, const char *why)
{
	vif->complained = true;
	xb_complain(xb->xs, vif->dir, why);
	time_t now = time(NULL);
	if (now != vif->told)
		xb->ops->trouble(xb->arg, vif->name, why);
	vif->told = now;
}

static void withdraw(struct xenback *xb, struct vif *vif)
{
	if (vif->complained)
		xb_complain(xb->xs, vif->dir, NULL);
	vif->complained = false;
}

static void disconnect(struct xenback *xb, struct vif *vif)
{
	if (vif->connected)
		xb->ops->disconnect(xb->arg, vif->name);
	vif->connected = false;
}

static bool watch(struct xenback *xb, const struct vif *vif, bool on)
{
	static const char *const nodes[] = {"state", "request-multicast-control"};
	char path[XB_FRONTEND_MAX + 32];
	bool done = true;

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", vif->frontend, nodes[i]);
		done &= on ? xs_watch(xb->xs, path, vif->dir) : xs_unwatch(xb->xs, path, vif->dir);
	}
	return done;
}

static void watch_frontend(struct xenback *xb, struct vif *vif, const char *frontend)
{
	if (!strcmp(vif->frontend, frontend))
		return;
	if (*vif->frontend)
		watch(xb, vif, false);
	strcpy(vif->frontend, frontend);
	if (*frontend && !watch(xb, vif, true)) {
		watch(xb, vif, false);
		vif->frontend[0] = '\0';
		complain(xb, vif, "xenstored refuses another watch: raise its limit for this domain (xenstored -W)");
	}
}

/* The directory is gone, or holds a new vif: forget the old one. */
static void vacate(struct xenback *xb, struct vif *vif)
{
	disconnect(xb, vif);
	if (vif->attached)
		xb->ops->detach(xb->arg, vif->name);
	withdraw(xb, vif);
	watch_frontend(xb, vif, "");
	vif->attached = vif->read = vif->dead = false;
}

static bool is_ready(const struct xb_stand *stand)
{
	return stand->theirs == XenbusStateInitialised || stand->theirs == XenbusStateConnected;
}

static void attach(struct xenback *xb, struct vif *vif, const struct xb_stand *stand)
{
	struct xenback_vif conf;
	struct err err;

	vif->read = true;
	int r = xb_read_vif(xb->xs, vif->dir, vif->domid, vif->devid, &conf, &err);
	if (!r) {
		conf.adopted = stand->ours == XenbusStateConnected && is_ready(stand);
		strcpy(vif->name, conf.name);
		r = xb->ops->attach(xb->arg, &conf, &err);
	}
	vif->attached = !r;
	if (r)
		complain(xb, vif, err.text);
}

/* Change our state to `to`, and stand->ours with it. */
static bool switch_to(struct xenback *xb, struct vif *vif, struct xb_stand *stand, enum xenbus_state to)
{
	if (stand->ours == to)
		return true;
	int r = xb_switch(xb->xs, vif->dir, stand->ours, to, xb->max_queues);
	if (r && r != -ESTALE) {
		struct err err;
		err_set(&err, r, "cannot write %s/state in xenstore: %s", vif->dir, strerror(-r));
		xb->ops->trouble(xb->arg, vif->name, err.text);
	}
	if (r)
		return false;
	stand->ours = to;
	return true;
}

static void fatal(struct xenback *xb, struct vif *vif, struct xb_stand *stand, const char *why)
{
	complain(xb, vif, why);
	switch_to(xb, vif, stand, XenbusStateClosing);
}

static void connect_rings(struct xenback *xb, struct vif *vif, struct xb_stand *stand)
{
	struct xenback_rings rings;
	struct err err;

	int r = xb_read_rings(xb->xs, vif->frontend, vif->domid, stand->queues, &rings, &err);
	if (!r)
		r = xb->ops->connect(xb->arg, vif->name, &rings, &err);
	if (r) {
		fatal(xb, vif, stand, err.text);
		return;
	}
	vif->connected = true;
	vif->multicast = rings.multicast_control;
	switch_to(xb, vif, stand, XenbusStateConnected);
}

static void on_ready(struct xenback *xb, struct vif *vif, struct xb_stand *stand)
{
	if (stand->ours == XenbusStateInitialising) {
		switch_to(xb, vif, stand, XenbusStateInitWait); /* causes an event, which continues from here */
		return;
	}
	if (!vif->attached)
		return;
	if (vif->connected && stand->multicast != vif->multicast) {
		vif->multicast = stand->multicast;
		xb->ops->multicast(xb->arg, vif->name, vif->multicast);
	}
	if (stand->ours == XenbusStateConnected && !vif->connected)
		connect_rings(xb, vif, stand);
	else if (stand->ours == XenbusStateInitWait && vif->connected)
		switch_to(xb, vif, stand, XenbusStateConnected); /* the previous attempt lost a race */
	else if (stand->ours == XenbusStateInitWait && stand->hotplugged)
		connect_rings(xb, vif, stand);
}

static void on_frontend(struct xenback *xb, struct vif *vif, struct xb_stand *stand)
{
	if (!is_ready(stand))
		disconnect(xb, vif);
	switch (stand->theirs) {
	case XenbusStateInitialising:
	case XenbusStateInitWait:
		if (!stand->online)
			switch_to(xb, vif, stand, XenbusStateClosed);
		else if (switch_to(xb, vif, stand, XenbusStateInitWait) && vif->attached)
			withdraw(xb, vif);
		break;
	case XenbusStateInitialised:
	case XenbusStateConnected:
		on_ready(xb, vif, stand);
		break;
	case XenbusStateClosing:
		if (stand->ours != XenbusStateClosed)
			switch_to(xb, vif, stand, XenbusStateClosing);
		break;
	case XenbusStateUnknown:
		if (stand->ours == XenbusStateInitialising)
			switch_to(xb, vif, stand, XenbusStateInitWait);
		else if (stand->ours != XenbusStateInitWait)
			switch_to(xb, vif, stand, XenbusStateClosed);
		break;
	default:
		switch_to(xb, vif, stand, XenbusStateClosed);
	}
}

/* Read one vif and act on it. false: it no longer exists. */
static bool step(struct xenback *xb, struct vif *vif)
{
	struct xb_stand stand;

	vif->stale = false;
	int r = xb_look(xb->xs, vif->dir, &stand);
	if (!r && vif->read && stand.ours == XenbusStateInitialising)
		vacate(xb, vif);
	/* Set the watch, then read again, so that no change is missed. */
	if (!r && strcmp(vif->frontend, stand.frontend)) {
		watch_frontend(xb, vif, stand.frontend);
		r = xb_look(xb->xs, vif->dir, &stand);
	}
	if (r == -ENOENT)
		vacate(xb, vif);
	if (r || stand.ours == XenbusStateUnknown) /* the directory is still being written */
		return r != -ENOENT;
	if (!vif->read)
		attach(xb, vif, &stand);
	if (vif->dead)
		stand.theirs = XenbusStateUnknown;
	if (stand.strange && stand.ours < XenbusStateClosing) {
		disconnect(xb, vif);
		fatal(xb, vif, &stand, "the frontend's state is not a XenbusState that a frontend can be in");
	} else if (!stand.strange) {
		on_frontend(xb, vif, &stand);
	}
	return true;
}

/* ---- the list of vifs ---------------------------------------------------------------------------------------- */

static struct vif *find(const struct xenback *xb, uint32_t domid, uint32_t devid)
{
	struct vif *vif;

	LIST_FOREACH(vif, &xb->vifs, link)
	{
		if (vif->domid == domid && vif->devid == devid)
			return vif;
	}
	return NULL;
}

/* Mark backend/vif/D/N as stale. */
static void touch(struct xenback *xb, uint32_t domid, uint32_t devid)
{
	struct vif *vif = find(xb, domid, devid);

	if (!vif && (vif = calloc(1, sizeof(*vif)))) {
		vif->domid = domid;
		vif->devid = devid;
		snprintf(vif->dir, sizeof(vif->dir), ROOT "/%u/%u", domid, devid);
		snprintf(vif->name, sizeof(vif->name), "vif%u.%u", domid, devid);
		LIST_INSERT_HEAD(&xb->vifs, vif, link);
	}
	if (vif)
		vif->stale = true;
	else
		xb->ops->trouble(xb->arg, "a new vif", "out of memory");
}

static void touch_domain(struct xenback *xb, const char *domain)
{
	char path[XB_PATH_MAX];
	uint64_t domid, devid;
	unsigned n = 0;

	if (!xb_number(domain, UINT16_MAX, &domid))
		return;
	snprintf(path, sizeof(path), ROOT "/%s", domain);
	char **devs = xs_directory(xb->xs, XBT_NULL, path, &n);
	for (unsigned i = 0; devs && i < n; i++)
		if (xb_number(devs[i], UINT16_MAX, &devid))
			touch(xb, domid, devid);
	free(devs);
}

static void touch_all(struct xenback *xb)
{
	struct vif *vif;
	unsigned n = 0;

	LIST_FOREACH(vif, &xb->vifs, link)
	{
		vif->stale = true;
	}
	char **domains = xs_directory(xb->xs, XBT_NULL, ROOT, &n);
	for (unsigned i = 0; domains && i < n; i++)
		touch_domain(xb, domains[i]);
	free(domains);
}

/* A domain ended or was shut down. It cannot go away while we hold its rings. */
static void on_domains(struct xenback *xb)
{
	struct vif *vif;

	if (!xb->domains_heard) {
		xb->domains_heard = true;
		return;
	}
	LIST_FOREACH(vif, &xb->vifs, link)
	{
		if (vif->connected && !xs_is_domain_introduced(xb->xs, vif->domid))
			vif->dead = vif->stale = true;
	}
}

/* backend/vif/D/N/... */
static void on_path(struct xenback *xb, const char *path)
{
	char domain[12], dev[12];
	uint64_t domid, devid;

	if (sscanf(path, ROOT "/%11[0-9]/%11[0-9]", domain, dev) == 2 && xb_number(domain, UINT16_MAX, &domid) &&
	    xb_number(dev, UINT16_MAX, &devid))
		touch(xb, domid, devid);
	else
		touch_all(xb);
}

static void settle(struct xenback *xb)
{
	struct vif *vif, *next;

	for (vif = LIST_FIRST(&xb->vifs); vif; vif = next) {
		next = LIST_NEXT(vif, link);
		if (vif->stale && !step(xb, vif)) {
			LIST_REMOVE(vif, link);
			free(vif);
		}
	}
}

void xenback_read(struct xenback *xb)
{
	char **event;

	for (int i = 0; i < EVENTS_AT_ONCE && (event = xs_check_watch(xb->xs)); i++) {
		if (!strcmp(event[XS_WATCH_TOKEN], TOKEN_DOMAINS))
			on_domains(xb);
		else if (!strcmp(event[XS_WATCH_TOKEN], TOKEN_ROOT))
			on_path(xb, event[XS_WATCH_PATH]);
		else
			on_path(xb, event[XS_WATCH_TOKEN]);
		free(event);
	}
	settle(xb);
}

/* ---- open and close ------------------------------------------------------------------------------------------------------- */

static int netback_is_there(struct err *err)
{
	if (access("/sys/module/xen_netback", F_OK))
		return 0;
	if (access("/sys/module/xen_netback/initstate", F_OK))
		return err_set(err, -EBUSY,
			       "this kernel has xen-netback built in, and it takes every guest's vif: boot it with "
			       "initcall_blacklist=netback_init");
	return err_set(err, -EBUSY,
		       "the kernel's xen-netback is loaded (/sys/module/xen_netback) and takes every guest's vif: "
		       "shut the guests down, `rmmod xen-netback`, and keep it from loading with xbar-xen.conf in "
		       "/etc/modprobe.d");
}

int xenback_open(const struct xenback_ops *ops, void *arg, unsigned max_queues, struct xenback **out, struct err *err)
{
	*out = NULL;
	struct xenback *xb = calloc(1, sizeof(*xb));
	if (!xb)
		return err_nomem(err);
	LIST_INIT(&xb->vifs);
	xb->ops = ops;
	xb->arg = arg;
	xb->max_queues = max_queues < 1 ? 1 : max_queues > XENBACK_QUEUES_MAX ? XENBACK_QUEUES_MAX : max_queues;

	int r;
	xb->xs = xs_open(0);
	if (!xb->xs) {
		r = err_set(err, -ENODEV, "xenstored does not answer (%s): start it, and then xbard again",
			    strerror(errno));
		goto fail;
	}
	r = netback_is_there(err);
	if (r)
		goto fail;
	if (!xs_watch(xb->xs, ROOT, TOKEN_ROOT) || !xs_watch(xb->xs, "@releaseDomain", TOKEN_DOMAINS) ||
	    xs_fileno(xb->xs) < 0) {
		r = err_set(err, -errno, "cannot watch " ROOT " in xenstore: %s", strerror(errno));
		goto fail;
	}
	touch_all(xb);
	settle(xb);
	*out = xb;
	return 0;

fail:
	xenback_close(xb);
	return r;
}

void xenback_close(struct xenback *xb)
{
	struct vif *vif;

	if (!xb)
		return;
	while ((vif = LIST_FIRST(&xb->vifs))) {
		LIST_REMOVE(vif, link);
		free(vif);
	}
	if (xb->xs)
		xs_close(xb->xs);
	free(xb);
}

int xenback_fd(const struct xenback *xb)
{
	return xs_fileno(xb->xs);
}
