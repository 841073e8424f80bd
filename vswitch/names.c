/* SPDX-License-Identifier: BSD-3-Clause */
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "../vif/vif.h"
#include "names.h"

#define ALLOWED "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.@-"

static bool well_formed(const char *name, const char *allowed, size_t max)
{
	size_t len = strspn(name, allowed);

	return len > 0 && len <= max && !name[len] && name[0] != '-' && strcmp(name, ".") && strcmp(name, "..");
}

bool name_is_ifname(const char *name)
{
	return well_formed(name, ALLOWED, IFNAMSIZ - 1);
}

bool name_is_port(const char *name)
{
	return well_formed(name, ALLOWED ":", VIF_NAME_MAX - 1);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool name_parse_mac(const char *text, uint8_t mac[6])
{
	if (strlen(text) != NAME_MAC_TEXT - 1)
		return false;
	for (unsigned i = 0; i < 6; i++) {
		int high = hex(text[3 * i]), low = hex(text[3 * i + 1]);
		if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
			return false;
		mac[i] = high << 4 | low;
	}
	return !(mac[0] & 1) && !name_mac_is_zero(mac);
}

void name_format_mac(const uint8_t mac[6], char text[NAME_MAC_TEXT])
{
	snprintf(text, NAME_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

bool name_mac_is_zero(const uint8_t mac[6])
{
	static const uint8_t zero[6];
	return !memcmp(mac, zero, sizeof(zero));
}

bool name_copy(char *dst, size_t size, const char *text)
{
	size_t len = text ? strlen(text) : 0;
	if (len >= size) {
		dst[0] = '\0';
		return false;
	}
	memcpy(dst, text ? text : "", len + 1);
	return true;
}
