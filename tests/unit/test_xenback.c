/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The netback handshake against a real xenstored (tests/xen/no_hypervisor.c lets it run anywhere): the toolstack and the
 * frontend are scripted here, and write as libxl and netfront do.
 */
#include <glob.h>
#include <poll.h>
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
#include <xenstore.h>

#include "hypervisor/xen/xenback.h"

#define BACK "/local/domain/0/backend/vif/1/0"
#define FRONT "/local/domain/1/device/vif/0"
#define PATIENCE_MS 20000

struct fixture {
	char dir[64];
	pid_t pid;
	struct xs_handle *xs; /* the toolstack's and the frontend's */
	struct xenback *xb;
	char calls[4096]; /* what xenback called, a word for each */
	struct xenback_vif vif; /* of the last attach */
	struct xenback_rings rings; /* of the last connect */
	char trouble[512];
	const char *refuse_attach, *refuse_connect;
};

/* ---- xenback's ops ----------------------------------------------------------------------------------------------- */

static void note(struct fixture *f, const char *what, const char *name)
{
	size_t len = strlen(f->calls);

	if (strcmp(name, "vif99.0"))
		snprintf(f->calls + len, sizeof(f->calls) - len, "%s%s %s", len ? ", " : "", what, name);
}

static bool marker_there;

static int attach(void *arg, const struct xenback_vif *vif, struct err *err)
{
	struct fixture *f = arg;

	if (vif->domid == 99) {
		marker_there = true;
		return 0;
	}
	f->vif = *vif;
	note(f, vif->adopted ? "adopt" : "attach", vif->name);
	if (!f->refuse_attach)
		return 0;
	err_set(err, -EPERM, "%s", f->refuse_attach);
	return -22;
}

static int connect_rings(void *arg, const char *name, const struct xenback_rings *rings, struct err *err)
{
	struct fixture *f = arg;

	f->rings = *rings;
	note(f, "connect", name);
	if (!f->refuse_connect)
		return 0;
	err_set(err, -EPERM, "%s", f->refuse_connect);
	return -22;
}

static void disconnect(void *arg, const char *name)
{
	note(arg, "disconnect", name);
}

static void multicast(void *arg, const char *name, bool on)
{
	note(arg, on ? "groups" : "all-groups", name);
}

static void detach(void *arg, const char *name)
{
	if (!strcmp(name, "vif99.0"))
		marker_there = false;
	note(arg, "detach", name);
}

static void trouble(void *arg, const char *name, const char *why)
{
	struct fixture *f = arg;

	note(f, "trouble", name);
	snprintf(f->trouble, sizeof(f->trouble), "%s", why);
}

static const struct xenback_ops ops = {attach, connect_rings, disconnect, multicast, detach, trouble};

/* ---- the store --------------------------------------------------------------------------------------------------- */

static const char *daemon_path(void)
{
	static char path[256];
	glob_t found;

	/* Debian's in /usr/sbin is a script that looks for Xen */
	if (!glob("/usr/lib/xen-*/bin/xenstored", 0, NULL, &found)) {
		snprintf(path, sizeof(path), "%s", found.gl_pathv[found.gl_pathc - 1]);
		globfree(&found);
	} else if (!access("/usr/sbin/xenstored", X_OK)) {
		strcpy(path, "/usr/sbin/xenstored");
	}
	return *path ? path : NULL;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int ready[2];
	char pid[16], shim[256] = "";

	*state = f;
	if (!daemon_path())
		return 0;
	if (readlink("/proc/self/exe", shim, sizeof(shim) - 32) < 0 || !strrchr(shim, '/'))
		return -1;
	strcpy(strrchr(shim, '/'), "/../xen/no_hypervisor.so");
	strcpy(f->dir, "/tmp/test_xenback.XXXXXX");
	if (!mkdtemp(f->dir) || pipe(ready))
		return -1;
	setenv("XENSTORED_RUNDIR", f->dir, 1);
	f->pid = fork();
	if (!f->pid) {
		dup2(ready[1], 1); /* it prints its pid when it listens */
		setenv("LD_PRELOAD", shim, 1);
		execl(daemon_path(), "xenstored", "--no-fork", "--output-pid", (char *)NULL);
		_exit(127);
	}
	close(ready[1]);
	if (read(ready[0], pid, sizeof(pid)) <= 0)
		return -1;
	close(ready[0]);
	f->xs = xs_open(0);
	return f->xs ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char socket[96];

	xenback_close(f->xb);
	if (f->xs)
		xs_close(f->xs);
	if (f->pid > 0) {
		kill(f->pid, SIGTERM);
		waitpid(f->pid, NULL, 0);
		snprintf(socket, sizeof(socket), "%s/socket", f->dir);
		unlink(socket);
		rmdir(f->dir);
	}
	free(f);
	return 0;
}

