/* SPDX-License-Identifier: BSD-3-Clause */
/* What guests are to do, as both generate and path are told it on the command line. */
#ifndef XBAR_BENCH_LOAD_H
#define XBAR_BENCH_LOAD_H

#include "guest.h"
#include "traffic.h"

struct load {
	uint32_t frame, macs;
	unsigned ring, window_ms;
	bool tso, huge, packed;
	enum traffic_pattern pattern;
};

#define LOAD_DEFAULT                                                                                                   \
	{                                                                                                              \
		.frame = 64, .macs = 1, .ring = 256, .window_ms = 20                                                   \
	}
/* For getopt_long(3), and for who asks. */
#define LOAD_OPTIONS                                                                                                   \
	{"frame", 1, NULL, 'f'}, {"tso", 0, NULL, 't'}, {"pattern", 1, NULL, 'p'}, {"macs", 1, NULL, 'm'},             \
		{"ring", 1, NULL, 'r'}, {"window", 1, NULL, 'w'}, {"packed", 0, NULL, 'k'},                            \
	{                                                                                                              \
		"huge", 0, NULL, 'h'                                                                                   \
	}
#define LOAD_USAGE                                                                                                     \
	"[--frame N] [--tso] [--pattern one|both|mesh|hot|flood] [--macs N] [--ring N] [--window MS] [--huge] "        \
	"[--packed]"

/* Take option `o` of LOAD_OPTIONS. false: it is none of them, or there is no such pattern. */
bool load_option(struct load *load, int o, const char *arg);
/* Whether it can be done. */
bool load_ok(const struct load *load);
struct guest_opts load_guest(const struct load *load);

#endif
