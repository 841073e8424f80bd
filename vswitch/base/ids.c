/* SPDX-License-Identifier: BSD-3-Clause */
#include "ids.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Whether all of `text` is a number in `base`, of at most `max`. */
static bool number(const char *text, int base, unsigned long max, unsigned long *out)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*out = strtoul(text, &end, base);
	return !*end && !errno && *out <= max;
}

int user_find(const char *text, uid_t *uid, struct err *err)
{
	const struct passwd *entry;
	unsigned long n;

	*uid = -1;
	if (!*text)
		return 0;
	if (number(text, 10, UINT32_MAX - 1, &n)) {
		*uid = n;
		return 0;
	}
	entry = getpwnam(text);
	if (!entry)
		return err_set(err, -ENOENT, "there is no user %.40s", text);
	*uid = entry->pw_uid;
	return 0;
}

int group_find(const char *text, gid_t *gid, struct err *err)
{
	const struct group *entry;
	unsigned long n;

	*gid = -1;
	if (!*text)
		return 0;
	if (number(text, 10, UINT32_MAX - 1, &n)) {
		*gid = n;
		return 0;
	}
	entry = getgrnam(text);
	if (!entry)
		return err_set(err, -ENOENT, "there is no group %.40s; make it with `groupadd --system %.40s`", text,
			       text);
	*gid = entry->gr_gid;
	return 0;
}

int mode_parse(const char *text, mode_t *mode, struct err *err)
{
	unsigned long n = 0;

	*mode = 0;
	if (!*text)
		return 0;
	if (!number(text, 8, 0777, &n) || !n)
		return err_set(err, -EINVAL, "\"%.40s\" is not a file mode: octal, such as 0660", text);
	*mode = n;
	return 0;
}
