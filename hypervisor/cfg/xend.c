/* SPDX-License-Identifier: BSD-3-Clause */
#include "xend.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cfg.h"
#include "vswitch/base/nearest.h"

#define BLANK " \t\n\v\f\r"
#define SEPARATOR "{}()<>[];"
#define END_OF_TEXT '\004'

/* Network options of the first releases, and how their effect is had now. */
static const struct {
	const char *name, *instead;
} outdated[] = {
	{"vif-bridge", "name the bridge in each guest's vif, bridge=NAME"},
	{"vif-antispoof", "give each guest's vif its address, ip=ADDRESS"},
};

enum token { TOKEN_END, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_ATOM };

struct parser {
	const struct hv_text *text;
	const char *s;
	size_t at;
	struct hv_xend *xend;
	struct err *err;
	size_t open[HV_DEPTH_MAX]; /* where the open lists begin */
	unsigned depth;
	/* The option within which we are: */
	char *name; /* NULL: not read yet */
	struct hv_xend_script *script; /* it is this one; NULL: another option, or to be ignored */
	char *first; /* the script's first value */
	size_t list; /* where a list begins that is wrongly one of its values; 0: there is none */
	bool noted; /* a note says that it is not an option */
};

#define bad(p, where, ...) hv_err_at((p)->err, (p)->text, where, __VA_ARGS__)
#define note(p, where, ...) hv_note_at(&(p)->xend->notes, (p)->text, where, __VA_ARGS__)

/* ---- words and strings ------------------------------------------------------------------------------------------- */

static int escaped_byte(struct parser *p, size_t begin, int base, size_t max, char *out)
{
	char digits[4] = "";
	size_t n = strspn(p->s + p->at, base == 16 ? "0123456789abcdefABCDEF" : "01234567");
	unsigned long v;

	if (n > max)
		n = max;
	memcpy(digits, p->s + p->at, n);
	v = strtoul(digits, NULL, base);
	if (n == 0 || v == 0 || v > 255)
		return bad(p, begin, "`\\%s%s' in a string: must be a byte from 1 to 255, as \\x41 or \\101",
			   base == 16 ? "x" : "", digits);
	p->at += n;
	*out = v;
	return 0;
}

/* The escape at p->at, which is a backslash: up to two bytes into out, their number into *n. */
static int escape(struct parser *p, char out[2], size_t *n)
{
	static const char from[] = "abtnvfr\\'\"", to[] = "\a\b\t\n\v\f\r\\'\"";
	size_t begin = p->at++;
	char c = p->s[p->at];
	const char *known = c ? strchr(from, c) : NULL;

	*n = 1;
	if (c >= '0' && c <= '7')
		return escaped_byte(p, begin, 8, 3, out);
	if (c == '\0') {
		*n = 0; /* the caller reports the end of the text */
		return 0;
	}
	p->at++;
	if (c == 'x')
		return escaped_byte(p, begin, 16, 2, out);
	if (known) {
		*out = to[known - from];
		return 0;
	}
	note(p, begin,
	     "`\\%c' is not an escape and is taken as these two characters (xend lost the second): write \\\\", c);
	out[0] = '\\';
	out[1] = c;
	*n = 2;
	return 0;
}

/* Read the string at p->at into *atom, on the heap. */
static int string(struct parser *p, char **atom)
{
	size_t begin = p->at, span, len = 0, n;
	char quote = p->s[p->at++], byte[2];
	int r = 0;

	for (span = p->at; p->s[span] && p->s[span] != quote;)
		span += p->s[span] == '\\' && p->s[span + 1] ? 2 : 1;
	char *s = calloc(span - p->at + 1, 1);
	if (!s)
		return err_nomem(p->err);
	while (!r && p->s[p->at] != quote) {
		byte[0] = p->s[p->at];
		n = 1;
		if (byte[0] == '\0')
			r = bad(p, begin, "the string that begins here has no closing %c", quote);
		else if (byte[0] == '\\')
			r = escape(p, byte, &n);
		else
			p->at++;
		if (!r) {
			memcpy(s + len, byte, n);
			len += n;
		}
	}
	if (r) {
		free(s);
		return r;
	}
	p->at++;
	*atom = s;
	return 0;
}

