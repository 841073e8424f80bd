/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Unix sockets by path.
 *
 * Safety. Others than root may write to the directories that sockets are in. A listening socket is made, and an old one
 * removed, in a directory that is held open; a symbolic link on the way to it is followed only if it is root's, or our own.
 * Nothing but a socket is ever removed.
 *
 * Threads: any; listening sets the process's umask for a moment. Ownership: descriptors are the caller's to close.
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

/* Whose a listening socket is. Who may write to it may connect. */
struct unixsock_access {
	uid_t owner; /* -1: ours */
	gid_t group; /* -1: that of the socket that is replaced, if that was ours; else our own */
	mode_t mode; /* 0: that of the socket that is replaced, if that was ours; else 0660 */
};

/*
 * Listen at `path` with a non-blocking stream socket. A socket that is there, and that nobody listens on any longer, is
 * replaced; any other file is left alone, with -EEXIST. -ELOOP: a symbolic link that is not root's.
 */
int unixsock_listen_as(const char *path, const struct unixsock_access *access);
/* The same, with our owner and group. */
int unixsock_listen(const char *path, mode_t mode);
/* Remove the socket at `path`; anything else that is there stays. */
void unixsock_remove(const char *path);

#endif
