/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The features of netif.h that Linux's netfront does not use, against the daemon on a real Xen host: several queues with
 * split event channels, the control ring's hash and staged pages, multicast control. Two frontends in domain 0 keep the
 * rules. Prints what went right, and exits with 1 at the first failure.
 *
 * usage: features BRIDGE KILL START   KILL and START are commands that kill the daemon and start another
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XEN_NETIF_DEFINE_TOEPLITZ /* netif.h's own implementation, to compare with */
#include "front.h"

#define QUEUES 2
#define PATIENCE_MS 20000
#define STATUS(name) XEN_NETIF_CTRL_STATUS_##name
#define TYPE(name) XEN_NETIF_CTRL_TYPE_##name

struct side {
	struct front queue[QUEUES];
	struct front_ctrl ctrl;
	struct front_vif vif;
};

struct got { /* a received frame */
	unsigned queue;
	uint32_t len;
	struct netif_extra_info extra;
	uint8_t bytes[65536 + 18];
};

static struct side left, right; /* right is the one under test */
static struct got got;
static const uint8_t group[2][6] = {{0x01, 0x00, 0x5e, 0, 0, 0x51}, {0x01, 0x00, 0x5e, 0, 0, 0x52}};

static void check(bool ok, const char *what)
{
	if (!ok)
		die("FAILED: %s", what);
}

static void side_open(struct side *s)
{
	for (unsigned q = 0; q < QUEUES; q++)
		front_open(&s->queue[q], 0, true);
	front_ctrl_open(&s->ctrl, 0);
	s->vif.queue = s->queue;
	s->vif.queues = QUEUES;
	s->vif.ctrl = &s->ctrl;
}

/* Ask for no signals about received frames: what others send to the whole bridge may arrive at any time. */
static void side_is_deaf(struct side *s)
{
	for (unsigned q = 0; q < QUEUES; q++)
		s->queue[q].rx.sring->rsp_event = s->queue[q].rx.rsp_cons - 256;
}

static void side_close(struct side *s)
{
	for (unsigned q = 0; q < QUEUES; q++)
		front_close(&s->queue[q]);
	front_ctrl_close(&s->ctrl);
}

static uint32_t ask(struct side *s, uint16_t type, uint32_t a, uint32_t b, uint32_t c)
{
	return front_ctrl_ask(&s->ctrl, type, a, b, c, NULL);
}

/* ---- frames ------------------------------------------------------------------------------------------------------ */

/* A flow's frame to right: TCP or UDP, over IPv4 or IPv6. The payload depends on flow and length. */
static void build(uint8_t *frame, uint32_t len, unsigned flow, bool v6, uint8_t proto)
{
	unsigned l4 = v6 ? 54 : 34;

	for (uint32_t i = 0; i < len; i++)
		frame[i] = (uint8_t)(i * 31 + flow * 7 + len);
	memcpy(frame, right.vif.mac, 6);
	memcpy(frame + 6, left.vif.mac, 6);
	frame[12] = v6 ? 0x86 : 0x08;
	frame[13] = v6 ? 0xdd : 0x00;
	frame[14] = v6 ? 0x60 : 0x45;
	if (v6) {
		frame[18] = (len - 54) >> 8;
		frame[19] = (len - 54) & 0xff;
		frame[20] = proto;
	} else {
		frame[16] = (len - 14) >> 8;
		frame[17] = (len - 14) & 0xff;
		frame[20] = frame[21] = 0; /* no fragment */
		frame[23] = proto;
	}
	frame[l4] = flow;
	frame[l4 + 12] = 5 << 4; /* TCP's header is 20 bytes long */
	frame[l4 + 13] = 0x10;
}

static void send_by(unsigned queue, const uint8_t *frame, uint32_t len, uint16_t flags, uint16_t gso)
{
	struct front *f = &left.queue[queue];

	for (int ms = 0; !front_send(f, frame, len, flags, gso); ms += 10) {
		check(ms < PATIENCE_MS, "the ring has room in the end");
		front_wait(f, 10);
		front_reap(f);
	}
	front_kick(f);
}

