/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/err.h"

#include <errno.h>
#include <string.h>

static void returns_minus_one_and_the_sentence(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(err_set(&e, ERR_LIMIT, "more than %d refs", 3), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_string_equal(e.message, "more than 3 refs");
}

static void wraps_without_changing_the_code(void **state)
{
	struct err e;

	(void)state;
	err_set(&e, ERR_MALFORMED, "bad length");
	assert_int_equal(err_wrap(&e, "reading %s", "wants"), -1);
	assert_int_equal(e.code, ERR_MALFORMED);
	assert_string_equal(e.message, "reading wants: bad length");
}

static void cuts_what_does_not_fit(void **state)
{
	struct err e;
	char longer[1000];

	(void)state;
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	err_set(&e, ERR_IO, "%s", longer);
	assert_int_equal(strlen(e.message), sizeof e.message - 1);
	err_wrap(&e, "context");
	assert_int_equal(strlen(e.message), sizeof e.message - 1);
	assert_memory_equal(e.message, "context: xxx", 12);
	err_wrap(&e, "%s", longer);
	assert_int_equal(strlen(e.message), sizeof e.message - 1);
}

static void folds_errno_into_a_code(void **state)
{
	struct err e;

	(void)state;
	errno = ENOSPC;
	err_errno(&e, "writing %s", "a pack");
	assert_int_equal(e.code, ERR_NO_SPACE);
	assert_string_equal(e.message,
			    "writing a pack: No space left on device");
	errno = ENOENT;
	err_errno(&e, "opening");
	assert_int_equal(e.code, ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(returns_minus_one_and_the_sentence),
		cmocka_unit_test(wraps_without_changing_the_code),
		cmocka_unit_test(cuts_what_does_not_fit),
		cmocka_unit_test(folds_errno_into_a_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
