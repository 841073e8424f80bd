/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vif's directories in xenstore, as lines NODE=VALUE: whatever they hold, what is understood is within bounds, what is
 * not is named in words that can be printed, and no node is read twice.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "hypervisor/xen/xenback_parse.h"

#define ASKED_MAX 256

struct store {
	const char *data, *end;
	char asked[ASKED_MAX][64];
	unsigned nasked;
};

static char *get(void *arg, const char *node)
{
	struct store *store = arg;
	size_t len = strlen(node);

	for (unsigned i = 0; i < store->nasked; i++)
		if (!strcmp(store->asked[i], node))
			abort();
	if (len >= sizeof(store->asked[0]) || store->nasked == ASKED_MAX)
		abort();
	strcpy(store->asked[store->nasked++], node);
	for (const char *line = store->data; line < store->end;) {
		const char *next = memchr(line, '\n', store->end - line);
		size_t size = (next ? next : store->end) - line;
		if (size > len && !memcmp(line, node, len) && line[len] == '=')
			return strndup(line + len + 1, size - len - 1);
		line += size + 1;
	}
	return NULL;
}

static void must_be_printable(const char *text)
{
	for (; *text; text++)
		if (!isprint((unsigned char)*text))
			abort();
}

static void check_vif(const struct xenback_vif *vif)
{
	const char *const texts[] = {vif->name, vif->bridge, vif->ip, vif->script, vif->vlan};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		must_be_printable(texts[i]);
	if (!*vif->name || vif->mac[0] & 1 || (vif->mtu && (vif->mtu < 68 || vif->mtu > 65535)))
		abort();
}

static void check_rings(const struct xenback_rings *rings, unsigned max)
{
	if (rings->queues < 1 || rings->queues > max || (rings->ctrl && !rings->ctrl_evtchn))
		abort();
	for (unsigned q = 0; q < rings->queues; q++)
		if (!rings->queue[q].tx_evtchn || !rings->queue[q].rx_evtchn ||
		    rings->queue[q].tx_ref == rings->queue[q].rx_ref)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned max[] = {1, 4, XENBACK_QUEUES_MAX};
	struct store store = {.data = (const char *)data, .end = (const char *)data + size};
	struct xb_source from = {get, &store};
	struct xenback_rings rings;
	struct xenback_vif vif;
	struct err err = {0};

	if (!xb_parse_vif(&from, 1, 0, &vif, &err))
		check_vif(&vif);
	else if (!*err.text)
		abort();
	must_be_printable(err.text);
	for (size_t i = 0; i < sizeof(max) / sizeof(max[0]); i++) {
		store.nasked = 0;
		err.text[0] = '\0';
		if (!xb_parse_rings(&from, 1, max[i], &rings, &err))
			check_rings(&rings, max[i]);
		else if (!*err.text)
			abort();
		must_be_printable(err.text);
	}
	return 0;
}
