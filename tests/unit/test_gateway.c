/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Gateways that a netdev's default routes name, and asking them; giving one netdev what was set on another: on the real kernel, in a
 * network namespace of the test's own (with a user namespace if it does not run as root).
 */
#include <net/if.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <event2/event.h>

#include "vswitch/hostnet/probe.h"
#include "vswitch/hostnet/rtnl/rtnl.h"

static struct rtnl *rtnl;

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void sh(const char *command)
{
	if (system(command))
		fail_msg("failed: %s", command);
}

static int setup(void **state)
{
	unsigned uid = getuid(), gid = getgid();
	struct err err;
	char map[64];

	(void)state;
	if (uid && unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		print_message("no user namespaces here: run it as root\n");
		skip();
	} else if (uid) {
		write_file("/proc/self/setgroups", "deny");
		snprintf(map, sizeof(map), "0 %u 1", uid);
		write_file("/proc/self/uid_map", map);
		snprintf(map, sizeof(map), "0 %u 1", gid);
		write_file("/proc/self/gid_map", map);
	} else {
		assert_int_equal(unshare(CLONE_NEWNET), 0);
	}
	sh("ip link add lan0 type veth peer name lan1; ip link add wan0 type veth peer name wan1;"
	   "for i in lan0 lan1 wan0 wan1; do ip link set $i up; done;"
	   "ip addr add 192.0.2.10/24 dev lan0; ip -6 addr add 2001:db8::10/64 dev lan0 nodad");
	return rtnl_open(&rtnl, &err);
}

static int teardown(void **state)
{
	(void)state;
	rtnl_close(rtnl);
	return 0;
}

static struct rtnl_snap *take(const char *name)
{
	struct rtnl_snap *snap;
	struct err err;

	if (rtnl_snap_take(rtnl, name, &snap, &err))
		fail_msg("%s", err.text);
	return snap;
}

static void assert_gateways(size_t size, const char *expected)
{
	struct rtnl_snap *snap = take("lan0");
	char text[256];

	rtnl_snap_gateways(snap, text, size);
	assert_string_equal(text, expected);
	rtnl_snap_free(snap);
}

static void a_netdev_without_default_route_has_no_gateway(void **state)
{
	(void)state;
	sh("ip route add 10.0.0.0/8 via 192.0.2.1; ip route add default dev lan0; ip route add blackhole default "
	   "metric "
	   "7");
	assert_gateways(256, "");
}

static void next_hops_of_all_default_routes_are_gateways_once_each(void **state)
{
	(void)state;
	sh("ip route add default via 192.0.2.1; ip route add default via 192.0.2.1 metric 9;"
	   "ip route add default via 192.0.2.2 table 100; ip -6 route add default via 2001:db8::1;"
	   "ip -6 route add default via fe80::9 dev lan0 metric 2000; ip route add default via inet6 fe80::7 dev lan0 "
	   "metric "
	   "99");
	assert_gateways(256, "192.0.2.2 192.0.2.1 fe80::7 2001:db8::1 fe80::9");
	assert_gateways(24, "192.0.2.2 192.0.2.1");
	assert_gateways(1, "");
}

static void of_several_next_hops_those_through_the_netdev_count(void **state)
{
	(void)state;
	sh("ip addr add 198.51.100.2/24 dev wan0;"
	   "ip route add default nexthop via 192.0.2.1 nexthop via 198.51.100.1 nexthop via 192.0.2.3");
	assert_gateways(256, "192.0.2.1 192.0.2.3");
}

static void what_is_given_is_what_somebody_has_set(void **state)
{
	struct rtnl_snap *snap;
	struct err err;

	(void)state;
	snap = take("wan1");
	assert_int_equal(rtnl_snap_given(snap), 0); /* link-local addresses, and their routes */
	rtnl_snap_free(snap);

	sh("ip addr add 198.51.100.2/24 dev wan0 valid_lft 100 preferred_lft 100;"
	   "ip addr add 203.0.113.2/24 dev wan1; ip addr add 198.51.100.2/24 dev wan1 valid_lft 900 preferred_lft 900;"
	   "ip route add default via 203.0.113.1 dev wan1; ip route del 198.51.100.0/24 dev wan1");
	snap = take("wan1");
	assert_int_equal(rtnl_snap_given(snap), 3);
	assert_int_equal(rtnl_snap_given_addresses(snap), 2);
	struct rtnl_link wan0, wan1;
	assert_false(rtnl_link_get(rtnl, "wan0", &wan0, &err) || rtnl_link_get(rtnl, "wan1", &wan1, &err));
	assert_int_equal(rtnl_snap_give(rtnl, snap, &wan0, &err), 0);
	assert_int_equal(rtnl_snap_clear(rtnl, snap, &wan1, &err), 0);
	rtnl_snap_free(snap);
	sh("ip route show default | grep -q 'via 203.0.113.1 dev wan0' && ip addr show dev wan0 | grep -q "
	   "203.0.113.2/24 &&"
	   "ip addr show dev wan0 | grep -A1 198.51.100.2/24 | grep -q 'valid_lft [89]..sec' &&"
	   "! ip -4 addr show dev wan1 | grep -q inet");
}

