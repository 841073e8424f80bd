/* SPDX-License-Identifier: BSD-3-Clause */
#include "privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "vswitch/base/confine.h"
#include "vswitch/base/log.h"

/* Of a guest with one queue: its connection, its socket, two rings' kicks and calls, and what is open for a moment. */
#define DESCRIPTORS_PER_VIF 8
#define DESCRIPTORS_WANTED (1 << 18) /* for 4,096 vifs with some queues each */
#define DESCRIPTORS_OWN 256

#define CAP_COUNT (sizeof(table) / sizeof(table[0]))
#define CAP_LETTERS 24

static const struct {
	const char *name;
	bool daemon; /* the daemon itself needs it, all the time */
} table[] = {
	[CAP_CHOWN] = {"chown", true}, /* sockets' owners */
	[CAP_DAC_OVERRIDE] = {"dac_override", true}, /* sockets of hypervisors that run as other users */
	[CAP_DAC_READ_SEARCH] = {"dac_read_search", false},
	[CAP_FOWNER] = {"fowner", true}, /* mode and removal of sockets that are others' */
	[CAP_FSETID] = {"fsetid", false},
	[CAP_KILL] = {"kill", true}, /* scripts that have changed their user, at their time limit */
	[CAP_SETGID] = {"setgid", false},
	[CAP_SETUID] = {"setuid", false},
	[CAP_SETPCAP] = {"setpcap", false},
	[CAP_LINUX_IMMUTABLE] = {"linux_immutable", false},
	[CAP_NET_BIND_SERVICE] = {"net_bind_service", false},
	[CAP_NET_BROADCAST] = {"net_broadcast", false},
	[CAP_NET_ADMIN] = {"net_admin", true}, /* TAPs, rtnetlink, sysctls of netdevs */
	[CAP_NET_RAW] = {"net_raw", true}, /* AF_PACKET uplinks, probes of gateways */
	[CAP_IPC_LOCK] = {"ipc_lock", false}, /* unless the limit on locked memory could be lifted: needed() */
	[CAP_IPC_OWNER] = {"ipc_owner", false},
	[CAP_SYS_MODULE] = {"sys_module", false},
	[CAP_SYS_RAWIO] = {"sys_rawio", false},
	[CAP_SYS_CHROOT] = {"sys_chroot", false},
	[CAP_SYS_PTRACE] = {"sys_ptrace", false},
	[CAP_SYS_PACCT] = {"sys_pacct", false},
	[CAP_SYS_ADMIN] = {"sys_admin", false},
	[CAP_SYS_BOOT] = {"sys_boot", false},
	[CAP_SYS_NICE] = {"sys_nice", false},
	[CAP_SYS_RESOURCE] = {"sys_resource", false},
	[CAP_SYS_TIME] = {"sys_time", false},
	[CAP_SYS_TTY_CONFIG] = {"sys_tty_config", false},
	[CAP_MKNOD] = {"mknod", false},
	[CAP_LEASE] = {"lease", false},
	[CAP_AUDIT_WRITE] = {"audit_write", false},
	[CAP_AUDIT_CONTROL] = {"audit_control", false},
	[CAP_SETFCAP] = {"setfcap", false},
	[CAP_MAC_OVERRIDE] = {"mac_override", false},
	[CAP_MAC_ADMIN] = {"mac_admin", false},
	[CAP_SYSLOG] = {"syslog", false},
	[CAP_WAKE_ALARM] = {"wake_alarm", false},
	[CAP_BLOCK_SUSPEND] = {"block_suspend", false},
	[CAP_AUDIT_READ] = {"audit_read", false},
	[CAP_PERFMON] = {"perfmon", false},
	[CAP_BPF] = {"bpf", false},
	[CAP_CHECKPOINT_RESTORE] = {"checkpoint_restore", false},
};

static uint64_t find(const char *name, size_t len)
{
	if (len > 4 && !strncasecmp(name, "cap_", 4)) {
		name += 4;
		len -= 4;
	}
	for (size_t i = 0; i < CAP_COUNT; i++)
		if (strlen(table[i].name) == len && !strncasecmp(table[i].name, name, len))
			return 1ULL << i;
	return 0;
}

int privileges_parse(const char *text, uint64_t *mask, struct err *err)
{
	*mask = 0;
	if (!strcmp(text, "auto"))
		return 0;
	if (!strcmp(text, "all")) {
		*mask = ~0ULL;
		return 0;
	}
	for (text += strspn(text, " \t,"); *text; text += strspn(text, " \t,")) {
		const size_t len = strcspn(text, " \t,");
		const uint64_t one = find(text, len);

		if (!one)
			return err_set(err, -EINVAL,
				       "\"%.*s\" is not a capability: \"auto\", \"all\", or names such as "
				       "\"sys_module\" (capabilities(7))",
				       len < CAP_LETTERS ? (int)len : CAP_LETTERS, text);
		*mask |= one;
		text += len;
	}
	return 0;
}

static uint64_t needed(void)
{
	struct rlimit memory;
	uint64_t mask = 0;

	/* What vfio and AF_XDP lock. */
	if (getrlimit(RLIMIT_MEMLOCK, &memory) || memory.rlim_cur != RLIM_INFINITY)
		mask = CAPABILITY(IPC_LOCK);
	for (size_t i = 0; i < CAP_COUNT; i++)
		mask |= (uint64_t)table[i].daemon << i;
	return mask;
}

void privileges_raise_limits(void)
{
	struct rlimit files, memory = {RLIM_INFINITY, RLIM_INFINITY};

	setrlimit(RLIMIT_MEMLOCK, &memory); /* what cannot be locked is said where it is to be */
	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	if (files.rlim_max < DESCRIPTORS_WANTED) {
		const struct rlimit more = {DESCRIPTORS_WANTED, DESCRIPTORS_WANTED};
		if (!setrlimit(RLIMIT_NOFILE, &more))
			files = more;
	}
	if (files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (files.rlim_cur < DESCRIPTORS_WANTED)
		log_info("at most %llu descriptors may be open, enough for about %llu vifs: LimitNOFILE= (ulimit -n) "
			 "and sysctl fs.nr_open set that",
			 (unsigned long long)files.rlim_cur,
			 (unsigned long long)(files.rlim_cur > DESCRIPTORS_OWN
						      ? (files.rlim_cur - DESCRIPTORS_OWN) / DESCRIPTORS_PER_VIF
						      : 0));
}

/* Those that we have of `mask`, in words. */
static const char *words(uint64_t mask, char *text, size_t size)
{
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < CAP_COUNT && at < size; i++)
		if (mask >> i & 1)
			at += snprintf(text + at, size - at, "%s%s", at ? " " : "", table[i].name);
	return text;
}

int privileges_drop(const char *asked, bool own_scripts, struct err *err)
{
	const bool automatic = !strcmp(asked, "auto");
	uint64_t scripts;
	char text[600];

	int r = privileges_parse(asked, &scripts, err);
	if (r)
		return r;
	if (automatic && !own_scripts)
		scripts = ~0ULL;
	r = confine_process(needed() | scripts, err);
	if (r)
		return r;
	if (automatic && !own_scripts)
		log_info("a script is configured that is not xbar's own: it, and so xbard, keeps all capabilities "
			 "(capabilities in xbar.conf)");
	else
		log_info("capabilities kept: %s", words(confine_kept(), text, sizeof(text)));
	return 0;
}
