/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/digest.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void assert_hex(const unsigned char *bytes, size_t n, const char *hex)
{
	char text[2 * 64 + 1];

	assert_true(n <= 64);
	hex_encode(bytes, n, text);
	assert_string_equal(text, hex);
}

static void assert_hmac(const void *key, size_t key_len, const char *data,
			const char *hex)
{
	unsigned char mac[SHA256_SIZE];

	hmac_sha256(key, key_len, data, strlen(data), mac);
	assert_hex(mac, sizeof mac, hex);
}

/* FIPS 180-2, appendix B and the well-known digest of nothing. */
static void computes_the_published_sha256(void **state)
{
	unsigned char out[SHA256_SIZE];

	(void)state;
	sha256("abc", 3, out);
	assert_hex(out, sizeof out,
		   "ba7816bf8f01cfea414140de5dae2223"
		   "b00361a396177a9cb410ff61f20015ad");
	sha256(NULL, 0, out);
	assert_hex(out, sizeof out,
		   "e3b0c44298fc1c149afbf4c8996fb924"
		   "27ae41e4649b934ca495991b7852b855");
}

static void a_running_digest_is_that_of_all_its_pieces(void **state)
{
	struct digest *d = digest_new(DIGEST_SHA1);
	unsigned char out[SHA256_SIZE];

	(void)state;
	assert_non_null(d);
	for (int round = 0; round < 2; round++) {
		digest_update(d, "a", 1);
		digest_update(d, NULL, 0);
		digest_update(d, "bc", 2);
		digest_final(d, out);
		assert_hex(out, SHA1_SIZE,
			   "a9993e364706816aba3e25717850c26c9cd0d89d");
		digest_reset(d);
	}
	digest_update(d, "dropped", 7);
	digest_reset(d);
	digest_final(d, out);
	assert_hex(out, SHA1_SIZE, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	assert_null(digest_free(d));
	assert_null(digest_free(NULL));

	d = digest_new(DIGEST_SHA256);
	assert_non_null(d);
	digest_update(d, "abc", 3);
	digest_final(d, out);
	assert_hex(out, SHA256_SIZE,
		   "ba7816bf8f01cfea414140de5dae2223"
		   "b00361a396177a9cb410ff61f20015ad");
	digest_free(d);
}

/* RFC 4231, cases 1 to 4, 6 and 7. */
static void computes_the_hmacs_of_rfc_4231(void **state)
{
	unsigned char key[131], data[50];
	unsigned char mac[SHA256_SIZE];

	(void)state;
	memset(key, 0x0b, 20);
	assert_hmac(key, 20, "Hi There",
		    "b0344c61d8db38535ca8afceaf0bf12b"
		    "881dc200c9833da726e9376c2e32cff7");
	assert_hmac("Jefe", 4, "what do ya want for nothing?",
		    "5bdcc146bf60754e6a042426089575c7"
		    "5a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof key);
	memset(data, 0xdd, sizeof data);
	hmac_sha256(key, 20, data, sizeof data, mac);
	assert_hex(mac, sizeof mac,
		   "773ea91e36800e46854db8ebd09181a7"
		   "2959098b3ef8c122d9635514ced565fe");
	assert_hmac(key, 131,
		    "Test Using Larger Than Block-Size Key - Hash Key First",
		    "60e431591ee0b67f0d8a26aacbf5b77f"
		    "8e0bc6213728c5140546040f0ee37f54");
	assert_hmac(key, 131,
		    "This is a test using a larger than block-size key and a "
		    "larger than block-size data. The key needs to be hashed "
		    "before being used by the HMAC algorithm.",
		    "9b09ffa71b942fcb27635fbcd5b0e944"
		    "bfdc63644f0713938a7f51535c3a35e2");
	for (unsigned char i = 0; i < 25; i++)
		key[i] = (unsigned char)(i + 1);
	memset(data, 0xcd, sizeof data);
	hmac_sha256(key, 25, data, sizeof data, mac);
	assert_hex(mac, sizeof mac,
		   "82558a389a443c0ea4cc819899f2083a"
		   "85f0faa3e578f8077a2e3ff46729665b");
}

/* What Flux's receivers compute over a body that was captured from one. */
static void signs_a_hook_as_its_receiver_does(void **state)
{
	static const char key[] = "s3cr3t-token";
	static const char body[] =
		"{\"ref\":\"refs/heads/main\",\"before\":"
		"\"0000000000000000000000000000000000000000\",\"after\":"
		"\"c242fd482d2a8c4d97417c27ac2cb2a715d8da94\"}";
	unsigned char mac[SHA256_SIZE];

	(void)state;
	assert_int_equal(strlen(body), 128);
	assert_hmac(key, strlen(key), body,
		    "89c59bde7cf2730950967627f0444991"
		    "8ca73baf6b691d53a3aa4f16f527831d");
	assert_hmac(key, strlen(key), "{}",
		    "1f3fa6fcd79f063072a7fe10ecf17040"
		    "e4259cd1501f27c7a21d81bbf24af23a");
	hmac_sha256(key, strlen(key), NULL, 0, mac);
	assert_hex(mac, sizeof mac,
		   "772e5585aafc95674a2160e6f0b522a4"
		   "70d3671e3ea6c154445140032eb28ef9");
	hmac_sha1(key, strlen(key), body, strlen(body), mac);
	assert_hex(mac, SHA1_SIZE, "4e441f07015841c921383b7923d6752f176b43fd");
}

/* HMAC-SHA256 of nothing under the empty key. */
static void an_empty_key_is_a_key(void **state)
{
	(void)state;
	assert_hmac(NULL, 0, "",
		    "b613679a0814d9ec772f95d778c35fc5"
		    "ff1697c493715653c6c712144292c5ad");
}

static void *hash_in_a_thread(void *arg)
{
	for (int i = 0; i < 200; i++) {
		unsigned char out[SHA256_SIZE];

		sha256("abc", 3, out);
		if (out[0] != 0xba)
			return NULL;
	}
	return arg;
}

static void hashes_in_several_threads_at_once(void **state)
{
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						hash_in_a_thread, state),
				 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		void *result;

		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_non_null(result);
	}
}