static void await_answers(struct front *f)
{
	for (int ms = 0; front_reap(f); ms += 10) {
		check(ms < PATIENCE_MS, "all requests are answered");
		front_wait(f, 10);
	}
	check(!f->tx_errors, "without errors");
}

/* The next frame from left to right, into `got`; other frames on the bridge are skipped. */
static bool receive(int patience_ms)
{
	for (int ms = 0; ms <= patience_ms; ms += 5 * QUEUES) {
		for (unsigned q = 0; q < QUEUES; q++) {
			struct front *f = &right.queue[q];

			while ((got.len = front_receive(f, got.bytes)))
				if (!memcmp(got.bytes + 6, left.vif.mac, 6)) {
					got.queue = q;
					got.extra = f->last_extra;
					return true;
				}
		}
		for (unsigned q = 0; q < QUEUES; q++)
			front_wait(&right.queue[q], 5);
	}
	return false;
}

/* Send a frame; it must be the next to arrive, whole. */
static void passes(unsigned queue, const uint8_t *frame, uint32_t len, uint16_t flags, uint16_t gso)
{
	send_by(queue, frame, len, flags, gso);
	check(receive(PATIENCE_MS), "a frame arrives");
	check(got.len == len && !memcmp(got.bytes, frame, len), "every byte of it arrives");
}

/* ---- queues ------------------------------------------------------------------------------------------------------ */

static void frames_pass_by_either_queue_and_each_channel_signals_its_own_ring(void)
{
	static const uint32_t lens[] = {60, 128, 129, 590, 1514};
	static uint8_t frame[30000];

	for (unsigned q = 0; q < QUEUES; q++) {
		struct front *from = &left.queue[q];
		unsigned heard, rx_heard;

		for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			build(frame, lens[i], i, false, 6);
			passes(q, frame, lens[i], 0, 0);
		}
		build(frame, sizeof(frame), 9, false, 6);
		passes(q, frame, sizeof(frame), NETTXF_csum_blank | NETTXF_data_validated, 1448);
		check(right.queue[got.queue].last_flags & NETRXF_csum_blank && got.extra.type &&
			      got.extra.u.gso.size == 1448,
		      "a segment of 30000 bytes arrives uncut, to be cut by the receiver");

		await_answers(from);
		for (int ms = 0; !from->rx_signals; ms += 10) {
			check(ms < PATIENCE_MS, "both channels are signalled once connected");
			front_wait(from, 10);
		}
		do { /* until no signal is left from what was answered before */
			heard = from->signals;
			rx_heard = from->rx_signals;
			front_wait(from, 0);
		} while (from->signals + from->rx_signals != heard + rx_heard);
		build(frame, 60, q, false, 6);
		send_by(q, frame, 60, 0, 0);
		for (int ms = 0; from->signals == heard; ms += 10) {
			check(ms < PATIENCE_MS, "the transmit ring's channel signals an answer");
			front_wait(from, 10);
		}
		check(from->rx_signals == rx_heard, "the receive ring's channel does not");
		check(receive(PATIENCE_MS), "a frame arrives");
		check(right.queue[got.queue].rx_signals, "the receive ring's channel signals frames");
		front_reap(from);
	}
	check(front_shows(&right.vif, "2 queues") && front_shows(&right.vif, "split"), "`xbar stats` says so");
	printf("ok   %d queues with split channels: frames of 60 to 30000 bytes, and each channel signals its own "
	       "ring\n",
	       QUEUES);
}

/* ---- hash -------------------------------------------------------------------------------------------------------- */

static const uint8_t key[40] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
				0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
				0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

static void set_map(const uint32_t *map, unsigned n, unsigned at)
{
	memcpy(right.ctrl.page, map, n * sizeof(*map));
	check(ask(&right, TYPE(SET_HASH_MAPPING), right.ctrl.page_ref, n, at) == STATUS(SUCCESS),
	      "a mapping is accepted");
}

