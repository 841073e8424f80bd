/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What ctl.c (clients) and ctl_request.c (their requests) share; nobody else includes this.
 */
#ifndef XBAR_CTL_IMPL_H
#define XBAR_CTL_IMPL_H

#include <sys/queue.h>
#include <sys/types.h>

#include "commands.h"
#include "vswitch/base/log.h"

struct bufferevent;
struct event;

struct ctl {
	const struct parts *parts;
	int fd; /* listens */
	struct event *accepting;
	LIST_HEAD(client_list, client) list;
	int group; /* whose members may act; -1: none */
	struct log_limit refusals; /* to those who may only look */
};

struct client {
	LIST_ENTRY(client) link;
	struct ctl *ctl;
	struct bufferevent *bev;
	struct ctl_request *request; /* being worked on; NULL: none */
	pid_t pid;
	uid_t uid;
	bool may_write;
	bool eof; /* it will send no more */
	bool closing;
};

/* Work on one line. Afterwards the client has a request that is still to be answered, or it was answered. */
void request_run(struct client *client, const char *line, size_t len);
/* The client is gone. */
void request_orphan(struct ctl_request *req);
/* The client's request was answered. */
void client_answer(struct client *client, const json_t *answer);

#endif
