/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two well-behaved guests beside a hostile one: the first sends frames with numbers to the second, which checks that each
 * of them comes, once, in order and whole. Few are on their way at any time, so that none is lost for want of buffers.
 *
 * usage: bystanders SOCKET SOCKET     for each line on standard input it answers "FRAMES LOST LONGEST": frames received
 *                                     since the start, frames lost, and the longest wait for one in milliseconds since
 *                                     the last answer
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/frontend.h"
#include "vswitch/base/clock.h"

#define RING 256
#define LEN 600
#define WINDOW 16
#define LOST_MS 20000 /* a frame that is not there after this is lost */

static struct guest sender, receiver;
static uint64_t sent, received, lost;

static void write_frame(uint8_t *p, uint8_t from, uint8_t to, uint64_t number)
{
	memset(p, (int)number, LEN);
	memcpy(p, (uint8_t[14]){2, 0, 0, 0, 0xb5, to, 2, 0, 0, 0, 0xb5, from, 0x88, 0xb5}, 14);
	memcpy(p + 16, &number, sizeof(number));
}

static bool is_frame(const uint8_t *p, uint32_t len, uint64_t number)
{
	static uint8_t want[LEN];

	write_frame(want, 1, 2, number);
	return len == LEN && !memcmp(p, want, LEN);
}

static void send_one(struct guest *g, uint8_t from, uint8_t to, uint64_t number)
{
	while (!guest_tx_reap(g))
		;
	memset(guest_tx_frame(g, 0) - GUEST_HDR, 0, GUEST_HDR);
	write_frame(guest_tx_frame(g, 0), from, to, number);
	guest_tx_send(g, 1);
}

/* Take what has come; frames of others are passed over. */
static bool receive(void)
{
	const uint64_t before = received;
	uint16_t n = guest_rx_waiting(&receiver);

	for (uint16_t k = 0; k < n; k++) {
		uint32_t len = 0;
		const uint8_t *p = guest_rx_frame(&receiver, k, &len);
		uint64_t number;

		if (!p || len < 24 || p[12] != 0x88 || p[11] != 1)
			continue;
		memcpy(&number, p + 16, sizeof(number));
		lost += !is_frame(p, len, received) || number != received;
		received = number + 1;
	}
	if (n) {
		guest_rx_done(&receiver, n);
		guest_publish(&receiver, &receiver.rx);
	}
	return received != before;
}

static int start(struct guest *g, const char *path)
{
	const struct guest_opts opts = {.ring = RING, .frame = LEN};
	const char *why = "making memory";
	int r = guest_new(g, &opts);

	if (!r)
		r = frontend_start(g, path, -1, 30, false, &why);
	if (r)
		fprintf(stderr, "bystanders: %s: %s: %s\n", path, why, strerror(-r));
	else
		guest_shape(g);
	return r;
}

int main(int argc, char **argv)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	uint64_t last = 0, longest = 0, announced = 0;
	char line[64];

	if (argc != 3 || start(&sender, argv[1]) || start(&receiver, argv[2]))
		return 1;
	send_one(&receiver, 2, 1, 0);
	last = clock_ms();
	for (;;) {
		const uint64_t now = clock_ms();

		while (sent - received < WINDOW)
			send_one(&sender, 1, 2, sent++);
		if (receive()) {
			if (received / 1024 != announced) /* the switch is to know where it is */
				send_one(&receiver, 2, 1, announced = received / 1024);
			longest = now - last > longest ? now - last : longest;
			last = now;
		} else if (now - last > LOST_MS) {
			lost += sent - received;
			received = sent;
		}
		if (poll(&in, 1, 1) == 1) {
			if (!fgets(line, sizeof(line), stdin))
				return 0;
			printf("%llu %llu %llu\n", (unsigned long long)received, (unsigned long long)lost,
			       (unsigned long long)longest);
			fflush(stdout);
			longest = 0;
		}
	}
}
