/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `xbar net start|stop|status|plan|confirm KEY=VALUE...`: put a netdev of the host behind a bridge, and give it back. The
 * keys are those of network-bridge; xbard does the work.
 *
 * Threads: none.
 */
#ifndef XBAR_NET_H
#define XBAR_NET_H

int cmd_net(int argc, char **argv);

#endif
