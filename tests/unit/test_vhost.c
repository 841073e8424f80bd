/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vhost-user back-end against a front end written here, over a real socket: one that keeps the protocol, as QEMU and
 * User-Mode Linux do, and one that does not. The test's thread is control thread, worker and front end in turn.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "vhost_front.h"
#include "vif/vhost/vhost.h"
#include "vswitch/base/log.h"

#define PAIRS 2
#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static struct {
	struct event_base *loop;
	struct vif_port *port;
	struct vif_counters counters[VIF_WORKERS_MAX];
	struct vif_burst burst;
	struct front front;
	char dir[32], path[64];
	int epfd;
	unsigned synchronized, descriptors;
} t;

static void count_synchronize(void)
{
	t.synchronized++;
}

static unsigned descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static unsigned mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	unsigned n = 0;

	while (fgets(line, sizeof(line), f))
		n += strstr(line, "memfd:guest") != NULL;
	fclose(f);
	return n;
}

static int open_port(bool server)
{
	struct vif_port base = {.id = 1, .counters = t.counters};
	struct vhost_opts opts = {.path = t.path,
				  .server = server,
				  .queues = PAIRS,
				  .mtu = 1500,
				  .mac = {2, 0, 0, 0, 0, 1},
				  .access = {.owner = -1, .group = -1}};

	strcpy(base.name, "guest.0");
	for (unsigned i = 0; i < VIF_WORKERS_MAX; i++)
		base.epfd[i] = t.epfd;
	return vhost_open(&base, &opts, &t.port);
}

/* What an administrator reads of the port. */
static const char *described(void)
{
	static struct vif_about about;

	about = (struct vif_about){.connected = t.port->up};
	t.port->ops->describe(t.port, &about);
	return about.detail;
}

/* A frame of `len` bytes from the guest; returns what was peeked. */
static unsigned send_from_guest(uint32_t len)
{
	struct front *f = &t.front;

	front_offer(f, 1, 0, len + 12);
	memset(f->mem + FRONT_BUFS + FRONT_SIZE * 2048, 0, len + 12);
	unsigned n = t.port->ops->peek(t.port, 0, &t.burst);
	if (n)
		t.port->ops->release(t.port, 0, &t.burst);
	return n;
}

/* A frame to the guest; whether it has arrived. */
static bool send_to_guest(void)
{
	static uint8_t head[VIF_HEAD_LEN] __attribute__((aligned(64)));
	struct vif_frame frame = {.head = head, .len = 60, .head_len = 60}, *one = &frame;
	const uint16_t before = front_used(&t.front, 0)->idx;

	front_offer(&t.front, 0, 0, 2048);
	t.port->ops->deliver(t.port, 0, &one, 1);
	t.port->ops->notify(t.port, -1);
	return front_used(&t.front, 0)->idx == (uint16_t)(before + 1);
}

static void assert_works(void)
{
	assert_true(t.port->up);
	assert_int_equal(send_from_guest(60), 1);
	assert_true(send_to_guest());
}

