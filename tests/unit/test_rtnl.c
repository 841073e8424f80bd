/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rtnl on the real kernel, in a network namespace of the test's own (with a user namespace if it does not run as root):
 * what a netdev has is moved to another and back, and `ip` shows the same before and after.
 */
#include <net/if.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <libmnl/libmnl.h>

#include "vswitch/hostnet/rtnl/rtnl.h"

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void new_namespace(void)
{
	char map[64];
	unsigned uid = getuid(), gid = getgid();

	if (!uid) {
		assert_int_equal(unshare(CLONE_NEWNET), 0);
		return;
	}
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		print_message("no user namespaces here: run it as root\n");
		skip();
	}
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	write_file("/proc/self/gid_map", map);
}

static void sh(const char *command)
{
	if (system(command))
		fail_msg("failed: %s", command);
}

/* What `command` prints; the caller frees it. */
static char *output(const char *command)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size), *in = popen(command, "re");

	assert_non_null(in);
	for (int c; (c = getc(in)) != EOF;)
		putc(c, out);
	assert_int_equal(pclose(in), 0);
	fclose(out);
	return text;
}

/*
 * Wait until `links` netdevs and lo have their IPv6 addresses, and each of those its local route: the kernel finishes both
 * from a work queue, even an address that was added with `nodad`.
 */
static void settle(unsigned links)
{
	char command[256];

	snprintf(
		command, sizeof(command),
		"for i in $(seq 1000); do n=$(ip -6 -o addr | grep -vc tentative);"
		"test $n -gt %u && test $n = $(ip -6 route show table local type local | wc -l) && exit 0; sleep 0.01; "
		"done; ip -6 addr; exit 1",
		links);
	sh(command);
}

/*
 * Everything but what changes with time: remaining lifetimes, and neighbours that the kernel found out by itself. IPv6
 * routes are sorted: where several netdevs have the same prefix (fe80::/64), the kernel lists them by age.
 */
static char *dump(const char *netdev)
{
	char command[1024];

	settle(1);
	snprintf(command, sizeof(command),
		 "{ ip -d addr show dev %s; ip -4 -d route show table all; ip -6 -d route show table all | grep -v "
		 "xenbr0 | sort;"
		 "ip neigh show dev %s nud permanent; ip neigh show proxy; ip rule; ip -6 rule; }"
		 "| sed -E 's/(valid_lft|preferred_lft|expires) [0-9]+sec/\\1 Nsec/g'",
		 netdev, netdev);
	return output(command);
}

static void assert_same(const char *before, const char *after)
{
	if (!strcmp(before, after))
		return;
	while (*before == *after) {
		before++;
		after++;
	}
	fail_msg("before: %.300s\n after: %.300s", before, after);
}

static int setup(void **state)
{
	struct rtnl *rtnl;
	struct err err;

	new_namespace();
	sh("ip link set lo up;"
	   "ip link add eth0 type veth peer name wire0; ip link add eth1 type veth peer name wire1;"
	   "ip link add xenbr0 type veth peer name switch0;"
	   "for i in eth0 wire0 eth1 wire1 xenbr0 switch0; do "
	   "echo 0 >/proc/sys/net/ipv6/conf/$i/accept_dad; ip link set $i up; done");
	settle(6);
	if (rtnl_open(&rtnl, &err))
		fail_msg("%s", err.text);
	*state = rtnl;
	return 0;
}

static int teardown(void **state)
{
	rtnl_close(*state);
	return 0;
}