static void set_hash(const uint32_t *map, unsigned n)
{
	uint32_t data;

	check(ask(&right, TYPE(SET_HASH_ALGORITHM), XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ, 0, 0) == STATUS(SUCCESS),
	      "Toeplitz is supported");
	check(front_ctrl_ask(&right.ctrl, TYPE(GET_HASH_FLAGS), 0, 0, 0, &data) == STATUS(SUCCESS) && data == 15,
	      "all types of hash are supported");
	check(ask(&right, TYPE(SET_HASH_FLAGS), data, 0, 0) == STATUS(SUCCESS), "and accepted");
	memcpy(right.ctrl.page, key, sizeof(key));
	check(ask(&right, TYPE(SET_HASH_KEY), right.ctrl.page_ref, sizeof(key), 0) == STATUS(SUCCESS),
	      "a key is accepted");
	check(front_ctrl_ask(&right.ctrl, TYPE(GET_HASH_MAPPING_SIZE), 0, 0, 0, &data) == STATUS(SUCCESS) && data >= n,
	      "the mapping is large enough");
	check(ask(&right, TYPE(SET_HASH_MAPPING_SIZE), n, 0, 0) == STATUS(SUCCESS), "its size is accepted");
	set_map(map, n, 0);
}

/* Flows of all types: each arrives in the queue that the table names (n = 0: hash modulo queues), with its hash. */
static void flows_land(const uint32_t *map, unsigned n)
{
	unsigned seen[QUEUES] = {0};

	for (unsigned i = 0; i < 48; i++) {
		static uint8_t frame[590];
		bool v6 = i & 1, tcp = i & 2;
		unsigned ip = 14, addr = v6 ? 8 : 12, octets = (v6 ? 32 : 8) + (tcp ? 4 : 0);
		uint32_t want, value;

		build(frame, sizeof(frame), i, v6, tcp ? 6 : 17);
		frame[ip + addr + 3] = i * 5; /* of the source address */
		want = xen_netif_toeplitz_hash(key, sizeof(key), frame + ip + addr, octets);
		passes(i % QUEUES, frame, sizeof(frame), 0, 0);
		memcpy(&value, got.extra.u.hash.value, 4);
		check(got.extra.type == XEN_NETIF_EXTRA_TYPE_HASH && value == want &&
			      got.extra.u.hash.algorithm == XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ &&
			      got.extra.u.hash.type == (v6 ? 2 : 0) + tcp,
		      "a flow's hash comes with its frames");
		check(got.queue == (n ? map[want % n] : want % QUEUES), "a frame lands in the queue of its hash");
		seen[got.queue]++;
	}
	check(n == 1 || (seen[0] && seen[1]), "both queues have been used");
}

static void frames_land_where_the_mapping_says(void)
{
	static const uint32_t map[] = {1, 0, 1, 1, 0}, zeros[3];
	uint32_t changed[5] = {1, 0, 0, 0, 0};
	static uint8_t frame[100];

	set_hash(map, 5);
	flows_land(map, 5);
	set_map(zeros, 3, 2);
	flows_land(changed, 5);
	check(ask(&right, TYPE(SET_HASH_MAPPING_SIZE), 1, 0, 0) == STATUS(SUCCESS), "a table of one entry");
	flows_land(zeros, 1); /* never set: queue 0 */
	check(ask(&right, TYPE(SET_HASH_MAPPING_SIZE), 0, 0, 0) == STATUS(SUCCESS), "no table");
	flows_land(NULL, 0);
	build(frame, sizeof(frame), 1, false, 6);
	frame[12] = 0x88;
	frame[13] = 0xb5;
	passes(0, frame, sizeof(frame), 0, 0);
	check(!got.extra.type, "frames other than IP have no hash");
	check(ask(&right, TYPE(SET_HASH_ALGORITHM), XEN_NETIF_CTRL_HASH_ALGORITHM_NONE, 0, 0) == STATUS(SUCCESS),
	      "the hash is unset");
	build(frame, sizeof(frame), 1, false, 6);
	passes(0, frame, sizeof(frame), 0, 0);
	check(!got.extra.type, "and no longer arrives");
	printf("ok   hash: frames land in the queue that the mapping names, with their hash\n");
}

