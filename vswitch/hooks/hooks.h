/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hook scripts of xend-config.sxp: the network-script at the daemon's start and stop, the vif-script for each vif of a
 * launched guest that comes or goes. They are called as xend and libxl called them, so that old ones run.
 *
 * Calls. network-script 'NAME ARG...' runs as "NAME start ARG..." and "NAME stop ARG...". The vif-script runs as
 * "NAME online type_if=vif ARG..." and "NAME offline type_if=vif ARG..."; for an HVM guest's emulated card as
 * "NAME add type_if=tap ARG...", with its tap in INTERFACE. The vif is in the environment: vif, bridge, ip, mac, mtu,
 * script, XENBUS_TYPE=vif, XBAR_GUEST, XBAR_DEVID. Every script finds the `xbar` tool in its PATH, and the daemon through
 * $XBAR_SOCKET and $XBAR_RUNDIR. A relative name is looked for in the directories of script_dir (xbar.conf), in order.
 *
 * Round trip. The contract of a vif that comes by a script (cmd_vif.c and xbard(8) point here, or say what a script must do):
 *
 *	xbard			makes the port, on no bridge (sw_port_begin), and runs the vif-script with `online`
 *	vif-script		checks what it likes, and puts the port on its bridge: `xbar port join $vif $bridge`
 *	xbar			sends that to the control socket, as any client does, while xbard waits for the script
 *	xbard			joins the port, and answers; the script exits
 *	xbard			if the script exited 0 and the port is on a bridge: keeps it (sw_port_commit) and answers
 *				vif-add; else deletes the port and answers with the script's last line, or what it left out
 *
 * vif-del runs the script with `offline` and then deletes the port, whatever the script says. A clean stop does that with
 * each vif in turn. Meanwhile the daemon serves all other requests; a second vif-del of the vif is refused while `online`
 * still runs. Under Xen, xl runs the vif-script itself, and its `xbar port join` comes on the port that xbard has made when
 * the vif appeared in xenstore; xbard runs it only for vifs that a clean stop took off their bridges (xen.h).
 *
 * Threads. The control thread's alone.
 *
 * Errors. A script that cannot be started or that fails is reported to the call back, as a sentence; nothing here ends the
 * daemon.
 */
#ifndef XBAR_HOOKS_H
#define XBAR_HOOKS_H

#include <stdbool.h>

#include "vswitch/switch/port.h"

struct hooks;
struct hv_xend;
struct daemon;

/* `why` is NULL if the script succeeded or there was none to run; else a sentence, valid during the call. */
typedef void hooks_done(void *arg, const char *why);

struct hooks *hooks_new(const struct daemon *daemon); /* NULL: no memory */
/* Ends the scripts that still run; their call backs are told that the daemon is stopping. NULL: nothing. */
void hooks_free(struct hooks *hooks);
/* Which scripts to run from now on; takes `xend` (NULL: no network-script, and xend's default vif-script). */
void hooks_set(struct hooks *hooks, struct hv_xend *xend);

/* Whether the network-script and the vif-script are those that come with xbar, or do not exist. */
bool hooks_are_own(const struct hooks *hooks);

/* Run the network-script with `op`, "start" or "stop". done() is called from the loop, or before this returns. */
void hooks_network(struct hooks *hooks, const char *op, hooks_done *done, void *arg);
/* Run `vif`'s script with "online" or "offline"; `vif` is not used after the return. done() as above. */
void hooks_vif(struct hooks *hooks, const struct port_conf *vif, bool online, hooks_done *done, void *arg);
/* The same with "add", for the tap of `vif`'s emulated card. */
void hooks_emulated(struct hooks *hooks, const struct port_conf *vif, const char *tap, hooks_done *done, void *arg);

/*
 * Find `name` in `dirs` (directories with colons between; an absolute name is taken as it is) and check that it can be
 * run: path[0..size) on success. -ENOENT or -EACCES with a sentence.
 */
int hooks_find_script(const char *dirs, const char *name, char *path, size_t size, struct err *err);

#endif
