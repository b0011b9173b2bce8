/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a crash or another daemon left: staged batches of dead daemons are
 * compared with the refs, ready ones are taken up by who delivers.
 */
#pragma once

#include "base/attr.h"

struct err;
struct outbox;

/* Judge the staged batches of daemons that are dead. */
int outbox_recover(struct outbox *o, struct err *e) MUST_CHECK;

/* Become the deliverer if nobody is; as the deliverer, take up ready batches
 * that are not ours and recover those of the dead. Delivery thread only. */
void outbox_look(struct outbox *o);

/* Take up the ready batches that are not known yet. */
int outbox_take_ready(struct outbox *o, struct err *e) MUST_CHECK;
