/* SPDX-License-Identifier: BSD-3-Clause */
#include "xen.h"

#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hooks.h"
#include "hypervisor/xen/xenback.h"
#include "vif/netif/netif.h"
#include "vif/netif/netif_xen.h"
#include "vswitch/base/log.h"
#include "vswitch/base/names.h"
#include "vswitch/daemon/conf.h"
#include "vswitch/daemon/daemon.h"
#include "vswitch/switch/switch.h"

/* What is known of a Xen vif beside its record: bits of its port's tag. None: it is from the state's file, unclaimed. */
#define ATTACHED 1u /* xenstore has it */
#define ADOPTED 2u /* its rings were connected when it was attached */
#define WANTS_SCRIPT 4u

struct xen {
	const struct daemon *daemon;
	struct hooks *hooks;
	struct xenback *xenback;
	struct event *event;
	bool network_up;
};

#define EMULATED_MAX (VIF_NAME_MAX + 4)

_Static_assert(XENBACK_QUEUES_MAX == VIF_QUEUES_MAX, "xenback offers what a port can have");

/* The Xen vif called `name`, or NULL. */
static const struct port *find(const char *name)
{
	const struct port *port = sw_vif(name);

	return port && port->conf.kind == PORT_NETIF ? port : NULL;
}

/* The first Xen vif from `port` on; NULL: there is none. */
static const struct port *next_from(const struct port *port)
{
	while (port && port->conf.kind != PORT_NETIF)
		port = TAILQ_NEXT(port, link);
	return port;
}

#define FOREACH_XEN_VIF(port)                                                                                          \
	for ((port) = next_from(TAILQ_FIRST(sw_ports())); (port); (port) = next_from(TAILQ_NEXT(port, link)))

/*
 * ---- emulated cards -------------------------------------------------------------------------------------------------
 *
 * An HVM guest's emulated card is a port too: a tap that its script has put on the bridge, as an uplink. A guest has
 * unplugged the card before it connects the vif that stands for it, and its device model closes the tap then.
 */

static const char *emulated_name(const char *vif, char tap[EMULATED_MAX])
{
	snprintf(tap, EMULATED_MAX, "%s-emu", vif);
	return tap;
}

/* Delete the port of `vif`'s emulated card, if it has one; for `if_gone`, only if its tap is gone. */
static void drop_emulated(const char *vif, bool if_gone, const char *why)
{
	char tap[EMULATED_MAX];
	struct err err = {0};

	if (!sw_uplink(emulated_name(vif, tap)) || (if_gone && if_nametoindex(tap)))
		return;
	if (sw_uplink_del(tap, &err))
		log_warn("%s", err.text);
	else
		log_info("vif %s: %s its emulated %s", vif, why, tap);
}

/* The same for every Xen vif. The ports that go are not those that the walk stands on. */
static void drop_all_emulated(bool if_gone, const char *why)
{
	const struct port *port;

	FOREACH_XEN_VIF(port)
	{
		drop_emulated(port->conf.name, if_gone, why);
	}
}

void xen_tick(const struct xen *xen)
{
	if (xen)
		drop_all_emulated(true, "its guest has done with");
}

void xen_leave(const struct xen *xen)
{
	if (xen)
		drop_all_emulated(false, "leaves its bridge with");
}

/* ---- scripts of vifs that a clean stop took off their bridges ----------------------------------------------------- */

struct run { /* of a script; it may outlast its vif, and this daemon's listening to xenstore */
	char name[VIF_NAME_MAX];
	uint32_t domid;
};

/* The vif that a script was run for; NULL: it has gone since. */
static const struct port *subject(const struct run *run)
{
	const struct port *port = find(run->name);

	return port && port->conf.domid == run->domid ? port : NULL;
}

static void on_script(void *arg, const char *why)
{
	struct run *run = arg;
	const struct port *port = subject(run);

	if (why && !port)
		log_info("vif %s: went while its script ran", run->name);
	else if (why && *port->conf.on)
		log_error("vif %s: its script failed: %s", run->name, why);
	else if (why)
		log_error("vif %s is on no bridge: %s (`xbar port join %s BRIDGE` puts it on one)", run->name, why,
			  run->name);
	free(run);
}

static void on_emulated(void *arg, const char *why)
{
	struct run *run = arg;

	if (why && subject(run))
		log_error("vif %s: its emulated card is on no bridge: %s", run->name, why);
	free(run);
}

static struct run *run_new(const struct port_conf *vif)
{
	struct run *run = calloc(1, sizeof(*run));

	if (!run) {
		log_error("no memory for the script of vif %s", vif->name);
		return NULL;
	}
	run->domid = vif->domid;
	name_copy(run->name, sizeof(run->name), vif->name);
	return run;
}

