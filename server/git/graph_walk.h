/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers still to be looked at, each at most once; for graph_walk.c and
 * graph_cut.c. Threads: one at a time.
 */
#pragma once

#include "base/attr.h"
#include "git/graph.h"

struct graph_todo {
	uint32_t *list;
	size_t n;
	size_t cap;
	struct commit_set seen; /* everything that was ever pushed */
};

void graph_todo_fini(struct graph_todo *t);
/* 0 also where it was pushed before: then nothing is done. */
int graph_todo_push(struct graph_todo *t, uint32_t number,
		    struct err *e) MUST_CHECK;
int graph_todo_push_all(struct graph_todo *t, const uint32_t *numbers, size_t n,
			struct err *e) MUST_CHECK;
