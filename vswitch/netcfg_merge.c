/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a netdev merges received frames (GRO, LRO): a switch that reads it wants them as they were on the wire. There
 * is no rtnetlink request for this.
 */
#include <net/if.h> /* before the kernel's headers, which then leave its names alone */

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netcfg_impl.h"

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

int netcfg_merge_get(const char *name)
{
	int gro = request(name, ETHTOOL_GGRO, 0), flags = request(name, ETHTOOL_GFLAGS, 0);

	return (gro > 0 ? NETCFG_GRO : 0) | (flags > 0 && (flags & ETH_FLAG_LRO) ? NETCFG_LRO : 0);
}

int netcfg_merge_set(const char *name, int merge, struct sw_err *err)
{
	int has = netcfg_merge_get(name), r = 0;

	if ((has ^ merge) & NETCFG_GRO)
		r = request(name, ETHTOOL_SGRO, !!(merge & NETCFG_GRO));
	if (r >= 0 && ((has ^ merge) & NETCFG_LRO)) {
		int flags = request(name, ETHTOOL_GFLAGS, 0);
		r = flags < 0 ? flags
			      : request(name, ETHTOOL_SFLAGS,
					merge & NETCFG_LRO ? flags | ETH_FLAG_LRO : flags & ~ETH_FLAG_LRO);
	}
	return r < 0 ? sw_fail(err, r, "cannot set GRO and LRO of %s: %s", name, strerror(-r)) : 0;
}

int netcfg_merge_below(const struct netcfg_snap *snap, bool back, struct sw_err *err)
{
	const char *name;
	json_t *merged;
	int r = 0;

	json_object_foreach(snap->lower, name, merged)
	{
		if (!r && if_nametoindex(name))
			r = netcfg_merge_set(name, back ? (int)json_integer_value(merged) : 0, err);
	}
	return r;
}
