/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keys of a vif that only COLO (two guests in lock step, one to take over from the other) reads, and libxl's names of
 * their fields.
 */
#ifndef HV_VIFCOLO_H
#define HV_VIFCOLO_H

/* The field of `key`, a constant of which each exists once; NULL: no such key. */
const char *hv_colo_field(const char *key);
/* The key of a field. */
const char *hv_colo_key(const char *field);

#endif
