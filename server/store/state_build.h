/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the state: what its own files share and nobody else includes.
 *
 * One load: files are read (state_read.c), their sections sorted into objects
 * (state_load.c), each compiled against the schema (state_compile.c), keys
 * found in files and directories (state_keys.c).
 * Threads: a load belongs to one.
 */
#pragma once

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/files.h"
#include "store/conf_file.h"
#include "store/state.h"
#include "store/state_store.h"

#include <stdatomic.h>

/* A growing array of pointers; `failed` sticks. */
struct table {
	const void **items;
	size_t n, cap;
	bool failed;
};

void table_add(struct table *t, const void *item);
void table_fini(struct table *t);

struct state {
	atomic_uint references;
	struct arena arena;
	struct table objects[STATE_KINDS]; /* struct state_object *, by name */
	struct table keys;		   /* all that may log in, by name */
	struct table keys_by_hash;	   /* the same, by SHA-256 */
	struct table made_keys;		   /* struct key_settings *, to free */
};

/* A file or directory that the state was made of. */
struct watch {
	char *path;
	struct file_sig sig; /* taken before it was read */
};

/* What a file will hold once the verb that is being judged is done. */
struct overlay {
	char *path;
	struct span bytes;
	bool is_removed;
};

struct load {
	/* given */
	const struct state_options *options;
	const struct overlay *overlays;
	size_t n_overlays;
	bool default_must_exist; /* it did when the state in force was read */
	struct mistakes *mistakes;

	/* made */
	struct state *state;
	struct watch *watches;
	size_t n_watches, watches_cap;
	struct digest *digest; /* of everything read */
	unsigned char content[SHA256_SIZE];
	struct table missing_secrets; /* malloc'ed paths */
	bool has_conflict;	      /* a key or token of two names */
	bool found_default;
	struct table files;    /* struct conf_file *, state.conf first */
	struct table sections; /* struct draft * */
};

/* One section of one file, on its way to being an object. */
struct draft {
	enum state_kind kind;
	const char *name;
	const struct conf_file *file;
	const struct conf_section *section;
	bool is_declared;
	size_t order;
};

/* -- state_load.c --------------------------------------------------------- */

/* Read and compile everything: a state of one reference, or NULL where there
 * was a mistake. load_fini() in both cases. */
struct state *load_run(struct load *l) MUST_CHECK;
void load_fini(struct load *l);

/* -- state_read.c --------------------------------------------------------- */

/* Remember the path for state_store_refresh(). */
void load_watch(struct load *l, const char *path);
/* Append the content of a file, as the overlays say or as it is on disk. */
int load_read(struct load *l, const char *path, size_t max, struct buf *b,
	      struct err *e) MUST_CHECK;
/* The entries of `dir` that `is_wanted`, sorted: malloc'ed names in `out`. */
int load_list(struct load *l, const char *dir, bool (*is_wanted)(const char *),
	      size_t max, struct table *out, struct err *e) MUST_CHECK;
/* All configuration files into l->files. */
void load_files(struct load *l);

/* -- state_compile.c ------------------------------------------------------ */

/* Compile the sections drafts[0..n) of one object and add it to the state. */
void compile_object(struct load *l, struct draft *const *drafts, size_t n);

/* A path of `file`: relative ones begin beside it. In the arena or NULL. */
const char *compile_path(struct load *l, const char *file, const char *path);
/* The first value of a key, NULL where it is not there. */
const char *object_value(const struct state_object *o, const char *key);
struct state_list object_list(const struct state_object *o, const char *key);
bool object_bool(const struct state_object *o, const char *key);
/* A mistake where it may touch nothing. */
void compile_rights(struct load *l, const struct state_object *o,
		    bool may_write);
void compile_mistake(struct load *l, const struct state_object *o,
		     const char *format, ...) PRINTF_LIKE(3, 4);

/* -- state_secrets.c ------------------------------------------------------ */

void compile_token(struct load *l, struct token_settings *t);
/* A mistake where two tokens are one. */
void compile_tokens(struct load *l);
void compile_hook_secret(struct load *l, struct hook_settings *h);
void compile_bearer(struct load *l, struct hook_settings *h);
/* The bytes of the file that `key` names, where it is set. */
void compile_named_secret(struct load *l, const struct state_object *o,
			  const char *key, struct span *out);

/* -- state_keys.c --------------------------------------------------------- */

void compile_key(struct load *l, struct key_settings *k);
void compile_key_dir(struct load *l, const struct state_object *o);
/* Sort all keys; a mistake where a public key has two names. */
void compile_keys(struct load *l);
