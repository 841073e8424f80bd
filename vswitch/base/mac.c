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

bool mac_parse(const char *text, uint8_t mac[6])
{
	if (strlen(text) != MAC_TEXT - 1)
		return false;
	for (unsigned i = 0; i < 6; i++) {
		int high = hex(text[3 * i]), low = hex(text[3 * i + 1]);
		if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
			return false;
		mac[i] = high << 4 | low;
	}
	return !(mac[0] & 1) && !mac_is_zero(mac);
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
