/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xbar create: cfg file -> launcher -> vifs -> supervisor. If a step fails, or on an interrupt, the steps before are undone.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "hypervisor/launch/confine.h"
#include "hypervisor/launch/launch.h"
#include "hypervisor/launch/supervisor.h"
#include "vswitch/base/mac.h"
#include "vswitch/base/names.h"
#include "vswitch/tool/cli.h"
#include "vswitch/tool/client.h"
#include "xl.h"

#define DEFAULT_BRIDGE "xenbr0" /* as with xl */

struct creation {
	const struct hv_launcher *launcher;
	struct hv_why why;
	struct hv_guest *guest;
	struct guest_dir dir;
	json_t *record;
	struct hv_launch launch;
	struct hv_launch_vif *vif; /* guest->nvif of them */
	struct hv_command command;
};

/* ---- the cfg file ------------------------------------------------------------------------------------------------ */

/*
 * Load the file's text with the settings of the command line appended, as xl does. *lines is the number of lines of the
 * file itself.
 */
static int load_text(const char *path, const json_t *settings, struct hv_text *text, unsigned *lines, struct err *err)
{
	struct hv_text file = {0};
	unsigned column;
	char *data = NULL;
	size_t len = 0;

	int r = hv_text_load(&file, path, err);
	if (r)
		return r;
	hv_text_place(&file, file.len, lines, &column);
	FILE *out = open_memstream(&data, &len);
	if (out) {
		fwrite(file.data, 1, file.len, out);
		for (size_t i = 0; i < json_array_size(settings); i++)
			fprintf(out, "\n%s", json_string_value(json_array_get(settings, i)));
		fputc('\n', out);
	}
	if (!out || fclose(out))
		r = err_nomem(err);
	else
		r = hv_text_copy(text, path, data, len, err);
	free(data);
	hv_text_fini(&file);
	return r;
}

/* Print the warnings, except those about the command line's settings: they are meant to replace the file's. */
static void print_notes(const struct hv_guest *guest, unsigned lines)
{
	size_t prefix = strlen(guest->path);

	for (size_t i = 0; i < guest->notes.n; i++) {
		const char *note = guest->notes.line[i];
		unsigned line = 0;
		if (strlen(note) > prefix)
			sscanf(note + prefix, ":%u:", &line);
		if (line <= lines)
			fprintf(stderr, "%s\n", note);
	}
}

static int load_guest(const char *path, const json_t *settings, struct hv_guest **guest, struct err *err)
{
	struct hv_text text = {0};
	unsigned lines = 0;

	int r = load_text(path, settings, &text, &lines, err);
	if (!r)
		r = hv_guest_parse(&text, guest, err);
	if (!r)
		print_notes(*guest, lines);
	hv_text_fini(&text);
	return r;
}

/* ---- vifs -------------------------------------------------------------------------------------------------------- */

static unsigned queues_of(const struct creation *c)
{
	return c->guest->vcpus < c->launcher->queues_max ? c->guest->vcpus : c->launcher->queues_max;
}

