/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What maintenance.c (when) and maintenance_run.c (one run, counted and logged)
 * share; nobody else includes this.
 */
#pragma once

#include "store/maintenance.h"

#include <pthread.h>

/* Somebody waits for this one: a run, or a check. */
struct request {
	struct request *next;
	const char *repo;
	struct maintain_result *result; /* NULL: it is a check */
	void (*problem)(void *arg, const struct check_problem *p);
	void *problem_arg;
	struct check_result *checked;
	struct err *e;
	int outcome;
	bool is_done;
};

struct pushed {
	struct pushed *next;
	uint32_t n;
	char repo[];
};

struct maintenance {
	/* set once, then read-only */
	struct maintenance_options options;
	pthread_t thread;
	bool has_thread;

	/* its thread's (or the caller's of maintenance_run() where none is) */
	int64_t paused_ms;

	/* under lock */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_stopping;
	struct request *asked;
	struct pushed *pushed;
	struct maintenance_status status;
};

struct maintenance_settings
maintenance_settings_now(const struct maintenance *m);
struct timespec maintenance_after_ms(int64_t ms);

void maintenance_register(void);
/* What was asked for. */
int maintenance_run_asked(struct maintenance *m,
			  const struct request *r) MUST_CHECK;
/* What is due, if anything. */
void maintenance_look_at(struct maintenance *m, const char *name);