static struct fixture *need(void **state)
{
	struct fixture *f = *state;

	if (!f->xs) {
		print_message("no xenstored is installed\n");
		skip();
	}
	return f;
}

static void put(struct fixture *f, const char *dir, const char *node, const char *value)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, node);
	assert_true(xs_write(f->xs, XBT_NULL, path, value, strlen(value)));
}

/* What a node holds, "" where there is none. Valid until the next call but seven. */
static const char *get(struct fixture *f, const char *dir, const char *node)
{
	static char room[8][256];
	static unsigned next;
	char path[256], *to = room[next++ % 8];
	char *value;

	snprintf(path, sizeof(path), "%s/%s", dir, node);
	value = xs_read(f->xs, XBT_NULL, path, NULL);
	snprintf(to, sizeof(room[0]), "%s", value ? value : "");
	free(value);
	return to;
}

static void drop(struct fixture *f, const char *path)
{
	assert_true(xs_rm(f->xs, XBT_NULL, path));
}

static void hear(struct fixture *f)
{
	struct pollfd fd = {.fd = xenback_fd(f->xb), .events = POLLIN};

	assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
	xenback_read(f->xb);
}

/*
 * Until xenback has done all that follows from what was written. xenstored tells events in order, so that when it has
 * heard of a vif that comes or goes now, it has heard of all before; and at the second of them of what it then did.
 */
static void quiesce(struct fixture *f)
{
	for (int i = 0; i < 3; i++) {
		put(f, "/local/domain/0/backend/vif/99/0", "state", "1");
		put(f, "/local/domain/0/backend/vif/99/0", "frontend", "/local/domain/99/device/vif/0");
		while (!marker_there)
			hear(f);
		drop(f, "/local/domain/0/backend/vif/99");
		while (marker_there)
			hear(f);
	}
}

static void start_with(struct fixture *f, unsigned queues)
{
	struct err err;

	if (xenback_open(&ops, f, queues, &f->xb, &err))
		fail_msg("%s", err.text);
}

static void start(struct fixture *f)
{
	start_with(f, 4);
}

/* ---- the toolstack and the frontend -------------------------------------------------------------------------------- */

/* All in one transaction, with `node` in our directory as `value` where it is not NULL. */
static void xl_creates_with(struct fixture *f, const char *node, const char *value)
{
	char none[] = "";
	xs_transaction_t t = xs_transaction_start(f->xs);
	const char *const nodes[][2] = {
		{BACK "/frontend", FRONT},
		{BACK "/frontend-id", "1"},
		{BACK "/online", "1"},
		{BACK "/state", "1"},
		{BACK "/script", "/etc/xen/scripts/vif-bridge"},
		{BACK "/mac", "00:16:3e:01:02:03"},
		{BACK "/ip", "10.0.0.2"},
		{BACK "/rate", "62500,50000"},
		{BACK "/mtu", "9000"},
		{BACK "/bridge", "xenbr0"},
		{BACK "/handle", "0"},
		{BACK "/type", "vif"},
		{BACK "/hotplug-status", none},
		{FRONT "/backend", BACK},
		{FRONT "/backend-id", "0"},
		{FRONT "/state", "1"},
		{FRONT "/handle", "0"},
		{FRONT "/mac", "00:16:3e:01:02:03"},
		{FRONT "/trusted", "1"},
		{"/local/domain/1/name", "guest1"},
	};

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		assert_true(xs_write(f->xs, t, nodes[i][0], nodes[i][1], strlen(nodes[i][1])));
	if (node) {
		char path[128];
		snprintf(path, sizeof(path), BACK "/%s", node);
		assert_true(xs_write(f->xs, t, path, value, strlen(value)));
	}
	assert_true(xs_transaction_end(f->xs, t, false));
}

