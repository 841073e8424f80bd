/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vif's vlan=, e.g. "10p/20" or "10p/100+10x4": the VLANs of a port.
 *
 * The grammar is that of xl-network-configuration(5) since Xen 4.19: terms separated by '/', each VLAN, VLAN1-VLAN2 or
 * VLAN+OFFSETxCOUNT. A 'u' after a term makes its VLANs untagged; a 'p' after a single VLAN makes it the one of untagged
 * frames, and implies 'u'. Exactly one VLAN must have the 'p'; a spec of one single VLAN may leave it out.
 */
#ifndef HV_VLANSPEC_H
#define HV_VLANSPEC_H

#include "vswitch/base/err.h"

/* Sets *pvid (1 to 4094). Or -EINVAL, and err->column is the place in `spec`, from 1. */
int hv_vlan_parse(const char *spec, int *pvid, struct err *err);

#endif
