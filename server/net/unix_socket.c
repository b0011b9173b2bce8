/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of the file system. */
#include "net/unix_socket.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int make_address(const char *path, struct sockaddr_un *out,
			struct err *e)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!*path || strlen(path) >= sizeof out->sun_path)
		return err_set(e, ERR_MALFORMED,
			       "the socket's path must have 1 to %zu bytes: "
			       "choose a shorter one",
			       sizeof out->sun_path - 1);
	strcpy(out->sun_path, path);
	return 0;
}

/* Make way for a new socket. */
static int remove_stale(const struct sockaddr_un *sa, struct err *e)
{
	CLEANUP(closep) int fd = -1;
	struct stat st;

	if (lstat(sa->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : err_errno(e, "%s", sa->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_CONFLICT,
			       "%.100s is there and is no socket",
			       sa->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(e, "making a socket");
	/* Refused means that nobody listens; a full backlog is an answer. */
	if (!connect(fd, (const struct sockaddr *)sa, sizeof *sa) ||
	    errno != ECONNREFUSED)
		return err_set(e, ERR_CONFLICT,
			       "another process listens at %.100s: "
			       "give one of them another path",
			       sa->sun_path);
	if (unlink(sa->sun_path) < 0 && errno != ENOENT)
		return err_errno(e, "removing %s", sa->sun_path);
	return 0;
}

int unix_socket_listen(const char *path, int backlog, struct err *e)
{
	CLEANUP(closep) int fd = -1;
	struct sockaddr_un sa;

	if (make_address(path, &sa, e) < 0 || remove_stale(&sa, e) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(e, "making a socket");
	/* Before bind(2) it is what the file's mode is made of, so that there
	 * is no moment at which others could connect. */
	if (fchmod(fd, 0600) < 0 ||
	    bind(fd, (const struct sockaddr *)&sa, sizeof sa) < 0 ||
	    chmod(path, 0600) < 0 || listen(fd, backlog) < 0)
		return err_errno(e, "listening at %s", path);
	return take_fd(&fd);
}

bool unix_socket_is_trusted(int fd)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	return peer.uid == 0 || peer.uid == geteuid();
}
