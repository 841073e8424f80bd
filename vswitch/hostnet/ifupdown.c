/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ifupdown.h"

#define NESTING_MAX 8
#define WORD_SEPARATORS " \t\r\n"

struct reader {
	const char *name;
	int (*fn)(const char *address, void *arg);
	void *arg;
	struct err *err;
	unsigned depth;
};

struct stanza { /* the one that is being read */
	bool ours; /* static, and of the interface that was asked for */
	bool ipv6;
	char address[64], netmask[64];
	unsigned line; /* of its address */
};

const char *ifupdown_path(void)
{
	const char *path = getenv("XBAR_INTERFACES");
	return path && *path ? path : "/etc/network/interfaces";
}

/* "255.255.255.0" or "24" as a length; -1: neither. */
static int mask_length(const char *text, bool ipv6)
{
	struct in_addr mask;
	char *end;

	unsigned long len = strtoul(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end)
		return len <= (ipv6 ? 128 : 32) ? (int)len : -1;
	if (ipv6 || inet_pton(AF_INET, text, &mask) != 1)
		return -1;
	uint32_t bits = ntohl(mask.s_addr);
	int n = __builtin_popcount(bits);
	return bits == (n ? UINT32_MAX << (32 - n) : 0) ? n : -1;
}

/* The length that an address without one has always had: that of its class. */
static int class_length(const char *address)
{
	unsigned first = atoi(address);
	return first < 128 ? 8 : first < 192 ? 16 : 24;
}

static int end_stanza(const struct reader *reader, struct stanza *stanza, const char *path)
{
	char text[140];
	int r = 0;

	if (stanza->ours && *stanza->address) {
		unsigned char ip[16];
		int family = stanza->ipv6 ? AF_INET6 : AF_INET;
		if (!strchr(stanza->address, '/') && inet_pton(family, stanza->address, ip) != 1)
			return err_set(reader->err, -EINVAL, "%s:%u: \"%s\" is no %s address", path, stanza->line,
				       stanza->address, stanza->ipv6 ? "IPv6" : "IPv4");
		if (strchr(stanza->address, '/')) {
			snprintf(text, sizeof(text), "%s", stanza->address);
		} else {
			int len = stanza->ipv6 ? 64 : class_length(stanza->address);
			if (*stanza->netmask)
				len = mask_length(stanza->netmask, stanza->ipv6);
			if (len < 0)
				return err_set(reader->err, -EINVAL, "%s:%u: \"%s\" is no netmask", path, stanza->line,
					       stanza->netmask);
			snprintf(text, sizeof(text), "%s/%d", stanza->address, len);
		}
		r = reader->fn(text, reader->arg);
		if (r < 0) {
			struct err why = *reader->err;
			err_set(reader->err, r, "%s:%u: %.400s", path, stanza->line, why.text);
		}
	}
	*stanza = (struct stanza){0};
	return r < 0 ? r : 0;
}

static int read_file(struct reader *reader, const char *path);

/* `pattern` is relative to the directory of the file that names it. */
static int read_sources(struct reader *reader, const char *from, const char *pattern, bool directory)
{
	char full[PATH_MAX];
	const char *slash = strrchr(from, '/');
	int dir = *pattern == '/' || !slash ? 0 : (int)(slash - from + 1), r = 0;
	glob_t found = {0};

	if (snprintf(full, sizeof(full), "%.*s%s%s", dir, from, pattern, directory ? "/*" : "") >= (int)sizeof(full))
		return 0;
	if (!glob(full, 0, NULL, &found))
		for (size_t i = 0; i < found.gl_pathc && !r; i++)
			r = read_file(reader, found.gl_pathv[i]);
	globfree(&found);
	return r;
}

static int read_line(struct reader *reader, struct stanza *stanza, const char *path, unsigned line, char *text)
{
	char *save;
	const char *word = strtok_r(text, WORD_SEPARATORS, &save);
	const char *value = word ? strtok_r(NULL, WORD_SEPARATORS, &save) : NULL;

	if (!word || *word == '#')
		return 0;
	if (!strcmp(word, "iface")) {
		int r = end_stanza(reader, stanza, path);
		const char *family = strtok_r(NULL, WORD_SEPARATORS, &save);
		const char *method = strtok_r(NULL, WORD_SEPARATORS, &save);
		stanza->ours = value && method && !strcmp(value, reader->name) && !strcmp(method, "static");
		stanza->ipv6 = family && !strcmp(family, "inet6");
		return r;
	}
	if (!strcmp(word, "auto") || !strncmp(word, "allow-", 6) || !strcmp(word, "mapping") ||
	    !strcmp(word, "source") || !strcmp(word, "source-directory") || !strncmp(word, "no-", 3)) {
		int r = end_stanza(reader, stanza, path);
		if (!r && value && !strncmp(word, "source", 6))
			r = read_sources(reader, path, value, word[6]);
		return r;
	}
	if (!stanza->ours || !value)
		return 0;
	bool fits = true;
	if (!strcmp(word, "address")) {
		stanza->line = line;
		fits = snprintf(stanza->address, sizeof(stanza->address), "%s", value) < (int)sizeof(stanza->address);
	} else if (!strcmp(word, "netmask")) {
		fits = snprintf(stanza->netmask, sizeof(stanza->netmask), "%s", value) < (int)sizeof(stanza->netmask);
	}
	return fits ? 0 : err_set(reader->err, -EINVAL, "%s:%u: \"%.80s...\" is no address", path, line, value);
}

/* The next line, with those that end in a backslash joined; `*line` counts. -1: the end. */
static ssize_t next_line(FILE *file, char **buf, size_t *size, unsigned *line)
{
	char *more = NULL;
	size_t more_size = 0;

	ssize_t n = getline(buf, size, file);
	*line += n > 0;
	while (n >= 2 && (*buf)[n - 1] == '\n' && (*buf)[n - 2] == '\\') {
		ssize_t m = getline(&more, &more_size, file);
		if (m < 0)
			break;
		*line += 1;
		char *joined = realloc(*buf, n + m + 1);
		if (!joined)
			break;
		memcpy(joined + n - 2, more, m + 1);
		*buf = joined;
		*size = n + m + 1;
		n += m - 2;
	}
	free(more);
	return n;
}

static int read_file(struct reader *reader, const char *path)
{
	struct stanza stanza = {0};
	char *buf = NULL;
	size_t size = 0;
	unsigned line = 0;
	int r = 0;

	if (reader->depth >= NESTING_MAX)
		return err_set(reader->err, -ELOOP, "%s: too many files that name each other as `source`", path);
	FILE *file = fopen(path, "re");
	if (!file)
		return errno == ENOENT ? 0 : err_set(reader->err, -errno, "%s: %s", path, strerror(errno));
	reader->depth++;
	while (!r && next_line(file, &buf, &size, &line) >= 0)
		r = read_line(reader, &stanza, path, line, buf);
	if (!r)
		r = end_stanza(reader, &stanza, path);
	reader->depth--;
	free(buf);
	fclose(file);
	return r;
}

int ifupdown_addresses(const char *path, const char *name, int (*fn)(const char *address, void *arg), void *arg,
		       struct err *err)
{
	struct reader reader = {.name = name, .fn = fn, .arg = arg, .err = err};
	return read_file(&reader, path);
}
