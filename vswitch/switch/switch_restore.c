/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way back: after a crash the state's files say what there was. It is made again in the order in which things need each
 * other, bridges first.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "state.h"
#include "switch_impl.h"
#include "vswitch/base/log.h"

/* The file of the versions before, beside the directory. */
static void convert(void)
{
	char path[PATH_MAX], bad[PATH_MAX];
	struct err err;

	if (snprintf(path, sizeof(path), "%.*s/state.json", (int)(strrchr(sw.state_dir, '/') - sw.state_dir),
		     sw.state_dir) >= (int)sizeof(path) ||
	    !state_convert(path, sw.state_dir, &err))
		return;
	log_error("%s", err.text);
	if (snprintf(bad, sizeof(bad), "%s.bad", path) < (int)sizeof(bad) && !rename(path, bad))
		log_error("some or all of the state of the version before is not restored; the file is now %s", bad);
	else
		log_error("cannot move %s aside: %s", path, strerror(errno));
}

static bool restore_bridge(const struct bridge_conf *conf)
{
	struct bridge_conf without_host = *conf;
	struct err err;

	without_host.host = false;
	if (!sw_bridge_add(&without_host, &err))
		return true;
	log_error("cannot restore bridge %s: %s", conf->name, err.text);
	file_remove(conf->name);
	return false;
}

/* The bridge stays if its host port cannot be had: ports are on it. */
static void restore_host(const struct bridge_conf *conf)
{
	struct bridge *bridge = bridge_get(conf->name);
	struct err err, save_err;

	if (!conf->host || !bridge || !bridge_host_up(bridge, conf, &err))
		return;
	log_error("cannot restore host port %s: %s", conf->name, err.text);
	log_unsaved(bridge_save(bridge, &save_err), &save_err);
}

static bool restore_port(struct port_conf *conf)
{
	char lost[IFNAMSIZ] = "";
	struct err err;

	if (*conf->on && !sw_bridge(conf->on)) {
		memcpy(lost, conf->on, sizeof(lost));
		conf->on[0] = '\0';
	}
	if (sw_port_add(conf, &err)) {
		log_error("cannot restore port %s: %s", conf->name, err.text);
		file_remove(conf->name);
		return false;
	}
	if (*lost)
		log_error("port %s is on no bridge, since %s could not be restored: make the bridge, then `xbar port "
			  "join "
			  "%s %s`",
			  conf->name, lost, conf->name, lost);
	return true;
}

bool sw_awaits_front_ends(void)
{
	const struct port *port;

	TAILQ_FOREACH(port, &sw.ports, link)
	{
		if (port->conf.kind == PORT_VHOST && !port->conf.server && !port->vif->up)
			return true;
	}
	return false;
}

void sw_restore(void (*before_hosts)(void *arg), void *arg)
{
	struct state state;
	struct err err;
	unsigned made = 0;

	if (!sw.state_dir)
		return;
	convert();
	if (state_load(sw.state_dir, &state, &err)) {
		log_error("%s; what was set before is not restored", err.text);
		return;
	}
	sw.restoring = true;
	for (unsigned i = 0; i < state.bridges; i++)
		made += restore_bridge(&state.bridge[i]);
	for (unsigned i = 0; i < state.ports; i++)
		made += restore_port(&state.port[i]);
	sw.restoring = false;
	before_hosts(arg);
	for (unsigned i = 0; i < state.bridges; i++)
		restore_host(&state.bridge[i]);
	if (state.bridges + state.ports + state.bad)
		log_info("restored %u of %u bridges and ports from %s", made, state.bridges + state.ports + state.bad,
			 sw.state_dir);
	state_free(&state);
}
