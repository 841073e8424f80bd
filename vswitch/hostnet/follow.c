/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include <event2/event.h>

#include "confirm.h"
#include "follow.h"
#include "vswitch/base/log.h"
#include "vswitch/base/mac.h"
#include "vswitch/base/names.h"
#include "vswitch/xbard.h"

#define PAUSE_MS 200 /* a look comes when events pause this long: a DHCP client sets an address, then routes */
#define PATIENCE_MS 1000 /* or when they have not paused since then */
#define AGAIN_MS 1000 /* where something is to be seen that causes no event */

#ifndef IFF_LOWER_UP /* in the kernel's header, which does not go with the C library's */
#define IFF_LOWER_UP (1 << 16)
#endif

struct uplink {
	TAILQ_ENTRY(uplink) link;
	char bridge[IFNAMSIZ];
	int ifindex; /* 0: it is gone */
	uint32_t mtu;
	uint8_t mac[6];
	bool carrier; /* the host port's */
	bool furnished; /* it may have got addresses or routes */
	bool missed; /* it is said to be gone */
	bool there; /* in this look: its record is */
};

struct follow {
	struct xbard *xbard;
	struct rtnl *nc;
	struct rtnl_events *events;
	struct event *readable, *timer;
	int64_t since_ms; /* of the first event not looked at yet; 0: none */
	bool again, attached; /* in this look */
	TAILQ_HEAD(uplink_list, uplink) uplinks;
};

static const struct state_uplink *port_of(const struct follow *watch, const struct record *rec)
{
	return state_uplink(model_state(watch->xbard->model), rec->uplink);
}

/* At the first look the netdev may differ already from what was taken over. */
static struct uplink *find(struct follow *watch, const struct record *rec)
{
	const struct rtnl_link *then = rtnl_snap_link(rec->snap);
	struct uplink *up;

	for (up = TAILQ_FIRST(&watch->uplinks); up; up = TAILQ_NEXT(up, link))
		if (!strcmp(up->bridge, rec->bridge))
			return up;
	up = calloc(1, sizeof(*up));
	if (!up)
		return NULL;
	memcpy(up->bridge, rec->bridge, sizeof(up->bridge));
	up->carrier = up->furnished = true;
	up->mtu = then->mtu;
	memcpy(up->mac, then->mac, sizeof(up->mac));
	if (!rtnl_link_exists(watch->nc, rec->uplink))
		up->ifindex = then->ifindex; /* by which one that was renamed is found */
	TAILQ_INSERT_TAIL(&watch->uplinks, up, link);
	return up;
}

/* ---- one thing each ---------------------------------------------------------------------------------------------- */

struct guests {
	const char *bridge;
	bool any;
};

static bool is_guest(const struct sw_port_info *info, void *arg)
{
	struct guests *guests = arg;

	guests->any |= info->connected && info->bridge && !strcmp(info->bridge, guests->bridge) &&
		       strcmp(info->kind, "host") && strcmp(info->kind, "uplink");
	return true;
}

static void follow_carrier(struct follow *watch, struct uplink *up, bool carrier)
{
	struct guests guests = {.bridge = up->bridge};
	struct err err;

	if (!carrier) {
		watch->again = true; /* guests come and go without an event here */
		sw_port_each(is_guest, &guests);
	}
	bool want = carrier || guests.any;
	if (want == up->carrier)
		return;
	up->carrier = want;
	int r = sw_host_carrier(up->bridge, want, &err);
	if (r == -ENOTTY)
		return; /* a kernel before 5.0 */
	if (r)
		log_warn("%s", err.text);
	else
		log_info("bridge %s: the host port has %s carrier, as its uplink", up->bridge, want ? "its" : "no");
}

static void set_mac(struct follow *watch, const char *bridge, const uint8_t mac[6])
{
	char text[MAC_TEXT];
	struct err err;

	mac_format(mac, text);
	if (model_host_mac(watch->xbard->model, bridge, mac, &err))
		log_error("bridge %s: the host port cannot follow its uplink to MAC address %s: %s", bridge, text,
			  err.text);
	else
		log_info("bridge %s: the host port follows its uplink to MAC address %s", bridge, text);
}

static void set_mtu(struct follow *watch, const char *bridge, uint32_t mtu)
{
	struct err err;

	if (model_host_mtu(watch->xbard->model, bridge, mtu, &err))
		log_error("bridge %s: the host port cannot follow its uplink to MTU %u: %s", bridge, mtu, err.text);
	else
		log_info("bridge %s: the host port follows its uplink to MTU %u", bridge, mtu);
}

/* Open the uplink anew, as `name`: its driver keeps name and buffer sizes from when it was opened. */
static int reopen(struct follow *watch, struct record *rec, const char *name, struct err *err)
{
	struct model *model = watch->xbard->model;
	const struct state_uplink *port = port_of(watch, rec);
	struct state_uplink want = {.driver = ""};

	if (port)
		want = *port;
	name_copy(want.bridge, sizeof(want.bridge), rec->bridge);
	int r = port ? model_uplink_del(model, rec->uplink, err) : 0;
	if (r)
		return r;
	name_copy(want.netdev, sizeof(want.netdev), name);
	return model_uplink_add(model, &want, err);
}

