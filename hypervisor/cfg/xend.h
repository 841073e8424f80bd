/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xend-config.sxp: which scripts bring the host's network and each vif up.
 *
 * Model. xend's rules: of several settings of one name the first counts; (network-script 'NAME ARG...') is one string,
 * split at blanks; no setting, or an empty one, means no script. Options that xend knew are passed over; ones that it
 * did not know are noted, with their line. Names are as written: where a relative one is looked for is the caller's.
 *
 * Threads: none. Ownership: struct hv_xend owns all it points to; free with hv_xend_free().
 */
#ifndef HV_XEND_H
#define HV_XEND_H

#include "text.h"

struct hv_xend {
	char *path; /* of the file it was read from */
	char **network_script; /* argv: the script and its arguments, a NULL at the end; NULL: none is set */
	size_t network_script_argc;
	unsigned network_script_line; /* where it was set; 0: nowhere */
	char **vif_script; /* likewise; xend's default where not set: vif-bridge */
	size_t vif_script_argc;
	unsigned vif_script_line;
	struct hv_notes notes; /* warnings: print them */
};

/* Returns 0, or -errno (-EINVAL for what the file says, -ENOMEM, else from reading it) with *out NULL. */
int hv_xend_load(const char *path, struct hv_xend **out, struct err *err);
int hv_xend_parse(const struct hv_text *text, struct hv_xend **out, struct err *err);
void hv_xend_free(struct hv_xend *xend); /* NULL: nothing */

#endif
