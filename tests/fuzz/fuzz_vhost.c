/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A front end that says what it likes, and a guest that writes what it likes where it likes, in any order. The input is a
 * program of acts: messages that are good but for some bytes, raw bytes, kicks, writes to memory, its truncation, hanging
 * up, and turns of the worker. Each message goes through a socket and the loop. The checks: whatever ring the worker is
 * shown lies in mapped memory, with a size that can be; and nothing is held when all is over.
 */
#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "tests/unit/vhost_front.h"
#include "vif/vhost/connection.h"

#define MEM 65536
#define PAIRS 2
#define GPA 0x10000
#define LOG ((GPA + MEM) / 4096 / 8) /* bytes of dirty log, for all of it */
#define USER 0x7f0000000000ULL
#define ACTS_MAX 400

static struct {
	struct event_base *loop;
	struct vif_port port;
	struct vif_counters counters[VIF_WORKERS_MAX];
	struct vif_burst burst;
	struct device device;
	struct connection connection;
	int front; /* the other end; -1 */
	int memfd, kick, call;
	uint8_t *mem;
} z;

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void no_wait(void)
{
}

static void on_ended(struct connection *connection, const struct err *why)
{
	check(connection->fd == -1 && why->text[0] && !z.device.session && !z.device.memory.n);
}

/* Whether `len` bytes at `p` are in a region. */
static bool is_mapped(const void *p, uint64_t len)
{
	for (unsigned i = 0; i < z.device.memory.n; i++) {
		const struct memory_region *r = &z.device.memory.region[i];
		const uint64_t at = (const uint8_t *)p - r->va;

		if (at < r->size && len <= r->size - at)
			return true;
	}
	return false;
}

static void check_ring(const struct ring *ring)
{
	const uint64_t n = ring->size;

	if (!ring->enabled)
		return;
	check(n && n <= VRING_SIZE_MAX);
	if (ring->packed) {
		check(is_mapped(ring->slot, 16 * n) && is_mapped(ring->driver_event, 4) &&
		      is_mapped(ring->device_event, 4));
		return;
	}
	check(!(n & (n - 1)));
	check(is_mapped(ring->desc, 16 * n) && is_mapped(ring->avail, 6 + 2 * n) && is_mapped(ring->used, 6 + 8 * n));
}

static void on_served(struct connection *connection)
{
	const struct session *s = z.device.session;

	(void)connection;
	check(z.device.memory.n <= RING_REGIONS);
	if (!s)
		return;
	check(s->tx_queues <= PAIRS && s->rx_queues <= PAIRS);
	for (unsigned q = 0; q < s->pairs; q++) {
		check_ring(&s->rx[q]);
		check_ring(&s->tx[q]);
	}
	check_ring(&s->ctrl);
}