static void renamed(struct follow *watch, struct record *rec, const char *name)
{
	char old[IFNAMSIZ];
	struct err err;

	memcpy(old, rec->uplink, sizeof(old));
	int r = reopen(watch, rec, name, &err);
	if (!r) {
		name_copy(rec->uplink, sizeof(rec->uplink), name);
		r = record_save(watch->xbard->daemon.rundir, rec, &err);
	}
	if (r)
		log_error("bridge %s: cannot follow its uplink, which was called %s and is %s now: %s", rec->bridge,
			  old, name, err.text);
	else
		log_warn("bridge %s: its uplink %s is called %s now", rec->bridge, old, name);
}

/* What somebody has given to the uplink was meant for the host, which is on the host port. */
static void move_over(struct follow *watch, const struct record *rec)
{
	struct rtnl_snap *snap;
	struct err err;

	if (rtnl_snap_take(watch->nc, rec->uplink, &snap, &err)) {
		log_warn("bridge %s: %s", rec->bridge, err.text);
		return;
	}
	if (rtnl_snap_given(snap)) {
		json_t *list = rtnl_snap_address_list(snap);
		char *text = json_dumps(list, JSON_COMPACT);
		int r = rtnl_snap_give(watch->nc, snap, rec->bridge, &err);
		if (!r)
			r = rtnl_snap_clear(watch->nc, snap, rec->uplink, &err);
		if (!r)
			r = rtnl_quiet(rec->uplink, &err);
		if (r)
			log_error("bridge %s: what was set on its uplink %s cannot move to the host port: %s",
				  rec->bridge, rec->uplink, err.text);
		else
			log_warn("addresses %s and %u routes that were set on %s, the uplink of %s, have moved to %s; "
				 "let a DHCP client run on %s",
				 text ? text : "", rtnl_snap_routes(snap), rec->uplink, rec->bridge, rec->bridge,
				 rec->bridge);
		free(text);
		json_decref(list);
	}
	rtnl_snap_free(snap);
}

static void lost(struct follow *watch, struct uplink *up, const struct record *rec)
{
	struct err err;

	if (!up->missed)
		log_error(
			"bridge %s: its uplink %s is gone; the host and guests reach only each other until %s is back",
			rec->bridge, rec->uplink, rec->netdev);
	up->missed = true;
	up->ifindex = 0;
	if (port_of(watch, rec) && model_uplink_del(watch->xbard->model, rec->uplink, &err))
		log_error("%s", err.text);
	follow_carrier(watch, up, false);
}

/* Take over again what was gone, or what another process took from the switch. */
static int attach(struct follow *watch, struct uplink *up, const struct record *rec, struct err *err)
{
	struct xbard *xbard = watch->xbard;
	struct takeover t;

	int r = port_of(watch, rec) ? model_uplink_del(xbard->model, rec->uplink, err) : 0;
	if (!r)
		r = takeover_open_record(&t, xbard->model, xbard->daemon.rundir, rec->bridge, NULL, err);
	if (r)
		return r;
	t.again = true;
	r = takeover_start(&t, 0, err);
	takeover_fini(&t);
	if (r)
		return r;
	log_info("bridge %s: its uplink %s is back", rec->bridge, rec->uplink);
	up->missed = false;
	up->furnished = true;
	watch->attached = true;
	return 0;
}

/* ---- a look ------------------------------------------------------------------------------------------------------ */

static void compare(struct follow *watch, struct uplink *up, struct record *rec, const struct rtnl_link *link)
{
	struct rtnl_link host;
	struct err err;

	if (rtnl_link_get(watch->nc, rec->bridge, &host, &err)) {
		log_error("bridge %s: %s", rec->bridge, err.text);
		return;
	}
	if (up->mtu != link->mtu && host.mtu != link->mtu) {
		set_mtu(watch, rec->bridge, link->mtu);
		if (reopen(watch, rec, rec->uplink, &err))
			log_error("bridge %s: cannot open its uplink anew for MTU %u: %s", rec->bridge, link->mtu,
				  err.text);
	}
	if (memcmp(up->mac, link->mac, sizeof(up->mac)) && memcmp(host.mac, link->mac, sizeof(host.mac)))
		set_mac(watch, rec->bridge, link->mac);
	up->mtu = link->mtu;
	memcpy(up->mac, link->mac, sizeof(up->mac));
	follow_carrier(watch, up, link->flags & IFF_LOWER_UP);
	if (up->furnished)
		move_over(watch, rec);
	up->furnished = false;
}

