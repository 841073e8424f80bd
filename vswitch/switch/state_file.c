/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state's file. Each kind of record has a table of its fields, which both writing and reading go by, so that one
 * cannot know a field that the other does not.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state.h"
#include "vswitch/base/jsonfile.h"
#include "vswitch/base/mac.h"
#include "vswitch/base/names.h"

#define FILE_VERSION 1
#define FILE_SIZE_MAX (16 << 20) /* a few thousand vifs take about a megabyte */

enum field_type { TEXT, IFNAME, PORT, MAC, BOOL, U16, U32, I32, U64 };

struct field {
	const char *name;
	enum field_type type;
	bool may_be_empty; /* texts, names and addresses */
	size_t offset, size;
};

#define FIELD(record, member, type, empty)                                                                             \
	{                                                                                                              \
#member, type, empty, offsetof(struct record, member), sizeof(((struct record *)0)->member)            \
	}

static const struct field bridge_fields[] = {
	FIELD(state_bridge, name, IFNAME, false),  FIELD(state_bridge, ageing, U32, false),
	FIELD(state_bridge, host, BOOL, false),    FIELD(state_bridge, host_mac, MAC, true),
	FIELD(state_bridge, host_mtu, U32, false), {0},
};

static const struct field uplink_fields[] = {
	FIELD(state_uplink, netdev, PORT, false),
	FIELD(state_uplink, driver, TEXT, true),
	FIELD(state_uplink, bridge, IFNAME, true),
	FIELD(state_uplink, merging, U32, false),
	{0},
};

static const struct field vif_fields[] = {
	FIELD(state_vif, name, PORT, false),
	FIELD(state_vif, guest, TEXT, true),
	FIELD(state_vif, devid, I32, false),
	FIELD(state_vif, xen, BOOL, false),
	FIELD(state_vif, domid, U32, false),
	FIELD(state_vif, bridge, IFNAME, true),
	FIELD(state_vif, want_bridge, IFNAME, true),
	FIELD(state_vif, ip, TEXT, true),
	FIELD(state_vif, mac, MAC, true),
	FIELD(state_vif, mtu, U32, false),
	FIELD(state_vif, rate_bytes_per_interval, U64, false),
	FIELD(state_vif, rate_interval_usecs, U32, false),
	FIELD(state_vif, trusted, BOOL, false),
	FIELD(state_vif, script, TEXT, true),
	FIELD(state_vif, queues, U16, false),
	FIELD(state_vif, server, BOOL, false),
	FIELD(state_vif, hotplug, BOOL, false),
	FIELD(state_vif, no_offload, BOOL, false),
	FIELD(state_vif, socket, TEXT, true),
	{0},
};

static json_t *field_to_json(const struct field *field, const void *record)
{
	const void *at = (const char *)record + field->offset;
	char mac[MAC_TEXT];

	switch (field->type) {
	case TEXT:
	case IFNAME:
	case PORT:
		return json_string(at);
	case MAC:
		if (mac_is_zero(at))
			return json_string("");
		mac_format(at, mac);
		return json_string(mac);
	case BOOL:
		return json_boolean(*(const bool *)at);
	case U16:
		return json_integer(*(const uint16_t *)at);
	case U32:
		return json_integer(*(const uint32_t *)at);
	case I32:
		return json_integer(*(const int32_t *)at);
	case U64:
		return json_integer(*(const uint64_t *)at);
	}
	return NULL;
}

static json_t *record_to_json(const struct field *fields, const void *record)
{
	json_t *object = json_object();
	for (const struct field *field = fields; field->name; field++)
		json_object_set_new(object, field->name, field_to_json(field, record));
	return object;
}

