/* SPDX-License-Identifier: BSD-3-Clause */
#include "check.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "hypervisor/cfg/cfg.h"
#include "hypervisor/cfg/sxp.h"

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

	if (dot && strcmp(dot, ".sxp") == 0)
		return KIND_XEND;
	/* The first thing in a cfg file is a name. */
	for (s += strspn(s, " \t\r\n\v\f"); *s == '#'; s += strspn(s, " \t\r\n\v\f"))
		s += strcspn(s, "\n");
	return *s == '(' || *s == ')' || *s == '"' || *s == '\'' ? KIND_XEND : KIND_GUEST;
}

static bool is_daemons_own(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash ? slash + 1 : path, "xbar.conf") == 0;
}

static int check_xend(const struct hv_text *text, enum form form, struct err *err)
{
	struct hv_sxp *all = NULL;
	struct hv_xend *xend;
	int rc;

	rc = hv_xend_parse(text, &xend, err);
	if (rc)
		return rc;
	if (form == FORM_CANONICAL)
		rc = hv_sxp_parse(text, &all, NULL, err);
	if (rc == 0) {
		put_notes(&xend->notes);
		if (form == FORM_JSON)
			put_json(check_json_xend(xend));
		else if (form == FORM_CANONICAL)
			hv_sxp_print(all, stdout);
		else
			check_show_xend(xend, stdout);
	}
	hv_sxp_free(all);
	hv_xend_free(xend);
	return rc;
}

/* The file's settings, and each vif as it was understood. */
static int print_guest(const struct hv_text *text, const struct hv_guest *guest, struct err *err)
{
	struct hv_cfg *cfg;
	int rc;

	rc = hv_cfg_parse(text, &cfg, NULL, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < cfg->n; i++) {
		if (strcmp(cfg->setting[i].name, "vif") != 0) {
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
	int rc;

	rc = hv_guest_parse(text, &guest, err);
	if (rc)
		return rc;
	put_notes(&guest->notes);
	if (form == FORM_JSON)
		put_json(check_json_guest(guest));
	else if (form == FORM_CANONICAL)
		rc = print_guest(text, guest, err);
	else
		check_show_guest(guest, stdout);
	hv_guest_free(guest);
	return rc;
}

static int check_file(const char *path, enum kind kind, enum form form)
{
	struct hv_text text;
	struct err err;
	int rc;

	if (kind == KIND_GUESS && is_daemons_own(path)) {
		err_set(&err, -EINVAL, "%.250s: this is xbard's own file, which xbard checks when it starts", path);
		return refuse(form, path, &err);
	}
	rc = hv_text_load(&text, path, &err);
	if (rc)
		return refuse(form, path, &err);
	if (kind == KIND_GUESS)
		kind = guess_kind(&text);
	rc = kind == KIND_XEND ? check_xend(&text, form, &err) : check_guest(&text, form, &err);
	hv_text_fini(&text);
	return rc ? refuse(form, path, &err) : 0;
}

static int check_vif(const char *spec, enum form form)
{
	struct hv_notes notes = {0};
	struct hv_vif vif;
	struct err err;
	int rc;

	rc = hv_vif_parse("--vif", spec, &vif, &notes, &err);
	put_notes(&notes);
	hv_notes_fini(&notes);
	if (rc)
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

static int usage(FILE *out)
{
	fputs("usage: xbar check [--json | --canonical] [--as guest|xend] FILE...\n"
	      "       xbar check [--json | --canonical] --vif SPEC\n"
	      "Reads guests' cfg files and xend-config.sxp, and says what was understood, or what is wrong and where.\n"
	      "  --json       one JSON object a line, for each file or vif\n"
	      "  --canonical  the same settings again, in one fixed form\n"
	      "  --as KIND    what the files are, where it cannot be told from them\n"
	      "  --vif SPEC   one vif as it stands in vif = [ 'SPEC' ]\n",
	      out);
	return out == stdout ? 0 : CLI_USAGE;
}

static int parse_kind(const char *name, enum kind *kind)
{
	for (int i = KIND_GUESS + 1; i < KIND_MAX; i++)
		if (strcmp(name, kind_name[i]) == 0) {
			*kind = i;
			return 0;
		}
	return cli_usage("check: --as %s: a file is a \"guest\" or \"xend\"", name);
}

int cmd_check(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},     {"canonical", no_argument, NULL, 'c'},
		{"as", required_argument, NULL, 'a'}, {"vif", required_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},     {NULL, 0, NULL, 0},
	};
	enum kind kind = KIND_GUESS;
	enum form form = FORM_SHOW;
	const char *vif = NULL;
	int opt, status = 0;

	optind = 0; /* the tool may have read options of its own */
	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			form = FORM_JSON;
			break;
		case 'c':
			form = FORM_CANONICAL;
			break;
		case 'v':
			if (vif)
				return cli_usage("check: --vif may be given once");
			vif = optarg;
			break;
		case 'a':
			if (parse_kind(optarg, &kind))
				return CLI_USAGE;
			break;
		case 'h':
			return usage(stdout);
		default:
			return usage(stderr);
		}
	}
	if (!vif && optind == argc)
		return usage(stderr);
	if (vif)
		status = check_vif(vif, form);
	for (; optind < argc; optind++)
		if (check_file(argv[optind], kind, form))
			status = CLI_FAILURE;
	if (fflush(stdout) || ferror(stdout))
		return cli_fail("check: standard output: %s", strerror(errno));
	return status;
}
