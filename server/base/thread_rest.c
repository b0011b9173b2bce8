/* SPDX-License-Identifier: Apache-2.0 */
/* What a thread gives back before it waits for long. */
#include "base/workers.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* The stack below this frame: a handshake's arithmetic and a command's work
 * dirty 20 KB more of it than a wait needs. */
void thread_rest_stack(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	pthread_attr_t attr;
	void *bottom;
	size_t size;

	if (pthread_getattr_np(pthread_self(), &attr))
		return;
	/* One page stays, for this frame and the call below it. */
	here = (here & ~(page - 1)) - page;
	if (!pthread_attr_getstack(&attr, &bottom, &size) &&
	    here > (uintptr_t)bottom)
		(void)madvise(bottom, here - (uintptr_t)bottom, MADV_DONTNEED);
	pthread_attr_destroy(&attr);
}

void thread_rest(void)
{
	/* Two generators of random numbers, 7 KB: made and seeded anew in some
	 * ten microseconds. */
	OPENSSL_thread_stop();
	thread_rest_stack();
}
