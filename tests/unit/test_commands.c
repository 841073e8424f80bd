/* SPDX-License-Identifier: BSD-3-Clause */
/* The check of a request's arguments against its command's row, and the rows themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vswitch/base/err.h"
#include "vswitch/base/mac.h"
#include "vswitch/control/commands.h"

static const struct ctl_arg args[] = {
	{"text", CTL_STRING, false, 0, 0},   {"short", CTL_STRING, false, 2, 3}, {"netdev", CTL_IFNAME, true, 0, 0},
	{"port", CTL_PORTNAME, false, 0, 0}, {"mac", CTL_MAC, false, 0, 0},      {"path", CTL_PATH, false, 0, 0},
	{"number", CTL_INT, false, -5, 5},   {"flag", CTL_BOOL, false, 0, 0},    {0},
};
static const struct ctl_command command = {"try", 0, args, NULL};

/* Each case adds its member to {"netdev": "eth0"}; error NULL: it is good. */
static const struct {
	const char *member, *error;
} cases[] = {
	{"\"cmd\":\"try\"", NULL},
	{"\"text\":null", NULL},
	{"\"text\":\"\"", "\"text\": is 0 bytes long, must be 1 to 255"},
	{"\"text\":\"a\\tb\"", "control character (at byte 2)"},
	{"\"text\":\"\\u007f\"", "control character"},
	{"\"text\":5", "\"text\": must be a string"},
	{"\"short\":\"a\"", "must be 2 to 3"},
	{"\"short\":\"abc\"", NULL},
	{"\"short\":\"abcd\"", "must be 2 to 3"},
	{"\"netdev\":\"br0.100\"", NULL},
	{"\"netdev\":\"a23456789012345\"", NULL},
	{"\"netdev\":\"a234567890123456\"", "is not an interface name"},
	{"\"netdev\":\"\"", "is not an interface name"},
	{"\"netdev\":\".\"", "is not an interface name"},
	{"\"netdev\":\"-x\"", "is not an interface name"},
	{"\"netdev\":\"a/b\"", "is not an interface name"},
	{"\"netdev\":\"a:b\"", "is not an interface name"},
	{"\"netdev\":null", "\"netdev\" (an interface name) is missing"},
	{"\"port\":\"0000:03:00.0\"", NULL},
	{"\"port\":\"a b\"", "is not a port name"},
	{"\"mac\":\"00:16:3E:aa:Bb:00\"", NULL},
	{"\"mac\":\"00:16:3e:aa:bb\"", "is not a unicast MAC"},
	{"\"mac\":\"01:16:3e:aa:bb:00\"", "is not a unicast MAC"},
	{"\"mac\":\"00:00:00:00:00:00\"", "is not a unicast MAC"},
	{"\"mac\":\"00-16-3e-aa-bb-00\"", "is not a unicast MAC"},
	{"\"path\":\"/a\"", NULL},
	{"\"path\":\"a\"", "must be an absolute path"},
	{"\"number\":-5", NULL},
	{"\"number\":6", "6 is out of bounds: -5 to 5"},
	{"\"number\":1.0", "must be an integer"},
	{"\"number\":\"1\"", "must be an integer"},
	{"\"flag\":true", NULL},
	{"\"flag\":1", "must be true or false"},
	{"\"numbr\":1", "unknown argument \"numbr\"; did you mean \"number\"?"},
	{"\"qqqqqq\":1", "unknown argument \"qqqqqq\""},
};

static void each_type_is_checked_and_its_argument_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[512];
		struct err err = {0};

		snprintf(text, sizeof(text), "{\"netdev\":\"eth0\",%s}", cases[i].member);
		json_t *request = json_loads(text, 0, NULL);
		assert_non_null(request);
		int r = command_check(&command, request, &err);
		json_decref(request);
		if ((r != 0) != (cases[i].error != NULL) || (r && !strstr(err.text, cases[i].error)))
			fail_msg("%s gave %d: %s", text, r, err.text);
		if (r)
			assert_int_equal(strncmp(err.text, "try: ", 5), 0);
	}
}

static void a_command_without_arguments_takes_none(void **state)
{
	const struct ctl_command none = {"none", 0, NULL, NULL};
	json_t *request = json_pack("{s:s, s:i}", "cmd", "none", "x", 1);
	struct err err;

	(void)state;
	assert_int_not_equal(command_check(&none, request, &err), 0);
	json_object_del(request, "x");
	assert_int_equal(command_check(&none, request, &err), 0);
	json_decref(request);
}

static void a_mistyped_command_finds_its_neighbour(void **state)
{
	(void)state;
	assert_string_equal(command_nearest("shwo"), "show");
	assert_string_equal(command_nearest("bridge-ad"), "bridge-add");
	assert_null(command_nearest("completely-different"));
	assert_null(command_nearest(""));
	assert_null(command_find("shwo"));
}

static void every_row_is_well_formed_and_found_by_its_name(void **state)
{
	static const struct ctl_command *const tables[] = {bridge_commands, port_commands,   vif_commands,
							   look_commands,   daemon_commands, net_commands};

	(void)state;
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		assert_non_null(tables[t]->name);
		for (const struct ctl_command *row = tables[t]; row->name; row++) {
			assert_ptr_equal(command_find(row->name), row);
			assert_non_null(row->handler);
			for (const struct ctl_arg *arg = row->args; arg && arg->name; arg++) {
				assert_in_range(arg->type, 0, CTL_TYPE_MAX - 1);
				assert_true(arg->min <= arg->max);
				assert_true(arg->type != CTL_INT || arg->min < arg->max);
			}
		}
	}
}

static void what_only_reads_is_known_by_name(void **state)
{
	static const char *const read[] = {"status", "show", "fdb-show", "fdb-stats", "stats", "vif-list"};
	static const char *const write[] = {"bridge-add",   "bridge-del", "bridge-set", "port-join", "port-leave",
					    "port-release", "uplink-add", "uplink-del", "fdb-flush", "vif-add",
					    "vif-del",      "log-level",  "stop"};

	(void)state;
	for (size_t i = 0; i < sizeof(read) / sizeof(read[0]); i++)
		assert_false(command_find(read[i])->flags & CTL_WRITE);
	for (size_t i = 0; i < sizeof(write) / sizeof(write[0]); i++)
		assert_true(command_find(write[i])->flags & CTL_WRITE);
}

static void a_mac_survives_printing_and_reading(void **state)
{
	uint8_t mac[6], back[6];
	char text[MAC_TEXT];

	(void)state;
	assert_true(mac_parse("02:AB:cd:00:ff:10", mac));
	mac_format(mac, text);
	assert_string_equal(text, "02:ab:cd:00:ff:10");
	assert_true(mac_parse(text, back));
	assert_memory_equal(mac, back, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type_is_checked_and_its_argument_named),
		cmocka_unit_test(a_command_without_arguments_takes_none),
		cmocka_unit_test(a_mistyped_command_finds_its_neighbour),
		cmocka_unit_test(every_row_is_well_formed_and_found_by_its_name),
		cmocka_unit_test(what_only_reads_is_known_by_name),
		cmocka_unit_test(a_mac_survives_printing_and_reading),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
