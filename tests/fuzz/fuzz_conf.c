/* SPDX-License-Identifier: BSD-3-Clause */
/* xbar.conf: what is understood is within its bounds, what is not is named with its place. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "vif/vif.h"
#include "vswitch/base/log.h"
#include "vswitch/daemon/conf.h"

static void check(const struct conf *conf)
{
	if (conf->workers < 1 || conf->workers > VIF_WORKERS_MAX || conf->first_cpu < -1 || conf->ageing < 1 ||
	    conf->vif_script_timeout < 1 || conf->network_script_timeout < 1)
		abort();
	if (log_level_find(conf->log_level) < 0 || *conf->script_dir != '/' ||
	    (*conf->vhost_dir && *conf->vhost_dir != '/') || strchr(conf->vhost_dir, ':'))
		abort();
	if (!conf->socket_group || !conf->xend_config || !conf->xen)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = {0};
	struct hv_text text;
	struct conf *conf;

	log_set_level(LOG_LEVEL_ERROR);
	if (hv_text_copy(&text, "xbar.conf", (const char *)data, size, &err))
		return 0;
	if (conf_parse(&text, &conf, &err) == 0) {
		check(conf);
		conf_free(conf);
	} else if (conf || strncmp(err.text, "xbar.conf:", 10) != 0) {
		abort();
	}
	hv_text_fini(&text);
	return 0;
}
