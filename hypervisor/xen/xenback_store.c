/* SPDX-License-Identifier: BSD-3-Clause */
#include "xenback_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xenback_parse.h"

#define TRIES 8 /* of a transaction: bounds a guest that never stops writing */

/* The features offered to netfront: exactly those that vif/netif/ implements. */
static const struct {
	const char *node;
	unsigned value;
} features[] = {
	{"feature-rx-copy", 1},
	{"feature-rx-flip", 0},
	{"feature-sg", 1},
	{"feature-gso-tcpv4", 1},
	{"feature-gso-tcpv6", 1},
	{"feature-ipv6-csum-offload", 1},
	{"feature-split-event-channels", 1},
	{"feature-multicast-control", 1},
	{"feature-dynamic-multicast-control", 1},
	{"feature-ctrl-ring", 1},
};

struct place {
	struct xs_handle *xs;
	xs_transaction_t t;
	const char *dir;
};

static char *get(void *arg, const char *node)
{
	const struct place *at = arg;
	char path[XB_FRONTEND_MAX + 64];
	unsigned len;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", at->dir, node) >= sizeof(path))
		return NULL;
	char *value = xs_read(at->xs, at->t, path, &len);
	for (unsigned i = 0; value && i < len; i++)
		if (!value[i])
			value[i] = '?'; /* or the rest would be lost */
	return value;
}

static bool put(const struct place *at, const char *node, const char *value)
{
	char path[XB_PATH_MAX + 64];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", at->dir, node) >= sizeof(path))
		return false;
	return xs_write(at->xs, at->t, path, value, strlen(value));
}

static bool put_number(const struct place *at, const char *node, unsigned number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	return put(at, node, text);
}

static uint64_t get_number(struct place *at, const char *node, uint64_t otherwise)
{
	char *text = get(at, node);
	uint64_t number;

	if (!text || !xb_number(text, UINT32_MAX, &number))
		number = otherwise;
	free(text);
	return number;
}

int xb_look(struct xs_handle *xs, const char *dir, struct xb_stand *stand)
{
	struct place ours = {xs, XBT_NULL, dir}, theirs = {xs, XBT_NULL, stand->frontend};

	*stand = (struct xb_stand){0};
	char *frontend = get(&ours, "frontend");
	if (!frontend)
		return errno ? -errno : -EIO;
	stand->online = get_number(&ours, "online", 1);
	stand->ours = get_number(&ours, "state", XenbusStateUnknown);
	stand->queues = get_number(&ours, XB_MAX_QUEUES, 1);
	char *status = get(&ours, "hotplug-status");
	stand->hotplugged = status && !strcmp(status, "connected");
	free(status);
	if (strlen(frontend) < sizeof(stand->frontend)) {
		strcpy(stand->frontend, frontend);
		uint64_t state = get_number(&theirs, "state", XenbusStateUnknown);
		stand->strange = state > XenbusStateClosed;
		stand->theirs = stand->strange ? XenbusStateUnknown : state;
		if (state == XenbusStateInitialised || state == XenbusStateConnected)
			stand->multicast = get_number(&theirs, "request-multicast-control", 0);
	}
	free(frontend);
	return 0;
}

/* Call `read` in transactions until one is not disturbed. Returns what it returned, or -errno. */
static int in_transaction(struct place *at, int (*read)(struct place *at, void *arg, struct err *err), void *arg,
			  struct err *err)
{
	for (int i = 0; i < TRIES; i++) {
		at->t = xs_transaction_start(at->xs);
		if (at->t == XBT_NULL)
			break;
		int r = read(at, arg, err);
		if (xs_transaction_end(at->xs, at->t, false))
			return r;
		if (errno != EAGAIN)
			break;
	}
	int r = errno ? -errno : -EIO;
	return err_set(err, r, "cannot read %s in xenstore: %s", at->dir,
		       r == -EAGAIN ? "it keeps changing" : strerror(-r));
}

static int read_vif(struct place *at, void *arg, struct err *err)
{
	struct xb_source from = {get, at};
	struct xenback_vif *vif = arg;

	return xb_parse_vif(&from, vif->domid, vif->devid, vif, err);
}

/* A domain's name: toolstacks allow any bytes. */
static void read_guest(struct xs_handle *xs, struct xenback_vif *vif)
{
	char dir[32];
	struct place at = {xs, XBT_NULL, dir};

	snprintf(dir, sizeof(dir), "/local/domain/%u", vif->domid);
	char *name = get(&at, "name");
	snprintf(vif->guest, sizeof(vif->guest), "%s", name ? name : "");
	free(name);
	err_make_printable(vif->guest);
}

int xb_read_vif(struct xs_handle *xs, const char *dir, uint32_t domid, uint32_t devid, struct xenback_vif *vif,
		struct err *err)
{
	struct place at = {xs, XBT_NULL, dir};

	*vif = (struct xenback_vif){.domid = domid, .devid = devid};
	int r = in_transaction(&at, read_vif, vif, err);
	if (!r)
		read_guest(xs, vif);
	return r;
}

struct want_rings {
	struct xenback_rings *rings;
	uint32_t domid;
	unsigned max_queues;
};

static int read_rings(struct place *at, void *arg, struct err *err)
{
	struct xb_source from = {get, at};
	const struct want_rings *want = arg;

	return xb_parse_rings(&from, want->domid, want->max_queues, want->rings, err);
}

int xb_read_rings(struct xs_handle *xs, const char *frontend, uint32_t domid, unsigned max_queues,
		  struct xenback_rings *rings, struct err *err)
{
	struct place at = {xs, XBT_NULL, frontend};
	struct want_rings want = {rings, domid, max_queues};

	return in_transaction(&at, read_rings, &want, err);
}

static bool offer(const struct place *at, unsigned max_queues)
{
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (!put_number(at, features[i].node, features[i].value))
			return false;
	return put_number(at, XB_MAX_QUEUES, max_queues);
}

int xb_switch(struct xs_handle *xs, const char *dir, enum xenbus_state from, enum xenbus_state to, unsigned max_queues)
{
	struct place at = {xs, XBT_NULL, dir};

	for (int i = 0; i < TRIES; i++) {
		at.t = xs_transaction_start(xs);
		if (at.t == XBT_NULL)
			return -errno;
		/* Also because a write to a removed directory would create it again. */
		if (get_number(&at, "state", XenbusStateUnknown) != from) {
			xs_transaction_end(xs, at.t, true);
			return -ESTALE;
		}
		if ((to == XenbusStateInitWait && !offer(&at, max_queues)) || !put_number(&at, "state", to)) {
			int r = -errno;
			xs_transaction_end(xs, at.t, true);
			return r;
		}
		if (xs_transaction_end(xs, at.t, false))
			return 0;
		if (errno != EAGAIN)
			return -errno;
	}
	return -ESTALE;
}

void xb_complain(struct xs_handle *xs, const char *dir, const char *why)
{
	char path[XB_PATH_MAX + 16];
	unsigned n = 0;

	snprintf(path, sizeof(path), "error/%s%s", dir, why ? "/error" : "");
	if (why) {
		xs_write(xs, XBT_NULL, path, why, strlen(why));
		return;
	}
	xs_rm(xs, XBT_NULL, path);
	*strrchr(path, '/') = '\0'; /* the domain's own directory, once its last vif is gone */
	char **others = xs_directory(xs, XBT_NULL, path, &n);
	if (others && !n)
		xs_rm(xs, XBT_NULL, path);
	free(others);
}
