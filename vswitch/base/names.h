/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which names are allowed. Names end up in kernel interfaces, paths and logs, so the set is narrow: [A-Za-z0-9_.@-], not
 * beginning with "-", and not "." or "..". A port's name may also contain ":", as PCI addresses do; the kernel does not
 * allow it in an interface's.
 */
#ifndef XBAR_NAMES_H
#define XBAR_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#define NAME_PORT_MAX 64 /* of a port; with the NUL */

bool name_is_ifname(const char *name); /* at most IFNAMSIZ - 1 bytes */
bool name_is_port(const char *name); /* at most NAME_PORT_MAX - 1 bytes */
/* Copy `text` (NULL: "") into dst[size]. false, and dst is empty: it does not fit. */
bool name_copy(char *dst, size_t size, const char *text);

#endif