static void xl_creates(struct fixture *f)
{
	xl_creates_with(f, NULL, NULL);
}

static void netfront_writes(struct fixture *f)
{
	put(f, FRONT, "tx-ring-ref", "8");
	put(f, FRONT, "rx-ring-ref", "9");
	put(f, FRONT, "event-channel-tx", "5");
	put(f, FRONT, "event-channel-rx", "6");
	put(f, FRONT, "request-rx-copy", "1");
	put(f, FRONT, "feature-rx-notify", "1");
	put(f, FRONT, "feature-sg", "1");
	put(f, FRONT, "feature-gso-tcpv4", "1");
	put(f, FRONT, "feature-gso-tcpv6", "1");
	put(f, FRONT, "feature-ipv6-csum-offload", "1");
}

static void script_ends(struct fixture *f)
{
	put(f, BACK, "hotplug-status", "connected");
}

static void comes_up(struct fixture *f)
{
	xl_creates(f);
	quiesce(f);
	script_ends(f);
	netfront_writes(f);
	put(f, FRONT, "state", "4");
	quiesce(f);
	assert_string_equal(get(f, BACK, "state"), "4");
	f->calls[0] = '\0';
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

static void a_new_vif_is_attached_and_waits_for_its_frontend(void **state)
{
	struct fixture *f = need(state);

	start(f);
	xl_creates(f);
	quiesce(f);
	assert_string_equal(f->calls, "attach vif1.0");
	assert_string_equal(get(f, BACK, "state"), "2");
	assert_string_equal(get(f, BACK, "feature-rx-copy"), "1");
	assert_string_equal(get(f, BACK, "feature-rx-flip"), "0");
	assert_string_equal(get(f, BACK, "feature-sg"), "1");
	assert_string_equal(get(f, BACK, "multi-queue-max-queues"), "4");
	assert_string_equal(f->vif.guest, "guest1");
	assert_string_equal(f->vif.bridge, "xenbr0");
	assert_string_equal(f->vif.ip, "10.0.0.2");
	assert_memory_equal(f->vif.mac, "\0\x16\x3e\1\2\3", 6);
	assert_int_equal(f->vif.rate_bytes_per_interval, 62500);
	assert_int_equal(f->vif.rate_interval_usecs, 50000);
	assert_int_equal(f->vif.mtu, 9000);
	assert_false(f->vif.hotplugged);
}

static void connected_is_said_only_after_the_script(void **state)
{
	struct fixture *f = need(state);

	start(f);
	xl_creates(f);
	quiesce(f);
	netfront_writes(f);
	put(f, FRONT, "state", "4");
	quiesce(f);
	assert_string_equal(f->calls, "attach vif1.0");
	assert_string_equal(get(f, BACK, "state"), "2");
	script_ends(f);
	quiesce(f);
	assert_string_equal(f->calls, "attach vif1.0, connect vif1.0");
	assert_string_equal(get(f, BACK, "state"), "4");
	assert_int_equal(f->rings.queues, 1);
	assert_int_equal(f->rings.queue[0].tx_ref, 8);
	assert_int_equal(f->rings.queue[0].rx_ref, 9);
	assert_int_equal(f->rings.queue[0].tx_evtchn, 5);
	assert_int_equal(f->rings.queue[0].rx_evtchn, 6);
	assert_true(f->rings.sg && f->rings.gso4 && f->rings.gso6 && f->rings.csum4 && f->rings.csum6);
	assert_false(f->rings.poll_rx);
}

static void several_queues_have_directories_of_their_own(void **state)
{
	struct fixture *f = need(state);

	start(f);
	xl_creates(f);
	script_ends(f);
	netfront_writes(f);
	put(f, FRONT, "multi-queue-num-queues", "2");
	for (int q = 0; q < 2; q++) {
		char dir[64];
		snprintf(dir, sizeof(dir), FRONT "/queue-%d", q);
		put(f, dir, "tx-ring-ref", q ? "30" : "20");
		put(f, dir, "rx-ring-ref", q ? "31" : "21");
		put(f, dir, "event-channel", q ? "12" : "11");
	}
	put(f, FRONT, "state", "4");
	quiesce(f);
	assert_string_equal(f->calls, "attach vif1.0, connect vif1.0");
	assert_int_equal(f->rings.queues, 2);
	assert_int_equal(f->rings.queue[1].tx_ref, 30);
	assert_int_equal(f->rings.queue[1].rx_ref, 31);
	assert_int_equal(f->rings.queue[0].tx_evtchn, 11);
	assert_int_equal(f->rings.queue[0].rx_evtchn, 11);
	assert_int_equal(f->rings.queue[1].tx_evtchn, 12);
}

static void a_bad_frontend_loses_its_vif_and_is_told_why(void **state)
{
	static const struct {
		const char *node, *value, *word;
	} bad[] = {
		{"tx-ring-ref", "8x", "tx-ring-ref is \"8x\""},
		{"tx-ring-ref", "4294967296", "tx-ring-ref"},
		{"rx-ring-ref", "8", "the same page"},
		{"event-channel-tx", "0", "event-channel-tx"},
		{"event-channel-rx", "-1", "event-channel-rx"},
		{"request-rx-copy", "0", "request-rx-copy"},
		{"multi-queue-num-queues", "5", "from 1 to 4"},
		{"multi-queue-num-queues", "0", "from 1 to 4"},
		{"multi-queue-num-queues", "2", "queue-0/tx-ring-ref is missing"},
		{"ctrl-ring-ref", "3", "event-channel-ctrl is missing"},
		{"feature-sg", "\033[31m", "feature-sg is \"?[31m\""},
	};
	struct fixture *f = need(state);

	start(f);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		f->calls[0] = '\0';
		xl_creates(f);
		script_ends(f);
		netfront_writes(f);
		put(f, FRONT, bad[i].node, bad[i].value);
		put(f, FRONT, "state", "4");
		quiesce(f);
		assert_string_equal(f->calls, "attach vif1.0, trouble vif1.0");
		assert_non_null(strstr(f->trouble, bad[i].word));
		assert_string_equal(get(f, BACK, "state"), "5");
		assert_string_equal(get(f, "/local/domain/0/error/backend/vif/1/0", "error"), f->trouble);
		put(f, FRONT, "state", "6");
		quiesce(f);
		assert_string_equal(get(f, BACK, "state"), "6");
		drop(f, FRONT);
		drop(f, BACK);
		quiesce(f);
		assert_string_equal(f->calls, "attach vif1.0, trouble vif1.0, detach vif1.0");
	}
}

