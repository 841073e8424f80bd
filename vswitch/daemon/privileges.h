/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the daemon, which root starts, gives up when. In stages:
 *
 *   limits        it raises its limits on descriptors and locked memory;
 *   capabilities  before any other thread exists, it keeps those capabilities that it needs as long as it runs (a table in
 *                 privileges.c says for what), and those that its scripts are to have. No program that it starts gets more;
 *   workers       each gives up all capabilities, and the system calls that it has no use for (base/confine.h).
 *
 * It stays root: the files of its directory, /dev/net/tun, /dev/vfio and /dev/xen, the sysctls of netdevs and xenstored are
 * root's by their owner, not by a capability.
 *
 * Scripts run as root with the daemon's capabilities, which is enough for xbar's own. An administrator's own script may load
 * modules, make namespaces, start a daemon that changes its user: if one is configured, nothing is taken from it unless
 * "capabilities" in xbar.conf says what it needs. That is also for AF_XDP uplinks, which load a program into the kernel.
 *
 * Errors. 0 or -errno with *err. Threads: the first one, at start.
 */
#ifndef XBAR_PRIVILEGES_H
#define XBAR_PRIVILEGES_H

#include <stdbool.h>
#include <stdint.h>

#include "vswitch/base/err.h"

/* The value of capabilities, as a mask: 0 for "auto". -EINVAL if a name is not one of a capability. */
int privileges_parse(const char *text, uint64_t *mask, struct err *err);

/* Stage "limits". What cannot be raised is logged, with what it is enough for. */
void privileges_raise_limits(void);
/* Stage "capabilities". `asked` is the value of capabilities, `own_scripts`: all scripts that are configured are xbar's own. */
int privileges_drop(const char *asked, bool own_scripts, struct err *err);

#endif
