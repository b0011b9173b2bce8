/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer means, and when to try again: pure functions.
 *
 * Towards a Flux Receiver only 200 is success, elsewhere 200, 201 and 204. 202
 * never is: it means that the events Service was addressed, which also answers
 * 429. Connect errors, 404, 408, 429 and 5xx are tried again for ever, from
 * RETRY_FIRST_MS doubling to RETRY_LAST_MS, give or take a fifth; Retry-After
 * is honoured up to RETRY_AFTER_MAX_S. Anything else is final until the hook
 * or the ref changes.
 */
#pragma once

#include "base/buf.h"
#include "hooks/delivery.h"

#define RETRY_FIRST_MS	  1000
#define RETRY_LAST_MS	  30000
#define RETRY_AFTER_MAX_S 300

enum verdict { VERDICT_HEARD, VERDICT_AGAIN, VERDICT_FINAL };

enum verdict retry_verdict(const struct delivery_answer *a, bool is_receiver);

/* Milliseconds until attempt number `attempts` + 1; `random` is 32 bits of
 * chance. */
int64_t retry_delay_ms(unsigned attempts, const struct delivery_answer *a,
		       uint32_t random);

/* One sentence for people: what came, and what to do about it. */
void retry_sentence(const struct delivery_answer *a, bool is_receiver,
		    struct buf *out);