static void rings_that_cannot_be_mapped_close_the_vif_until_the_frontend_begins_anew(void **state)
{
	struct fixture *f = need(state);

	f->refuse_connect = "no such grant";
	start(f);
	xl_creates(f);
	script_ends(f);
	netfront_writes(f);
	put(f, FRONT, "state", "4");
	quiesce(f);
	assert_string_equal(get(f, BACK, "state"), "5");
	assert_string_equal(get(f, "/local/domain/0/error/backend/vif/1/0", "error"), "no such grant");
	f->refuse_connect = NULL;
	put(f, FRONT, "state", "6");
	quiesce(f);
	put(f, FRONT, "state", "1");
	quiesce(f);
	assert_string_equal(get(f, BACK, "state"), "2");
	assert_string_equal(get(f, "/local/domain/0/error/backend/vif/1/0", "error"), "");
	put(f, FRONT, "state", "4");
	quiesce(f);
	assert_string_equal(get(f, BACK, "state"), "4");
	assert_string_equal(get(f, "/local/domain/0/error/backend/vif", "1/0/error"), "");
	assert_null(xs_directory(f->xs, XBT_NULL, "/local/domain/0/error/backend/vif/1", &(unsigned){0}));
}

static void detaching_closes_and_keeps_the_port_until_the_directory_goes(void **state)
{
	struct fixture *f = need(state);

	start(f);
	comes_up(f);
	put(f, BACK, "online", "0"); /* xl network-detach */
	put(f, BACK, "state", "5");
	quiesce(f);
	assert_string_equal(f->calls, "");
	assert_string_equal(get(f, BACK, "state"), "5");
	put(f, FRONT, "state", "5"); /* netfront sees it */
	quiesce(f);
	assert_string_equal(f->calls, "disconnect vif1.0");
	put(f, FRONT, "state", "6");
	quiesce(f);
	assert_string_equal(get(f, BACK, "state"), "6");
	assert_string_equal(get(f, BACK, "bridge"), "xenbr0");
	drop(f, BACK);
	drop(f, FRONT);
	quiesce(f);
	assert_string_equal(f->calls, "disconnect vif1.0, detach vif1.0");
	assert_string_equal(get(f, BACK, "state"), "");
}

