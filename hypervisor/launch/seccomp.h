/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The system calls that a confined User-Mode Linux guest may make. Any other one ends it with SIGSYS.
 *
 * Model. The list is what Linux 6.1 and 6.12 (Debian 12 and 13) with their C libraries were seen to call from boot through
 * load, requests of the management console and a panic to power-off, and the few by which a C library does the same on
 * another host (a clock that cannot be read without a system call). The system calls of the guest's own processes are not
 * among them: the kernel intercepts those before the filter sees them. What only hostfs would need is left out, and so are
 * new namespaces, sockets other than unix sockets, and what a terminal could do to the host. QEMU has filters of its own
 * (-sandbox).
 *
 * Threads: any. Errors: a descriptor or -errno.
 */
#ifndef HV_SECCOMP_H
#define HV_SECCOMP_H

/* A file with the filter as bubblewrap's --seccomp takes it, at its beginning. */
int hv_seccomp_uml(void);

#endif
