/* SPDX-License-Identifier: BSD-3-Clause */
#include "cfg.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cfg_impl.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGIT "0123456789"

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

/* Length of the word at `at`, at most as much as is worth showing. */
static int word_len(const struct cfg_parser *p, size_t at)
{
	int n = 0;

	while (n < 40 && is_word_char(p->s[at + n]))
		n++;
	return n;
}

/* Blanks and continued lines. */
static void skip_blanks(struct cfg_parser *p)
{
	for (;;) {
		if (p->s[p->at] == ' ' || p->s[p->at] == '\t')
			p->at++;
		else if (p->s[p->at] == '\\' && p->s[p->at + 1] == '\n')
			p->at += 2;
		else
			return;
	}
}

static void skip_comment(struct cfg_parser *p)
{
	if (p->s[p->at] == '#')
		p->at += strcspn(p->s + p->at, "\n");
}

/* Blanks, newlines and comments. */
static void skip_lines(struct cfg_parser *p)
{
	for (;;) {
		skip_blanks(p);
		skip_comment(p);
		if (p->s[p->at] != '\n')
			return;
		p->at++;
	}
}

/* Allocate room for the n bytes of a string, its NUL and their places. */
static int value_room(struct cfg_parser *p, struct hv_cfg_value *v, size_t n)
{
	v->string = calloc(n + 1, 1);
	v->src = calloc(n + 1, sizeof(*v->src));
	return v->string && v->src ? 0 : err_nomem(p->err);
}

static int number(struct cfg_parser *p, struct hv_cfg_value *v)
{
	size_t n = 1 + strspn(p->s + p->at + 1, DIGIT "abcdefx");
	int r;

	if (is_word_char(p->s[p->at + n]))
		return bad(p, p->at + n,
			   "`%.*s': not a number: write it as 512, 0x200 (lower case) or 01000 (octal), without a "
			   "unit; or "
			   "put it in quotes",
			   word_len(p, p->at), p->s + p->at);
	r = value_room(p, v, n);
	if (r)
		return r;
	v->kind = HV_CFG_NUMBER;
	memcpy(v->string, p->s + p->at, n);
	for (size_t i = 0; i <= n; i++)
		v->src[i] = p->at + i;
	p->at += n;
	return 0;
}

/* Read the min to max digits of a numeric escape at p->at. */
static int escaped_byte(struct cfg_parser *p, size_t begin, int base, size_t min, size_t max, char *out)
{
	char digits[4] = "";
	size_t n = strspn(p->s + p->at, base == 16 ? DIGIT "abcdefABCDEF" : "01234567");
	unsigned long v;

	if (n > max)
		n = max;
	memcpy(digits, p->s + p->at, n);
	v = strtoul(digits, NULL, base);
	if (n < min || v == 0 || v > 255)
		return bad(p, begin,
			   "`\\%s' in a string: write \\x and two digits, or an octal number; 0 is not allowed",
			   base == 16 ? "x" : digits);
	p->at += n;
	*out = v;
	return 0;
}

/* Read the escape at p->at, which is a backslash. *out: the byte that it stands for; '\0': none, the line continues. */
static int escape(struct cfg_parser *p, char *out)
{
	static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
	size_t begin = p->at++;
	char c = p->s[p->at];
	const char *known = c ? strchr(from, c) : NULL;

	if (c >= '0' && c <= '7') {
		int r = escaped_byte(p, begin, 8, 1, 3, out);
		if (!r)
			hv_note_at(p->notes, p->text, begin,
				   "`%.*s' in a string: xl leaves octal escapes out: write the character itself",
				   (int)(p->at - begin), p->s + begin);
		return r;
	}
	*out = '\0';
	if (c == '\0')
		return 0; /* the caller reports the end of the text */
	p->at++;
	if (c == 'x')
		return escaped_byte(p, begin, 16, 2, 2, out);
	if (c == '\n')
		return 0;
	if (!known)
		return bad(p, begin, "`\\%.1s' in a string is not an escape: for a backslash write \\\\",
			   p->s + begin + 1);
	*out = to[known - from];
	return 0;
}

/* An upper bound of the bytes of the string that begins at the quote at p->at. */
static size_t string_span(const struct cfg_parser *p, char quote)
{
	size_t i = p->at + 1;

	while (p->s[i] && p->s[i] != quote && p->s[i] != '\n')
		i += p->s[i] == '\\' && p->s[i + 1] ? 2 : 1;
	return i - p->at;
}

