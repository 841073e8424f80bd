/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The addresses that /etc/network/interfaces (interfaces(5) of ifupdown) gives to an interface.
 *
 * Model. Reads `iface NAME inet|inet6 static` stanzas: `address` (with or without a length) and `netmask`; `source` and
 * `source-directory` are followed. Everything else in the file is somebody else's and passed over.
 *
 * Limits. `mapping` and `inherits` are not followed. Nesting of sources is bounded.
 *
 * Errors. 0 or -errno, and then *err names file and line. A file that is not there holds nothing.
 */
#ifndef XBAR_IFUPDOWN_H
#define XBAR_IFUPDOWN_H

#include "vswitch/base/err.h"

/* Where the file is: $XBAR_INTERFACES, else /etc/network/interfaces. */
const char *ifupdown_path(void);
/* Call fn("172.16.16.1/24", arg) for every static address of interface `name`; a negative result of `fn` ends it. */
int ifupdown_addresses(const char *path, const char *name, int (*fn)(const char *address, void *arg), void *arg,
		       struct err *err);

#endif
