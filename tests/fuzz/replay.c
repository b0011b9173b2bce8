/* SPDX-License-Identifier: Apache-2.0 */
/* Gives a fuzz target every file of a directory, without a fuzzer. */
#include "fuzz.h"

#include "base/buf.h"

#include <stdio.h>

#define INPUT_MAX ((size_t)1 << 20)

static int replay(const char *path)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	struct err e;

	if (file_read(path, INPUT_MAX, &b, &e) < 0) {
		fprintf(stderr, "%s\n", e.message);
		return -1;
	}
	LLVMFuzzerTestOneInput((const uint8_t *)buf_str(&b), b.len);
	return 0;
}

int main(int argc, char **argv)
{
	CLEANUP(closedirp) DIR *list = argc == 2 ? opendir(argv[1]) : NULL;
	struct dirent *entry;
	int n = 0;

	if (!list) {
		fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
		return 2;
	}
	while ((entry = readdir(list))) {
		CLEANUP(freep) char *path = path_join(argv[1], entry->d_name);

		if (entry->d_name[0] == '.')
			continue;
		if (!path || replay(path) < 0)
			return 1;
		n++;
	}
	printf("%d inputs\n", n);
	return n ? 0 : 1;
}
