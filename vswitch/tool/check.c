/* SPDX-License-Identifier: BSD-3-Clause */
#include "check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "hypervisor/cfg/cfg.h"

enum form { FORM_SHOW, FORM_JSON, FORM_CANONICAL };
enum kind { KIND_GUESS, KIND_GUEST, KIND_XEND, KIND_MAX };

static const char *const kind_name[] = {[KIND_GUESS] = "guess", [KIND_GUEST] = "guest", [KIND_XEND] = "xend"};
_Static_assert(sizeof(kind_name) / sizeof(*kind_name) == KIND_MAX, "one name each");

static void put_json(json_t *value)
{
	json_dumpf(value, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(value);
}

static void put_notes(const struct hv_notes *notes)
{
	for (size_t i = 0; i < notes->n; i++)
		fprintf(stderr, "%s\n", notes->line[i]);
}

/* Say what is wrong with `file`; returns the exit status. */
static int refuse(enum form form, const char *file, const struct err *err)
{
	if (form == FORM_JSON)
		put_json(check_json_error(file, err));
	fprintf(stderr, "%s\n", err->text);
	return CLI_FAILURE;
}

static enum kind guess_kind(const struct hv_text *text)
{
	const char *s = text->data, *dot = strrchr(text->name, '.');

	if (dot && !strcmp(dot, ".sxp"))
		return KIND_XEND;
	/* The first thing in a cfg file is a name. */
	for (s += strspn(s, " \t\r\n\v\f"); *s == '#'; s += strspn(s, " \t\r\n\v\f"))
		s += strcspn(s, "\n");
	return *s == '(' || *s == ')' || *s == '"' || *s == '\'' ? KIND_XEND : KIND_GUEST;
}

static bool is_daemons_own(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !strcmp(slash ? slash + 1 : path, "xbar.conf");
}

static int check_xend(const struct hv_text *text, enum form form, struct err *err)
{
	struct hv_xend *xend;

	int r = hv_xend_parse(text, &xend, err);
	if (r)
		return r;
	put_notes(&xend->notes);
	if (form == FORM_JSON)
		put_json(check_json_xend(xend));
	else if (form == FORM_CANONICAL)
		hv_xend_print(xend, stdout);
	else
		check_show_xend(xend, stdout);
	hv_xend_free(xend);
	return 0;
}

/* The file's settings, with each vif as it was understood. */
static int print_guest(const struct hv_text *text, const struct hv_guest *guest, struct err *err)
{
	struct hv_cfg *cfg;
	int r;

	r = hv_cfg_parse(text, &cfg, NULL, err);
	if (r)
		return r;
	for (size_t i = 0; i < cfg->n; i++) {
		if (strcmp(cfg->setting[i].name, "vif")) {
			hv_cfg_print_setting(&cfg->setting[i], stdout);
			continue;
		}
		puts("vif = [");
		for (size_t k = 0; k < guest->nvif; k++) {
			char *spec = NULL;
			size_t len;
			FILE *mem = open_memstream(&spec, &len);

			if (mem) {
				hv_vif_print(&guest->vif[k], mem);
				fclose(mem);
			}
			putchar('\t');
			hv_print_quoted(spec ? spec : "", stdout);
			puts(",");
			free(spec);
		}
		puts("]");
	}
	hv_cfg_free(cfg);
	return 0;
}

static int check_guest(const struct hv_text *text, enum form form, struct err *err)
{
	struct hv_guest *guest;
	int r;

	r = hv_guest_parse(text, &guest, err);
	if (r)
		return r;
	put_notes(&guest->notes);
	if (form == FORM_JSON)
		put_json(check_json_guest(guest));
	else if (form == FORM_CANONICAL)
		r = print_guest(text, guest, err);
	else
		check_show_guest(guest, stdout);
	hv_guest_free(guest);
	return r;
}

static int check_file(const char *path, enum kind kind, enum form form)
{
	struct hv_text text;
	struct err err;
	int r;

	if (kind == KIND_GUESS && is_daemons_own(path)) {
		err_set(&err, -EINVAL, "%.250s: this is xbard's own file; xbard checks it when it starts", path);
		return refuse(form, path, &err);
	}
	r = hv_text_load(&text, path, &err);
	if (r)
		return refuse(form, path, &err);
	if (kind == KIND_GUESS)
		kind = guess_kind(&text);
	r = kind == KIND_XEND ? check_xend(&text, form, &err) : check_guest(&text, form, &err);
	hv_text_fini(&text);
	return r ? refuse(form, path, &err) : 0;
}

static int check_vif(const char *spec, enum form form)
{
	struct hv_notes notes = {0};
	struct hv_vif vif;
	struct err err;
	int r;

	r = hv_vif_parse("--vif", spec, &vif, &notes, &err);
	put_notes(&notes);
	hv_notes_fini(&notes);
	if (r)
		return refuse(form, "--vif", &err);
	if (form == FORM_JSON) {
		put_json(check_json_vif(&vif));
	} else if (form == FORM_CANONICAL) {
		hv_vif_print(&vif, stdout);
		putchar('\n');
	} else {
		check_show_vif(&vif, stdout);
	}
	hv_vif_fini(&vif);
	return 0;
}

static int parse_kind(const char *name, enum kind *kind)
{
	for (int i = KIND_GUESS + 1; i < KIND_MAX; i++)
		if (!strcmp(name, kind_name[i])) {
			*kind = i;
			return 0;
		}
	return cli_usage("check: --as %s: must be guest or xend", name);
}

static int cmd_check(const json_t *args)
{
	const char *as = cli_string(args, "as"), *vif = cli_string(args, "vif");
	const json_t *files = json_object_get(args, "files");
	enum form form = cli_is_true(args, "json")        ? FORM_JSON
			 : cli_is_true(args, "canonical") ? FORM_CANONICAL
							  : FORM_SHOW;
	enum kind kind = KIND_GUESS;
	int status = 0;

	if (as && parse_kind(as, &kind))
		return CLI_USAGE;
	if (!vif && !files)
		return cli_usage("check: name a FILE, or a vif with --vif");
	if (vif)
		status = check_vif(vif, form);
	for (size_t i = 0; i < json_array_size(files); i++)
		if (check_file(json_string_value(json_array_get(files, i)), kind, form))
			status = CLI_FAILURE;
	if (fflush(stdout) || ferror(stdout))
		return cli_fail("check: standard output: %s", strerror(errno));
	return status;
}

static const struct cli_arg check_args[] = {
	{"FILE", NULL, "files", CLI_WORDS, true},           {"--vif", "SPEC", "vif", CLI_STRING, true},
	{"--as", "guest|xend", "as", CLI_STRING, true},     {"--json", NULL, "json", CLI_TRUE, true},
	{"--canonical", NULL, "canonical", CLI_TRUE, true}, {0},
};

const struct cli_command check_cli[] = {
	{.name = "check",
	 .summary = "check guest cfg files, xend-config.sxp or a vif= string",
	 .args = check_args,
	 .help = "  Shows what was understood, or what is wrong and where.\n"
		 "  --vif SPEC   one vif, as in vif = [ 'SPEC' ]\n"
		 "  --as KIND    what the files are, if it cannot be told from them\n"
		 "  --json       one JSON object per file or vif, each on a line\n"
		 "  --canonical  the same settings in one fixed form\n",
	 .run = cmd_check},
	{0},
};
