/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiler extensions this program allows itself, one macro each.
 * They stand behind a declaration, where clang-format leaves them alone.
 */
#pragma once

#define PRINTF_LIKE(at, first) \
	__attribute__((__format__(__printf__, at, first)))
#define MUST_CHECK	  __attribute__((warn_unused_result))
#define NORETURN	  __attribute__((noreturn))
#define FALLTHROUGH	  __attribute__((fallthrough))
#define CLEANUP(function) __attribute__((cleanup(function)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Exempt from -ftrivial-auto-var-init: for what is large, on a hot path, and
 * written before it is read. */
#if defined(__has_attribute) && __has_attribute(uninitialized)
#define UNINITIALIZED __attribute__((uninitialized))
#else
#define UNINITIALIZED
#endif
