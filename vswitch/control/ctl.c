/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Clients: accepting, reading lines, writing answers. ctl_request.c has what happens to a line.
 *
 * A client is in one of three states, and who is in which decides who may free it:
 *   idle      no request; its lines are read. Freed when it ends, or is idle for too long.
 *   asking    `request` is set; nothing is read. When the connection ends meanwhile, the request is left without a client
 *             and frees itself when it is answered.
 *   closing   the last answer is being written; nothing is read. Freed when all is written, or that takes too long.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctl.h"
#include "ctl_impl.h"
#include "vswitch/base/log.h"
#include "vswitch/base/unixsock.h"
#include "vswitch/daemon/daemon.h"

#define GROUPS_MAX 65536 /* as many as Linux lets a process be in */
#define ACCEPTS 8 /* in a turn of the loop */
/* Of the loop: what those who may act ask comes before all else, and what others ask when nothing else is to be done. */
#define PRIORITY_WRITER 0
#define PRIORITY_READER (LOOP_PRIORITIES - 1)

static void client_free(struct client *client)
{
	LIST_REMOVE(client, link);
	if (client->request)
		request_orphan(client->request);
	bufferevent_free(client->bev);
	free(client);
}

static void client_close_when_written(struct client *client)
{
	client->closing = true;
	bufferevent_disable(client->bev, EV_READ);
	if (!evbuffer_get_length(bufferevent_get_output(client->bev)))
		client_free(client);
}

static void write_answer(struct client *client, const json_t *answer)
{
	struct evbuffer *output = bufferevent_get_output(client->bev);
	char *text = json_dumps(answer, JSON_COMPACT);

	if (text)
		evbuffer_add(output, text, strlen(text));
	else
		evbuffer_add_printf(output, "{\"ok\": false, \"error\": \"no memory for the answer\"}");
	evbuffer_add(output, "\n", 1);
	free(text);
}

static void write_error(struct client *client, const char *sentence)
{
	json_t *answer = json_pack("{s:b, s:s}", "ok", 0, "error", sentence);
	write_answer(client, answer);
	json_decref(answer);
}

/* Work on a line, if there is one; the next one's turn comes when the answer has been read (on_written()). */
static void take_line(struct client *client)
{
	struct evbuffer *input = bufferevent_get_input(client->bev);
	size_t len;

	char *line = evbuffer_readln(input, &len, EVBUFFER_EOL_LF);
	if (line) {
		bufferevent_disable(client->bev, EV_READ);
		request_run(client, line, len);
		free(line);
	} else if (evbuffer_get_length(input) >= CTL_LINE_MAX) {
		write_error(client, "the request is too long: a line may have 65535 bytes");
		client_close_when_written(client);
	} else if (client->eof) {
		client_close_when_written(client);
	}
}

/* Neither is a request worked on, nor an answer waiting to be read. */
static bool is_free(const struct client *client)
{
	return !client->closing && !client->request && !evbuffer_get_length(bufferevent_get_output(client->bev));
}

static void on_readable(struct bufferevent *bev, void *arg)
{
	struct client *client = arg;

	(void)bev;
	if (is_free(client))
		take_line(client);
}

static void on_written(struct bufferevent *bev, void *arg)
{
	struct client *client = arg;

	if (client->closing) {
		client_free(client);
	} else if (!client->request) {
		if (!client->eof)
			bufferevent_enable(bev, EV_READ);
		take_line(client);
	}
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct client *client = arg;

	(void)bev;
	/* A client may send its last line, say so with shutdown(2), and still want its answers. */
	if ((what & BEV_EVENT_EOF) && !client->closing) {
		client->eof = true;
		if (is_free(client))
			take_line(client);
		return;
	}
	client_free(client);
}

void client_answer(struct client *client, const json_t *answer)
{
	client->request = NULL;
	write_answer(client, answer);
	/* on_written() goes on with the next line, from the loop: not here, where a handler may still be at work. */
}

static bool in_group(int fd, gid_t group)
{
	socklen_t size = GROUPS_MAX * sizeof(gid_t);
	gid_t *groups = malloc(size);
	bool found = false;

	if (groups && !getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
		for (size_t i = 0; i < size / sizeof(gid_t) && !found; i++)
			found = groups[i] == group;
	free(groups);
	return found;
}

/* Fill in who the client is; false: it cannot be told. */
static bool identify(struct client *client, int fd)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size))
		return false;
	client->pid = cred.pid;
	client->uid = cred.uid;
	client->may_write = cred.uid == 0;
	if (!client->may_write && client->ctl->group >= 0)
		client->may_write = cred.gid == (gid_t)client->ctl->group || in_group(fd, client->ctl->group);
	return true;
}

