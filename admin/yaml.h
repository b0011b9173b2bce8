/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON values written as YAML: block style, members in the order they were
 * added, every text so that YAML 1.1 and 1.2 read back the same text.
 * Threads: plain functions.
 */
#pragma once

#include "base/buf.h"

#include <jansson.h>

/* Append a document without its "---"; it ends in LF. */
void yaml_add(struct buf *out, json_t *value);

/* Append "# TEXT" lines. */
void yaml_add_comment(struct buf *out, const char *text);
