/* SPDX-License-Identifier: BSD-3-Clause */
#include "guestcfg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cfg.h"
#include "guest_settings.h"

#define NAME_MAX_LEN 127
#define MEMORY_MAX_MB (16l << 20) /* 16 TiB, more than Xen gives a guest */
#define VCPUS_MAX 4096

static const char *const type_name[] = {
	[HV_GUEST_PV] = "pv",
	[HV_GUEST_HVM] = "hvm",
	[HV_GUEST_PVH] = "pvh",
};
_Static_assert(sizeof(type_name) / sizeof(*type_name) == HV_GUEST_TYPE_MAX, "one name each");

static const char *const on_name[] = {
	[HV_ON_DESTROY] = "destroy",
	[HV_ON_RESTART] = "restart",
	[HV_ON_RENAME_RESTART] = "rename-restart",
	[HV_ON_PRESERVE] = "preserve",
	[HV_ON_COREDUMP_DESTROY] = "coredump-destroy",
	[HV_ON_COREDUMP_RESTART] = "coredump-restart",
	[HV_ON_SOFT_RESET] = "soft-reset",
};
_Static_assert(sizeof(on_name) / sizeof(*on_name) == HV_ON_MAX, "one name each");

const char *hv_guest_type_name(enum hv_guest_type type)
{
	return type_name[type];
}

const char *hv_on_name(enum hv_on action)
{
	return on_name[action];
}

struct parser {
	const struct hv_text *text;
	const struct hv_cfg *cfg;
	struct hv_guest *g;
	struct err *err;
};

#define bad(p, where, ...) hv_err_at((p)->err, (p)->text, where, __VA_ARGS__)

/* Copy a string setting, if it is set. */
static int get_string(struct parser *p, const char *name, char **out)
{
	const struct hv_cfg_setting *set = hv_cfg_find(p->cfg, name);
	const char *s;

	if (!set)
		return 0;
	s = hv_cfg_string(p->text, set, p->err);
	if (!s)
		return -EINVAL;
	*out = strdup(s);
	return *out ? 0 : err_nomem(p->err);
}

static int get_number(struct parser *p, const char *name, long max, unsigned *out)
{
	const struct hv_cfg_setting *set = hv_cfg_find(p->cfg, name);
	long n;
	int r;

	if (!set)
		return 0;
	r = hv_cfg_number(p->text, set, 1, max, &n, p->err);
	if (!r)
		*out = n;
	return r;
}

/* The setting's value among n names. */
static int get_choice(struct parser *p, const char *name, const char *const *names, int n, int *out)
{
	const struct hv_cfg_setting *set = hv_cfg_find(p->cfg, name);
	char known[256] = "";
	const char *s;

	if (!set)
		return 0;
	s = hv_cfg_string(p->text, set, p->err);
	if (!s)
		return -EINVAL;
	for (int i = 0; i < n; i++) {
		if (!strcmp(s, names[i])) {
			*out = i;
			return 0;
		}
		strcat(strcat(known, i ? ", " : ""), names[i]);
	}
	return bad(p, set->value.at, "%s = '%.60s': must be one of %s", name, s, known);
}

static int get_on(struct parser *p, const char *name, enum hv_on *out)
{
	int action = *out, r = get_choice(p, name, on_name, HV_ON_MAX, &action);

	*out = action;
	return r;
}

/* type=, and builder= as older files have it. */
static int get_type(struct parser *p)
{
	static const char *const builder_name[] = {[HV_GUEST_PV] = "generic", [HV_GUEST_HVM] = "hvm"};
	const struct hv_cfg_setting *builder_set = hv_cfg_find(p->cfg, "builder");
	int type = -1, builder = -1, r;

	r = get_choice(p, "type", type_name, HV_GUEST_TYPE_MAX, &type);
	if (!r)
		r = get_choice(p, "builder", builder_name, 2, &builder);
	if (r)
		return r;
	if (type >= 0 && builder >= 0 && type != builder)
		return bad(p, builder_set->at, "builder and type contradict each other: remove builder");
	p->g->type = type >= 0 ? type : builder >= 0 ? builder : HV_GUEST_PV;
	return 0;
}