json_t *state_to_json(const struct state *state)
{
	json_t *bridges = json_array(), *uplinks = json_array(), *vifs = json_array();
	struct state_bridge *bridge;
	struct state_uplink *uplink;
	struct state_vif *vif;

	for (bridge = TAILQ_FIRST(&state->bridges); bridge; bridge = TAILQ_NEXT(bridge, link))
		json_array_append_new(bridges, record_to_json(bridge_fields, bridge));
	for (uplink = TAILQ_FIRST(&state->uplinks); uplink; uplink = TAILQ_NEXT(uplink, link))
		json_array_append_new(uplinks, record_to_json(uplink_fields, uplink));
	for (vif = TAILQ_FIRST(&state->vifs); vif; vif = TAILQ_NEXT(vif, link))
		if (!vif->pending)
			json_array_append_new(vifs, record_to_json(vif_fields, vif));
	return json_pack("{s:i, s:o, s:o, s:o}", "version", FILE_VERSION, "bridges", bridges, "uplinks", uplinks,
			 "vifs", vifs);
}

static int text_from_json(const struct field *field, const json_t *value, void *at, const char *where, struct err *err)
{
	const char *text = json_string_value(value);
	if (!text)
		return err_set(err, -EINVAL, "%s: \"%s\" must be a string", where, field->name);

	bool good = true;
	if (!*text)
		good = field->may_be_empty;
	else if (field->type == MAC)
		good = mac_parse(text, at);
	else if (field->type == IFNAME)
		good = name_is_ifname(text);
	else if (field->type == PORT)
		good = name_is_port(text);
	if (good && field->type != MAC)
		good = name_copy(at, field->size, text);
	if (!good)
		return err_set(err, -EINVAL, "%s: \"%.80s\" is no good value for \"%s\"", where, text, field->name);
	return 0;
}

static int field_from_json(const struct field *field, const json_t *value, void *record, const char *where,
			   struct err *err)
{
	void *at = (char *)record + field->offset;

	if (field->type <= MAC)
		return text_from_json(field, value, at, where, err);
	if (field->type == BOOL) {
		if (!json_is_boolean(value))
			return err_set(err, -EINVAL, "%s: \"%s\" must be true or false", where, field->name);
		*(bool *)at = json_is_true(value);
		return 0;
	}

	if (!json_is_integer(value))
		return err_set(err, -EINVAL, "%s: \"%s\" must be an integer", where, field->name);
	json_int_t number = json_integer_value(value);
	json_int_t min = field->type == I32 ? INT32_MIN : 0;
	json_int_t max = field->type == U16   ? UINT16_MAX
			 : field->type == U32 ? UINT32_MAX
			 : field->type == I32 ? INT32_MAX
					      : INT64_MAX;
	if (number < min || number > max)
		return err_set(err, -EINVAL, "%s: \"%s\" is out of bounds", where, field->name);
	switch (field->type) {
	case U16:
		*(uint16_t *)at = number;
		break;
	case U32:
		*(uint32_t *)at = number;
		break;
	case I32:
		*(int32_t *)at = number;
		break;
	default:
		*(uint64_t *)at = number;
	}
	return 0;
}

static int record_from_json(const struct field *fields, const json_t *json, void *record, const char *list, size_t i,
			    struct err *err)
{
	char where[64];
	const char *key;
	json_t *value;

	snprintf(where, sizeof(where), "%s[%zu]", list, i);
	if (!json_is_object(json))
		return err_set(err, -EINVAL, "%s must be an object", where);
	json_object_foreach((json_t *)json, key, value)
	{
		const struct field *field = fields;
		while (field->name && strcmp(field->name, key))
			field++;
		if (!field->name)
			return err_set(err, -EINVAL, "%s: unknown member \"%.40s\"", where, key);
	}
	for (const struct field *field = fields; field->name; field++) {
		value = json_object_get(json, field->name);
		if (!value)
			return err_set(err, -EINVAL, "%s: member \"%s\" is missing", where, field->name);
		int r = field_from_json(field, value, record, where, err);
		if (r)
			return r;
	}
	return 0;
}

