/* SPDX-License-Identifier: BSD-3-Clause */
#include "vlanspec.h"

#include <stdbool.h>

#include "text.h"

#define VLAN_MAX 4094

/* Read the decimal number at *p and move *p past it. 0: there is none, or it is not 1 to VLAN_MAX. */
static int take_number(const char **p)
{
	int v = 0;

	for (; **p >= '0' && **p <= '9'; ++*p)
		if (v <= VLAN_MAX)
			v = v * 10 + (**p - '0');
	return v <= VLAN_MAX ? v : 0;
}

/* Read one term: *first is its first VLAN, *single whether that is its only one. NULL, or what is wrong with it. */
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
			return "the end of a range must be from its beginning to 4094, e.g. 10-20";
	} else if (**p == '+') {
		++*p;
		*single = false;
		offset = take_number(p);
		if (offset == 0 || **p != 'x')
			return "offset and count must follow the +, e.g. 100+10x4";
		++*p;
		count = take_number(p);
		if (count == 0 || *first + offset * count > VLAN_MAX)
			return "the count must be at least 1 and the last VLAN at most 4094";
	}
	return NULL;
}

int hv_vlan_parse(const char *spec, int *pvid, struct err *err)
{
	const char *p = spec, *why;
	int first, terms = 0;
	bool single, untagged = false;

	*pvid = 0;
	for (;;) {
		size_t term = p - spec;
		why = take_term(&p, &first, &single);
		if (!why && *p == 'p' && !single)
			why = "only a single VLAN can be the one of untagged frames (p)";
		if (!why && *p == 'p' && *pvid != 0)
			why = "only one VLAN can have a p, for untagged frames";
		if (why)
			return hv_err_in_word(err, term, why);
		terms++;
		if (*p == 'p')
			*pvid = first;
		untagged = *p == 'u';
		if (*p == 'p' || *p == 'u')
			p++;
		if (*p == '\0')
			break;
		if (*p != '/')
			return hv_err_in_word(err, p - spec, "terms are separated by /, e.g. 10p/20/100-110");
		p++;
	}
	if (*pvid == 0 && terms == 1 && single && !untagged)
		*pvid = first;
	return *pvid ? 0 : hv_err_in_word(err, 0, "one VLAN needs a p, for untagged frames, e.g. 10p/20");
}
