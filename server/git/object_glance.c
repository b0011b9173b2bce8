/* SPDX-License-Identifier: Apache-2.0 */
/* Two bits for each of the 256 directories of loose objects. */
#include "git/object_glance.h"

#include "base/err.h"
#include "git/loose.h"
#include "git/objects.h"
#include "git/objects_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct loose_dirs {
	bool was_asked[256];
	bool is_there[256];
};

void object_glance_init(struct object_glance *g, const struct objects *o)
{
	*g = (struct object_glance){ .objects = o };
}

void object_glance_fini(struct object_glance *g)
{
	free(g->dirs);
	g->dirs = NULL;
}

/* Can there be loose objects that begin with this byte? */
static bool has_dir(struct loose_dirs *dirs, const char *objects_dir,
		    unsigned char first)
{
	char name[sizeof "00"];
	CLEANUP(freep) char *path = NULL;
	struct stat st;

	if (dirs->was_asked[first])
		return dirs->is_there[first];
	snprintf(name, sizeof name, "%02x", first);
	path = path_join(objects_dir, name);
	/* When in doubt it is there: loose_find() has the words. */
	dirs->is_there[first] = !path || !stat(path, &st) ||
				(errno != ENOENT && errno != ENOTDIR);
	dirs->was_asked[first] = true;
	return dirs->is_there[first];
}

int object_glance(struct object_glance *g, const struct oid *id, struct err *e)
{
	const struct objects *o = g->objects;
	struct object_at at;
	int rc = 0;

	if (objects_find_packed(o, id, 0, &at))
		return 1;
	if (!g->dirs)
		g->dirs = calloc(o->n_sources, sizeof *g->dirs);
	if (!g->dirs)
		return err_nomem(e);
	for (size_t i = 0; !rc && i < o->n_sources; i++) {
		if (has_dir(&g->dirs[i], o->sources[i].dir, id->id[0]))
			rc = loose_find(o->sources[i].dir, id, e);
	}
	return rc;
}
