/* SPDX-License-Identifier: BSD-3-Clause */
#include "vlanspec.h"

#include <stdbool.h>

#define VLAN_MAX 4094

/* The decimal number at *p, moved behind it; 0: none, or not one of 1 to VLAN_MAX. */
static int take_number(const char **p)
{
	int v = 0;

	for (; **p >= '0' && **p <= '9'; ++*p)
		if (v <= VLAN_MAX)
			v = v * 10 + (**p - '0');
	return v <= VLAN_MAX ? v : 0;
}

/* One term; *first is its first VLAN, *single whether it is only that one. */
static const char *take_term(const char **p, int *first, bool *single)
{
	int last, offset, count;

	*single = true;
	*first = take_number(p);
	if (*first == 0)
		return "a VLAN is a number from 1 to 4094";
	if (**p == '-') {
		++*p;
		*single = false;
		last = take_number(p);
		if (last < *first)
			return "a range ends with a VLAN from its beginning to 4094, e.g. 10-20";
	} else if (**p == '+') {
		++*p;
		*single = false;
		offset = take_number(p);
		if (offset == 0 || **p != 'x')
			return "behind + belong offset and count, e.g. 100+10x4";
		++*p;
		count = take_number(p);
		if (count == 0 || *first + offset * count > VLAN_MAX)
			return "the count must be at least 1 and the last VLAN at most 4094";
	}
	return NULL;
}

const char *hv_vlan_parse(const char *spec, int *pvid, size_t *at)
{
	const char *p = spec, *why;
	int first, terms = 0;
	bool single, untagged = false;

	*pvid = 0;
	for (;;) {
		*at = p - spec;
		why = take_term(&p, &first, &single);
		if (why)
			return why;
		terms++;
		if (*p == 'p' && !single)
			return "only a single VLAN can be the one of untagged frames (p)";
		if (*p == 'p' && *pvid != 0)
			return "two VLANs have a p: untagged frames belong to one";
		if (*p == 'p')
			*pvid = first;
		untagged = *p == 'u';
		if (*p == 'p' || *p == 'u')
			p++;
		if (*p == '\0')
			break;
		*at = p - spec;
		if (*p != '/')
			return "terms are joined by /, e.g. 10p/20/100-110";
		p++;
	}
	if (*pvid == 0 && terms == 1 && single && !untagged)
		*pvid = first;
	*at = 0;
	return *pvid ? NULL : "one VLAN needs a p, for untagged frames, e.g. 10p/20";
}
