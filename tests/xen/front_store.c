/* SPDX-License-Identifier: BSD-3-Clause */
#include "front.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xen/io/xenbus.h>
#include <xenstore.h>

#define PATIENCE_MS 60000
#define LOOK_MS 20

static struct xs_handle *open_store(void)
{
	struct xs_handle *xs = xs_open(0);

	if (!xs)
		die("no xenstore: %s", strerror(errno));
	return xs;
}

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

static int get(struct xs_handle *xs, const char *dir, const char *key)
{
	char path[256];
	unsigned len;
	char *value;
	int number;

	snprintf(path, sizeof(path), "%s/%s", dir, key);
	value = xs_read(xs, XBT_NULL, path, &len);
	number = value ? atoi(value) : 0;
	free(value);
	return number;
}

/* Wait for either state, and return the one that was reached. */
static int await(struct xs_handle *xs, const char *dir, int state, int otherwise)
{
	int is = 0;

	for (int ms = 0; ms < PATIENCE_MS; ms += LOOK_MS) {
		is = get(xs, dir, "state");
		if (is == state || is == otherwise)
			return is;
		usleep(LOOK_MS * 1000);
	}
	die("%s: state is %d, not %d", dir, is, state);
}

static void dirs(unsigned devid, char back[128], char front[128])
{
	snprintf(back, 128, "/local/domain/0/backend/vif/0/%u", devid);
	snprintf(front, 128, "/local/domain/0/device/vif/%u", devid);
}

static void put_queue(struct xs_handle *xs, const char *dir, const struct front *f)
{
	put(xs, dir, "tx-ring-ref", "%u", f->tx_ref);
	put(xs, dir, "rx-ring-ref", "%u", f->rx_ref);
	if (f->port == f->rx_port) {
		put(xs, dir, "event-channel", "%d", f->port);
		return;
	}
	put(xs, dir, "event-channel-tx", "%d", f->port);
	put(xs, dir, "event-channel-rx", "%d", f->rx_port);
}

bool front_connect(const struct front_vif *vif)
{
	struct xs_handle *xs = open_store();
	char back[128], front[128], queue[160];
	bool connected;

	dirs(vif->devid, back, front);
	put(xs, front, "state", "%d", XenbusStateInitialising);
	await(xs, back, XenbusStateInitWait, XenbusStateInitWait);
	if (get(xs, back, "multi-queue-max-queues") < (int)vif->queues)
		die("%u queues are needed, but only %d offered", vif->queues, get(xs, back, "multi-queue-max-queues"));
	if (vif->queues == 1)
		put_queue(xs, front, &vif->queue[0]);
	else
		put(xs, front, "multi-queue-num-queues", "%u", vif->queues);
	for (unsigned i = 0; vif->queues > 1 && i < vif->queues; i++) {
		snprintf(queue, sizeof(queue), "%s/queue-%u", front, i);
		put_queue(xs, queue, &vif->queue[i]);
	}
	if (vif->ctrl) {
		if (!get(xs, back, "feature-ctrl-ring"))
			die("no control ring is offered");
		put(xs, front, "ctrl-ring-ref", "%u", vif->ctrl->ref);
		put(xs, front, "event-channel-ctrl", "%d", vif->ctrl->port);
	}
	if (!get(xs, back, "feature-multicast-control") || !get(xs, back, "feature-dynamic-multicast-control"))
		die("no multicast control is offered");
	put(xs, front, "request-multicast-control", "%d", vif->multicast_control);
	put(xs, front, "request-rx-copy", "1");
	put(xs, front, "feature-rx-notify", "1");
	put(xs, front, "feature-sg", "1");
	put(xs, front, "feature-gso-tcpv4", "1");
	put(xs, front, "feature-gso-tcpv6", "1");
	put(xs, front, "feature-ipv6-csum-offload", "1");
	put(xs, front, "state", "%d", XenbusStateInitialised);
	put(xs, front, "state", "%d", XenbusStateConnected);
	connected = await(xs, back, XenbusStateConnected, XenbusStateClosing) == XenbusStateConnected;
	xs_close(xs);
	return connected;
}

