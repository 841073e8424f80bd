/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xbar console: joins the terminal to a guest's console. Without a terminal it is a pipe: standard input goes to the
 * guest, and ends it; what the guest prints comes out.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "dir.h"
#include "guest.h"
#include "hypervisor/launch/launch.h"
#include "vswitch/tool/cli.h"
#include "xl.h"

#define DETACH 0x1d /* ctrl-], as xl console has it */

static const char usage[] = "usage: xbar console NAME\n"
			    "  A guest's console; ctrl-] leaves it. Without a terminal, the end of the input does.\n";

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

/* Input to the guest. false: done. */
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

/* Join until the user leaves, or the guest does. */
static void join(int sock, bool terminal)
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
		fputs("(ctrl-] leaves the console)\n", stderr);
		raw = before;
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	}
	join(sock, terminal);
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
		fputc('\n', stderr);
	}
}

int cmd_console(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
	struct guest_dir dir;
	struct err err;
	char path[PATH_MAX];

	optind = 0; /* another command's options may have been read before */
	int option = getopt_long(argc, argv, "", options, NULL);
	if (option >= 0 || argc - optind != 1) {
		fputs(usage, option == 'h' ? stdout : stderr);
		return option == 'h' ? 0 : CLI_USAGE;
	}
	const char *name = argv[optind];
	if (hv_launch_check_name(name, &err) || guest_dir_name(&dir, name, &err))
		return cli_fail("%s", err.text);
	if (guest_dir_state(&dir) == GUEST_NONE && guest_xl_here())
		return guest_xl("console", NULL, name);
	if (guest_dir_state(&dir) == GUEST_NONE)
		return cli_fail("there is no guest %s; `xbar list` shows those that there are", name);
	if ((size_t)snprintf(path, sizeof(path), "%s/console.sock", dir.path) >= sizeof(path))
		return cli_fail("%s: too long a path", dir.path);
	int sock = hv_unix_connect(path, SOCK_STREAM);
	if (sock < 0)
		return cli_fail("guest %s: cannot reach its console at %s: %s", name, path, strerror(-sock));
	console(sock);
	close(sock);
	return 0;
}
