/* SPDX-License-Identifier: BSD-3-Clause */
/* xbar.conf: defaults, values, and errors that name their place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vswitch/daemon/conf.h"

static struct conf *parse(const char *data, struct err *err)
{
	struct hv_text text;
	struct conf *conf;

	assert_int_equal(hv_text_copy(&text, "xbar.conf", data, strlen(data), err), 0);
	int r = conf_parse(&text, &conf, err);
	assert_true((r == 0) == (conf != NULL));
	hv_text_fini(&text);
	return conf;
}

static void an_empty_file_is_all_defaults(void **state)
{
	struct err err;
	struct conf *conf = parse("# nothing\n", &err);

	(void)state;
	assert_non_null(conf);
	assert_int_equal(conf->workers, 1);
	assert_int_equal(conf->first_cpu, -1);
	assert_true(conf->hugepages);
	assert_int_equal(conf->ageing, 300);
	assert_string_equal(conf->log_level, "info");
	assert_string_equal(conf->socket_group, "xbar");
	assert_false(conf->socket_group_set);
	assert_string_equal(conf->xend_config, "");
	assert_non_null(strstr(conf->script_dir, "/etc/xen/scripts"));
	conf_free(conf);
}

static void every_key_is_taken(void **state)
{
	struct err err;
	struct conf *conf =
		parse("workers = 4\nfirst_cpu = 2\npoll_us = 0\nhugepages = 0\nageing = 10\n"
		      "vif_script_timeout = 1\nnetwork_script_timeout = 2\nlog_level = \"debug\"\n"
		      "socket_group = \"\"\nxend_config = '/x'\nscript_dir = \"/a:/b\"\nvhost_dir = \"/v\"\n"
		      "vhost_owner = \"guest\"\nvhost_group = \"kvm\"\nvhost_mode = \"0660\"\n"
		      "capabilities = \"sys_module CAP_SYS_ADMIN\"\n",
		      &err);

	(void)state;
	assert_non_null(conf);
	assert_int_equal(conf->workers, 4);
	assert_int_equal(conf->first_cpu, 2);
	assert_int_equal(conf->poll_us, 0);
	assert_false(conf->hugepages);
	assert_int_equal(conf->ageing, 10);
	assert_int_equal(conf->vif_script_timeout, 1);
	assert_int_equal(conf->network_script_timeout, 2);
	assert_string_equal(conf->log_level, "debug");
	assert_string_equal(conf->socket_group, "");
	assert_true(conf->socket_group_set);
	assert_string_equal(conf->xend_config, "/x");
	assert_string_equal(conf->script_dir, "/a:/b");
	assert_string_equal(conf->vhost_dir, "/v");
	assert_string_equal(conf->vhost_owner, "guest");
	assert_string_equal(conf->vhost_group, "kvm");
	assert_string_equal(conf->vhost_mode, "0660");
	assert_string_equal(conf->capabilities, "sys_module CAP_SYS_ADMIN");
	conf_free(conf);
}

static void what_is_wrong_is_named_by_place(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"workers = 0\n", "xbar.conf:1:11: "},
		{"\n  workres = 1\n", "xbar.conf:2:3: there is no setting \"workres\"; did you mean \"workers\"?"},
		{"zzzzzzzz = 1\n", "xbar.conf:1:1: there is no setting \"zzzzzzzz\"; xbar.conf(5)"},
		{"first_cpu = -2\n", "xbar.conf:1:13: "},
		{"hugepages = 2\n", "xbar.conf:1:13: "},
		{"log_level = 'x'\n", "xbar.conf:1:13: log_level: there is no level \"x\""},
		{"script_dir = ''\n", "xbar.conf:1:14: script_dir: must not be empty"},
		{"script_dir = '/a:b'\n", "xbar.conf:1:14: script_dir: \"/a:b\" must be absolute"},
		{"vhost_dir = '/a:/b'\n", "xbar.conf:1:13: vhost_dir: must be one directory"},
		{"capabilities = 'sys_module sys_modul'\n",
		 "xbar.conf:1:16: capabilities: \"sys_modul\" is not a capability"},
		{"vhost_mode = '0668'\n", "xbar.conf:1:14: vhost_mode: \"0668\" is not a file mode"},
		{"vhost_mode = '1777'\n", "xbar.conf:1:14: vhost_mode: "},
		{"vhost_mode = '0'\n", "xbar.conf:1:14: vhost_mode: "},
		{"vhost_group = '123456789012345678901234567890123'\n", "xbar.conf:1:15: vhost_group: a name has"},
		{"xen = 'maybe'\n", "xbar.conf:1:7: xen: \"maybe\" is not one of"},
		{"vhost_dir = [ '/a' ]\n", "xbar.conf:1:13: "},
		{"workers += 1\n", "xbar.conf:1:1: workers: += makes no sense"},
		{"workers = \n", "xbar.conf:1:"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err;
		assert_null(parse(cases[i].text, &err));
		if (strncmp(err.text, cases[i].error, strlen(cases[i].error)))
			fail_msg("%s gave: %s", cases[i].text, err.text);
	}
}

static void a_file_that_was_named_must_exist(void **state)
{
	struct err err;
	struct conf *conf;

	(void)state;
	assert_int_not_equal(conf_load("/nonexistent/xbar.conf", &conf, &err), 0);
	assert_null(conf);
	assert_non_null(strstr(err.text, "/nonexistent/xbar.conf"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_is_all_defaults),
		cmocka_unit_test(every_key_is_taken),
		cmocka_unit_test(what_is_wrong_is_named_by_place),
		cmocka_unit_test(a_file_that_was_named_must_exist),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