/* ---- pages that stay mapped -------------------------------------------------------------------------------------- */

#define PAGES (FRONT_TX_PAGES + FRONT_RX_PAGES)

/* Request `type` for all pages of a queue at once. Returns the status; *data as in the response. */
static uint32_t stage(struct side *s, uint16_t type, unsigned queue, uint32_t *data)
{
	struct xen_netif_gref *list = s->ctrl.page;
	const struct front *f = &s->queue[queue];

	for (unsigned i = 0; i < PAGES; i++) {
		bool tx = i < FRONT_TX_PAGES;

		list[i] = (struct xen_netif_gref){.ref = tx ? f->tx_gref[i] : f->rx_gref[i - FRONT_TX_PAGES],
						  .flags = tx ? XEN_NETIF_CTRLF_GREF_readonly : 0,
						  .status = 99};
	}
	return front_ctrl_ask(&s->ctrl, type, queue, s->ctrl.page_ref, PAGES, data);
}

static void check_statuses(const struct side *s, uint16_t status)
{
	const struct xen_netif_gref *list = s->ctrl.page;

	for (unsigned i = 0; i < PAGES; i++)
		check(list[i].status == status, "the status of each page is set");
}

static void stage_all(uint16_t type)
{
	for (unsigned q = 0; q < QUEUES; q++)
		for (unsigned k = 0; k < 2; k++)
			check(stage(k ? &right : &left, type, q, NULL) == STATUS(SUCCESS),
			      "a list of pages is accepted");
}

/* Send 60 frames by each queue; returns how many grant copies they took. */
static unsigned long copies_of_120_frames(void)
{
	unsigned long before = front_count(&left.vif, "grant_copies") + front_count(&right.vif, "grant_copies");
	static uint8_t frame[9014];

	for (unsigned i = 0; i < 120; i++) {
		bool gso = i % 6 == 5;
		uint32_t len = gso ? sizeof(frame) : 60 + i * 12;

		build(frame, len, i, !gso && i & 4, 6);
		passes(i % QUEUES, frame, len, gso ? NETTXF_csum_blank : 0, gso ? 1448 : 0);
	}
	return front_count(&left.vif, "grant_copies") + front_count(&right.vif, "grant_copies") - before;
}

static void frames_in_staged_pages_take_no_grant_copies(void)
{
	unsigned long unstaged, staged;
	uint32_t data;

	for (unsigned q = 0; q < QUEUES; q++)
		check(front_ctrl_ask(&right.ctrl, TYPE(GET_GREF_MAPPING_SIZE), q, 0, 0, &data) == STATUS(SUCCESS) &&
			      data >= PAGES,
		      "there is room for all pages of a queue");
	unstaged = copies_of_120_frames();
	check(unstaged >= 240, "each frame takes one copy for its header and one to its receiver");
	stage_all(TYPE(ADD_GREF_MAPPING));
	staged = copies_of_120_frames();
	check(!staged, "in staged pages they take none");
	check(stage(&right, TYPE(ADD_GREF_MAPPING), 0, NULL) == STATUS(INVALID_PARAMETER),
	      "a staged page cannot be staged again");
	for (unsigned q = 0; q < QUEUES; q++) {
		check(stage(&right, TYPE(DEL_GREF_MAPPING), q, &data) == STATUS(SUCCESS) && data == PAGES,
		      "all of them are removed");
		check_statuses(&right, STATUS(SUCCESS));
	}
	check(copies_of_120_frames() >= 120, "then frames take one copy to their receiver again");
	check(stage(&right, TYPE(DEL_GREF_MAPPING), 0, &data) == STATUS(SUCCESS) && !data, "none are left to remove");
	check_statuses(&right, STATUS(INVALID_PARAMETER));
	for (unsigned q = 0; q < QUEUES; q++)
		check(stage(&left, TYPE(DEL_GREF_MAPPING), q, &data) == STATUS(SUCCESS) && data == PAGES,
		      "the sender's are removed");
	check(copies_of_120_frames() >= 240, "then it is as before");
	printf("ok   staged pages: 120 frames take %lu grant copies, 0 in staged pages, and some again after that\n",
	       unstaged);
}

