/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shared by the two halves of the cfg parser: cfg.c reads, cfg_store.c stores. Not for other files.
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

/* Set an error at `where`; the value is -EINVAL. */
#define bad(p, where, ...) hv_err_at((p)->err, (p)->text, where, __VA_ARGS__)

/*
 * Store the setting that begins at `at`; `add`: by "+=". Takes ownership of `name` (on the heap) and *v, also on failure.
 */
int cfg_store(struct cfg_parser *p, char *name, size_t at, bool add, struct hv_cfg_value *v);

/* Free what a value holds. */
void cfg_value_fini(struct hv_cfg_value *v);

#endif
