/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exec request's grammar: a table of services, then one quoted word.
 */
#include "net/ssh_command.h"

#include "base/attr.h"
#include "base/err.h"

static const struct {
	const char *prefix; /* with the space that ends it */
	enum sshd_service service;
} services[] = {
	{ "git-upload-pack ", SSHD_UPLOAD_PACK },
	{ "git upload-pack ", SSHD_UPLOAD_PACK },
	{ "git-receive-pack ", SSHD_RECEIVE_PACK },
	{ "git receive-pack ", SSHD_RECEIVE_PACK },
};

const char *ssh_service_name(enum sshd_service service)
{
	return service == SSHD_RECEIVE_PACK ? "git-receive-pack"
					    : "git-upload-pack";
}

/* Bytes that mean themselves to a shell, outside of quotes. */
static bool is_plain(unsigned char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z'))
		return true;
	return c >= 0x80 || (c && strchr("/._-+~@%:,=", c));
}

static void add(struct ssh_command *out, const void *data, size_t n)
{
	if (n)
		memcpy(out->path + out->path_len, data, n);
	out->path_len += n;
}

/* One piece of the word off the front of `in`: '...', \c or a plain byte. The
 * path is never longer than what it is written with. */
static int unquote_piece(struct span *in, struct ssh_command *out,
			 struct err *e)
{
	struct span piece;
	uint8_t c;

	if (!span_u8(in, &c))
		return 0;
	if (c == '\'') {
		if (!span_until(in, '\'', &piece))
			return err_set(e, ERR_MALFORMED,
				       "a quote of the path is never closed");
		add(out, piece.data, piece.len);
		return 0;
	}
	if (c == '\\') {
		if (!span_u8(in, &c) || c == '\n')
			return err_set(e, ERR_MALFORMED,
				       "the path ends with a backslash");
	} else if (!is_plain(c)) {
		return err_set(e, ERR_MALFORMED,
			       "one path in single quotes was expected, and "
			       "nothing after it");
	}
	add(out, &c, 1);
	return 0;
}

static int parse_path(struct span in, struct ssh_command *out, struct err *e)
{
	while (in.len) {
		if (unquote_piece(&in, out, e))
			return -1;
	}
	if (!out->path_len)
		return err_set(e, ERR_MALFORMED, "the repository has no name");
	if (out->path[0] == '-')
		return err_set(e, ERR_MALFORMED,
			       "options are not taken, only a repository");
	return 0;
}

int ssh_command_parse(struct span command, struct ssh_command *out,
		      struct err *e)
{
	size_t i;

	out->path_len = 0;
	if (command.len > SSH_COMMAND_MAX)
		return err_set(e, ERR_MALFORMED,
			       "the command is longer than %d bytes",
			       SSH_COMMAND_MAX);
	if (command.len && memchr(command.data, 0, command.len))
		return err_set(e, ERR_MALFORMED, "the command holds a NUL");
	for (i = 0; i < ARRAY_SIZE(services); i++) {
		if (!span_skip(&command, services[i].prefix))
			continue;
		out->service = services[i].service;
		if (parse_path(command, out, e))
			return -1;
		out->path[out->path_len] = 0;
		return 0;
	}
	return err_set(e, ERR_MALFORMED,
		       "this server speaks git only: git clone, fetch and push "
		       "work, other commands do not");
}