static void a_guest_without_a_driver_is_detached_at_once(void **state)
{
	struct fixture *f = need(state);

	start(f);
	xl_creates(f);
	quiesce(f);
	put(f, BACK, "online", "0");
	put(f, BACK, "state", "5");
	quiesce(f);
	assert_string_equal(get(f, BACK, "state"), "6");
}

static void a_guest_that_is_destroyed_is_let_go(void **state)
{
	struct fixture *f = need(state);

	start(f);
	comes_up(f);
	drop(f, FRONT); /* libxl by force: the frontend, and then it waits for us */
	put(f, BACK, "online", "0");
	put(f, BACK, "state", "5");
	quiesce(f);
	assert_string_equal(f->calls, "disconnect vif1.0");
	assert_string_equal(get(f, BACK, "state"), "6");
}

static void the_rings_of_a_domain_that_is_no_more_are_let_go(void **state)
{
	struct fixture *f = need(state);

	start(f);
	assert_true(xs_introduce_domain(f->xs, 1, 1, 1));
	assert_true(xs_introduce_domain(f->xs, 2, 1, 1));
	comes_up(f);
	assert_true(xs_release_domain(f->xs, 2));
	quiesce(f);
	assert_string_equal(f->calls, "");
	assert_true(xs_release_domain(f->xs, 1)); /* its nodes may be left: nobody but us has noticed yet */
	quiesce(f);
	assert_string_equal(f->calls, "disconnect vif1.0");
	assert_string_equal(get(f, BACK, "state"), "6");
}

static void a_connected_frontend_may_ask_for_multicast_control(void **state)
{
	struct fixture *f = need(state);

	start(f);
	comes_up(f);
	assert_false(f->rings.multicast_control);
	put(f, FRONT, "request-multicast-control", "1");
	quiesce(f);
	assert_string_equal(f->calls, "groups vif1.0");
	put(f, FRONT, "request-multicast-control", "0");
	quiesce(f);
	assert_string_equal(f->calls, "groups vif1.0, all-groups vif1.0");
}

static void a_frontend_that_begins_anew_is_connected_anew(void **state)
{
	struct fixture *f = need(state);

	start(f);
	comes_up(f);
	put(f, FRONT, "state", "1"); /* kexec, without a word before */
	quiesce(f);
	assert_string_equal(f->calls, "disconnect vif1.0");
	assert_string_equal(get(f, BACK, "state"), "2");
	put(f, FRONT, "tx-ring-ref", "100");
	put(f, FRONT, "state", "4");
	quiesce(f);
	assert_string_equal(f->calls, "disconnect vif1.0, connect vif1.0");
	assert_int_equal(f->rings.queue[0].tx_ref, 100);
	assert_string_equal(get(f, BACK, "state"), "4");
}

