/* SPDX-License-Identifier: Apache-2.0 */
/* Errors as values; the only place that reads errno. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const code_names[] = {
	[ERR_OK] = "ok",
	[ERR_NOMEM] = "out-of-memory",
	[ERR_IO] = "io",
	[ERR_NO_SPACE] = "no-space",
	[ERR_NOT_FOUND] = "not-found",
	[ERR_DENIED] = "denied",
	[ERR_MALFORMED] = "malformed",
	[ERR_CORRUPT] = "corrupt",
	[ERR_CONFLICT] = "conflict",
	[ERR_LIMIT] = "limit",
	[ERR_TIMEOUT] = "timeout",
	[ERR_CLOSED] = "closed",
};

const char *err_code_name(enum err_code code)
{
	return (size_t)code < ARRAY_SIZE(code_names) ? code_names[code] : "?";
}

int err_set(struct err *e, enum err_code code, const char *format, ...)
{
	va_list args;

	e->code = code;
	va_start(args, format);
	vsnprintf(e->message, sizeof e->message, format, args);
	va_end(args);
	return -1;
}

/* Put `context` and ": " in front of `old`, cut at the end if it must be. */
static void prepend(struct err *e, const char *context, const char *old)
{
	size_t room = sizeof e->message;
	size_t n = strnlen(context, room - 1);
	size_t rest;

	memcpy(e->message, context, n);
	if (n + 2 < room) {
		memcpy(e->message + n, ": ", 2);
		n += 2;
	}
	rest = strnlen(old, room - 1 - n);
	memcpy(e->message + n, old, rest);
	e->message[n + rest] = '\0';
}

int err_wrap(struct err *e, const char *format, ...)
{
	char context[sizeof e->message];
	char old[sizeof e->message];
	va_list args;

	memcpy(old, e->message, sizeof old);
	old[sizeof old - 1] = '\0';
	va_start(args, format);
	vsnprintf(context, sizeof context, format, args);
	va_end(args);
	prepend(e, context, old);
	return -1;
}

static enum err_code code_of_errno(int number)
{
	switch (number) {
	case ENOENT:
		return ERR_NOT_FOUND;
	case ENOSPC:
	case EDQUOT:
		return ERR_NO_SPACE;
	case EEXIST:
		return ERR_CONFLICT;
	case EPIPE:
	case ECONNRESET:
		return ERR_CLOSED;
	case ENOMEM:
		return ERR_NOMEM;
	case EACCES:
	case EPERM:
		return ERR_DENIED;
	default:
		return ERR_IO;
	}
}

int err_errno(struct err *e, const char *format, ...)
{
	int number = errno;
	char context[sizeof e->message];
	char text[96];
	va_list args;

	va_start(args, format);
	vsnprintf(context, sizeof context, format, args);
	va_end(args);
	e->code = code_of_errno(number);
	prepend(e, context, strerror_r(number, text, sizeof text));
	return -1;
}

int err_nomem(struct err *e)
{
	return err_set(e, ERR_NOMEM, "out of memory");
}
