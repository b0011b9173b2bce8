/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An array of at most PENDING_MAX under one lock; everything is a walk over it.
 */
#include "store/pending_keys.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/files.h"
#include "store/state.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Every line at its longest, twice over. */
#define FILE_MAX_BYTES ((size_t)2 << 20)
#define DAY_SECONDS    86400

#define NETWORK_SIZE 16

struct entry {
	struct pending_key k;
	unsigned char network[NETWORK_SIZE];
};

struct pending_keys {
	char *path;
	mode_t mode;

	/* under lock */
	pthread_mutex_t lock;
	struct entry keys[PENDING_MAX];
	size_t n;
	bool is_changed;
	int64_t saved_ms; /* 0: never */
	struct file_sig written;
};

/* -- addresses ------------------------------------------------------------ */

/* "192.0.2.1" of "192.0.2.1:50000", "fd00::1" of "[fd00::1]:50000". */
static void address_of(const char *peer, char *out, size_t size)
{
	const char *end = strrchr(peer, ':');
	size_t n = end ? (size_t)(end - peer) : strlen(peer);

	if (n > 1 && peer[0] == '[' && peer[n - 1] == ']') {
		peer++;
		n -= 2;
	}
	snprintf(out, size, "%.*s", (int)(n < size ? n : size - 1), peer);
}

/* Whoever has one address of an IPv6 /64 has all of them. */
static void network_of(const char *address, unsigned char out[NETWORK_SIZE])
{
	memset(out, 0, NETWORK_SIZE);
	if (inet_pton(AF_INET6, address, out) == 1)
		memset(out + 8, 0, NETWORK_SIZE - 8);
	else if (inet_pton(AF_INET, address, out) != 1)
		memcpy(out, address, strnlen(address, NETWORK_SIZE));
}

static bool same_network(const struct entry *a, const unsigned char *network)
{
	return !memcmp(a->network, network, NETWORK_SIZE);
}

/* -- the list, with the lock held ----------------------------------------- */

static void drop(struct pending_keys *p, size_t i)
{
	public_key_fini(&p->keys[i].k.key);
	p->keys[i] = p->keys[--p->n];
}

static size_t count_of(const struct pending_keys *p,
		       const unsigned char *network)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += same_network(&p->keys[i], network);
	return n;
}

static bool goes_before(const struct entry *a, const struct entry *b)
{
	return a->k.count != b->k.count ? a->k.count < b->k.count
					: a->k.last < b->k.last;
}

/* Of a network, the key that knocked least and longest ago. */
static void drop_of(struct pending_keys *p, const unsigned char *network)
{
	size_t first = p->n;

	for (size_t i = 0; i < p->n; i++)
		if (same_network(&p->keys[i], network) &&
		    (first == p->n ||
		     goes_before(&p->keys[i], &p->keys[first])))
			first = i;
	if (first < p->n)
		drop(p, first);
}

/* An entry of the network that has most; of equals, the one whose key goes
 * first. */
static size_t greediest(const struct pending_keys *p)
{
	size_t most = 0, found = 0;

	for (size_t i = 0; i < p->n; i++) {
		size_t n = count_of(p, p->keys[i].network);

		if (n < most ||
		    (n == most && !goes_before(&p->keys[i], &p->keys[found])))
			continue;
		most = n;
		found = i;
	}
	return found;
}

static void make_room(struct pending_keys *p, const unsigned char *network)
{
	unsigned char chosen[NETWORK_SIZE];

	if (count_of(p, network) >= PENDING_ADDRESS_MAX) {
		drop_of(p, network);
		return;
	}
	if (p->n < PENDING_MAX)
		return;
	memcpy(chosen, p->keys[greediest(p)].network, sizeof chosen);
	drop_of(p, chosen);
}

static struct entry *find(struct pending_keys *p, const struct public_key *key)
{
	for (size_t i = 0; i < p->n; i++)
		if (public_key_eq(&p->keys[i].k.key, key))
			return &p->keys[i];
	return NULL;
}

static int copy_key(const struct public_key *key, struct public_key *out)
{
	struct err ignored;

	return public_key_from_blob(span_of(key->blob, key->blob_len), out,
				    &ignored);
}

/* `k` says more of the one that is there. */
static void add_to(struct entry *there, const struct pending_key *k)
{
	there->k.count += k->count;
	if (k->first < there->k.first)
		there->k.first = k->first;
	if (k->last < there->k.last)
		return;
	there->k.last = k->last;
	memcpy(there->k.address, k->address, sizeof there->k.address);
	network_of(k->address, there->network);
}

static void add(struct pending_keys *p, const struct pending_key *k)
{
	struct entry *there = find(p, &k->key);
	struct entry new = { .k = *k };

	if (there) {
		add_to(there, k);
		return;
	}
	if (copy_key(&k->key, &new.k.key) < 0)
		return;
	network_of(k->address, new.network);
	make_room(p, new.network);
	p->keys[p->n++] = new;
}

static void drop_known(struct pending_keys *p, const struct state *s)
{
	int64_t oldest = clock_unix() - (int64_t)PENDING_DAYS * DAY_SECONDS;

	for (size_t i = p->n; i--;) {
		const struct pending_key *k = &p->keys[i].k;

		if (k->last >= oldest &&
		    !state_key_by_blob(s,
				       span_of(k->key.blob, k->key.blob_len)))
			continue;
		drop(p, i);
		p->is_changed = true;
	}
}

