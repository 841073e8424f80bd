/* SPDX-License-Identifier: BSD-3-Clause */
#include "xenback_parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswitch/base/mac.h"

#define EVTCHN_MAX ((1u << 17) - 1) /* of the FIFO interface */

bool xb_number(const char *text, uint64_t max, uint64_t *number)
{
	uint64_t n = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		unsigned digit = (unsigned char)*text - '0';
		if (digit > 9 || n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*number = n;
	return n <= max;
}

/* 1: *number is set; 0: there is no such node; or -EINVAL. */
static int get_number(const struct xb_source *from, const char *node, uint64_t min, uint64_t max, uint64_t *number,
		      struct err *err)
{
	char *text = from->get(from->arg, node);
	int r = 1;

	if (!text)
		return 0;
	if (!xb_number(text, max, number) || *number < min)
		r = err_set(err, -EINVAL, "%s is \"%.40s\"; it must be a number from %llu to %llu", node, text,
			    (unsigned long long)min, (unsigned long long)max);
	free(text);
	return r;
}

/* An absent node counts as `absent`. */
static int get_flag(const struct xb_source *from, const char *node, bool absent, bool *flag, struct err *err)
{
	uint64_t number = absent;
	int r = get_number(from, node, 0, UINT32_MAX, &number, err);

	*flag = number;
	return r < 0 ? r : 0;
}

/* ---- the toolstack's side ---------------------------------------------------------------------------------------- */

static int get_text(const struct xb_source *from, const char *node, char *to, size_t room, struct err *err)
{
	char *text = from->get(from->arg, node);
	int r = 0;

	to[0] = '\0';
	if (!text)
		return 0;
	if (strlen(text) >= room)
		r = err_set(err, -EINVAL, "%s is \"%.40s...\": at most %zu characters are allowed", node, text,
			    room - 1);
	else
		strcpy(to, text);
	for (const char *c = to; *c && !r; c++)
		if (!isprint((unsigned char)*c))
			r = err_set(err, -EINVAL, "%s contains a character that is not printable ASCII", node);
	free(text);
	return r;
}

/* "BYTES,MICROSECONDS" */
static bool parse_rate(char *text, uint64_t *bytes, uint32_t *usecs)
{
	char *comma = strchr(text, ',');
	uint64_t number;

	if (!comma)
		return false;
	*comma = '\0';
	bool good = xb_number(text, UINT64_MAX, bytes) && xb_number(comma + 1, UINT32_MAX, &number);
	*comma = ',';
	if (good)
		*usecs = number;
	return good;
}

int xb_parse_vif(const struct xb_source *from, uint32_t domid, uint32_t devid, struct xenback_vif *vif, struct err *err)
{
	uint64_t number = 0;
	char *text;
	int r;

	*vif = (struct xenback_vif){.domid = domid, .devid = devid};
	r = get_text(from, "vifname", vif->name, sizeof(vif->name), err);
	if (!*vif->name)
		snprintf(vif->name, sizeof(vif->name), "vif%u.%u", domid, devid);
	if (!r)
		r = get_text(from, "bridge", vif->bridge, sizeof(vif->bridge), err);
	if (!r)
		r = get_text(from, "ip", vif->ip, sizeof(vif->ip), err);
	if (!r)
		r = get_text(from, "script", vif->script, sizeof(vif->script), err);
	if (!r)
		r = get_text(from, "vlan", vif->vlan, sizeof(vif->vlan), err);
	if (!r)
		r = get_flag(from, "trusted", true, &vif->trusted, err);
	if (!r && (r = get_number(from, "mtu", 68, 65535, &number, err)) > 0)
		vif->mtu = number;
	if (r >= 0 && (r = get_number(from, XB_MAX_QUEUES, 1, XENBACK_QUEUES_MAX, &number, err)) > 0)
		vif->queues = number;
	if (r >= 0 && (r = get_number(from, "frontend-id", 0, UINT32_MAX, &number, err)) > 0 && number != domid)
		r = err_set(err, -EINVAL, "frontend-id is %llu in the directory of domain %u",
			    (unsigned long long)number, domid);
	if (r < 0)
		return r;

	text = from->get(from->arg, "mac");
	if (text && !mac_parse(text, vif->mac))
		r = err_set(err, -EINVAL, "mac is \"%.40s\", which is not a unicast MAC address", text);
	free(text);
	if (r < 0)
		return r;

	text = from->get(from->arg, "rate");
	if (text && !parse_rate(text, &vif->rate_bytes_per_interval, &vif->rate_interval_usecs))
		r = err_set(err, -EINVAL, "rate is \"%.40s\"; it must be BYTES,MICROSECONDS", text);
	free(text);
	if (r < 0)
		return r;

	text = from->get(from->arg, "hotplug-status");
	vif->hotplugged = text && !strcmp(text, "connected");
	free(text);
	return 0;
}

/* ---- the guest's side -------------------------------------------------------------------------------------------- */

static int get_needed(const struct xb_source *from, const char *dir, const char *leaf, uint64_t min, uint64_t max,
		      uint32_t *to, struct err *err)
{
	char node[64];
	uint64_t number;
	int r;

	snprintf(node, sizeof(node), "%s%s", dir, leaf);
	r = get_number(from, node, min, max, &number, err);
	if (!r)
		return err_set(err, -EINVAL, "%s is missing", node);
	if (r > 0)
		*to = number;
	return r < 0 ? r : 0;
}

/* `dir` is "" for a frontend with one queue, which has the nodes in its own directory; else "queue-N/". */
static int parse_queue(const struct xb_source *from, const char *dir, struct xenback_queue *queue, struct err *err)
{
	char node[64];
	uint64_t number;
	int r = get_needed(from, dir, "tx-ring-ref", 0, UINT32_MAX, &queue->tx_ref, err);

	if (!r)
		r = get_needed(from, dir, "rx-ring-ref", 0, UINT32_MAX, &queue->rx_ref, err);
	if (!r && queue->tx_ref == queue->rx_ref)
		r = err_set(err, -EINVAL, "%stx-ring-ref and %srx-ring-ref are the same page", dir, dir);
	if (r)
		return r;
	snprintf(node, sizeof(node), "%sevent-channel-tx", dir);
	r = get_number(from, node, 1, EVTCHN_MAX, &number, err);
	if (r < 0)
		return r;
	if (!r) {
		r = get_needed(from, dir, "event-channel", 1, EVTCHN_MAX, &queue->tx_evtchn, err);
		queue->rx_evtchn = queue->tx_evtchn;
		return r;
	}
	queue->tx_evtchn = number;
	return get_needed(from, dir, "event-channel-rx", 1, EVTCHN_MAX, &queue->rx_evtchn, err);
}

static int parse_features(const struct xb_source *from, struct xenback_rings *rings, struct err *err)
{
	bool rx_copy = false, no_csum4 = false, rx_notify = false;
	const struct {
		const char *node;
		bool absent, *flag;
	} flags[] = {
		{"request-rx-copy", false, &rx_copy},
		{"feature-rx-notify", false, &rx_notify},
		{"feature-sg", false, &rings->sg},
		{"feature-gso-tcpv4", false, &rings->gso4},
		{"feature-gso-tcpv6", false, &rings->gso6},
		{"feature-no-csum-offload", false, &no_csum4},
		{"feature-ipv6-csum-offload", false, &rings->csum6},
		{"request-multicast-control", false, &rings->multicast_control},
		{"trusted", true, &rings->trusted},
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		int r = get_flag(from, flags[i].node, flags[i].absent, flags[i].flag, err);
		if (r)
			return r;
	}
	if (!rx_copy)
		return err_set(err, -EINVAL,
			       "request-rx-copy is not 1: the guest's driver wants page flipping, which backends no "
			       "longer do");
	rings->csum4 = !no_csum4;
	rings->poll_rx = !rx_notify;
	return 0;
}

int xb_parse_rings(const struct xb_source *from, uint32_t domid, unsigned max_queues, struct xenback_rings *rings,
		   struct err *err)
{
	uint64_t queues = 1, number;
	char dir[24];
	int r;

	*rings = (struct xenback_rings){.domid = domid};
	if (max_queues > XENBACK_QUEUES_MAX)
		max_queues = XENBACK_QUEUES_MAX;
	r = get_number(from, "multi-queue-num-queues", 1, max_queues, &queues, err);
	if (r < 0)
		return r;
	rings->queues = queues;
	for (unsigned q = 0; q < queues; q++) {
		dir[0] = '\0';
		if (queues > 1)
			snprintf(dir, sizeof(dir), "queue-%u/", q);
		r = parse_queue(from, dir, &rings->queue[q], err);
		if (r)
			return r;
	}
	r = get_number(from, "ctrl-ring-ref", 0, UINT32_MAX, &number, err);
	if (r > 0) {
		rings->ctrl = true;
		rings->ctrl_ref = number;
		r = get_needed(from, "", "event-channel-ctrl", 1, EVTCHN_MAX, &rings->ctrl_evtchn, err);
	}
	return r < 0 ? r : parse_features(from, rings, err);
}
