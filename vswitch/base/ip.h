/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IP addresses as text. Threads: no shared state.
 */
#ifndef XBAR_IP_H
#define XBAR_IP_H

#include <stddef.h>
#include <stdint.h>

/*
 * Read the IPv4 or IPv6 address that text[0..len) is, in network byte order; an IPv4 one fills ip[0..4). Returns AF_INET or
 * AF_INET6; 0 if it is not an address.
 */
int ip_parse(const char *text, size_t len, uint8_t ip[16]);
/* The same for "ADDRESS/LENGTH". Without a length *prefix is 32 or 128. */
int ip_prefix_parse(const char *text, uint8_t ip[16], unsigned *prefix);
/* "255.255.255.0", or a length "24", as a prefix length; -1 if it is neither. `family` bounds the length. */
int ip_mask_length(const char *text, int family);

#endif