static void configure_eth0(void)
{
	sh("ip addr add 192.0.2.10/24 dev eth0 brd + label eth0;"
	   "ip addr add 192.0.2.11/24 dev eth0 label eth0:1;"
	   "ip addr add 198.51.100.7/28 dev eth0 metric 77 valid_lft 600 preferred_lft 300;"
	   "ip addr add 10.9.9.9/32 dev eth0 scope link noprefixroute;"
	   "ip addr add 10.1.1.1/24 dev eth1;"
	   "ip -6 addr add 2001:db8::10/64 dev eth0;"
	   "ip -6 addr add 2001:db8::11/64 dev eth0 nodad noprefixroute;"
	   "ip -6 addr add 2001:db8:1::10/64 dev eth0 valid_lft 600 preferred_lft 300 mngtmpaddr;"
	   "ip route add default via 192.0.2.1 dev eth0 metric 100;"
	   "ip route add default via 192.0.2.2 dev eth0 metric 200 mtu 1400 advmss 1300;"
	   "ip route add default via 198.51.100.1 dev eth0 table 100;"
	   "ip rule add from 198.51.100.0/28 table 100 prio 1000;"
	   "ip route add 203.0.113.1 dev eth0 scope link;"
	   "ip route add 203.0.0.0/16 via 203.0.113.1 dev eth0;"
	   "ip route add 10.20.0.0/16 nexthop via 192.0.2.3 dev eth0 weight 2 nexthop via 10.1.1.2 dev eth1;"
	   "ip route add 10.30.0.0/16 via 172.31.0.1 dev eth0 onlink proto 99 src 192.0.2.11;"
	   "ip route add 10.40.0.0/16 via inet6 fe80::99 dev eth0;"
	   "ip -6 route add default via 2001:db8::1 dev eth0 metric 50 pref high;"
	   "ip -6 route add 2001:db8:ff::/48 via fe80::1 dev eth0 expires 500;"
	   "ip -6 route add 2001:db8:fe::/48 nexthop via 2001:db8::5 dev eth0 nexthop via fe80::6 dev eth1;"
	   "ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent;"
	   "ip neigh add proxy 192.0.2.99 dev eth0;"
	   "ip -6 neigh add 2001:db8::1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent;");
}

static struct rtnl_snap *take(struct rtnl *rtnl, const char *name)
{
	struct rtnl_snap *snap;
	struct err err;

	if (rtnl_snap_take(rtnl, name, &snap, &err))
		fail_msg("%s", err.text);
	return snap;
}

static struct rtnl_link link_of(struct rtnl *rtnl, const char *name)
{
	struct rtnl_link link;
	struct err err;

	if (rtnl_link_get(rtnl, name, &link, &err))
		fail_msg("%s", err.text);
	return link;
}

static void rename_netdev(struct rtnl *rtnl, const char *from, const char *to)
{
	struct rtnl_link link = link_of(rtnl, from);
	struct err err;

	if (rtnl_link_rename(rtnl, &link, to, &err))
		fail_msg("%s", err.text);
}

static struct rtnl_snap *through_json(struct rtnl_snap *snap)
{
	struct rtnl_snap *copy;
	struct err err;
	json_t *json = rtnl_snap_to_json(snap);

	assert_non_null(json);
	if (rtnl_snap_from_json(json, &copy, &err))
		fail_msg("%s", err.text);
	json_decref(json);
	rtnl_snap_free(snap);
	return copy;
}

