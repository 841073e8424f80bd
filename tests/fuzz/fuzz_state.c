/* SPDX-License-Identifier: BSD-3-Clause */
/* A bridge's or a port's file: what is understood is written so that it is understood again, to the same. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "vswitch/switch/state_impl.h"

union record {
	struct bridge_conf bridge;
	struct port_conf port;
};

static int parse(const json_t *json, bool bridge, union record *record, struct err *err)
{
	return bridge ? state_bridge_from_json(json, &record->bridge, err)
		      : state_port_from_json(json, &record->port, err);
}

static json_t *print(bool bridge, const union record *record)
{
	return bridge ? state_bridge_to_json(&record->bridge) : state_port_to_json(&record->port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json = json_loadb((const char *)data, size, 0, NULL);
	const bool bridge = state_is_bridge(json);
	struct err err = {0};
	union record record;

	if (json_is_object(json) && !parse(json, bridge, &record, &err)) {
		json_t *first = print(bridge, &record);

		if (!first || parse(first, bridge, &record, &err))
			abort();
		json_t *second = print(bridge, &record);
		if (!json_equal(first, second))
			abort();
		json_decref(first);
		json_decref(second);
	} else if (json_is_object(json) && !*err.text) {
		abort(); /* an error without a sentence */
	}
	json_decref(json);
	return 0;
}
