/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sysctls of a netdev, below /proc/sys/net/{ipv4,ipv6}/{conf,neigh}/NAME.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rtnl_impl.h"

#define VALUE_MAX 128

static const char *const mute_names[] = {
	[MUTE_RP_FILTER] = "ipv4/rp_filter",
	[MUTE_ARP_IGNORE] = "ipv4/arp_ignore",
	[MUTE_DISABLE_IPV6] = "ipv6/disable_ipv6",
	[MUTE_ACCEPT_DAD] = "ipv6/accept_dad",
};
_Static_assert(sizeof(mute_names) / sizeof(*mute_names) == MUTE_MAX, "every sysctl has a name");

/* What rtnl_mute_stack() sets; -1: nothing. rtnl_snap_put() changes accept_dad for a moment. */
static const int mute_values[] = {
	[MUTE_RP_FILTER] = 1,
	[MUTE_ARP_IGNORE] = 8,
	[MUTE_DISABLE_IPV6] = 1,
	[MUTE_ACCEPT_DAD] = -1,
};
_Static_assert(sizeof(mute_values) / sizeof(*mute_values) == MUTE_MAX, "every sysctl has a value");

const char *rtnl_mute_sysctl(enum rtnl_mute_key key)
{
	return mute_names[key];
}

static int read_text(const char *path, char text[VALUE_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, text, VALUE_MAX - 1);
	int r = n < 0 ? -errno : 0;
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return r;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* "ipv4/rp_filter" of `name`: /proc/sys/net/ipv4/conf/NAME/rp_filter. */
static void conf_path(char path[PATH_MAX], const char *name, const char *key)
{
	snprintf(path, PATH_MAX, "/proc/sys/net/%.4s/conf/%s/%s", key, name, key + 5);
}

int rtnl_sysctl_get(const char *name, const char *key)
{
	char path[PATH_MAX], text[VALUE_MAX];

	conf_path(path, name, key);
	int r = read_text(path, text);
	return r ? r : atoi(text);
}

int rtnl_sysctl_set(const char *name, const char *key, int value)
{
	char path[PATH_MAX], text[VALUE_MAX];

	if (rtnl_sysctl_get(name, key) == value)
		return 0;
	conf_path(path, name, key);
	snprintf(text, sizeof(text), "%d", value);
	return write_text(path, text);
}

/* Set `key`; a kernel that lacks it (no IPv6) has nothing to mute. */
static int set_or_fail(const char *name, const char *key, int value, struct err *err)
{
	int r = rtnl_sysctl_set(name, key, value);
	if (!r || r == -ENOENT)
		return 0;
	return err_set(err, r, "cannot set net/%.4s/conf/%s/%s to %d: %s; xbard needs /proc/sys to be writable", key,
		       name, key + 5, value, strerror(-r));
}

int rtnl_mute_stack(const char *name, struct err *err)
{
	for (unsigned key = 0; key < MUTE_MAX; key++) {
		int r = mute_values[key] < 0 ? 0 : set_or_fail(name, mute_names[key], mute_values[key], err);
		if (r)
			return r;
	}
	return 0;
}

void rtnl_no_dad(const char *name)
{
	if (rtnl_sysctl_get(name, mute_names[MUTE_ACCEPT_DAD]) > 0)
		rtnl_sysctl_set(name, mute_names[MUTE_ACCEPT_DAD], 0);
}

int rtnl_unmute_stack(const struct rtnl_snap *snap, const char *name, struct err *err)
{
	int result = 0;

	/* Enabling IPv6 recreates the link-local address, which was in use until a moment ago. */
	rtnl_no_dad(name);
	for (unsigned key = 0; key < MUTE_MAX; key++) {
		if (mute_values[key] < 0 || snap->sysctl[key] < 0)
			continue;
		int r = set_or_fail(name, mute_names[key], snap->sysctl[key], err);
		if (r && !result)
			result = r;
	}
	return result;
}

/* Write what differs. Settings that cannot be read or written, or mean nothing on the other netdev, are skipped. */
static int copy_dir(const char *dir, const char *from, const char *to)
{
	char path[PATH_MAX], want[VALUE_MAX], have[VALUE_MAX];

	snprintf(path, sizeof(path), "/proc/sys/net/%s/%s", dir, from);
	DIR *entries = opendir(path);
	if (!entries)
		return errno == ENOENT ? 0 : -errno;
	struct dirent *entry;
	while ((entry = readdir(entries))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/sys/net/%s/%s/%s", dir, from, entry->d_name);
		if (read_text(path, want))
			continue;
		snprintf(path, sizeof(path), "/proc/sys/net/%s/%s/%s", dir, to, entry->d_name);
		if (read_text(path, have) || !strcmp(want, have))
			continue;
		write_text(path, want);
	}
	closedir(entries);
	return 0;
}

static const char *const all_dirs[] = {"ipv4/conf", "ipv6/conf", "ipv4/neigh", "ipv6/neigh"};

json_t *rtnl_sysctl_all(const char *name)
{
	char path[PATH_MAX], text[VALUE_MAX];
	json_t *all = json_object();

	for (unsigned i = 0; i < sizeof(all_dirs) / sizeof(*all_dirs); i++) {
		snprintf(path, sizeof(path), "/proc/sys/net/%s/%s", all_dirs[i], name);
		DIR *entries = opendir(path);
		if (!entries)
			continue;
		struct dirent *entry;
		while ((entry = readdir(entries))) {
			char key[64];
			snprintf(path, sizeof(path), "/proc/sys/net/%s/%s/%s", all_dirs[i], name, entry->d_name);
			if (entry->d_name[0] == '.' || read_text(path, text) ||
			    snprintf(key, sizeof(key), "%s/%s", all_dirs[i], entry->d_name) >= (int)sizeof(key))
				continue;
			text[strcspn(text, "\n")] = '\0';
			json_object_set_new(all, key, json_string(text));
		}
		closedir(entries);
	}
	return all;
}

void rtnl_sysctl_give(const char *name, const json_t *all)
{
	char path[PATH_MAX], text[VALUE_MAX];
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)all, key, value)
	{
		const char *slash = strrchr(key, '/'), *want = json_string_value(value);
		if (!slash || !want || strstr(key, ".."))
			continue;
		snprintf(path, sizeof(path), "/proc/sys/net/%.*s/%s%s", (int)(slash - key), key, name, slash);
		if (read_text(path, text))
			continue;
		text[strcspn(text, "\n")] = '\0';
		if (strcmp(text, want))
			write_text(path, want);
	}
}

int rtnl_sysctl_copy(const char *from, const char *to, struct err *err)
{
	for (unsigned i = 0; i < sizeof(all_dirs) / sizeof(*all_dirs); i++) {
		int r = copy_dir(all_dirs[i], from, to);
		if (r)
			return err_set(err, r, "cannot give %s the settings of %s in /proc/sys/net/%s: %s", to, from,
				       all_dirs[i], strerror(-r));
	}
	return 0;
}
