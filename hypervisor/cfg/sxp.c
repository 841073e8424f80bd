/* SPDX-License-Identifier: BSD-3-Clause */
#include "sxp.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cfg.h"

#define SPACE " \t\n\v\f\r"
#define SEPARATOR "{}()<>[];"
#define END_OF_TEXT '\004'

struct parser {
	const struct hv_text *text;
	const char *s;
	size_t at;
	unsigned depth;
	struct hv_notes *notes;
	struct err *err;
};

#define bad(p, where, ...) hv_err_at((p)->err, (p)->text, where, __VA_ARGS__)

static void skip_space(struct parser *p)
{
	for (;;) {
		p->at += strspn(p->s + p->at, SPACE);
		if (p->s[p->at] != '#')
			return;
		p->at += strcspn(p->s + p->at, "\n");
	}
}

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
		*n = 0; /* the end of the text, which the caller meets */
		return 0;
	}
	p->at++;
	if (c == 'x')
		return escaped_byte(p, begin, 16, 2, out);
	if (known) {
		*out = to[known - from];
		return 0;
	}
	hv_note_at(
		p->notes, p->text, begin,
		"`\\%c' means nothing special; it is taken as these two characters (xend lost the second): write \\\\",
		c);
	out[0] = '\\';
	out[1] = c;
	*n = 2;
	return 0;
}

static int string(struct parser *p, struct hv_sxp *v)
{
	char quote = p->s[p->at++], byte[2];
	size_t span = p->at, len = 0, n;
	int rc;

	while (p->s[span] && p->s[span] != quote)
		span += p->s[span] == '\\' && p->s[span + 1] ? 2 : 1;
	v->atom = calloc(span - p->at + 1, 1);
	if (!v->atom)
		return err_nomem(p->err);
	while (p->s[p->at] != quote) {
		byte[0] = p->s[p->at];
		n = 1;
		if (byte[0] == '\0')
			return bad(p, v->at, "the string that begins here has no closing %c", quote);
		rc = 0;
		if (byte[0] == '\\')
			rc = escape(p, byte, &n);
		else
			p->at++;
		if (rc)
			return rc;
		memcpy(v->atom + len, byte, n);
		len += n;
	}
	p->at++;
	return 0;
}

static int atom(struct parser *p, struct hv_sxp *v)
{
	size_t n = 1 + strcspn(p->s + p->at + 1, SEPARATOR SPACE "#");

	v->atom = strndup(p->s + p->at, n);
	p->at += n;
	return v->atom ? 0 : err_nomem(p->err);
}

static int values(struct parser *p, struct hv_sxp *list);

static int value(struct parser *p, struct hv_sxp *v)
{
	char c = p->s[p->at];
	int rc;

	*v = (struct hv_sxp){.at = p->at};
	if (c == '"' || c == '\'')
		return string(p, v);
	if (c != '(') {
		if (c < ' ' || c > '~')
			return bad(p, p->at, "byte 0x%02x cannot begin a word: put it in quotes, or take it out",
				   (unsigned char)c);
		return atom(p, v);
	}
	if (++p->depth > HV_DEPTH_MAX)
		return bad(p, p->at, "lists within lists more than %d deep", HV_DEPTH_MAX);
	p->at++;
	rc = values(p, v);
	if (rc)
		return rc;
	if (p->s[p->at] != ')')
		return bad(p, v->at, "the ( here has no closing )");
	p->at++;
	p->depth--;
	return 0;
}

/* Values up to a ')' or the end, into `list`. */
static int values(struct parser *p, struct hv_sxp *list)
{
	struct hv_sxp *more;
	size_t room = 0;
	int rc;

	for (;;) {
		skip_space(p);
		if (p->s[p->at] == '\0' || p->s[p->at] == END_OF_TEXT || p->s[p->at] == ')')
			return 0;
		if (list->n == room) {
			room = room ? 2 * room : 4;
			more = realloc(list->child, room * sizeof(*more));
			if (!more)
				return err_nomem(p->err);
			list->child = more;
		}
		rc = value(p, &list->child[list->n++]);
		if (rc)
			return rc;
	}
}

int hv_sxp_parse(const struct hv_text *text, struct hv_sxp **out, struct hv_notes *notes, struct err *err)
{
	struct parser p = {.text = text, .s = text->data, .notes = notes, .err = err};
	struct hv_sxp *all = calloc(1, sizeof(*all));
	int rc;

	*out = NULL;
	if (!all)
		return err_nomem(err);
	rc = values(&p, all);
	if (rc == 0 && p.s[p.at] == ')')
		rc = bad(&p, p.at, "this ) closes nothing: take it out, or look for a ( that is missing");
	if (rc) {
		hv_sxp_free(all);
		return rc;
	}
	*out = all;
	return 0;
}

static void fini(struct hv_sxp *v)
{
	free(v->atom);
	for (size_t i = 0; i < v->n; i++)
		fini(&v->child[i]);
	free(v->child);
}

void hv_sxp_free(struct hv_sxp *sxp)
{
	if (!sxp)
		return;
	fini(sxp);
	free(sxp);
}

const char *hv_sxp_name(const struct hv_sxp *sxp)
{
	return sxp->n > 0 ? sxp->child[0].atom : NULL;
}

size_t hv_sxp_first(const struct hv_sxp *sxp)
{
	const char *name = sxp->n > 1 ? hv_sxp_name(&sxp->child[1]) : NULL;

	return name && strcmp(name, "@") == 0 ? 2 : 1;
}

/* Whether the bytes are an atom without quotes, whoever reads them. */
static bool is_plain(const char *s)
{
	size_t plain = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:/~=@");

	return *s != '\0' && s[plain] == '\0';
}

static void print_value(const struct hv_sxp *v, FILE *out)
{
	if (v->atom && is_plain(v->atom)) {
		fputs(v->atom, out);
	} else if (v->atom) {
		hv_print_quoted(v->atom, out);
	} else {
		fputc('(', out);
		for (size_t i = 0; i < v->n; i++) {
			if (i > 0)
				fputc(' ', out);
			print_value(&v->child[i], out);
		}
		fputc(')', out);
	}
}

void hv_sxp_print(const struct hv_sxp *list, FILE *out)
{
	for (size_t i = 0; i < list->n; i++) {
		print_value(&list->child[i], out);
		fputc('\n', out);
	}
}
