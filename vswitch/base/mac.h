/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ethernet addresses as text.
 */
#ifndef XBAR_MAC_H
#define XBAR_MAC_H

#include <stdbool.h>
#include <stdint.h>

#define MAC_TEXT 18 /* with the NUL */

/* Six hexadecimal pairs with colons. false for anything else; also, as no port has them, for group addresses and zeroes. */
bool mac_parse(const char *text, uint8_t mac[6]);
/* The same in lower case; returns `text`. */
const char *mac_format(const uint8_t mac[6], char text[MAC_TEXT]);
bool mac_is_zero(const uint8_t mac[6]);

#endif
