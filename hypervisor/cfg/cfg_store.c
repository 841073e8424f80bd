/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "cfg_impl.h"

void cfg_value_fini(struct hv_cfg_value *v)
{
	free(v->string);
	free(v->src);
	for (size_t i = 0; i < v->nitem; i++)
		cfg_value_fini(&v->item[i]);
	free(v->item);
	*v = (struct hv_cfg_value){0};
}

static int add_strings(struct cfg_parser *p, struct hv_cfg_value *to, struct hv_cfg_value *from)
{
	size_t n = strlen(to->string), m = strlen(from->string);
	uint32_t *src;
	char *s;

	s = realloc(to->string, n + m + 1);
	if (s)
		to->string = s;
	src = realloc(to->src, (n + m + 1) * sizeof(*src));
	if (src)
		to->src = src;
	if (!s || !src)
		return err_nomem(p->err);
	memcpy(s + n, from->string, m + 1);
	memcpy(src + n, from->src, (m + 1) * sizeof(*src));
	to->kind = HV_CFG_STRING; /* also if both were numbers: "1" + "2" is the text "12" */
	cfg_value_fini(from);
	return 0;
}

static int add_lists(struct cfg_parser *p, struct hv_cfg_value *to, struct hv_cfg_value *from)
{
	struct hv_cfg_value *more;

	if (from->nitem == 0)
		return 0;
	more = realloc(to->item, (to->nitem + from->nitem) * sizeof(*more));
	if (!more)
		return err_nomem(p->err);
	to->item = more;
	memcpy(more + to->nitem, from->item, from->nitem * sizeof(*more));
	to->nitem += from->nitem;
	free(from->item);
	*from = (struct hv_cfg_value){0};
	return 0;
}

static void note_again(struct cfg_parser *p, const struct hv_cfg_setting *set, size_t at)
{
	unsigned line, column;

	/* Finding the line takes a pass over the text: skip it if nobody keeps the note. */
	if (!p->notes || p->notes->n >= HV_NOTES_MAX)
		return;
	hv_text_place(p->text, set->at, &line, &column);
	hv_note_at(p->notes, p->text, at, "%.60s is already set on line %u: the last setting counts", set->name, line);
}

int cfg_store(struct cfg_parser *p, char *name, size_t at, bool add, struct hv_cfg_value *v)
{
	struct hv_cfg_setting *set = (struct hv_cfg_setting *)hv_cfg_find(p->cfg, name);
	int r = 0;

	if (!set) {
		if (p->cfg->n == HV_CFG_SETTINGS_MAX) {
			r = bad(p, at, "more than %d settings", HV_CFG_SETTINGS_MAX);
			goto out;
		}
		p->cfg->setting[p->cfg->n++] =
			(struct hv_cfg_setting){.name = name, .at = at, .added = add, .value = *v};
		return 0;
	}
	if (add) {
		set->added = true;
		if ((set->value.kind == HV_CFG_LIST) != (v->kind == HV_CFG_LIST))
			r = bad(p, v->at, "%s: only a list can be added to a list, and only text to text", name);
		else if (v->kind == HV_CFG_LIST)
			r = add_lists(p, &set->value, v);
		else
			r = add_strings(p, &set->value, v);
		goto out;
	}
	note_again(p, set, at);
	cfg_value_fini(&set->value);
	set->at = at;
	set->added = false;
	set->value = *v;
	free(name);
	return 0;
out:
	free(name);
	cfg_value_fini(v);
	return r;
}

void hv_cfg_free(struct hv_cfg *cfg)
{
	if (!cfg)
		return;
	for (size_t i = 0; i < cfg->n; i++) {
		free(cfg->setting[i].name);
		cfg_value_fini(&cfg->setting[i].value);
	}
	free(cfg->setting);
	free(cfg);
}

const struct hv_cfg_setting *hv_cfg_find(const struct hv_cfg *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->n; i++)
		if (!strcmp(cfg->setting[i].name, name))
			return &cfg->setting[i];
	return NULL;
}
