/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One network interface of a guest, as users of xl write it: 'mac=00:16:3e:01:02:03,bridge=xenbr0,rate=10Mb/s'.
 *
 * Model. The grammar is that of xl-network-configuration(5): KEY=VALUE words separated by commas, blanks around a word
 * dropped, the last of several settings of a key counting (with a note). All keys of xl are known; those of COLO
 * replication are ignored with a note. What `xl network-attach` refuses is refused here. `xl create` prints the same
 * complaints, but then makes the interface without the words at fault; here that is an error too, since such a guest would
 * be on the wrong bridge or have another address. Values that xl takes as any string but that no host can honour (a bridge
 * name longer than Linux allows, a malformed address) are refused as well, with the column.
 *
 * Threads: none. Ownership: a struct hv_vif owns its strings; hv_vif_fini() frees them.
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

struct hv_vif {
	uint8_t mac[6];
	bool has_mac; /* false: the creator of the guest generates one; as with xl also for 00:00:00:00:00:00 */
	char *bridge; /* NULL, like all strings here, if not given */
	char *gatewaydev; /* also the old name netdev= */
	char *ip; /* addresses separated by blanks, each with an optional /prefix; checked */
	char *script;
	char *vifname; /* libxl calls it ifname */
	char *model;
	char *backend; /* the backend's domain, by name or number */
	enum hv_nictype type;
	char *rate; /* as written; the next two are computed from it as by xl */
	uint64_t rate_bytes_per_interval; /* 0 if rate= is set: less than one byte in an interval; there is a note */
	uint32_t rate_interval_usecs;
	int mtu; /* bytes of IP packet; 0: not given */
	int devid; /* -1: not given */
	char *vlan; /* the whole of vlan=, e.g. "10p/100+10x4"; checked */
	int pvid; /* the VLAN of untagged frames, 1 to 4094; 0: vlan= was not given */
	bool has_trusted;
	bool trusted; /* true unless `untrusted` was given */
	size_t at; /* where it begins in the text */
};

/*
 * Parse `spec`. `text` is only for messages: byte i of spec is at offset src[i] of it, with one more entry for the end;
 * src NULL: spec is the text itself. Returns 0, or -EINVAL, -ENOMEM with *vif all zeroes. `notes` may be NULL.
 */
int hv_vif_parse_in(const struct hv_text *text, const char *spec, const uint32_t *src, struct hv_vif *vif,
		    struct hv_notes *notes, struct err *err);

/* The same for a string that is not from a file; `name` takes the file's place in messages. */
int hv_vif_parse(const char *name, const char *spec, struct hv_vif *vif, struct hv_notes *notes, struct err *err);

/* Write the spec in one fixed form that parses to the same. */
void hv_vif_print(const struct hv_vif *vif, FILE *out);
void hv_vif_fini(struct hv_vif *vif);

#endif
