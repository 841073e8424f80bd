/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keys are rows of one table: where each goes, its bounds and its default.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "hypervisor/cfg/cfg.h"
#include "privileges.h"
#include "vif/vif.h"
#include "vswitch/base/ids.h"
#include "vswitch/base/log.h"
#include "vswitch/base/nearest.h"

enum kind { NUMBER, FLAG, TEXT, DIRS };

struct key {
	const char *name;
	enum kind kind;
	size_t offset; /* of a uint32_t or int32_t, a bool, a char * */
	long min, max, number; /* bounds and default of a NUMBER; the default of a FLAG */
	const char *text; /* default of a TEXT */
	ptrdiff_t set_offset; /* of a bool that says whether the key was given; 0: none */
};

#define AT(member) offsetof(struct conf, member)

static const struct key keys[] = {
	{"workers", NUMBER, AT(workers), 1, VIF_WORKERS_MAX, 1, NULL, 0},
	{"first_cpu", NUMBER, AT(first_cpu), -1, 8191, -1, NULL, 0},
	{"poll_us", NUMBER, AT(poll_us), 0, 1000000, 50, NULL, 0},
	{"hugepages", FLAG, AT(hugepages), 0, 1, 1, NULL, 0},
	{"ageing", NUMBER, AT(ageing), 1, 1000000, 300, NULL, 0},
	{"vif_script_timeout", NUMBER, AT(vif_script_timeout), 1, 3600, 40, NULL, 0},
	{"network_script_timeout", NUMBER, AT(network_script_timeout), 1, 3600, 120, NULL, 0},
	{"log_level", TEXT, AT(log_level), 0, 0, 0, "info", 0},
	{"socket_group", TEXT, AT(socket_group), 0, 0, 0, "xbar", AT(socket_group_set)},
	{"xend_config", TEXT, AT(xend_config), 0, 0, 0, "", 0},
	{"script_dir", DIRS, AT(script_dir), 0, 0, 0,
	 XBAR_PREFIX "/lib/xbar/scripts:" XBAR_SYSCONFDIR "/xbar/scripts:" XBAR_SYSCONFDIR "/xen/scripts", 0},
	{"capabilities", TEXT, AT(capabilities), 0, 0, 0, "auto", 0},
	{"xen", TEXT, AT(xen), 0, 0, 0, "auto", 0},
	{"vhost_dir", DIRS, AT(vhost_dir), 0, 0, 0, "", 0},
	{"vhost_owner", TEXT, AT(vhost_owner), 0, 0, 0, "", 0},
	{"vhost_group", TEXT, AT(vhost_group), 0, 0, 0, "", 0},
	{"vhost_mode", TEXT, AT(vhost_mode), 0, 0, 0, "", 0},
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

void conf_free(struct conf *conf)
{
	if (!conf)
		return;
	for (size_t i = 0; i < KEYS; i++)
		if (keys[i].kind >= TEXT)
			free(*(char **)((char *)conf + keys[i].offset));
	free(conf);
}

static int set_text(char **at, const char *text, struct err *err)
{
	char *copy = strdup(text);

	if (!copy)
		return err_nomem(err);
	free(*at);
	*at = copy;
	return 0;
}

static struct conf *conf_new(struct err *err)
{
	struct conf *conf = calloc(1, sizeof(*conf));
	int r = conf ? 0 : err_nomem(err);

	for (size_t i = 0; i < KEYS && !r; i++) {
		char *at = (char *)conf + keys[i].offset;
		if (keys[i].kind == NUMBER)
			*(int32_t *)at = keys[i].number;
		else if (keys[i].kind == FLAG)
			*(bool *)at = keys[i].number;
		else
			r = set_text((char **)at, keys[i].text, err);
	}
	if (r) {
		conf_free(conf);
		return NULL;
	}
	return conf;
}

static const char *key_at(const void *arg, size_t i)
{
	(void)arg;
	return i < KEYS ? keys[i].name : NULL;
}

/* Whether every one of the directories in `text` is absolute. */
static bool are_absolute(const char *text)
{
	while (*text) {
		if (*text != '/')
			return false;
		text += strcspn(text, ":");
		text += *text == ':';
	}
	return true;
}

static int take_text(struct conf *conf, const struct key *key, const struct hv_text *text,
		     const struct hv_cfg_setting *setting, struct err *err)
{
	const char *value = hv_cfg_string(text, setting, err);
	struct err why;
	uint64_t kept;
	mode_t mode;

	if (!value)
		return -EINVAL;
	if (key->offset == AT(log_level) && log_level_find(value) < 0)
		return hv_err_at(err, text, setting->value.at,
				 "log_level: there is no level \"%s\"; it is one of \"error\", \"warning\", \"info\", "
				 "\"debug\"",
				 value);
	if (key->offset == AT(xen) && strcmp(value, "auto") && strcmp(value, "yes") && strcmp(value, "no"))
		return hv_err_at(err, text, setting->value.at, "xen: \"%s\" is not one of \"auto\", \"yes\", \"no\"",
				 value);
	if (key->kind == DIRS && !are_absolute(value))
		return hv_err_at(err, text, setting->value.at, "%s: \"%s\" must be absolute (begin with /)", key->name,
				 value);
	if (key->offset == AT(script_dir) && !*value)
		return hv_err_at(err, text, setting->value.at,
				 "script_dir: must not be empty; leave the line out for the default, %s", key->text);
	if (key->offset == AT(vhost_dir) && strchr(value, ':'))
		return hv_err_at(err, text, setting->value.at, "vhost_dir: must be one directory, without a ':'");
	if (key->offset == AT(capabilities) && privileges_parse(value, &kept, &why))
		return hv_err_at(err, text, setting->value.at, "capabilities: %s", why.text);
	if (key->offset == AT(vhost_mode) && mode_parse(value, &mode, &why))
		return hv_err_at(err, text, setting->value.at, "vhost_mode: %s", why.text);
	if ((key->offset == AT(vhost_owner) || key->offset == AT(vhost_group)) && strlen(value) > ID_TEXT_MAX)
		return hv_err_at(err, text, setting->value.at, "%s: a name has at most %d bytes", key->name,
				 ID_TEXT_MAX);
	return set_text((char **)((char *)conf + key->offset), value, err);
}

static int take(struct conf *conf, const struct hv_text *text, const struct hv_cfg_setting *setting, struct err *err)
{
	const struct key *key = keys;
	long number;
	int r;

	while (key < keys + KEYS && strcmp(key->name, setting->name))
		key++;
	if (key == keys + KEYS) {
		const char *near = nearest_word(setting->name, key_at, NULL);
		return hv_err_at(err, text, setting->at,
				 "there is no setting \"%s\"%s%s%s; xbar.conf(5) lists them all", setting->name,
				 near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	}
	if (setting->added)
		return hv_err_at(err, text, setting->at, "%s: += makes no sense here; use =", key->name);
	if (key->kind >= TEXT) {
		r = take_text(conf, key, text, setting, err);
	} else {
		r = hv_cfg_number(text, setting, key->min, key->max, &number, err);
		if (!r && key->kind == NUMBER)
			*(int32_t *)((char *)conf + key->offset) = number;
		else if (!r)
			*(bool *)((char *)conf + key->offset) = number;
	}
	if (!r && key->set_offset)
		*(bool *)((char *)conf + key->set_offset) = true;
	return r;
}

int conf_parse(const struct hv_text *text, struct conf **out, struct err *err)
{
	struct hv_notes notes = {0};
	struct hv_cfg *cfg;

	*out = NULL;
	int r = hv_cfg_parse(text, &cfg, &notes, err);
	if (r) {
		hv_notes_fini(&notes);
		return r;
	}
	struct conf *conf = conf_new(err);
	if (!conf)
		r = -ENOMEM;
	for (size_t i = 0; i < cfg->n && !r; i++)
		r = take(conf, text, &cfg->setting[i], err);
	for (size_t i = 0; i < notes.n && !r; i++)
		log_warn("%s", notes.line[i]);
	hv_notes_fini(&notes);
	hv_cfg_free(cfg);
	if (r) {
		conf_free(conf);
		return r;
	}
	*out = conf;
	return 0;
}

int conf_load(const char *path, struct conf **out, struct err *err)
{
	struct hv_text text = {0};
	int r;

	*out = NULL;
	if (!path && access(CONF_DEFAULT_PATH, F_OK) && errno == ENOENT)
		r = hv_text_copy(&text, CONF_DEFAULT_PATH, "", 0, err);
	else
		r = hv_text_load(&text, path ? path : CONF_DEFAULT_PATH, err);
	if (r)
		return r;
	r = conf_parse(&text, out, err);
	hv_text_fini(&text);
	return r;
}

void conf_list_fixed(const struct conf *a, const struct conf *b, char *text, size_t size)
{
	snprintf(text, size, "%s%s%s%s%s%s%s%s", a->workers != b->workers ? " workers" : "",
		 a->first_cpu != b->first_cpu ? " first_cpu" : "", a->poll_us != b->poll_us ? " poll_us" : "",
		 a->hugepages != b->hugepages ? " hugepages" : "", a->ageing != b->ageing ? " ageing" : "",
		 strcmp(a->vhost_dir, b->vhost_dir) ? " vhost_dir" : "", strcmp(a->xen, b->xen) ? " xen" : "",
		 strcmp(a->capabilities, b->capabilities) ? " capabilities" : "");
}

bool conf_settle_vhost_dir(struct conf *conf, const char *rundir)
{
	if (*conf->vhost_dir)
		return true;
	free(conf->vhost_dir);
	return asprintf(&conf->vhost_dir, "%s/vhost", rundir) >= 0 || (conf->vhost_dir = NULL);
}
