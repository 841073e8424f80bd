/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xbar create: cfg file -> launcher -> vifs -> keeper. Every step that fails, or an interrupt, undoes the ones before.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dir.h"
#include "guest.h"
#include "hypervisor/launch/keeper.h"
#include "hypervisor/launch/launch.h"
#include "vswitch/base/names.h"
#include "vswitch/tool/cli.h"
#include "vswitch/tool/client.h"
#include "xl.h"

#define DEFAULT_BRIDGE "xenbr0" /* xl's */

static const char usage[] = "usage: xbar create [-c] [--hypervisor xl|qemu|uml] FILE [KEY=VALUE]...\n"
			    "  Start the guest that the cfg file FILE describes.\n"
			    "  -c, --console      then go to its console\n"
			    "  --hypervisor NAME  else $XBAR_HYPERVISOR, else what this machine has\n"
			    "  KEY=VALUE          lines that are read as if they stood at the end of FILE\n";

struct creation {
	const struct hv_launcher *launcher;
	struct hv_why why;
	struct hv_guest *guest;
	struct guest_dir dir;
	json_t *record;
	struct hv_launch_vif *vif; /* guest->nvif of them */
	struct hv_argv argv;
};

/* ---- the cfg file ------------------------------------------------------------------------------------------------ */

/*
 * The file's text with the settings of the command line behind it, as xl has it; *lines is how many the file's own part
 * has.
 */
static int load_text(const char *path, int nsettings, char *const *settings, struct hv_text *text, unsigned *lines,
		     struct err *err)
{
	struct hv_text file = {0};
	unsigned column;
	char *data = NULL;
	size_t len = 0;

	int error = hv_text_load(&file, path, err);
	if (error)
		return error;
	hv_text_place(&file, file.len, lines, &column);
	FILE *out = open_memstream(&data, &len);
	if (out) {
		fwrite(file.data, 1, file.len, out);
		for (int i = 0; i < nsettings; i++)
			fprintf(out, "\n%s", settings[i]);
		fputc('\n', out);
	}
	if (!out || fclose(out))
		error = err_nomem(err);
	else
		error = hv_text_copy(text, path, data, len, err);
	free(data);
	hv_text_fini(&file);
	return error;
}

/* Print the warnings, less those of the command line's settings: that they replace the file's is what they are for. */
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

static int load_guest(const char *path, int nsettings, char *const *settings, struct hv_guest **guest, struct err *err)
{
	struct hv_text text = {0};
	unsigned lines = 0;

	int error = load_text(path, nsettings, settings, &text, &lines, err);
	if (!error)
		error = hv_guest_parse(&text, guest, err);
	if (!error)
		print_notes(*guest, lines);
	hv_text_fini(&text);
	return error;
}

/* ---- vifs -------------------------------------------------------------------------------------------------------- */

static json_t *vif_request(const struct creation *c, const struct hv_vif *vif, const char *name, unsigned queues)
{
	json_t *args = json_pack("{s:s, s:s, s:i, s:s, s:i, s:b, s:b}", "name", name, "guest", c->guest->name, "devid",
				 vif->devid, "bridge", vif->bridge ? vif->bridge : DEFAULT_BRIDGE, "queues",
				 (int)queues, "server", (int)c->launcher->vif_server, "hotplug", 1);

	if (vif->has_mac) {
		char mac[18];
		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", vif->mac[0], vif->mac[1], vif->mac[2],
			 vif->mac[3], vif->mac[4], vif->mac[5]);
		json_object_set_new(args, "mac", json_string(mac));
	}
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

static bool read_mac(const char *text, uint8_t mac[6])
{
	return text && sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
			      &mac[5]) == 6;
}

/* Have xbard make vif `i`; note it in the record before it is asked, so that a crash in between leaves a trace. */
static int add_vif(struct creation *c, size_t i, struct err *err)
{
	const struct hv_vif *vif = &c->guest->vif[i];
	unsigned queues = c->guest->vcpus < c->launcher->queues_max ? c->guest->vcpus : c->launcher->queues_max;
	json_t *vifs = json_object_get(c->record, "vifs");
	char name[NAME_PORT_MAX], why[400];

	/* xl's vifname= names the backend's end, which is a port here. */
	if (vif->vifname)
		snprintf(name, sizeof(name), "%s", vif->vifname);
	else
		snprintf(name, sizeof(name), "%s.%d", c->guest->name, vif->devid);
	json_t *args = vif_request(c, vif, name, queues);
	json_array_append_new(vifs, json_deep_copy(args));
	int error = guest_record_write(&c->dir, c->record, err);
	if (error) {
		json_array_remove(vifs, i);
		json_decref(args);
		return error;
	}
	json_t *result = client_call("vif-add", args, why, sizeof(why));
	const char *socket = json_string_value(json_object_get(result, "socket"));
	const char *mac = json_string_value(json_object_get(result, "mac"));
	if (!result) {
		error = err_set(err, -EIO, "%s", why);
		json_array_remove(vifs, i); /* xbard undid it, or never had it */
	} else if (!socket || !read_mac(mac, c->vif[i].mac)) {
		error = err_set(err, -EPROTO, "xbard's answer names no socket and MAC for vif %s", name);
	} else {
		json_t *noted = json_array_get(vifs, i);
		json_object_set(noted, "socket", json_object_get(result, "socket"));
		json_object_set(noted, "mac", json_object_get(result, "mac"));
		c->vif[i].socket = json_string_value(json_object_get(noted, "socket"));
		c->vif[i].mtu = vif->mtu;
		c->vif[i].queues = queues;
		printf("%s: vif %s, %s, on %s\n", c->guest->name, name, mac,
		       json_string_value(json_object_get(noted, "bridge")));
	}
	json_decref(result);
	return error;
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

	int error = hv_launch_check_name(c->guest->name, err);
	if (!error && c->guest->nvif > HV_LAUNCH_VIFS_MAX)
		error = err_set(err, -EINVAL, "%.200s: vif=: a guest can have %d of them; this has %zu", c->guest->path,
				HV_LAUNCH_VIFS_MAX, c->guest->nvif);
	if (!error)
		error = c->launcher->check(c->guest, &notes, err);
	for (size_t i = 0; i < notes.n && !error; i++)
		fprintf(stderr, "%s: %s\n", c->guest->name, notes.v[i]);
	hv_argv_fini(&notes);
	return error;
}

