/* SPDX-License-Identifier: BSD-3-Clause */
/* vhost-user ports with packed rings: what front ends say of them, how it is checked, and what they are told. */
#include <linux/vhost.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "vhost_front.h"
#include "vif/ring/ring_slot.h"
#include "vif/vhost/vhost.h"

#define SIZE 12 /* no power of two */
#define FRESH 0x80008000u /* what QEMU says of a ring that nobody has served */
#define PROTOCOL (1 << 0 | 1 << 3 | 1 << 16)

static struct {
	struct front front;
	struct event_base *loop;
	struct vif_port *port;
	struct vif_counters counters[VIF_WORKERS_MAX];
	struct vif_burst burst;
	char dir[32], path[64];
	int epfd;
	uint16_t next[FRONT_RINGS];
} t;

static void nothing_to_wait_for(void)
{
}

static struct vring_packed_desc *slots(unsigned ring)
{
	return (struct vring_packed_desc *)front_desc(&t.front, ring);
}

static void address(unsigned ring, uint64_t driver, uint64_t device)
{
	const uint64_t at = FRONT_USER + ring * FRONT_RING;
	struct message m = {.addr = {.index = ring, .desc = at, .avail = at + driver, .used = at + device}};

	front_message(&t.front, SET_VRING_ADDR, &m, 40, -1);
}

static void set_up(unsigned ring, uint32_t base)
{
	front_state(&t.front, SET_VRING_NUM, ring, SIZE);
	front_state(&t.front, SET_VRING_BASE, ring, base);
	address(ring, 0x400, 0x800);
	front_u64(&t.front, SET_VRING_CALL, ring, t.front.call[ring]);
	front_u64(&t.front, SET_VRING_KICK, ring, t.front.kick[ring]);
	front_state(&t.front, SET_VRING_ENABLE, ring, 1);
}

static void connect_and_set_up(uint32_t base)
{
	front_connect(&t.front, t.path);
	front_negotiate(&t.front, PROTOCOL);
	front_memory(&t.front);
	set_up(0, base);
	set_up(1, base);
}

static void put(unsigned ring, uint64_t gpa, uint32_t len, uint16_t flags)
{
	struct vring_packed_desc *slot = &slots(ring)[packed_slot(t.next[ring])];

	slot->addr = gpa;
	slot->len = len;
	slot->id = 4711;
	__atomic_store_n(&slot->flags, flags | packed_available(t.next[ring]), __ATOMIC_RELEASE);
	t.next[ring] = packed_after(t.next[ring], 1, SIZE);
}

static bool is_used(unsigned ring, uint16_t at)
{
	const struct vring_packed_desc *slot = &slots(ring)[packed_slot(at)];

	return (slot->flags & PACKED_BOTH) == packed_used(at) && slot->id == 4711;
}

/* A frame from the guest; whether it came. */
static bool send_from_guest(void)
{
	const uint16_t at = t.next[1];

	memset(t.front.mem + FRONT_BUFS, 0, 72);
	put(1, FRONT_GPA + FRONT_BUFS, 72, 0);
	if (t.port->ops->peek(t.port, 0, &t.burst) != 1)
		return false;
	t.port->ops->release(t.port, 0, &t.burst);
	return is_used(1, at);
}

static bool send_to_guest(void)
{
	static uint8_t head[VIF_HEAD_LEN] __attribute__((aligned(64)));
	struct vif_frame frame = {.head = head, .len = 60, .head_len = 60}, *one = &frame;
	const uint16_t at = t.next[0];

	put(0, FRONT_GPA + FRONT_BUFS + 4096, 2048, VRING_DESC_F_WRITE);
	t.port->ops->deliver(t.port, 0, &one, 1);
	t.port->ops->notify(t.port, -1);
	return is_used(0, at) && slots(0)[packed_slot(at)].len == 72;
}

static void assert_works(void)
{
	assert_true(t.port->up);
	assert_true(send_from_guest());
	assert_true(send_to_guest());
}

/* `why` is what an administrator reads of the port. */
static void assert_told(const char *why)
{
	struct vif_about about = {.connected = false};

	t.port->ops->describe(t.port, &about);
	if (!strstr(about.detail, why))
		fail_msg("\"%s\" is not in: %s", why, about.detail);
}

static int setup(void **state)
{
	struct vif_port base = {.id = 1, .counters = t.counters};
	struct vhost_opts opts = {.path = t.path, .server = true, .queues = 2, .mtu = 1500};

	(void)state;
	memset(&t, 0, sizeof(t));
	vif_synchronize = nothing_to_wait_for;
	strcpy(t.dir, "/tmp/vhost.XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	snprintf(t.path, sizeof(t.path), "%s/s", t.dir);
	strcpy(base.name, "guest.0");
	t.loop = event_base_new();
	t.epfd = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned i = 0; i < VIF_WORKERS_MAX; i++)
		base.epfd[i] = t.epfd;
	assert_int_equal(vhost_init(t.loop), 0);
	assert_int_equal(vhost_open(&base, &opts, &t.port), 0);
	front_init(&t.front, t.loop);
	t.front.features |= 1ULL << VIRTIO_F_RING_PACKED;
	for (unsigned i = 0; i < FRONT_RINGS; i++)
		t.next[i] = PACKED_WRAP;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	front_fini(&t.front);
	t.port->ops->close(t.port);
	event_base_free(t.loop);
	close(t.epfd);
	unlink(t.path);
	rmdir(t.dir);
	return 0;
}

