/* SPDX-License-Identifier: BSD-3-Clause */
#include "kinds.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "vif/ethdev.h"
#include "vif/netif/netif.h"
#include "vif/tap.h"
#include "vif/vhost/vhost.h"
#include "vswitch/base/confine.h"
#include "vswitch/base/ethtool.h"
#include "vswitch/base/log.h"
#include "vswitch/base/mac.h"

#define MTU_DEFAULT 1500
#define XDP_NEEDS (1ULL << CAP_BPF | 1ULL << CAP_PERFMON | 1ULL << CAP_SYS_ADMIN)

static uint32_t mtu_of(const struct port_conf *conf)
{
	return conf->mtu ? conf->mtu : MTU_DEFAULT;
}

static unsigned queues_of(const struct port_conf *conf)
{
	return conf->queues ? conf->queues : 1;
}

static int open_vhost(struct port_conf *conf, const struct vif_port *base, struct vif_port **out, struct err *err)
{
	struct vhost_opts opts = {.path = conf->socket,
				  .server = conf->server,
				  .queues = queues_of(conf),
				  .mtu = mtu_of(conf),
				  .no_offload = conf->no_offload};

	struct err why;

	memcpy(opts.mac, conf->mac, sizeof(opts.mac));
	opts.access.mode = conf->socket_mode;
	int r = user_find(conf->socket_owner, &opts.access.owner, &why);
	if (!r)
		r = group_find(conf->socket_group, &opts.access.group, &why);
	if (r)
		return err_set(err, r, "%s: socket %s: %s", conf->name, conf->socket, why.text);
	r = vhost_open(base, &opts, out);
	if (!r)
		return 0;
	return err_set(err, r, "%s: socket %s: %s", conf->name, conf->socket,
		       r == -EEXIST   ? "another program listens on it, or it is not a socket: choose another path"
		       : r == -ENOENT ? "its directory does not exist"
		       : r == -ELOOP  ? "a symbolic link on the way to it is not root's"
		       : r == -EMFILE ? "no descriptors are left: raise LimitNOFILE= (ulimit -n)"
				      : strerror(-r));
}

static int open_netif(struct port_conf *conf, const struct vif_port *base, struct vif_port **out, struct err *err)
{
	struct netif_opts opts = {.domid = conf->domid, .queues = queues_of(conf), .mtu = mtu_of(conf)};
	int r = netif_open(base, &opts, out);

	return r ? err_set(err, r, "%s: %s", conf->name, strerror(-r)) : 0;
}

static int open_host(struct port_conf *conf, const struct vif_port *base, struct vif_port **out, struct err *err)
{
	int r = tap_open(base, mac_is_zero(conf->mac) ? NULL : conf->mac, mtu_of(conf), out);

	if (r)
		return err_set(err, r, "host port %s: %s", conf->name,
			       r == -EBUSY || r == -EINVAL
				       ? "a netdev of that name exists already and is not xbard's, or another program "
					 "holds it: `ip link show` tells; delete or rename it"
			       : r == -ENOENT ? "there is no /dev/net/tun: load the tun module"
			       : r == -EPERM ? "xbard may not make network devices here: run it as root (CAP_NET_ADMIN)"
					     : strerror(-r));
	tap_mac(*out, conf->mac);
	return 0;
}

/* The switch wants frames as they were on the wire: a netdev must not merge received ones. */
static int open_uplink(struct port_conf *conf, const struct vif_port *base, struct vif_port **out, struct err *err)
{
	struct ethdev_opts opts = {.netdev = conf->name, .driver = *conf->driver ? conf->driver : NULL};
	char choice[200];
	struct err why;
	int r;

	if (!strcmp(conf->driver, "af_xdp") && (confine_kept() & XDP_NEEDS) != XDP_NEEDS)
		return err_set(
			err, -EPERM,
			"uplink %s: the af_xdp driver loads a program into the kernel, and xbard has given up the "
			"right to: set capabilities = \"bpf perfmon sys_admin\" in xbar.conf and restart it",
			conf->name);
	conf->coalescing |= ethtool_rx_coalescing(conf->name);
	r = ethdev_open(base, &opts, out, &why);
	if (r)
		return err_set(err, r, "uplink %s", why.text);
	r = conf->coalescing ? ethtool_set_rx_coalescing(conf->name, 0, err) : 0;
	if (r) {
		(*out)->ops->close(*out);
		kind_closed(conf);
		return r;
	}
	ethdev_choice(*out, choice, sizeof(choice));
	log_info("uplink %s", choice);
	return 0;
}

static void uplink_closed(const struct port_conf *conf)
{
	struct err err;
	int r = conf->coalescing ? ethtool_set_rx_coalescing(conf->name, conf->coalescing, &err) : 0;

	if (r && r != -ENODEV) /* a netdev that is gone needs nothing */
		log_warn("%s", err.text);
}

static const struct {
	const struct vif_ops *ops;
	int (*open)(struct port_conf *conf, const struct vif_port *base, struct vif_port **out, struct err *err);
	void (*closed)(const struct port_conf *conf); /* NULL: nothing to do */
} kinds[] = {
	[PORT_VHOST] = {&vhost_ops, open_vhost, NULL},
	[PORT_NETIF] = {&netif_ops, open_netif, NULL},
	[PORT_HOST] = {&tap_ops, open_host, NULL},
	[PORT_UPLINK] = {&ethdev_ops, open_uplink, uplink_closed},
};
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == PORT_KIND_MAX, "every kind of port has a row");

const char *kind_name(enum port_kind kind)
{
	return kinds[kind].ops->kind;
}

enum port_kind kind_find(const char *name)
{
	enum port_kind kind = 0;

	while (kind < PORT_KIND_MAX && strcmp(kinds[kind].ops->kind, name))
		kind++;
	return kind;
}

int kind_open(struct port_conf *conf, const struct vif_port *base, struct vif_port **out, struct err *err)
{
	return kinds[conf->kind].open(conf, base, out, err);
}

void kind_closed(const struct port_conf *conf)
{
	if (kinds[conf->kind].closed)
		kinds[conf->kind].closed(conf);
}