static int get_name(struct parser *p)
{
	const struct hv_cfg_setting *set = hv_cfg_find(p->cfg, "name");
	const char *s;
	int r;

	if (!set)
		return bad(p, p->text->len, "the guest has no name: add name = \"NAME\"");
	r = get_string(p, "name", &p->g->name);
	if (r)
		return r;
	/* The name becomes part of paths, and an argument of commands. */
	for (s = p->g->name; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == '/' || *s == 0x7f)
			return bad(
				p, set->value.src[s - p->g->name],
				"name = '%.60s': a guest's name cannot contain blanks, slashes or control characters",
				p->g->name);
	if (*p->g->name == '\0' || *p->g->name == '-' || *p->g->name == '.' || strlen(p->g->name) > NAME_MAX_LEN)
		return bad(
			p, set->value.at,
			"name = '%.60s': a guest's name must have 1 to %d characters and cannot begin with '-' or '.'",
			p->g->name, NAME_MAX_LEN);
	return 0;
}

static int get_uuid(struct parser *p)
{
	const struct hv_cfg_setting *set = hv_cfg_find(p->cfg, "uuid");
	size_t digits = 0;
	int r;

	r = get_string(p, "uuid", &p->g->uuid);
	if (r || !set)
		return r;
	for (const char *s = p->g->uuid; *s; s++)
		if (strchr("0123456789abcdefABCDEF", *s))
			digits++;
		else if (*s != '-')
			digits = 33;
	if (digits != 32)
		return bad(p, set->value.at, "uuid = '%.60s': write 32 hexadecimal digits, as uuidgen prints them",
			   p->g->uuid);
	return 0;
}

/* As xl does: cmdline= alone, else root= and extra=. */
static int get_cmdline(struct parser *p)
{
	const struct hv_cfg_setting *other = hv_cfg_find(p->cfg, "extra");
	struct hv_guest *g = p->g;
	int r, n;

	r = get_string(p, "root", &g->root);
	if (!r)
		r = get_string(p, "extra", &g->extra);
	if (!r)
		r = get_string(p, "cmdline", &g->cmdline);
	if (r)
		return r;
	if (!other)
		other = hv_cfg_find(p->cfg, "root");
	if (g->cmdline && other)
		hv_note_at(&g->notes, p->text, other->at, "%s has no effect together with cmdline: add it there",
			   other->name);
	if (g->cmdline || !other)
		return 0;
	if (g->root)
		n = asprintf(&g->cmdline, "root=%s%s%s", g->root, g->extra ? " " : "", g->extra ? g->extra : "");
	else
		n = asprintf(&g->cmdline, "%s", g->extra);
	if (n < 0) {
		g->cmdline = NULL;
		return err_nomem(p->err);
	}
	return 0;
}

/* The list of strings `name`; *list NULL: not set. */
static int get_list(struct parser *p, const char *name, const struct hv_cfg_value **list)
{
	const struct hv_cfg_setting *set = hv_cfg_find(p->cfg, name);
	const struct hv_cfg_value *v;

	*list = NULL;
	if (!set)
		return 0;
	v = &set->value;
	if (v->kind != HV_CFG_LIST)
		return bad(p, v->at, "%s must be a list: write %s = [ '%.60s' ]", name, name, v->string);
	for (size_t i = 0; i < v->nitem; i++)
		if (v->item[i].kind == HV_CFG_LIST)
			return bad(p, v->item[i].at, "%s must be a list of strings, without lists inside", name);
	*list = v;
	return 0;
}

static int get_disks(struct parser *p)
{
	const struct hv_cfg_value *list;
	struct hv_guest *g = p->g;
	int r;

	r = get_list(p, "disk", &list);
	if (r || !list)
		return r;
	g->disk = calloc(list->nitem + 1, sizeof(*g->disk));
	if (!g->disk)
		return err_nomem(p->err);
	for (size_t i = 0; i < list->nitem; i++) {
		g->disk[i] = strdup(list->item[i].string);
		if (!g->disk[i])
			return err_nomem(p->err);
		g->ndisk++;
	}
	return 0;
}

static int check_devids(struct parser *p)
{
	const struct hv_guest *g = p->g;

	for (size_t i = 0; i < g->nvif; i++)
		for (size_t j = 0; j < i; j++) {
			if (g->vif[i].devid == g->vif[j].devid)
				return bad(p, g->vif[i].at,
					   "devid %d is already that of an earlier vif (without devid= it is the index "
					   "in the list): give each its own",
					   g->vif[i].devid);
			if (g->vif[i].has_mac && g->vif[j].has_mac && !memcmp(g->vif[i].mac, g->vif[j].mac, 6))
				hv_note_at(&p->g->notes, p->text, g->vif[i].at, "the same mac as an earlier vif");
		}
	return 0;
}

