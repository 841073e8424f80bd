/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names and addresses as people write them. Names end up in kernel interfaces, paths and logs, so what may stand in
 * one is narrow: [A-Za-z0-9_.@-], not beginning with "-", and never "." or "..". A port's name may hold ":" too, as PCI
 * addresses do; the kernel takes none in an interface's.
 */
#ifndef XBAR_NAMES_H
#define XBAR_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_MAC_TEXT 18 /* with the NUL */

bool name_is_ifname(const char *name); /* at most IFNAMSIZ - 1 bytes */
bool name_is_port(const char *name); /* at most VIF_NAME_MAX - 1 bytes */
/* Six hexadecimal pairs with colons; false for anything else, for group addresses and for all zeroes. */
bool name_parse_mac(const char *text, uint8_t mac[6]);
void name_format_mac(const uint8_t mac[6], char text[NAME_MAC_TEXT]);
bool name_mac_is_zero(const uint8_t mac[6]);
/* Copy `text` (NULL: "") into dst[size]; false, and dst is empty, where it does not fit. */
bool name_copy(char *dst, size_t size, const char *text);

#endif
