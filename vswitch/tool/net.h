/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `xbar net start|stop|status|plan|confirm KEY=VALUE...`: a netdev of the host put behind a bridge, and given back. The words
 * are those of network-bridge; xbard does the work.
 *
 * Threads: none.
 */
#ifndef XBAR_NET_H
#define XBAR_NET_H

int cmd_net(int argc, char **argv);

#endif