/* The arguments of vif-add, and what the record holds of the vif until it is made. */
static json_t *vif_request(const struct creation *c, const struct hv_vif *vif)
{
	char name[NAME_PORT_MAX], mac[MAC_TEXT];

	/* xl's vifname= names the backend's end, which is a port here. */
	if (vif->vifname)
		snprintf(name, sizeof(name), "%s", vif->vifname);
	else
		snprintf(name, sizeof(name), "%s.%d", c->guest->name, vif->devid);
	json_t *args = json_pack("{s:s, s:s, s:i, s:s, s:i, s:b, s:b}", "name", name, "guest", c->guest->name, "devid",
				 vif->devid, "bridge", vif->bridge ? vif->bridge : DEFAULT_BRIDGE, "queues",
				 (int)queues_of(c), "server", (int)c->launcher->vif_server, "hotplug", 1);

	/* A guest that is confined to a user of its own may not search xbard's directory of sockets. */
	if (c->launch.confined && !geteuid())
		json_object_set_new(args, "socket",
				    json_sprintf("%s/" HV_LAUNCH_RUN "/vif%d.sock", c->dir.path, vif->devid));
	if (vif->has_mac)
		json_object_set_new(args, "mac", json_string(mac_format(vif->mac, mac)));
	if (vif->ip)
		json_object_set_new(args, "ip", json_string(vif->ip));
	if (vif->mtu)
		json_object_set_new(args, "mtu", json_integer(vif->mtu));
	if (vif->script)
		json_object_set_new(args, "script", json_string(vif->script));
	if (vif->vlan)
		json_object_set_new(args, "vlan", json_string(vif->vlan));
	if (vif->has_trusted)
		json_object_set_new(args, "trusted", json_boolean(vif->trusted));
	if (vif->rate_bytes_per_interval) {
		json_object_set_new(args, "rate_bytes_per_interval", json_integer(vif->rate_bytes_per_interval));
		json_object_set_new(args, "rate_interval_usecs", json_integer(vif->rate_interval_usecs));
	}
	return args;
}

/* Have xbard make vif `i`, and complete its entry in the record. */
static int add_vif(struct creation *c, size_t i, struct err *err)
{
	json_t *entry = json_array_get(json_object_get(c->record, "vifs"), i);
	const char *name = json_string_value(json_object_get(entry, "name"));

	json_t *result = client_call("vif-add", json_deep_copy(entry), err);
	if (!result)
		return -EIO;
	json_object_set(entry, "socket", json_object_get(result, "socket"));
	json_object_set(entry, "mac", json_object_get(result, "mac"));
	json_decref(result);
	const char *socket = json_string_value(json_object_get(entry, "socket"));
	const char *mac = json_string_value(json_object_get(entry, "mac"));
	if (!socket || !mac || !mac_parse(mac, c->vif[i].mac))
		return err_set(err, -EPROTO, "xbard's answer has no socket and MAC for vif %s", name);
	c->vif[i].socket = socket;
	c->vif[i].mtu = c->guest->vif[i].mtu;
	c->vif[i].queues = queues_of(c);
	printf("%s: vif %s, %s, on %s\n", c->guest->name, name, mac,
	       json_string_value(json_object_get(entry, "bridge")));
	return 0;
}

/* ---- the steps --------------------------------------------------------------------------------------------------- */

static int interrupted(struct err *err)
{
	sigset_t pending;

	sigpending(&pending);
	if (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM) || sigismember(&pending, SIGHUP))
		return err_set(err, -EINTR, "interrupted");
	return 0;
}

static int check(struct creation *c, struct err *err)
{
	struct hv_argv notes = {0};

	c->launch.guest = c->guest;
	int r = hv_launch_check_name(c->guest->name, err);
	/* For the checks, any user will do; its own is claimed with its directory. */
	if (!r && c->launch.confined)
		r = hv_confine_user(&c->launch.uid, err);
	if (!r && c->launch.confined)
		r = hv_confine_check(c->launch.uid, err);
	if (!r && c->guest->nvif > HV_LAUNCH_VIFS_MAX)
		r = err_set(err, -EINVAL, "%.200s: vif=: a guest can have %d vifs; this one has %zu", c->guest->path,
			    HV_LAUNCH_VIFS_MAX, c->guest->nvif);
	if (!r)
		r = c->launcher->check(&c->launch, &notes, err);
	for (size_t i = 0; i < notes.n && !r; i++)
		fprintf(stderr, "%s: %s\n", c->guest->name, notes.v[i]);
	hv_argv_fini(&notes);
	return r;
}

static json_t *new_record(const struct creation *c)
{
	json_t *vifs = json_array();

	for (size_t i = 0; i < c->guest->nvif; i++)
		json_array_append_new(vifs, vif_request(c, &c->guest->vif[i]));
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:I, s:o, s:b}", "name", c->guest->name, "hypervisor",
			 c->launcher->name, "why", c->why.text, "cfg", c->guest->path, "memory_mb",
			 (int)c->guest->memory_mb, "vcpus", (int)c->guest->vcpus, "created", (json_int_t)time(NULL),
			 "vifs", vifs, "confined", c->launch.confined);
}

