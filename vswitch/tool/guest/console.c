/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xbar console: connects the terminal to a guest's console. If standard input is not a terminal, the command is a pipe: it
 * passes the input to the guest and prints what the guest prints, until the input ends.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "guest.h"
#include "vswitch/base/unixsock.h"
#include "vswitch/tool/cli.h"
#include "xl.h"

#define DETACH 0x1d /* ctrl-], as xl console has it */

static bool write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= n;
	}
	return true;
}

/* Pass input to the guest. false: it has ended, or the user detaches. */
static bool pass_input(int sock, bool terminal)
{
	char data[1024];
	ssize_t n = read(STDIN_FILENO, data, sizeof(data));

	if (n <= 0)
		return n < 0 && errno == EINTR;
	char *end = terminal ? memchr(data, DETACH, n) : NULL;
	if (!write_all(sock, data, end ? end - data : n))
		return false;
	return !end;
}

/* Until the user detaches or the guest ends. */
static void relay(int sock, bool terminal)
{
	struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = sock, .events = POLLIN}};
	char data[4096];

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return;
		if (fds[1].revents) {
			ssize_t n = read(sock, data, sizeof(data));
			if (n <= 0 || !write_all(STDOUT_FILENO, data, n))
				return;
		}
		if (fds[0].revents && !pass_input(sock, terminal))
			return;
	}
}

static void console(int sock)
{
	struct termios before, raw;
	bool terminal = !tcgetattr(STDIN_FILENO, &before);

	if (terminal) {
		fputs("(Ctrl-] detaches from the console)\n", stderr);
		raw = before;
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	}
	relay(sock, terminal);
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
		fputc('\n', stderr);
	}
}

int guest_console(const char *name)
{
	struct guest_dir dir;
	struct err err;
	char path[PATH_MAX];

	if (guest_find(name, &dir, &err) == GUEST_NONE)
		return guest_xl_here() ? guest_xl("console", NULL, name) : cli_fail("%s", err.text);
	if ((size_t)snprintf(path, sizeof(path), "%s/console.sock", dir.path) >= sizeof(path))
		return cli_fail("%s: the path is too long", dir.path);
	int sock = unixsock_connect(path, SOCK_STREAM);
	if (sock < 0)
		return cli_fail("guest %s: cannot connect to its console at %s: %s", name, path, strerror(-sock));
	console(sock);
	close(sock);
	return 0;
}

int cmd_console(const json_t *args)
{
	return guest_console(cli_string(args, "name"));
}