static int string(struct cfg_parser *p, struct hv_cfg_value *v)
{
	size_t begin = p->at, n = 0, at;
	char quote = p->s[p->at], c;
	int r;

	if (p->s[begin + 1] == quote && p->s[begin + 2] == quote)
		return bad(p, begin, "three quotes are Python: use one, and write everything on one line");
	r = value_room(p, v, string_span(p, quote));
	if (r)
		return r;
	v->kind = HV_CFG_STRING;
	p->at++;
	while (p->s[p->at] != quote) {
		at = p->at;
		c = p->s[at];
		if (c == '\0' || c == '\n')
			return bad(p, begin, "the string that begins here has no closing %c on its line", quote);
		if (c == '\\')
			r = escape(p, &c);
		else
			p->at++;
		if (r)
			return r;
		if (c == '\0')
			continue;
		v->string[n] = c;
		v->src[n++] = at;
	}
	v->src[n] = p->at++;
	return 0;
}

/* Whether a setting begins here: inside a list that means that its ] is missing. */
static bool is_setting(const struct cfg_parser *p)
{
	size_t n = strspn(p->s + p->at, LOWER DIGIT "._");
	size_t blank = strspn(p->s + p->at + n, " \t");

	return n > 0 && p->s[p->at + n + blank] == '=';
}

static int value(struct cfg_parser *p, struct hv_cfg_value *v);

static int list(struct cfg_parser *p, struct hv_cfg_value *v)
{
	size_t begin = p->at++, room = 0;
	struct hv_cfg_value *more;
	int r;

	v->kind = HV_CFG_LIST;
	if (++p->depth > HV_DEPTH_MAX)
		return bad(p, begin, "lists are nested more than %d deep", HV_DEPTH_MAX);
	for (;;) {
		skip_lines(p);
		if (p->s[p->at] == ']')
			break;
		if (p->s[p->at] == '\0' || is_setting(p))
			return bad(p, begin, "the list that begins here has no closing ]");
		if (p->s[p->at] == ',')
			return bad(p, p->at, "a value is missing before this comma");
		if (v->nitem == room) {
			room = room ? 2 * room : 4;
			more = realloc(v->item, room * sizeof(*more));
			if (!more)
				return err_nomem(p->err);
			v->item = more;
		}
		v->item[v->nitem] = (struct hv_cfg_value){0};
		r = value(p, &v->item[v->nitem++]);
		if (r)
			return r;
		skip_lines(p);
		if (p->s[p->at] == ',')
			p->at++;
		else if (p->s[p->at] == '\0' || is_setting(p))
			return bad(p, begin, "the list that begins here has no closing ]");
		else if (p->s[p->at] != ']')
			return bad(p, p->at, "a comma or ] is missing here, between or after the values of a list");
	}
	p->at++;
	p->depth--;
	return 0;
}

static int not_a_value(struct cfg_parser *p)
{
	static const struct {
		const char *word, *write;
	} constants[] = {{"True", "write 1"}, {"False", "write 0"}, {"None", "leave the setting out"}};
	int n = word_len(p, p->at);
	char c = p->s[p->at];

	for (size_t i = 0; i < sizeof(constants) / sizeof(*constants); i++)
		if (strlen(constants[i].word) == (size_t)n && !strncmp(p->s + p->at, constants[i].word, n))
			return bad(p, p->at, "`%s' is Python: %s", constants[i].word, constants[i].write);
	if (n > 0)
		return bad(p, p->at,
			   "`%.*s' is Python code, not data: write the value itself, text in quotes, e.g. \"%.*s\"", n,
			   p->s + p->at, n, p->s + p->at);
	if (c == '(' || c == '{')
		return bad(p, p->at, "`%c' is Python: write a list with [ and ]", c);
	if (c == '-')
		return bad(p, p->at, "numbers cannot have a sign: put it in quotes");
	if (c == '\0' || c == '\n' || c == '#' || c == ';')
		return bad(p, p->at, "a value is missing on this line: a number, a \"string\" or a [ list ]");
	return bad(p, p->at, "`%c' cannot begin a value: write a number, a \"string\" or a [ list ]", c);
}

