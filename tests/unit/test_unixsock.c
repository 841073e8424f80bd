/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Listening unix sockets: whose they are, and that making way for one removes nothing but a socket that nobody uses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vswitch/base/unixsock.h"

static char dir[64];

static const char *in(const char *name)
{
	static char path[2][128];
	static unsigned turn;
	char *at = path[turn++ % 2];

	snprintf(at, sizeof(path[0]), "%s/%s", dir, name);
	return at;
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/xu-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static struct stat stat_of(const char *name)
{
	struct stat st = {0};

	assert_int_equal(lstat(in(name), &st), 0);
	return st;
}

static int listen_at(const char *name, uid_t owner, gid_t group, mode_t mode)
{
	return unixsock_listen_as(in(name), &(struct unixsock_access){owner, group, mode});
}

static void make_file(const char *name)
{
	int fd = open(in(name), O_CREAT | O_WRONLY, 0644);

	assert_true(fd >= 0);
	close(fd);
}

static void it_listens_with_the_mode_asked_for(void **state)
{
	(void)state;
	int fd = listen_at("a.sock", -1, -1, 0640);

	assert_true(fd >= 0);
	assert_int_equal(stat_of("a.sock").st_mode, S_IFSOCK | 0640);
	int client = unixsock_connect(in("a.sock"), SOCK_STREAM);
	assert_true(client >= 0);
	close(client);
	close(fd);
}

static void a_stale_socket_is_replaced_and_its_mode_kept(void **state)
{
	(void)state;
	int fd = listen_at("a.sock", -1, -1, 0);

	assert_true(fd >= 0);
	assert_int_equal(stat_of("a.sock").st_mode, S_IFSOCK | 0660);
	assert_int_equal(listen_at("a.sock", -1, -1, 0), -EEXIST); /* it is in use */
	close(fd);
	assert_int_equal(chmod(in("a.sock"), 0606), 0);
	fd = listen_at("a.sock", -1, -1, 0);
	assert_true(fd >= 0);
	assert_int_equal(stat_of("a.sock").st_mode, S_IFSOCK | 0606);
	close(fd);
	fd = listen_at("a.sock", -1, -1, 0600);
	assert_true(fd >= 0);
	assert_int_equal(stat_of("a.sock").st_mode, S_IFSOCK | 0600);
	close(fd);
}

static void only_a_socket_is_removed(void **state)
{
	(void)state;
	make_file("file");
	assert_int_equal(listen_at("file", -1, -1, 0), -EEXIST);
	unixsock_remove(in("file"));
	assert_true(S_ISREG(stat_of("file").st_mode));
	int fd = listen_at("a.sock", -1, -1, 0);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(symlink("a.sock", in("link")), 0);
	assert_int_equal(listen_at("link", -1, -1, 0), -EEXIST);
	unixsock_remove(in("link"));
	assert_true(S_ISLNK(stat_of("link").st_mode));
	assert_true(S_ISSOCK(stat_of("a.sock").st_mode));
	unixsock_remove(in("a.sock"));
	assert_int_equal(access(in("a.sock"), F_OK), -1);
}

static void a_directory_is_reached_through_links_of_ours(void **state)
{
	(void)state;
	assert_int_equal(mkdir(in("real"), 0755), 0);
	assert_int_equal(symlink("real/../real//", in("near")), 0);
	assert_int_equal(symlink(in("near"), in("far")), 0);
	int fd = listen_at("far/a.sock", -1, -1, 0);
	assert_true(fd >= 0);
	assert_true(S_ISSOCK(stat_of("real/a.sock").st_mode));
	close(fd);
	assert_int_equal(symlink("loop", in("loop")), 0);
	assert_int_equal(listen_at("loop/a.sock", -1, -1, 0), -ELOOP);
	assert_int_equal(listen_at("none/a.sock", -1, -1, 0), -ENOENT);
	make_file("file");
	assert_int_equal(listen_at("file/a.sock", -1, -1, 0), -ENOTDIR);
}

static void a_link_of_somebody_else_leads_nowhere(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(mkdir(in("real"), 0755), 0);
	int fd = listen_at("real/a.sock", -1, -1, 0);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(symlink("real", in("theirs")), 0);
	assert_int_equal(lchown(in("theirs"), 65534, -1), 0);
	assert_int_equal(listen_at("theirs/a.sock", -1, -1, 0), -ELOOP);
	unixsock_remove(in("theirs/a.sock"));
	assert_true(S_ISSOCK(stat_of("real/a.sock").st_mode));
}

static void owner_and_group_are_those_asked_for(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	int fd = listen_at("a.sock", 65534, 7, 0620);
	assert_true(fd >= 0);
	struct stat st = stat_of("a.sock");
	assert_int_equal(st.st_uid, 65534);
	assert_int_equal(st.st_gid, 7);
	assert_int_equal(st.st_mode, S_IFSOCK | 0620);
	close(fd);
	/* A socket that is not ours says nothing of what we want. */
	fd = listen_at("a.sock", -1, -1, 0);
	assert_true(fd >= 0);
	st = stat_of("a.sock");
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_gid, 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0660);
	close(fd);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
	char path[200];

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[UNIXSOCK_PATH_MAX + 1] = '\0';
	assert_int_equal(unixsock_listen(path, 0600), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_listens_with_the_mode_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stale_socket_is_replaced_and_its_mode_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(only_a_socket_is_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_directory_is_reached_through_links_of_ours, setup, teardown),
		cmocka_unit_test_setup_teardown(a_link_of_somebody_else_leads_nowhere, setup, teardown),
		cmocka_unit_test_setup_teardown(owner_and_group_are_those_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(a_path_that_is_too_long_is_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
