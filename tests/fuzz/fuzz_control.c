/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests of the control socket, one a line: each line is answered by one line of JSON, which says in words what was
 * wrong. The client may act on nothing, so no handler runs that changes anything; what a handler would be given is checked
 * against its row all the same. The handlers of commands that only look are left to the tests that have a daemon.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "vswitch/base/err.h"
#include "vswitch/base/log.h"
#include "vswitch/control/ctl_impl.h"

static const struct parts parts;
static struct ctl ctl = {.parts = &parts, .group = -1};

static struct client *client_new(void)
{
	static struct client client = {.ctl = &ctl, .uid = 65534};

	if (!client.bev) {
		log_set_level(LOG_LEVEL_ERROR);
		client.bev = bufferevent_socket_new(event_base_new(), -1, 0);
		if (!client.bev)
			abort();
		evbuffer_unfreeze(bufferevent_get_output(client.bev), 1); /* read here, by nobody's socket */
	}
	return &client;
}

/* One line of JSON, {"ok": false, "error": "..."}. */
static void check_answer(struct evbuffer *output)
{
	size_t len;
	char *line = evbuffer_readln(output, &len, EVBUFFER_EOL_LF);
	json_t *answer = line ? json_loadb(line, len, 0, NULL) : NULL;
	const char *error = json_string_value(json_object_get(answer, "error"));

	if (!json_is_false(json_object_get(answer, "ok")) || !error || !*error || evbuffer_get_length(output))
		abort();
	json_decref(answer);
	free(line);
}

static void check_request(const struct ctl_command *command, const json_t *request)
{
	struct err err;
	size_t n = strlen(command->name);

	if (!command_check(command, request, &err))
		return;
	if (strncmp(err.text, command->name, n) || err.text[n] != ':')
		abort(); /* an error that does not name its command */
}

static void take_line(struct client *client, const char *line, size_t len)
{
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *name = json_is_object(request) ? json_string_value(json_object_get(request, "cmd")) : NULL;
	const struct ctl_command *command = name ? command_find(name) : NULL;

	if (command)
		check_request(command, request);
	json_decref(request);
	if (command && !(command->flags & CTL_WRITE))
		return;
	request_run(client, line, len);
	if (client->request)
		abort();
	check_answer(bufferevent_get_output(client->bev));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct client *client = client_new();
	const char *line = (const char *)data, *end = line + size;

	while (line < end) {
		const char *next = memchr(line, '\n', end - line);
		size_t len = (next ? next : end) - line;
		char *copy = malloc(len + 1); /* as evbuffer_readln() hands it over */

		if (!copy)
			abort();
		memcpy(copy, line, len);
		copy[len] = '\0';
		take_line(client, copy, len);
		free(copy);
		line += len + 1;
	}
	return 0;
}
