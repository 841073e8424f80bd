/* SPDX-License-Identifier: BSD-3-Clause */
/* The state's file: what is written is read back, and nothing else is. */
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
	char dir[64], path[96];
	struct state *state;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/test_state.XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/state.json", f->dir);
	f->state = state_new();
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unlink(f->path);
	rmdir(f->dir);
	state_free(f->state);
	free(f);
	return 0;
}

static void write_file(const struct fixture *f, const char *text)
{
	FILE *file = fopen(f->path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void fill(struct state *state)
{
	struct state_bridge bridge = {
		.name = "xenbr0", .ageing = 100, .host = true, .host_mac = {2, 0, 0, 0, 0, 1}, .host_mtu = 9000};
	struct state_uplink uplink = {.netdev = "0000:03:00.0", .driver = "pci", .bridge = "xenbr0"};
	struct state_vif vif = {
		.name = "vif1.0",
		.guest = "one \"two\" \xc3\xa9",
		.devid = -1,
		.bridge = "",
		.want_bridge = "xenbr0",
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
	};

	assert_non_null(state_bridge_add(state, &bridge));
	assert_non_null(state_uplink_add(state, &uplink));
	assert_non_null(state_vif_add(state, &vif));
	strcpy(vif.name, "pending");
	vif.pending = true;
	assert_non_null(state_vif_add(state, &vif));
}

static void all_but_the_pending_is_read_back(void **state)
{
	struct fixture *f = *state;
	struct state *back = state_new();
	struct err err;

	fill(f->state);
	assert_int_equal(state_save(f->state, f->path, &err), 0);
	assert_int_equal(state_load(back, f->path, &err), 0);
	assert_null(state_vif(back, "pending"));

	const struct state_vif *vif = state_vif(back, "vif1.0"), *was = state_vif(f->state, "vif1.0");
	assert_non_null(vif);
	assert_int_equal(vif->rate_bytes_per_interval, INT64_MAX);
	assert_int_equal(vif->devid, -1);
	assert_memory_equal(vif->mac, was->mac, 6);
	assert_string_equal(vif->guest, was->guest);

	json_t *a = state_to_json(f->state), *b = state_to_json(back);
	assert_true(json_equal(a, b));
	json_decref(a);
	json_decref(b);
	state_free(back);
}

static void a_xen_vif_needs_no_socket_and_any_other_does(void **state)
{
	struct fixture *f = *state;
	struct state *back = state_new();
	struct state_vif vif = {.name = "vif7.1", .devid = 1, .xen = true, .domid = 32751, .queues = 1};
	struct err err = {0};

	assert_non_null(state_vif_add(f->state, &vif));
	assert_int_equal(state_save(f->state, f->path, &err), 0);
	assert_int_equal(state_load(back, f->path, &err), 0);
	assert_true(state_vif(back, "vif7.1")->xen);
	assert_int_equal(state_vif(back, "vif7.1")->domid, 32751);
	state_clear(back);

	state_vif(f->state, "vif7.1")->xen = false;
	assert_int_equal(state_save(f->state, f->path, &err), 0);
	assert_int_equal(state_load(back, f->path, &err), -EINVAL);
	assert_non_null(strstr(err.text, "\"vif7.1\" has no \"socket\""));
	state_free(back);
}

static void the_file_is_replaced_whole_and_for_root_alone(void **state)
{
	struct fixture *f = *state;
	struct err err;
	struct stat st;
	char tmp[128];

	write_file(f, "old");
	assert_int_equal(state_save(f->state, f->path, &err), 0);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snprintf(tmp, sizeof(tmp), "%s.tmp", f->path);
	assert_int_not_equal(access(tmp, F_OK), 0);
}

static void a_file_that_cannot_be_written_is_named(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	assert_true(state_save(f->state, "/nonexistent/dir/state.json", &err) < 0);
	assert_non_null(strstr(err.text, "/nonexistent/dir/state.json"));
}

static void no_file_is_no_error_to_tell(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	assert_int_equal(state_load(f->state, f->path, &err), -ENOENT);
	assert_string_equal(err.text, "");
}

static void a_bad_file_is_named_and_nothing_of_it_is_kept(void **state)
{
#define BRIDGE "{\"name\":\"a\",\"ageing\":0,\"host\":false,\"host_mac\":\"\",\"host_mtu\":0}"
#define FILE_OF(bridges) "{\"version\":1,\"bridges\":[" bridges "],\"uplinks\":[],\"vifs\":[]}"
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"", ":1:0: "},
		{"{\"version\": 1,\n\n ]", ":3:2: "},
		{"{\"version\":1,\"version\":1}", "duplicate"},
		{"[]", "must be a JSON object"},
		{"{\"version\":2}", "\"version\" must be 1"},
		{"{\"version\":1}", "\"bridges\" must be an array"},
		{FILE_OF("5"), "bridges[0] must be an object"},
		{FILE_OF("{}"), "bridges[0]: member \"name\" is missing"},
		{FILE_OF(BRIDGE ",{\"name\":\"a b\"}"), "bridges[1]: \"a b\" is no good value for \"name\""},
		{FILE_OF(BRIDGE "," BRIDGE), "bridges[1]: a second \"a\""},
		{FILE_OF("{\"what\":1}"), "bridges[0]: unknown member \"what\""},
		{FILE_OF("{\"name\":\"a\",\"ageing\":-1}"), "\"ageing\" is out of bounds"},
		{FILE_OF("{\"name\":\"a\",\"ageing\":4294967296}"), "\"ageing\" is out of bounds"},
		{FILE_OF("{\"name\":\"a\",\"ageing\":\"0\"}"), "\"ageing\" must be an integer"},
		{FILE_OF("{\"name\":\"a\",\"ageing\":0,\"host\":1}"), "\"host\" must be true or false"},
		{FILE_OF("{\"name\":\"a\",\"ageing\":0,\"host\":true,\"host_mac\":\"01:00:00:00:00:00\"}"), "host_mac"},
		{FILE_OF("{\"name\":\"a234567890123456\"}"), "no good value"},
		{FILE_OF("{\"name\":\"\\u0000\"}"), ":1:"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = {0};
		write_file(f, cases[i].text);
		assert_int_equal(state_load(f->state, f->path, &err), -EINVAL);
		if (strncmp(err.text, f->path, strlen(f->path)) || !strstr(err.text, cases[i].error))
			fail_msg("%s gave: %s", cases[i].text, err.text);
		assert_true(TAILQ_EMPTY(&f->state->bridges));
	}
}

static void what_is_no_regular_file_is_refused(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};

	assert_int_equal(state_load(f->state, f->dir, &err), -EINVAL);
	assert_non_null(strstr(err.text, "regular file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_but_the_pending_is_read_back, setup, teardown),
		cmocka_unit_test_setup_teardown(a_xen_vif_needs_no_socket_and_any_other_does, setup, teardown),
		cmocka_unit_test_setup_teardown(the_file_is_replaced_whole_and_for_root_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_that_cannot_be_written_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(no_file_is_no_error_to_tell, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bad_file_is_named_and_nothing_of_it_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_regular_file_is_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