/* ---- multicast --------------------------------------------------------------------------------------------------- */

/* Does right receive a frame to this address? A unicast frame sent after it says when to stop waiting. */
static bool receives(const uint8_t *to)
{
	static uint8_t frame[300], last[60];
	bool came = false;

	build(frame, sizeof(frame), 3, false, 17);
	memcpy(frame, to, 6);
	build(last, sizeof(last), 4, false, 17);
	send_by(0, frame, sizeof(frame), 0, 0);
	send_by(0, last, sizeof(last), 0, 0);
	for (;;) {
		check(receive(PATIENCE_MS), "the unicast frame arrives");
		if (got.len == sizeof(last) && !memcmp(got.bytes, last, got.len))
			return came;
		check(got.len == sizeof(frame) && !memcmp(got.bytes, frame, got.len), "every byte of it arrives");
		came = true;
	}
}

static void join(bool add, const uint8_t *which)
{
	struct front *f = &right.queue[1];

	check(front_group(f, add, which), "there is room for the request");
	front_kick(f);
	await_answers(f);
}

/* The daemon may need a moment to see the change in xenstore. */
static bool receives_soon(const uint8_t *to, bool expected, int tries)
{
	while (tries--)
		if (receives(to) == expected)
			return true;
	return false;
}

static void only_joined_groups_are_received(void)
{
	static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	unsigned long before = front_count(&right.vif, "tx-filtered");

	check(!receives(group[0]) && !receives(group[1]), "groups that were not joined are filtered");
	check(front_count(&right.vif, "tx-filtered") >= before + 2, "and counted");
	check(receives(everybody), "broadcasts are received");
	join(true, group[0]);
	check(receives(group[0]) && !receives(group[1]), "the joined group is received, the other is not");
	join(true, group[1]);
	join(false, group[0]);
	check(!receives(group[0]) && receives(group[1]), "until it is left");
	front_multicast_control(&right.vif, false);
	check(receives_soon(group[0], true, 200), "without multicast control every group is received");
	join(true, group[0]);
	join(false, group[1]);
	front_multicast_control(&right.vif, true);
	check(receives_soon(group[1], false, 200), "once it is on again, only joined groups are");
	check(receives(group[0]), "including one joined meanwhile");
	printf("ok   multicast control: groups are filtered and counted, joined and left, and all received without "
	       "it\n");
}

/* Receive all frames that are there, which must be one or the other. Returns how many were the other. */
static unsigned drain(const uint8_t *one, uint32_t one_len, const uint8_t *other, uint32_t other_len)
{
	unsigned others = 0;

	for (unsigned q = 0; q < QUEUES; q++) {
		struct front *f = &right.queue[q];

		while (__atomic_load_n(&f->rx.sring->rsp_prod, __ATOMIC_ACQUIRE) != f->rx.rsp_cons) {
			got.len = front_receive(f, got.bytes);
			if (!got.len || memcmp(got.bytes + 6, left.vif.mac, 6))
				continue; /* an unused buffer, or a frame of another sender */
			check((got.len == one_len && !memcmp(got.bytes, one, one_len)) ||
				      (got.len == other_len && !memcmp(got.bytes, other, other_len)),
			      "frames arrive as they were sent");
			others += got.len == other_len;
		}
	}
	return others;
}

/* ---- another daemon ---------------------------------------------------------------------------------------------- */

