/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `headwaterd stdio upload-pack|receive-pack [OPTIONS] DIR`: the engine over
 * standard input and output, in place of git-upload-pack and git-receive-pack.
 * Behaves as stock git does: its defaults, its words, the repository's own
 * configuration and GIT_CONFIG_COUNT.
 */
#pragma once

/* `argv[0]` is the service. The exit status: 0, 128 as git's die(), 2 usage. */
int stdio_service_run(int argc, char **argv);
