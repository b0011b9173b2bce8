/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside config: the options of [server] and [limits], one row each.
 * Threads: constant.
 */
#pragma once

#include "app/config.h"

#include <stddef.h>
#include <stdint.h>

/* Not enum option_type of the store: these are numbers and texts of ours. */
enum config_kind {
	KIND_TEXT,
	KIND_ADDRESS,
	KIND_NAMES,
	KIND_COUNT,
	KIND_SIZE,
	KIND_DURATION,
	KIND_PERCENT,
};

/* Values are read again on SIGHUP; those of doors only at the start. */
enum config_when { AT_ONCE, AT_START };

struct config_option {
	const char *section;
	const char *key;
	enum config_kind kind;
	enum config_when when;
	size_t offset; /* in struct config_values */
	const char *fallback;
	uint64_t min, max; /* of numbers */
	const char *help;
};

#define CONFIG_OPTIONS 50
extern const struct config_option config_table[CONFIG_OPTIONS];
