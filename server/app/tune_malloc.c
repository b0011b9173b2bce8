/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glibc keeps freed blocks of up to 1 KB for each thread that freed them. A
 * handshake leaves 10 KB of them to a thread that then waits for a client, and
 * nobody else can have them. Blocks of up to TCACHE_MAX are what makes the
 * cache fast; a cache of these alone costs no CPU that could be measured.
 *
 * The setting has no call, only a variable that the dynamic linker reads:
 * hence once more through exec.
 */
#include "app/tune_malloc.h"

#include <stdlib.h>
#include <unistd.h>

#define VARIABLE   "GLIBC_TUNABLES"
#define TCACHE_MAX "128"

void tune_malloc(char **argv)
{
	/* The operator's, or ours: this is the second time. */
	if (getenv(VARIABLE))
		return;
	if (setenv(VARIABLE, "glibc.malloc.tcache_max=" TCACHE_MAX, 1) < 0)
		return;
	execv("/proc/self/exe", argv);
	/* Without /proc it costs memory, no more. */
	unsetenv(VARIABLE);
}