static void hex_goes_there_and_back(void **state)
{
	unsigned char bytes[4];
	char text[9];

	(void)state;
	assert_int_equal(hex_decode("00fFAb7e", 4, bytes), 0);
	hex_encode(bytes, 4, text);
	assert_string_equal(text, "00ffab7e");
	hex_encode(NULL, 0, text);
	assert_string_equal(text, "");
}

static void refuses_what_is_no_hex_digit(void **state)
{
	static const char *const wrong[] = {
		"0g", "g0", " 0", "0 ", "0/", ":0", "@0", "0`", "\xff\xff", "0x"
	};
	unsigned char byte;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(hex_decode(wrong[i], 1, &byte), -1);
	/* A text that ends early is not read past its end. */
	assert_int_equal(hex_decode("", 1, &byte), -1);
	assert_int_equal(hex_decode("a", 1, &byte), -1);
}

/* RFC 4648, section 10. */
static const char *const base64_vectors[][2] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
	{ "\xfb\xff\xbf", "+/+/" },
};

static void assert_decodes(const char *text, size_t len, const char *bytes)
{
	size_t n;
	void *decoded = base64_decode(text, len, &n);

	assert_non_null(decoded);
	assert_int_equal(n, strlen(bytes));
	assert_memory_equal(decoded, bytes, n);
	free(decoded);
}

static void base64_goes_there_and_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(base64_vectors); i++) {
		const char *bytes = base64_vectors[i][0];
		const char *text = base64_vectors[i][1];
		char *encoded = base64_encode(bytes, strlen(bytes));

		assert_non_null(encoded);
		assert_string_equal(encoded, text);
		free(encoded);
		assert_decodes(text, strlen(text), bytes);
		assert_decodes(text, strcspn(text, "="), bytes);
	}
}

static void every_byte_survives_base64(void **state)
{
	unsigned char all[256];

	(void)state;
	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (unsigned char)(i * 7);
	for (size_t len = 0; len <= sizeof all; len++) {
		char *text = base64_encode(all, len);
		size_t n;
		void *bytes;

		assert_non_null(text);
		bytes = base64_decode(text, strlen(text), &n);
		assert_non_null(bytes);
		assert_int_equal(n, len);
		assert_memory_equal(bytes, all, len);
		free(bytes);
		free(text);
	}
}

static void refuses_what_is_not_strict_base64(void **state)
{
	static const char *const wrong[] = {
		"Z",	    "Zm9vY", "=",     "==",	"====",	    "Zg=",
		"Zg===",    "Z===",  "Zm8==", "Zm9v=",	"Zm9v====", "Zg==Zg",
		"Zg==Zm9v", "Z=g=",  "Zm 8",  "Zm8=\n", "Zm-_",	    "Zm8\xff",
		"Zh==",	    "Zm9=",  "Zh",    "Zm9",	"Zm9vYh==", "Zm9vYmF="
	};
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		if (base64_decode(wrong[i], strlen(wrong[i]), &n))
			fail_msg("accepted %s", wrong[i]);
	}
	assert_null(base64_decode("Zm\0v", 4, &n));
}

static void random_bytes_differ_and_fill_everything(void **state)
{
	unsigned char a[1000] = { 0 }, b[1000] = { 0 };
	size_t zeros = 0;

	(void)state;
	random_bytes(a, sizeof a);
	random_bytes(b, sizeof b);
	assert_memory_not_equal(a, b, sizeof a);
	for (size_t i = sizeof a - 100; i < sizeof a; i++)
		zeros += !a[i];
	assert_true(zeros < 50);
}

static void compares_all_bytes(void **state)
{
	(void)state;
	assert_true(bytes_equal("abc", "abc", 3));
	assert_false(bytes_equal("abc", "abd", 3));
	assert_false(bytes_equal("xbc", "abc", 3));
	assert_true(bytes_equal("abc", "abd", 2));
	assert_true(bytes_equal(NULL, NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(computes_the_published_sha256),
		cmocka_unit_test(a_running_digest_is_that_of_all_its_pieces),
		cmocka_unit_test(computes_the_hmacs_of_rfc_4231),
		cmocka_unit_test(signs_a_hook_as_its_receiver_does),
		cmocka_unit_test(an_empty_key_is_a_key),
		cmocka_unit_test(hashes_in_several_threads_at_once),
		cmocka_unit_test(hex_goes_there_and_back),
		cmocka_unit_test(refuses_what_is_no_hex_digit),
		cmocka_unit_test(base64_goes_there_and_back),
		cmocka_unit_test(every_byte_survives_base64),
		cmocka_unit_test(refuses_what_is_not_strict_base64),
		cmocka_unit_test(random_bytes_differ_and_fill_everything),
		cmocka_unit_test(compares_all_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