static void run_script(const struct xen *xen, const struct port *port)
{
	const struct port_conf *vif = &port->conf;
	char tap[EMULATED_MAX];
	struct run *run;

	sw_port_tag(vif->name, port->tag & ~WANTS_SCRIPT);
	if (*vif->on)
		return;
	if (!(port->tag & ADOPTED) && if_nametoindex(emulated_name(vif->name, tap)) && !sw_uplink(tap) &&
	    (run = run_new(vif)))
		hooks_emulated(xen->hooks, vif, tap, on_emulated, run);
	run = run_new(vif);
	if (run)
		hooks_vif(xen->hooks, vif, true, on_script, run);
}

void xen_network_up(struct xen *xen)
{
	const struct port *port;

	if (!xen)
		return;
	xen->network_up = true;
	FOREACH_XEN_VIF(port)
	{
		if (port->tag & WANTS_SCRIPT)
			run_script(xen, port);
	}
}

/* ---- what xenback calls ------------------------------------------------------------------------------------------- */

/* 0, or -errno and what of `vif` cannot be had. */
static int check(const struct xenback_vif *vif, struct err *err)
{
	if (!name_is_port(vif->name))
		return err_set(err, -EINVAL, "vifname=%s: a port cannot be called that", vif->name);
	if (*vif->bridge && !name_is_ifname(vif->bridge))
		return err_set(err, -EINVAL, "bridge=%s: a bridge cannot be called that", vif->bridge);
	if (*vif->vlan)
		return err_set(err, -EOPNOTSUPP,
			       "vlan=%s: this switch has no VLANs yet, and the guest would sit on the untagged network "
			       "instead: leave vlan= out of its cfg",
			       vif->vlan);
	return 0;
}

static void read_vif(const struct xen *xen, const struct xenback_vif *vif, struct port_conf *want)
{
	unsigned workers = xen->daemon->conf->workers;

	*want = (struct port_conf){
		.kind = PORT_NETIF,
		.devid = vif->devid,
		.domid = vif->domid,
		.mtu = vif->mtu,
		.rate_bytes_per_interval = vif->rate_bytes_per_interval,
		.rate_interval_usecs = vif->rate_interval_usecs,
		.trusted = vif->trusted,
		.queues = workers > vif->queues ? workers : vif->queues,
	};
	memcpy(want->mac, vif->mac, sizeof(want->mac));
	name_copy(want->name, sizeof(want->name), vif->name);
	name_copy(want->guest, sizeof(want->guest), vif->guest);
	name_copy(want->bridge, sizeof(want->bridge), vif->bridge);
	name_copy(want->ip, sizeof(want->ip), vif->ip);
	name_copy(want->script, sizeof(want->script), vif->script);
}

/*
 * The state's file gave `port` for this vif: go on with it. If it was another guest's, or has too few queues, it makes room
 * for a new one, which is on the same bridge if it is the same guest's.
 */
static int adopt(const struct port *port, struct port_conf *want, struct err *err)
{
	if (port->tag & ATTACHED)
		return err_set(err, -EEXIST, "there is a vif %s already", want->name);
	if (!sw_vif_renew(want, err))
		return 0;
	if (port->conf.domid == want->domid && port->conf.devid == want->devid)
		memcpy(want->on, port->conf.on, sizeof(want->on));
	int r = sw_vif_del(want->name, err);
	return r ? r : sw_port_add(want, err);
}

static int attach(void *arg, const struct xenback_vif *vif, struct err *err)
{
	struct xen *xen = arg;
	struct port_conf want;

	int r = check(vif, err);
	if (!r) {
		read_vif(xen, vif, &want);
		const struct port *port = find(want.name);
		r = port ? adopt(port, &want, err) : sw_port_add(&want, err);
	}
	if (r)
		return r;
	log_info("vif %s: %s domain %u%s%s%s", vif->name, vif->adopted ? "adopted from" : "of", vif->domid,
		 *vif->guest ? " (" : "", vif->guest, *vif->guest ? ")" : "");
	if (vif->rate_bytes_per_interval)
		log_warn("vif %s: rate= is noted, but not enforced yet", vif->name);

	const struct port *port = find(want.name);
	bool wants_script = vif->hotplugged && !*port->conf.on;
	sw_port_tag(want.name, ATTACHED | (vif->adopted ? ADOPTED : 0) | (wants_script ? WANTS_SCRIPT : 0));
	if (wants_script && xen->network_up)
		run_script(xen, port);
	return 0;
}

