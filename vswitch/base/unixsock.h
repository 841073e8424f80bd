/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Unix sockets by path.
 *
 * Threads: any; unixsock_listen() sets the process's umask for a moment. Ownership: descriptors are the caller's to close.
 * Errors: a descriptor or -errno; -ENAMETOOLONG for a path of more than UNIXSOCK_PATH_MAX bytes.
 */
#ifndef XBAR_UNIXSOCK_H
#define XBAR_UNIXSOCK_H

#include <sys/socket.h> /* SOCK_STREAM, SOCK_DGRAM */
#include <sys/types.h>
#include <sys/un.h>

#define UNIXSOCK_PATH_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

/*
 * Connect to the socket at `path` ("@NAME": the abstract name NAME). `type` is SOCK_STREAM or SOCK_DGRAM, perhaps with
 * SOCK_NONBLOCK.
 */
int unixsock_connect(const char *path, int type);

/*
 * Listen at `path` with a non-blocking stream socket of the file mode `mode`. A socket that is there already is replaced;
 * any other file is left alone, with -EEXIST.
 */
int unixsock_listen(const char *path, mode_t mode);

#endif