/* In the supervisor. */
static void on_ended(void *arg)
{
	struct creation *c = arg;

	guest_dir_clear(&c->dir, c->guest->name);
}

static int run(struct creation *c, struct err *err)
{
	/* On disk before xbard is asked for anything, so that a crash leaves a trace of what must be undone. */
	int r = c->launch.confined ? guest_record_claim_user(&c->dir, c->record, &c->launch.uid, err)
				   : guest_record_write(&c->dir, c->record, err);
	for (size_t i = 0; i < c->guest->nvif && !r; i++) {
		r = add_vif(c, i, err);
		if (!r)
			r = interrupted(err);
	}
	if (!r && c->guest->nvif)
		r = guest_record_write(&c->dir, c->record, err);
	c->launch.dir = c->dir.path;
	c->launch.vif = c->vif;
	c->launch.nvif = c->guest->nvif;
	if (!r)
		r = c->launcher->command(&c->launch, &c->command, err);
	if (r)
		return r;
	struct hv_supervisor supervisor = {
		.dir = c->dir.path, .command = &c->command, .lock = c->dir.lock, .ended = on_ended, .arg = c};
	fflush(stdout);
	return hv_supervisor_start(&supervisor, err);
}

static int create(struct creation *c, struct err *err)
{
	int r = check(c, err);
	if (r)
		return r;
	printf("%s: %s (%s)\n", c->guest->name, c->launcher->title, c->why.text);
	if (!c->launch.confined)
		fprintf(stderr,
			"%s: warning: --unconfined: the guest's process has all rights of user %u on this host\n",
			c->guest->name, geteuid());
	r = guest_dir_claim(&c->dir, c->guest->name, err);
	if (r)
		return r;
	c->record = new_record(c);
	c->vif = calloc(c->guest->nvif + 1, sizeof(*c->vif));
	r = c->record && c->vif ? run(c, err) : err_nomem(err);
	if (r) {
		guest_dir_clear(&c->dir, c->guest->name);
	} else {
		close(c->dir.lock); /* the supervisor has it */
		printf("%s: running; its console: xbar console %s\n", c->guest->name, c->guest->name);
	}
	return r;
}

/* Block signals, so that an interrupt is noticed between two steps and everything is undone. */
static int create_undisturbed(struct creation *c, struct err *err)
{
	sigset_t hold, before;

	sigemptyset(&hold);
	sigaddset(&hold, SIGINT);
	sigaddset(&hold, SIGTERM);
	sigaddset(&hold, SIGHUP);
	sigprocmask(SIG_BLOCK, &hold, &before);
	int r = create(c, err);
	fflush(stdout);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

int cmd_create(const json_t *args)
{
	const char *file = cli_string(args, "file");
	const json_t *settings = json_object_get(args, "settings");
	bool console = cli_is_true(args, "console");
	struct creation c = {.dir.lock = -1, .launch.confined = !cli_is_true(args, "unconfined")};
	char name[HV_LAUNCH_NAME_MAX + 1] = "";
	struct err err;

	int r = hv_launcher_choose(cli_string(args, "hypervisor"), &c.launcher, &c.why, &err);
	if (!r && c.launcher->native)
		return guest_xl_create(console, file, settings);
	if (!r)
		r = load_guest(file, settings, &c.guest, &err);
	if (!r)
		r = create_undisturbed(&c, &err);
	if (!r)
		name_copy(name, sizeof(name), c.guest->name);
	json_decref(c.record);
	free(c.vif);
	hv_command_fini(&c.command);
	hv_guest_free(c.guest);
	if (r)
		return cli_fail("%s", err.text);
	return console ? guest_console(name) : 0;
}
