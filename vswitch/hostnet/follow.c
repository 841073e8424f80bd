/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "follow.h"
#include "host_macs.h"
#include "vswitch/base/clock.h"
#include "vswitch/base/log.h"
#include "vswitch/base/mac.h"
#include "vswitch/base/names.h"

#define PAUSE_MS 200 /* look when events pause for this long: a DHCP client sets an address, then routes */
#define PATIENCE_MS 1000 /* or when they have not paused since then */
#define AGAIN_MS 1000 /* while waiting for something that causes no event */

#ifndef IFF_LOWER_UP /* in the kernel's header, which conflicts with the C library's */
#define IFF_LOWER_UP (1 << 16)
#endif

struct uplink {
	TAILQ_ENTRY(uplink) link;
	char bridge[IFNAMSIZ];
	int ifindex; /* 0: it is gone */
	uint32_t mtu;
	uint8_t mac[6];
	bool carrier; /* the host port's */
	bool has_config; /* it may have been given addresses or routes */
	bool missed; /* the log says that it is gone */
	bool there; /* in this look: its record exists */
};

struct follow {
	const struct takeover_env *env;
	void (*on_attached)(void *arg);
	void *arg;
	struct rtnl_events *events;
	struct event *readable, *timer;
	uint64_t since_ms; /* clock_ms() of the first event that no look has covered; 0: none */
	bool again, attached; /* set by this look: look again soon; an uplink was taken over again */
	TAILQ_HEAD(uplink_list, uplink) uplinks;
};

/* The uplink of `rec`, new at the first look: then its netdev may already differ from what was taken over. NULL: no memory. */
static struct uplink *find(struct follow *follow, const struct record *rec)
{
	const struct rtnl_link *then = rtnl_snap_link(rec->snap);
	struct uplink *up;

	TAILQ_FOREACH(up, &follow->uplinks, link)
	if (!strcmp(up->bridge, rec->bridge))
		return up;
	up = calloc(1, sizeof(*up));
	if (!up)
		return NULL;
	memcpy(up->bridge, rec->bridge, sizeof(up->bridge));
	up->carrier = up->has_config = true;
	up->mtu = then->mtu;
	memcpy(up->mac, then->mac, sizeof(up->mac));
	if (!rtnl_link_exists(follow->env->rtnl, rec->uplink))
		up->ifindex = then->ifindex; /* it may have been renamed: this finds it */
	TAILQ_INSERT_TAIL(&follow->uplinks, up, link);
	return up;
}

/* ---- one thing each ---------------------------------------------------------------------------------------------- */