static void compare_and_free(char *before, char *after)
{
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void must(int r, const struct err *err)
{
	if (r)
		fail_msg("%s", err->text);
}

static void move(struct rtnl *rtnl, const struct rtnl_snap *snap, const char *from, const char *to)
{
	struct rtnl_link link = link_of(rtnl, from);
	struct err err;

	must(rtnl_snap_clear(rtnl, snap, &link, &err), &err);
	must(rtnl_mute_stack(from, &err), &err);
	must(rtnl_snap_put(rtnl, snap, to, true, &err), &err);
}

static void move_back(struct rtnl *rtnl, const struct rtnl_snap *snap, const char *from, const char *to)
{
	struct rtnl_link link = link_of(rtnl, from);
	struct err err;

	must(rtnl_snap_clear(rtnl, snap, &link, &err), &err);
	must(rtnl_unmute_stack(snap, to, &err), &err);
	must(rtnl_snap_put(rtnl, snap, to, true, &err), &err);
}

static void what_was_moved_there_and_back_is_as_it_was(void **state)
{
	struct rtnl *rtnl = *state;

	configure_eth0();
	char *before = dump("eth0");
	struct rtnl_snap *snap = through_json(take(rtnl, "eth0"));
	assert_int_equal(rtnl_snap_addresses(snap), 8);
	move(rtnl, snap, "eth0", "xenbr0");
	/* Nothing but the names differs on the other netdev. */
	sh("test -z \"$(ip addr show dev eth0 | grep inet)\"");
	sh("test -z \"$(ip route show table all dev eth0; ip -6 route show table all dev eth0)\"");
	sh("ip -4 addr show dev xenbr0 | grep -q 'inet 192.0.2.11/24 .* secondary xenbr0:1$'");
	sh("ip route show table 100 | grep -q 'default via 198.51.100.1 dev xenbr0'");
	sh("ip route get 10.30.1.1 | grep -q 'via 172.31.0.1 dev xenbr0'");
	sh("ip -6 route show 2001:db8:ff::/48 | grep -q 'via fe80::1 dev xenbr0 .*expires'");
	move_back(rtnl, snap, "xenbr0", "eth0");
	char *after = dump("eth0");
	assert_same(before, after);
	rtnl_snap_free(snap);
	free(before);
	free(after);
}

static void putting_twice_changes_nothing(void **state)
{
	struct rtnl *rtnl = *state;
	struct err err;

	configure_eth0();
	struct rtnl_snap *snap = take(rtnl, "eth0");
	char *before = dump("eth0");
	must(rtnl_snap_put(rtnl, snap, "eth0", true, &err), &err);
	char *after = dump("eth0");
	assert_same(before, after);
	rtnl_snap_free(snap);
	free(before);
	free(after);
}

static void a_renamed_netdev_gets_its_labels_back(void **state)
{
	struct rtnl *rtnl = *state;
	struct err err;

	configure_eth0();
	char *before = dump("eth0");
	struct rtnl_snap *snap = take(rtnl, "eth0");
	rename_netdev(rtnl, "eth0", "peth0");
	move(rtnl, snap, "peth0", "xenbr0");
	sh("test -z \"$(ip addr show dev peth0 | grep inet)\"");
	move_back(rtnl, snap, "xenbr0", "peth0");
	rename_netdev(rtnl, "peth0", "eth0");
	must(rtnl_snap_put(rtnl, snap, "eth0", true, &err), &err);
	char *after = dump("eth0");
	assert_same(before, after);
	rtnl_snap_free(snap);
	free(before);
	free(after);
}

static void what_was_added_meanwhile_comes_along(void **state)
{
	struct rtnl *rtnl = *state;
	struct err err;

	configure_eth0();
	struct rtnl_snap *snap = take(rtnl, "eth0");
	move(rtnl, snap, "eth0", "xenbr0");
	sh("ip addr add 192.0.2.12/24 dev xenbr0 label xenbr0:2; ip route add 10.50.0.0/16 via 192.0.2.4 dev xenbr0;"
	   "ip addr del 198.51.100.7/28 dev xenbr0");
	struct rtnl_snap *now = take(rtnl, "xenbr0");
	must(rtnl_snap_merge(snap, now, &err), &err);
	move_back(rtnl, snap, "xenbr0", "eth0");
	sh("ip -4 addr show dev eth0 | grep -q 'inet 192.0.2.12/24 .* eth0:2$'");
	sh("ip route show 10.50.0.0/16 | grep -q 'via 192.0.2.4 dev eth0'");
	sh("! ip -4 addr show dev eth0 | grep -q 198.51.100.7"); /* had a lifetime, and is gone */
	rtnl_snap_free(now);
	rtnl_snap_free(snap);
}

static void nexthop_objects_move_and_their_routes_with_them(void **state)
{
	struct rtnl *rtnl = *state;

	sh("ip addr add 192.0.2.10/24 dev eth0; ip addr add 203.0.113.9/24 dev eth1; ip -6 addr add 2001:db8::10/64 "
	   "dev "
	   "eth0 nodad;"
	   "ip nexthop add id 5 via 192.0.2.1 dev eth0; ip nexthop add id 6 via 203.0.113.1 dev eth1;"
	   "ip nexthop add id 3 group 5/6,2; ip nexthop add id 9 via 2001:db8::1 dev eth0;"
	   "ip route add 10.0.0.0/8 nhid 5; ip route add 11.0.0.0/8 nhid 3; ip -6 route add 2001:db8:7::/48 nhid 9");
	char *before = dump("eth0"), *objects = output("ip nexthop");
	struct rtnl_snap *snap = through_json(take(rtnl, "eth0"));
	move(rtnl, snap, "eth0", "xenbr0");
	sh("test $(ip nexthop | grep -c 'via .* dev xenbr0') = 2; ip nexthop get id 3 | grep -q 'group 5/6,2'");
	sh("ip route get 10.1.1.1 | grep -q 'via 192.0.2.1 dev xenbr0'; ip route show 11.0.0.0/8 | grep -q 'dev eth1'");
	sh("ip -6 route get 2001:db8:7::1 | grep -q 'via 2001:db8::1 dev xenbr0'");
	move_back(rtnl, snap, "xenbr0", "eth0");
	compare_and_free(before, dump("eth0"));
	compare_and_free(objects, output("ip nexthop"));
	/* A netdev that is set down loses them: then they are made again. */
	sh("ip link set eth0 down; ip link set eth0 up; test -z \"$(ip route show 10.0.0.0/8)\"");
	struct err err;
	must(rtnl_snap_put(rtnl, snap, "eth0", true, &err), &err);
	sh("ip route get 10.1.1.1 | grep -q 'via 192.0.2.1 dev eth0'; ip nexthop get id 3 | grep -q 'group 5/6,2'");
	rtnl_snap_free(snap);
}

static void policy_rules_follow_and_keep_their_order(void **state)
{
	struct rtnl *rtnl = *state;
	struct err err;

	sh("ip rule add prio 50 from all lookup 7; ip rule add prio 50 iif eth0 lookup 8;"
	   "ip rule add prio 50 from 10.0.0.0/8 lookup 9; ip rule add prio 60 not oif eth0 fwmark 5 lookup 10;"
	   "ip rule add prio 60 iif lo oif eth0 ipproto tcp dport 25 lookup 11; ip -6 rule add prio 70 oif eth0 lookup "
	   "12");
	char *before = output("ip rule; ip -6 rule");
	struct rtnl_snap *snap = through_json(take(rtnl, "eth0"));
	must(rtnl_rules_put(rtnl, snap, "xenbr0", "eth0", &err), &err);
	char *renamed = output("{ ip rule; ip -6 rule; } | sed 's/xenbr0/eth0/'");
	assert_string_equal(before, renamed);
	free(renamed);
	sh("test $({ ip rule; ip -6 rule; } | grep -c xenbr0) = 4");
	must(rtnl_rules_put(rtnl, snap, "xenbr0", "eth0", &err), &err);
	/* Half way: one is there under both names. */
	sh("ip rule add prio 50 iif eth0 lookup 8");
	must(rtnl_rules_put(rtnl, snap, "eth0", "xenbr0", &err), &err);
	compare_and_free(before, output("ip rule; ip -6 rule"));
	rtnl_snap_free(snap);
}

/* Give back as takeover_stop() does: with what has changed on `host` meanwhile. */
static void rules_back(struct rtnl *rtnl, struct rtnl_snap *snap, const char *host, const char *name)
{
	struct rtnl_snap *now = take(rtnl, host);
	struct err err;

	must(rtnl_snap_merge(snap, now, &err), &err);
	must(rtnl_rules_put(rtnl, snap, name, host, &err), &err);
	rtnl_snap_free(now);
	rtnl_snap_free(snap);
}

static void policy_rules_of_two_netdevs_may_have_one_priority(void **state)
{
	struct rtnl *rtnl = *state;
	struct err err;

	sh("ip rule add prio 50 iif eth0 lookup 8; ip rule add prio 50 from 10.0.0.0/8 lookup 9;"
	   "ip rule add prio 50 iif eth1 lookup 10");
	for (unsigned first = 0; first < 2; first++) {
		char *before = output("ip rule");
		struct rtnl_snap *a = through_json(take(rtnl, "eth0"));
		must(rtnl_rules_put(rtnl, a, "xenbr0", "eth0", &err), &err);
		struct rtnl_snap *b = through_json(take(rtnl, "eth1"));
		must(rtnl_rules_put(rtnl, b, "switch0", "eth1", &err), &err);
		char *renamed = output("ip rule | sed 's/xenbr0/eth0/; s/switch0/eth1/'");
		assert_string_equal(before, renamed);
		free(renamed);
		/* in either order */
		if (first)
			rules_back(rtnl, a, "xenbr0", "eth0");
		rules_back(rtnl, b, "switch0", "eth1");
		if (!first)
			rules_back(rtnl, a, "xenbr0", "eth0");
		compare_and_free(before, output("ip rule"));
	}
}

static void equal_routes_come_back_in_their_order(void **state)
{
	struct rtnl *rtnl = *state;
	struct err err;
	const char *routes = "ip route show table all; ip -6 route show table all";

	sh("for i in eth1 eth0 xenbr0; do ip addr flush dev $i; done;"
	   "ip addr add 192.0.2.10/24 dev eth0; ip addr add 192.0.2.11/24 dev eth1;"
	   "ip -6 addr add fe80::10/64 dev eth0 nodad; ip -6 addr add fe80::11/64 dev eth1 nodad");
	settle(5); /* xenbr0 has none */
	char *before = output(routes);
	struct rtnl_snap *snap = take(rtnl, "eth0");
	must(rtnl_snap_take_order(rtnl, snap, &err), &err);
	snap = through_json(snap);
	move(rtnl, snap, "eth0", "xenbr0");
	sh("ip route get 192.0.2.1 | grep -q 'dev eth1'");
	struct rtnl_link xenbr0 = link_of(rtnl, "xenbr0"), eth0 = link_of(rtnl, "eth0");
	must(rtnl_order_put(rtnl, snap, &xenbr0, &err), &err);
	sh("ip route get 192.0.2.1 | grep -q 'dev xenbr0'");
	move_back(rtnl, snap, "xenbr0", "eth0");
	/* One of another netdev is missing, as after a crash: it is in the record. */
	sh("ip route del 192.0.2.0/24 dev eth1");
	must(rtnl_order_put(rtnl, snap, &eth0, &err), &err);
	settle(5);
	compare_and_free(before, output(routes));
	rtnl_snap_free(snap);
}

static void links_that_are_not_there_are_named(void **state)
{
	struct rtnl_link link;
	struct rtnl_snap *snap;
	struct err err;

	assert_int_equal(rtnl_link_get(*state, "eth7", &link, &err), -ENODEV);
	assert_non_null(strstr(err.text, "there is no netdev eth7"));
	assert_int_equal(rtnl_snap_take(*state, "eth7", &snap, &err), -ENODEV);
	link = link_of(*state, "eth0");
	assert_int_equal(rtnl_link_rename(*state, &link, "eth1", &err), -EEXIST);
	assert_non_null(strstr(err.text, "there is a netdev eth1 already"));
}

static void a_link_is_found_by_its_alternative_name(void **state)
{
	static const uint8_t mac[6] = {0x02, 1, 2, 3, 4, 5};

	sh("ip link property add dev eth0 altname enp0s31f6altname; ip link set eth0 mtu 1400 address "
	   "02:01:02:03:04:05");
	struct rtnl_link link = link_of(*state, "enp0s31f6altname");
	assert_string_equal(link.name, "eth0");
	assert_string_equal(link.kind, "veth");
	assert_memory_equal(link.mac, mac, 6);
	assert_int_equal(link.mtu, 1400);
}

static void a_link_is_set_up_and_down(void **state)
{
	struct rtnl_link link = link_of(*state, "eth0");
	struct err err;

	must(rtnl_link_set_up(*state, &link, false, &err), &err);
	link = link_of(*state, "eth0");
	assert_false(link.flags & IFF_UP);
	must(rtnl_link_set_filter(*state, &link, IFF_PROMISC, &err), &err);
	must(rtnl_link_set_up(*state, &link, true, &err), &err);
	link = link_of(*state, "eth0");
	assert_int_equal(link.flags & (IFF_UP | IFF_PROMISC | IFF_ALLMULTI), IFF_UP | IFF_PROMISC);
}

static void the_default_routes_netdev_is_the_one_of_the_best_metric(void **state)
{
	char name[IFNAMSIZ];
	struct err err;

	assert_int_equal(rtnl_default_netdev(*state, name, &err), -ENOENT);
	sh("ip addr add 192.0.2.10/24 dev eth0; ip addr add 10.1.1.1/24 dev eth1;"
	   "ip route add default via 192.0.2.1 metric 100; ip route add default via 10.1.1.2 metric 50");
	must(rtnl_default_netdev(*state, name, &err), &err);
	assert_string_equal(name, "eth1");
}

static void addresses_as_text_are_checked_and_given(void **state)
{
	static const char *const bad[] = {"",        "10.0.0",      "10.0.0.1/33", "10.0.0.1/",           "10.0.0.1/x",
					  "::1/129", "10.0.0.1/-1", "1.2.3.4/+8",  "10.0.0.1/24 10.0.0.2"};
	struct rtnl_snap *snap = rtnl_snap_new("xenbr0");
	struct err err;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(rtnl_snap_add_address(snap, bad[i], &err), -EINVAL);
	must(rtnl_snap_add_address(snap, "172.16.16.1/24", &err), &err);
	must(rtnl_snap_add_address(snap, "172.16.16.1/24", &err), &err);
	must(rtnl_snap_add_address(snap, "2001:db8:5::1/64", &err), &err);
	assert_int_equal(rtnl_snap_addresses(snap), 2);
	must(rtnl_snap_put(*state, snap, "xenbr0", false, &err), &err);
	sh("ip addr show dev xenbr0 | grep -q 'inet 172.16.16.1/24 brd 172.16.16.255 scope global xenbr0'");
	sh("ip addr show dev xenbr0 | grep -q 'inet6 2001:db8:5::1/64'");
	rtnl_snap_free(snap);
}

static void damaged_json_is_refused(void **state)
{
	struct rtnl_snap *snap;
	struct err err;
	static const char *const bad[] = {
		"", "zz", "14", "14000000140000000000000000000000", /* an RTM_NEWADDR shorter than its header */
		"ffffffff140000000000000000000000", "1000000018000000000000000000000",
		/* an RTM_NEWADDR whose IFA_FLAGS has two bytes */
		"2000000014000000000000000000000002180000020000000600080000010000"};

	configure_eth0();
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct rtnl_snap *good = take(*state, "eth0");
		json_t *json = rtnl_snap_to_json(good);
		json_array_insert_new(json_object_get(json, "messages"), 1, json_string(bad[i]));
		assert_int_equal(rtnl_snap_from_json(json, &snap, &err), -EINVAL);
		assert_non_null(strstr(err.text, "message 1 is damaged"));
		json_decref(json);
		rtnl_snap_free(good);
	}
}

