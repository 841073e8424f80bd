/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The only kind of error: a function that can fail returns 0 or a negative errno, for programs, and fills its caller's
 * struct err with one sentence for a person, which names the thing and the way out.
 *
 * Model. The sentence is made where the error is found, since the details are known only there. To extend a sentence
 * ("%s: %s"), copy it first: an err must not be among the arguments that it is filled from. A function that returns 0
 * leaves it unchanged.
 *
 * Threads: no shared state. Ownership: the caller's storage; an err is never NULL, and need not be initialised.
 */
#ifndef XBAR_ERR_H
#define XBAR_ERR_H

#include <stddef.h>

struct err {
	char text[512];
	unsigned line, column; /* the place in a text that is at fault, from 1; 0: none */
};

/*
 * Fill *err and return `code`, a negative errno. Bytes that are not printable ASCII become '?', since a sentence may quote
 * untrusted text.
 */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same for lack of memory; returns -ENOMEM. */
int err_nomem(struct err *err);

/* Replace bytes of `text` that are not printable ASCII by '?'. */
void err_make_printable(char *text);

#endif