static bool look_at(struct record *rec, const struct err *why, void *arg)
{
	struct follow *watch = arg;
	struct rtnl_link link;
	struct err err;
	char name[IFNAMSIZ];

	(void)why; /* whoever uses such a record says it */
	struct uplink *up = rec && rec->done && *rec->uplink ? find(watch, rec) : NULL;
	if (!up)
		return true;
	up->there = true;
	if (up->ifindex && if_indextoname(up->ifindex, name) && strcmp(name, rec->uplink) && name_is_ifname(name))
		renamed(watch, rec, name);
	/* A bridge may be called as its netdev was: then that name is the host port's. */
	int r = rtnl_link_get(watch->nc, rec->uplink, &link, &err);
	if (r == -ENODEV && strcmp(rec->netdev, rec->bridge))
		r = rtnl_link_get(watch->nc, rec->netdev, &link, &err);
	if (r == -ENODEV) {
		lost(watch, up, rec);
		return true;
	}
	if (r) { /* it could not be asked for, and may well be there */
		log_error("bridge %s: %s", rec->bridge, err.text);
		watch->again = true;
		return true;
	}
	if ((up->ifindex && up->ifindex != link.ifindex) || !port_of(watch, rec)) {
		r = attach(watch, up, rec, &err);
		if (!r)
			r = rtnl_link_get(watch->nc, rec->uplink, &link, &err);
		if (r) {
			log_error("bridge %s: cannot take over %s again: %s", rec->bridge, rec->netdev, err.text);
			up->ifindex = 0;
			return true;
		}
	}
	up->ifindex = link.ifindex;
	compare(watch, up, rec, &link);
	return true;
}

/* Its record is gone: given back. A host port that stays is the host's own matter again. */
static void forget(struct follow *watch, struct uplink *up)
{
	struct err ignored;

	if (!up->carrier)
		sw_host_carrier(up->bridge, true, &ignored);
	TAILQ_REMOVE(&watch->uplinks, up, link);
	free(up);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval again = {AGAIN_MS / 1000, AGAIN_MS % 1000 * 1000};
	struct follow *watch = arg;
	struct uplink *up, *next;

	(void)fd;
	(void)what;
	watch->since_ms = 0;
	watch->again = watch->attached = false;
	record_each(watch->xbard->daemon.rundir, look_at, watch);
	for (up = TAILQ_FIRST(&watch->uplinks); up; up = next) {
		next = TAILQ_NEXT(up, link);
		if (!up->there)
			forget(watch, up);
		else
			up->there = false;
	}
	/* What could not be undone for want of its netdev can be confirmed, or undone, now. */
	if (watch->attached)
		confirm_resume(netctl_confirm(watch->xbard->netctl));
	if (watch->again)
		event_add(watch->timer, &again);
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void arm(struct follow *watch)
{
	static const struct timeval pause = {0, PAUSE_MS * 1000};
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t ms = now.tv_sec * 1000L + now.tv_nsec / 1000000;
	if (!watch->since_ms)
		watch->since_ms = ms;
	if (ms - watch->since_ms < PATIENCE_MS)
		event_add(watch->timer, &pause);
}

static void note(const struct rtnl_event *event, void *arg)
{
	struct follow *watch = arg;
	struct uplink *up;
	bool ours = event->kind == RTNL_LINK || event->kind == RTNL_LOST;

	for (up = TAILQ_FIRST(&watch->uplinks); up; up = TAILQ_NEXT(up, link)) {
		bool given = (event->kind == RTNL_ADDRESS || event->kind == RTNL_ROUTE) && !event->gone &&
			     event->ifindex && event->ifindex == up->ifindex;
		up->furnished |= given || event->kind == RTNL_LOST;
		ours |= given;
	}
	if (ours)
		arm(watch);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct follow *watch = arg;

	(void)fd;
	(void)what;
	int r = rtnl_events_read(watch->events, note, watch);
	if (r) {
		log_error("cannot follow changes to netdevs any more: %s", strerror(-r));
		event_del(watch->readable);
	}
}

struct follow *follow_new(struct xbard *xbard)
{
	struct err err = {.text = "no memory"};
	struct follow *watch = calloc(1, sizeof(*watch));
	if (!watch)
		return NULL;
	watch->xbard = xbard;
	TAILQ_INIT(&watch->uplinks);
	if (rtnl_open(&watch->nc, &err) || rtnl_events_open(&watch->events, &err))
		goto fail;
	watch->readable =
		event_new(xbard->daemon.base, rtnl_events_fd(watch->events), EV_READ | EV_PERSIST, on_readable, watch);
	watch->timer = evtimer_new(xbard->daemon.base, on_timer, watch);
	if (!watch->readable || !watch->timer || event_add(watch->readable, NULL))
		goto fail;
	arm(watch);
	return watch;
fail:
	log_error("changes to netdevs are not followed: %s", err.text);
	follow_free(watch);
	return NULL;
}

void follow_free(struct follow *watch)
{
	struct uplink *up;

	if (!watch)
		return;
	while ((up = TAILQ_FIRST(&watch->uplinks))) {
		TAILQ_REMOVE(&watch->uplinks, up, link);
		free(up);
	}
	if (watch->readable)
		event_free(watch->readable);
	if (watch->timer)
		event_free(watch->timer);
	rtnl_events_close(watch->events);
	rtnl_close(watch->nc);
	free(watch);
}
