/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The KEY=VALUE words of `xbar net`, which are also the arguments of the daemon's net-* commands: one list for the tool's
 * usage and for the daemon's check. Each is X(NAME, KIND, MAX, HELP); KIND is NAME, TEXT, NUMBER (0 to MAX) or YES_NO, and
 * MAX of a TEXT its length.
 */
#ifndef XBAR_NET_WORDS_H
#define XBAR_NET_WORDS_H

#define NET_CONFIRM_DEFAULT_S 10
#define NET_CONFIRM_MAX_S 300 /* less than a client waits for its answer */
#define NET_WAIT_MAX_S 60
#define NET_VIFNUM_MAX 9999
#define NET_STEPS_MAX 9

/* net-stop, net-status */
#define NET_NAME_WORDS(X)                                                                                              \
	X(netdev, NAME, 0,                                                                                             \
	  "the host's netdev; dummyN: none, for a private bridge (default: the default route's, or ethVIFNUM)")        \
	X(bridge, NAME, 0, "the bridge, and the host's own netdev on it (default: xenbrVIFNUM)")                       \
	X(vifnum, NUMBER, NET_VIFNUM_MAX, "the number in both defaults")

/* net-plan */
#define NET_PLAN_WORDS(X)                                                                                              \
	NET_NAME_WORDS(X)                                                                                              \
	X(antispoof, YES_NO, 0, "check guests' source addresses (default: no)")                                        \
	X(rename, YES_NO, 0, "rename NETDEV to pNETDEV (default: yes for ethN, else no)")                              \
	X(address, TEXT, 1024, "ADDRESS/LENGTH[,...] for the host on the bridge")

/* net-start */
#define NET_START_WORDS(X)                                                                                             \
	NET_PLAN_WORDS(X)                                                                                              \
	X(wait, NUMBER, NET_WAIT_MAX_S, "seconds to wait for the netdev to appear (default: 0)")                       \
	X(confirm, NUMBER, NET_CONFIRM_MAX_S,                                                                          \
	  "seconds in which the gateways that answered before must answer over the bridge, else everything is undone; " \
	  "0: do not ask them (default: 10)")                                                                          \
	X(until, NUMBER, NET_STEPS_MAX, "apply only this many steps of the plan")

#endif
