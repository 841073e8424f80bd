/* SPDX-License-Identifier: BSD-3-Clause */
/* What a QEMU, which its guest may have taken over, answers on its monitor's socket: the dialogue comes to an end. */
#include <stdlib.h>
#include <sys/socket.h>

#include "fuzz.h"
#include "hypervisor/launch/qemu.c" /* its dialogue takes a socket, and is nobody else's to call */

#define WRITTEN_MAX 65536 /* fits a socket's buffer */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char line[LINE_SIZE];
	uint64_t deadline = clock_ms() + ANSWER_MS;
	int pair[2], r;

	if (size > WRITTEN_MAX)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		abort();
	if (send(pair[1], data, size, MSG_NOSIGNAL) != (ssize_t)size || shutdown(pair[1], SHUT_WR))
		abort();
	r = qmp_read(pair[0], deadline, line);
	if (!r && strnlen(line, sizeof(line)) == sizeof(line))
		abort();
	if (!r)
		r = qmp_ask(pair[0], deadline, "qmp_capabilities");
	if (!r)
		qmp_ask(pair[0], deadline, "system_powerdown");
	close(pair[0]);
	close(pair[1]);
	return 0;
}
