/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of state.h share; nobody else includes this.
 */
#ifndef XBAR_STATE_IMPL_H
#define XBAR_STATE_IMPL_H

#include <jansson.h>

#include "state.h"

#define STATE_VERSION 2 /* of a record's file; 1 was the single file: state_convert.c */

/* Read the JSON object in the regular file at `path`, of at most `max` bytes. NULL: see *err; errno is ENOENT if none. */
json_t *state_read_file(const char *path, long max, struct err *err);

/* A record from its JSON: -EINVAL if a member is unknown, missing or out of bounds. */
int state_bridge_from_json(const json_t *json, struct bridge_conf *conf, struct err *err);
int state_port_from_json(const json_t *json, struct port_conf *conf, struct err *err);
/* NULL: no memory. */
json_t *state_bridge_to_json(const struct bridge_conf *conf);
json_t *state_port_to_json(const struct port_conf *conf);
/* Whether it says that it is a bridge's; else it should be a port's. */
bool state_is_bridge(const json_t *json);

#endif