struct seen {
	bool came, went;
};

static void note_event(const struct rtnl_event *event, void *arg)
{
	struct seen *seen = arg;
	if (event->kind != RTNL_LINK || strcmp(event->name, "late0"))
		return;
	if (event->gone)
		seen->went = true;
	else
		seen->came = true;
}

static void events_tell_of_netdevs_that_come_and_go(void **state)
{
	struct rtnl_events *events;
	struct seen seen = {0};
	struct err err;

	(void)state;
	must(rtnl_events_open(&events, &err), &err);
	assert_int_equal(rtnl_events_read(events, note_event, &seen), 0);
	assert_false(seen.came);
	sh("ip link add late0 type veth peer name late1");
	assert_int_equal(rtnl_events_read(events, note_event, &seen), 0);
	assert_true(seen.came);
	assert_false(seen.went);
	sh("ip link del late0");
	assert_int_equal(rtnl_events_read(events, note_event, &seen), 0);
	assert_true(seen.went);
	rtnl_events_close(events);
}

static void note_kind(const struct rtnl_event *event, void *arg)
{
	unsigned *seen = arg;
	seen[event->kind]++;
}

/* Have the kernel make a route through so many next hops that its message is longer than any buffer for it. */
static void add_long_route(void)
{
	static char buf[65536] __attribute__((aligned(8)));
	const uint32_t to = htonl(0x0a000000);
	struct mnl_socket *sock = mnl_socket_open(NETLINK_ROUTE);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = RTM_NEWROUTE;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK;
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(nlh, sizeof(*rt));
	*rt = (struct rtmsg){.rtm_family = AF_INET,
			     .rtm_dst_len = 8,
			     .rtm_table = RT_TABLE_MAIN,
			     .rtm_protocol = RTPROT_STATIC,
			     .rtm_type = RTN_UNICAST};
	mnl_attr_put(nlh, RTA_DST, sizeof(to), &to);
	struct nlattr *nest = mnl_attr_nest_start(nlh, RTA_MULTIPATH);
	for (unsigned i = 0; i < 2500; i++) {
		struct rtnexthop *nh = mnl_nlmsg_get_payload_tail(nlh);
		*nh = (struct rtnexthop){.rtnh_len = sizeof(*nh) + 8, .rtnh_ifindex = (int)if_nametoindex("eth0")};
		nlh->nlmsg_len += sizeof(*nh);
		mnl_attr_put_u32(nlh, RTA_GATEWAY, htonl(0xc0000214 + i % 200));
	}
	mnl_attr_nest_end(nlh, nest);
	assert_int_equal(mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID), 0);
	assert_int_equal(mnl_socket_sendto(sock, nlh, nlh->nlmsg_len), nlh->nlmsg_len);
	assert_true(mnl_socket_recvfrom(sock, buf, sizeof(buf)) > 0);
	assert_int_equal(((struct nlmsgerr *)mnl_nlmsg_get_payload(nlh))->error, 0);
	mnl_socket_close(sock);
}