static int bridge_from_json(struct state *state, const json_t *json, size_t i, struct err *err)
{
	struct state_bridge record = {0};

	int r = record_from_json(bridge_fields, json, &record, "bridges", i, err);
	if (r)
		return r;
	if (state_bridge(state, record.name))
		return err_set(err, -EINVAL, "bridges[%zu]: a second \"%s\"", i, record.name);
	return state_bridge_add(state, &record) ? 0 : err_set(err, -ENOMEM, "no memory");
}

static int uplink_from_json(struct state *state, const json_t *json, size_t i, struct err *err)
{
	struct state_uplink record = {0};

	int r = record_from_json(uplink_fields, json, &record, "uplinks", i, err);
	if (r)
		return r;
	if (state_uplink(state, record.netdev))
		return err_set(err, -EINVAL, "uplinks[%zu]: a second \"%s\"", i, record.netdev);
	return state_uplink_add(state, &record) ? 0 : err_set(err, -ENOMEM, "no memory");
}

static int vif_from_json(struct state *state, const json_t *json, size_t i, struct err *err)
{
	struct state_vif record = {0};

	int r = record_from_json(vif_fields, json, &record, "vifs", i, err);
	if (r)
		return r;
	if (state_vif(state, record.name))
		return err_set(err, -EINVAL, "vifs[%zu]: a second \"%s\"", i, record.name);
	if (!record.xen && !*record.socket)
		return err_set(err, -EINVAL, "vifs[%zu]: \"%s\" has no \"socket\"", i, record.name);
	return state_vif_add(state, &record) ? 0 : err_set(err, -ENOMEM, "no memory");
}

static const struct {
	const char *name;
	int (*from_json)(struct state *state, const json_t *json, size_t i, struct err *err);
} lists[] = {
	{"bridges", bridge_from_json},
	{"uplinks", uplink_from_json},
	{"vifs", vif_from_json},
};

int state_from_json(struct state *state, const json_t *json, struct err *err)
{
	int r = 0;

	if (!json_is_object(json))
		return err_set(err, -EINVAL, "must be a JSON object");
	json_int_t version = json_integer_value(json_object_get(json, "version"));
	if (version != FILE_VERSION)
		return err_set(err, -EINVAL, "\"version\" must be %d", FILE_VERSION);
	for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]) && !r; l++) {
		const json_t *list = json_object_get(json, lists[l].name);
		if (!json_is_array(list))
			r = err_set(err, -EINVAL, "\"%s\" must be an array", lists[l].name);
		for (size_t i = 0; i < json_array_size(list) && !r; i++)
			r = lists[l].from_json(state, json_array_get(list, i), i, err);
	}
	if (r)
		state_clear(state);
	return r;
}

int state_save(const struct state *state, const char *path, struct err *err)
{
	json_t *json = state_to_json(state);
	int r = jsonfile_save(json, path, err);

	json_decref(json);
	return r;
}

int state_load(struct state *state, const char *path, struct err *err)
{
	FILE *file = fopen(path, "re");
	struct stat st;

	if (!file) {
		int e = errno;
		return e == ENOENT ? -ENOENT : err_set(err, -e, "cannot read %s: %s", path, strerror(e));
	}
	if (fstat(fileno(file), &st) || !S_ISREG(st.st_mode) || st.st_size > FILE_SIZE_MAX) {
		fclose(file);
		return err_set(err, -EINVAL, "%s: is not a regular file of at most %d MiB", path, FILE_SIZE_MAX >> 20);
	}

	json_error_t where;
	json_t *json = json_loadf(file, JSON_REJECT_DUPLICATES, &where);
	fclose(file);
	if (!json)
		return err_set(err, -EINVAL, "%s:%d:%d: %s", path, where.line, where.column, where.text);

	struct err why = {0};
	int r = state_from_json(state, json, &why);
	json_decref(json);
	return r ? err_set(err, r, "%s: %s", path, why.text) : 0;
}
