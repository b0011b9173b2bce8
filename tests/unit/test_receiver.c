/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "hooks/receiver.h"

#include <string.h>

/* The first is notification-controller's own golden value. */
static const struct {
	const char *token, *name, *ns, *path;
} vectors[] = {
	{ "test-token", "receiver-secret", "my-namespace",
	  "/hook/106120121d366c2f67e93200f6c1dbe9"
	  "38235eb588daa5e8c0516d3a77ac1dee" },
	{ "s3cr3t-token", "fluxgit", "flux-system",
	  "/hook/2fb50f9b0988e824e08b9ab5d2f1c26e"
	  "2aafca14aa9afa0542fd662ff7840dc4" },
	{ "", "fluxgit", "flux-system",
	  "/hook/c6d212088bfa53e764f3512055e64515"
	  "428cc0627146fc4301b1f751f0fa27ad" },
};

static void computes_the_paths_that_flux_computes(void **state)
{
	char path[RECEIVER_PATH_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		assert_ptr_equal(receiver_path(span_str(vectors[i].token),
					       vectors[i].name, vectors[i].ns,
					       path),
				 path);
		assert_string_equal(path, vectors[i].path);
		assert_true(receiver_path_is(path));
	}
}

static void takes_the_token_as_bytes(void **state)
{
	char with[RECEIVER_PATH_SIZE], without[RECEIVER_PATH_SIZE];

	(void)state;
	assert_non_null(receiver_path(span_str("t\n"), "a", "b", with));
	assert_non_null(receiver_path(span_str("t"), "a", "b", without));
	assert_string_not_equal(with, without);
	assert_non_null(receiver_path(span_of("t\0", 2), "a", "b", with));
	assert_string_not_equal(with, without);
	assert_non_null(receiver_path(span_of(NULL, 0), "fluxgit",
				      "flux-system", with));
	assert_string_equal(with, vectors[2].path);
}

static void knows_a_receiver_by_its_path_alone(void **state)
{
	char path[RECEIVER_PATH_SIZE + 1];

	(void)state;
	assert_false(receiver_path_is(""));
	assert_false(receiver_path_is("/hook/"));
	assert_false(receiver_path_is("/hook/main"));
	strcpy(path, vectors[0].path);
	path[0] = 'x';
	assert_false(receiver_path_is(path));
	strcpy(path, vectors[0].path);
	path[10] = 'A'; /* the controller compares bytes */
	assert_false(receiver_path_is(path));
	strcpy(path, vectors[0].path);
	path[sizeof path - 3] = '\0';
	assert_false(receiver_path_is(path));
	strcpy(path, vectors[0].path);
	strcat(path, "/");
	assert_false(receiver_path_is(path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(computes_the_paths_that_flux_computes),
		cmocka_unit_test(takes_the_token_as_bytes),
		cmocka_unit_test(knows_a_receiver_by_its_path_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
