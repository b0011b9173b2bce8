/* SPDX-License-Identifier: Apache-2.0 */
/* headwaterd: from argv to an exit status. */
#include "app/serve.h"
#include "app/stdio_service.h"
#include "app/tune_malloc.h"

#include "base/attr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "serve", serve_run },
	{ "check", check_run },
	{ "stdio", stdio_service_run },
};

static int help(void)
{
	puts("usage: headwaterd [serve] [OPTIONS]\n"
	     "       headwaterd check [--config FILE]...\n"
	     "       headwaterd stdio upload-pack|receive-pack [OPTIONS] DIR\n"
	     "       headwaterd --print-config | --version | --help\n"
	     "\n"
	     "  --data DIR         the data directory (/var/lib/headwater)\n"
	     "  --config FILE      declared configuration, or a directory of "
	     "*.conf; repeatable\n"
	     "  --ssh ADDR         SSH door (*:2222)\n"
	     "  --http ADDR        read-only HTTP door (*:8080)\n"
	     "  --https ADDR       the same with TLS (none)\n"
	     "  --probe ADDR       /healthz, /readyz, /metrics (*:9090)\n"
	     "  --admin PATH|none  admin socket (DATA/run/admin.sock)\n"
	     "  --log-format text|json\n"
	     "  --log-level error|warn|info|debug\n"
	     "\n"
	     "ADDR is HOST:PORT, [V6]:PORT, *:PORT or none; port 0 picks a "
	     "free one.\n"
	     "Exit codes: 0 ended as asked, 1 could not start, 2 usage.");
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--help"))
		return help();
	if (argc > 1 && !strcmp(argv[1], "--version")) {
		puts("headwaterd " HEADWATER_VERSION);
		return EXIT_SUCCESS;
	}
	if (argc > 1 && !strcmp(argv[1], "--print-config"))
		return print_config_run();
	if (argc < 2 || argv[1][0] == '-' || !strcmp(argv[1], "serve"))
		tune_malloc(argv);
	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 2, argv + 2);
	return serve_run(argc - 1, argv + 1);
}
