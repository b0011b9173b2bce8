/* SPDX-License-Identifier: Apache-2.0 */
/* A bitmap that grows by doubling, so that adding in any order is linear. */
#include "git/graph.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

#define WORD_BITS 64
#define WORDS_MIN 16

static bool set_grow(struct commit_set *s, size_t word)
{
	size_t n = s->n_words ? s->n_words : WORDS_MIN;
	uint64_t *words;

	while (n <= word)
		n *= 2;
	words = reallocarray(s->words, n, sizeof *words);
	if (!words)
		return false;
	memset(words + s->n_words, 0, (n - s->n_words) * sizeof *words);
	s->words = words;
	s->n_words = n;
	return true;
}

int commit_set_add(struct commit_set *s, uint32_t n, struct err *e)
{
	size_t word = n / WORD_BITS;

	if (word >= s->n_words && !set_grow(s, word))
		return err_nomem(e);
	s->words[word] |= UINT64_C(1) << n % WORD_BITS;
	return 0;
}

bool commit_set_has(const struct commit_set *s, uint32_t n)
{
	size_t word = n / WORD_BITS;

	return word < s->n_words && (s->words[word] >> n % WORD_BITS & 1);
}

void commit_set_remove(struct commit_set *s, uint32_t n)
{
	size_t word = n / WORD_BITS;

	if (word < s->n_words)
		s->words[word] &= ~(UINT64_C(1) << n % WORD_BITS);
}

void commit_set_fini(struct commit_set *s)
{
	free(s->words);
	*s = (struct commit_set){ NULL, 0 };
}
