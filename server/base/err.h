/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An error is a value: a code for the program, a sentence for a person.
 *
 * Fallible functions return 0 or -1 (or a pointer or NULL, or a count or -1)
 * and fill the `struct err` of their caller, which must not be NULL. The
 * struct is of fixed size, so the failing path never allocates. A message is
 * one sentence without a final full stop or newline; what a stranger sent may
 * stand in it, so whoever prints one escapes it.
 */
#pragma once

#include "base/attr.h"

enum err_code {
	ERR_OK,
	ERR_NOMEM,
	ERR_IO,	      /* the disk or the kernel said no */
	ERR_NO_SPACE, /* ENOSPC, EDQUOT: the same, and it can be freed */
	ERR_NOT_FOUND,
	ERR_DENIED,
	ERR_MALFORMED, /* the peer sent nonsense */
	ERR_CORRUPT,   /* our own disk holds nonsense */
	ERR_CONFLICT,  /* exists already, locked, changed meanwhile */
	ERR_LIMIT,     /* a named limit was reached */
	ERR_TIMEOUT,
	ERR_CLOSED, /* the peer is gone */
};

struct err {
	enum err_code code;
	char message[248];
};

/* Set code and sentence. Returns -1, so that `return err_set(...)` reads. */
int err_set(struct err *e, enum err_code code, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* Put "CONTEXT: " before the message that is there; the code stays. -1. */
int err_wrap(struct err *e, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * Fold errno, the only reader of it: "CONTEXT: No such file or directory".
 * ENOENT becomes ERR_NOT_FOUND, ENOSPC and EDQUOT ERR_NO_SPACE, EEXIST
 * ERR_CONFLICT, EPIPE and ECONNRESET ERR_CLOSED, ENOMEM ERR_NOMEM, EACCES and
 * EPERM ERR_DENIED, anything else ERR_IO. Returns -1.
 */
int err_errno(struct err *e, const char *format, ...) PRINTF_LIKE(2, 3);

/* ERR_NOMEM. Returns -1. */
int err_nomem(struct err *e);

/* "not-found" and so on: for logs, metrics labels and the admin API. */
const char *err_code_name(enum err_code code);
