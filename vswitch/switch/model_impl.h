/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the model's own files share; nobody else includes this.
 */
#ifndef XBAR_MODEL_IMPL_H
#define XBAR_MODEL_IMPL_H

#include <stdio.h>

#include "model.h"

struct model {
	struct state *state;
	char *path; /* of the state's file */
	bool restoring; /* the file is being read back: it is written once, at the end */
};

int model_save(struct model *model, struct err *err);
void model_save_or_log(struct model *model);

/* 0, or -EEXIST where a bridge, an uplink or a vif is called `name`: ports and host ports share one name space. */
int model_name_free(const struct model *model, const char *name, struct err *err);

#endif
