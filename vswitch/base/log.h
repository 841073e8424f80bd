/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon's log: one line per event on standard error, for people. If $JOURNAL_STREAM is set, each line begins with its
 * priority as "<N>", as systemd expects, and has no time, since the journal adds one.
 *
 * Threads. Any, except workers on the packet path: a line is one write(2).
 *
 * Errors. None: a line that cannot be written is lost. Control characters are written as "?", so that a name from a guest
 * cannot forge a line.
 */
#ifndef XBAR_LOG_H
#define XBAR_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, LOG_LEVEL_MAX };

/* "error", "warning", "info", "debug". */
const char *log_level_name(enum log_level level);
/* The level called `name`, or -1. */
int log_level_find(const char *name);

/* Lines above `level` are not written. The default is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * What others can cause is logged LOG_BURST times, and then once in LOG_PAUSE_MS, so that nobody fills the log. All zeroes
 * at first.
 */
#define LOG_BURST 5
#define LOG_PAUSE_MS 60000
struct log_limit {
	unsigned lines; /* written of those that may be */
	uint64_t since, unwritten;
};
/* log_warn(), if the limit allows it. The next line that it allows tells how many were not written. */
void log_limited(struct log_limit *limit, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