static void a_message_that_is_too_long_is_one_that_was_lost(void **state)
{
	struct rtnl_events *events;
	unsigned seen[RTNL_EVENT_MAX] = {0};
	struct err err;

	(void)state;
	sh("ip addr add 192.0.2.10/24 dev eth0");
	must(rtnl_events_open(&events, &err), &err);
	add_long_route();
	assert_int_equal(rtnl_events_read(events, note_kind, seen), 0);
	assert_int_equal(seen[RTNL_LOST], 1);
	sh("ip link add late0 type veth peer name late1");
	assert_int_equal(rtnl_events_read(events, note_kind, seen), 0);
	assert_true(seen[RTNL_LINK] > 0);
	rtnl_events_close(events);
}

/* What is left of one request, which failed, is not the next one's answer. */
static void a_request_that_failed_does_not_spoil_the_next(void **state)
{
	struct {
		struct nlmsghdr nlh;
		struct ifinfomsg info;
	} stray = {.nlh = {.nlmsg_len = sizeof(stray),
			   .nlmsg_type = RTM_GETLINK,
			   .nlmsg_flags = NLM_F_REQUEST,
			   .nlmsg_seq = 7},
		   .info = {.ifi_index = 1}};
	struct rtnl_link link;
	struct rtnl *rtnl;
	struct err err;
	int fd = dup(0);

	(void)state;
	close(fd); /* its socket gets this number */
	must(rtnl_open(&rtnl, &err), &err);
	assert_int_equal(send(fd, &stray, sizeof(stray), 0), sizeof(stray));
	assert_int_not_equal(rtnl_link_get(rtnl, "lo", &link, &err), 0);
	for (unsigned i = 0; i < 3; i++) {
		must(rtnl_link_get(rtnl, "eth0", &link, &err), &err);
		assert_string_equal(link.name, "eth0");
		must(rtnl_link_get(rtnl, "eth1", &link, &err), &err);
		assert_string_equal(link.name, "eth1");
	}
	rtnl_close(rtnl);
}

