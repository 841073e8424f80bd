/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"

#define DEFAULT_PATH "/run/xbar/xbard.sock"
#define ANSWER_MAX (256 << 20) /* a hundred thousand MACs take about ten megabytes */
#define ANSWER_TIMEOUT_S 600 /* scripts have time limits of their own, and these are shorter */

const char *client_path(void)
{
	const char *path = getenv("XBAR_SOCKET");
	return path && *path ? path : DEFAULT_PATH;
}

/* A connected socket, or -1 with a sentence. */
static int connect_to(const char *path, char *err, size_t errlen)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = ANSWER_TIMEOUT_S};

	if (strlen(path) >= sizeof(addr.sun_path)) {
		snprintf(err, errlen, "the path of xbard's socket is too long: %s", path);
		return -1;
	}
	strcpy(addr.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		snprintf(err, errlen, "cannot make a socket: %s", strerror(errno));
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	if (errno == ENOENT || errno == ECONNREFUSED)
		snprintf(err, errlen,
			 "xbard does not run (nothing listens on %s): start it with `systemctl start xbard`, or name "
			 "its "
			 "socket in $XBAR_SOCKET",
			 path);
	else
		snprintf(err, errlen, "cannot connect to xbard at %s: %s", path, strerror(errno));
	close(fd);
	return -1;
}

static int send_all(int fd, const char *text)
{
	for (size_t left = strlen(text); left;) {
		ssize_t n = send(fd, text, left, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		left -= n;
	}
	return 0;
}

/* One line, less its end, to be freed; or NULL with errno, 0 for a connection that ended before it. */
static char *receive_line(int fd)
{
	size_t size = 65536, len = 0;
	char *line = malloc(size), *end;

	while (line) {
		ssize_t n = recv(fd, line + len, size - len - 1, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int e = n ? errno : 0;
			free(line);
			errno = e;
			return NULL;
		}
		line[len + n] = '\0';
		end = strchr(line + len, '\n');
		if (end) {
			*end = '\0';
			return line;
		}
		len += n;
		if (len + 1 < size)
			continue;
		char *larger = size < ANSWER_MAX ? realloc(line, size *= 2) : NULL;
		if (!larger)
			free(line);
		line = larger;
	}
	errno = ENOMEM;
	return NULL;
}

/* The result within an answer (a new reference), or NULL with a sentence. */
static json_t *take_result(const char *line, char *err, size_t errlen)
{
	json_error_t where;
	json_t *answer = json_loads(line, 0, &where), *result = NULL;
	const char *why = json_string_value(json_object_get(answer, "error"));

	if (json_is_true(json_object_get(answer, "ok")))
		result = json_incref(json_object_get(answer, "result"));
	if (!result)
		snprintf(err, errlen, "%s",
			 why ? why : "xbard's answer cannot be understood: is it of another version?");
	json_decref(answer);
	return result;
}

json_t *client_call(const char *cmd, json_t *args, char *err, size_t errlen)
{
	json_t *request = args ? args : json_object(), *result = NULL;
	char *text = NULL, *line = NULL;
	int fd = -1, r;

	if (json_object_set_new(request, "cmd", json_string(cmd)) || !(text = json_dumps(request, JSON_COMPACT))) {
		snprintf(err, errlen, "the request cannot be written as JSON: is an argument not UTF-8?");
		goto out;
	}
	fd = connect_to(client_path(), err, errlen);
	if (fd < 0)
		goto out;
	/* xbard may answer, and hang up, before it has read all: its answer says more than the error. */
	r = send_all(fd, text);
	if (!r)
		r = send_all(fd, "\n");
	line = receive_line(fd);
	if (line)
		result = take_result(line, err, errlen);
	else if (errno == EAGAIN || errno == EWOULDBLOCK)
		snprintf(err, errlen, "xbard has not answered for %d s", ANSWER_TIMEOUT_S);
	else if (r || errno)
		snprintf(err, errlen, "lost the connection to xbard: %s", strerror(r ? -r : errno));
	else
		snprintf(err, errlen, "xbard hung up without an answer; its log says why");
out:
	if (fd >= 0)
		close(fd);
	free(line);
	free(text);
	json_decref(request);
	return result;
}

bool client_is_listening(void)
{
	char err[1024];
	int fd = connect_to(client_path(), err, sizeof(err));

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}
