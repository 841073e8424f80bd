/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The records: lists, look-ups, copies. state_file.c has the file.
 */
#include <stdlib.h>
#include <string.h>

#include "state.h"

struct state *state_new(void)
{
	struct state *state = calloc(1, sizeof(*state));
	if (!state)
		return NULL;
	TAILQ_INIT(&state->bridges);
	TAILQ_INIT(&state->uplinks);
	TAILQ_INIT(&state->vifs);
	return state;
}

void state_clear(struct state *state)
{
	struct state_bridge *bridge;
	struct state_uplink *uplink;
	struct state_vif *vif;

	while ((bridge = TAILQ_FIRST(&state->bridges)))
		state_bridge_del(state, bridge);
	while ((uplink = TAILQ_FIRST(&state->uplinks)))
		state_uplink_del(state, uplink);
	while ((vif = TAILQ_FIRST(&state->vifs)))
		state_vif_del(state, vif);
}

void state_free(struct state *state)
{
	if (!state)
		return;
	state_clear(state);
	free(state);
}

#define LIST_FUNCTIONS(kind, list, key)                                                                                \
	struct kind *kind(const struct state *state, const char *name)                                                 \
	{                                                                                                              \
		struct kind *record;                                                                                   \
		for (record = TAILQ_FIRST(&state->list); record; record = TAILQ_NEXT(record, link))                    \
			if (!strcmp(record->key, name))                                                                \
				return record;                                                                         \
		return NULL;                                                                                           \
	}                                                                                                              \
	struct kind *kind##_add(struct state *state, const struct kind *record)                                        \
	{                                                                                                              \
		struct kind *copy = malloc(sizeof(*copy));                                                             \
		if (!copy)                                                                                             \
			return NULL;                                                                                   \
		*copy = *record;                                                                                       \
		TAILQ_INSERT_TAIL(&state->list, copy, link);                                                           \
		return copy;                                                                                           \
	}                                                                                                              \
	void kind##_del(struct state *state, struct kind *record)                                                      \
	{                                                                                                              \
		TAILQ_REMOVE(&state->list, record, link);                                                              \
		free(record);                                                                                          \
	}

LIST_FUNCTIONS(state_bridge, bridges, name)
LIST_FUNCTIONS(state_uplink, uplinks, netdev)
LIST_FUNCTIONS(state_vif, vifs, name)
