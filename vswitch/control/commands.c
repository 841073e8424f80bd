/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tables of commands put together, and the check of a request against its row.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "vswitch/base/err.h"
#include "vswitch/base/mac.h"
#include "vswitch/base/names.h"
#include "vswitch/base/nearest.h"
#include "vswitch/base/unixsock.h"

static const struct ctl_command *const tables[] = {
	bridge_commands, port_commands, vif_commands, look_commands, daemon_commands, net_commands,
};
#define TABLES (sizeof(tables) / sizeof(tables[0]))

static const char *const type_names[] = {
	[CTL_STRING] = "a string",    [CTL_IFNAME] = "an interface name", [CTL_PORTNAME] = "a port name",
	[CTL_MAC] = "a MAC address",  [CTL_PATH] = "an absolute path",    [CTL_INT] = "an integer",
	[CTL_BOOL] = "true or false",
};
_Static_assert(sizeof(type_names) / sizeof(type_names[0]) == CTL_TYPE_MAX, "every argument type has a name");

const char *ctl_type_name(enum ctl_type type)
{
	return (unsigned)type < CTL_TYPE_MAX ? type_names[type] : "unknown";
}

/* Row `i` of all tables, counted through; NULL past the last. */
static const struct ctl_command *row_at(size_t i)
{
	for (size_t t = 0; t < TABLES; t++)
		for (const struct ctl_command *row = tables[t]; row->name; row++)
			if (!i--)
				return row;
	return NULL;
}

const struct ctl_command *command_find(const char *name)
{
	for (size_t t = 0; t < TABLES; t++)
		for (const struct ctl_command *row = tables[t]; row->name; row++)
			if (!strcmp(row->name, name))
				return row;
	return NULL;
}

static const char *name_at(const void *arg, size_t i)
{
	(void)arg;
	const struct ctl_command *row = row_at(i);
	return row ? row->name : NULL;
}

const char *command_nearest(const char *name)
{
	return nearest_word(name, name_at, NULL);
}

static const char *arg_at(const void *arg, size_t i)
{
	const struct ctl_arg *args = arg;
	return args[i].name;
}

static int check_text(const struct ctl_arg *arg, const json_t *value, struct err *err)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);
	uint8_t mac[6];

	if (strlen(text) != len)
		return err_set(err, -EINVAL, "argument \"%s\": holds a NUL byte", arg->name);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return err_set(err, -EINVAL, "argument \"%s\": holds a control character (at byte %zu)",
				       arg->name, i + 1);

	switch (arg->type) {
	case CTL_STRING: {
		size_t min = arg->max ? arg->min : 1, max = arg->max ? arg->max : 255;
		if (len < min || len > max)
			return err_set(err, -EINVAL, "argument \"%s\": is %zu bytes long, must be %zu to %zu",
				       arg->name, len, min, max);
		return 0;
	}
	case CTL_IFNAME:
		if (!name_is_ifname(text))
			return err_set(
				err, -EINVAL,
				"argument \"%s\": \"%.40s\" is not an interface name: 1 to 15 letters, digits or any "
				"of . _ - @",
				arg->name, text);
		return 0;
	case CTL_PORTNAME:
		if (!name_is_port(text))
			return err_set(
				err, -EINVAL,
				"argument \"%s\": \"%.80s\" is not a port name: 1 to 63 letters, digits or any of "
				". _ - : @",
				arg->name, text);
		return 0;
	case CTL_MAC:
		if (!mac_parse(text, mac))
			return err_set(
				err, -EINVAL,
				"argument \"%s\": \"%.40s\" is not a unicast MAC address such as 00:16:3e:00:00:01",
				arg->name, text);
		return 0;
	case CTL_PATH:
		if (text[0] != '/' || len > UNIXSOCK_PATH_MAX)
			return err_set(err, -EINVAL, "argument \"%s\": must be an absolute path of at most %zu bytes",
				       arg->name, UNIXSOCK_PATH_MAX);
		return 0;
	default:
		return err_set(err, -EINVAL, "argument \"%s\": must be %s", arg->name, ctl_type_name(arg->type));
	}
}

static int check_value(const struct ctl_arg *arg, const json_t *value, struct err *err)
{
	bool fits = arg->type == CTL_INT    ? json_is_integer(value)
		    : arg->type == CTL_BOOL ? json_is_boolean(value)
					    : json_is_string(value);
	if (!fits)
		return err_set(err, -EINVAL, "argument \"%s\": must be %s", arg->name, ctl_type_name(arg->type));
	if (arg->type == CTL_BOOL)
		return 0;
	if (arg->type != CTL_INT)
		return check_text(arg, value, err);

	int64_t number = json_integer_value(value);
	if (number < arg->min || number > arg->max)
		return err_set(err, -EINVAL, "argument \"%s\": %lld is out of bounds: %lld to %lld", arg->name,
			       (long long)number, (long long)arg->min, (long long)arg->max);
	return 0;
}

int command_check(const struct ctl_command *command, const json_t *args, struct err *err)
{
	static const struct ctl_arg none[1];
	const struct ctl_arg *spec = command->args ? command->args : none;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)args, key, value)
	{
		const struct ctl_arg *arg = spec;
		if (!strcmp(key, "cmd"))
			continue;
		while (arg->name && strcmp(arg->name, key))
			arg++;
		if (!arg->name) {
			const char *near = nearest_word(key, arg_at, spec);
			return err_set(err, -EINVAL, "%s: unknown argument \"%.40s\"%s%s%s", command->name, key,
				       near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
		}
		if (json_is_null(value))
			continue;

		struct err why;
		if (check_value(arg, value, &why))
			return err_set(err, -EINVAL, "%s: %s", command->name, why.text);
	}
	for (const struct ctl_arg *arg = spec; arg->name; arg++) {
		value = json_object_get(args, arg->name);
		if (arg->required && (!value || json_is_null(value)))
			return err_set(err, -EINVAL, "%s: argument \"%s\" (%s) is missing", command->name, arg->name,
				       ctl_type_name(arg->type));
	}
	return 0;
}
