/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Errors, the one kind there is: a function that can fail returns 0 or a negative errno, for programs, and fills the
 * struct err that its caller handed in with one sentence for a person, which names the thing and the way out.
 *
 * Model. The sentence is made where the error is found, since only there is known what it is about. Who adds to it ("%s:
 * %s") copies it first: an err must not be among the arguments that it is filled from. After a return of 0 an err holds
 * what it held before.
 *
 * Threads: no shared state. Ownership: the caller's storage; an err is never NULL, and needs not be initialised.
 */
#ifndef XBAR_ERR_H
#define XBAR_ERR_H

#include <stddef.h>

struct err {
	char text[512];
	unsigned line, column; /* of the place in a text that is at fault, from 1; 0: the error is of no place */
};

/*
 * Fill *err and return `code`, a negative errno. What a terminal might obey, and all that is not ASCII, is written as
 * '?': a sentence may quote what a stranger has written.
 */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same for want of memory: returns -ENOMEM. */
int err_nomem(struct err *err);

/* Replace what is not printable ASCII in `text` by '?'. */
void err_make_printable(char *text);

#endif
