/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `xbar check`: reads what an administrator wrote and says what was understood, or what is wrong. It contacts nobody and
 * changes nothing.
 *
 * Threads: none. Ownership: JSON values returned are new references; streams and structs stay the caller's.
 */
#ifndef XBAR_CHECK_H
#define XBAR_CHECK_H

#include <stdio.h>

#include <jansson.h>

#include "hypervisor/cfg/guestcfg.h"
#include "hypervisor/cfg/xend.h"

/* For people to read. */
void check_show_guest(const struct hv_guest *guest, FILE *out);
void check_show_xend(const struct hv_xend *xend, FILE *out);
void check_show_vif(const struct hv_vif *vif, FILE *out);

/*
 * For scripts. A vif has the fields of libxl's JSON of a device_nic, with its names and forms ("trusted": "True"), and
 * only those that were given.
 */
json_t *check_json_guest(const struct hv_guest *guest);
json_t *check_json_xend(const struct hv_xend *xend);
json_t *check_json_vif(const struct hv_vif *vif);
json_t *check_json_error(const char *file, const struct err *err);

#endif