static void a_neighbour_that_is_set_by_hand_is_not_asked_and_stays(void **state)
{
	const uint8_t set[] = {192, 0, 2, 1}, other[] = {192, 0, 2, 2};
	int ifindex = (int)if_nametoindex("lan0");

	(void)state;
	sh("ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev lan0 nud permanent");
	assert_int_equal(rtnl_neigh_ask(rtnl, ifindex, AF_INET, set), -EADDRNOTAVAIL);
	assert_int_equal(rtnl_neigh_ask(rtnl, ifindex, AF_INET, other), 0);
	assert_int_equal(rtnl_neigh_ask(rtnl, ifindex, AF_INET, other), 0);
	assert_true(rtnl_neigh_ask(rtnl, 0, AF_INET, other) < 0);
	sh("ip neigh show nud permanent | grep -q 192.0.2.1 && ip neigh show nud incomplete | grep -q 192.0.2.2");
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

/* A process at the far end of lan0, in a network namespace of its own, with 192.0.2.1 and 2001:db8::1. */
static pid_t far_end(void)
{
	char command[64];
	int to[2], from[2];
	char c = 0;

	assert_false(pipe(to) || pipe(from));
	pid_t pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWNET) || write(from[1], &c, 1) != 1 || read(to[0], &c, 1) != 1 ||
		    system("ip link set lan1 up; ip addr add 192.0.2.1/24 dev lan1;"
			   "ip -6 addr add 2001:db8::1/64 dev lan1 nodad") ||
		    write(from[1], &c, 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(from[0], &c, 1), 1);
	snprintf(command, sizeof(command), "ip link set lan1 netns %d", (int)pid);
	sh(command);
	assert_int_equal(write(to[1], &c, 1), 1);
	assert_int_equal(read(from[0], &c, 1), 1);
	close(to[0]);
	close(to[1]);
	close(from[0]);
	close(from[1]);
	return pid;
}

struct outcome {
	struct event_base *base;
	char answered[RECORD_GATEWAYS], silent[RECORD_GATEWAYS];
	unsigned left;
};

static void note_outcome(struct probe *probe, void *arg)
{
	struct outcome *outcome = arg;

	probe_list(probe, true, outcome->answered);
	probe_list(probe, false, outcome->silent);
	outcome->left = probe_left(probe);
	probe_free(probe);
	event_base_loopbreak(outcome->base);
}

static struct outcome probe(const char *netdev, const char *addresses, unsigned ms)
{
	struct outcome outcome = {.base = event_base_new()};
	struct probe *made;
	struct err err;

	pid_t pid = far_end();
	if (probe_start(outcome.base, rtnl, netdev, addresses, ms, note_outcome, &outcome, &made, &err))
		fail_msg("%s", err.text);
	event_base_dispatch(outcome.base);
	event_base_free(outcome.base);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return outcome;
}

static void a_probe_ends_as_soon_as_all_have_answered(void **state)
{
	(void)state;
	struct outcome outcome = probe("lan0", "192.0.2.1 2001:db8::1", 60000);
	assert_string_equal(outcome.answered, "192.0.2.1 2001:db8::1");
	assert_string_equal(outcome.silent, "");
	assert_true(outcome.left > 0);
}

static void who_does_not_answer_in_time_is_named(void **state)
{
	(void)state;
	struct outcome outcome = probe("wan0", "192.0.2.1%lan0 192.0.2.9%lan0 192.0.2.1 192.0.2.1%gone0 junk", 500);
	assert_string_equal(outcome.answered, "192.0.2.1%lan0");
	assert_string_equal(outcome.silent, "192.0.2.9%lan0 192.0.2.1 192.0.2.1%gone0");
}

static void a_netdev_that_is_not_there_cannot_be_probed(void **state)
{
	struct probe *made;
	struct err err;

	(void)state;
	assert_int_equal(probe_start(NULL, rtnl, "gone0", "192.0.2.1", 500, note_outcome, NULL, &made, &err), -ENODEV);
	assert_non_null(strstr(err.text, "there is no netdev gone0"));
}

#define IN_NAMESPACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_NAMESPACE(a_netdev_without_default_route_has_no_gateway),
		IN_NAMESPACE(next_hops_of_all_default_routes_are_gateways_once_each),
		IN_NAMESPACE(of_several_next_hops_those_through_the_netdev_count),
		IN_NAMESPACE(what_is_given_is_what_somebody_has_set),
		IN_NAMESPACE(a_neighbour_that_is_set_by_hand_is_not_asked_and_stays),
		IN_NAMESPACE(a_probe_ends_as_soon_as_all_have_answered),
		IN_NAMESPACE(who_does_not_answer_in_time_is_named),
		IN_NAMESPACE(a_netdev_that_is_not_there_cannot_be_probed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
