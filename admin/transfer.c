/* SPDX-License-Identifier: Apache-2.0 */
/* Files that go to the server or come from it whole; "-" is a pipe. */
#include "admin/cli.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fetch(struct cli *c, const char *path, const char *file, FILE *out)
{
	CLEANUP(api_answer_fini) struct api_answer a = { .text = BUF_INIT };
	int result = api_call(c,
			      &(struct api_request){ .method = "GET",
						     .path = path,
						     .download = out },
			      &a);

	if (!result && fflush(out))
		result = complain("%s: %s", file, strerror(errno));
	return result;
}

/* Beside it until it is whole: half a file must not lie there as if it were
 * one, and the one that was there stays until then. */
static int fetch_to_file(struct cli *c, const char *path, const char *file)
{
	CLEANUP(fclosep) FILE *out = NULL;
	CLEANUP(freep) char *part = NULL;
	int fd, result;

	if (asprintf(&part, "%s.XXXXXX", file) < 0)
		out_of_memory();
	fd = mkostemp(part, O_CLOEXEC);
	if (fd < 0)
		return complain("%s: %s", file, strerror(errno));
	out = fdopen(fd, "w");
	if (!out) {
		close(fd);
		unlink(part);
		out_of_memory();
	}
	result = fetch(c, path, file, out);
	if (!result && (fsync(fd) < 0 || rename(part, file) < 0))
		result = complain("%s: %s", file, strerror(errno));
	if (result)
		unlink(part);
	return result;
}

/* Pipes and devices take it as it comes, and are never replaced; nor is a link
 * to a file: what it leads to is. */
int transfer_get(struct cli *c, const char *path, const char *file)
{
	CLEANUP(fclosep) FILE *out = NULL;
	CLEANUP(freep) char *real = NULL;
	struct stat st;

	if (!strcmp(file, "-"))
		return fetch(c, path, "standard output", stdout);
	if (stat(file, &st) < 0)
		return fetch_to_file(c, path, file);
	if (S_ISREG(st.st_mode)) {
		real = realpath(file, NULL);
		return real ? fetch_to_file(c, path, real)
			    : complain("%s: %s", file, strerror(errno));
	}
	out = fopen(file, "we");
	if (!out)
		return complain("%s: %s", file, strerror(errno));
	return fetch(c, path, file, out);
}

int transfer_put(struct cli *c, const char *path, const char *file,
		 struct api_answer *answer_out)
{
	CLEANUP(fclosep) FILE *opened = NULL;
	FILE *in = stdin;

	*answer_out = (struct api_answer){ .text = BUF_INIT };
	if (strcmp(file, "-")) {
		in = opened = fopen(file, "re");
		if (!opened)
			return complain("%s: %s", file, strerror(errno));
	}
	return api_call(c,
			&(struct api_request){
				.method = "PUT", .path = path, .upload = in },
			answer_out);
}