/* The connection is over, for a reason that contains `why`, and nothing of it is left. */
static void assert_refused(const char *why)
{
	assert_true(front_is_out(&t.front));
	assert_false(t.port->up);
	if (!strstr(described(), why))
		fail_msg("\"%s\" is not in: %s", why, described());
	front_hang_up(&t.front);
	assert_int_equal(mappings(), 1); /* the front end's own */
	assert_int_equal(descriptors(), t.descriptors);
}

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	vif_synchronize = count_synchronize;
	strcpy(t.dir, "/tmp/vhost.XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	snprintf(t.path, sizeof(t.path), "%s/s", t.dir);
	t.loop = event_base_new();
	t.epfd = epoll_create1(EPOLL_CLOEXEC);
	assert_int_equal(vhost_init(t.loop), 0);
	assert_int_equal(open_port(true), 0);
	front_init(&t.front, t.loop);
	front_start(&t.front, t.path); /* what is opened once for all is open then */
	send_to_guest();
	front_hang_up(&t.front);
	memset(t.front.mem, 0, FRONT_MEM);
	t.descriptors = descriptors();
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

/* ---- front ends that keep the protocol --------------------------------------------------------------------------- */

static void a_guest_sends_and_receives(void **state)
{
	uint64_t calls;

	(void)state;
	front_start(&t.front, t.path);
	assert_works();
	assert_int_equal(read(t.front.call[0], &calls, sizeof(calls)), sizeof(calls));
	assert_non_null(strstr(t.port->ops->kind, "vhost-user"));
	front_hang_up(&t.front);
	assert_false(t.port->up);
	assert_int_equal(mappings(), 1);
	assert_int_equal(descriptors(), t.descriptors);
	front_start(&t.front, t.path); /* and again */
	assert_works();
}

static void rings_that_were_only_named_are_not_waited_for(void **state)
{
	struct front *f = &t.front;

	(void)state;
	front_connect(f, t.path);
	front_negotiate(f, 1);
	for (unsigned i = 0; i < 2 * PAIRS; i++) /* as QEMU does at its start */
		front_u64(f, SET_VRING_CALL, i, f->call[i]);
	front_memory(f);
	front_ring(f, 0);
	front_ring(f, 1);
	assert_false(t.port->up);
	front_enable(f, 0);
	front_enable(f, 1);
	assert_works();
	assert_int_equal(t.port->tx_queues, 1);
	assert_int_equal(t.port->rx_queues, 1);
}

static void without_protocol_features_rings_start_enabled(void **state)
{
	struct front *f = &t.front;

	(void)state;
	f->features &= ~(1ULL << VHOST_USER_F_PROTOCOL_FEATURES);
	front_connect(f, t.path);
	front_negotiate(f, 0);
	front_memory(f);
	front_ring(f, 0);
	front_ring(f, 1);
	assert_works();
}

static void messages_in_pieces_are_put_together(void **state)
{
	struct front *f = &t.front;
	struct message m = {.request = SET_OWNER, .flags = 1};

	(void)state;
	front_connect(f, t.path);
	for (unsigned i = 0; i < MESSAGE_HEADER; i++) {
		assert_true(front_send(f, (uint8_t *)&m + i, 1, NULL, 0));
		front_turn(f);
	}
	m = (struct message){.request = GET_FEATURES, .flags = 1};
	struct message two[2] = {m, m};
	memmove((uint8_t *)two + MESSAGE_HEADER, &m, MESSAGE_HEADER);
	assert_true(front_send(f, two, 2 * MESSAGE_HEADER, NULL, 0)); /* and two in one piece */
	assert_true(front_reply(f, &m));
	assert_true(front_reply(f, &m));
	assert_false(front_is_out(f));
}

static void where_a_ring_stands_is_told_and_gone_on_from(void **state)
{
	struct message m = {.state = {1, 0}};

	(void)state;
	front_start(&t.front, t.path);
	for (int i = 0; i < 5; i++)
		assert_int_equal(send_from_guest(60), 1);
	assert_true(front_ask(&t.front, GET_VRING_BASE, &m, 8));
	assert_int_equal(m.state.index, 1);
	assert_int_equal(m.state.num, 5);
	assert_int_equal(send_from_guest(60), 0); /* it is stopped; this one waits */
	front_ring(&t.front, 1);
	assert_int_equal(t.port->ops->peek(t.port, 0, &t.burst), 1);
	t.port->ops->release(t.port, 0, &t.burst);
	assert_int_equal(front_used(&t.front, 1)->idx, 6);
}

static void after_a_crash_the_used_index_is_what_counts(void **state)
{
	(void)state;
	front_start(&t.front, t.path);
	assert_int_equal(send_from_guest(60), 1);
	front_hang_up(&t.front);
	front_connect(&t.front, t.path);
	front_negotiate(&t.front, 1);
	front_memory(&t.front);
	for (unsigned i = 0; i < 2; i++) {
		front_ring(&t.front, i);
		front_state(&t.front, SET_VRING_BASE, i, 77); /* what QEMU knew */
		front_enable(&t.front, i);
	}
	assert_works();
}

static void what_does_not_concern_a_running_ring_takes_nothing_back(void **state)
{
	(void)state;
	front_start(&t.front, t.path);
	t.synchronized = 0;
	front_u64(&t.front, SET_VRING_CALL, 2, t.front.call[2]);
	front_state(&t.front, SET_VRING_NUM, 3, 16);
	front_enable(&t.front, 0);
	assert_int_equal(t.synchronized, 0);
	front_u64(&t.front, SET_VRING_CALL, 0, t.front.call[1]);
	assert_int_equal(t.synchronized, 1);
	assert_works();
}

static void memory_is_added_and_removed_under_running_rings(void **state)
{
	struct front *f = &t.front;
	struct message m = {.slot = {.region = {FRONT_GPA + FRONT_MEM, 4096, FRONT_USER + FRONT_MEM, 4096}}};

	(void)state;
	front_start(f, t.path);
	m.flags = NEED_REPLY;
	assert_true(front_message(f, ADD_MEM_REG, &m, 40, f->memfd));
	assert_true(front_reply(f, &m));
	assert_int_equal(m.u64, 0);
	assert_works();
	assert_int_equal(mappings(), 3);
	m = (struct message){.slot = {.region = {FRONT_GPA + FRONT_MEM, 4096, FRONT_USER + FRONT_MEM, 4096}}};
	assert_true(front_message(f, REM_MEM_REG, &m, 40, -1));
	assert_int_equal(mappings(), 2);
	assert_works();
	m = (struct message){.slot = {.region = {FRONT_GPA, FRONT_MEM, FRONT_USER, 0}}}; /* that of the rings */
	assert_true(front_message(f, REM_MEM_REG, &m, 40, -1));
	assert_false(t.port->up);
	assert_false(front_is_out(f));
	m = (struct message){.slot = {.region = {FRONT_GPA, FRONT_MEM, FRONT_USER, 0}}};
	assert_true(front_message(f, ADD_MEM_REG, &m, 40, f->memfd));
	assert_works();
	assert_true(front_ask(f, GET_MAX_MEM_SLOTS, &m, 0));
	assert_int_equal(m.u64, RING_REGIONS);
}

static void a_reset_stops_the_rings(void **state)
{
	struct message m = {.u64 = 0};

	(void)state;
	front_start(&t.front, t.path);
	front_u64(&t.front, SET_STATUS, 7, -1);
	assert_true(front_ask(&t.front, GET_STATUS, &m, 0));
	assert_int_equal(m.u64, 7);
	assert_works();
	front_u64(&t.front, SET_STATUS, 0, -1);
	assert_false(t.port->up);
	m = (struct message){.state = {0, 0}};
	assert_true(front_ask(&t.front, GET_VRING_BASE, &m, 8)); /* QEMU 7.2 asks after the reset */
	assert_int_equal(m.state.num, 1);
	front_ring(&t.front, 0);
	front_ring(&t.front, 1);
	assert_works();

	m = (struct message){0};
	assert_true(front_message(&t.front, RESET_DEVICE, &m, 0, -1));
	assert_false(t.port->up);
	front_u64(&t.front, SET_FEATURES, t.front.features, -1);
	for (unsigned i = 0; i < 2; i++) {
		front_ring(&t.front, i);
		front_enable(&t.front, i);
	}
	assert_works();
}

static void questions_are_answered(void **state)
{
	struct front *f = &t.front;
	struct message m = {0};

	(void)state;
	front_connect(f, t.path);
	assert_true(front_ask(f, GET_PROTOCOL_FEATURES, &m, 0));
	assert_false(m.u64 & 1 << 9); /* QEMU asks first: no CONFIG for it */
	front_message(f, SET_OWNER, &m, 0, -1);
	assert_true(front_ask(f, GET_PROTOCOL_FEATURES, &m, 0)); /* for its second queue */
	assert_false(m.u64 & 1 << 9);
	front_hang_up(f);

	front_connect(f, t.path);
	front_message(f, SET_OWNER, &m, 0, -1);
	assert_true(front_ask(f, GET_PROTOCOL_FEATURES, &m, 0)); /* User-Mode Linux */
	assert_true(m.u64 & 1 << 9);
	front_u64(f, SET_PROTOCOL_FEATURES, m.u64, -1);
	assert_true(front_ask(f, GET_QUEUE_NUM, &m, 0));
	assert_int_equal(m.u64, PAIRS);
	m = (struct message){.config = {.offset = 0, .size = 12}};
	assert_true(front_ask(f, GET_CONFIG, &m, 24));
	assert_memory_equal(m.config.bytes, ((uint8_t[]){2, 0, 0, 0, 0, 1, 1, 0, PAIRS, 0, 0xdc, 5}), 12);
	m = (struct message){.config = {.offset = UINT32_MAX, .size = 4}};
	assert_true(front_ask(f, GET_CONFIG, &m, 16));
	assert_memory_equal(m.config.bytes, ((uint8_t[4]){0}), 4);
	m = (struct message){.u64 = 9000, .flags = NEED_REPLY};
	front_message(f, NET_SET_MTU, &m, 8, -1);
	assert_true(front_reply(f, &m));
	assert_int_equal(m.u64, 1); /* more than the vif's */
	m = (struct message){.u64 = 1400, .flags = NEED_REPLY};
	front_message(f, NET_SET_MTU, &m, 8, -1);
	assert_true(front_reply(f, &m));
	assert_int_equal(m.u64, 0);
	m = (struct message){.config = {.size = 1}, .flags = NEED_REPLY};
	front_message(f, SET_CONFIG, &m, 13, -1);
	assert_true(front_reply(f, &m));
	assert_int_equal(m.u64, 1);
	assert_false(front_is_out(f));
}

static void control(struct front *f, unsigned ring, uint8_t class, uint8_t command, uint16_t value)
{
	struct vring_desc *desc = front_desc(f, ring);
	struct vring_avail *avail = front_avail(f, ring);
	uint8_t *buf = f->mem + FRONT_BUFS;
	const uint64_t one = 1;

	memcpy(buf, (uint8_t[]){class, command, value & 0xff, value >> 8, 0xee}, 5);
	desc[0] = (struct vring_desc){FRONT_GPA + FRONT_BUFS, 2, VRING_DESC_F_NEXT, 1};
	desc[1] = (struct vring_desc){FRONT_GPA + FRONT_BUFS + 2, 2, VRING_DESC_F_NEXT, 2};
	desc[2] = (struct vring_desc){FRONT_GPA + FRONT_BUFS + 4, 1, VRING_DESC_F_WRITE, 0};
	avail->ring[avail->idx % FRONT_SIZE] = 0;
	avail->idx++;
	assert_int_equal(write(f->kick[ring], &one, sizeof(one)), sizeof(one));
	front_turn(f);
}

static void start_with_control_queue(struct front *f)
{
	f->features |= 1ULL << VIRTIO_NET_F_MQ | 1ULL << VIRTIO_NET_F_CTRL_VQ;
	front_connect(f, t.path);
	front_negotiate(f, 1);
	front_memory(f);
	for (unsigned i = 0; i < 2 * PAIRS + 1; i++) {
		front_ring(f, i);
		front_enable(f, i);
	}
}

static void the_control_queue_says_how_many_pairs_receive(void **state)
{
	struct front *f = &t.front;
	const uint8_t *ack = f->mem + FRONT_BUFS + 4;

	(void)state;
	start_with_control_queue(f);
	assert_int_equal(t.port->tx_queues, 1); /* until the driver asks for more */
	control(f, 4, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, PAIRS);
	assert_int_equal(*ack, VIRTIO_NET_OK);
	assert_int_equal(t.port->tx_queues, PAIRS);
	control(f, 4, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, PAIRS + 1);
	assert_int_equal(*ack, VIRTIO_NET_ERR);
	assert_int_equal(t.port->tx_queues, PAIRS);
	control(f, 4, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 1);
	assert_int_equal(*ack, VIRTIO_NET_OK);
	control(f, 4, 99, 0, 0);
	assert_int_equal(*ack, VIRTIO_NET_ERR);
	assert_int_equal(front_used(f, 4)->idx, 4);
	assert_works();
}

static void a_control_queue_that_breaks_the_rules_costs_the_port(void **state)
{
	struct front *f = &t.front;
	const uint64_t one = 1;

	(void)state;
	start_with_control_queue(f);
	front_desc(f, 4)[0] = (struct vring_desc){FRONT_GPA + FRONT_BUFS, 2, VRING_DESC_F_NEXT, 0}; /* a circle */
	front_avail(f, 4)->idx++;
	assert_int_equal(write(f->kick[4], &one, sizeof(one)), sizeof(one));
	front_turn(f);
	assert_non_null(t.port->quarantine);
	assert_non_null(strstr(t.port->quarantine, "longer than its table"));
	assert_int_equal(send_from_guest(60), 0);
}

/* ---- migration --------------------------------------------------------------------------------------------------- */

#define LOG_BYTES ((FRONT_GPA + FRONT_MEM) >> 12 >> 3)
#define PAGE_OF(gpa) ((unsigned)((gpa) >> 12))

static struct {
	int fd;
	uint8_t *bits;
} dirty;

/* Share `bytes` of a dirty log; that much of it is all that the file has. */
static void share_log(size_t bytes)
{
	struct message m = {.log = {.size = bytes}};

	dirty.fd = memfd_create("log", MFD_CLOEXEC);
	assert_int_equal(ftruncate(dirty.fd, (off_t)bytes), 0);
	dirty.bits = mmap(NULL, LOG_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, dirty.fd, 0);
	assert_ptr_not_equal(dirty.bits, MAP_FAILED);
	assert_true(front_message(&t.front, SET_LOG_BASE, &m, 16, dirty.fd));
	assert_true(front_reply(&t.front, &m)); /* whether it was asked for or not */
	assert_int_equal(m.request, SET_LOG_BASE);
}

static void close_log(void)
{
	munmap(dirty.bits, LOG_BYTES);
	close(dirty.fd);
}

/* Where ring `index` writes to its used ring is marked as `gpa`. */
static void log_ring(unsigned index, uint64_t gpa)
{
	const uint64_t at = FRONT_USER + index * FRONT_RING;
	struct message m = {
		.addr = {.index = index, .flags = 1, .desc = at, .avail = at + 0x400, .used = at + 0x800, .log = gpa}};

	front_message(&t.front, SET_VRING_ADDR, &m, 40, -1);
}

/* A running pair of rings, and a control ring, whose used rings are logged in the pages from `used` on, one each. */
static void start_logging(uint64_t used)
{
	struct front *f = &t.front;

	f->features |= 1ULL << VHOST_F_LOG_ALL | 1ULL << VIRTIO_NET_F_CTRL_VQ;
	front_connect(f, t.path);
	front_negotiate(f, 1 << 0 | 1 << 1 | 1 << 3);
	assert_true(f->features & 1ULL << VHOST_F_LOG_ALL);
	front_memory(f);
	share_log(LOG_BYTES);
	for (unsigned i = 0; i < 3; i++) {
		front_ring(f, i);
		log_ring(i, used + i * 4096);
		front_enable(f, i);
	}
	front_turn(f);
}

/* The pages marked since the last time are those from `page` on, `n` of them, and no others. */
static void assert_marked(const unsigned *page, unsigned n)
{
	unsigned found = 0;

	for (unsigned i = 0; i < n; i++)
		if (!(dirty.bits[page[i] / 8] & 1 << page[i] % 8))
			fail_msg("page 0x%x is not marked", page[i]);
	for (unsigned i = 0; i < 8 * LOG_BYTES; i++)
		found += dirty.bits[i / 8] >> i % 8 & 1;
	assert_int_equal(found, n);
	memset(dirty.bits, 0, LOG_BYTES);
}
#define ASSERT_MARKED(...)                                                                                             \
	do {                                                                                                           \
		const unsigned pages_[] = {__VA_ARGS__};                                                               \
		assert_marked(pages_, LEN(pages_));                                                                    \
	} while (0)

/* Deliver a frame of `len` bytes that begins in a burst of its own. */
static void deliver(uint32_t len)
{
	static uint8_t head[VIF_HEAD_LEN] __attribute__((aligned(64))), rest[8192];
	const struct vif_seg seg = {.va = rest, .len = len - VIF_HEAD_LEN};
	struct vif_frame frame = {.head = head, .len = len, .head_len = VIF_HEAD_LEN, .seg = &seg, .nseg = 1},
			 *one = &frame;

	assert_int_equal(t.port->ops->deliver(t.port, 0, &one, 1), 1);
}

/* Make a chain of `n` receive buffers, each `len` bytes at gpa + i * 8192, available. */
static void offer_chain(uint64_t gpa, uint32_t len, unsigned n)
{
	struct vring_avail *avail = front_avail(&t.front, 0);

	for (unsigned i = 0; i < n; i++)
		front_desc(&t.front, 0)[i] =
			(struct vring_desc){.addr = gpa + i * 8192,
					    .len = len,
					    .flags = VRING_DESC_F_WRITE | (i + 1 < n ? VRING_DESC_F_NEXT : 0),
					    .next = (uint16_t)(i + 1)};
	avail->ring[avail->idx % FRONT_SIZE] = 0;
	avail->idx++;
}

static void what_is_written_is_marked_in_the_log(void **state)
{
	const uint64_t used = FRONT_GPA + 0x10000, buf = FRONT_GPA + FRONT_BUFS;

	(void)state;
	start_logging(used);
	assert_int_equal(t.port->tx_queues, 1);
	memset(dirty.bits, 0, LOG_BYTES);

	assert_true(send_to_guest());
	ASSERT_MARKED(PAGE_OF(buf), PAGE_OF(used));
	assert_int_equal(send_from_guest(60), 1); /* is read, and only completed */
	ASSERT_MARKED(PAGE_OF(used) + 1);
	t.port->ops->arm(t.port, 0);
	ASSERT_MARKED(PAGE_OF(used) + 1);
	t.port->ops->disarm(t.port, 0);
	ASSERT_MARKED(PAGE_OF(used) + 1);

	offer_chain(buf + 4000, 6000, 1); /* 12 + 84 bytes are left in the first page */
	deliver(84 + 4096 + 1);
	ASSERT_MARKED(PAGE_OF(buf), PAGE_OF(buf) + 1, PAGE_OF(buf) + 2, PAGE_OF(used));
	offer_chain(buf + 4000, 6000, 1);
	deliver(84 + 4096);
	ASSERT_MARKED(PAGE_OF(buf), PAGE_OF(buf) + 1, PAGE_OF(used));
	offer_chain(buf, 100, 3); /* of the last one nothing is used */
	deliver(188);
	ASSERT_MARKED(PAGE_OF(buf), PAGE_OF(buf) + 2, PAGE_OF(used));
	offer_chain(buf, 140, 1); /* two buffers for one frame */
	front_offer(&t.front, 0, 5, 2048);
	deliver(140);
	ASSERT_MARKED(PAGE_OF(buf), PAGE_OF(buf + 5 * 2048), PAGE_OF(used));

	control(&t.front, 2, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 1);
	ASSERT_MARKED(PAGE_OF(buf), PAGE_OF(used) + 2);

	front_u64(&t.front, SET_FEATURES, t.front.features & ~(1ULL << VHOST_F_LOG_ALL), -1);
	memset(dirty.bits, 0, LOG_BYTES);
	assert_works();
	assert_marked(NULL, 0);
	front_u64(&t.front, SET_FEATURES, t.front.features, -1);
	front_address(&t.front, 0); /* its used ring is no longer logged */
	memset(dirty.bits, 0, LOG_BYTES);
	assert_true(send_to_guest());
	ASSERT_MARKED(PAGE_OF(buf));
	close_log();
}

static void a_used_ring_over_a_page_edge_is_marked_where_it_was_written(void **state)
{
	const uint64_t buf = FRONT_GPA + FRONT_BUFS, edge = FRONT_GPA + 0x11000;
	/* the used index lies before the edge with the first 8 entries */
	const uint64_t used = edge - 4 - 8 * sizeof(struct vring_used_elem);
	struct vring_used *ring = front_used(&t.front, 0);
	unsigned before;

	(void)state;
	start_logging(used);
	memset(dirty.bits, 0, LOG_BYTES);
	before = ring->idx % FRONT_SIZE;
	for (unsigned i = 0; i < 2 * FRONT_SIZE; i++, before = (before + 1) % FRONT_SIZE) {
		assert_true(send_to_guest());
		if (before < 8)
			ASSERT_MARKED(PAGE_OF(buf), PAGE_OF(edge) - 1);
		else
			ASSERT_MARKED(PAGE_OF(buf), PAGE_OF(edge) - 1, PAGE_OF(edge));
	}
	close_log();
}

static void the_log_bounds_what_is_marked(void **state)
{
	static const uint64_t where[] = {0, FRONT_GPA, FRONT_GPA + FRONT_MEM, UINT64_MAX - 2047};

	(void)state;
	start_logging(FRONT_GPA);
	close_log();
	for (size_t i = 0; i < LEN(where); i++) {
		log_ring(0, where[i]);
		log_ring(1, where[i]);
		share_log(1); /* of eight pages */
		assert_works();
		assert_int_equal(dirty.bits[0], where[i] < 8 * 4096);
		assert_int_equal(dirty.bits[1], 0);
		close_log();
	}
}

static void a_log_is_mapped_as_safely_as_memory(void **state)
{
	static const struct {
		const char *why;
		uint64_t size, offset;
		bool device;
	} acts[] = {
		{"a dirty log of 0 bytes", 0, 0, false},
		{"a dirty log of 1073741825 bytes", (1ULL << 30) + 1, 0, false},
		{"a dirty log of 4096 bytes", 4096, UINT64_MAX - 4095, false},
		{"of a file of", FRONT_MEM + 1ULL, 0, false},
		{"of a file of", FRONT_MEM, 1, false},
		{"no file of this host's kernel", 4096, 0, true},
	};

	(void)state;
	for (size_t i = 0; i < LEN(acts); i++) {
		struct message m = {.log = {acts[i].size, acts[i].offset}};

		front_connect(&t.front, t.path);
		front_negotiate(&t.front, 1 << 1);
		front_message(&t.front, SET_LOG_BASE, &m, 16, acts[i].device ? t.front.call[0] : t.front.memfd);
		assert_refused(acts[i].why);
	}
	assert_int_equal(vhost_init(t.loop), 0); /* again: the tests' framework has taken the signal */
	start_logging(FRONT_GPA);
	assert_int_equal(ftruncate(dirty.fd, 0), 0);
	send_to_guest();
	assert_non_null(t.port->quarantine);
	assert_non_null(strstr(t.port->quarantine, "truncated"));
	close_log();
	front_hang_up(&t.front);
	assert_int_equal(descriptors(), t.descriptors);
	front_start(&t.front, t.path);
	assert_works();
}

static void a_guest_that_has_come_is_announced_once(void **state)
{
	static const uint8_t want[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 3, 4, 5, 6, 7, 0x80,
					 0x35, 0,    1,    8,    0,    6,    4, 0, 3, 2, 3, 4, 5,
					 6,    7,    0,    0,    0,    0,    2, 3, 4, 5, 6, 7};
	struct message m = {.u64 = 0x070605040302, .flags = NEED_REPLY};
	struct front *f = &t.front;
	struct epoll_event ev;

	(void)state;
	front_connect(f, t.path);
	front_negotiate(f, 1 << 0 | 1 << 2 | 1 << 3);
	front_memory(f);
	assert_true(front_message(f, SEND_RARP, &m, 8, -1));
	assert_true(front_reply(f, &m));
	assert_int_equal(m.u64, 0);
	assert_int_equal(t.port->ops->peek(t.port, 0, &t.burst), 0); /* the guest does not run yet */
	for (unsigned i = 0; i < 2; i++) {
		front_ring(f, i);
		front_enable(f, i);
	}
	assert_int_equal(epoll_wait(t.epfd, &ev, 1, 0), 1); /* the worker was woken */
	assert_int_equal(t.port->ops->peek(t.port, 1, &t.burst), 0); /* it is queue 0's */
	assert_int_equal(t.port->ops->peek(t.port, 0, &t.burst), 1);
	assert_int_equal(t.burst.frame[0].len, sizeof(want));
	assert_int_equal(t.burst.frame[0].head_len, sizeof(want));
	assert_memory_equal(t.burst.frame[0].head, want, sizeof(want));
	t.port->ops->release(t.port, 0, &t.burst);
	assert_int_equal(front_used(f, 1)->idx, 0); /* nothing of the guest's was given back */
	assert_int_equal(t.port->ops->peek(t.port, 0, &t.burst), 0);
	assert_works();
	front_u64(f, SEND_RARP, 0x070605040301, -1);
	assert_refused("is no guest's MAC address");
}

/* ---- front ends that do not -------------------------------------------------------------------------------------- */

static void what_is_not_as_the_table_says_is_refused(void **state)
{
	static const struct {
		const char *why;
		struct message m;
		unsigned fds;
	} acts[] = {
		{"does not speak vhost-user", {.request = GET_FEATURES, .flags = 2}, 0},
		{"does not speak vhost-user", {.request = GET_FEATURES, .flags = 5}, 0},
		{"does not speak vhost-user", {.request = 0x20544547, .flags = 0x5448202f}, 0}, /* "GET / HT" */
		{"message 0 is not served", {.request = 0, .flags = 1}, 0},
		{"was not negotiated", {.request = SET_LOG_BASE, .flags = 1, .size = 16}, 1},
		{"was not negotiated", {.request = SEND_RARP, .flags = 1, .size = 8}, 0},
		{"message 22 is not served", {.request = 22, .flags = 1, .size = 32}, 0},
		{"message 28 is not served", {.request = 28, .flags = 1}, 0}, /* post-copy */
		{"message 31 is not served", {.request = 31, .flags = 1, .size = 24}, 0}, /* in-flight */
		{"message 4294967295 is not served", {.request = UINT32_MAX, .flags = 1}, 0},
		{"SET_FEATURES of 0 bytes", {.request = SET_FEATURES, .flags = 1}, 0},
		{"SET_FEATURES of 4294967295 bytes", {.request = SET_FEATURES, .flags = 1, .size = UINT32_MAX}, 0},
		{"GET_FEATURES of 8 bytes", {.request = GET_FEATURES, .flags = 1, .size = 8}, 0},
		{"another number of descriptors", {.request = SET_FEATURES, .flags = 1, .size = 8}, 1},
		{"were not offered", {.request = SET_FEATURES, .flags = 1, .size = 8, .u64 = 1ULL << 35}, 0},
		{"were not offered", {.request = SET_PROTOCOL_FEATURES, .flags = 1, .size = 8, .u64 = 1 << 8}, 0},
		{"was not negotiated", {.request = GET_MAX_MEM_SLOTS, .flags = 1}, 0},
		{"was not negotiated", {.request = GET_QUEUE_NUM, .flags = 1}, 0},
		{"was not negotiated", {.request = SET_BACKEND_REQ_FD, .flags = 1}, 1},
		{"1 to 32768", {.request = SET_VRING_NUM, .flags = 1, .size = 8, .state = {0, 0}}, 0},
		{"1 to 32768", {.request = SET_VRING_NUM, .flags = 1, .size = 8, .state = {0, 65536}}, 0},
		{"--queues", {.request = SET_VRING_NUM, .flags = 1, .size = 8, .state = {5, 16}}, 0},
		{"--queues", {.request = GET_VRING_BASE, .flags = 1, .size = 8, .state = {UINT32_MAX, 0}}, 0},
		{"flags 0x3", {.request = SET_VRING_ADDR, .flags = 1, .size = 40, .addr = {0, 3, 0, 0, 0, 0}}, 0},
		{"names no ring", {.request = SET_VRING_KICK, .flags = 1, .size = 8, .u64 = 0x200}, 1},
		{"it says one", {.request = SET_VRING_KICK, .flags = 1, .size = 8, .u64 = 0}, 0},
		{"it says none", {.request = SET_VRING_CALL, .flags = 1, .size = 8, .u64 = 0x100}, 1},
		{"neither an eventfd", {.request = SET_VRING_KICK, .flags = 1, .size = 8, .u64 = 0}, 1},
		{"neither an eventfd", {.request = SET_VRING_CALL, .flags = 1, .size = 8, .u64 = 0}, 1},
		{"enabled by 2", {.request = SET_VRING_ENABLE, .flags = 1, .size = 8, .state = {0, 2}}, 0},
		{"table of 0 regions", {.request = SET_MEM_TABLE, .flags = 1, .size = 8, .table = {.n = 0}}, 0},
		{"table of 9 regions", {.request = SET_MEM_TABLE, .flags = 1, .size = 264, .table = {.n = 9}}, 0},
		{"2 regions in 40 bytes", {.request = SET_MEM_TABLE, .flags = 1, .size = 40, .table = {.n = 2}}, 2},
		{"1 regions with 0 descriptors",
		 {.request = SET_MEM_TABLE, .flags = 1, .size = 40, .table = {.n = 1}},
		 0},
		{"that cannot be", {.request = SET_MEM_TABLE, .flags = 1, .size = 40, .table = {.n = 1}}, 1},
	};
	const int fds[] = {t.front.memfd, t.front.memfd};

	(void)state;
	for (size_t i = 0; i < LEN(acts); i++) {
		struct message m = {.request = SET_OWNER, .flags = 1};

		front_connect(&t.front, t.path);
		assert_true(front_send(&t.front, &m, MESSAGE_HEADER, NULL, 0));
		m = acts[i].m;
		assert_true(front_send(&t.front, &m,
				       MESSAGE_HEADER + (m.size > sizeof(m) - MESSAGE_HEADER ? 0 : m.size), fds,
				       acts[i].fds));
		assert_refused(acts[i].why);
	}
}

static void before_the_owner_nothing_is_set(void **state)
{
	struct message m = {.table = {.n = 1, .region = {{FRONT_GPA, FRONT_MEM, FRONT_USER, 0}}}};

	(void)state;
	front_connect(&t.front, t.path);
	front_message(&t.front, SET_MEM_TABLE, &m, 40, t.front.memfd);
	assert_refused("before SET_OWNER");
}

static void descriptors_come_with_the_first_byte_and_are_few(void **state)
{
	struct message m = {.request = SET_VRING_CALL, .flags = 1, .size = 8};
	int many[20];

	(void)state;
	front_connect(&t.front, t.path);
	assert_true(front_send(&t.front, &m, MESSAGE_HEADER, &t.front.call[0], 1));
	front_turn(&t.front);
	assert_true(front_send(&t.front, &m.u64, 8, &t.front.call[0], 1));
	assert_refused("in the middle");
	for (size_t i = 0; i < LEN(many); i++)
		many[i] = t.front.memfd;
	front_connect(&t.front, t.path);
	assert_true(front_send(&t.front, &m, MESSAGE_HEADER + 8, many, LEN(many)));
	assert_refused("more than 8 descriptors");
}

static void a_refusal_is_a_reply_where_one_is_due(void **state)
{
	struct message m = {.state = {0, 3}, .flags = NEED_REPLY};

	(void)state;
	front_start(&t.front, t.path);
	assert_true(front_message(&t.front, SET_VRING_NUM, &m, 8, -1));
	assert_true(front_reply(&t.front, &m));
	assert_int_equal(m.request, SET_VRING_NUM);
	assert_int_equal(m.u64, 1);
	assert_refused("no power of two");
}

static void half_a_message_waits_alone(void **state)
{
	struct front more = {.loop = t.loop, .sock = -1};
	struct message m = {.request = SET_FEATURES, .flags = 1, .size = 8};
	char byte;

	(void)state;
	front_connect(&t.front, t.path);
	assert_true(front_send(&t.front, &m, MESSAGE_HEADER + 3, NULL, 0));
	front_turn(&t.front);
	assert_false(front_is_out(&t.front));
	for (int i = 0; i < 100; i++) { /* there is one front end at a time */
		front_connect(&more, t.path);
		assert_int_equal(recv(more.sock, &byte, 1, MSG_DONTWAIT), 0);
		close(more.sock);
	}
	front_hang_up(&t.front);
	front_start(&t.front, t.path);
	assert_works();
}

static void replies_that_nobody_reads_are_not_heaped_up(void **state)
{
	struct message m = {.request = GET_FEATURES, .flags = 1};
	unsigned sent = 0;

	(void)state;
	front_connect(&t.front, t.path);
	while (front_send(&t.front, &m, MESSAGE_HEADER, NULL, 0)) {
		if (sent++ % 16 == 0)
			front_turn(&t.front);
		assert_true(sent < 1000000);
	}
	front_turn(&t.front);
	assert_false(front_is_out(&t.front));
	for (unsigned i = 0; i < sent; i++) /* each was kept, here or in the socket */
		assert_true(front_reply(&t.front, &m) || front_reply(&t.front, &m));
	assert_false(front_is_out(&t.front));
}

static void memory_that_cannot_be_mapped_safely_is_refused(void **state)
{
	const struct {
		const char *why;
		struct message_region r;
		int fd;
	} acts[] = {
		{"of a file of", {FRONT_GPA, FRONT_MEM + 1, FRONT_USER, 0}, 0},
		{"of a file of", {FRONT_GPA, FRONT_MEM, FRONT_USER, 4096}, 0},
		{"that cannot be", {FRONT_GPA, 1ULL << 63, FRONT_USER, 0}, 0},
		{"times the host's own", {FRONT_GPA, 1ULL << 50, FRONT_USER, 0}, 0},
		{"that cannot be", {UINT64_MAX, 4096, FRONT_USER, 0}, 0},
		{"that cannot be", {FRONT_GPA, 4096, UINT64_MAX - 4094, 0}, 0},
		{"that cannot be", {FRONT_GPA, 4096, FRONT_USER, UINT64_MAX - 4095}, 0},
		{"reading and writing", {FRONT_GPA, 4096, FRONT_USER, 0}, 1},
		{"no file of this host's kernel", {FRONT_GPA, 4096, FRONT_USER, 0}, 2},
		{"no file of this host's kernel", {FRONT_GPA, 4096, FRONT_USER, 0}, 3},
	};
	int fd[4] = {t.front.memfd};
	char path[32];

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", t.front.memfd);
	fd[1] = open(path, O_RDONLY | O_CLOEXEC);
	fd[2] = t.front.call[0];
	fd[3] = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	t.descriptors += 2;
	for (size_t i = 0; i < LEN(acts); i++) {
		struct message m = {.table = {.n = 1}};

		m.table.region[0] = acts[i].r;
		front_connect(&t.front, t.path);
		front_negotiate(&t.front, 0);
		front_message(&t.front, SET_MEM_TABLE, &m, 40, fd[acts[i].fd]);
		assert_refused(acts[i].why);
	}
	close(fd[1]);
	close(fd[3]);
}

static void regions_neither_overlap_nor_are_too_many(void **state)
{
	struct message m;

	(void)state;
	front_start(&t.front, t.path);
	m = (struct message){.slot = {.region = {FRONT_GPA + FRONT_MEM - 1, 4096, FRONT_USER + FRONT_MEM, 0}}};
	front_message(&t.front, ADD_MEM_REG, &m, 40, t.front.memfd);
	assert_refused("overlap");
	front_start(&t.front, t.path);
	for (unsigned i = 1; i <= RING_REGIONS; i++) {
		m = (struct message){.slot = {.region = {i << 12, 4096, i << 12, 0}}};
		front_message(&t.front, ADD_MEM_REG, &m, 40, t.front.memfd);
	}
	assert_refused("more than 32");
	front_start(&t.front, t.path);
	m = (struct message){.slot = {.region = {1, 2, 3, 4}}};
	front_message(&t.front, REM_MEM_REG, &m, 40, -1);
	assert_refused("never added");
}

static void a_ring_outside_of_memory_is_absent_and_named(void **state)
{
	static const struct {
		const char *why;
		uint64_t desc, avail, used;
		uint32_t size;
	} acts[] = {
		{"ring 0 lies outside", FRONT_MEM, 0x400, 0x800, 16},
		{"ring 0 lies outside", UINT64_MAX - FRONT_USER - 15, 0x400, 0x800, 16},
		{"ring 0 lies outside", FRONT_MEM - 255 - 1 + 16, 0x400, 0x800, 16},
		{"ring 0 lies outside", 0, FRONT_MEM - 2, 0x800, 16},
		{"ring 0 lies outside", 0, 0x400, FRONT_MEM - 4, 16},
		{"ring 0 lies outside", 0, 0x400, FRONT_MEM - 4096, 32768},
		{"ring 0 is not aligned", 8, 0x400, 0x800, 16},
		{"ring 0 is not aligned", 0, 0x401, 0x800, 16},
		{"ring 0 is not aligned", 0, 0x400, 0x802, 16},
	};

	(void)state;
	for (size_t i = 0; i < LEN(acts); i++) {
		struct message m = {.addr = {.index = 0,
					     .desc = FRONT_USER + acts[i].desc,
					     .avail = FRONT_USER + acts[i].avail,
					     .used = FRONT_USER + acts[i].used}};

		front_start(&t.front, t.path);
		assert_works();
		front_message(&t.front, SET_VRING_ADDR, &m, 40, -1);
		front_state(&t.front, SET_VRING_NUM, 0, acts[i].size);
		assert_false(front_is_out(&t.front));
		assert_false(t.port->up);
		assert_non_null(strstr(described(), acts[i].why));
		assert_int_equal(send_from_guest(60), 1); /* the other ring is as it was */
		front_address(&t.front, 0);
		front_state(&t.front, SET_VRING_NUM, 0, FRONT_SIZE);
		assert_works();
		assert_null(strstr(described(), acts[i].why));
		front_hang_up(&t.front);
	}
}

static void a_big_endian_ring_is_named(void **state)
{
	struct front *f = &t.front;

	(void)state;
	front_connect(f, t.path);
	front_negotiate(f, 1 << 6);
	front_memory(f);
	front_state(f, SET_VRING_ENDIAN, 0, 1);
	front_state(f, SET_VRING_ENDIAN, 1, 0);
	for (unsigned i = 0; i < 2; i++) {
		front_ring(f, i);
		front_enable(f, i);
	}
	assert_false(t.port->up);
	assert_non_null(strstr(described(), "ring 0 is big-endian"));
}

static void a_guest_that_truncates_its_memory_is_quarantined_until_it_shares_it_again(void **state)
{
	(void)state;
	assert_int_equal(vhost_init(t.loop), 0); /* again: the tests' framework has taken the signal */
	front_start(&t.front, t.path);
	assert_works();
	assert_int_equal(ftruncate(t.front.memfd, 0), 0);
	t.port->ops->peek(t.port, 0, &t.burst);
	assert_non_null(t.port->quarantine);
	assert_non_null(strstr(t.port->quarantine, "truncated"));
	/* neither a new start of its rings nor growing again mends it: the mapping is gone */
	assert_int_equal(ftruncate(t.front.memfd, FRONT_MEM), 0);
	front_state(&t.front, GET_VRING_BASE, 0, 0);
	front_state(&t.front, GET_VRING_BASE, 1, 0);
	front_ring(&t.front, 0);
	front_ring(&t.front, 1);
	assert_non_null(t.port->quarantine);
	/* the administrator's word makes the front end begin again */
	t.port->quarantine = NULL;
	t.port->ops->resume(t.port);
	assert_int_equal(mappings(), 1);
	front_hang_up(&t.front);
	front_start(&t.front, t.path);
	assert_null(t.port->quarantine);
	assert_works();
}

static void a_broken_ring_is_quarantined_until_it_is_released_or_started_anew(void **state)
{
	(void)state;
	for (int way = 0; way < 2; way++) {
		front_start(&t.front, t.path);
		assert_works();
		front_avail(&t.front, 1)->ring[front_avail(&t.front, 1)->idx % FRONT_SIZE] = 999;
		front_avail(&t.front, 1)->idx++;
		t.port->ops->peek(t.port, 0, &t.burst);
		assert_non_null(t.port->quarantine);
		front_u64(&t.front, SET_VRING_CALL, 1, t.front.call[1]); /* that is no new start */
		assert_non_null(t.port->quarantine);
		front_avail(&t.front, 1)->idx = front_used(&t.front, 1)->idx;
		if (way) {
			t.port->quarantine = NULL;
			t.port->ops->resume(t.port);
		} else {
			front_state(&t.front, GET_VRING_BASE, 0, 0);
			front_state(&t.front, GET_VRING_BASE, 1, 0);
			front_ring(&t.front, 0);
			front_ring(&t.front, 1);
			assert_null(t.port->quarantine);
		}
		assert_works();
		front_hang_up(&t.front);
	}
}

static void no_call_descriptor_can_hold_who_signals(void **state)
{
	const uint64_t full = UINT64_MAX - 1;
	uint64_t count;
	int pair[2];

	(void)state;
	front_start(&t.front, t.path);
	alarm(20); /* else it waits for ever */
	/* the description is shared: what is done to it here is done to the back-end's */
	while (read(t.front.call[0], &count, sizeof(count)) > 0)
		;
	assert_int_equal(write(t.front.call[0], &full, sizeof(full)), sizeof(full));
	assert_int_equal(fcntl(t.front.call[0], F_SETFL, 0), 0);
	for (int i = 0; i < 100; i++)
		assert_works();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	front_u64(&t.front, SET_VRING_CALL, 0, pair[0]);
	for (int i = 0; i < 5000; i++)
		assert_works();
	close(pair[0]);
	close(pair[1]);
	assert_works(); /* nobody is at the other end */
	alarm(0);
}

static void the_log_is_not_the_front_ends_to_fill(void **state)
{
	char path[64];
	int out = dup(STDERR_FILENO), log;
	unsigned lines = 0;
	char c;

	(void)state;
	snprintf(path, sizeof(path), "%s/log", t.dir);
	log = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	dup2(log, STDERR_FILENO);
	for (int i = 0; i < 1000; i++) {
		struct message m = {.request = i % 5, .flags = 2};

		front_connect(&t.front, t.path);
		front_send(&t.front, &m, MESSAGE_HEADER, NULL, 0);
		front_hang_up(&t.front);
	}
	dup2(out, STDERR_FILENO);
	close(out);
	assert_int_equal(lseek(log, 0, SEEK_SET), 0);
	while (read(log, &c, 1) == 1)
		lines += c == '\n';
	close(log);
	unlink(path);
	assert_in_range(lines, 1, 10);
	assert_int_equal(descriptors(), t.descriptors);
}

/* ---- the port's own life ----------------------------------------------------------------------------------------- */

static void a_port_that_connects_does_so_again_and_again(void **state)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)state;
	t.port->ops->close(t.port);
	assert_int_equal(access(t.path, F_OK), -1); /* the socket goes with its port */
	assert_int_equal(open_port(false), 0);
	for (int i = 0; i < 3; i++)
		event_base_loop(t.loop, EVLOOP_ONCE); /* in vain, later and later */
	strcpy(addr.sun_path, t.path);
	assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(listener, 4), 0);
	for (int i = 0; i < 3; i++) {
		while ((t.front.sock = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0)
			event_base_loop(t.loop, EVLOOP_ONCE);
		front_negotiate(&t.front, 1);
		front_memory(&t.front);
		for (unsigned r = 0; r < 2; r++) {
			front_ring(&t.front, r);
			front_enable(&t.front, r);
		}
		assert_works();
		front_hang_up(&t.front);
		assert_false(t.port->up);
	}
	close(listener);
}

