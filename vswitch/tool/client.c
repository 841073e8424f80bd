/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "vswitch/base/unixsock.h"

#define DEFAULT_PATH "/run/xbar/xbard.sock"
#define ANSWER_MAX (256 << 20) /* bytes; a hundred thousand MACs take about ten million */
#define ANSWER_TIMEOUT_S 600 /* longer than any time limit of the scripts that xbard runs */

const char *client_path(void)
{
	const char *path = getenv("XBAR_SOCKET");
	return path && *path ? path : DEFAULT_PATH;
}

/* A connected socket, or -errno. */
static int connect_to(const char *path, struct err *err)
{
	struct timeval limit = {.tv_sec = ANSWER_TIMEOUT_S};

	int fd = unixsock_connect(path, SOCK_STREAM);
	if (fd == -ENOENT || fd == -ECONNREFUSED)
		return err_set(
			err, fd,
			"xbard is not running (nothing listens on %s): start it with `systemctl start xbard`, or "
			"name its socket in $XBAR_SOCKET",
			path);
	if (fd < 0)
		return err_set(err, fd, "cannot connect to xbard at %s: %s", path, strerror(-fd));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return fd;
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

/* One line without its newline, to be freed; or NULL with errno, 0 if the connection ended first. */
static char *receive_line(int fd)
{
	size_t size = 65536, len = 0;
	char *line = malloc(size), *end;

	while (line) {
		ssize_t n = recv(fd, line + len, size - len - 1, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int r = n ? errno : 0;
			free(line);
			errno = r;
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

/* The result within an answer (a new reference), or NULL with the error. */
static json_t *take_result(const char *line, struct err *err)
{
	json_t *answer = json_loads(line, 0, NULL), *result = NULL;
	const char *why = json_string_value(json_object_get(answer, "error"));

	if (json_is_true(json_object_get(answer, "ok")))
		result = json_incref(json_object_get(answer, "result"));
	if (!result)
		err_set(err, -EIO, "%s", why ? why : "xbard's answer is not understood: is it another version?");
	json_decref(answer);
	return result;
}

json_t *client_call(const char *cmd, json_t *args, struct err *err)
{
	json_t *request = args ? args : json_object(), *result = NULL;
	char *text = NULL, *line = NULL;
	int fd = -1, r;

	if (json_object_set_new(request, "cmd", json_string(cmd)) || !(text = json_dumps(request, JSON_COMPACT))) {
		err_set(err, -EINVAL,
			"the request cannot be written as JSON: an argument is not UTF-8, or memory ran out");
		goto out;
	}
	fd = connect_to(client_path(), err);
	if (fd < 0)
		goto out;
	/* xbard may answer and hang up before it has read everything: then its answer says more than the error. */
	r = send_all(fd, text);
	if (!r)
		r = send_all(fd, "\n");
	line = receive_line(fd);
	if (line)
		result = take_result(line, err);
	else if (errno == EAGAIN || errno == EWOULDBLOCK)
		err_set(err, -ETIMEDOUT, "xbard has not answered for %d s", ANSWER_TIMEOUT_S);
	else if (r || errno)
		err_set(err, -EIO, "lost the connection to xbard: %s", strerror(r ? -r : errno));
	else
		err_set(err, -EIO, "xbard hung up without an answer; its log says why");
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
	int fd = unixsock_connect(client_path(), SOCK_STREAM);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}
