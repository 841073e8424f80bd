/* SPDX-License-Identifier: BSD-3-Clause */
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

#include "vswitch/base/names.h"
#include "vswitch/hostnet/record.h"

static char dir[] = "/tmp/test_record-XXXXXX";

__attribute__((format(printf, 1, 2))) static void sh(const char *format, ...)
{
	char command[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	if (system(command))
		fail_msg("failed: %s", command);
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	return !mkdtemp(dir);
}

static int teardown(void **state)
{
	(void)state;
	sh("rm -r %s", dir);
	return 0;
}

static struct records *open_records(void)
{
	struct records *records;
	struct err err;

	if (records_open(dir, &records, &err))
		fail_msg("%s", err.text);
	return records;
}

static struct record *save(struct records *records, const char *bridge, const char *netdev, const char *uplink)
{
	struct record *rec = record_new();
	struct err err;

	name_copy(rec->bridge, sizeof(rec->bridge), bridge);
	name_copy(rec->netdev, sizeof(rec->netdev), netdev);
	name_copy(rec->uplink, sizeof(rec->uplink), uplink);
	name_copy(rec->gateways, sizeof(rec->gateways), "192.0.2.1 2001:db8::1");
	rec->there = rec->done = true;
	rec->confirm = 7;
	rec->snap = rtnl_snap_new(netdev);
	assert_int_equal(rtnl_snap_add_address(rec->snap, "192.0.2.10/24", &err), 0);
	assert_false(rec->kept);
	if (record_save(records, rec, &err))
		fail_msg("%s", err.text);
	assert_true(rec->kept);
	return rec;
}

static void what_is_saved_is_found_by_the_next_daemon_in_the_order_of_bridges(void **state)
{
	struct records *records = open_records();
	struct record *rec;
	struct err err;
	struct stat st;

	(void)state;
	assert_int_equal(record_get(records, "xenbr1", &rec, &err), -ENOENT);
	save(records, "xenbr1", "dummy0", "");
	save(records, "xenbr0", "eth0", "peth0");
	records_close(records);

	records = open_records();
	rec = TAILQ_FIRST(&records->list);
	assert_string_equal(rec->bridge, "xenbr0");
	assert_string_equal(TAILQ_NEXT(rec, link)->bridge, "xenbr1");
	assert_int_equal(record_get(records, "xenbr0", &rec, &err), 0);
	assert_true(rec->there && rec->done && !rec->had_host && !rec->damaged);
	assert_int_equal(rec->confirm, 7);
	assert_string_equal(rec->gateways, "192.0.2.1 2001:db8::1");
	assert_int_equal(rtnl_snap_addresses(rec->snap), 1);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(record_find(records, i ? "eth0" : "peth0", &rec, &err), 0);
		assert_string_equal(rec->bridge, "xenbr0");
	}
	assert_int_equal(record_find(records, "eth7", &rec, &err), -ENOENT);

	/* The folder goes with the last one. */
	while ((rec = TAILQ_FIRST(&records->list))) {
		assert_int_equal(stat(records->dir, &st), 0);
		assert_int_equal(record_remove(records, rec, &err), 0);
		assert_false(rec->kept);
		record_free(rec);
	}
	assert_int_equal(stat(records->dir, &st), -1);
	records_close(records);
}

static void a_change_that_cannot_be_written_is_an_error(void **state)
{
	struct records *records = open_records();
	struct record *rec = save(records, "xenbr0", "eth0", "peth0");
	struct err err;

	(void)state;
	sh("mkdir %s/net/xenbr0.json.tmp", dir);
	assert_true(record_save(records, rec, &err) < 0);
	assert_non_null(strstr(err.text, "net/xenbr0.json"));
	records_close(records);
}

static void a_damaged_file_is_named_and_may_be_the_one_that_is_looked_for(void **state)
{
	struct records *records = open_records();
	struct record *rec;
	struct err err;

	(void)state;
	save(records, "xenbr0", "eth0", "peth0");
	records_close(records);
	sh("echo '{\"version\": 1}' >%s/net/br9.json", dir);
	records = open_records();
	assert_int_equal(record_get(records, "br9", &rec, &err), -EINVAL);
	assert_non_null(strstr(err.text, "net/br9.json"));
	assert_int_equal(record_find(records, "eth0", &rec, &err), 0);
	assert_int_equal(record_find(records, "eth1", &rec, &err), -EINVAL);
	records_close(records);
}

static void a_record_whose_file_somebody_removes_is_given_up(void **state)
{
	struct records *records = open_records();
	struct record *rec;
	struct err err;

	(void)state;
	save(records, "xenbr0", "eth0", "peth0");
	save(records, "xenbr1", "dummy0", "");
	sh("rm %s/net/xenbr0.json", dir);
	records_refresh(records);
	assert_int_equal(record_get(records, "xenbr0", &rec, &err), -ENOENT);
	assert_int_equal(record_get(records, "xenbr1", &rec, &err), 0);
	records_close(records);
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(what_is_saved_is_found_by_the_next_daemon_in_the_order_of_bridges),
		IN_DIRECTORY(a_change_that_cannot_be_written_is_an_error),
		IN_DIRECTORY(a_damaged_file_is_named_and_may_be_the_one_that_is_looked_for),
		IN_DIRECTORY(a_record_whose_file_somebody_removes_is_given_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
