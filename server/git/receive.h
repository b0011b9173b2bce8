/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of receive-pack share while they serve one push. Internal to
 * receive_pack.c and its parts; for the floors above a `struct push` is opaque.
 * Threads: one.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "git/capabilities.h"
#include "git/oid_set.h"
#include "git/pktline.h"
#include "git/receive_pack.h"

struct graph;
struct object_reader;
struct objects;
struct pack_ingest;
struct refs;
struct repo_config;
struct snapshot;

/* One line of the push: what is asked, and what became of it. */
struct push_command {
	char *ref;
	struct oid old_id;
	struct oid new_id;
	char *reason;	  /* why not; NULL: accepted so far */
	struct err error; /* of the transaction */
	bool is_forced;
	bool is_alias;	/* a symbolic ref to another ref of this push */
	bool is_absent; /* a deletion of what is not there */
	bool is_cut;	/* whole where the pusher's own history ends */
};

struct push {
	/* set once, then read-only */
	struct repository *repository;
	const char *git_dir;
	const struct receive_pack_options *options;
	struct receive_pack_result *result;
	struct stream *stream;
	enum oid_kind kind;
	int lock; /* git/repo_lock.h: nothing vanishes meanwhile; -1 */
	struct snapshot *snapshot;
	struct refs *refs;		  /* the snapshot's */
	const struct repo_config *config; /* the snapshot's */

	/* what the client said */
	struct pkt_reader in;
	struct capabilities caps;
	char *caps_text; /* what they borrow from */
	enum sideband band;
	struct push_command *commands;
	size_t n, room;
	struct push_command **by_name; /* the same, sorted */
	size_t n_shallow;	       /* lines */
	struct oid_set ends;	       /* commits that are shallow there */
	uint64_t text_bytes;	       /* held of what it said */
	char **option_lines;
	size_t n_option_lines;
	struct push_options_list option_list;

	/* what is being done */
	struct err unpack;    /* ERR_OK: "unpack ok" */
	bool pack_is_pending; /* not all of it was read */
	char *quarantine;     /* the directory; NULL: none yet */
	struct pack_ingest *ingest;
	struct objects *objects; /* with the new ones */
	struct object_reader *reader;
	struct oid_set new_ends; /* of them, those that are to be so here */
	struct graph *graph;	 /* with them; NULL: the snapshot's will do */
	struct push_update *updates;   /* what the handler is told */
	struct push_command **updated; /* whose they are */
	size_t n_updates;
	bool is_prepared; /* the handler was told, and is owed the end */

	/* what the client hears meanwhile */
	bool is_gone; /* it cannot be written to any more */
	int64_t last_write_ms;
	int64_t stage_ms; /* when the stage shown began */
	const char *stage;
	bool stage_is_shown;
};

static inline bool command_is_deletion(const struct push_command *c)
{
	return oid_is_zero(&c->new_id);
}

/* Refuse one; the first reason stays. Control bytes become "?". */
void push_refuse(struct push_command *c, const char *format, ...)
	PRINTF_LIKE(2, 3);
/* Refuse all that are not refused yet. */
void push_refuse_rest(struct push *p, const char *reason);
/* The first command for this ref; NULL. */
struct push_command *push_find(const struct push *p, const char *ref);

/* receive_advertise.c: what there is, until the flush. */
int push_advertise(struct push *p, struct err *e) MUST_CHECK;

/* receive_commands.c: read up to the pack. 0 and p->n 0 where nothing is asked;
 * a limit that was passed is in p->unpack; -1 where it is not the protocol. */
int push_read_request(struct push *p, struct err *e) MUST_CHECK;

/* receive_unpack.c: the pack into a quarantine; failures go to p->unpack. */
void push_unpack(struct push *p);
/* Are the objects checked? */
bool push_wants_fsck(const struct push *p);
int push_publish(struct push *p, struct err *e) MUST_CHECK;
int push_quarantine_open(struct push *p, struct err *e) MUST_CHECK;
void push_quarantine_close(struct push *p);

/* receive_judge.c: what is not allowed is refused. */
void push_judge(struct push *p);

/* receive_connected.c: what is not whole is refused, or fails the unpacking. */
void push_judge_connected(struct push *p);

/* receive_shallow.c: where accepted updates end, into the `shallow` file. */
int push_shallow_write(struct push *p, struct err *e) MUST_CHECK;
/* The graph in which histories that end there can be compared. */
struct graph *push_graph(struct push *p, struct err *e) MUST_CHECK;

/* receive_worktree.c: is this branch checked out somewhere? */
bool push_is_checked_out(const struct push *p, const char *ref);

/* receive_refs.c: move the refs. */
void push_apply(struct push *p);

/* receive_report.c */
void push_report(struct push *p);
void push_finish(struct push *p);
/* A failure of the protocol itself: said in the way that still works. */
void push_abort(struct push *p, const struct err *why);
/* Keep the line alive and tell how far things are. */
void push_progress(struct push *p, const char *stage, uint64_t done,
		   uint64_t total);
/* Read and drop what the client still sends, so that it reads what we said. */
void push_drain(struct push *p);