#define IN_NAMESPACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_NAMESPACE(what_was_moved_there_and_back_is_as_it_was),
		IN_NAMESPACE(putting_twice_changes_nothing),
		IN_NAMESPACE(a_renamed_netdev_gets_its_labels_back),
		IN_NAMESPACE(what_was_added_meanwhile_comes_along),
		IN_NAMESPACE(nexthop_objects_move_and_their_routes_with_them),
		IN_NAMESPACE(policy_rules_follow_and_keep_their_order),
		IN_NAMESPACE(policy_rules_of_two_netdevs_may_have_one_priority),
		IN_NAMESPACE(equal_routes_come_back_in_their_order),
		IN_NAMESPACE(links_that_are_not_there_are_named),
		IN_NAMESPACE(a_link_is_found_by_its_alternative_name),
		IN_NAMESPACE(a_link_is_set_up_and_down),
		IN_NAMESPACE(the_default_routes_netdev_is_the_one_of_the_best_metric),
		IN_NAMESPACE(addresses_as_text_are_checked_and_given),
		IN_NAMESPACE(damaged_json_is_refused),
		IN_NAMESPACE(events_tell_of_netdevs_that_come_and_go),
		IN_NAMESPACE(a_request_that_failed_does_not_spoil_the_next),
		IN_NAMESPACE(a_message_that_is_too_long_is_one_that_was_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
