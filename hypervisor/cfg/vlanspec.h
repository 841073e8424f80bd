/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vif's vlan=, e.g. "10p/20" or "10p/100+10x4": the VLANs of a port, as xl-network-configuration(5) has it since Xen
 * 4.19: terms joined by '/', each VLAN, VLAN1-VLAN2 or VLAN+OFFSETxCOUNT; 'u' behind a term makes it untagged, 'p' behind
 * a single VLAN makes it the one that untagged frames belong to (and implies 'u'). Exactly one has the 'p'; a spec of one
 * single VLAN may leave it out.
 */
#ifndef HV_VLANSPEC_H
#define HV_VLANSPEC_H

#include <stddef.h>

/* Returns NULL and sets *pvid (1 to 4094), or returns why not, a sentence, and sets *at to the byte where it went wrong. */
const char *hv_vlan_parse(const char *spec, int *pvid, size_t *at);

#endif