void front_disconnect(const struct front_vif *vif)
{
	struct xs_handle *xs = open_store();
	char back[128], front[128];

	dirs(vif->devid, back, front);
	put(xs, front, "state", "%d", XenbusStateClosing);
	await(xs, back, XenbusStateClosing, XenbusStateClosing);
	put(xs, front, "state", "%d", XenbusStateClosed);
	await(xs, back, XenbusStateClosed, XenbusStateClosed);
	xs_close(xs);
}

bool front_attach(const struct front_vif *vif)
{
	char back[128], front[128], mac[18], command[100];
	struct xs_handle *xs = open_store();

	dirs(vif->devid, back, front);
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", vif->mac[0], vif->mac[1], vif->mac[2], vif->mac[3],
		 vif->mac[4], vif->mac[5]);
	put(xs, front, "backend", "%s", back);
	put(xs, front, "backend-id", "0");
	put(xs, front, "handle", "%u", vif->devid);
	put(xs, front, "mac", "%s", mac);
	put(xs, front, "state", "%d", XenbusStateInitialising);
	put(xs, back, "frontend", "%s", front);
	put(xs, back, "frontend-id", "0");
	put(xs, back, "handle", "%u", vif->devid);
	put(xs, back, "mac", "%s", mac);
	put(xs, back, "bridge", "%s", vif->bridge);
	put(xs, back, "online", "1");
	put(xs, back, "state", "%d", XenbusStateInitialising);
	await(xs, back, XenbusStateInitWait, XenbusStateInitWait);
	snprintf(command, sizeof(command), "xbar port join vif0.%u %.15s", vif->devid, vif->bridge); /* as its script */
	if (system(command))
		die("FAILED: %s", command);
	put(xs, back, "hotplug-status", "connected");
	xs_close(xs);
	return front_connect(vif);
}

void front_detach(const struct front_vif *vif)
{
	struct xs_handle *xs = open_store();
	char back[128], front[128];

	dirs(vif->devid, back, front);
	put(xs, back, "online", "0");
	put(xs, front, "state", "%d", XenbusStateClosed);
	xs_rm(xs, XBT_NULL, back);
	xs_rm(xs, XBT_NULL, front);
	xs_close(xs);
}

void front_multicast_control(const struct front_vif *vif, bool on)
{
	struct xs_handle *xs = open_store();
	char back[128], front[128];

	dirs(vif->devid, back, front);
	put(xs, front, "request-multicast-control", "%d", on);
	xs_close(xs);
}

/* ---- what the daemon says of a vif ------------------------------------------------------------------------------- */

#define SAYS_MAX 4096

/* false: the daemon does not know the vif. */
static bool stats(const struct front_vif *vif, const char *option, char says[SAYS_MAX])
{
	char command[80];
	FILE *pipe;
	size_t n;

	snprintf(command, sizeof(command), "xbar stats vif0.%u %s", vif->devid, option);
	pipe = popen(command, "r");
	if (!pipe)
		die("popen: %s", strerror(errno));
	n = fread(says, 1, SAYS_MAX - 1, pipe);
	says[n] = '\0';
	return !pclose(pipe);
}

bool front_shows(const struct front_vif *vif, const char *text)
{
	char says[SAYS_MAX];

	return stats(vif, "", says) && strstr(says, text);
}

bool front_shows_soon(const struct front_vif *vif, const char *text)
{
	for (int ms = 0; ms < PATIENCE_MS / 4; ms += 100) {
		if (front_shows(vif, text))
			return true;
		usleep(100000);
	}
	return false;
}

bool front_release(const struct front_vif *vif)
{
	char command[80];

	snprintf(command, sizeof(command), "xbar port release vif0.%u", vif->devid);
	return !system(command);
}

unsigned long front_count(const struct front_vif *vif, const char *name)
{
	char says[SAYS_MAX], key[64];
	const char *at;

	if (!stats(vif, "--json", says))
		die("vif0.%u is not there", vif->devid);
	snprintf(key, sizeof(key), "\"%s\": ", name);
	at = strstr(says, key);
	return at ? strtoul(at + strlen(key), NULL, 10) : 0;
}