/* Read the next token: where it begins, and of an atom its text, on the heap. */
static int next(struct parser *p, enum token *token, size_t *where, char **atom)
{
	for (;;) {
		p->at += strspn(p->s + p->at, BLANK);
		if (p->s[p->at] != '#')
			break;
		p->at += strcspn(p->s + p->at, "\n");
	}
	char c = p->s[p->at];
	*where = p->at;
	*atom = NULL;
	*token = c == '\0' || c == END_OF_TEXT ? TOKEN_END
		 : c == '('                    ? TOKEN_OPEN
		 : c == ')'                    ? TOKEN_CLOSE
					       : TOKEN_ATOM;
	if (*token == TOKEN_END)
		return 0;
	if (*token != TOKEN_ATOM) {
		p->at++;
		return 0;
	}
	if (c == '"' || c == '\'')
		return string(p, atom);
	if (c < ' ' || c > '~')
		return bad(p, p->at, "byte 0x%02x cannot begin a word: remove it, or put it in quotes",
			   (unsigned char)c);
	size_t n = 1 + strcspn(p->s + p->at + 1, SEPARATOR BLANK "#");
	*atom = strndup(p->s + p->at, n);
	p->at += n;
	return *atom ? 0 : err_nomem(p->err);
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

/* Append the words of `s`. What is there stays valid on failure. */
static int add_words(struct hv_xend_script *script, const char *s, struct err *err)
{
	char **more;
	size_t n;

	for (s += strspn(s, BLANK); *s; s += n + strspn(s + n, BLANK)) {
		n = strcspn(s, BLANK);
		more = reallocarray(script->argv, script->argc + 2, sizeof(*more));
		if (!more)
			return err_nomem(err);
		script->argv = more;
		more[script->argc] = strndup(s, n);
		if (!more[script->argc])
			return err_nomem(err);
		more[++script->argc] = NULL;
	}
	return 0;
}

static const char *known_at(const void *arg, size_t i)
{
	static const char *const known[] = {"network-script", "vif-script", NULL};

	(void)arg;
	return known[i];
}

static void not_an_option(struct parser *p, size_t where)
{
	if (!p->noted)
		note(p, where, "not an option, which has the form (NAME VALUE): ignored");
	p->noted = p->depth > 0;
}

/* The option at `where` is called `name`; takes the string. */
static void on_name(struct parser *p, size_t where, char *name)
{
	struct hv_xend *x = p->xend;
	struct hv_xend_script *script = !strcmp(name, "network-script") ? &x->network
					: !strcmp(name, "vif-script")   ? &x->vif
									: NULL;
	const char *near = script ? NULL : nearest_word(name, known_at, NULL);
	unsigned column;

	p->name = name;
	if (script && script->line) {
		note(p, where, "%s is already set on line %u, and the first setting counts: remove one", name,
		     script->line);
		return;
	}
	p->script = script;
	if (script)
		hv_text_place(p->text, where, &script->line, &column);
	for (size_t i = 0; i < sizeof(outdated) / sizeof(*outdated); i++)
		if (!strcmp(name, outdated[i].name)) {
			note(p, where, "%s has no effect: %s", name, outdated[i].instead);
			return;
		}
	if (near)
		note(p, where, "`%.60s' is ignored; did you mean %s?", name, near);
}

/* A value of the option; takes the string. */
static int on_value(struct parser *p, size_t where, char *value)
{
	int r = 0;

	if (p->script) {
		r = add_words(p->script, value, p->err);
		if (!p->first) {
			p->first = value;
			return r;
		}
		if (!p->noted)
			note(p, where,
			     "xend read only the first word: put the script and its arguments in one pair of quotes, "
			     "(%s '%.60s %.60s')",
			     p->name, p->first, value);
		p->noted = true;
	}
	free(value);
	return r;
}

static void end_option(struct parser *p)
{
	free(p->name);
	free(p->first);
	p->name = p->first = NULL;
	p->script = NULL;
	p->noted = false;
}

static int on_token(struct parser *p, enum token token, size_t where, char *atom)
{
	switch (token) {
	case TOKEN_OPEN:
		if (p->depth == HV_DEPTH_MAX)
			return bad(p, where, "lists are nested more than %d deep", HV_DEPTH_MAX);
		if (p->depth == 1 && p->script && !p->list)
			p->list = where;
		if (p->depth == 1 && !p->name)
			not_an_option(p, p->open[0]);
		p->open[p->depth++] = where;
		return 0;
	case TOKEN_CLOSE:
		if (p->depth == 0)
			return bad(p, where, "this ) closes nothing: remove it, or add the missing (");
		if (p->depth == 1 && !p->name)
			not_an_option(p, p->open[0]);
		if (p->depth == 1 && p->list)
			return bad(p, p->list, "%s must be a name and its arguments in quotes, not a list: (%s '%s')",
				   p->name, p->name, "NAME ARGUMENT...");
		if (--p->depth == 0)
			end_option(p);
		return 0;
	case TOKEN_ATOM:
		if (p->depth == 1 && p->name)
			return on_value(p, where, atom);
		if (p->depth == 1 && !p->noted) {
			on_name(p, p->open[0], atom);
			return 0;
		}
		if (p->depth == 0)
			not_an_option(p, where);
		free(atom);
		return 0;
	case TOKEN_END:
		break;
	}
	return p->depth ? bad(p, p->open[p->depth - 1], "the ( here has no closing )") : 0;
}

/* ---- whole files ------------------------------------------------------------------------------------------------- */

int hv_xend_parse(const struct hv_text *text, struct hv_xend **out, struct err *err)
{
	struct parser p = {.text = text, .s = text->data, .err = err};
	enum token token = TOKEN_ATOM;
	size_t where;
	char *atom;
	int r = 0;

	*out = NULL;
	p.xend = calloc(1, sizeof(*p.xend));
	if (p.xend)
		p.xend->path = strdup(text->name);
	if (!p.xend || !p.xend->path)
		r = err_nomem(err);
	while (!r && token != TOKEN_END) {
		r = next(&p, &token, &where, &atom);
		if (!r)
			r = on_token(&p, token, where, atom);
	}
	end_option(&p);
	if (!r && !p.xend->vif.line)
		r = add_words(&p.xend->vif, "vif-bridge", err);
	if (r) {
		hv_xend_free(p.xend);
		return r;
	}
	*out = p.xend;
	return 0;
}

int hv_xend_load(const char *path, struct hv_xend **out, struct err *err)
{
	struct hv_text text;

	*out = NULL;
	int r = hv_text_load(&text, path, err);
	if (r)
		return r;
	r = hv_xend_parse(&text, out, err);
	hv_text_fini(&text);
	return r;
}

static void print_script(const char *name, const struct hv_xend_script *script, FILE *out)
{
	size_t len;
	char *words = NULL;
	FILE *mem = script->line ? open_memstream(&words, &len) : NULL;

	if (!mem)
		return;
	for (size_t i = 0; i < script->argc; i++)
		fprintf(mem, "%s%s", i ? " " : "", script->argv[i]);
	fclose(mem);
	fprintf(out, "(%s ", name);
	hv_print_quoted(words ? words : "", out);
	fputs(")\n", out);
	free(words);
}

void hv_xend_print(const struct hv_xend *xend, FILE *out)
{
	print_script("network-script", &xend->network, out);
	print_script("vif-script", &xend->vif, out);
}

static void script_fini(struct hv_xend_script *script)
{
	for (size_t i = 0; i < script->argc; i++)
		free(script->argv[i]);
	free(script->argv);
}

void hv_xend_free(struct hv_xend *xend)
{
	if (!xend)
		return;
	script_fini(&xend->network);
	script_fini(&xend->vif);
	hv_notes_fini(&xend->notes);
	free(xend->path);
	free(xend);
}
