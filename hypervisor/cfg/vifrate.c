/* SPDX-License-Identifier: BSD-3-Clause */
#include "vifrate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_INTERVAL_USECS 50000

static const char digits[] = "0123456789";

/* The number at *p, 1 to UINT32_MAX; moves *p behind it. 0: none such. */
static uint64_t take_number(const char **p)
{
	size_t n = strspn(*p, digits);
	char *end;
	uint64_t v;

	if (n == 0)
		return 0;
	errno = 0;
	v = strtoull(*p, &end, 0);
	/* "08": the leading 0 makes it octal, so strtoull() stops at the 8. */
	if (errno || end != *p + n || v > UINT32_MAX)
		return 0;
	*p = end;
	return v;
}

static const char *parse_interval(const char *p, uint32_t *usecs, const char **bad)
{
	uint64_t v;

	*bad = p;
	if (*p < '0' || *p > '9')
		return "after @ belongs the interval, e.g. @50ms";
	v = take_number(&p);
	if (v == 0)
		return "the interval must be a number from 1 to 4294967295 (with a leading 0 it is octal)";
	if (*p == '\0' || *p == 's')
		v *= 1000 * 1000;
	else if (*p == 'm')
		v *= 1000;
	else if (*p != 'u')
		goto unit;
	if (*p == 'm' || *p == 'u')
		p++;
	if (*p == 's')
		p++;
	if (*p != '\0')
		goto unit;
	if (v > UINT32_MAX)
		return "the interval is too long: at most 4294967295us, which is 4294 s";
	*usecs = v;
	return NULL;
unit:
	*bad = p;
	return "the interval's unit is one of s, ms, us";
}

const char *hv_rate_parse(const char *rate, uint64_t *bytes_per_interval, uint32_t *interval_usecs, size_t *at)
{
	static const char units[] =
		"write a number and one of b/s, Kb/s, Mb/s, Gb/s (bits) or B/s, KB/s, MB/s, GB/s (bytes), "
		"e.g. rate=10Mb/s";
	uint32_t usecs = DEFAULT_INTERVAL_USECS;
	const char *p = rate, *why, *bad;
	uint64_t v;

	*at = 0;
	if (*p < '0' || *p > '9')
		return units;
	v = take_number(&p);
	if (v == 0)
		return "the rate must be a number from 1 to 4294967295 (with a leading 0 it is octal)";
	switch (*p) {
	case 'G':
		v *= 1000;
		/* fallthrough */
	case 'M':
		v *= 1000;
		/* fallthrough */
	case 'K':
		v *= 1000;
		p++;
	}
	*at = p - rate;
	if (*p == 'b')
		v /= 8;
	else if (*p != 'B')
		return units;
	if (strncmp(p + 1, "/s", 2) != 0 || (p[3] != '\0' && p[3] != '@'))
		return units;
	p += 3;
	if (*p == '@') {
		why = parse_interval(p + 1, &usecs, &bad);
		if (why) {
			*at = bad - rate;
			return why;
		}
	}
	if (v > UINT64_MAX / usecs) {
		*at = 0;
		return "so much in so long an interval overflows: make one of them smaller";
	}
	*bytes_per_interval = v * usecs / (1000 * 1000);
	*interval_usecs = usecs;
	return NULL;
}
