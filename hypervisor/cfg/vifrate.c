/* SPDX-License-Identifier: BSD-3-Clause */
#include "vifrate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define DEFAULT_INTERVAL_USECS 50000

/* Read the number at *p, 1 to UINT32_MAX, and move *p past it. 0: there is no such number. */
static uint64_t take_number(const char **p)
{
	size_t n = strspn(*p, "0123456789");
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

/* The interval at `p` within `rate`. */
static int parse_interval(const char *rate, const char *p, uint32_t *usecs, struct err *err)
{
	static const char units[] = "the interval's unit must be s, ms or us";
	const char *begin = p;
	uint64_t v;

	if (*p < '0' || *p > '9')
		return hv_err_in_word(err, p - rate, "an interval must follow the @, e.g. @50ms");
	v = take_number(&p);
	if (v == 0)
		return hv_err_in_word(err, begin - rate,
				      "the interval must be a number from 1 to 4294967295 (octal with a leading 0)");
	if (*p == '\0' || *p == 's')
		v *= 1000 * 1000;
	else if (*p == 'm')
		v *= 1000;
	else if (*p != 'u')
		return hv_err_in_word(err, p - rate, units);
	if (*p == 'm' || *p == 'u')
		p++;
	if (*p == 's')
		p++;
	if (*p != '\0')
		return hv_err_in_word(err, p - rate, units);
	if (v > UINT32_MAX)
		return hv_err_in_word(err, begin - rate,
				      "the interval is too long: at most 4294967295us, about 4294 s");
	*usecs = v;
	return 0;
}

int hv_rate_parse(const char *rate, uint64_t *bytes_per_interval, uint32_t *interval_usecs, struct err *err)
{
	static const char units[] =
		"write a number and one of b/s, Kb/s, Mb/s, Gb/s (bits) or B/s, KB/s, MB/s, GB/s (bytes), "
		"e.g. rate=10Mb/s";
	uint32_t usecs = DEFAULT_INTERVAL_USECS;
	const char *p = rate, *unit;
	uint64_t v;

	if (*p < '0' || *p > '9')
		return hv_err_in_word(err, 0, units);
	v = take_number(&p);
	if (v == 0)
		return hv_err_in_word(err, 0,
				      "the rate must be a number from 1 to 4294967295 (octal with a leading 0)");
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
	unit = p;
	if (*p == 'b')
		v /= 8;
	else if (*p != 'B')
		return hv_err_in_word(err, unit - rate, units);
	if (strncmp(p + 1, "/s", 2) || (p[3] != '\0' && p[3] != '@'))
		return hv_err_in_word(err, unit - rate, units);
	p += 3;
	if (*p == '@') {
		int r = parse_interval(rate, p + 1, &usecs, err);
		if (r)
			return r;
	}
	if (v > UINT64_MAX / usecs)
		return hv_err_in_word(err, 0, "rate times interval overflows: make one of them smaller");
	*bytes_per_interval = v * usecs / (1000 * 1000);
	*interval_usecs = usecs;
	return 0;
}