static int value(struct cfg_parser *p, struct hv_cfg_value *v)
{
	char c = p->s[p->at];

	v->at = p->at;
	if (c == '"' || c == '\'')
		return string(p, v);
	if (c >= '0' && c <= '9')
		return number(p, v);
	if (c == '[')
		return list(p, v);
	return not_a_value(p);
}

/* After its value, a setting must end. */
static int end_of_setting(struct cfg_parser *p)
{
	char c;

	skip_blanks(p);
	skip_comment(p);
	c = p->s[p->at];
	if (c == '\0')
		return 0;
	if (c == '\n' || c == ';') {
		p->at++;
		return 0;
	}
	if (c == '\r')
		return bad(p, p->at, "the line has a DOS line ending: convert the file, e.g. with sed -i 's/\\r$//'");
	if (strchr("+-*/%.(", c))
		return bad(p, p->at, "`%c' is Python code, not data: write the result itself", c);
	if (c == '"' || c == '\'')
		return bad(p, p->at, "a second string: only one is allowed");
	return bad(p, p->at, "the line must end here, or a `;' follow");
}

/* Explain why no setting begins at `at`. */
static int not_a_setting(struct cfg_parser *p, size_t at)
{
	static const char *const statements[] = {"import", "from", "if",    "else", "elif",  "for",    "while",
						 "def",    "try",  "print", "del",  "class", "return", "exec"};
	int n = word_len(p, at);

	for (size_t i = 0; i < sizeof(statements) / sizeof(*statements); i++)
		if (strlen(statements[i]) == (size_t)n && !strncmp(p->s + at, statements[i], n))
			return bad(p, at,
				   "`%s' is Python code: a cfg file holds only data, NAME = VALUE: write the result "
				   "itself",
				   statements[i]);
	if (p->s[at] == '\r')
		return bad(p, at, "the line has a DOS line ending: convert the file, e.g. with sed -i 's/\\r$//'");
	if (p->s[at] >= 'A' && p->s[at] <= 'Z')
		return bad(p, at, "`%.*s': names of settings begin with a lower-case letter", n, p->s + at);
	return bad(p, at, "expected a setting: NAME = VALUE");
}

static int setting(struct cfg_parser *p)
{
	size_t begin = p->at, n = strspn(p->s + p->at, LOWER);
	struct hv_cfg_value v = {0};
	char *name;
	bool add;
	int r;

	if (n == 0)
		return not_a_setting(p, begin);
	n += strspn(p->s + begin + n, LOWER DIGIT "._");
	p->at += n;
	if (p->s[p->at] >= 'A' && p->s[p->at] <= 'Z')
		return bad(p, p->at, "`%.*s': names of settings have only lower-case letters, digits, _ and .",
			   word_len(p, begin), p->s + begin);
	skip_blanks(p);
	add = p->s[p->at] == '+' && p->s[p->at + 1] == '=';
	p->at += add;
	if (p->s[p->at] != '=' || p->s[p->at + 1] == '=')
		return not_a_setting(p, begin);
	p->at++;
	skip_blanks(p);
	r = value(p, &v);
	if (!r)
		r = end_of_setting(p);
	name = strndup(p->s + begin, n);
	if (!r && !name)
		r = err_nomem(p->err);
	if (r) {
		free(name);
		cfg_value_fini(&v);
		return r;
	}
	return cfg_store(p, name, begin, add, &v);
}

int hv_cfg_parse(const struct hv_text *text, struct hv_cfg **out, struct hv_notes *notes, struct err *err)
{
	struct cfg_parser p = {.text = text, .s = text->data, .notes = notes, .err = err};
	int r = 0;

	*out = NULL;
	p.cfg = calloc(1, sizeof(*p.cfg));
	if (p.cfg)
		p.cfg->setting = calloc(HV_CFG_SETTINGS_MAX, sizeof(*p.cfg->setting));
	if (!p.cfg || !p.cfg->setting)
		r = err_nomem(err);
	while (!r) {
		skip_lines(&p);
		if (p.s[p.at] == ';')
			p.at++;
		else if (p.s[p.at] == '\0')
			break;
		else
			r = setting(&p);
	}
	if (r) {
		hv_cfg_free(p.cfg);
		return r;
	}
	*out = p.cfg;
	return 0;
}
