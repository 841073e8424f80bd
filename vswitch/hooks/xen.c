/* SPDX-License-Identifier: BSD-3-Clause */
#include "xen.h"

#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "hooks.h"
#include "hypervisor/xen/xenback.h"
#include "vif/netif/netif.h"
#include "vif/netif/netif_xen.h"
#include "vswitch/base/log.h"
#include "vswitch/base/names.h"
#include "vswitch/daemon/conf.h"
#include "vswitch/daemon/daemon.h"
#include "vswitch/switch/model.h"

struct known { /* a Xen vif of the model */
	LIST_ENTRY(known) link;
	char name[VIF_NAME_MAX];
	bool attached; /* xenstore has it; else it is from the state's file */
	bool adopted; /* its rings were connected when it was attached */
	bool wants_script;
};

struct xen {
	const struct daemon *daemon;
	struct model *model;
	struct hooks *hooks;
	struct xenback *xenback;
	struct event *event;
	LIST_HEAD(known_list, known) vifs;
	bool network_up;
};

#define EMULATED_MAX (VIF_NAME_MAX + 4)

_Static_assert(XENBACK_QUEUES_MAX == VIF_QUEUES_MAX, "xenback offers what a port can have");

static struct known *find(const struct xen *xen, const char *name)
{
	struct known *vif;

	for (vif = LIST_FIRST(&xen->vifs); vif; vif = LIST_NEXT(vif, link))
		if (!strcmp(vif->name, name))
			return vif;
	return NULL;
}

static struct known *add(struct xen *xen, const char *name)
{
	struct known *vif = calloc(1, sizeof(*vif));

	if (!vif)
		return NULL;
	name_copy(vif->name, sizeof(vif->name), name);
	LIST_INSERT_HEAD(&xen->vifs, vif, link);
	return vif;
}

static void drop(struct xen *xen, struct known *vif)
{
	struct err err = {0};

	if (state_vif(model_state(xen->model), vif->name) && model_vif_del(xen->model, vif->name, &err))
		log_error("%s", err.text);
	LIST_REMOVE(vif, link);
	free(vif);
}

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

static void drop_emulated(const struct xen *xen, const char *vif, const char *why)
{
	struct model *model = xen->model;
	char tap[EMULATED_MAX];
	struct err err = {0};

	if (!state_uplink(model_state(model), emulated_name(vif, tap)))
		return;
	if (model_uplink_del(model, tap, &err))
		log_warn("%s", err.text);
	else
		log_info("vif %s: %s its emulated %s", vif, why, tap);
}

void xen_tick(const struct xen *xen)
{
	const struct known *vif;
	char tap[EMULATED_MAX];

	if (!xen)
		return;
	for (vif = LIST_FIRST(&xen->vifs); vif; vif = LIST_NEXT(vif, link))
		if (state_uplink(model_state(xen->model), emulated_name(vif->name, tap)) && !if_nametoindex(tap))
			drop_emulated(xen, vif->name, "its guest has done with");
}

void xen_leave(const struct xen *xen)
{
	const struct known *vif;

	if (!xen)
		return;
	for (vif = LIST_FIRST(&xen->vifs); vif; vif = LIST_NEXT(vif, link))
		drop_emulated(xen, vif->name, "leaves its bridge with");
}

/* ---- scripts of vifs that a clean stop took off their bridges ----------------------------------------------------- */

struct run { /* of a script; it may outlast its vif, and this daemon's listening to xenstore */
	const struct model *model;
	char name[VIF_NAME_MAX];
	uint32_t domid;
};

/* The vif that a script was run for; NULL: it has gone since. */
static const struct state_vif *subject(const struct run *run)
{
	const struct state_vif *vif = state_vif(model_state(run->model), run->name);

	return vif && vif->xen && vif->domid == run->domid ? vif : NULL;
}

