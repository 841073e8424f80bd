/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xbar.conf: how the daemon itself is to run. `key = value` lines in the lexical grammar of a guest's cfg file: numbers,
 * "strings", # comments.
 *
 * Model. Every key has a default, so an empty file is a valid configuration, and so is none at the default place. Unknown
 * keys and values out of bounds are errors that name FILE:LINE:COL.
 *
 * Threads: no shared state. Ownership: a struct conf owns its strings; free with conf_free(). Errors: 0 or -errno with the
 * sentence in *err.
 */
#ifndef XBAR_CONF_H
#define XBAR_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "hypervisor/cfg/text.h"

#define CONF_DEFAULT_PATH XBAR_SYSCONFDIR "/xbar/xbar.conf"
#define CONF_DEFAULT_XEND XBAR_SYSCONFDIR "/xen/xend-config.sxp" /* an old host's own ... */
#define CONF_DEFAULT_XEND_2 XBAR_SYSCONFDIR "/xbar/xend-config.sxp" /* ... else the one that comes with xbar */
#define CONF_DEFAULT_RUNDIR "/run/xbar"

struct conf {
	uint32_t workers; /* 1 to VIF_WORKERS_MAX */
	int32_t first_cpu; /* -1: the last CPUs that the process may use */
	uint32_t poll_us;
	bool hugepages; /* use them if there are any */
	uint32_t ageing; /* seconds */
	uint32_t vif_script_timeout, network_script_timeout; /* seconds */
	char *log_level; /* a name that log.h knows */
	char *socket_group; /* the group that may change things besides root; "": none */
	bool socket_group_set; /* false: the default, which need not exist */
	char *xend_config; /* path; "": the first of CONF_DEFAULT_XEND and CONF_DEFAULT_XEND_2 that exists, if any */
	char *script_dir; /* directories, separated by colons */
	char *capabilities; /* "auto", "all" or names, separated by blanks: privileges.h */
	char *xen; /* "auto", "yes" or "no": whether to be the backend of Xen guests' vifs */
	char *vhost_dir; /* for vhost-user sockets; "": RUNDIR/vhost */
	char *vhost_owner, *vhost_group, *vhost_mode; /* of the sockets that xbard listens on: base/ids.h */
};

/*
 * Read the file at `path`. NULL: CONF_DEFAULT_PATH, or the defaults if that does not exist. On failure *out is NULL and err
 * holds "FILE:LINE:COL: ..." (or a path and why it cannot be read).
 */
int conf_load(const char *path, struct conf **out, struct err *err);
int conf_parse(const struct hv_text *text, struct conf **out, struct err *err);
void conf_free(struct conf *conf); /* NULL: nothing */

/* Make an empty vhost_dir `rundir`/vhost. false: no memory. */
bool conf_settle_vhost_dir(struct conf *conf, const char *rundir);
/* The settings in which `a` and `b` differ and that cannot change while the daemon runs, each behind a blank; "": none. */
void conf_list_fixed(const struct conf *a, const struct conf *b, char *text, size_t size);

#endif
