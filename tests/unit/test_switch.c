/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The switch's records: what an act refuses and why, and what it leaves behind when it fails. The ports are Xen vifs, which
 * need neither root nor a guest as long as no guest is connected.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
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

#include "bridge/bridge.h"
#include "vswitch/base/log.h"
#include "vswitch/switch/state.h"
#include "vswitch/switch/switch.h"

#define MANY 8 /* ports */

static char top[64], dir[96];
static struct err err;

static int start(void **state)
{
	(void)state;
	struct sw_opts opts = {.no_huge = true, .first_cpu = -1, .poll_us = 1, .max_ports = MANY, .rundir = top};

	log_set_level(LOG_LEVEL_ERROR);
	strcpy(top, "/dev/shm/test_switch.XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(dir, sizeof(dir), "%s/" STATE_DIR, top);
	if (!sw_init(&opts, &err))
		return 0;
	print_error("%s\n", err.text);
	return -1;
}

static int stop(void **state)
{
	(void)state;
	sw_fini();
	sw_forget(top);
	return rmdir(top);
}

static void *no_more(void)
{
	const struct port *port;
	const struct bridge *bridge;

	while ((port = TAILQ_FIRST(sw_ports())))
		assert_int_equal(sw_vif_del(port->conf.name, &err), 0);
	while ((bridge = TAILQ_FIRST(sw_bridges())))
		assert_int_equal(sw_bridge_del(bridge->name, &err), 0);
	return NULL;
}

static int clear(void **state)
{
	*state = no_more();
	return 0;
}

static struct port_conf xen_vif(const char *name, const char *on)
{
	struct port_conf conf = {.kind = PORT_NETIF, .devid = 0, .domid = 5, .queues = 1};

	strcpy(conf.name, name);
	strcpy(conf.bridge, on);
	strcpy(conf.on, on);
	return conf;
}

static int add_bridge(const char *name)
{
	struct bridge_conf conf = {.ageing = 0};

	strcpy(conf.name, name);
	return sw_bridge_add(&conf, &err);
}

static int add(const char *name, const char *on)
{
	struct port_conf conf = xen_vif(name, on);

	return sw_port_add(&conf, &err);
}

static bool has_file(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s.json", dir, name);
	return !access(path, F_OK);
}

static void a_name_is_taken_once_and_the_refusal_says_by_what(void **state)
{
	(void)state;
	assert_int_equal(add_bridge("br0"), 0);
	assert_int_equal(add("vif1.0", "br0"), 0);
	assert_int_equal(add("vif1.0", "br0"), -EEXIST);
	assert_string_equal(err.text, "there is a vif vif1.0 already");
	assert_int_equal(add("br0", ""), -EEXIST);
	assert_string_equal(err.text, "there is a bridge br0 already");
	assert_int_equal(add_bridge("vif1.0"), -EEXIST);
	assert_int_equal(sw_port_count(), 1);
}

static void what_is_missing_is_named(void **state)
{
	struct port_conf many = xen_vif("vif1.0", "");

	(void)state;
	assert_int_equal(add("vif1.0", "br0"), -ENOENT);
	assert_non_null(strstr(err.text, "there is no bridge br0: there is none yet"));
	assert_int_equal(sw_vif_del("vif1.0", &err), -ENOENT);
	assert_int_equal(sw_port_join("vif1.0", "br0", &err), -ENOENT);
	assert_int_equal(sw_port_leave("vif1.0", &err), -ENOENT);
	assert_int_equal(sw_port_release("vif1.0", &err), -ENOENT);
	many.queues = VIF_QUEUES_MAX + 1;
	assert_int_equal(sw_port_add(&many, &err), -EINVAL);
	assert_false(has_file("vif1.0"));
}

static void a_bridge_in_use_stays(void **state)
{
	(void)state;
	assert_int_equal(add_bridge("br0"), 0);
	assert_int_equal(add_bridge("br1"), 0);
	assert_int_equal(add("vif1.0", "br0"), 0);
	assert_int_equal(sw_bridge_del("br0", &err), -EBUSY);
	assert_non_null(strstr(err.text, "port vif1.0 is on it"));
	assert_int_equal(sw_port_join("vif1.0", "br0", &err), 0);
	assert_int_equal(sw_port_join("vif1.0", "br1", &err), -EBUSY);
	assert_int_equal(sw_port_leave("vif1.0", &err), 0);
	assert_int_equal(sw_port_leave("vif1.0", &err), -ENOENT);
	assert_int_equal(sw_bridge_del("br0", &err), 0);
	assert_false(has_file("br0"));
	assert_string_equal(sw_vif("vif1.0")->conf.on, "");
}

static void a_port_that_waits_for_its_script_has_no_file(void **state)
{
	struct port_conf conf = xen_vif("vif1.0", "br0");

	(void)state;
	assert_int_equal(sw_port_begin(&conf, &err), -ENOENT);
	assert_int_equal(add_bridge("br0"), 0);
	assert_int_equal(sw_port_begin(&conf, &err), 0);
	assert_string_equal(sw_vif("vif1.0")->conf.on, "");
	assert_string_equal(sw_vif("vif1.0")->conf.bridge, "br0");
	assert_int_equal(sw_port_join("vif1.0", "br0", &err), 0);
	assert_false(has_file("vif1.0"));
	assert_int_equal(sw_port_commit("vif1.0", &err), 0);
	assert_true(has_file("vif1.0"));
	assert_string_equal(sw_vif("vif1.0")->conf.on, "br0");
}

/* The directory is replaced by a file: nothing can be written in it. */
static void an_act_whose_file_cannot_be_written_changes_nothing(void **state)
{
	char aside[128];

	(void)state;
	snprintf(aside, sizeof(aside), "%s.aside", dir);
	assert_int_equal(add_bridge("br0"), 0);
	assert_int_equal(add("vif1.0", ""), 0);
	assert_int_equal(rename(dir, aside), 0);
	close(open(dir, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(add_bridge("br1"), -ENOTDIR);
	assert_null(sw_bridge("br1"));
	assert_int_equal(add("vif2.0", "br0"), -ENOTDIR);
	assert_null(sw_port("vif2.0"));
	assert_int_equal(sw_port_join("vif1.0", "br0", &err), -ENOTDIR);
	assert_string_equal(sw_port("vif1.0")->conf.on, "");
	assert_int_equal(unlink(dir), 0);
	assert_int_equal(rename(aside, dir), 0);
	assert_int_equal(sw_port_join("vif1.0", "br0", &err), 0);
}

static void a_vif_is_renewed_for_its_own_guest_alone(void **state)
{
	struct port_conf conf = xen_vif("vif1.0", "");

	(void)state;
	assert_int_equal(add_bridge("br0"), 0);
	assert_int_equal(add("vif1.0", "br0"), 0);
	sw_port_tag("vif1.0", 3);
	conf.mtu = 9000;
	assert_int_equal(sw_vif_renew(&conf, &err), 0);
	assert_string_equal(sw_vif("vif1.0")->conf.on, "br0");
	assert_int_equal(sw_vif("vif1.0")->vif->mtu, 9000);
	assert_int_equal(sw_vif("vif1.0")->tag, 3);
	conf.domid++;
	assert_int_equal(sw_vif_renew(&conf, &err), -EEXIST);
	conf.domid--;
	conf.queues = 2;
	assert_int_equal(sw_vif_renew(&conf, &err), -EEXIST);
}

/* Memory that is allocated. */
static size_t allocated(void)
{
	return mallinfo2().uordblks + mallinfo2().hblkhd;
}

static void when_the_ports_run_out_that_is_said_and_nothing_leaks(void **state)
{
	char name[32];

	(void)state;
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "vif%d.0", i);
		assert_int_equal(add(name, ""), 0);
	}
	size_t before = allocated();
	for (int i = 0; i < 100; i++)
		assert_int_equal(add("one-more", ""), -ENOSPC);
	assert_string_equal(err.text, "there are 8 ports already: delete one first");
	assert_true(allocated() < before + VIF_WORKERS_MAX * sizeof(struct vif_counters));
	assert_int_equal(sw_vif_del("vif5.0", &err), 0);
	assert_int_equal(add("one-more", ""), 0);
}

static void when_the_bridges_run_out_that_is_said(void **state)
{
	char name[32];

	(void)state;
	for (int i = 0; i < BR_BRIDGE_MAX; i++) {
		snprintf(name, sizeof(name), "br%d", i);
		assert_int_equal(add_bridge(name), 0);
	}
	assert_int_equal(add_bridge("one-more"), -ENOSPC);
	assert_int_equal(sw_bridge_del("br7", &err), 0);
	assert_int_equal(add_bridge("one-more"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_name_is_taken_once_and_the_refusal_says_by_what, NULL, clear),
		cmocka_unit_test_setup_teardown(what_is_missing_is_named, NULL, clear),
		cmocka_unit_test_setup_teardown(a_bridge_in_use_stays, NULL, clear),
		cmocka_unit_test_setup_teardown(a_port_that_waits_for_its_script_has_no_file, NULL, clear),
		cmocka_unit_test_setup_teardown(an_act_whose_file_cannot_be_written_changes_nothing, NULL, clear),
		cmocka_unit_test_setup_teardown(a_vif_is_renewed_for_its_own_guest_alone, NULL, clear),
		cmocka_unit_test_setup_teardown(when_the_ports_run_out_that_is_said_and_nothing_leaks, NULL, clear),
		cmocka_unit_test_setup_teardown(when_the_bridges_run_out_that_is_said, NULL, clear),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
