/* SPDX-License-Identifier: Apache-2.0 */
/* A loose object of any content. */
#include "fuzz.h"

#include "git/loose.h"

#define OBJECT_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(freep) char *dir = path_join(fuzz_dir(), "00");
	struct oid id = { .len = OID_SHA1_SIZE };
	CLEANUP(freep) char *path = NULL;
	enum object_type type;
	struct object object;
	uint64_t length;
	struct err e;

	if (!dir || dir_make(dir, 0700, &e) < 0)
		abort();
	path = fuzz_file("00/00000000000000000000000000000000000000",
			 span_of(data, size));
	(void)!loose_info(fuzz_dir(), &id, &type, &length, &e);
	if (loose_read(fuzz_dir(), &id, OBJECT_MAX, &object, &e) == 0)
		object_fini(&object);
	return 0;
}
