/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records as JSON. Each has a table of its members, which both writing and reading go by, so that one cannot know a member
 * that the other does not. A member that is empty, 0 or false is left out; one that is "" counts as left out.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "kinds.h"
#include "state_impl.h"
#include "vswitch/base/mac.h"
#include "vswitch/base/names.h"

#define BRIDGE "bridge" /* the kind of a bridge's file */

enum type { TEXT, IFNAME, PORT, MAC, KIND, BOOL, U16, U32, I32, U64, MACS };

struct member {
	const char *name;
	enum type type;
	bool required;
	size_t offset, size;
};

#define MEMBER(record, member, type, required)                                                                         \
	{                                                                                                              \
#member, type, required, offsetof(struct record, member), sizeof(((struct record *)0)->member)         \
	}

static const struct member bridge_members[] = {
	MEMBER(bridge_conf, order, U64, true),        MEMBER(bridge_conf, name, IFNAME, true),
	MEMBER(bridge_conf, ageing, U32, false),      MEMBER(bridge_conf, host, BOOL, false),
	MEMBER(bridge_conf, host_mac, MAC, false),    MEMBER(bridge_conf, host_mtu, U32, false),
	MEMBER(bridge_conf, host_fixed, MACS, false), {0},
};

static const struct member port_members[] = {
	MEMBER(port_conf, order, U64, true),
	MEMBER(port_conf, kind, KIND, true),
	MEMBER(port_conf, name, PORT, true),
	MEMBER(port_conf, bridge, IFNAME, false),
	MEMBER(port_conf, on, IFNAME, false),
	MEMBER(port_conf, mac, MAC, false),
	MEMBER(port_conf, mtu, U32, false),
	MEMBER(port_conf, fixed, MACS, false),
	MEMBER(port_conf, driver, TEXT, false),
	MEMBER(port_conf, coalescing, U32, false),
	MEMBER(port_conf, guest, TEXT, false),
	MEMBER(port_conf, devid, I32, false),
	MEMBER(port_conf, domid, U32, false),
	MEMBER(port_conf, ip, TEXT, false),
	MEMBER(port_conf, rate_bytes_per_interval, U64, false),
	MEMBER(port_conf, rate_interval_usecs, U32, false),
	MEMBER(port_conf, trusted, BOOL, false),
	MEMBER(port_conf, script, TEXT, false),
	MEMBER(port_conf, queues, U16, false),
	MEMBER(port_conf, server, BOOL, false),
	MEMBER(port_conf, hotplug, BOOL, false),
	MEMBER(port_conf, no_offload, BOOL, false),
	MEMBER(port_conf, socket, TEXT, false),
	MEMBER(port_conf, socket_owner, TEXT, false),
	MEMBER(port_conf, socket_group, TEXT, false),
	MEMBER(port_conf, socket_mode, U32, false),
	{0},
};

static json_t *macs_to_json(const struct port_macs *macs)
{
	json_t *list = macs->n ? json_array() : NULL;
	char mac[MAC_TEXT];

	for (unsigned i = 0; i < macs->n; i++)
		json_array_append_new(list, json_string(mac_format(macs->mac[i], mac)));
	return list;
}

static int macs_from_json(const struct member *member, const json_t *value, struct port_macs *macs, struct err *err)
{
	if (!json_is_array(value) || json_array_size(value) > PORT_MACS_MAX)
		return err_set(err, -EINVAL, "\"%s\" must be an array of at most %d MAC addresses", member->name,
			       PORT_MACS_MAX);
	for (size_t i = 0; i < json_array_size(value); i++) {
		const char *text = json_string_value(json_array_get(value, i));
		if (!text || !mac_parse(text, macs->mac[i]))
			return err_set(err, -EINVAL, "\"%s\": member %zu is not a MAC address", member->name, i);
		macs->n = i + 1;
	}
	return 0;
}

/* The member's value. NULL: it is left out (or there is no memory, which the lack of a required one tells). */
static json_t *member_to_json(const struct member *member, const void *record)
{
	const void *at = (const char *)record + member->offset;
	uint64_t number = 0;
	char mac[MAC_TEXT];

	switch (member->type) {
	case TEXT:
	case IFNAME:
	case PORT:
		return *(const char *)at ? json_string(at) : NULL;
	case MAC:
		mac_format(at, mac);
		return mac_is_zero(at) ? NULL : json_string(mac);
	case KIND:
		return json_string(kind_name(*(const enum port_kind *)at));
	case BOOL:
		return *(const bool *)at ? json_true() : NULL;
	case I32: /* -1 stands for "not told" */
		return *(const int32_t *)at != -1 ? json_integer(*(const int32_t *)at) : NULL;
	case U16:
		number = *(const uint16_t *)at;
		break;
	case U32:
		number = *(const uint32_t *)at;
		break;
	case U64:
		number = *(const uint64_t *)at;
		break;
	case MACS:
		return macs_to_json(at);
	}
	return number ? json_integer(number) : NULL;
}