static void on_script(void *arg, const char *why)
{
	struct run *run = arg;
	const struct state_vif *vif = subject(run);

	if (why && !vif)
		log_info("vif %s: went while its script ran", run->name);
	else if (why && *vif->bridge)
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

static struct run *run_new(const struct xen *xen, const struct state_vif *vif)
{
	struct run *run = calloc(1, sizeof(*run));

	if (!run) {
		log_error("no memory for the script of vif %s", vif->name);
		return NULL;
	}
	run->model = xen->model;
	run->domid = vif->domid;
	name_copy(run->name, sizeof(run->name), vif->name);
	return run;
}

static void run_script(const struct xen *xen, struct known *known)
{
	const struct state *state = model_state(xen->model);
	const struct state_vif *vif = state_vif(state, known->name);
	char tap[EMULATED_MAX];
	struct run *run;

	known->wants_script = false;
	if (!vif || *vif->bridge)
		return;
	if (!known->adopted && if_nametoindex(emulated_name(vif->name, tap)) && !state_uplink(state, tap) &&
	    (run = run_new(xen, vif)))
		hooks_emulated(xen->hooks, vif, tap, on_emulated, run);
	run = run_new(xen, vif);
	if (run)
		hooks_vif(xen->hooks, vif, true, on_script, run);
}

void xen_network_up(struct xen *xen)
{
	struct known *vif;

	if (!xen)
		return;
	xen->network_up = true;
	for (vif = LIST_FIRST(&xen->vifs); vif; vif = LIST_NEXT(vif, link))
		if (vif->wants_script)
			run_script(xen, vif);
}

/* ---- what xenback calls ------------------------------------------------------------------------------------------- */

/* 0, or what cannot be had. */
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

/* The port that the state's file gave for `want`: still this guest's, with enough queues. Else it is another's. */
static bool renew(struct model *model, const struct state_vif *want)
{
	const struct state_vif *was = state_vif(model_state(model), want->name);
	struct err err = {0};

	return was && was->queues >= want->queues && !model_vif_renew(model, want, &err);
}

static int attach(void *arg, const struct xenback_vif *vif, struct err *err)
{
	struct xen *xen = arg;
	struct model *model = xen->model;
	struct known *known = find(xen, vif->name);
	struct state_vif want = {
		.devid = vif->devid,
		.xen = true,
		.domid = vif->domid,
		.mtu = vif->mtu,
		.rate_bytes_per_interval = vif->rate_bytes_per_interval,
		.rate_interval_usecs = vif->rate_interval_usecs,
		.trusted = vif->trusted,
		.queues = xen->daemon->conf->workers > vif->queues ? xen->daemon->conf->workers : vif->queues,
	};

	memcpy(want.mac, vif->mac, sizeof(want.mac));
	int r = check(vif, err);
	if (!r) {
		name_copy(want.name, sizeof(want.name), vif->name);
		name_copy(want.guest, sizeof(want.guest), vif->guest);
		name_copy(want.want_bridge, sizeof(want.want_bridge), vif->bridge);
		name_copy(want.ip, sizeof(want.ip), vif->ip);
		name_copy(want.script, sizeof(want.script), vif->script);
	}
	if (!r && known && !known->attached && !renew(model, &want)) {
		const struct state_vif *was = state_vif(model_state(model), want.name);
		if (was && was->domid == want.domid && was->devid == want.devid)
			name_copy(want.bridge, sizeof(want.bridge), was->bridge);
		drop(xen, known);
		known = NULL;
	}
	if (!r && !known) {
		r = model_vif_add(model, &want, err);
		if (!r && !(known = add(xen, vif->name))) {
			r = err_nomem(err);
			model_vif_del(model, vif->name, &(struct err){0});
		}
	} else if (!r && known->attached) {
		r = err_set(err, -EEXIST, "there is a vif %s already", vif->name);
	}
	if (r)
		return r;

	known->attached = true;
	known->adopted = vif->adopted;
	const char *bridge = state_vif(model_state(model), vif->name)->bridge;
	log_info("vif %s: %s domain %u%s%s%s", vif->name, vif->adopted ? "adopted from" : "of", vif->domid,
		 *vif->guest ? " (" : "", vif->guest, *vif->guest ? ")" : "");
	if (vif->rate_bytes_per_interval)
		log_warn("vif %s: rate= is noted, but not enforced yet", vif->name);
	known->wants_script = vif->hotplugged && !*bridge;
	if (known->wants_script && xen->network_up)
		run_script(xen, known);
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

	for (unsigned q = 0; q < rings->queues; q++)
		conf.queue[q] = (struct netif_queue_conf){rings->queue[q].tx_ref, rings->queue[q].rx_ref,
							  rings->queue[q].tx_evtchn, rings->queue[q].rx_evtchn};
	int r = sw_netif_connect(name, &conf, err);
	if (!r)
		drop_emulated(arg, name, "takes the place of");
	return r;
}

static void disconnect(void *arg, const char *name)
{
	struct err err = {0};

	(void)arg;
	if (sw_netif_disconnect(name, &err))
		log_error("%s", err.text);
}

static void multicast(void *arg, const char *name, bool on)
{
	struct err err = {0};

	(void)arg;
	if (sw_netif_multicast(name, on, &err))
		log_error("%s", err.text);
}

static void detach(void *arg, const char *name)
{
	struct xen *xen = arg;
	struct known *vif = find(xen, name);

	if (!vif)
		return;
	drop_emulated(xen, name, "leaves with");
	drop(xen, vif);
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

/* `quiet` is set if an error was to be expected. */
static int open_xenback(struct xen *xen, bool *quiet, struct err *err)
{
	const struct conf *conf = xen->daemon->conf;

	*quiet = !strcmp(conf->xen, "no") || (!strcmp(conf->xen, "auto") && !is_xen());
	if (*quiet)
		return err_set(err, -ENODEV, "%s",
			       !strcmp(conf->xen, "no") ? "xbar.conf says so" : "this is not a Xen host");
	/* With "yes" xenstore is enough: what the rings need is told when a guest connects. */
	if (!strcmp(conf->xen, "auto")) {
		int r = netif_xen_probe(err);
		if (r)
			return r;
	}
	return xenback_open(&ops, xen, conf->workers, &xen->xenback, err);
}

/* Vifs from the state's file that nobody came to claim. */
static void drop_unattached(struct xen *xen)
{
	struct known *vif, *next;

	for (vif = LIST_FIRST(&xen->vifs); vif; vif = next) {
		next = LIST_NEXT(vif, link);
		if (vif->attached)
			continue;
		log_info("vif %s: its guest has gone since", vif->name);
		drop(xen, vif);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	const struct xen *xen = arg;

	(void)fd;
	(void)what;
	xenback_read(xen->xenback);
}

int xen_open(const struct daemon *daemon, struct model *model, struct hooks *hooks, struct xen **out, struct err *err)
{
	const struct state_vif *vif;
	struct err why;
	bool quiet;

	*out = NULL;
	struct xen *xen = calloc(1, sizeof(*xen));
	if (!xen)
		return err_set(err, -ENOMEM, "no memory");
	LIST_INIT(&xen->vifs);
	xen->daemon = daemon;
	xen->model = model;
	xen->hooks = hooks;
	for (vif = TAILQ_FIRST(&model_state(model)->vifs); vif; vif = TAILQ_NEXT(vif, link))
		if (vif->xen && !add(xen, vif->name))
			log_error("no memory for vif %s", vif->name);

	int r = open_xenback(xen, &quiet, &why);
	drop_unattached(xen);
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
	struct known *vif;

	if (!xen)
		return;
	if (xen->event)
		event_free(xen->event);
	xenback_close(xen->xenback);
	while ((vif = LIST_FIRST(&xen->vifs))) {
		LIST_REMOVE(vif, link);
		free(vif);
	}
	free(xen);
}
