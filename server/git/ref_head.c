/* SPDX-License-Identifier: Apache-2.0 */
/* Pointing HEAD somewhere. */
#include "git/ref_transaction.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/files.h"
#include "git/ref_lock.h"
#include "git/refs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Written in the work directory, renamed under HEAD.lock. */
static int head_write(const char *git_dir, const char *work_dir,
		      const char *target, struct err *e)
{
	CLEANUP(freep) char *text = NULL;

	if (asprintf(&text, "ref: %s\n", target) < 0) {
		text = NULL;
		return err_nomem(e);
	}
	return ref_lock_replace(git_dir, "HEAD", work_dir, span_str(text), e);
}

static int head_set(const char *git_dir, const char *work_dir,
		    const char *target, struct err *e)
{
	int result;

	if (ref_lock_take(git_dir, "HEAD", work_dir,
			  clock_ms() + REF_LOCK_WAIT_MS, e) < 0)
		return -1;
	result = head_write(git_dir, work_dir, target, e);
	ref_lock_drop(git_dir, "HEAD");
	return result;
}

static int target_check(const char *target, struct err *e)
{
	if (ref_name_check(span_str(target), e) < 0)
		return err_wrap(e, "'%s'", target);
	if (!span_starts(span_str(target), "refs/"))
		return err_set(e, ERR_MALFORMED, "'%s' is not below refs/",
			       target);
	return 0;
}

int ref_set_head_at(const struct ref_place *place, const char *target,
		    struct err *e)
{
	if (target_check(target, e) < 0)
		return -1;
	return head_set(place->git_dir, place->work_dir, target, e);
}

int ref_set_head(const char *git_dir, const char *target, struct err *e)
{
	CLEANUP(freep) char *work_dir = NULL;
	struct err ignored;
	int result;

	if (target_check(target, e) < 0)
		return -1;
	if (asprintf(&work_dir, "%s/objects/incoming-refs-XXXXXX", git_dir) <
	    0) {
		work_dir = NULL;
		return err_nomem(e);
	}
	if (dir_make_temp(work_dir, e) < 0)
		return -1;
	result = head_set(git_dir, work_dir, target, e);
	/* It is done all the same; a sweep removes what is left. */
	(void)!dir_remove(work_dir, &ignored);
	return result;
}
