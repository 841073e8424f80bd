/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The addresses that /etc/network/interfaces gives to an interface, as ifquery(8) reads them: that of ifupdown, or that of
 * ifupdown-ng, whose output differs.
 *
 * Model. ifquery is run and waited for. It is asked for private bridges alone, once per start, and takes milliseconds; one
 * that takes IFUPDOWN_TIMEOUT_MS is killed. The control thread does nothing else meanwhile; workers go on.
 *
 * Limits. ifquery does not print an interface's method: any stanza counts that has an address and a netmask, as static ones
 * always have. It does not say in which line of the file a bad address is, either.
 *
 * Threads. The control thread's alone, like all that start processes.
 *
 * Errors. 0 or -errno with a sentence in *err. A file that does not exist gives no addresses. -ENOPKG: the file exists, and
 * there is no ifquery to read it.
 */
#ifndef XBAR_IFUPDOWN_H
#define XBAR_IFUPDOWN_H

#include "vswitch/base/err.h"

#define IFUPDOWN_TIMEOUT_MS 2000

/* Where the file is: $XBAR_INTERFACES, else /etc/network/interfaces. */
const char *ifupdown_path(void);
/*
 * Call fn("172.16.16.1/24", arg, err) for every address that the file at `path` gives to interface `name`; if `fn` fails,
 * that is the result.
 */
int ifupdown_addresses(const char *path, const char *name, int (*fn)(const char *address, void *arg, struct err *err),
		       void *arg, struct err *err);

#endif
