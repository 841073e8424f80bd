/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One network interface of a guest, as xl's users write it: 'mac=00:16:3e:01:02:03,bridge=xenbr0,rate=10Mb/s'.
 *
 * Model. The grammar is that of xl-network-configuration(5): keys and values joined by '=', separated by commas, blanks
 * around a word dropped, a key given twice counting as last given (with a note). Every key of xl is known. What `xl
 * network-attach` refuses is refused here. `xl create` prints the same complaints and then makes the interface
 * without the words it complained of; here that is an error too, since such a guest would sit on the wrong bridge or have
 * another address. Values that xl takes for any string but that no host can honour (a bridge name longer than Linux
 * allows, an address that is none) are refused as well, with the column.
 *
 * Threads: none of its own. Ownership: a struct hv_vif owns its strings; hv_vif_fini() frees them.
 */
#ifndef HV_VIFSPEC_H
#define HV_VIFSPEC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "text.h"

enum hv_nictype {
	HV_NICTYPE_DEFAULT, /* not given: ioemu for HVM guests, else vif */
	HV_NICTYPE_IOEMU, /* an emulated NIC beside the paravirtual one */
	HV_NICTYPE_VIF, /* paravirtual only */
	HV_NICTYPE_MAX
};

/* One of the keys that only COLO replication reads: kept, shown, not acted on. */
struct hv_colo {
	const char *field; /* libxl's name of it; static */
	char *value;
};

struct hv_vif {
	uint8_t mac[6];
	bool has_mac; /* false: to be made up by whoever creates the guest. 00:00:00:00:00:00 means the same to xl */
	char *bridge; /* NULL: not given, as all strings here */
	char *gatewaydev; /* also the old name netdev= */
	char *ip; /* one or more addresses, separated by blanks, each perhaps with a /prefix; checked */
	char *script;
	char *vifname; /* libxl calls it ifname */
	char *model;
	char *backend; /* the backend's domain, by name or number */
	enum hv_nictype type;
	char *rate; /* as written; the two below are computed from it as xl does */
	uint64_t rate_bytes_per_interval; /* 0 with rate set: less than one byte in an interval, which is noted */
	uint32_t rate_interval_usecs;
	int mtu; /* bytes of IP packet; 0: not given */
	int devid; /* -1: not given, the lowest free one */
	char *vlan; /* the whole of vlan=, e.g. "10p/100+10x4"; checked */
	int pvid; /* the VLAN of untagged frames according to vlan=, 1 to 4094; 0: vlan= was not given */
	bool has_trusted;
	bool trusted; /* true unless `untrusted` was given */
	struct hv_colo *colo;
	size_t ncolo;
	size_t at; /* where in the text it began */
};

/* "default", "ioemu", "vif". */
const char *hv_nictype_name(enum hv_nictype type);

/*
 * Parse `spec`. The caller's text is for messages only: byte i of spec stands at offset src[i] of `text`, with one entry
 * more for the end; src NULL: spec is the text itself. Returns 0, or -EINVAL, -ENOMEM with *vif all zeroes. notes may
 * be NULL.
 */
int hv_vif_parse_in(const struct hv_text *text, const char *spec, const uint32_t *src, struct hv_vif *vif,
		    struct hv_notes *notes, struct err *err);

/* The same for a string that came from no file; `name` stands for the file in messages. */
int hv_vif_parse(const char *name, const char *spec, struct hv_vif *vif, struct hv_notes *notes, struct err *err);

/* Write the spec in one fixed form, that parses to the same again. */
void hv_vif_print(const struct hv_vif *vif, FILE *out);
void hv_vif_fini(struct hv_vif *vif);

#endif