static void refuse(int fd, const char *answer)
{
	/* A fresh socket's buffer is empty: this is written whole or, to a client that is gone, not at all. */
	if (send(fd, answer, strlen(answer), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("cannot tell a client that it is refused: %s", strerror(errno));
	close(fd);
}

/* Why the client is one too many; NULL: it is not. Root is bounded by itself alone: nobody else keeps it out. */
static const char *check_room(const struct ctl *ctl, const struct client *client)
{
	unsigned all = 0, readers = 0, same = 0;
	const struct client *other;

	LIST_FOREACH(other, &ctl->list, link)
	{
		all += other->uid != 0;
		readers += !other->may_write;
		same += other->uid == client->uid;
	}
	if (same >= (client->uid ? CTL_USER_MAX : CTL_ROOT_MAX))
		return "too many clients of this user are connected already";
	if (client->uid && (all >= CTL_CLIENTS_MAX || (!client->may_write && readers >= CTL_READERS_MAX)))
		return "too many clients are connected already";
	return NULL;
}

/* A client on `fd`, which is the client's then. 0 or -errno. */
static int client_new(struct ctl *ctl, int fd)
{
	static const struct timeval idle = {.tv_sec = CTL_IDLE_S};
	struct client *client = calloc(1, sizeof(*client));
	char answer[128];

	if (!client)
		return -ENOMEM;
	client->ctl = ctl;
	if (!identify(client, fd)) {
		free(client);
		return -EPERM;
	}
	const char *why = check_room(ctl, client);
	if (why) {
		free(client);
		snprintf(answer, sizeof(answer), "{\"ok\": false, \"error\": \"xbard: %s; try again later\"}\n", why);
		refuse(fd, answer);
		return 0;
	}
	client->bev =
		bufferevent_socket_new(ctl->parts->daemon->base, fd, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (!client->bev) {
		free(client);
		return -ENOMEM;
	}
	LIST_INSERT_HEAD(&ctl->list, client, link);
	bufferevent_priority_set(client->bev, client->may_write ? PRIORITY_WRITER : PRIORITY_READER);
	bufferevent_setcb(client->bev, on_readable, on_written, on_event, client);
	bufferevent_setwatermark(client->bev, EV_READ, 0, CTL_LINE_MAX);
	bufferevent_set_timeouts(client->bev, &idle, &idle);
	bufferevent_enable(client->bev, EV_READ | EV_WRITE);
	return 0;
}

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
	(void)what;
	for (unsigned i = 0; i < ACCEPTS; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
			continue;
		if (fd < 0)
			return;
		if (client_new(arg, fd))
			close(fd);
	}
}

static int listen_on(const char *path, struct err *err)
{
	/* Everybody may connect and look; what a client may do is decided by who it is. */
	int fd = unixsock_listen(path, 0666);

	if (fd == -ENAMETOOLONG)
		return err_set(
			err, fd,
			"socket path %s is too long: a unix socket's may have %zu bytes; choose another with --socket",
			path, UNIXSOCK_PATH_MAX);
	return fd < 0 ? err_set(err, fd, "cannot listen on %s: %s", path, strerror(-fd)) : fd;
}

int ctl_open(const struct parts *parts, struct ctl **out, struct err *err)
{
	struct ctl *ctl = calloc(1, sizeof(*ctl));
	if (!ctl)
		return err_set(err, -ENOMEM, "no memory for the control socket");
	ctl->parts = parts;
	ctl->group = -1;
	LIST_INIT(&ctl->list);

	int fd = listen_on(parts->daemon->socket_path, err);
	if (fd < 0) {
		free(ctl);
		return fd;
	}
	ctl->fd = fd;
	ctl->accepting = event_new(parts->daemon->base, fd, EV_READ | EV_PERSIST, on_accept, ctl);
	if (!ctl->accepting || event_priority_set(ctl->accepting, PRIORITY_WRITER)) {
		ctl_close(ctl);
		return err_set(err, -ENOMEM, "no memory for the control socket");
	}
	*out = ctl;
	return 0;
}

int ctl_begin(struct ctl *ctl, struct err *err)
{
	return event_add(ctl->accepting, NULL) ? err_nomem(err) : 0;
}

void ctl_close(struct ctl *ctl)
{
	struct client *client;

	if (!ctl)
		return;
	if (ctl->accepting)
		event_free(ctl->accepting);
	close(ctl->fd);
	unixsock_remove(ctl->parts->daemon->socket_path);
	while ((client = LIST_FIRST(&ctl->list)))
		client_free(client);
	free(ctl);
}

int ctl_set_group(struct ctl *ctl, const char *name, bool optional, struct err *err)
{
	struct group *group = *name ? getgrnam(name) : NULL;

	if (*name && !group && !optional)
		return err_set(err, -ENOENT,
			       "socket_group: there is no group %s; make it with `groupadd --system %s`, or set "
			       "socket_group = \"\"",
			       name, name);
	ctl->group = group ? (int)group->gr_gid : -1;
	return 0;
}

int ctl_group(const struct ctl *ctl)
{
	return ctl->group;
}
