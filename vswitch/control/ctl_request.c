/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A request: from a line to a handler, and from the handler's answer to a line.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "ctl_impl.h"
#include "vswitch/base/err.h"
#include "vswitch/base/log.h"
#include "vswitch/base/mac.h"

struct ctl_request {
	struct client *client; /* NULL: it is gone */
	const struct parts *parts;
	const struct ctl_command *command; /* NULL: not known yet */
	json_t *args;
	bool root;
	bool refused; /* the client has not the right */
};

const struct parts *ctl_parts(const struct ctl_request *req)
{
	return req->parts;
}

bool ctl_from_root(const struct ctl_request *req)
{
	return req->root;
}

bool ctl_has(const struct ctl_request *req, const char *name)
{
	const json_t *value = json_object_get(req->args, name);
	return value && !json_is_null(value);
}

const char *ctl_str(const struct ctl_request *req, const char *name)
{
	return json_string_value(json_object_get(req->args, name));
}

int64_t ctl_int(const struct ctl_request *req, const char *name, int64_t unset)
{
	return ctl_has(req, name) ? json_integer_value(json_object_get(req->args, name)) : unset;
}

bool ctl_bool(const struct ctl_request *req, const char *name, bool unset)
{
	return ctl_has(req, name) ? json_is_true(json_object_get(req->args, name)) : unset;
}

bool ctl_mac(const struct ctl_request *req, const char *name, uint8_t mac[6])
{
	const char *text = ctl_str(req, name);

	memset(mac, 0, 6);
	return text && mac_parse(text, mac);
}

static void answer(struct ctl_request *req, json_t *json)
{
	if (req->client)
		client_answer(req->client, json);
	json_decref(json);
	json_decref(req->args);
	free(req);
}

void ctl_reply_ok(struct ctl_request *req, json_t *result)
{
	answer(req, json_pack("{s:b, s:o}", "ok", 1, "result", result ? result : json_object()));
}

void ctl_reply_error(struct ctl_request *req, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (req->refused)
		log_limited(&req->client->ctl->refusals, "refused to user %u: %s", (unsigned)req->client->uid, text);
	else if (req->command && req->command->flags & CTL_WRITE)
		log_warn("%s: %s", req->command->name, text);

	/* A name or a script's line that is cut off, or never was UTF-8, must not cost the answer. */
	json_t *sentence = json_string(text);
	if (!sentence) {
		for (char *c = text; *c; c++)
			if ((unsigned char)*c >= 0x80)
				*c = '?';
		sentence = json_string(text);
	}
	answer(req, json_pack("{s:b, s:o}", "ok", 0, "error", sentence));
}

void ctl_reply(struct ctl_request *req, int r, const struct err *err)
{
	if (r)
		ctl_reply_error(req, "%s", err->text);
	else
		ctl_reply_ok(req, NULL);
}

void request_orphan(struct ctl_request *req)
{
	req->client = NULL;
}

/* Whether the client may have this command: 0, or -EPERM. */
static int check_right(const struct client *client, const struct ctl_command *command, struct err *err)
{
	if (!(command->flags & CTL_WRITE) || client->may_write)
		return 0;
	if (client->ctl->group >= 0)
		return err_set(
			err, -EPERM,
			"%s: only root and members of the socket's group (socket_group in xbar.conf) may do that",
			command->name);
	return err_set(err, -EPERM,
		       "%s: only root may do that; socket_group in xbar.conf can name a group that may too",
		       command->name);
}

void request_run(struct client *client, const char *line, size_t len)
{
	json_error_t where;
	struct err err;

	struct ctl_request *req = calloc(1, sizeof(*req));
	if (!req)
		abort(); /* a hundred bytes: nothing else would work either; the state's files bring all back */
	req->client = client;
	req->parts = client->ctl->parts;
	req->root = client->uid == 0;
	client->request = req;

	req->args = json_loadb(line, len, JSON_REJECT_DUPLICATES, &where);
	if (!req->args) {
		ctl_reply_error(req, "the request is not a JSON object: %s (column %d)", where.text, where.column);
		return;
	}
	if (!json_is_object(req->args)) {
		ctl_reply_error(req, "the request must be a JSON object such as {\"cmd\": \"status\"}");
		return;
	}
	const char *name = ctl_str(req, "cmd");
	if (!name) {
		ctl_reply_error(req, "the request's member \"cmd\" must be a string: the name of a command");
		return;
	}
	req->command = command_find(name);
	if (!req->command) {
		const char *near = command_nearest(name);
		ctl_reply_error(req, "unknown command \"%.40s\"%s%s%s", name, near ? "; did you mean \"" : "",
				near ? near : "", near ? "\"?" : "");
		return;
	}
	int r = check_right(client, req->command, &err);
	req->refused = r;
	if (!r)
		r = command_check(req->command, req->args, &err);
	if (r) {
		ctl_reply(req, r, &err);
		return;
	}
	if (req->command->flags & CTL_WRITE)
		log_debug("%s, for uid %u, process %d", name, (unsigned)client->uid, (int)client->pid);
	req->command->handler(req);
}
