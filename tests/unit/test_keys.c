/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "store/keys.h"

#include <stdlib.h>
#include <string.h>

/* Made by ssh-keygen for these tests; nobody has the private halves. */
static const char ed25519[] =
	"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK73ShWZCMpvMF56D1wwbk"
	"f73upHuuddxM0JfyBdLCKm me@ed25519";
static const char ecdsa256[] =
	"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbm"
	"lzdHAyNTYAAABBBC7CNy7yNRCYMccuBreLB6v62hDTTzU9o5ziG2C6mgZS"
	"TFqhAZLsy7JkBAf9VsLPufEbNWVbHKMNOV00Iwt4D3M= me@ecdsa-b256";
static const char ecdsa384[] =
	"ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbm"
	"lzdHAzODQAAABhBJfR0am/h7oxyWZ+e4/ATH95sXq+ikLT/UYxk7huEf1N"
	"oF4218DiWIAmnTV3Tb+v2XtUfdRXP9iiMFOHbp/uyZEZK0GBa3DPO7+3kw"
	"des1WkDxzxyQzct2frpTfzgVCDdQ== me@ecdsa-b384";
static const char ecdsa521[] =
	"ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbm"
	"lzdHA1MjEAAACFBAD4DdL2FHZX05udtdjRi4Jf6tB5xB56SCYB7yOLxU5i"
	"z+8ysaaeyt7jMOn/y8Os3ja1+9kcPR9lkfKiOrntxCww+gFAjZZHChXkx6"
	"62HfZxLrM0JugZ3gMXX6WN9jV+EZEyTBFGckranPyeeVhAdH5neEK5Tk2O"
	"Q8uw1tGYRNXEcymf+w== me@ecdsa-b521";
static const char rsa2048[] =
	"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCfnNNrUPmed98mW+7rvU"
	"1vjakHCRfukQwD+4uK24DuyNVLmsIWRVvXwaFsKfPK4o2j4YarEA8i8t8L"
	"wQhMO2AEgULmHIOJza9RhgGJI4Wmyv69BtLfGzEmZtyMdrfWFCgzLoT5q6"
	"QDjo6OIgjNo6etA6hHOdZIVLtzY4H+Xqd7F07Gu87OBNyqSiCcSkVpUlM5"
	"/r3ftMRhIS6e41gXSv6KFUbyiErTGRX3qYC+Y6DJ46Q+LPwg2wo76eH+Uq"
	"YobHBGxlYQd2WPMflV+Q/diYctp3VUCnRqgF/duKHDui5gLxOJD//UClqw"
	"Uqgp47aDunOJDX9WG+p4EFQTKyno9RGr me@rsa-b2048";
static const char rsa1024[] =
	"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQCYVYj8ZkPN4J7Wy5XXxF"
	"zNY1Uwua/0DKXNR7QRr8Pq7udLzh3kALksUMU28N1kn28FMCtWDuY0/6Dv"
	"E09LN+CLkq5V+pIPuv/fPIJVJRQVq51ES7c6QHGdH6Bfk5s3o1NAHXTpXs"
	"93B9v3IyVriBiTaXPCZdTW/GJIu+BQjOq5pQ== me@rsa-b1024";
static const char dss[] =
	"ssh-dss AAAAB3NzaC1kc3MAAACBAJbXGtD4WdeDnat44s4RpZgyCsvg5z"
	"Xr+yJXQi7fXQmGMGN4YmoZSZAbwJiW0UUa1+MeQl1anT8SCuRw9WulWykS"
	"bdGxIuL30WeVQo5GfsNWibKksiqQiVq8HxXaFY+L3uYFD4DkBNb8nY2lGu"
	"dcg7Nv3RGhuDxYT9r95DeHU4MzAAAAFQDepIU6u2jy8NdbnD7lRbtKVWW5"
	"+QAAAIBqhup3fII9EYOw4B2I0yir+ySP/8vWsIPIsfCRhw29YmFLwzB5Gg"
	"k82prHtAXnL9lQs4DhBMLSGNraNacSnTJ0VyNQlRXwZ0mDhQwDrka8gBcs"
	"Q7Oi00xx/7PdjzcZPaz2lx1dsmqY19w7FhM8i26llDa30+2R//RYlcFSIL"
	"o8KgAAAIBbSyr8yb6eZgjSNKXmG1RC6pDqrmK7F7uoKI/9+aiIy6fX8FcH"
	"Hd2WYkRy99nJlWFWVF1QDW0lem0Nv46Ds0SFhhP8gBsjn6/PBYXlTKMhPJ"
	"1OFuIW0vaVaDkfCKR03Vcu5wxe1eTp2n7t1IgrjmYUShhvtTKe7dXEyR6e"
	"Z36VNQ== me@dsa";
