/* SPDX-License-Identifier: Apache-2.0 */
/* Calling hooks now, for hook test, hook redeliver and sync. */
#pragma once

#include "hooks/event.h"
#include "net/admin_handlers.h"

struct admin_fire {
	enum event_kind kind; /* EVENT_PUSH: again what the log has */
	const char *repo;
	const char *hook;
	const char *id;
};

/* {"answers":[{"hook","target","ref","status","duration_ms","answer","heard"}]}
 * as the answer; a refusal where it could not be tried. */
void admin_fire(const struct admin_call *c, const struct admin_fire *f,
		struct http_response *out);