static void another_daemon_must_be_told_again(const char *kill, const char *start)
{
	static const uint32_t map[] = {1, 1, 0};
	struct xen_netif_ctrl_response rsp;
	static uint8_t frame[1400], flood[200];
	unsigned long copies;
	uint32_t data;

	set_hash(map, 3);
	stage_all(TYPE(ADD_GREF_MAPPING));
	check(!receives(group[1]), "the filter is on");
	await_answers(&left.queue[1]);
	build(flood, sizeof(flood), 2, false, 6);
	for (unsigned i = 0; i < 40; i++)
		check(front_send(&left.queue[1], flood, sizeof(flood), 0, 0), "there is room to send");
	front_kick(&left.queue[1]);
	if (system(kill)) /* while they are being moved, or after */
		die("FAILED: %s", kill);
	front_ctrl_put(&right.ctrl, TYPE(GET_GREF_MAPPING_SIZE), 0, 0, 0);
	front_ctrl_kick(&right.ctrl);
	build(frame, sizeof(frame), 1, false, 6);
	send_by(1, frame, sizeof(frame), 0, 0);
	if (system(start))
		die("FAILED: %s", start);
	check(front_shows_soon(&right.vif, ": netif, connected") && front_shows_soon(&left.vif, ": netif, connected"),
	      "both vifs are adopted");
	check(front_ctrl_take(&right.ctrl, PATIENCE_MS, &rsp) && rsp.data >= PAGES,
	      "a control request made without a daemon is answered");
	await_answers(&left.queue[1]);
	check(drain(flood, sizeof(flood), frame, sizeof(frame)) == 1, "the last frame arrives, once and whole");
	for (unsigned q = 0; q < QUEUES; q++)
		passes(q, frame, sizeof(frame), 0, 0);
	check(!got.extra.type, "there is no hash");
	copies = copies_of_120_frames();
	check(copies >= 240, "frames in pages staged before take grant copies");
	check(receives(group[1]) && receives(group[0]), "no group is filtered");
	front_multicast_control(&right.vif, false);
	check(!receives_soon(group[1], false, 20), "nor with multicast control off");
	front_multicast_control(&right.vif, true);
	check(!receives_soon(group[1], false, 20), "nor with it on again: the daemon does not know which were joined");
	check(stage(&right, TYPE(DEL_GREF_MAPPING), 0, &data) == STATUS(SUCCESS) && !data, "nothing is staged");
	check_statuses(&right, STATUS(INVALID_PARAMETER));
	stage_all(TYPE(ADD_GREF_MAPPING));
	set_hash(map, 3);
	flows_land(map, 3);
	copies = copies_of_120_frames();
	check(!copies, "once they are staged again they take none");
	printf("ok   another daemon adopts the rings; hash, staged pages and groups must be set again\n");
}

static void a_new_connection_starts_with_defaults(void)
{
	static uint8_t frame[1400];

	front_disconnect(&right.vif);
	side_close(&right);
	side_open(&right);
	check(front_connect(&right.vif), "it connects again");
	build(frame, sizeof(frame), 1, false, 6);
	for (unsigned q = 0; q < QUEUES; q++)
		passes(q, frame, sizeof(frame), 0, 0);
	check(!got.extra.type, "there is no hash");
	check(!receives(group[0]) && !receives(group[1]), "and no group is joined");
	join(true, group[1]);
	check(receives(group[1]), "until one is");
	check(stage(&right, TYPE(ADD_GREF_MAPPING), 0, NULL) == STATUS(SUCCESS), "pages can be staged");
	printf("ok   a frontend that closes and reconnects starts with nothing set\n");
}

int main(int argc, char **argv)
{
	if (argc != 4)
		die("usage: features BRIDGE KILL START");
	left.vif = (struct front_vif){.devid = 80, .bridge = argv[1], .mac = {2, 0, 0, 0, 1, 1}};
	right.vif = (struct front_vif){
		.devid = 81, .bridge = argv[1], .mac = {2, 0, 0, 0, 1, 2}, .multicast_control = true};
	setvbuf(stdout, NULL, _IOLBF, 0);
	side_open(&left);
	side_open(&right);
	side_is_deaf(&left);
	check(front_attach(&left.vif) && front_attach(&right.vif), "both connect");
	frames_pass_by_either_queue_and_each_channel_signals_its_own_ring();
	frames_land_where_the_mapping_says();
	frames_in_staged_pages_take_no_grant_copies();
	only_joined_groups_are_received();
	another_daemon_must_be_told_again(argv[2], argv[3]);
	a_new_connection_starts_with_defaults();
	front_detach(&left.vif);
	front_detach(&right.vif);
	side_close(&left);
	side_close(&right);
	return 0;
}
