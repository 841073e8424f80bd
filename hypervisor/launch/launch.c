/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "confine.h"
#include "launch.h"

/* In the order of preference. */
static const struct hv_launcher *const launchers[] = {&hv_launch_xl, &hv_launch_qemu, &hv_launch_uml};
#define NLAUNCHERS (sizeof(launchers) / sizeof(*launchers))

const struct hv_launcher *hv_launcher_find(const char *name)
{
	for (size_t i = 0; i < NLAUNCHERS; i++)
		if (!strcmp(launchers[i]->name, name))
			return launchers[i];
	return NULL;
}

static int take_wanted(const char *name, const char *source, const struct hv_launcher **out, struct hv_why *why,
		       struct err *err)
{
	const struct hv_launcher *launcher = hv_launcher_find(name);
	struct hv_why found;

	if (!launcher)
		return err_set(err, -EINVAL, "%s: unknown hypervisor '%s'; choose xl, qemu or uml", source, name);
	if (launcher->available(&found) == HV_ABSENT)
		return err_set(err, -ENOENT, "%s %s: %s", source, name, found.text);
	snprintf(why->text, sizeof(why->text), "chosen by %s; %.200s", source, found.text);
	*out = launcher;
	return 0;
}

int hv_launcher_choose(const char *wanted, const struct hv_launcher **out, struct hv_why *why, struct err *err)
{
	const char *env = getenv("XBAR_HYPERVISOR");
	enum hv_available state[NLAUNCHERS];
	struct hv_why found[NLAUNCHERS];
	size_t best = NLAUNCHERS;

	if (wanted)
		return take_wanted(wanted, "--hypervisor", out, why, err);
	if (env && *env)
		return take_wanted(env, "$XBAR_HYPERVISOR", out, why, err);
	for (size_t i = 0; i < NLAUNCHERS; i++) {
		state[i] = launchers[i]->available(&found[i]);
		if (state[i] != HV_ABSENT && (best == NLAUNCHERS || state[i] > state[best]))
			best = i;
	}
	if (best == NLAUNCHERS)
		return err_set(err, -ENOENT, "no hypervisor is available: %.120s; %.120s; %.120s", found[0].text,
			       found[1].text, found[2].text);
	/* Say also why the preferred ones were not chosen. */
	size_t len = snprintf(why->text, sizeof(why->text), "%s", found[best].text);
	for (size_t i = 0; i < NLAUNCHERS && len < sizeof(why->text); i++)
		if (i < best || state[i] == HV_ABSENT)
			len += snprintf(why->text + len, sizeof(why->text) - len, "; %s", found[i].text);
	*out = launchers[best];
	return 0;
}

int hv_launch_check_name(const char *name, struct err *err)
{
	size_t len = strlen(name);

	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && (c == name || !strchr("_-.+", *c)))
			return err_set(err, -EINVAL,
				       "'%.80s' cannot be a guest's name: use letters and digits, and after the first "
				       "also '_', '-', '.' and '+'",
				       name);
	if (!len || len > HV_LAUNCH_NAME_MAX)
		return err_set(err, -EINVAL, "a guest's name must have 1 to %d characters; this one has %zu",
			       HV_LAUNCH_NAME_MAX, len);
	return 0;
}

int hv_launch_file(const struct hv_launch *launch, const char *what, const char *path, char *out, size_t size,
		   struct err *err)
{
	char *real = realpath(path, NULL);

	if (!real || access(real, R_OK)) {
		int r = -errno;
		free(real);
		return err_set(err, r, "%s: %.300s: %s", what, path, strerror(-r));
	}
	bool fits = (size_t)snprintf(out, size, "%s", real) < size;
	free(real);
	if (fits && launch->confined)
		return hv_confine_access(launch->uid, what, out, R_OK, err);
	return fits ? 0 : err_set(err, -ENAMETOOLONG, "%s: %.300s: the path is too long", what, path);
}