static void a_guest_sends_and_receives_through_rings_of_any_size(void **state)
{
	struct vif_about about = {.connected = true};
	uint64_t calls;

	(void)state;
	connect_and_set_up(FRESH);
	for (unsigned i = 0; i < 5 * SIZE; i++)
		assert_works();
	assert_int_equal(read(t.front.call[0], &calls, sizeof(calls)), sizeof(calls));
	t.port->ops->describe(t.port, &about);
	assert_non_null(strstr(about.features, "packed"));
}

static void where_a_ring_stands_is_told_in_both_halves(void **state)
{
	struct message m = {.state = {1, 0}};

	(void)state;
	connect_and_set_up(PACKED_WRAP); /* virtio-user's way of saying that the ring is fresh */
	for (unsigned i = 0; i < SIZE + 5; i++)
		assert_works();
	assert_true(front_ask(&t.front, GET_VRING_BASE, &m, 8));
	assert_int_equal(m.state.num, 5 | 5 << 16);
	assert_false(send_from_guest()); /* it is stopped; this one waits */
	set_up(1, m.state.num);
	assert_int_equal(t.port->ops->peek(t.port, 0, &t.burst), 1);
	t.port->ops->release(t.port, 0, &t.burst);
	assert_works();
}

static void after_a_crash_the_slots_are_what_counts(void **state)
{
	static const uint32_t bases[] = {FRESH, PACKED_WRAP, 0, 3, FRESH | 7, UINT32_MAX};

	(void)state;
	connect_and_set_up(FRESH);
	for (unsigned i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		for (unsigned k = 0; k < 7 * i + 1; k++)
			assert_works();
		front_hang_up(&t.front);
		connect_and_set_up(bases[i]); /* what QEMU knew */
		assert_works();
	}
}

static void areas_have_to_be_aligned_and_in_memory(void **state)
{
	const struct {
		uint64_t driver, device;
		const char *why;
	} bad[] = {
		{0x402, 0x800, "is not aligned"},
		{0x400, 0x801, "is not aligned"},
		{FRONT_MEM, 0x800, "outside the memory"},
		{0x400, FRONT_MEM, "outside the memory"},
	};

	(void)state;
	struct message m = {0};

	connect_and_set_up(FRESH);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		address(0, bad[i].driver, bad[i].device);
		assert_false(t.port->up);
		assert_told(bad[i].why);
		address(0, 0x400, 0x800);
		assert_works();
	}
	address(0, FRONT_MEM - 4, 0x800); /* the last that there are */
	assert_works();
	m.addr = (typeof(m.addr)){
		.desc = FRONT_USER + FRONT_MEM - 16 * SIZE, .avail = FRONT_USER, .used = FRONT_USER + 4};
	front_message(&t.front, SET_VRING_ADDR, &m, 40, -1);
	assert_true(t.port->up);
	m.addr.desc += 16;
	front_message(&t.front, SET_VRING_ADDR, &m, 40, -1);
	assert_false(t.port->up);
	assert_told("outside the memory");
}

static void rings_may_be_described_before_the_features_are_chosen(void **state)
{
	struct message m = {0};

	(void)state;
	front_connect(&t.front, t.path);
	front_message(&t.front, SET_OWNER, &m, 0, -1);
	assert_true(front_ask(&t.front, GET_FEATURES, &m, 0));
	front_u64(&t.front, SET_PROTOCOL_FEATURES, PROTOCOL, -1);
	front_memory(&t.front);
	set_up(0, FRESH);
	set_up(1, FRESH);
	assert_false(t.port->up);
	front_u64(&t.front, SET_FEATURES, t.front.features & m.u64, -1);
	assert_works();
	front_hang_up(&t.front);
	/* but split rings they cannot be */
	front_connect(&t.front, t.path);
	front_message(&t.front, SET_OWNER, &m, 0, -1);
	front_u64(&t.front, SET_PROTOCOL_FEATURES, PROTOCOL, -1);
	front_memory(&t.front);
	set_up(0, FRESH);
	front_u64(&t.front, SET_FEATURES, t.front.features & m.u64 & ~(1ULL << VIRTIO_F_RING_PACKED), -1);
	assert_false(t.port->up);
	assert_told("no power of two");
	assert_false(front_is_out(&t.front));
	front_state(&t.front, SET_VRING_BASE, 0, FRESH);
	assert_true(front_is_out(&t.front));
	assert_told("more than 16 bits");
}

