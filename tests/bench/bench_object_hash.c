/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast objects are named: each engine of the collision-detecting SHA-1
 * beside libgit2's and the plain SHA-1 of OpenSSL, for objects of several
 * sizes. Usage: bench_object_hash [MEGABYTES]
 */
#include "git/object_hash.h"

#include <git2.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DEFAULT_MB 200
#define LARGEST	   ((size_t)1 << 20)

static unsigned char data[LARGEST];

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static const struct sha1_engine *engine;

static void by_engine(size_t size)
{
	unsigned char digest[SHA1_DETECT_SIZE];
	struct sha1_detect s;

	sha1_detect_init_engine(&s, engine);
	sha1_detect_update(&s, data, size);
	if (!sha1_detect_final(&s, digest))
		abort();
}

static void by_object_hash(size_t size)
{
	struct oid id;
	struct err e;

	if (object_hash_buffer(OID_SHA1, "blob", data, size, &id, &e))
		abort();
}

static void by_libgit2(size_t size)
{
	git_oid id;

	if (git_odb_hash(&id, data, size, GIT_OBJECT_BLOB))
		abort();
}

static EVP_MD *plain;

static void by_openssl(size_t size)
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	if (!EVP_Digest(data, size, digest, NULL, plain, NULL))
		abort();
}

static void measure(const char *name, void (*hash)(size_t), size_t size,
		    size_t total)
{
	size_t rounds = total / size;
	double start = seconds(), spent;

	for (size_t i = 0; i < rounds; i++) {
		data[0] = (unsigned char)i;
		hash(size);
	}
	spent = seconds() - start;
	printf("%-14s %8zu B %8.3f GB/s %8.1f ns/object\n", name, size,
	       (double)(rounds * size) / spent * 1e-9,
	       spent / (double)rounds * 1e9);
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 200, 1000, 8000, LARGEST };
	size_t total = argc > 1 ? strtoul(argv[1], NULL, 10) : DEFAULT_MB;

	total *= 1000000;
	git_libgit2_init();
	plain = EVP_MD_fetch(NULL, "SHA1", NULL);
	for (size_t i = 0; i < LARGEST; i++)
		data[i] = (unsigned char)rand();
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		measure("openssl", by_openssl, sizes[i], total);
		measure("libgit2", by_libgit2, sizes[i], total / 4);
		measure("object_hash", by_object_hash, sizes[i], total);
		for (engine = sha1_engines; engine->name; engine++)
			if (engine->usable())
				measure(engine->name, by_engine, sizes[i],
					total / 2);
	}
	EVP_MD_free(plain);
	git_libgit2_shutdown();
	return 0;
}
