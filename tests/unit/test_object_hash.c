/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "git/object_hash.h"
#include "sha1_collisions.h"

#include <string.h>

static void expect_id(const char *type, const char *text, const char *hex)
{
	struct oid id;
	struct err e;
	char got[OID_MAX_HEX + 1];

	assert_int_equal(
		object_hash_buffer(OID_SHA1, type, text, strlen(text), &id, &e),
		0);
	assert_string_equal(oid_hex(&id, got), hex);
}

static void names_objects_as_git_does(void **state)
{
	(void)state;
	expect_id("blob", "", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
	expect_id("tree", "", "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
	expect_id("blob", "hello\n",
		  "ce013625030ba8dba906f756967f9e9ca394464a");
}

static void gives_the_same_id_in_pieces_of_any_size(void **state)
{
	unsigned char data[1000];
	struct oid whole, pieces;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * i + i / 7);
	assert_int_equal(object_hash_buffer(OID_SHA1, "blob", data, sizeof data,
					    &whole, &e),
			 0);
	for (size_t piece = 1; piece <= sizeof data; piece++) {
		struct object_hash h;

		object_hash_init(&h, OID_SHA1, "blob", sizeof data);
		for (size_t at = 0; at < sizeof data; at += piece)
			object_hash_update(&h, data + at,
					   sizeof data - at < piece
						   ? sizeof data - at
						   : piece);
		assert_int_equal(object_hash_final(&h, &pieces, &e), 0);
		assert_true(oid_eq(&whole, &pieces));
	}
}

/* Git's header moves the published files away from their collision, so the
 * attack is put where it is one: behind the chaining value it was made for. */
static void refuses_half_of_a_collision_and_names_it(void **state)
{
	static const unsigned char noise[SHA1_BLOCK_SIZE];
	struct object_hash h;
	struct sha1_detect prefix;
	struct oid id = oid_zero(OID_SHA1);
	struct err e;

	(void)state;
	sha1_detect_init(&prefix);
	sha1_detect_update(&prefix, shattered, SHATTERED_PREFIX);
	object_hash_init(&h, OID_SHA1, "blob", 1000);
	object_hash_update(&h, noise, sizeof noise - sizeof "blob 1000");
	memcpy(h.sha1.h, prefix.h, sizeof prefix.h);
	object_hash_update(&h, shattered + SHATTERED_PREFIX,
			   sizeof shattered - SHATTERED_PREFIX);
	object_hash_update(&h, noise, 10);
	assert_int_equal(object_hash_final(&h, &id, &e), -1);
	assert_int_equal(e.code, ERR_MALFORMED);
	assert_int_equal(id.len, 0);
	assert_non_null(strstr(e.message, "SHA-1 collision attack detected in "
					  "object "));
	assert_int_equal(strlen(e.message),
			 strlen("SHA-1 collision attack detected in object ") +
				 2 * OID_SHA1_SIZE);
}

static void begins_anew_after_an_attack(void **state)
{
	struct object_hash h;
	struct oid id;
	struct err e;
	char hex[OID_MAX_HEX + 1];

	(void)state;
	object_hash_init(&h, OID_SHA1, "blob", 0);
	h.sha1.attacked = true;
	assert_int_equal(object_hash_final(&h, &id, &e), -1);
	object_hash_init(&h, OID_SHA1, "blob", 0);
	assert_int_equal(object_hash_final(&h, &id, &e), 0);
	assert_string_equal(oid_hex(&id, hex),
			    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_objects_as_git_does),
		cmocka_unit_test(gives_the_same_id_in_pieces_of_any_size),
		cmocka_unit_test(refuses_half_of_a_collision_and_names_it),
		cmocka_unit_test(begins_anew_after_an_attack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
