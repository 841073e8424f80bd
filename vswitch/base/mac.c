/* SPDX-License-Identifier: BSD-3-Clause */
#include "mac.h"

#include <stdio.h>
#include <string.h>

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool mac_parse_loose(const char *text, uint8_t mac[6], size_t *at)
{
	const char *p = text;
	bool good = true;

	for (unsigned i = 0; i < 6 && good; i++) {
		if (i > 0 && (good = *p == ':' || *p == '-'))
			p++;
		good = good && hex(*p) >= 0;
		if (!good)
			break;
		mac[i] = hex(*p++);
		if (hex(*p) >= 0)
			mac[i] = mac[i] << 4 | hex(*p++);
	}
	*at = p - text;
	return good && !*p;
}

bool mac_parse(const char *text, uint8_t mac[6])
{
	size_t at;

	/* With this length and without another separator every byte has two digits. */
	return strlen(text) == MAC_TEXT - 1 && !strchr(text, '-') && mac_parse_loose(text, mac, &at) && !(mac[0] & 1) &&
	       !mac_is_zero(mac);
}

const char *mac_format(const uint8_t mac[6], char text[MAC_TEXT])
{
	snprintf(text, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return text;
}

bool mac_is_zero(const uint8_t mac[6])
{
	static const uint8_t zero[6];
	return !memcmp(mac, zero, sizeof(zero));
}
