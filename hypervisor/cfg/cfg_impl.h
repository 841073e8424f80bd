/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the two halves of the parser of cfg files share: cfg.c reads, cfg_store.c keeps. Nobody else includes this.
 */
#ifndef HV_CFG_IMPL_H
#define HV_CFG_IMPL_H

#include "cfg.h"

struct cfg_parser {
	const struct hv_text *text;
	const char *s; /* text->data */
	size_t at;
	unsigned depth;
	struct hv_cfg *cfg;
	struct hv_notes *notes;
	struct err *err;
};

/* End the parse with an error at `where`. */
#define bad(p, where, ...) hv_err_at((p)->err, (p)->text, where, __VA_ARGS__)

/*
 * Keep the setting that begins at `at`: "=", or "+=" with `add`. Takes name (heap) and *v over, also on failure. 0, or
 * -EINVAL, -ENOMEM, told.
 */
int cfg_store(struct cfg_parser *p, char *name, size_t at, bool add, struct hv_cfg_value *v);

/* Free what a value holds. */
void cfg_value_fini(struct hv_cfg_value *v);

#endif