static const char cert[] =
	"ssh-rsa-cert-v01@openssh.com AAAAHHNzaC1yc2EtY2VydC12MDFAb"
	"3BlbnNzaC5jb20AAAAgYOrqe8FGNJhsZ/la5L/q8DNYmzApSeD8Y9BShju"
	"NIi8AAAADAQABAAABAQCfnNNrUPmed98mW+7rvU1vjakHCRfukQwD+4uK2"
	"4DuyNVLmsIWRVvXwaFsKfPK4o2j4YarEA8i8t8LwQhMO2AEgULmHIOJza9"
	"RhgGJI4Wmyv69BtLfGzEmZtyMdrfWFCgzLoT5q6QDjo6OIgjNo6etA6hHO"
	"dZIVLtzY4H+Xqd7F07Gu87OBNyqSiCcSkVpUlM5/r3ftMRhIS6e41gXSv6"
	"KFUbyiErTGRX3qYC+Y6DJ46Q+LPwg2wo76eH+UqYobHBGxlYQd2WPMflV+"
	"Q/diYctp3VUCnRqgF/duKHDui5gLxOJD//UClqwUqgp47aDunOJDX9WG+p"
	"4EFQTKyno9RGrAAAAAAAAAAAAAAABAAAAAmlkAAAABwAAAANnaXQAAAAAA"
	"AAAAP//////////AAAAAAAAAIIAAAAVcGVybWl0LVgxMS1mb3J3YXJkaW5"
	"nAAAAAAAAABdwZXJtaXQtYWdlbnQtZm9yd2FyZGluZwAAAAAAAAAWcGVyb"
	"Wl0LXBvcnQtZm9yd2FyZGluZwAAAAAAAAAKcGVybWl0LXB0eQAAAAAAAAA"
	"OcGVybWl0LXVzZXItcmMAAAAAAAAAAAAAADMAAAALc3NoLWVkMjU1MTkAA"
	"AAgrvdKFZkIym8wXnoPXDBuR/ve6ke6513EzQl/IF0sIqYAAABTAAAAC3N"
	"zaC1lZDI1NTE5AAAAQLIl8U8S7FXD+T2arEWX6aHQqeoZheW5tAOgbu9AN"
	"opJLyGNm6QSFG03mYn/DUGLmkeBS1rwRA8kZJVyMJvt2wQ= me@rsa-b20"
	"48";

static void assert_refused(const char *line, enum err_code code,
			   const char *words)
{
	struct public_key k;
	struct err e;

	if (public_key_parse(span_str(line), &k, &e) == 0)
		fail_msg("taken: %s", line);
	assert_int_equal(e.code, code);
	if (!strstr(e.message, words))
		fail_msg("\"%s\" does not say \"%s\"", e.message, words);
}

/* -- blobs ---------------------------------------------------------------- */

static void add_string(struct buf *b, const void *data, size_t n)
{
	unsigned char len[4];

	store_u32be(len, (uint32_t)n);
	buf_add(b, len, 4);
	buf_add(b, data, n);
}

static int parse_blob(const struct buf *b, struct err *e)
{
	struct public_key k;
	int result = public_key_from_blob(buf_span(b), &k, e);

	if (!result)
		public_key_fini(&k);
	return result;
}

/* -- cases ---------------------------------------------------------------- */

