/* SPDX-License-Identifier: BSD-3-Clause */
#include "seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static const unsigned short allowed[] = {
	SYS_access,
	SYS_arch_prctl,
	SYS_bind,
	SYS_brk,
	SYS_clock_gettime,
	SYS_close,
	SYS_connect,
	SYS_epoll_create,
	SYS_epoll_ctl,
	SYS_epoll_wait,
	SYS_eventfd2,
	SYS_execve,
	SYS_exit,
	SYS_exit_group,
	SYS_fcntl,
	SYS_fdatasync,
	SYS_fstat,
	SYS_fsync,
	SYS_getdents64,
	SYS_getpgrp,
	SYS_getpid,
	SYS_getppid,
	SYS_getrandom,
	SYS_gettimeofday,
	SYS_kill,
	SYS_lseek,
	SYS_madvise,
	SYS_mkdir,
	SYS_mmap,
	SYS_modify_ldt,
	SYS_mprotect,
	SYS_mremap,
	SYS_munmap,
	SYS_newfstatat,
	SYS_openat,
	SYS_pause,
	SYS_poll,
	SYS_pread64,
	SYS_prlimit64,
	SYS_prctl,
	SYS_ptrace,
	SYS_read,
	SYS_recvfrom,
	SYS_recvmsg,
	SYS_restart_syscall,
	SYS_rmdir,
	SYS_rseq,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_rt_sigsuspend,
	SYS_sendmsg,
	SYS_sendto,
	SYS_set_robust_list,
	SYS_set_tid_address,
	SYS_setsid,
	SYS_sigaltstack,
	SYS_socketpair,
	SYS_statfs,
	SYS_timer_create,
	SYS_timer_gettime,
	SYS_timer_settime,
	SYS_uname,
	SYS_unlink,
	SYS_wait4,
	SYS_write,
};
#define NALLOWED (sizeof(allowed) / sizeof(*allowed))

#define NAMESPACES                                                                                                     \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define JUMP(test, value, yes, no) BPF_JUMP(BPF_JMP | (test) | BPF_K, value, yes, no)
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)

/* Before the list: the architecture, and the calls of which an argument matters. */
static const struct sock_filter begin[] = {
	LOAD(arch),
	JUMP(BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0),
	RETURN(SECCOMP_RET_KILL_PROCESS),
	LOAD(nr),
	JUMP(BPF_JEQ, SYS_clone, 0, 4),
	LOAD(args[0]),
	JUMP(BPF_JSET, NAMESPACES, 0, 1),
	RETURN(SECCOMP_RET_KILL_PROCESS),
	RETURN(SECCOMP_RET_ALLOW),
	/* Its terminal is the console: it may neither type on it nor load another line discipline into the kernel. */
	JUMP(BPF_JEQ, SYS_ioctl, 0, 5),
	LOAD(args[1]),
	JUMP(BPF_JEQ, TIOCSTI, 1, 0),
	JUMP(BPF_JEQ, TIOCSETD, 0, 1),
	RETURN(SECCOMP_RET_KILL_PROCESS),
	RETURN(SECCOMP_RET_ALLOW),
	JUMP(BPF_JEQ, SYS_socket, 0, 4),
	LOAD(args[0]),
	JUMP(BPF_JEQ, AF_UNIX, 1, 0),
	RETURN(SECCOMP_RET_KILL_PROCESS),
	RETURN(SECCOMP_RET_ALLOW),
};
#define NBEGIN (sizeof(begin) / sizeof(*begin))
_Static_assert(NALLOWED < 255, "a jump spans the list");

int hv_seccomp_uml(void)
{
	struct sock_filter program[NBEGIN + NALLOWED + 2];
	size_t n = 0;

	for (; n < NBEGIN; n++)
		program[n] = begin[n];
	for (size_t i = 0; i < NALLOWED; i++)
		program[n++] = (struct sock_filter)JUMP(BPF_JEQ, allowed[i], NALLOWED - i, 0);
	program[n++] = (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS);
	program[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);

	int fd = memfd_create("seccomp", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	size_t size = n * sizeof(*program);
	if (write(fd, program, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) < 0) {
		close(fd);
		return -EIO;
	}
	return fd;
}
