/* SPDX-License-Identifier: BSD-3-Clause */
#include "load.h"

#include <stdlib.h>

bool load_option(struct load *load, int o, const char *arg)
{
	unsigned number = arg ? (unsigned)strtoul(arg, NULL, 0) : 0;

	switch (o) {
	case 'f':
		load->frame = number;
		return true;
	case 't':
		load->tso = true;
		return true;
	case 'p':
		return traffic_pattern(arg, &load->pattern);
	case 'm':
		load->macs = number;
		return true;
	case 'r':
		load->ring = number;
		return true;
	case 'w':
		load->window_ms = number;
		return true;
	case 'k':
		load->packed = true;
		return true;
	case 'h':
		load->huge = true;
		return true;
	default:
		return false;
	}
}

bool load_ok(const struct load *load)
{
	return load->frame >= FRAME_MIN && load->frame <= FRAME_MAX && (!load->tso || load->frame >= 128) &&
	       load->ring >= 64 && load->ring <= 32768 && !(load->ring & (load->ring - 1)) && load->window_ms &&
	       load->macs && load->macs <= TRAFFIC_MACS;
}

struct guest_opts load_guest(const struct load *load)
{
	return (struct guest_opts){.ring = load->ring,
				   .frame = load->frame,
				   .huge = load->huge,
				   .packed = load->packed,
				   .gso_size = load->tso ? 1448 : 0,
				   .gso_hdr = load->tso ? FRAME_TCP_HDR : 0};
}