static void a_directory_made_in_anothers_place_is_a_new_vif(void **state)
{
	struct fixture *f = need(state);

	start(f);
	comes_up(f);
	drop(f, BACK);
	drop(f, FRONT);
	xl_creates(f); /* xenback has not looked in between */
	quiesce(f);
	assert_string_equal(f->calls, "disconnect vif1.0, detach vif1.0, attach vif1.0");
	assert_string_equal(get(f, BACK, "state"), "2");
}

static void a_new_daemon_adopts_without_a_change_of_state(void **state)
{
	struct fixture *f = need(state);
	char **event;

	start(f);
	comes_up(f);
	xenback_close(f->xb);
	f->xb = NULL;
	assert_string_equal(f->calls, "");
	assert_string_equal(get(f, BACK, "state"), "4");
	assert_true(xs_watch(f->xs, BACK, "w"));
	while (!(event = xs_check_watch(f->xs)))
		; /* it fires once when it is set */
	free(event);
	start(f);
	assert_string_equal(f->calls, "adopt vif1.0, connect vif1.0");
	assert_true(f->vif.hotplugged);
	assert_int_equal(f->vif.queues, 4);
	quiesce(f);
	assert_string_equal(f->calls, "adopt vif1.0, connect vif1.0");
	assert_null(xs_check_watch(f->xs));
}

static void a_new_daemon_with_fewer_queues_adopts_what_the_old_one_offered(void **state)
{
	struct fixture *f = need(state);

	start(f);
	xl_creates(f);
	script_ends(f);
	netfront_writes(f);
	put(f, FRONT, "multi-queue-num-queues", "2");
	for (int q = 0; q < 2; q++) {
		char dir[64];
		snprintf(dir, sizeof(dir), FRONT "/queue-%d", q);
		put(f, dir, "tx-ring-ref", q ? "30" : "20");
		put(f, dir, "rx-ring-ref", q ? "31" : "21");
		put(f, dir, "event-channel", q ? "12" : "11");
	}
	put(f, FRONT, "state", "4");
	quiesce(f);
	xenback_close(f->xb);
	f->xb = NULL;
	f->calls[0] = '\0';
	start_with(f, 1);
	assert_string_equal(f->calls, "adopt vif1.0, connect vif1.0");
	assert_int_equal(f->vif.queues, 4);
	assert_int_equal(f->rings.queues, 2);
	put(f, FRONT, "state", "1");
	quiesce(f);
	assert_string_equal(get(f, BACK, "multi-queue-max-queues"), "1");
}

static void what_happened_without_a_daemon_is_made_up_for(void **state)
{
	struct fixture *f = need(state);

	start(f);
	comes_up(f);
	xenback_close(f->xb);
	f->xb = NULL;
	put(f, FRONT, "state", "1");
	start(f);
	assert_string_equal(f->calls, "attach vif1.0");
	assert_string_equal(get(f, BACK, "state"), "2");
}

static void a_vif_that_cannot_be_had_lets_the_toolstack_go_on(void **state)
{
	struct fixture *f = need(state);

	f->refuse_attach = "vlan=10: no";
	start(f);
	xl_creates(f);
	quiesce(f);
	assert_string_equal(get(f, BACK, "state"), "2");
	assert_string_equal(get(f, "/local/domain/0/error/backend/vif/1/0", "error"), "vlan=10: no");
	script_ends(f);
	netfront_writes(f);
	put(f, FRONT, "state", "4");
	quiesce(f);
	assert_string_equal(f->calls, "attach vif1.0, trouble vif1.0");
	assert_string_equal(get(f, BACK, "state"), "2");
	drop(f, BACK);
	quiesce(f);
	assert_string_equal(f->calls, "attach vif1.0, trouble vif1.0");
}

