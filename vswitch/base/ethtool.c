/* SPDX-License-Identifier: BSD-3-Clause */
#include <net/if.h> /* before the kernel's headers, which then leave its names alone */

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ethtool.h"

/* One ethtool request for `name` with `value`; the value that comes back, or -errno. */
static int request(const char *name, uint32_t command, uint32_t value)
{
	struct ethtool_value data = {.cmd = command, .data = value};
	struct ifreq ifr = {.ifr_data = (void *)&data};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int r = ioctl(fd, SIOCETHTOOL, &ifr) ? -errno : (int)data.data;
	close(fd);
	return r;
}

int ethtool_rx_coalescing(const char *name)
{
	int gro = request(name, ETHTOOL_GGRO, 0), flags = request(name, ETHTOOL_GFLAGS, 0);

	return (gro > 0 ? ETHTOOL_GRO : 0) | (flags > 0 && (flags & ETH_FLAG_LRO) ? ETHTOOL_LRO : 0);
}

int ethtool_set_rx_coalescing(const char *name, int kinds, struct err *err)
{
	int has = ethtool_rx_coalescing(name), r = 0;

	if ((has ^ kinds) & ETHTOOL_GRO)
		r = request(name, ETHTOOL_SGRO, !!(kinds & ETHTOOL_GRO));
	if (r >= 0 && ((has ^ kinds) & ETHTOOL_LRO)) {
		int flags = request(name, ETHTOOL_GFLAGS, 0);
		r = flags < 0 ? flags
			      : request(name, ETHTOOL_SFLAGS,
					kinds & ETHTOOL_LRO ? flags | ETH_FLAG_LRO : flags & ~ETH_FLAG_LRO);
	}
	return r < 0 ? err_set(err, r, "cannot set GRO and LRO of %s: %s", name, strerror(-r)) : 0;
}