/* -- the file ------------------------------------------------------------- */

static bool take_number(struct span *line, uint64_t *out)
{
	struct span word;

	*out = 0;
	if (!span_until(line, ' ', &word) || !word.len || word.len > 18)
		return false;
	for (size_t i = 0; i < word.len; i++) {
		if (word.data[i] < '0' || word.data[i] > '9')
			return false;
		*out = *out * 10 + (word.data[i] - '0');
	}
	return true;
}

static bool parse_line(struct span line, struct pending_key *out)
{
	uint64_t first, last;
	struct span address;
	struct err ignored;

	if (!take_number(&line, &first) || !take_number(&line, &last) ||
	    !take_number(&line, &out->count) ||
	    !span_until(&line, ' ', &address) || !address.len ||
	    address.len >= sizeof out->address)
		return false;
	for (size_t i = 0; i < address.len; i++)
		if (address.data[i] <= ' ' || address.data[i] >= 0x7f)
			return false;
	out->first = (int64_t)first;
	out->last = (int64_t)last;
	snprintf(out->address, sizeof out->address, "%.*s", (int)address.len,
		 (const char *)address.data);
	return public_key_parse(line, &out->key, &ignored) == 0;
}

/* What the file has and the list has not. */
static void merge_file(struct pending_keys *p)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	struct span rest, line;
	struct err ignored;

	if (file_read(p->path, FILE_MAX_BYTES, &text, &ignored) < 0)
		return;
	rest = buf_span(&text);
	while (span_word(&rest, '\n', &line)) {
		struct pending_key k = { 0 };

		if (!parse_line(line, &k))
			continue;
		if (!find(p, &k.key))
			add(p, &k);
		public_key_fini(&k.key);
	}
}

static void print(const struct pending_keys *p, struct buf *out)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct pending_key *k = &p->keys[i].k;
		CLEANUP(freep) char *text = public_key_text(&k->key);

		if (text)
			buf_addf(out,
				 "%" PRId64 " %" PRId64 " %" PRIu64 " %s %s\n",
				 k->first, k->last, k->count, k->address, text);
	}
}

/* Somebody else wrote it since we did. */
static bool is_foreign(const struct pending_keys *p)
{
	struct file_sig sig;
	struct err ignored;

	return file_sig_take(p->path, true, &sig, &ignored) == 0 &&
	       sig.size >= 0 && !file_sig_eq(&sig, &p->written);
}

/* -- outside -------------------------------------------------------------- */

struct pending_keys *pending_keys_new(const char *data_dir, struct err *e)
{
	struct pending_keys *p = calloc(1, sizeof *p);

	if (!p || !(p->path = path_join(data_dir, "pending-keys"))) {
		free(p);
		err_nomem(e);
		return NULL;
	}
	pthread_mutex_init(&p->lock, NULL);
	p->mode = file_mode_in(data_dir);
	merge_file(p);
	return p;
}

struct pending_keys *pending_keys_free(struct pending_keys *p)
{
	if (!p)
		return NULL;
	while (p->n)
		drop(p, p->n - 1);
	pthread_mutex_destroy(&p->lock);
	free(p->path);
	free(p);
	return NULL;
}

void pending_keys_note(struct pending_keys *p, const struct public_key *keys,
		       size_t n, const char *peer)
{
	struct pending_key k = { .count = 1 };

	if (!n)
		return;
	address_of(peer, k.address, sizeof k.address);
	k.first = k.last = clock_unix();
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < n; i++) {
		k.key = keys[i];
		add(p, &k);
	}
	p->is_changed = true;
	pthread_mutex_unlock(&p->lock);
}

int pending_keys_save(struct pending_keys *p, const struct state *s, bool now,
		      struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	struct err ignored;
	int result = 0;

	pthread_mutex_lock(&p->lock);
	if (p->is_changed && (now || !p->saved_ms ||
			      clock_ms() - p->saved_ms >= PENDING_SAVE_MS)) {
		p->saved_ms = clock_ms();
		if (is_foreign(p))
			merge_file(p);
		drop_known(p, s);
		print(p, &text);
		result = file_replace(p->path, text.data, text.len, p->mode, e);
		p->is_changed = result < 0;
		if (!result &&
		    file_sig_take(p->path, true, &p->written, &ignored) < 0)
			p->written = (struct file_sig){ 0 };
	}
	pthread_mutex_unlock(&p->lock);
	return result;
}

static int last_first(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->k.last < y->k.last) - (x->k.last > y->k.last);
}

size_t pending_keys_list(struct pending_keys *p, const struct state *s,
			 void (*each)(void *arg, const struct pending_key *k),
			 void *arg)
{
	size_t n;

	pthread_mutex_lock(&p->lock);
	drop_known(p, s);
	if (p->n)
		qsort(p->keys, p->n, sizeof p->keys[0], last_first);
	n = p->n;
	for (size_t i = 0; each && i < n; i++)
		each(arg, &p->keys[i].k);
	pthread_mutex_unlock(&p->lock);
	return n;
}