static int connect_rings(void *arg, const char *name, const struct xenback_rings *rings, struct err *err)
{
	struct netif_conf conf = {
		.domid = rings->domid,
		.queues = rings->queues,
		.ctrl = rings->ctrl,
		.ctrl_ref = rings->ctrl_ref,
		.ctrl_evtchn = rings->ctrl_evtchn,
		.sg = rings->sg,
		.gso4 = rings->gso4,
		.gso6 = rings->gso6,
		.csum4 = rings->csum4,
		.csum6 = rings->csum6,
		.multicast_control = rings->multicast_control,
		.trusted = rings->trusted,
		.poll_rx = rings->poll_rx,
	};

	(void)arg;
	for (unsigned q = 0; q < rings->queues; q++)
		conf.queue[q] = (struct netif_queue_conf){rings->queue[q].tx_ref, rings->queue[q].rx_ref,
							  rings->queue[q].tx_evtchn, rings->queue[q].rx_evtchn};
	struct vif_port *port = sw_port_driver(name, &netif_ops, err);
	int r = port ? netif_connect(port, &conf, err) : -ENOENT;
	if (!r)
		drop_emulated(name, false, "takes the place of");
	return r;
}

static void disconnect(void *arg, const char *name)
{
	struct err err;
	struct vif_port *port = sw_port_driver(name, &netif_ops, &err);

	(void)arg;
	if (port)
		netif_disconnect(port);
	else
		log_error("%s", err.text);
}

static void multicast(void *arg, const char *name, bool on)
{
	struct err err;
	struct vif_port *port = sw_port_driver(name, &netif_ops, &err);

	(void)arg;
	if (port)
		netif_multicast_control(port, on);
	else
		log_error("%s", err.text);
}

static void detach(void *arg, const char *name)
{
	struct err err;

	(void)arg;
	if (!find(name))
		return;
	drop_emulated(name, false, "leaves with");
	if (sw_vif_del(name, &err))
		log_error("%s", err.text);
	log_info("vif %s: gone with its guest", name);
}

static void trouble(void *arg, const char *name, const char *why)
{
	(void)arg;
	log_error("vif %s: %s", name, why);
}

static const struct xenback_ops ops = {attach, connect_rings, disconnect, multicast, detach, trouble};

/* ---- whole ------------------------------------------------------------------------------------------------------- */

static bool is_xen(void)
{
	char type[8] = "";
	FILE *file = fopen("/sys/hypervisor/type", "re");

	if (file && !fgets(type, sizeof(type), file))
		type[0] = '\0';
	if (file)
		fclose(file);
	return !strncmp(type, "xen", 3) || !access("/proc/xen/capabilities", F_OK);
}

/* 0, or -errno and why xenstore cannot be served; *quiet: that was to be expected. */
static int open_xenback(struct xen *xen, bool *quiet, struct err *err)
{
	const struct conf *conf = xen->daemon->conf;

	*quiet = !strcmp(conf->xen, "no") || (!strcmp(conf->xen, "auto") && !is_xen());
	if (*quiet)
		return err_set(err, -ENODEV, "%s",
			       !strcmp(conf->xen, "no") ? "xbar.conf says so" : "this is not a Xen host");
	/* With "yes" xenstore is enough: what the rings need is checked when a guest connects. */
	if (!strcmp(conf->xen, "auto")) {
		int r = netif_xen_probe(err);
		if (r)
			return r;
	}
	return xenback_open(&ops, xen, conf->workers, &xen->xenback, err);
}

/* Vifs from the state's files that no guest has claimed. */
static void drop_unattached(void)
{
	const struct port *port = next_from(TAILQ_FIRST(sw_ports())), *next;
	struct err err;

	for (; port; port = next) {
		next = next_from(TAILQ_NEXT(port, link));
		if (port->tag & ATTACHED)
			continue;
		log_info("vif %s: its guest has gone since", port->conf.name);
		if (sw_vif_del(port->conf.name, &err))
			log_error("%s", err.text);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	const struct xen *xen = arg;

	(void)fd;
	(void)what;
	xenback_read(xen->xenback);
}

int xen_open(const struct daemon *daemon, struct hooks *hooks, struct xen **out, struct err *err)
{
	struct err why;
	bool quiet;

	*out = NULL;
	struct xen *xen = calloc(1, sizeof(*xen));
	if (!xen)
		return err_set(err, -ENOMEM, "no memory");
	xen->daemon = daemon;
	xen->hooks = hooks;
	int r = open_xenback(xen, &quiet, &why);
	drop_unattached();
	if (!r) {
		xen->event = event_new(daemon->base, xenback_fd(xen->xenback), EV_READ | EV_PERSIST, on_readable, xen);
		if (!xen->event || event_add(xen->event, NULL))
			r = err_nomem(&why);
	}
	if (!r) {
		log_info("serving the vifs of Xen guests");
		*out = xen;
		return 0;
	}
	xen_close(xen);
	if (quiet)
		log_debug("not serving Xen guests: %s", why.text);
	else if (!strcmp(daemon->conf->xen, "yes"))
		return err_set(err, r, "cannot serve Xen guests: %s", why.text);
	else
		log_error("not serving Xen guests: %s", why.text);
	return 0;
}

void xen_close(struct xen *xen)
{
	if (!xen)
		return;
	if (xen->event)
		event_free(xen->event);
	xenback_close(xen->xenback);
	free(xen);
}
