/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A request: from a line to a handler, and from the handler's answer to a line.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "ctl_impl.h"
#include "vswitch/base/log.h"
#include "vswitch/base/mac.h"

struct ctl_request {
	struct client *client; /* NULL: it is gone */
	const struct parts *parts;
	const struct ctl_command *command; /* NULL: not known yet */
	json_t *args;
	bool root;
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
	if (req->command && req->command->flags & CTL_ACT)
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

void request_orphan(struct ctl_request *req)
{
	req->client = NULL;
}

/* Why the client must not have this command; NULL: it may. */
static const char *denial(const struct client *client, const struct ctl_command *command, char *buf, size_t size)
{
	if (!(command->flags & CTL_ACT) || client->may_act)
		return NULL;
	if (client->ctl->group >= 0)
		snprintf(buf, size,
			 "%s: only root and members of the socket's group (socket_group in xbar.conf) may do that",
			 command->name);
	else
		snprintf(buf, size,
			 "%s: only root may do that; socket_group in xbar.conf can name a group that may too",
			 command->name);
	return buf;
}

void request_run(struct client *client, const char *line, size_t len)
{
	json_error_t where;
	char why[512];

	struct ctl_request *req = calloc(1, sizeof(*req));
	if (!req)
		abort(); /* a hundred bytes: nothing will work any more; the state's file brings all back */
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
	const char *denied = denial(client, req->command, why, sizeof(why));
	if (denied) {
		ctl_reply_error(req, "%s", denied);
		return;
	}
	if (command_check(req->command, req->args, why, sizeof(why))) {
		ctl_reply_error(req, "%s", why);
		return;
	}
	if (req->command->flags & CTL_ACT)
		log_debug("%s, for uid %u, process %d", name, (unsigned)client->uid, (int)client->pid);
	req->command->handler(req);
}