static void a_toolstacks_nonsense_is_named(void **state)
{
	static const char *const bad[][2] = {
		{"mac", "00:16:3e:01:02"}, {"mac", "01:16:3e:01:02:03"}, {"rate", "5"}, {"mtu", "20"},
		{"frontend-id", "2"},      {"ip", "10.0.0.1\n"},
	};
	struct fixture *f = need(state);

	start(f);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		f->calls[0] = '\0';
		xl_creates_with(f, bad[i][0], bad[i][1]);
		quiesce(f);
		assert_string_equal(f->calls, "trouble vif1.0");
		assert_non_null(strstr(f->trouble, bad[i][0]));
		assert_string_equal(get(f, BACK, "state"), "2");
		drop(f, BACK);
		drop(f, FRONT);
		quiesce(f);
	}
}

static void a_state_that_does_not_exist_closes_the_vif(void **state)
{
	static const char *const strange[] = {"7", "8", "99"};
	struct fixture *f = need(state);

	start(f);
	for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		comes_up(f);
		put(f, FRONT, "state", strange[i]);
		quiesce(f);
		assert_string_equal(f->calls, "disconnect vif1.0, trouble vif1.0");
		assert_string_equal(get(f, BACK, "state"), "5");
		drop(f, BACK);
		drop(f, FRONT);
		quiesce(f);
	}
}

static void what_a_guest_writes_without_end_does_not_pile_up(void **state)
{
	struct fixture *f = need(state);
	struct pollfd fd;

	start(f);
	comes_up(f);
	for (int i = 0; i < 3000; i++)
		put(f, FRONT, "state", "4");
	hear(f); /* what it asks of xenstored is answered behind all the events: they are there then */
	xenback_read(f->xb);
	fd = (struct pollfd){.fd = xenback_fd(f->xb), .events = POLLIN};
	assert_int_equal(poll(&fd, 1, 0), 0);
	assert_string_equal(f->calls, "");
}

static void what_is_no_vif_is_left_alone(void **state)
{
	struct fixture *f = need(state);

	start(f);
	put(f, "/local/domain/0/backend/vif/x/0", "state", "1");
	put(f, "/local/domain/0/backend/vif/70000/0", "frontend", "/a");
	put(f, "/local/domain/0/backend/vif/1/y", "frontend", "/a");
	put(f, "/local/domain/0/backend/vif/2/0", "state", "1"); /* no frontend yet */
	quiesce(f);
	assert_string_equal(f->calls, "");
	assert_string_equal(get(f, "/local/domain/0/backend/vif/2/0", "state"), "1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_vif_is_attached_and_waits_for_its_frontend),
		TEST(connected_is_said_only_after_the_script),
		TEST(several_queues_have_directories_of_their_own),
		TEST(a_bad_frontend_loses_its_vif_and_is_told_why),
		TEST(rings_that_cannot_be_mapped_close_the_vif_until_the_frontend_begins_anew),
		TEST(detaching_closes_and_keeps_the_port_until_the_directory_goes),
		TEST(a_guest_without_a_driver_is_detached_at_once),
		TEST(a_guest_that_is_destroyed_is_let_go),
		TEST(the_rings_of_a_domain_that_is_no_more_are_let_go),
		TEST(a_connected_frontend_may_ask_for_multicast_control),
		TEST(a_frontend_that_begins_anew_is_connected_anew),
		TEST(a_directory_made_in_anothers_place_is_a_new_vif),
		TEST(a_new_daemon_adopts_without_a_change_of_state),
		TEST(a_new_daemon_with_fewer_queues_adopts_what_the_old_one_offered),
		TEST(what_happened_without_a_daemon_is_made_up_for),
		TEST(a_vif_that_cannot_be_had_lets_the_toolstack_go_on),
		TEST(a_toolstacks_nonsense_is_named),
		TEST(a_state_that_does_not_exist_closes_the_vif),
		TEST(what_a_guest_writes_without_end_does_not_pile_up),
		TEST(what_is_no_vif_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
