/* SPDX-License-Identifier: Apache-2.0 */
/* Which refs a configuration hides: git-config(1), transfer.hideRefs. */
#include "git/repo_config.h"

/* A prefix that ends where the name does or where an element does. */
static bool is_prefix(const char *prefix, const char *name)
{
	size_t n = strlen(prefix);

	return !strncmp(name, prefix, n) && (name[n] == '\0' || name[n] == '/');
}

bool ref_is_hidden(const struct config_list *hide, const char *ref_name)
{
	for (size_t i = hide->n; i--;) {
		const char *prefix = hide->items[i];
		bool is_negated = *prefix == '!';

		prefix += is_negated;
		prefix += *prefix == '^';
		if (is_prefix(prefix, ref_name))
			return !is_negated;
	}
	return false;
}
