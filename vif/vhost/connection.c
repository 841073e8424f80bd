/* SPDX-License-Identifier: BSD-3-Clause */
#include "connection.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOTHING_MORE 1 /* until the socket is ready again */

static void drop_fds(struct message_fds *fds)
{
	for (unsigned i = 0; i < fds->n; i++)
		close(fds->fd[i]);
	fds->n = 0;
}

void connection_end(struct connection *s, bool unseen)
{
	struct event **events[] = {&s->readable, &s->writable, &s->idle};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (*events[i])
			event_free(*events[i]);
		*events[i] = NULL;
	}
	drop_fds(&s->fds);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	device_reset(s->device, unseen);
}

static void fail(struct connection *s, const struct err *why)
{
	connection_end(s, false);
	s->ended(s, why);
}

static int hung_up(struct err *why)
{
	return err_set(why, -ECONNRESET, "the front end hung up");
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* The descriptors that came with the bytes read at `at`. */
static int keep_fds(struct connection *s, struct msghdr *msg, bool at_start, struct err *why)
{
	struct message_fds got = {0};
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			const size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

			memcpy(got.fd, CMSG_DATA(c), n * sizeof(int)); /* the buffer has room for no more */
			got.n = n;
		}
	if (!(msg->msg_flags & MSG_CTRUNC) && (at_start || !got.n)) {
		if (got.n)
			s->fds = got;
		return 0;
	}
	drop_fds(&got);
	return err_set(why, -EPROTO,
		       msg->msg_flags & MSG_CTRUNC
			       ? "a message with more than %d descriptors, or none are left (ulimit -n)"
			       : "descriptors in the middle of a message",
		       MESSAGE_FDS);
}

/* Read up to `want` bytes of the message. 0: they are there; NOTHING_MORE; or -errno. */
static int read_up_to(struct connection *s, unsigned want, struct err *why)
{
	while (s->in_have < want) {
		char control[CMSG_SPACE(MESSAGE_FDS * sizeof(int))] __attribute__((aligned(sizeof(size_t))));
		struct iovec iov = {(uint8_t *)&s->in + s->in_have, want - s->in_have};
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(s->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return NOTHING_MORE;
		if (n <= 0)
			return hung_up(why);
		int r = keep_fds(s, &msg, !s->in_have, why);
		s->in_have += n;
		if (r)
			return r;
	}
	return 0;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* Write what is left of the reply. 0: all of it; NOTHING_MORE; or -errno. */
static int write_out(struct connection *s, struct err *why)
{
	while (s->out_done < s->out_have) {
		ssize_t n = send(s->fd, (uint8_t *)&s->out + s->out_done, s->out_have - s->out_done,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return NOTHING_MORE;
		if (n <= 0)
			return hung_up(why);
		s->out_done += n;
	}
	s->out_have = s->out_done = 0;
	return 0;
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

/* One message. 0; NOTHING_MORE; or -errno. */
static int serve(struct connection *s, struct err *why)
{
	struct err unheard;
	bool reply;
	int r = read_up_to(s, MESSAGE_HEADER, why);

	if (!r && !message_header_ok(&s->in, why))
		return -EPROTO;
	if (!r)
		r = read_up_to(s, MESSAGE_HEADER + s->in.size, why);
	if (r)
		return r;
	memset((uint8_t *)&s->in + s->in_have, 0, sizeof(s->in) - s->in_have);
	s->in_have = 0;
	s->last = s->in.request;
	event_del(s->idle);
	r = message_handle(s->device, &s->in, &s->fds, &reply, why);
	if (reply) {
		s->out = s->in;
		s->out_have = MESSAGE_HEADER + s->in.size;
	}
	if (r < 0) {
		write_out(s, &unheard); /* as far as it goes */
		return r;
	}
	s->served(s);
	return write_out(s, why);
}

/* The events that are waited for now: one direction, and a limit while something is half done. */
static void await(struct connection *s)
{
	const struct timeval limit = {.tv_sec = CONNECTION_IDLE_MS / 1000, .tv_usec = CONNECTION_IDLE_MS % 1000 * 1000};
	const bool writing = s->out_have;

	if (writing) {
		event_del(s->readable);
		event_add(s->writable, NULL);
	} else {
		event_del(s->writable);
		event_add(s->readable, NULL);
	}
	if (!writing && !s->in_have)
		event_del(s->idle);
	else if (!event_pending(s->idle, EV_TIMEOUT, NULL)) /* counted from where it began */
		event_add(s->idle, &limit);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct connection *s = arg;
	struct err why = {0};
	int r = write_out(s, &why);

	(void)fd;
	(void)what;
	for (unsigned i = 0; !r && i < CONNECTION_TURN; i++)
		r = serve(s, &why);
	if (r < 0)
		fail(s, &why);
	else
		await(s);
}

static void on_idle(evutil_socket_t fd, short what, void *arg)
{
	struct connection *s = arg;
	struct err why = {0};

	(void)fd;
	(void)what;
	err_set(&why, -ETIMEDOUT,
		s->out_have ? "the front end did not take a reply within %d seconds"
			    : "the front end began a message and did not end it within %d seconds",
		CONNECTION_IDLE_MS / 1000);
	fail(s, &why);
}

int connection_begin(struct connection *s, int fd)
{
	struct event_base *loop = s->device->loop;

	s->fd = fd;
	s->in_have = s->out_have = s->out_done = 0;
	s->fds.n = 0;
	s->last = 0;
	s->readable = event_new(loop, fd, EV_READ | EV_PERSIST, on_ready, s);
	s->writable = event_new(loop, fd, EV_WRITE | EV_PERSIST, on_ready, s);
	s->idle = evtimer_new(loop, on_idle, s);
	if (s->readable && s->writable && s->idle && !event_add(s->readable, NULL))
		return 0;
	connection_end(s, false);
	return -ENOMEM;
}
