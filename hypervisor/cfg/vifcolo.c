/* SPDX-License-Identifier: BSD-3-Clause */
#include "vifcolo.h"

#include <string.h>

#define FORWARDDEV "coloft_forwarddev" /* the one whose key has another name: forwarddev= */

static const char *const fields[] = {
	FORWARDDEV,
	"colo_sock_mirror_id",
	"colo_sock_mirror_ip",
	"colo_sock_mirror_port",
	"colo_sock_compare_pri_in_id",
	"colo_sock_compare_pri_in_ip",
	"colo_sock_compare_pri_in_port",
	"colo_sock_compare_sec_in_id",
	"colo_sock_compare_sec_in_ip",
	"colo_sock_compare_sec_in_port",
	"colo_sock_compare_notify_id",
	"colo_sock_compare_notify_ip",
	"colo_sock_compare_notify_port",
	"colo_sock_redirector0_id",
	"colo_sock_redirector0_ip",
	"colo_sock_redirector0_port",
	"colo_sock_redirector1_id",
	"colo_sock_redirector1_ip",
	"colo_sock_redirector1_port",
	"colo_sock_redirector2_id",
	"colo_sock_redirector2_ip",
	"colo_sock_redirector2_port",
	"colo_sock_sec_redirector0_id",
	"colo_sock_sec_redirector0_ip",
	"colo_sock_sec_redirector0_port",
	"colo_sock_sec_redirector1_id",
	"colo_sock_sec_redirector1_ip",
	"colo_sock_sec_redirector1_port",
	"colo_filter_mirror_queue",
	"colo_filter_mirror_outdev",
	"colo_filter_redirector0_queue",
	"colo_filter_redirector0_indev",
	"colo_filter_redirector0_outdev",
	"colo_filter_redirector1_queue",
	"colo_filter_redirector1_indev",
	"colo_filter_redirector1_outdev",
	"colo_filter_sec_redirector0_queue",
	"colo_filter_sec_redirector0_indev",
	"colo_filter_sec_redirector0_outdev",
	"colo_filter_sec_redirector1_queue",
	"colo_filter_sec_redirector1_indev",
	"colo_filter_sec_redirector1_outdev",
	"colo_filter_sec_rewriter0_queue",
	"colo_compare_pri_in",
	"colo_compare_sec_in",
	"colo_compare_out",
	"colo_compare_notify_dev",
	"colo_checkpoint_host",
	"colo_checkpoint_port",
};

const char *hv_colo_field(const char *key)
{
	if (strcmp(key, "forwarddev") == 0)
		key = FORWARDDEV;
	else if (strcmp(key, FORWARDDEV) == 0)
		return NULL;
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (strcmp(key, fields[i]) == 0)
			return fields[i];
	return NULL;
}

const char *hv_colo_key(const char *field)
{
	return strcmp(field, FORWARDDEV) == 0 ? "forwarddev" : field;
}