static json_t *record_to_json(const struct member *members, const void *record)
{
	json_t *object = json_pack("{s:i}", "version", STATE_VERSION);
	int r = object ? 0 : -1;

	for (const struct member *member = members; member->name && !r; member++) {
		json_t *value = member_to_json(member, record);
		if (value)
			r = json_object_set_new(object, member->name, value);
		else if (member->required)
			r = -1;
	}
	if (!r)
		return object;
	json_decref(object);
	return NULL;
}

json_t *state_bridge_to_json(const struct bridge_conf *conf)
{
	json_t *json = record_to_json(bridge_members, conf);

	if (json)
		json_object_set_new(json, "kind", json_string(BRIDGE));
	return json;
}

json_t *state_port_to_json(const struct port_conf *conf)
{
	return record_to_json(port_members, conf);
}

static int text_from_json(const struct member *member, const json_t *value, void *at, struct err *err)
{
	const char *text = json_string_value(value);
	bool good = true;

	if (!text)
		return err_set(err, -EINVAL, "\"%s\" must be a string", member->name);
	if (member->type == MAC)
		good = mac_parse(text, at);
	else if (member->type == KIND)
		good = (*(enum port_kind *)at = kind_find(text)) < PORT_KIND_MAX;
	else if (member->type == IFNAME)
		good = name_is_ifname(text);
	else if (member->type == PORT)
		good = name_is_port(text);
	if (good && member->type < MAC)
		good = name_copy(at, member->size, text);
	return good ? 0 : err_set(err, -EINVAL, "\"%.80s\" cannot be the value of \"%s\"", text, member->name);
}

static int number_from_json(const struct member *member, const json_t *value, void *at, struct err *err)
{
	json_int_t number = json_integer_value(value), max = INT64_MAX;
	json_int_t min = member->required; /* 0 stands for none */

	if (!json_is_integer(value))
		return err_set(err, -EINVAL, "\"%s\" must be an integer", member->name);
	if (member->type == U16)
		max = UINT16_MAX;
	else if (member->type == U32)
		max = UINT32_MAX;
	else if (member->type == I32)
		max = INT32_MAX, min = INT32_MIN;
	if (number < min || number > max)
		return err_set(err, -EINVAL, "\"%s\" is out of bounds", member->name);
	switch (member->type) {
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

static int member_from_json(const struct member *member, const json_t *value, void *record, struct err *err)
{
	void *at = (char *)record + member->offset;

	if (member->type == BOOL) {
		if (!json_is_boolean(value))
			return err_set(err, -EINVAL, "\"%s\" must be true or false", member->name);
		*(bool *)at = json_is_true(value);
		return 0;
	}
	if (member->type == MACS)
		return macs_from_json(member, value, at, err);
	if (member->type < BOOL)
		return text_from_json(member, value, at, err);
	return number_from_json(member, value, at, err);
}

static int record_from_json(const struct member *members, const json_t *json, void *record, const char *passed_over,
			    struct err *err)
{
	const char *key;
	json_t *value;

	if (json_integer_value(json_object_get(json, "version")) != STATE_VERSION)
		return err_set(err, -EINVAL, "\"version\" must be %d", STATE_VERSION);
	json_object_foreach((json_t *)json, key, value)
	{
		const struct member *member = members;
		if (!strcmp(key, "version") || !strcmp(key, passed_over))
			continue;
		while (member->name && strcmp(member->name, key))
			member++;
		if (!member->name)
			return err_set(err, -EINVAL, "unknown member \"%.40s\"", key);
		if (!member->required && json_is_string(value) && !json_string_length(value))
			continue;
		int r = member_from_json(member, value, record, err);
		if (r)
			return r;
	}
	for (const struct member *member = members; member->name; member++)
		if (member->required && !json_object_get(json, member->name))
			return err_set(err, -EINVAL, "member \"%s\" is missing", member->name);
	return 0;
}

bool state_is_bridge(const json_t *json)
{
	const char *kind = json_string_value(json_object_get(json, "kind"));

	return kind && !strcmp(kind, BRIDGE);
}

int state_bridge_from_json(const json_t *json, struct bridge_conf *conf, struct err *err)
{
	*conf = (struct bridge_conf){0};
	return record_from_json(bridge_members, json, conf, "kind", err);
}

int state_port_from_json(const json_t *json, struct port_conf *conf, struct err *err)
{
	*conf = (struct port_conf){.devid = -1};
	int r = record_from_json(port_members, json, conf, "", err);

	if (!r && conf->kind == PORT_HOST)
		return err_set(err, -EINVAL, "a host port has no file of its own");
	if (!r && conf->kind == PORT_VHOST && !*conf->socket)
		return err_set(err, -EINVAL, "member \"socket\" is missing");
	if (!r && conf->socket_mode > 0777)
		return err_set(err, -EINVAL, "\"socket_mode\" is out of bounds");
	if (!r && conf->queues > VIF_QUEUES_MAX)
		return err_set(err, -EINVAL, "\"queues\" is out of bounds");
	return r;
}