/* Whether the page at `offset` of the guest's memory has been marked since the last time. */
static bool was_marked(uint8_t *bits, uint64_t offset)
{
	const uint64_t page = (FRONT_GPA + offset) / 4096;
	const bool set = bits[page / 8] & 1 << page % 8;

	bits[page / 8] &= ~(1 << page % 8);
	return set;
}

static void what_is_written_is_marked_in_the_log(void **state)
{
	const size_t size = (FRONT_GPA + FRONT_MEM) / 4096 / 8;
	struct message m = {.log = {.size = size}};
	int fd = memfd_create("log", MFD_CLOEXEC);
	uint8_t *bits;

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	bits = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	t.front.features |= 1ULL << VHOST_F_LOG_ALL;
	front_connect(&t.front, t.path);
	front_negotiate(&t.front, PROTOCOL | 1 << 1);
	front_memory(&t.front);
	assert_true(front_message(&t.front, SET_LOG_BASE, &m, 16, fd));
	assert_true(front_reply(&t.front, &m));
	set_up(0, FRESH);
	set_up(1, FRESH);
	assert_true(was_marked(bits, 0)); /* that no kicks are wanted for what is received */
	assert_true(send_to_guest());
	assert_true(was_marked(bits, 0)); /* the slot */
	assert_true(was_marked(bits, FRONT_BUFS + 4096)); /* the buffer */
	assert_true(send_from_guest());
	assert_true(was_marked(bits, FRONT_RING));
	assert_false(was_marked(bits, FRONT_BUFS)); /* nothing is written there */
	t.port->ops->arm(t.port, 0);
	assert_true(was_marked(bits, FRONT_RING));
	t.port->ops->disarm(t.port, 0);
	assert_true(was_marked(bits, FRONT_RING));
	for (size_t i = 0; i < size; i++)
		assert_int_equal(bits[i], 0);
	munmap(bits, size);
	close(fd);
}

static void a_ring_that_breaks_the_rules_costs_the_port(void **state)
{
	(void)state;
	connect_and_set_up(FRESH);
	put(1, 0x10, 72, 0);
	assert_int_equal(t.port->ops->peek(t.port, 0, &t.burst), 0);
	assert_non_null(t.port->quarantine);
	assert_non_null(strstr(t.port->quarantine, "outside the memory"));
}

/* A command on the control ring, in chained slots or by an indirect table; its answer. */
static int command(unsigned ring, uint8_t class, uint8_t what, uint16_t value, bool indirect)
{
	uint8_t *buf = t.front.mem + FRONT_BUFS;
	struct vring_packed_desc *table = (struct vring_packed_desc *)(buf + 64);
	const uint64_t gpa = FRONT_GPA + FRONT_BUFS, one = 1;
	const uint16_t at = t.next[ring];

	memcpy(buf, (uint8_t[]){class, what, value & 0xff, value >> 8, 0xee}, 5);
	if (indirect) {
		table[0] = (struct vring_packed_desc){gpa, 2, 0, 0};
		table[1] = (struct vring_packed_desc){gpa + 2, 2, 0, 0};
		table[2] = (struct vring_packed_desc){gpa + 4, 1, 0, VRING_DESC_F_WRITE};
		put(ring, gpa + 64, 3 * 16, VRING_DESC_F_INDIRECT);
	} else {
		put(ring, gpa, 2, VRING_DESC_F_NEXT);
		put(ring, gpa + 2, 2, VRING_DESC_F_NEXT);
		put(ring, gpa + 4, 1, VRING_DESC_F_WRITE);
	}
	assert_int_equal(write(t.front.kick[ring], &one, sizeof(one)), sizeof(one));
	front_turn(&t.front);
	return is_used(ring, at) ? buf[4] : -1;
}

static void the_control_queue_is_served_too(void **state)
{
	(void)state;
	t.front.features |= 1ULL << VIRTIO_NET_F_MQ | 1ULL << VIRTIO_NET_F_CTRL_VQ;
	connect_and_set_up(FRESH);
	for (unsigned i = 2; i < 5; i++)
		set_up(i, FRESH);
	for (unsigned i = 0; i < 3 * SIZE; i++) {
		assert_int_equal(command(4, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 1 + i % 2, i % 3),
				 VIRTIO_NET_OK);
		assert_int_equal(t.port->tx_queues, 1 + i % 2);
	}
	assert_int_equal(command(4, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 3, false), VIRTIO_NET_ERR);
	assert_works();
	/* what is to be read stands behind what is to be written */
	put(4, FRONT_GPA + FRONT_BUFS, 1, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT);
	command(4, VIRTIO_NET_CTRL_RX, 0, 0, false);
	assert_non_null(t.port->quarantine);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_guest_sends_and_receives_through_rings_of_any_size),
		T(where_a_ring_stands_is_told_in_both_halves),
		T(after_a_crash_the_slots_are_what_counts),
		T(areas_have_to_be_aligned_and_in_memory),
		T(rings_may_be_described_before_the_features_are_chosen),
		T(what_is_written_is_marked_in_the_log),
		T(a_ring_that_breaks_the_rules_costs_the_port),
		T(the_control_queue_is_served_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
