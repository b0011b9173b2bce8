/* SPDX-License-Identifier: Apache-2.0 */
/* packed-refs, and each of its refs looked for. */
#include "fuzz.h"

#include "git/packed_refs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(freep)
	char *path = fuzz_file("packed-refs", span_of(data, size));
	struct packed_text text;
	struct packed_line line, found;
	struct span rest;
	struct err e;

	(void)path;
	if (packed_text_read(fuzz_dir(), OID_SHA1, &text, &e) < 0)
		return 0;
	rest = text.lines;
	while (packed_line_take(&rest, OID_SHA1, &line, &e) > 0) {
		if (packed_text_bound(&text, line.name) > text.lines.len)
			abort();
		(void)!packed_text_find(&text, OID_SHA1, line.name, &found, &e);
	}
	packed_text_fini(&text);
	return 0;
}
