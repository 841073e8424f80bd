/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ethernet addresses as text: the only printer and parsers of them.
 *
 * Threads: any.
 */
#ifndef XBAR_MAC_H
#define XBAR_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAC_TEXT 18 /* with the NUL */

/*
 * Parse six pairs of hexadecimal digits with colons between them. false for anything else; also for multicast addresses
 * and zeroes, which no port has.
 */
bool mac_parse(const char *text, uint8_t mac[6]);
/*
 * The same in the looser form of xl's mac=: bytes of one or two digits, with ':' or '-' between them, any address. On
 * failure *at is the index of the character that does not fit.
 */
bool mac_parse_loose(const char *text, uint8_t mac[6], size_t *at);
/* Six pairs of lower-case digits with colons between them; returns `text`. */
const char *mac_format(const uint8_t mac[6], char text[MAC_TEXT]);
bool mac_is_zero(const uint8_t mac[6]);

#endif
