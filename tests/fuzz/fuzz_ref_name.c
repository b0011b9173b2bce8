/* SPDX-License-Identifier: Apache-2.0 */
/* Names of refs: what is accepted is no path to elsewhere. */
#include "fuzz.h"

#include "git/refs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span name = span_of(data, size);
	struct err e;

	if (ref_name_check(name, &e) < 0)
		return 0;
	for (size_t i = 0; i < size; i++) {
		if (data[i] < ' ' || data[i] == 127 ||
		    strchr(" ~^:?*[\\", data[i]))
			abort();
		if (data[i] == '.' &&
		    (i == 0 || data[i - 1] == '/' || data[i - 1] == '.'))
			abort();
	}
	if (!size || data[0] == '/' || data[size - 1] == '/')
		abort();
	return 0;
}