static void follow_carrier(struct follow *follow, struct uplink *up, bool carrier)
{
	struct err err;

	if (!carrier)
		follow->again = true; /* guests connect and disconnect without an event here */
	bool want = carrier || sw_bridge_has_guests(up->bridge);
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

static void set_mac(const char *bridge, const uint8_t mac[6])
{
	char text[MAC_TEXT];
	struct err err;

	mac_format(mac, text);
	if (sw_host_mac(bridge, mac, &err))
		log_error("bridge %s: the host port cannot follow its uplink to MAC address %s: %s", bridge, text,
			  err.text);
	else
		log_info("bridge %s: the host port follows its uplink to MAC address %s", bridge, text);
}

static void set_mtu(const char *bridge, uint32_t mtu)
{
	struct err err;

	if (sw_host_mtu(bridge, mtu, &err))
		log_error("bridge %s: the host port cannot follow its uplink to MTU %u: %s", bridge, mtu, err.text);
	else
		log_info("bridge %s: the host port follows its uplink to MTU %u", bridge, mtu);
}

/* Reopen the uplink, as `name`: its driver keeps the name and buffer sizes that it was opened with. */
static int reopen(struct record *rec, const char *name, struct err *err)
{
	const struct port *port = sw_uplink(rec->uplink);
	struct port_conf want = {.kind = PORT_UPLINK, .devid = -1};

	if (port)
		want = port->conf;
	name_copy(want.on, sizeof(want.on), rec->bridge);
	int r = port ? sw_uplink_del(rec->uplink, err) : 0;
	if (r)
		return r;
	name_copy(want.name, sizeof(want.name), name);
	return sw_port_add(&want, err);
}

static void renamed(struct follow *follow, struct record *rec, const char *name)
{
	char old[IFNAMSIZ];
	struct err err;

	memcpy(old, rec->uplink, sizeof(old));
	int r = reopen(rec, name, &err);
	if (!r) {
		name_copy(rec->uplink, sizeof(rec->uplink), name);
		r = record_save(follow->env->records, rec, &err);
	}
	if (r)
		name_copy(rec->uplink, sizeof(rec->uplink), old);
	if (r)
		log_error("bridge %s: cannot follow its uplink, which was renamed from %s to %s: %s", rec->bridge, old,
			  name, err.text);
	else
		log_warn("bridge %s: its uplink %s was renamed to %s", rec->bridge, old, name);
}

/* What somebody sets on the uplink is meant for the host, which is on the host port. */
static int move_over(struct follow *follow, const struct record *rec, const struct rtnl_link *uplink,
		     const struct rtnl_link *host, const struct rtnl_snap *snap, struct err *err)
{
	struct rtnl *rtnl = follow->env->rtnl;

	int r = rtnl_snap_give(rtnl, snap, host, err);
	if (!r)
		r = rtnl_snap_clear(rtnl, snap, uplink, err);
	if (!r)
		r = rtnl_mute_stack(uplink->name, err);
	if (r)
		return r;
	json_t *list = rtnl_snap_address_list(snap);
	char *text = json_dumps(list, JSON_COMPACT);
	log_warn("addresses %s and %u routes that were set on %s, the uplink of %s, have moved to %s; configure a DHCP "
		 "client to run on %s",
		 text ? text : "", rtnl_snap_routes(snap), uplink->name, rec->bridge, rec->bridge, rec->bridge);
	free(text);
	json_decref(list);
	return 0;
}

static void follow_config(struct follow *follow, const struct record *rec, const struct rtnl_link *uplink,
			  const struct rtnl_link *host)
{
	struct rtnl_snap *snap;
	struct err err;

	if (rtnl_snap_take(follow->env->rtnl, rec->uplink, &snap, &err)) {
		log_warn("bridge %s: %s", rec->bridge, err.text);
		return;
	}
	if (rtnl_snap_given(snap) && move_over(follow, rec, uplink, host, snap, &err))
		log_error("bridge %s: what was set on its uplink %s cannot move to the host port: %s", rec->bridge,
			  rec->uplink, err.text);
	rtnl_snap_free(snap);
}

static void lost(struct follow *follow, struct uplink *up, const struct record *rec)
{
	struct err err;

	if (!up->missed)
		log_error("bridge %s: its uplink %s is gone; the host and its guests reach only each other until %s is "
			  "back",
			  rec->bridge, rec->uplink, rec->netdev);
	up->missed = true;
	up->ifindex = 0;
	if (sw_uplink(rec->uplink) && sw_uplink_del(rec->uplink, &err))
		log_error("%s", err.text);
	follow_carrier(follow, up, false);
}

/*
 * Take over again an uplink that was gone, or that another process took from the switch. false: that failed, which may have
 * given back everything; *rec may be gone then.
 */
static bool attach(struct follow *follow, struct uplink *up, const struct record *rec)
{
	struct takeover t = {0};
	struct err err;

	int r = sw_uplink(rec->uplink) ? sw_uplink_del(rec->uplink, &err) : 0;
	if (!r)
		r = takeover_open_record(&t, follow->env, rec->bridge, NULL, &err);
	if (!r)
		r = takeover_start(&t, 0, &err);
	if (r)
		log_error("bridge %s: cannot take over %s again: %s", rec->bridge, rec->netdev, err.text);
	else
		log_info("bridge %s: its uplink %s is back", rec->bridge, rec->uplink);
	takeover_fini(&t);
	if (r) {
		up->ifindex = 0;
		return false;
	}
	up->missed = false;
	up->has_config = true;
	follow->attached = true;
	return true;
}

/* ---- a look ------------------------------------------------------------------------------------------------------ */

static void compare(struct follow *follow, struct uplink *up, struct record *rec, const struct rtnl_link *link)
{
	struct rtnl_link host;
	struct err err;

	if (rtnl_link_get(follow->env->rtnl, rec->bridge, &host, &err)) {
		log_error("bridge %s: %s", rec->bridge, err.text);
		return;
	}
	if (up->mtu != link->mtu && host.mtu != link->mtu) {
		set_mtu(rec->bridge, link->mtu);
		if (reopen(rec, rec->uplink, &err))
			log_error("bridge %s: cannot reopen its uplink for MTU %u: %s", rec->bridge, link->mtu,
				  err.text);
	}
	if (memcmp(up->mac, link->mac, sizeof(up->mac)) && memcmp(host.mac, link->mac, sizeof(host.mac)))
		set_mac(rec->bridge, link->mac);
	up->mtu = link->mtu;
	memcpy(up->mac, link->mac, sizeof(up->mac));
	follow_carrier(follow, up, link->flags & IFF_LOWER_UP);
	if (up->has_config)
		follow_config(follow, rec, link, &host);
	up->has_config = false;
}

static void look_at(struct follow *follow, struct record *rec)
{
	struct rtnl *rtnl = follow->env->rtnl;
	struct rtnl_link link;
	struct err err;
	char name[IFNAMSIZ];

	struct uplink *up = find(follow, rec);
	if (!up)
		return;
	up->there = true;
	if (up->ifindex && if_indextoname(up->ifindex, name) && strcmp(name, rec->uplink) && name_is_ifname(name))
		renamed(follow, rec, name);
	/* The bridge may have the netdev's original name: then that is the host port's. */
	int r = rtnl_link_get(rtnl, rec->uplink, &link, &err);
	if (r == -ENODEV && strcmp(rec->netdev, rec->bridge))
		r = rtnl_link_get(rtnl, rec->netdev, &link, &err);
	if (r == -ENODEV) {
		lost(follow, up, rec);
		return;
	}
	if (r) { /* the kernel could not be asked: it may well exist */
		log_error("bridge %s: %s", rec->bridge, err.text);
		follow->again = true;
		return;
	}
	if ((up->ifindex && up->ifindex != link.ifindex) || !sw_uplink(rec->uplink)) {
		if (!attach(follow, up, rec))
			return;
		if (rtnl_link_get(rtnl, rec->uplink, &link, &err)) {
			log_error("bridge %s: %s", rec->bridge, err.text);
			up->ifindex = 0;
			return;
		}
	}
	up->ifindex = link.ifindex;
	compare(follow, up, rec, &link);
}

/* Its record is gone: it was given back. A host port that stays is the administrator's again. */
static void forget(struct follow *follow, struct uplink *up)
{
	struct err ignored;

	if (!up->carrier)
		sw_host_carrier(up->bridge, true, &ignored);
	TAILQ_REMOVE(&follow->uplinks, up, link);
	free(up);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval again = {AGAIN_MS / 1000, AGAIN_MS % 1000 * 1000};
	struct follow *follow = arg;
	struct uplink *up, *next;
	struct record *rec, *next_rec;

	(void)fd;
	(void)what;
	follow->since_ms = 0;
	follow->again = follow->attached = false;
	records_refresh(follow->env->records);
	for (rec = TAILQ_FIRST(&follow->env->records->list); rec; rec = next_rec) {
		next_rec = TAILQ_NEXT(rec, link); /* a look may give it back */
		if (!rec->damaged && rec->done && *rec->uplink)
			look_at(follow, rec);
	}
	for (up = TAILQ_FIRST(&follow->uplinks); up; up = next) {
		next = TAILQ_NEXT(up, link);
		if (!up->there)
			forget(follow, up);
		else
			up->there = false;
	}
	host_macs_look(follow->env->rtnl);
	if (follow->attached)
		follow->on_attached(follow->arg);
	if (follow->again)
		event_add(follow->timer, &again);
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void arm(struct follow *follow)
{
	static const struct timeval pause = {0, PAUSE_MS * 1000};
	uint64_t now = clock_ms();

	if (!follow->since_ms)
		follow->since_ms = now;
	if (now - follow->since_ms < PATIENCE_MS)
		event_add(follow->timer, &pause);
}

static void note(const struct rtnl_event *event, void *arg)
{
	struct follow *follow = arg;
	struct uplink *up;
	bool ours = event->kind == RTNL_LINK || event->kind == RTNL_LOST;

	TAILQ_FOREACH(up, &follow->uplinks, link)
	{
		bool given = (event->kind == RTNL_ADDRESS || event->kind == RTNL_ROUTE) && !event->gone &&
			     event->ifindex && event->ifindex == up->ifindex;
		up->has_config |= given || event->kind == RTNL_LOST;
		ours |= given;
	}
	if (ours)
		arm(follow);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct follow *follow = arg;

	(void)fd;
	(void)what;
	int r = rtnl_events_read(follow->events, note, follow);
	if (r) {
		log_error("cannot follow changes to netdevs any longer: %s", strerror(-r));
		event_del(follow->readable);
	}
}

struct follow *follow_new(struct event_base *base, const struct takeover_env *env, void (*attached)(void *arg),
			  void *arg)
{
	struct err err = {.text = "no memory"};
	struct follow *follow = calloc(1, sizeof(*follow));
	if (!follow)
		return NULL;
	follow->env = env;
	follow->on_attached = attached;
	follow->arg = arg;
	TAILQ_INIT(&follow->uplinks);
	if (rtnl_events_open(&follow->events, &err))
		goto fail;
	follow->readable = event_new(base, rtnl_events_fd(follow->events), EV_READ | EV_PERSIST, on_readable, follow);
	follow->timer = evtimer_new(base, on_timer, follow);
	if (!follow->readable || !follow->timer || event_add(follow->readable, NULL))
		goto fail;
	arm(follow);
	return follow;
fail:
	log_error("changes to netdevs are not followed: %s", err.text);
	follow_free(follow);
	return NULL;
}

void follow_free(struct follow *follow)
{
	struct uplink *up;

	if (!follow)
		return;
	while ((up = TAILQ_FIRST(&follow->uplinks))) {
		TAILQ_REMOVE(&follow->uplinks, up, link);
		free(up);
	}
	if (follow->readable)
		event_free(follow->readable);
	if (follow->timer)
		event_free(follow->timer);
	rtnl_events_close(follow->events);
	free(follow);
}
