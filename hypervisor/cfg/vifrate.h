/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vif's rate=, e.g. "10Mb/s@20ms": how many bytes may pass in each interval.
 *
 * The grammar is xl's: NUMBER [GMK] (b|B) "/s" ["@" NUMBER [m|u] [s]]; b is bits and B bytes, prefixes are powers
 * of 1000, without "@" the interval is 50 ms, and an interval without a unit is in *seconds* (xl's own manual says
 * microseconds; its code takes seconds, and so do we). Numbers with a leading 0 are octal.
 */
#ifndef HV_VIFRATE_H
#define HV_VIFRATE_H

#include <stdint.h>

#include "vswitch/base/err.h"

/*
 * Sets both results: the interval is 1 to UINT32_MAX us; the bytes may be 0. Or -EINVAL, and err->column is the place in
 * `rate`, from 1.
 */
int hv_rate_parse(const char *rate, uint64_t *bytes_per_interval, uint32_t *interval_usecs, struct err *err);

#endif