static void accepts_what_ssh_keygen_makes(void **state)
{
	static const struct {
		const char *line;
		const char *type;
		unsigned bits;
		const char *fingerprint;
		const char *comment;
	} cases[] = {
		{ ed25519, "ssh-ed25519", 256,
		  "SHA256:hy6kOPgrN42695uj3Ry2k2uQ5wt6awDspbSJ0IM9Zzs",
		  "me@ed25519" },
		{ ecdsa256, "ecdsa-sha2-nistp256", 256,
		  "SHA256:PZ1uk3zsvisoA1EDO6cF0nuI6kpyLBZelgKE53uWLmg",
		  "me@ecdsa-b256" },
		{ ecdsa384, "ecdsa-sha2-nistp384", 384,
		  "SHA256:sJZHXPS0DhRkqyOrhWunXKgZ5F36PNmyQvfdMibbDag",
		  "me@ecdsa-b384" },
		{ ecdsa521, "ecdsa-sha2-nistp521", 521,
		  "SHA256:aZ4hYMcnHfQ0f+rC9zwatNMBhMvATglZqjk0g3Mt10k",
		  "me@ecdsa-b521" },
		{ rsa2048, "ssh-rsa", 2048,
		  "SHA256:w1ZgdJK45r5QEHgaIGNoksz2zB22xVPSS22+WCR+e6Y",
		  "me@rsa-b2048" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(freep) char *text = NULL;
		struct public_key k, again;
		struct err e;

		if (public_key_parse(span_str(cases[i].line), &k, &e) < 0)
			fail_msg("%s", e.message);
		assert_string_equal(k.type, cases[i].type);
		assert_int_equal(k.bits, cases[i].bits);
		assert_string_equal(k.fingerprint, cases[i].fingerprint);
		assert_string_equal(k.comment, cases[i].comment);
		text = public_key_text(&k);
		assert_string_equal(text, cases[i].line);
		assert_int_equal(
			public_key_from_blob(span_of(k.blob, k.blob_len),
					     &again, &e),
			0);
		assert_true(public_key_eq(&k, &again));
		public_key_fini(&again);
		public_key_fini(&k);
	}
}

static void takes_white_space_and_long_comments(void **state)
{
	struct buf b = BUF_INIT;
	struct public_key k;
	struct err e;

	(void)state;
	buf_addf(&b, " \t%.*s  my  own key \r\n",
		 (int)(strrchr(ed25519, ' ') - ed25519), ed25519);
	assert_int_equal(public_key_parse(buf_span(&b), &k, &e), 0);
	assert_string_equal(k.comment, "my  own key");
	public_key_fini(&k);
	buf_fini(&b);
}

static void refuses_weak_and_foreign_types(void **state)
{
	(void)state;
	assert_refused(dss, ERR_DENIED, "ssh-dss");
	assert_refused(rsa1024, ERR_DENIED, "1024 bits");
	assert_refused(cert, ERR_DENIED, "certificates are not accepted");
	assert_refused("ssh-ed448 AAAA", ERR_DENIED, "ssh-ed448");
}

static void says_what_stands_there_instead(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_addf(&b, "command=\"x y\",no-pty %s", ed25519);
	assert_refused(buf_str(&b), ERR_MALFORMED, "options before the key");
	assert_refused("", ERR_MALFORMED, "no public key");
	assert_refused(" \n", ERR_MALFORMED, "no public key");
	assert_refused("-----BEGIN OPENSSH PRIVATE KEY-----", ERR_MALFORMED,
		       "keep it secret");
	assert_refused("ssh-ed25519", ERR_MALFORMED, "not base64");
	assert_refused("ssh-ed25519 !!!!", ERR_MALFORMED, "not base64");
	assert_refused("ssh-ed25519 AAAA", ERR_MALFORMED, "cut short");
	buf_clear(&b);
	buf_addf(&b, "%s\n%s", ed25519, ecdsa256);
	assert_refused(buf_str(&b), ERR_MALFORMED, "one line holds one key");
	buf_clear(&b);
	buf_addf(&b, "ecdsa-sha2-nistp256%s", strchr(ed25519, ' '));
	assert_refused(buf_str(&b), ERR_MALFORMED, "and the key ssh-ed25519");
	buf_fini(&b);
}

/* Every shortening and every byte too many of every good blob. */
static void a_blob_has_one_length(void **state)
{
	static const char *const lines[] = { ed25519, ecdsa256, ecdsa521,
					     rsa2048 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct public_key k, bad;
		struct buf b = BUF_INIT;
		struct err e;

		assert_int_equal(public_key_parse(span_str(lines[i]), &k, &e),
				 0);
		buf_add(&b, k.blob, k.blob_len);
		for (size_t n = 0; n < k.blob_len; n++) {
			CLEANUP(freep) char *cut = malloc(n + 1);

			memcpy(cut, k.blob, n);
			assert_int_equal(
				public_key_from_blob(span_of(cut, n), &bad, &e),
				-1);
		}
		buf_addc(&b, '\0');
		assert_int_equal(parse_blob(&b, &e), -1);
		assert_int_equal(e.code, ERR_MALFORMED);
		buf_fini(&b);
		public_key_fini(&k);
	}
}

static void refuses_points_that_are_on_no_curve(void **state)
{
	struct public_key k;
	struct err e;

	(void)state;
	assert_int_equal(public_key_parse(span_str(ecdsa256), &k, &e), 0);
	k.blob[k.blob_len - 1] ^= 1;
	assert_int_equal(
		public_key_from_blob(span_of(k.blob, k.blob_len), &k, &e), -1);
	assert_non_null(strstr(e.message, "not on its curve"));
	public_key_fini(&k);
}

static void refuses_a_curve_that_is_not_the_types(void **state)
{
	unsigned char point[65] = { 4 };
	struct buf b = BUF_INIT;
	struct err e;

	(void)state;
	add_string(&b, "ecdsa-sha2-nistp256", 19);
	add_string(&b, "nistp384", 8);
	add_string(&b, point, sizeof point);
	assert_int_equal(parse_blob(&b, &e), -1);
	assert_int_equal(e.code, ERR_MALFORMED);
	buf_fini(&b);
}

static int parse_rsa(const void *exponent, size_t exponent_len,
		     const void *modulus, size_t modulus_len, struct err *e)
{
	struct buf b = BUF_INIT;
	int result;

	add_string(&b, "ssh-rsa", 7);
	add_string(&b, exponent, exponent_len);
	add_string(&b, modulus, modulus_len);
	result = parse_blob(&b, e);
	buf_fini(&b);
	return result;
}

static void numbers_have_one_spelling(void **state)
{
	unsigned char n[4000] = { 0, 0x80 };
	struct err e;

	(void)state;
	n[256] = 1;
	assert_int_equal(parse_rsa("\x01\x00\x01", 3, n, 257, &e), 0);
	/* negative, padded, even, one, empty */
	assert_int_equal(parse_rsa("\x01\x00\x01", 3, n + 1, 256, &e), -1);
	assert_int_equal(parse_rsa("\x00\x01\x00\x01", 4, n, 257, &e), -1);
	assert_int_equal(parse_rsa("\x01\x00\x02", 3, n, 257, &e), -1);
	assert_int_equal(parse_rsa("\x01", 1, n, 257, &e), -1);
	assert_int_equal(parse_rsa("", 0, n, 257, &e), -1);
	assert_int_equal(parse_rsa("\x01\x00\x01", 3, n, 256, &e), -1);
	/* 2047 bits, and more than any client has */
	n[0] = 0x7f;
	n[255] = 1;
	assert_int_equal(parse_rsa("\x03", 1, n, 256, &e), -1);
	assert_int_equal(e.code, ERR_DENIED);
	assert_int_equal(parse_rsa("\x03", 1, n, sizeof n, &e), -1);
}

static void security_keys_name_an_application(void **state)
{
	static const char type[] = "sk-ssh-ed25519@openssh.com";
	unsigned char point[32] = { 9 };
	struct buf b = BUF_INIT;
	struct err e;

	(void)state;
	add_string(&b, type, sizeof type - 1);
	add_string(&b, point, sizeof point);
	assert_int_equal(parse_blob(&b, &e), -1);
	add_string(&b, "ssh:", 4);
	assert_int_equal(parse_blob(&b, &e), 0);
	buf_fini(&b);
}

static void refuses_huge_blobs(void **state)
{
	struct buf b = BUF_INIT;
	struct err e;

	(void)state;
	add_string(&b, "ssh-ed25519", 11);
	while (b.len < 100 << 10)
		buf_addc(&b, 'x');
	assert_int_equal(parse_blob(&b, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_what_ssh_keygen_makes),
		cmocka_unit_test(takes_white_space_and_long_comments),
		cmocka_unit_test(refuses_weak_and_foreign_types),
		cmocka_unit_test(says_what_stands_there_instead),
		cmocka_unit_test(a_blob_has_one_length),
		cmocka_unit_test(refuses_points_that_are_on_no_curve),
		cmocka_unit_test(refuses_a_curve_that_is_not_the_types),
		cmocka_unit_test(numbers_have_one_spelling),
		cmocka_unit_test(security_keys_name_an_application),
		cmocka_unit_test(refuses_huge_blobs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
