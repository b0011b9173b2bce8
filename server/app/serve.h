/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `headwaterd serve` and `headwaterd check`: command lines to a running server
 * or a list of mistakes.
 */
#pragma once

/* Without the verb. The exit status: 0, 1 could not start, 2 usage. */
int serve_run(int argc, char **argv);
int check_run(int argc, char **argv);
int print_config_run(void);