static void begin(void)
{
	int pair[2];

	check(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
	z.front = pair[0];
	check(!connection_begin(&z.connection, pair[1]));
}

static void end(void)
{
	connection_end(&z.connection, false);
	close(z.front);
	check(!z.device.session && !z.device.memory.n);
}

static void turn(void)
{
	event_base_loop(z.loop, EVLOOP_NONBLOCK);
}

static void send_bytes(const void *bytes, size_t len, int fd)
{
	const struct front front = {.sock = z.front};

	front_send(&front, bytes, len, &fd, fd >= 0); /* fails if it has been hung up on */
	turn();
}

/* A good message of the kind `request` about ring `index`, with one 8-byte word of the payload changed by `twist`. */
static void send_message(uint8_t request, uint8_t index, uint8_t where, uint64_t twist)
{
	struct message m = {.request = request % 45, .flags = request & 0x80 ? 9 : 1, .size = 8};
	const uint64_t at = USER + index % 5 * 0x2000u;
	const struct message_region all = {GPA, MEM, USER, 0};
	int fd = -1;

	switch (m.request) {
	case 1:
	case 3:
	case 4:
	case 15:
	case 17:
	case 34:
	case 36:
	case 40: /* without a payload */
		m.size = 0;
		break;
	case 2:
		m.u64 = 0x160008000ULL | 1ULL << 17 | 1ULL << 22 | 1ULL << 26;
		break;
	case 5:
		m.table.n = 1;
		m.table.region[0] = all;
		m.size = 40;
		fd = z.memfd;
		break;
	case 6:
		m.log.size = LOG;
		m.size = 16;
		fd = z.memfd; /* the guest may well write to its log */
		break;
	case 8:
	case 18:
		m.state.index = index % 6;
		m.state.num = m.request == 8 ? 16 : 1;
		break;
	case 9:
		m.addr.index = index % 6;
		m.addr.desc = at;
		m.addr.avail = at + 0x800;
		m.addr.used = at + 0x1000;
		m.addr.flags = index >> 7;
		m.addr.log = at + 0x1000 - USER + GPA;
		m.size = 40;
		break;
	case 10:
	case 11:
	case 23:
		m.state.index = index % 6;
		break;
	case 12:
	case 13:
	case 14:
		m.u64 = index % 6;
		fd = m.request == 12 ? z.kick : z.call;
		break;
	case 16:
		m.u64 = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 6 | 1 << 13 | 1 << 15 | 1 << 16;
		break;
	case 19:
		m.u64 = 0x020000000001;
		break;
	case 21:
		m.size = 0;
		fd = z.call;
		break;
	case 24:
		m.config.size = 12;
		m.size = 24;
		break;
	case 37:
	case 38:
		m.slot.region = all;
		m.size = 40;
		fd = m.request == 37 ? z.memfd : -1;
		break;
	default:
		break;
	}
	if (where != 0xff && m.size >= 8) {
		uint64_t word;
		uint8_t *p = (uint8_t *)&m + MESSAGE_HEADER + where % (m.size / 8) * 8;

		memcpy(&word, p, 8);
		word ^= twist;
		memcpy(p, &word, 8);
	}
	send_bytes(&m, MESSAGE_HEADER + m.size, where & 0x40 && where != 0xff ? -1 : fd);
}

static void work(void)
{
	static uint8_t head[VIF_HEAD_LEN] __attribute__((aligned(64)));
	struct vif_frame frame = {.head = head, .len = 60, .head_len = 60}, *one = &frame;
	struct session *s = z.device.session;

	for (unsigned q = 0; s && !z.port.quarantine && q < s->pairs; q++) {
		struct ring *rx = &s->rx[q], *tx = &s->tx[q];

		if (rx->enabled && !rx->broken) {
			if (ring_peek(rx, &z.burst, z.counters))
				ring_release(rx, &z.burst);
			if (ring_notify(rx))
				signal_send(&s->rx_call[q]);
			ring_arm(rx);
		}
		if (tx->enabled && !tx->broken) {
			ring_deliver(tx, &one, 1, z.counters);
			if (ring_notify(tx))
				signal_send(&s->tx_call[q]);
		}
		if (rx->broken || tx->broken)
			vif_quarantine(&z.port, rx->broken ? rx->broken : tx->broken);
	}
}

static void init(void)
{
	z.loop = event_base_new();
	z.memfd = memfd_create("fuzz", MFD_CLOEXEC);
	check(z.loop && z.memfd >= 0 && !ftruncate(z.memfd, MEM));
	z.mem = mmap(NULL, MEM, PROT_READ | PROT_WRITE, MAP_SHARED, z.memfd, 0);
	check(z.mem != MAP_FAILED);
	z.kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	z.call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	z.port.counters = z.counters;
	for (unsigned i = 0; i < VIF_WORKERS_MAX; i++)
		z.port.epfd[i] = epoll_create1(EPOLL_CLOEXEC);
	vif_synchronize = no_wait;
	check(!signal_init() && !memory_catch_sigbus());
}

struct input {
	const uint8_t *at;
	size_t left;
};

static uint64_t take(struct input *in, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes && in->left; i++, in->left--)
		v |= (uint64_t)*in->at++ << 8 * i;
	return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	uint64_t count;

	if (!z.loop)
		init();
	check(!ftruncate(z.memfd, MEM));
	memset(z.mem, 0, MEM);
	z.port.quarantine = NULL;
	z.device = (struct device){
		.port = &z.port, .loop = z.loop, .pairs = PAIRS, .offered = device_features(true, true, true)};
	device_init(&z.device);
	z.connection = (struct connection){.device = &z.device, .fd = -1, .ended = on_ended, .served = on_served};
	begin();
	for (unsigned i = 0; i < ACTS_MAX && in.left; i++) {
		const uint8_t what = take(&in, 1);

		if (z.connection.fd < 0) {
			close(z.front);
			begin();
		}
		switch (what % 8) {
		case 0:
		case 1:
		case 2: {
			uint8_t request = take(&in, 1), index = take(&in, 1), where = take(&in, 1);

			send_message(request, index, where, where == 0xff ? 0 : take(&in, 8));
			break;
		}
		case 3: {
			size_t n = take(&in, 1);

			n = n < in.left ? n : in.left;
			send_bytes(in.at, n, what & 0x80 ? z.memfd : -1);
			in.at += n;
			in.left -= n;
			break;
		}
		case 4:
			work();
			turn();
			break;
		case 5: { /* the guest writes */
			const unsigned at = take(&in, 2) & (MEM - 8);
			uint64_t word = take(&in, 8);

			memcpy(z.mem + at, &word, sizeof(word));
			break;
		}
		case 6:
			count = 1;
			check(write(z.kick, &count, sizeof(count)) == sizeof(count));
			turn();
			break;
		default:
			if (what & 0x80) { /* the memory goes, is looked for, and comes again for the next one */
				check(!ftruncate(z.memfd, 0));
				work();
				turn();
				check(!ftruncate(z.memfd, MEM));
			} else {
				end();
				begin();
			}
		}
	}
	end();
	while (read(z.kick, &count, sizeof(count)) > 0 || read(z.call, &count, sizeof(count)) > 0)
		;
	return 0;
}
