/* SPDX-License-Identifier: BSD-3-Clause */
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void hv_text_place(const struct hv_text *text, size_t at, unsigned *line, unsigned *column)
{
	size_t begin = 0;

	*line = 1;
	if (at > text->len)
		at = text->len;
	for (size_t i = 0; i < at; i++)
		if (text->data[i] == '\n') {
			++*line;
			begin = i + 1;
		}
	*column = at - begin + 1;
}

int hv_err_at(struct err *err, const struct hv_text *text, size_t at, const char *fmt, ...)
{
	unsigned line, column;
	va_list ap;
	int n;

	hv_text_place(text, at, &line, &column);
	/* A long path must not displace the message. */
	n = snprintf(err->text, sizeof(err->text), "%.250s:%u:%u: ", text->name, line, column);
	va_start(ap, fmt);
	vsnprintf(err->text + n, sizeof(err->text) - n, fmt, ap);
	va_end(ap);
	err_make_printable(err->text);
	err->line = line;
	err->column = column;
	return -EINVAL;
}

int hv_err_in_word(struct err *err, size_t at, const char *sentence)
{
	err_set(err, -EINVAL, "%s", sentence);
	err->column = at + 1;
	return -EINVAL;
}

static void note_add(struct hv_notes *notes, const char *sentence)
{
	char **more = realloc(notes->line, (notes->n + 1) * sizeof(*more));

	if (!more)
		return;
	notes->line = more;
	more[notes->n] = strdup(sentence);
	if (more[notes->n])
		notes->n++;
}

void hv_note_at(struct hv_notes *notes, const struct hv_text *text, size_t at, const char *fmt, ...)
{
	unsigned line, column;
	char sentence[512];
	va_list ap;
	int n;

	if (!notes || notes->n > HV_NOTES_MAX)
		return;
	if (notes->n == HV_NOTES_MAX) {
		snprintf(sentence, sizeof(sentence), "%.250s: warning: further warnings omitted", text->name);
	} else {
		hv_text_place(text, at, &line, &column);
		n = snprintf(sentence, sizeof(sentence), "%.250s:%u:%u: warning: ", text->name, line, column);
		va_start(ap, fmt);
		vsnprintf(sentence + n, sizeof(sentence) - n, fmt, ap);
		va_end(ap);
	}
	err_make_printable(sentence);
	note_add(notes, sentence);
}

void hv_notes_fini(struct hv_notes *notes)
{
	for (size_t i = 0; i < notes->n; i++)
		free(notes->line[i]);
	free(notes->line);
	*notes = (struct hv_notes){0};
}

int hv_text_copy(struct hv_text *text, const char *name, const char *data, size_t len, struct err *err)
{
	const char *nul;
	int r;

	*text = (struct hv_text){0};
	if (len > HV_TEXT_MAX)
		return err_set(err, -EFBIG, "%.250s: longer than %u KiB: this is not a configuration file", name,
			       HV_TEXT_MAX >> 10);
	text->name = strdup(name);
	text->data = malloc(len + 1);
	if (!text->name || !text->data) {
		hv_text_fini(text);
		return err_nomem(err);
	}
	if (len > 0)
		memcpy(text->data, data, len);
	text->data[len] = '\0';
	text->len = len;
	nul = memchr(text->data, '\0', len);
	if (nul) {
		r = hv_err_at(err, text, nul - text->data, "a NUL byte: this is not a text file");
		hv_text_fini(text);
		return r;
	}
	return 0;
}

/* Up to max bytes; returns how many, or -errno. */
static ssize_t read_all(int fd, char *buf, size_t max)
{
	size_t len = 0;
	ssize_t n;

	while (len < max) {
		n = read(fd, buf + len, max - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += n;
	}
	return len;
}

int hv_text_load(struct hv_text *text, const char *path, struct err *err)
{
	char *buf;
	ssize_t len;
	int fd, r;

	*text = (struct hv_text){0};
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		return err_set(err, r, "cannot read %.250s: %s", path, strerror(-r));
	}
	buf = malloc(HV_TEXT_MAX + 1);
	if (!buf) {
		close(fd);
		return err_nomem(err);
	}
	len = read_all(fd, buf, HV_TEXT_MAX + 1);
	close(fd);
	if (len < 0)
		r = err_set(err, len, "cannot read %.250s: %s", path, strerror(-len));
	else
		r = hv_text_copy(text, path, buf, len, err);
	free(buf);
	return r;
}

void hv_text_fini(struct hv_text *text)
{
	free(text->name);
	free(text->data);
	*text = (struct hv_text){0};
}
