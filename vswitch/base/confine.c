/* SPDX-License-Identifier: BSD-3-Clause */
#include "confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "log.h"

#ifndef SYS_SECCOMP /* of siginfo_t, in the kernel's headers alone */
#define SYS_SECCOMP 1
#endif
#define CALLS_MAX 100
#define PER_CALL 5 /* instructions, at most */

/* Of the process: set by the handler, in any thread. */
static atomic_int refused_call = -1;
static atomic_ulong refused;

/* ---- capabilities ------------------------------------------------------------------------------------------------ */

static int get_capabilities(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	return syscall(SYS_capget, &header, data) ? -errno : 0;
}

/* Keep those in `keep` that there are. */
static int set_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	int r = get_capabilities(data);

	if (r)
		return r;
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= keep >> (32 * i);
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

uint64_t confine_kept(void)
{
	struct __user_cap_data_struct data[2];

	return get_capabilities(data) ? 0 : data[0].permitted | (uint64_t)data[1].permitted << 32;
}

int confine_process(uint64_t keep, struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_set(err, -errno, "no_new_privs cannot be set: %s", strerror(errno));
	/* Without CAP_SETPCAP the set stays as it is: then no_new_privs alone keeps programs from more than we have. */
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (!(keep & 1ULL << cap) && prctl(PR_CAPBSET_DROP, cap) && errno != EPERM)
			return err_set(err, -errno, "capability %d cannot be dropped: %s", cap, strerror(errno));
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	int r = set_capabilities(keep);
	return r ? err_set(err, r, "capabilities cannot be dropped: %s", strerror(-r)) : 0;
}

int confine_capabilities(void)
{
	return set_capabilities(0);
}

/* ---- system calls ------------------------------------------------------------------------------------------------ */

static void on_refused(int sig, siginfo_t *info, void *context)
{
	if (info->si_code != SYS_SECCOMP) {
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = -EPERM;
	atomic_store_explicit(&refused_call, info->si_syscall, memory_order_relaxed);
	atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
}

#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define SKIP_UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)

int confine_calls(const struct confine_call *calls, size_t n)
{
	struct sigaction act = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO | SA_NODEFER};
	struct sock_filter code[CALLS_MAX * PER_CALL + 5] = {
		LOAD(arch),
		SKIP_UNLESS(AUDIT_ARCH_X86_64, 1),
		LOAD(nr), /* of the x32 interface's, none is on a list */
		BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
		RETURN(SECCOMP_RET_KILL_PROCESS),
	};
	unsigned short len = 5;

	if (n > CALLS_MAX)
		return -E2BIG;
	for (const struct confine_call *call = calls; call < calls + n; call++) {
		const struct sock_filter plain[] = {
			SKIP_UNLESS(call->number, 1),
			RETURN(SECCOMP_RET_ALLOW),
		};
		const struct sock_filter with_argument[PER_CALL] = {
			SKIP_UNLESS(call->number, 4),
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * call->arg),
			SKIP_UNLESS(call->value, 1),
			RETURN(SECCOMP_RET_ALLOW),
			LOAD(nr),
		};
		if (call->arg < 0)
			memcpy(code + len, plain, sizeof(plain));
		else
			memcpy(code + len, with_argument, sizeof(with_argument));
		len += call->arg < 0 ? 2 : PER_CALL;
	}
	code[len++] = (struct sock_filter)RETURN(SECCOMP_RET_TRAP);

	const struct sock_fprog program = {.len = len, .filter = code};
	sigemptyset(&act.sa_mask);
	if (sigaction(SIGSYS, &act, NULL) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	/* Before 5.16 a filter turns mitigations on that are meant for programs which run others' code, and slow copies down. */
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) ? -errno : 0;
}

void confine_report(void)
{
	static struct log_limit limit;
	static unsigned long reported;
	unsigned long now = atomic_load_explicit(&refused, memory_order_relaxed);

	if (now == reported)
		return;
	log_limited(&limit,
		    "a worker made system call %d, which it has no use for: it was refused (%lu such calls until now). "
		    "Report this: it is an error of xbard's, or an attack",
		    atomic_load_explicit(&refused_call, memory_order_relaxed), now);
	reported = now;
}