static int get_vifs(struct parser *p)
{
	const struct hv_cfg_value *list;
	struct hv_guest *g = p->g;
	int r;

	r = get_list(p, "vif", &list);
	if (r || !list)
		return r;
	if (list->nitem > HV_GUEST_VIFS_MAX)
		return bad(p, list->at, "%zu vifs: a guest can have at most %d", list->nitem, HV_GUEST_VIFS_MAX);
	g->vif = calloc(list->nitem + 1, sizeof(*g->vif));
	if (!g->vif)
		return err_nomem(p->err);
	for (size_t i = 0; i < list->nitem; i++) {
		r = hv_vif_parse_in(p->text, list->item[i].string, list->item[i].src, &g->vif[i], &g->notes, p->err);
		if (r)
			return r;
		g->nvif++;
		if (g->vif[i].devid < 0)
			g->vif[i].devid = i;
	}
	return check_devids(p);
}

static void note_unknown(struct parser *p)
{
	static const char *const ours[] = {
		"name", "uuid",  "type",    "builder",    "memory", "maxmem", "vcpus",       "kernel",    "ramdisk",
		"root", "extra", "cmdline", "bootloader", "disk",   "vif",    "on_poweroff", "on_reboot", "on_crash",
	};
	bool known;

	for (size_t i = 0; i < p->cfg->n; i++) {
		known = hv_guest_setting_is_ignored(p->cfg->setting[i].name);
		for (size_t k = 0; k < sizeof(ours) / sizeof(*ours) && !known; k++)
			known = !strcmp(ours[k], p->cfg->setting[i].name);
		if (!known)
			hv_note_at(&p->g->notes, p->text, p->cfg->setting[i].at,
				   "`%.60s' is not a setting of xl or xm: ignored", p->cfg->setting[i].name);
	}
}

static int get_all(struct parser *p)
{
	struct hv_guest *g = p->g;
	int r;

	g->vcpus = 1;
	g->on_reboot = HV_ON_RESTART;
	if ((r = get_name(p)) || (r = get_uuid(p)) || (r = get_type(p)) ||
	    (r = get_number(p, "memory", MEMORY_MAX_MB, &g->memory_mb)) ||
	    (r = get_number(p, "maxmem", MEMORY_MAX_MB, &g->maxmem_mb)) ||
	    (r = get_number(p, "vcpus", VCPUS_MAX, &g->vcpus)) || (r = get_string(p, "kernel", &g->kernel)) ||
	    (r = get_string(p, "ramdisk", &g->ramdisk)) || (r = get_cmdline(p)) ||
	    (r = get_string(p, "bootloader", &g->bootloader)) || (r = get_disks(p)) || (r = get_vifs(p)) ||
	    (r = get_on(p, "on_poweroff", &g->on_poweroff)) || (r = get_on(p, "on_reboot", &g->on_reboot)) ||
	    (r = get_on(p, "on_crash", &g->on_crash)))
		return r;
	note_unknown(p);
	return 0;
}

int hv_guest_parse(const struct hv_text *text, struct hv_guest **out, struct err *err)
{
	struct parser p = {.text = text, .err = err};
	struct hv_cfg *cfg = NULL;
	int r = 0;

	*out = NULL;
	p.g = calloc(1, sizeof(*p.g));
	if (p.g)
		p.g->path = strdup(text->name);
	if (!p.g || !p.g->path)
		r = err_nomem(err);
	if (!r)
		r = hv_cfg_parse(text, &cfg, &p.g->notes, err);
	p.cfg = cfg;
	if (!r)
		r = get_all(&p);
	hv_cfg_free(cfg);
	if (r) {
		hv_guest_free(p.g);
		return r;
	}
	*out = p.g;
	return 0;
}

void hv_guest_free(struct hv_guest *g)
{
	if (!g)
		return;
	free(g->path);
	free(g->name);
	free(g->uuid);
	free(g->kernel);
	free(g->ramdisk);
	free(g->root);
	free(g->extra);
	free(g->cmdline);
	free(g->bootloader);
	for (size_t i = 0; i < g->ndisk; i++)
		free(g->disk[i]);
	free(g->disk);
	for (size_t i = 0; i < g->nvif; i++)
		hv_vif_fini(&g->vif[i]);
	free(g->vif);
	hv_notes_fini(&g->notes);
	free(g);
}
