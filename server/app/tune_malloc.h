/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocator's settings for a process with a thread for each connection.
 *
 * Executes the program anew with GLIBC_TUNABLES set, unless it is; returns
 * where it is, or where that fails. To be called before anything else.
 */
#pragma once

void tune_malloc(char **argv);
