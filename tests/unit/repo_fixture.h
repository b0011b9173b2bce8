/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A repository in a directory of its own, written by libgit2: what our readers
 * must read. Failures of the fixture itself fail the test.
 */
#pragma once

#include "test.h"

#include "base/err.h"
#include "base/files.h"
#include "git/object.h"

#include <git2.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct fixture {
	char dir[256];
	char objects[272];
	git_repository *repo;
	git_odb *odb;
};

static inline void fixture_check(int rc, const char *what)
{
	const git_error *last = git_error_last();

	if (rc < 0)
		fail_msg("%s: %s", what, last ? last->message : "failed");
}

static inline void fixture_open(struct fixture *f)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(f->dir, sizeof f->dir, "%s/headwater-XXXXXX",
		 tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->objects, sizeof f->objects, "%s/objects", f->dir);
	git_libgit2_init();
	git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
	fixture_check(git_repository_init(&f->repo, f->dir, 1), "init");
	fixture_check(git_repository_odb(&f->odb, f->repo), "odb");
}

static inline void fixture_close(struct fixture *f)
{
	struct err e;

	git_odb_free(f->odb);
	git_repository_free(f->repo);
	git_libgit2_shutdown();
	assert_int_equal(dir_remove(f->dir, &e), 0);
}

static inline struct oid fixture_oid(const git_oid *id)
{
	return oid_from_bytes(id->id, OID_SHA1_SIZE);
}

/* A loose object. */
static inline struct oid fixture_write(struct fixture *f, enum object_type type,
				       const void *data, size_t n)
{
	git_oid id;

	fixture_check(git_odb_write(&id, f->odb, data, n, (git_object_t)type),
		      "write");
	return fixture_oid(&id);
}

static inline struct oid fixture_blob(struct fixture *f, const char *text)
{
	return fixture_write(f, OBJECT_BLOB, text, strlen(text));
}

/* A commit of the empty tree. */
static inline struct oid fixture_commit(struct fixture *f, int64_t date,
					const struct oid *parents, size_t n)
{
	struct oid tree = fixture_write(f, OBJECT_TREE, "", 0);
	char hex[OID_MAX_HEX + 1];
	struct buf text = BUF_INIT;
	struct oid id;

	buf_addf(&text, "tree %s\n", oid_hex(&tree, hex));
	for (size_t i = 0; i < n; i++)
		buf_addf(&text, "parent %s\n", oid_hex(&parents[i], hex));
	buf_addf(&text,
		 "author A <a@b> %lld +0000\ncommitter A <a@b> %lld +0000\n\n"
		 "m\n",
		 (long long)date, (long long)date);
	id = fixture_write(f, OBJECT_COMMIT, text.data, text.len);
	buf_fini(&text);
	return id;
}

/* All of `ids` as one pack, by libgit2's packbuilder; its name into `name`. */
static inline void fixture_pack(struct fixture *f, const struct oid *ids,
				size_t n, char name[64])
{
	git_packbuilder *builder;
	char dir[300];
	git_oid id;

	snprintf(dir, sizeof dir, "%s/pack", f->objects);
	fixture_check(git_packbuilder_new(&builder, f->repo), "builder");
	for (size_t i = 0; i < n; i++) {
		git_oid_fromraw(&id, ids[i].id);
		fixture_check(git_packbuilder_insert(builder, &id, NULL),
			      "insert");
	}
	fixture_check(git_packbuilder_write(builder, dir, 0, NULL, NULL),
		      "pack");
	snprintf(name, 64, "%s",
		 git_oid_tostr_s(git_packbuilder_hash(builder)));
	git_packbuilder_free(builder);
}

/* Remove the loose copy. */
static inline void fixture_remove_loose(struct fixture *f, const struct oid *id)
{
	char hex[OID_MAX_HEX + 1], path[400];

	oid_hex(id, hex);
	snprintf(path, sizeof path, "%s/%.2s/%s", f->objects, hex, hex + 2);
	assert_int_equal(unlink(path), 0);
}

static inline void fixture_write_file(const char *path, const void *data,
				      size_t n)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
}
