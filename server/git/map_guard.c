/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handler must know which mapping an address belongs to, without a lock.
 * Mappings are listed in slots, in blocks that are never freed. A slot is in
 * use while `end` is not 0. `end` is cleared before `start` changes and set
 * after, so a reader that finds the same `end` before and after reading `start`
 * has a pair that belonged together; and the slot of a faulting address cannot
 * change, because the faulting thread holds the mapping.
 */
#include "git/map_guard.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct map_slot {
	_Atomic uintptr_t start;
	_Atomic uintptr_t end;
	atomic_bool is_damaged;
};

#define SLOTS_PER_BLOCK 256

struct slot_block {
	struct map_slot slots[SLOTS_PER_BLOCK];
	_Atomic(struct slot_block *) next;
};

static struct slot_block first_block;
static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction previous_action;
static uintptr_t page_size;

static struct map_slot *slot_of(uintptr_t address)
{
	struct slot_block *b = &first_block;
	uintptr_t start, end;

	for (; b; b = atomic_load(&b->next)) {
		for (size_t i = 0; i < SLOTS_PER_BLOCK; i++) {
			end = atomic_load(&b->slots[i].end);
			start = atomic_load(&b->slots[i].start);
			if (address >= start && address < end &&
			    atomic_load(&b->slots[i].end) == end)
				return &b->slots[i];
		}
	}
	return NULL;
}

/* A missing page of ours becomes zeroes. False where it is not ours. */
static bool mend(const siginfo_t *info)
{
	union {
		uintptr_t number;
		void *pointer;
	} page = { .pointer = info->si_addr };
	struct map_slot *slot;

	if (info->si_code != BUS_ADRERR)
		return false;
	slot = slot_of(page.number);
	if (!slot)
		return false;
	atomic_store(&slot->is_damaged, true);
	page.number &= ~(page_size - 1);
	return mmap(page.pointer, page_size, PROT_READ,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		    0) != MAP_FAILED;
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
	int saved = errno;

	if (mend(info)) {
		errno = saved;
		return;
	}
	if (previous_action.sa_flags & SA_SIGINFO) {
		previous_action.sa_sigaction(number, info, context);
	} else if (previous_action.sa_handler != SIG_DFL &&
		   previous_action.sa_handler != SIG_IGN) {
		previous_action.sa_handler(number);
	} else {
		/* The access is tried again on return, and ends us. */
		signal(number, SIG_DFL);
	}
	errno = saved;
}

/* Each time: whoever else took the signal meanwhile comes after us. Lock
 * held. */
static void install(void)
{
	struct sigaction now, action = {
		.sa_sigaction = on_bus_error,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART,
	};

	sigaction(SIGBUS, NULL, &now);
	if (now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_bus_error)
		return;
	page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
	previous_action = now;
	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
}

/* A free slot in the blocks there are, or in a new one. Lock held. */
static struct map_slot *slot_find_free(void)
{
	struct slot_block *b = &first_block, *next;

	for (;;) {
		for (size_t i = 0; i < SLOTS_PER_BLOCK; i++) {
			if (!atomic_load(&b->slots[i].end))
				return &b->slots[i];
		}
		next = atomic_load(&b->next);
		if (!next) {
			next = calloc(1, sizeof *next);
			if (!next)
				return NULL;
			atomic_store(&b->next, next);
		}
		b = next;
	}
}

static struct map_slot *slot_take(const void *data, size_t len)
{
	struct map_slot *slot;

	pthread_mutex_lock(&slots_lock);
	install();
	slot = slot_find_free();
	if (slot) {
		atomic_store(&slot->is_damaged, false);
		atomic_store(&slot->start, (uintptr_t)data);
		atomic_store(&slot->end, (uintptr_t)data + len);
	}
	pthread_mutex_unlock(&slots_lock);
	return slot;
}

static int open_for_map(const char *path, struct stat *st, struct err *e)
{
	CLEANUP(closep) int fd = -1;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_errno(e, "opening %s", path);
	if (fstat(fd, st) < 0)
		return err_errno(e, "looking at %s", path);
	if (!S_ISREG(st->st_mode))
		return err_set(e, ERR_CORRUPT, "%s is not a regular file",
			       path);
	return take_fd(&fd);
}

int guarded_map_open(const char *path, struct guarded_map *out, struct err *e)
{
	CLEANUP(closep) int fd = -1;
	struct stat st;
	void *data;

	*out = (struct guarded_map){ 0 };
	fd = open_for_map(path, &st, e);
	if (fd < 0)
		return -1;
	if (st.st_size) {
		data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE,
			    fd, 0);
		if (data == MAP_FAILED)
			return err_errno(e, "mapping %s", path);
		out->slot = slot_take(data, (size_t)st.st_size);
		if (!out->slot) {
			munmap(data, (size_t)st.st_size);
			return err_nomem(e);
		}
		out->data = data;
	}
	out->len = (size_t)st.st_size;
	out->dev = st.st_dev;
	out->ino = st.st_ino;
	return 0;
}

void guarded_map_close(struct guarded_map *m)
{
	union {
		const unsigned char *in;
		void *out;
	} data = { m->data };

	if (m->data) {
		/* First: the addresses may be another's the moment after. */
		atomic_store(&m->slot->end, 0);
		munmap(data.out, m->len);
	}
	*m = (struct guarded_map){ 0 };
}

bool guarded_map_is_damaged(const struct guarded_map *m)
{
	return m->slot && atomic_load(&m->slot->is_damaged);
}

bool guarded_map_is_replaced(const struct guarded_map *m, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	return st.st_dev != m->dev || st.st_ino != m->ino ||
	       (uint64_t)st.st_size != m->len;
}
