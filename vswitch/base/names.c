/* SPDX-License-Identifier: BSD-3-Clause */
#include <net/if.h>
#include <string.h>

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
	return well_formed(name, ALLOWED ":", NAME_PORT_MAX - 1);
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
