/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One request, one answer, with the kernel's error number and words kept as they are (libnl's own codes lose both).
 */
#include <errno.h>
#include <linux/netlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netlink/errno.h>
#include <netlink/netlink.h>

#include "rtnl_impl.h"

#define DUMP_TRIES 5 /* a dump that a change interrupts is read again */

/* The kernel's sentence follows the copy of our request that it returns (NLM_F_CAPPED: of its header only). */
static void keep_words(struct rtnl *rtnl, const struct nlmsghdr *nlh, const struct nlmsgerr *error)
{
	size_t skip = sizeof(*error);

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		skip += error->msg.nlmsg_len - sizeof(error->msg);
	skip = NLMSG_ALIGN(skip);
	if (skip >= (size_t)nlmsg_datalen(nlh))
		return;
	const struct nlattr *words = nla_find((const struct nlattr *)((const char *)nlmsg_data(nlh) + skip),
					      (size_t)nlmsg_datalen(nlh) - skip, NLMSGERR_ATTR_MSG);
	if (words)
		snprintf(rtnl->why, sizeof(rtnl->why), "%.*s", nla_len(words), (const char *)nla_data(words));
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *error, void *arg)
{
	struct rtnl *rtnl = arg;
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)((char *)error - NLMSG_HDRLEN);

	(void)from;
	rtnl->error = error->error;
	rtnl->answered = true;
	keep_words(rtnl, nlh, error);
	return NL_STOP;
}

static int on_valid(struct nl_msg *msg, void *arg)
{
	struct rtnl *rtnl = arg;

	if (rtnl->on_message && !rtnl->error)
		rtnl->error = rtnl->on_message(nlmsg_hdr(msg), rtnl->on_message_arg);
	return NL_OK;
}

/* Acknowledged, or the end of a dump. */
static int on_end(struct nl_msg *msg, void *arg)
{
	struct rtnl *rtnl = arg;

	(void)msg;
	rtnl->answered = true;
	return NL_STOP;
}

/* The table changed under a dump: what was read may be neither the old nor the new. */
static int on_interrupted(struct nl_msg *msg, void *arg)
{
	struct rtnl *rtnl = arg;

	(void)msg;
	rtnl->error = -EINTR;
	return NL_OK; /* the end of the dump says so too, and must not be skipped */
}

/* Replace the socket by one with no answer under way. */
static int connect_new(struct rtnl *rtnl)
{
	struct nl_sock *sock = nl_socket_alloc();
	int r = sock ? nl_connect(sock, NETLINK_ROUTE) : -NLE_NOMEM;

	if (r) {
		nl_socket_free(sock);
		return r;
	}
	nl_socket_enable_msg_peek(sock);
	nl_socket_modify_err_cb(sock, NL_CB_CUSTOM, on_error, rtnl);
	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, on_valid, rtnl);
	nl_socket_modify_cb(sock, NL_CB_ACK, NL_CB_CUSTOM, on_end, rtnl);
	nl_socket_modify_cb(sock, NL_CB_FINISH, NL_CB_CUSTOM, on_end, rtnl);
	nl_socket_modify_cb(sock, NL_CB_DUMP_INTR, NL_CB_CUSTOM, on_interrupted, rtnl);
	nl_socket_free(rtnl->sock);
	rtnl->sock = sock;
	return 0;
}

int rtnl_open(struct rtnl **out, struct err *err)
{
	*out = NULL;
	struct rtnl *rtnl = calloc(1, sizeof(*rtnl));
	if (!rtnl)
		return err_set(err, -ENOMEM, "no memory for a netlink socket");
	int r = connect_new(rtnl);
	if (r) {
		rtnl_close(rtnl);
		return err_set(err, -EIO, "cannot open a netlink socket: %s", nl_geterror(r));
	}
	*out = rtnl;
	return 0;
}

void rtnl_close(struct rtnl *rtnl)
{
	if (!rtnl)
		return;
	nl_socket_free(rtnl->sock);
	free(rtnl);
}

int rtnl_talk(struct rtnl *rtnl, struct nl_msg *msg, int (*on_message)(struct nlmsghdr *nlh, void *arg), void *arg)
{
	if (!msg)
		return -ENOMEM;
	rtnl->error = 0;
	rtnl->answered = false;
	rtnl->why[0] = '\0';
	rtnl->on_message = on_message;
	rtnl->on_message_arg = arg;
	int r = nl_send_auto(rtnl->sock, msg);
	nlmsg_free(msg);
	/* An answer and its acknowledgement come one by one. */
	while (r >= 0 && !rtnl->answered)
		r = nl_recvmsgs_default(rtnl->sock);
	/* What is still to come must not be taken for the answer to the next request. */
	if (r < 0)
		connect_new(rtnl);
	if (rtnl->error)
		return rtnl->error;
	if (r < 0) {
		snprintf(rtnl->why, sizeof(rtnl->why), "%s", nl_geterror(r));
		return -EIO;
	}
	return 0;
}

struct dump {
	struct rtnl_list *list;
	bool (*keep)(const struct nlmsghdr *nlh, void *arg);
	void *arg;
	int type;
};

static int keep_if(struct nlmsghdr *nlh, void *arg)
{
	const struct dump *dump = arg;

	if (nlh->nlmsg_type != dump->type || !rtnl_msg_check(nlh, nlh->nlmsg_len) ||
	    (dump->keep && !dump->keep(nlh, dump->arg)))
		return 0;
	return rtnl_list_add(dump->list, nlh);
}

int rtnl_dump_header(struct rtnl *rtnl, int type, const void *header, struct rtnl_list *list,
		     bool (*keep)(const struct nlmsghdr *nlh, void *arg), void *arg)
{
	struct dump dump = {list, keep, arg, type - 2}; /* RTM_GETx is RTM_NEWx + 2 */
	unsigned before = list->n;
	int r = -EINTR;

	for (unsigned i = 0; r == -EINTR && i < DUMP_TRIES; i++) {
		while (list->n > before)
			rtnl_list_del(list, list->n - 1);
		struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_DUMP);
		if (msg && nlmsg_append(msg, (void *)header, rtnl_msg_hdrlen(dump.type), NLMSG_ALIGNTO)) {
			nlmsg_free(msg);
			msg = NULL;
		}
		r = rtnl_talk(rtnl, msg, keep_if, &dump);
	}
	return r;
}

int rtnl_dump(struct rtnl *rtnl, int type, int family, struct rtnl_list *list,
	      bool (*keep)(const struct nlmsghdr *nlh, void *arg), void *arg)
{
	const char header[32] = {(char)family};

	return rtnl_dump_header(rtnl, type, header, list, keep, arg);
}

int rtnl_send(struct rtnl *rtnl, const struct nlmsghdr *nlh, const struct rtnl_link *from, const struct rtnl_link *to,
	      int type, int flags)
{
	return rtnl_talk(rtnl, rtnl_msg_make(nlh, from, to, type, NLM_F_REQUEST | NLM_F_ACK | flags, true), NULL, NULL);
}

int rtnl_fail(const struct rtnl *rtnl, int code, struct err *err, const char *fmt, ...)
{
	char what[320];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(err, code, "%s: %s", what, *rtnl->why ? rtnl->why : strerror(-code));
}
