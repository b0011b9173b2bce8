/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines of serve and check. */
#include "app/serve.h"

#include "app/config.h"
#include "app/server.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "store/state_store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXIT_START     1
#define EXIT_USAGE     2
#define DEFAULT_DATA   "/var/lib/headwater"
#define DEFAULT_CONFIG "/etc/headwater/headwater.conf"
#define CONFIGS_MAX    64

struct flags {
	const char *data;
	const char *configs[CONFIGS_MAX];
	size_t n_configs;
	struct config *config;
};

static void flags_fini(struct flags *f)
{
	config_free(f->config);
}

static int usage(const char *why, const char *what)
{
	fprintf(stderr, "headwaterd: %s%s\nheadwaterd --help says more\n", why,
		what);
	return -1;
}

static int take(struct flags *f, const char *name, const char *value)
{
	struct err e;

	if (!strcmp(name, "data")) {
		f->data = value;
		return 0;
	}
	if (!strcmp(name, "config")) {
		if (f->n_configs == CONFIGS_MAX)
			return usage("too many of --", name);
		f->configs[f->n_configs++] = value;
		return 0;
	}
	if (config_flag(f->config, name, value, &e) < 0)
		return usage(e.message, "");
	return 0;
}

/* "--name value" and "--name=value". */
static int flags_parse(struct flags *f, int argc, char **argv)
{
	f->config = config_new();
	if (!f->config)
		return usage("out of memory", "");
	for (int i = 0; i < argc; i++) {
		char *equals = strchr(argv[i], '=');
		CLEANUP(freep) char *name = NULL;
		const char *value;

		if (strncmp(argv[i], "--", 2))
			return usage("what is ", argv[i]);
		if (!equals && i + 1 == argc)
			return usage("a value is missing after ", argv[i]);
		name = equals ? strndup(argv[i] + 2,
					(size_t)(equals - argv[i] - 2))
			      : strdup(argv[i] + 2);
		value = equals ? equals + 1 : argv[++i];
		if (!name || take(f, name, value) < 0)
			return -1;
	}
	return 0;
}

/* The server's threads must not get what server_run() waits for. */
static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* Until the data directory says that it is a group's. */
	umask(077);
}

int serve_run(int argc, char **argv)
{
	CLEANUP(flags_fini) struct flags f = { .data = DEFAULT_DATA };
	struct server_options options;
	struct server *server;
	struct err e;

	if (flags_parse(&f, argc, argv) < 0)
		return EXIT_USAGE;
	block_signals();
	config_apply_log(f.config);
	options = (struct server_options){
		.config = f.config,
		.data_dir = f.data,
		.configs = f.configs,
		.n_configs = f.n_configs,
		.default_config = DEFAULT_CONFIG,
	};
	server = server_new(&options, &e);
	if (!server) {
		log_error("start.failed", "error", e.message, NULL);
		return EXIT_START;
	}
	server_run(server);
	server_free(server);
	log_info("stopped", NULL);
	return EXIT_SUCCESS;
}

int check_run(int argc, char **argv)
{
	CLEANUP(flags_fini) struct flags f = { .data = DEFAULT_DATA };
	CLEANUP(mistakes_fini) struct mistakes m = MISTAKES_INIT;
	CLEANUP(state_store_freep) struct state_store *states = NULL;
	struct err e = { .code = ERR_OK };
	struct state_options so;

	if (flags_parse(&f, argc, argv) < 0)
		return EXIT_USAGE;
	so = (struct state_options){
		.configs = f.configs,
		.n_configs = f.n_configs,
		.default_config = DEFAULT_CONFIG,
		.hooks = config_hooks(f.config),
	};
	states = state_store_open(&so, &m, &e);
	for (size_t i = 0; i < m.n; i++)
		fprintf(stderr, "%s\n", m.items[i]);
	if (states && !m.n)
		return EXIT_SUCCESS;
	if (!m.n)
		fprintf(stderr, "headwaterd: %s\n", e.message);
	return EXIT_START;
}

int print_config_run(void)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;

	config_print(&text);
	fputs(buf_str(&text), stdout);
	return fflush(stdout) ? EXIT_START : EXIT_SUCCESS;
}
