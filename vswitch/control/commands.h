/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The commands of the control socket, as data: each is a row {name, flags, arguments, handler, help}. ctl.c checks a
 * request against its row (unknown arguments, types, bounds, who may have it) before the handler runs, so a handler finds
 * its arguments present and well formed.
 *
 * Model. A handler answers exactly once, by ctl_reply_ok() or ctl_reply_error(): before it returns, or later, from any
 * callback of the event loop (a script has ended, a timer ran out). The request lives until it is answered, also when
 * its client has gone; the answer then goes nowhere.
 *
 * Threads. The control thread's alone.
 *
 * Ownership. Strings got from a request are the request's, and valid until it is answered.
 */
#ifndef XBAR_COMMANDS_H
#define XBAR_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct ctl_request;
struct daemon;
struct hooks;
struct err;
struct hostnet;

enum ctl_type {
	CTL_STRING, /* any text without control characters; min..max: its length in bytes; 0,0: 1..255 */
	CTL_IFNAME, /* a bridge or netdev name: see names.h */
	CTL_PORTNAME, /* a port's name: see names.h */
	CTL_MAC, /* "aa:bb:cc:dd:ee:ff", a unicast address */
	CTL_PATH, /* an absolute path that fits a unix socket address: at most 107 bytes */
	CTL_INT, /* min..max */
	CTL_BOOL,
	CTL_TYPE_MAX
};

const char *ctl_type_name(enum ctl_type type);

struct ctl_arg { /* an array of these ends with an empty one */
	const char *name;
	enum ctl_type type;
	bool required;
	int64_t min, max; /* CTL_INT, CTL_STRING */
};

enum ctl_flag {
	CTL_WRITE = 1 << 0, /* it changes something: for root and the group alone */
};

struct ctl_command { /* a table of these ends with an empty one */
	const char *name;
	unsigned flags; /* enum ctl_flag */
	const struct ctl_arg *args; /* NULL: none */
	void (*handler)(struct ctl_request *req);
};

extern const struct ctl_command bridge_commands[]; /* cmd_bridge.c */
extern const struct ctl_command port_commands[]; /* cmd_port.c */
extern const struct ctl_command vif_commands[]; /* cmd_vif.c */
extern const struct ctl_command look_commands[]; /* cmd_look.c */
extern const struct ctl_command daemon_commands[]; /* cmd_daemon.c */
extern const struct ctl_command net_commands[]; /* cmd_net.c */

/* The row of `name`, or NULL. */
const struct ctl_command *command_find(const char *name);
/* The known command that looks most like `name`, or NULL where none is near. */
const char *command_nearest(const char *name);

/*
 * Check `args` against `command`'s specification. 0, or -EINVAL with a sentence that names the argument. The member "cmd"
 * is passed over.
 */
int command_check(const struct ctl_command *command, const json_t *args, struct err *err);

/* ---- what a handler uses ----------------------------------------------------------------------------------------- */

/* The daemon's parts, as handlers need them. */
struct parts {
	struct daemon *daemon;
	struct hooks *hooks; /* network-script, vif-script */
	struct hostnet *hostnet; /* the network of the host */
};
const struct parts *ctl_parts(const struct ctl_request *req);
/* Whether root asked, and not a mere member of the group: what runs or writes where it is told is for root alone. */
bool ctl_from_root(const struct ctl_request *req);
/* Argument `name`: NULL, or `unset`, where it was not given (JSON null counts as not given). */
const char *ctl_str(const struct ctl_request *req, const char *name);
int64_t ctl_int(const struct ctl_request *req, const char *name, int64_t unset);
bool ctl_bool(const struct ctl_request *req, const char *name, bool unset);
bool ctl_has(const struct ctl_request *req, const char *name);
/* Parse a CTL_MAC argument into mac[6]; false where it was not given, and mac is all zeroes then. */
bool ctl_mac(const struct ctl_request *req, const char *name, uint8_t mac[6]);

/* Answer: `result`'s reference is stolen, NULL stands for an empty object. The request is gone afterwards. */
void ctl_reply_ok(struct ctl_request *req, json_t *result);
/* Answer with one sentence, which names the thing and the way out. The request is gone afterwards. */
void ctl_reply_error(struct ctl_request *req, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Answer an act that returned `r`: with nothing if that is 0, else with err's sentence. The request is gone afterwards. */
void ctl_reply(struct ctl_request *req, int r, const struct err *err);

#endif