static void a_port_without_descriptors_says_so_and_recovers(void **state)
{
	struct rlimit limit, low;
	struct front f;

	(void)state;
	front_init(&f, t.loop);
	f.sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	strcpy(addr.sun_path, t.path);
	assert_int_equal(connect(f.sock, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = (struct rlimit){3, limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	front_turn(&f);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_non_null(strstr(described(), "LimitNOFILE"));
	event_base_loop(t.loop, EVLOOP_ONCE); /* it listens on, later */
	front_turn(&f);
	assert_int_equal(send(f.sock, "GET /", 5, MSG_NOSIGNAL), 5);
	front_fini(&f);
}

static void only_a_dead_socket_makes_way_for_a_port(void **state)
{
	int fd;

	(void)state;
	t.port->ops->close(t.port);
	fd = open(t.path, O_CREAT | O_RDWR | O_CLOEXEC, 0600); /* somebody's file */
	close(fd);
	assert_int_equal(open_port(true), -EEXIST);
	assert_int_equal(access(t.path, F_OK), 0);
	unlink(t.path);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	strcpy(addr.sun_path, t.path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	assert_int_equal(open_port(true), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_guest_sends_and_receives),
		TEST(rings_that_were_only_named_are_not_waited_for),
		TEST(without_protocol_features_rings_start_enabled),
		TEST(messages_in_pieces_are_put_together),
		TEST(where_a_ring_stands_is_told_and_gone_on_from),
		TEST(after_a_crash_the_used_index_is_what_counts),
		TEST(what_does_not_concern_a_running_ring_takes_nothing_back),
		TEST(memory_is_added_and_removed_under_running_rings),
		TEST(a_reset_stops_the_rings),
		TEST(questions_are_answered),
		TEST(the_control_queue_says_how_many_pairs_receive),
		TEST(a_control_queue_that_breaks_the_rules_costs_the_port),
		TEST(what_is_written_is_marked_in_the_log),
		TEST(a_used_ring_over_a_page_edge_is_marked_where_it_was_written),
		TEST(the_log_bounds_what_is_marked),
		TEST(a_log_is_mapped_as_safely_as_memory),
		TEST(a_guest_that_has_come_is_announced_once),
		TEST(what_is_not_as_the_table_says_is_refused),
		TEST(before_the_owner_nothing_is_set),
		TEST(descriptors_come_with_the_first_byte_and_are_few),
		TEST(a_refusal_is_a_reply_where_one_is_due),
		TEST(half_a_message_waits_alone),
		TEST(replies_that_nobody_reads_are_not_heaped_up),
		TEST(memory_that_cannot_be_mapped_safely_is_refused),
		TEST(regions_neither_overlap_nor_are_too_many),
		TEST(a_ring_outside_of_memory_is_absent_and_named),
		TEST(a_big_endian_ring_is_named),
		TEST(a_guest_that_truncates_its_memory_is_quarantined_until_it_shares_it_again),
		TEST(a_broken_ring_is_quarantined_until_it_is_released_or_started_anew),
		TEST(no_call_descriptor_can_hold_who_signals),
		TEST(the_log_is_not_the_front_ends_to_fill),
		TEST(a_port_that_connects_does_so_again_and_again),
		TEST(a_port_without_descriptors_says_so_and_recovers),
		TEST(only_a_dead_socket_makes_way_for_a_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
