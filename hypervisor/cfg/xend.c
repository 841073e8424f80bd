/* SPDX-License-Identifier: BSD-3-Clause */
#include "xend.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sxp.h"

#define BLANK " \t\n\v\f\r"

/* Options that some release of xend read, and that have nothing to do with the network. */
static const char *const passed_over[] = {
	"block-enbd",
	"block-file",
	"console-address",
	"console-limit",
	"console-port-base",
	"dbroot",
	"device-create-timeout",
	"device-destroy-timeout",
	"dom0-cpus",
	"dom0-min-mem",
	"enable-dom0-ballooning",
	"enable-dump",
	"external-migration-tool",
	"keymap",
	"lastboot",
	"logfile",
	"loglevel",
	"pci-passthrough-strict-check",
	"pscsi-device-mask",
	"qemu-dm-logrotate-count",
	"resource-label-change-script",
	"total_available_memory",
	"vnc-listen",
	"vnc-tls",
	"vnc-x509-cert-dir",
	"vnc-x509-verify",
	"vncpasswd",
	"xen-api-server",
	"xen-tcp-xmlrpc-server-address",
	"xen-tcp-xmlrpc-server-port",
	"xend-address",
	"xend-domains-path",
	"xend-event-port",
	"xend-http-server",
	"xend-port",
	"xend-relocation-address",
	"xend-relocation-hosts-allow",
	"xend-relocation-port",
	"xend-relocation-server",
	"xend-relocation-server-ssl-cert-file",
	"xend-relocation-server-ssl-key-file",
	"xend-relocation-ssl",
	"xend-relocation-ssl-port",
	"xend-relocation-ssl-server",
	"xend-security-path",
	"xend-state-path",
	"xend-storage-path",
	"xend-tcp-xmlrpc-server",
	"xend-tcp-xmlrpc-server-address",
	"xend-tcp-xmlrpc-server-port",
	"xend-tcp-xmlrpc-server-ssl-cert-file",
	"xend-tcp-xmlrpc-server-ssl-key-file",
	"xend-udev-event-server",
	"xend-unix-path",
	"xend-unix-server",
	"xend-unix-xmlrpc-server",
	"xsm_module_name",
};

/* Network options of the first releases: nobody reads them any more, and what they did is written elsewhere. */
static const struct {
	const char *name, *instead;
} outdated[] = {
	{"vif-bridge", "name the bridge in each guest's vif, bridge=NAME"},
	{"vif-antispoof", "give each guest's vif its address, ip=ADDRESS"},
};

struct parser {
	const struct hv_text *text;
	struct hv_xend *xend;
	struct err *err;
};

static void argv_free(char **argv)
{
	for (size_t i = 0; argv && argv[i]; i++)
		free(argv[i]);
	free(argv);
}

/* Append the words of `s`. 0 or -ENOMEM; what is there stays valid. */
static int add_words(char ***argv, size_t *argc, const char *s)
{
	char **more;
	size_t n;

	for (s += strspn(s, BLANK); *s; s += n + strspn(s + n, BLANK)) {
		n = strcspn(s, BLANK);
		more = realloc(*argv, (*argc + 2) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		*argv = more;
		more[*argc] = strndup(s, n);
		if (!more[*argc])
			return -ENOMEM;
		more[++*argc] = NULL;
	}
	return 0;
}

/* (NAME 'SCRIPT ARG...'), or as people also write it, (NAME SCRIPT ARG...). */
static int script(struct parser *p, const struct hv_sxp *option, char ***argv, size_t *argc, unsigned *line)
{
	const char *name = hv_sxp_name(option);
	size_t first = hv_sxp_first(option);
	const struct hv_sxp *v;
	unsigned column;

	if (*line) {
		hv_note_at(&p->xend->notes, p->text, option->at,
			   "%s is set on line %u already, and the first setting counts: take one out", name, *line);
		return 0;
	}
	hv_text_place(p->text, option->at, line, &column);
	for (size_t i = first; i < option->n; i++) {
		v = &option->child[i];
		if (!v->atom)
			return hv_err_at(p->err, p->text, v->at,
					 "%s is a name and its arguments in quotes, not a list: (%s '%s')", name, name,
					 "NAME ARGUMENT...");
		if (i == first + 1)
			hv_note_at(&p->xend->notes, p->text, v->at,
				   "xend read only the first word: put script and arguments in one pair of quotes, (%s "
				   "'%.60s "
				   "%.60s')",
				   name, option->child[first].atom, v->atom);
		if (add_words(argv, argc, v->atom))
			return err_nomem(p->err);
	}
	return 0;
}

static bool is_passed_over(const char *name)
{
	for (size_t i = 0; i < sizeof(passed_over) / sizeof(*passed_over); i++)
		if (strcmp(passed_over[i], name) == 0)
			return true;
	return false;
}

static int option(struct parser *p, const struct hv_sxp *v)
{
	struct hv_notes *notes = &p->xend->notes;
	struct hv_xend *x = p->xend;
	const char *name = hv_sxp_name(v);

	if (!name) {
		hv_note_at(notes, p->text, v->at, "no option: they are written (NAME VALUE); passed over");
		return 0;
	}
	if (strcmp(name, "network-script") == 0)
		return script(p, v, &x->network_script, &x->network_script_argc, &x->network_script_line);
	if (strcmp(name, "vif-script") == 0)
		return script(p, v, &x->vif_script, &x->vif_script_argc, &x->vif_script_line);
	for (size_t i = 0; i < sizeof(outdated) / sizeof(*outdated); i++)
		if (strcmp(name, outdated[i].name) == 0) {
			hv_note_at(notes, p->text, v->at, "%s has no effect: %s", name, outdated[i].instead);
			return 0;
		}
	if (!is_passed_over(name))
		hv_note_at(notes, p->text, v->at, "`%.60s' is no option that xend knew: passed over", name);
	return 0;
}

int hv_xend_parse(const struct hv_text *text, struct hv_xend **out, struct err *err)
{
	struct parser p = {.text = text, .err = err};
	struct hv_sxp *all = NULL;
	int rc = 0;

	*out = NULL;
	p.xend = calloc(1, sizeof(*p.xend));
	if (p.xend)
		p.xend->path = strdup(text->name);
	if (!p.xend || !p.xend->path)
		rc = err_nomem(err);
	if (rc == 0)
		rc = hv_sxp_parse(text, &all, &p.xend->notes, err);
	for (size_t i = 0; rc == 0 && i < all->n; i++)
		rc = option(&p, &all->child[i]);
	hv_sxp_free(all);
	if (rc == 0 && !p.xend->vif_script_line &&
	    add_words(&p.xend->vif_script, &p.xend->vif_script_argc, "vif-bridge"))
		rc = err_nomem(err);
	if (rc) {
		hv_xend_free(p.xend);
		return rc;
	}
	*out = p.xend;
	return 0;
}

int hv_xend_load(const char *path, struct hv_xend **out, struct err *err)
{
	struct hv_text text;
	int rc;

	*out = NULL;
	rc = hv_text_load(&text, path, err);
	if (rc)
		return rc;
	rc = hv_xend_parse(&text, out, err);
	hv_text_fini(&text);
	return rc;
}

void hv_xend_free(struct hv_xend *xend)
{
	if (!xend)
		return;
	argv_free(xend->network_script);
	argv_free(xend->vif_script);
	hv_notes_fini(&xend->notes);
	free(xend->path);
	free(xend);
}
