/* SPDX-License-Identifier: BSD-3-Clause */
/* The state's files: what is written is read back, and nothing else is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "vswitch/switch/state.h"

struct fixture {
	char top[64], dir[96];
	struct state state;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;

	strcpy(f->top, "/tmp/test_state.XXXXXX");
	if (!mkdtemp(f->top))
		return -1;
	snprintf(f->dir, sizeof(f->dir), "%s/" STATE_DIR, f->top);
	*state = f;
	return state_open(f->dir, &err);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	state_free(&f->state);
	snprintf(command, sizeof(command), "rm -r %s", f->top);
	if (system(command))
		return -1;
	free(f);
	return 0;
}

/* The path of `name` in the directory that holds the state's. A static buffer. */
static const char *at(const struct fixture *f, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", f->top, name);
	return path;
}

static void write_file(const struct fixture *f, const char *name, const char *text)
{
	FILE *file = fopen(at(f, name), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void load(struct fixture *f)
{
	struct err err;

	state_free(&f->state);
	assert_int_equal(state_load(f->dir, &f->state, &err), 0);
}

static const struct bridge_conf bridge = {
	.order = 7, .name = "xenbr0", .ageing = 100, .host = true, .host_mac = {2, 0, 0, 0, 0, 1}, .host_mtu = 9000};
static const struct port_conf uplink = {.order = 9,
					.kind = PORT_UPLINK,
					.name = "0000:03:00.0",
					.driver = "pci",
					.on = "xenbr0",
					.coalescing = 3,
					.devid = -1};
static const struct port_conf vif = {
	.order = 8,
	.kind = PORT_VHOST,
	.name = "vif1.0",
	.guest = "one \"two\" \xc3\xa9",
	.devid = 0,
	.on = "",
	.bridge = "xenbr0",
	.ip = "10.0.0.2 fe80::1/64",
	.mac = {0, 0x16, 0x3e, 1, 2, 3},
	.mtu = 1500,
	.rate_bytes_per_interval = INT64_MAX,
	.rate_interval_usecs = UINT32_MAX,
	.trusted = true,
	.script = "vif-bridge",
	.queues = 16,
	.server = true,
	.hotplug = true,
	.no_offload = true,
	.socket = "/run/xbar/vhost/vif1.0.sock",
	.socket_owner = "guest",
	.socket_group = "36",
	.socket_mode = 0660,
};
static const struct port_conf xen = {
	.order = 10, .kind = PORT_NETIF, .name = "vif7.1", .devid = 1, .domid = 32751, .queues = 1};

static void what_is_written_is_read_back_in_the_order_in_which_it_was_made(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(state_write_port(f->dir, &xen, &err), 0);
	assert_int_equal(state_write_port(f->dir, &uplink, &err), 0);
	assert_int_equal(state_write_port(f->dir, &vif, &err), 0);
	assert_int_equal(state_write_bridge(f->dir, &bridge, &err), 0);
	load(f);
	assert_int_equal(f->state.bridges, 1);
	assert_int_equal(f->state.ports, 3);
	assert_int_equal(f->state.bad, 0);
	assert_memory_equal(&f->state.bridge[0], &bridge, sizeof(bridge));
	assert_memory_equal(&f->state.port[0], &vif, sizeof(vif));
	assert_memory_equal(&f->state.port[1], &uplink, sizeof(uplink));
	assert_memory_equal(&f->state.port[2], &xen, sizeof(xen));
}

static void a_file_is_replaced_whole_and_for_root_alone(void **state)
{
	struct fixture *f = *state;
	struct err err;
	struct stat st;

	write_file(f, STATE_DIR "/vif1.0.json", "old");
	assert_int_equal(state_write_port(f->dir, &vif, &err), 0);
	assert_int_equal(stat(at(f, STATE_DIR "/vif1.0.json"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_not_equal(access(at(f, STATE_DIR "/vif1.0.json.tmp"), F_OK), 0);
	load(f);
	assert_int_equal(f->state.ports, 1);
}

static void a_file_that_cannot_be_written_is_named(void **state)
{
	struct err err = {0};

	(void)state;
	assert_true(state_write_port("/nonexistent/dir", &vif, &err) < 0);
	assert_non_null(strstr(err.text, "/nonexistent/dir/vif1.0.json"));
}

static void no_directory_is_an_empty_state(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(state_load(at(f, "none"), &f->state, &err), 0);
	assert_int_equal(f->state.bridges + f->state.ports + f->state.bad, 0);
}

#define HEAD "\"version\":2,\"order\":1,"

/* A bad file is moved aside; what is beside it is read all the same. */
static void a_bad_file_costs_no_other(void **state)
{
	static const char *const bad[] = {
		"",
		"{\"version\": 2,\n\n ]",
		"[]",
		"5",
		"{}",
		"{\"version\":3,\"order\":1,\"kind\":\"netif\",\"name\":\"a\"}",
		"{\"version\":2,\"version\":2}",
		"{" HEAD "\"kind\":\"netif\"}",
		"{\"version\":2,\"kind\":\"netif\",\"name\":\"a\"}",
		"{" HEAD "\"kind\":\"gateway\",\"name\":\"a\"}",
		"{" HEAD "\"kind\":\"host\",\"name\":\"a\"}",
		"{" HEAD "\"kind\":\"vhost-user\",\"name\":\"a\"}", /* no socket */
		"{" HEAD "\"kind\":\"vhost-user\",\"name\":\"a\",\"socket\":\"/a\",\"socket_mode\":512}",
		"{" HEAD "\"kind\":\"netif\",\"name\":\"b\"}", /* another's */
		"{" HEAD "\"kind\":\"netif\",\"name\":\"a\",\"what\":1}",
		"{" HEAD "\"kind\":\"netif\",\"name\":\"a\",\"mtu\":-1}",
		"{" HEAD "\"kind\":\"netif\",\"name\":\"a\",\"mtu\":4294967296}",
		"{" HEAD "\"kind\":\"netif\",\"name\":\"a\",\"mtu\":\"0\"}",
		"{" HEAD "\"kind\":\"netif\",\"name\":\"a\",\"queues\":17}",
		"{" HEAD "\"kind\":\"netif\",\"name\":\"a\",\"trusted\":1}",
		"{" HEAD "\"kind\":\"netif\",\"name\":\"a\",\"mac\":\"01:00:00:00:00:00\"}",
		"{" HEAD "\"kind\":\"netif\",\"name\":\"a\",\"on\":\"a b\"}",
		"{" HEAD "\"kind\":\"netif\",\"name\":\"a\",\"on\":\"a234567890123456\"}",
		"{" HEAD "\"kind\":\"netif\",\"name\":\"a\",\"on\":\"\\u0000\"}",
		"{" HEAD "\"kind\":\"bridge\",\"name\":\"a\",\"mtu\":1}",
	};
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(state_write_bridge(f->dir, &bridge, &err), 0);
	assert_int_equal(state_write_port(f->dir, &vif, &err), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_file(f, STATE_DIR "/a.json", bad[i]);
		load(f);
		if (f->state.bad != 1 || f->state.bridges != 1 || f->state.ports != 1)
			fail_msg("%s: %u bad, %u bridges, %u ports", bad[i], f->state.bad, f->state.bridges,
				 f->state.ports);
		assert_int_not_equal(access(at(f, STATE_DIR "/a.json"), F_OK), 0);
		assert_int_equal(unlink(at(f, STATE_DIR "/a.json.bad")), 0);
	}
}

static void what_is_not_a_regular_file_is_not_read(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkfifo(at(f, STATE_DIR "/a.json"), 0600), 0);
	load(f);
	assert_int_equal(f->state.bad, 1);
	assert_int_equal(access(at(f, STATE_DIR "/a.json.bad"), F_OK), 0);
}

static void a_write_that_a_crash_cut_short_leaves_what_was_there(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(state_write_port(f->dir, &vif, &err), 0);
	write_file(f, STATE_DIR "/vif1.0.json.tmp", "{\"vers");
	write_file(f, STATE_DIR "/vif2.0.json.tmp", "");
	load(f);
	assert_int_equal(f->state.ports, 1);
	assert_int_equal(f->state.bad, 0);
}

static void removing_leaves_nothing_but_what_was_moved_aside(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(state_write_port(f->dir, &vif, &err), 0);
	assert_int_equal(state_write_port(f->dir, &xen, &err), 0);
	write_file(f, STATE_DIR "/vif3.0.json.tmp", "");
	assert_int_equal(state_remove(f->dir, "vif7.1", &err), 0);
	assert_int_equal(state_remove(f->dir, "vif7.1", &err), 0);
	load(f);
	assert_int_equal(f->state.ports, 1);
	state_remove_all(f->dir);
	assert_int_not_equal(access(f->dir, F_OK), 0);

	assert_int_equal(state_open(f->dir, &err), 0);
	write_file(f, STATE_DIR "/a.json.bad", "");
	state_remove_all(f->dir);
	assert_int_equal(access(at(f, STATE_DIR "/a.json.bad"), F_OK), 0);
}

/* ---- the single file of the versions before ---------------------------------------------------------------------- */

#define OLD_BRIDGE                                                                                                     \
	"{\"name\":\"xenbr0\",\"ageing\":100,\"host\":true,\"host_mac\":\"02:00:00:00:00:01\",\"host_mtu\":9000}"
#define OLD_UPLINK "{\"netdev\":\"0000:03:00.0\",\"driver\":\"pci\",\"bridge\":\"xenbr0\",\"merging\":3}"
#define OLD_VIF(name, xen, socket)                                                                                     \
	"{\"name\":\"" name "\",\"guest\":\"\",\"devid\":-1,\"xen\":" xen ",\"domid\":5,\"bridge\":\"xenbr0\","        \
	"\"want_bridge\":\"xenbr1\",\"ip\":\"\",\"mac\":\"00:16:3e:01:02:03\",\"mtu\":0,\"rate_bytes_per_interval\":"  \
	"0,"                                                                                                           \
	"\"rate_interval_usecs\":0,\"trusted\":true,\"script\":\"\",\"queues\":2,\"server\":false,\"hotplug\":true,"   \
	"\"no_offload\":false,\"socket\":\"" socket "\"}"
#define OLD(vifs) "{\"version\":1,\"bridges\":[" OLD_BRIDGE "],\"uplinks\":[" OLD_UPLINK "],\"vifs\":[" vifs "]}"

static void the_file_of_the_version_before_is_converted_once(void **state)
{
	struct fixture *f = *state;
	struct err err;

	write_file(f, "state.json", OLD(OLD_VIF("vif1.0", "false", "/a/b.sock") "," OLD_VIF("vif5.0", "true", "")));
	assert_int_equal(state_convert(at(f, "state.json"), f->dir, &err), 0);
	assert_int_not_equal(access(at(f, "state.json"), F_OK), 0);
	assert_int_equal(state_convert(at(f, "state.json"), f->dir, &err), 0);
	load(f);
	assert_int_equal(f->state.bridges, 1);
	assert_int_equal(f->state.ports, 3);
	assert_string_equal(f->state.bridge[0].name, "xenbr0");
	assert_int_equal(f->state.bridge[0].host_mtu, 9000);
	const struct port_conf *port = f->state.port;
	assert_int_equal(port[0].kind, PORT_UPLINK);
	assert_string_equal(port[0].name, "0000:03:00.0");
	assert_string_equal(port[0].on, "xenbr0");
	assert_int_equal(port[0].coalescing, 3);
	assert_int_equal(port[1].kind, PORT_VHOST);
	assert_string_equal(port[1].on, "xenbr0");
	assert_string_equal(port[1].bridge, "xenbr1");
	assert_string_equal(port[1].socket, "/a/b.sock");
	assert_int_equal(port[1].devid, -1);
	assert_int_equal(port[2].kind, PORT_NETIF);
	assert_int_equal(port[2].domid, 5);
}

static void a_record_that_cannot_be_converted_is_named_and_costs_no_other(void **state)
{
	struct fixture *f = *state;
	struct err err;

	write_file(f, "state.json", OLD(OLD_VIF("vif1.0", "false", "") "," OLD_VIF("vif5.0", "true", "")));
	assert_int_equal(state_convert(at(f, "state.json"), f->dir, &err), -EINVAL);
	assert_non_null(strstr(err.text, "state.json: vifs[0]: member \"socket\" is missing"));
	assert_int_equal(access(at(f, "state.json"), F_OK), 0);
	load(f);
	assert_int_equal(f->state.bridges, 1);
	assert_int_equal(f->state.ports, 2);

	write_file(f, "state.json", "{\"version\":7}");
	assert_int_equal(state_convert(at(f, "state.json"), f->dir, &err), -EINVAL);
	assert_non_null(strstr(err.text, "\"version\" must be 1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_written_is_read_back_in_the_order_in_which_it_was_made, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_file_is_replaced_whole_and_for_root_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_that_cannot_be_written_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(no_directory_is_an_empty_state, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bad_file_costs_no_other, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_a_regular_file_is_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(a_write_that_a_crash_cut_short_leaves_what_was_there, setup, teardown),
		cmocka_unit_test_setup_teardown(removing_leaves_nothing_but_what_was_moved_aside, setup, teardown),
		cmocka_unit_test_setup_teardown(the_file_of_the_version_before_is_converted_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_record_that_cannot_be_converted_is_named_and_costs_no_other, setup,
						teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
