/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define LINE_MAX_BYTES 1024

static const struct {
	const char *name;
	int priority; /* of syslog(3) */
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", 3},
	[LOG_LEVEL_WARN] = {"warning", 4},
	[LOG_LEVEL_INFO] = {"info", 6},
	[LOG_LEVEL_DEBUG] = {"debug", 7},
};
_Static_assert(sizeof(levels) / sizeof(levels[0]) == LOG_LEVEL_MAX, "every level has a name");

/* Of the process, as standard error is. */
static atomic_int threshold = LOG_LEVEL_INFO;

const char *log_level_name(enum log_level level)
{
	return (unsigned)level < LOG_LEVEL_MAX ? levels[level].name : "unknown";
}

int log_level_find(const char *name)
{
	for (int i = 0; i < LOG_LEVEL_MAX; i++)
		if (!strcmp(levels[i].name, name))
			return i;
	return -1;
}

void log_set_level(enum log_level level)
{
	atomic_store(&threshold, level);
}

enum log_level log_get_level(void)
{
	return atomic_load(&threshold);
}

static int prefix(enum log_level level, char *buf, size_t size)
{
	if (getenv("JOURNAL_STREAM"))
		return snprintf(buf, size, "<%d>", levels[level].priority);

	struct timespec now;
	struct tm tm;
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	const char *word = level == LOG_LEVEL_INFO ? "" : levels[level].name;
	return snprintf(buf, size, "%02d:%02d:%02d.%03ld xbard: %s%s", tm.tm_hour, tm.tm_min, tm.tm_sec,
			now.tv_nsec / 1000000, word, *word ? ": " : "");
}

static __attribute__((format(printf, 2, 0))) void write_line(enum log_level level, const char *fmt, va_list ap)
{
	if ((int)level > atomic_load(&threshold))
		return;

	char line[LINE_MAX_BYTES];
	int len = prefix(level, line, sizeof(line));
	int more = vsnprintf(line + len, sizeof(line) - len - 1, fmt, ap);
	if (more > 0)
		len += more;
	if (len > (int)sizeof(line) - 2)
		len = sizeof(line) - 2;
	for (int i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* there is nowhere left to report it */
}

#define LOG_FUNCTION(name, level)                                                                                      \
	void name(const char *fmt, ...)                                                                                \
	{                                                                                                              \
		va_list ap;                                                                                            \
		va_start(ap, fmt);                                                                                     \
		write_line(level, fmt, ap);                                                                            \
		va_end(ap);                                                                                            \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

void log_limited(struct log_limit *limit, const char *fmt, ...)
{
	const uint64_t now = clock_ms();
	char text[LINE_MAX_BYTES];
	va_list ap;

	if (limit->lines >= LOG_BURST && now - limit->since >= LOG_PAUSE_MS)
		limit->lines = LOG_BURST - 1;
	if (limit->lines >= LOG_BURST) {
		limit->unwritten++;
		return;
	}
	limit->lines++;
	limit->since = now;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (limit->unwritten)
		log_warn("%.*s (and %llu lines like this one that were not written)", LINE_MAX_BYTES - 100, text,
			 (unsigned long long)limit->unwritten);
	else
		log_warn("%s", text);
	limit->unwritten = 0;
}