static json_t *new_record(const struct creation *c)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:I, s:[]}", "name", c->guest->name, "hypervisor",
			 c->launcher->name, "why", c->why.text, "cfg", c->guest->path, "memory_mb",
			 (int)c->guest->memory_mb, "vcpus", (int)c->guest->vcpus, "created", (json_int_t)time(NULL),
			 "vifs");
}

/* In the keeper. */
static void on_ended(void *arg)
{
	struct creation *c = arg;

	guest_dir_clear(&c->dir, c->guest->name, true);
}

static int run(struct creation *c, struct err *err)
{
	struct hv_launch launch = {.guest = c->guest, .dir = c->dir.path, .vif = c->vif, .nvif = c->guest->nvif};
	int error = 0;

	for (size_t i = 0; i < c->guest->nvif && !error; i++) {
		error = add_vif(c, i, err);
		if (!error)
			error = interrupted(err);
	}
	if (!error)
		error = guest_record_write(&c->dir, c->record, err);
	if (!error)
		error = c->launcher->argv(&launch, &c->argv, err);
	if (error)
		return error;
	struct hv_keeper keeper = {
		.dir = c->dir.path, .argv = c->argv.v, .lock = c->dir.lock, .ended = on_ended, .arg = c};
	fflush(stdout);
	return hv_keeper_start(&keeper, err);
}

static int create(struct creation *c, struct err *err)
{
	int error = check(c, err);
	if (error)
		return error;
	printf("%s: %s (%s)\n", c->guest->name, c->launcher->title, c->why.text);
	error = guest_dir_claim(&c->dir, c->guest->name, err);
	if (error)
		return error;
	c->record = new_record(c);
	c->vif = calloc(c->guest->nvif + 1, sizeof(*c->vif));
	error = c->record && c->vif ? guest_record_write(&c->dir, c->record, err) : err_nomem(err);
	if (!error)
		error = run(c, err);
	if (error) {
		/* The record on disk may still name a vif that is not ours. */
		struct err again;
		if (c->record)
			guest_record_write(&c->dir, c->record, &again);
		guest_dir_clear(&c->dir, c->guest->name, true);
	} else {
		close(c->dir.lock); /* the keeper has it */
		printf("%s: running; its console: xbar console %s\n", c->guest->name, c->guest->name);
	}
	return error;
}

/* Hold signals back, so that an interrupt is seen between two steps and everything is undone. */
static int create_undisturbed(struct creation *c, struct err *err)
{
	sigset_t hold, before;

	sigemptyset(&hold);
	sigaddset(&hold, SIGINT);
	sigaddset(&hold, SIGTERM);
	sigaddset(&hold, SIGHUP);
	sigprocmask(SIG_BLOCK, &hold, &before);
	int error = create(c, err);
	fflush(stdout);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return error;
}

static int create_from(const char *wanted, bool console, int nwords, char **words)
{
	struct creation c = {.dir.lock = -1};
	struct err err;
	char *name = NULL;

	int error = hv_launcher_choose(wanted, &c.launcher, &c.why, &err);
	if (!error && c.launcher->native)
		return guest_xl_create(console, nwords, words);
	if (!error)
		error = load_guest(words[0], nwords - 1, words + 1, &c.guest, &err);
	if (!error) {
		name = strdup(c.guest->name);
		error = create_undisturbed(&c, &err);
	}
	json_decref(c.record);
	free(c.vif);
	hv_argv_fini(&c.argv);
	hv_guest_free(c.guest);
	if (error)
		cli_fail("%s", err.text);
	else if (console && name) {
		char *ask[] = {"console", name, NULL};
		error = cmd_console(2, ask);
	}
	free(name);
	return error ? CLI_FAILURE : 0;
}

int cmd_create(int argc, char **argv)
{
	static const struct option options[] = {{"hypervisor", required_argument, NULL, 'H'},
						{"console", no_argument, NULL, 'c'},
						{"help", no_argument, NULL, 'h'},
						{0}};
	const char *wanted = NULL;
	bool console = false;
	int option;

	while ((option = getopt_long(argc, argv, "c", options, NULL)) >= 0)
		switch (option) {
		case 'H':
			wanted = optarg;
			break;
		case 'c':
			console = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return CLI_USAGE;
		}
	if (optind >= argc) {
		fputs(usage, stderr);
		return CLI_USAGE;
	}
	return create_from(wanted, console, argc - optind, argv + optind);
}
