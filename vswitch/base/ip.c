/* SPDX-License-Identifier: BSD-3-Clause */
#include "ip.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

int ip_parse(const char *text, size_t len, uint8_t ip[16])
{
	char copy[INET6_ADDRSTRLEN];

	if (len >= sizeof(copy))
		return 0;
	memcpy(copy, text, len);
	copy[len] = '\0';
	int family = memchr(copy, ':', len) ? AF_INET6 : AF_INET;
	return inet_pton(family, copy, ip) == 1 ? family : 0;
}

/* A decimal number from 0 to the length of an address of `family`; else -1. */
static int length_parse(const char *text, int family)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -1;
	unsigned long len = strtoul(text, &end, 10);
	return !*end && len <= (family == AF_INET6 ? 128 : 32) ? (int)len : -1;
}

int ip_prefix_parse(const char *text, uint8_t ip[16], unsigned *prefix)
{
	const char *slash = strchr(text, '/');
	int family = ip_parse(text, slash ? (size_t)(slash - text) : strlen(text), ip);
	int len = family == AF_INET6 ? 128 : 32;

	if (slash)
		len = length_parse(slash + 1, family);
	if (len < 0)
		return 0;
	*prefix = len;
	return family;
}

int ip_mask_length(const char *text, int family)
{
	struct in_addr mask;

	if (!strchr(text, '.'))
		return length_parse(text, family);
	if (family != AF_INET || inet_pton(AF_INET, text, &mask) != 1)
		return -1;
	uint32_t bits = ntohl(mask.s_addr);
	int len = __builtin_popcount(bits);
	return bits == (len ? UINT32_MAX << (32 - len) : 0) ? len : -1;
}
