/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vif's rate=, e.g. "10Mb/s@20ms": how many bytes may pass in each interval.
 *
 * The grammar is xl's: NUMBER [GMK] (b|B) "/s", perhaps "@" NUMBER [m|u] [s]; b is bits and B bytes, prefixes are powers
 * of 1000, without "@" the interval is 50 ms, and an interval without a unit is in *seconds* (xl's own manual says
 * microseconds; its code takes seconds, and so do we). Numbers with a leading 0 are octal.
 */
#ifndef HV_VIFRATE_H
#define HV_VIFRATE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Returns NULL and sets both results (usecs is 1 to UINT32_MAX; bytes may be 0), or returns why not, a sentence, and
 * sets *at to the byte of `rate` where it went wrong.
 */
const char *hv_rate_parse(const char *rate, uint64_t *bytes_per_interval, uint32_t *interval_usecs, size_t *at);

#endif
