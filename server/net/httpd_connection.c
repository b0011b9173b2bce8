/* SPDX-License-Identifier: Apache-2.0 */
/* A connection comes under watch when the library takes it, and leaves before
 * its socket is closed. */
#include "net/httpd_exchange.h"

#include "net/http_watch.h"

#include <stdio.h>
#include <sys/socket.h>

static void peer_text(int fd, char out[ADDRESS_TEXT_SIZE])
{
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof sa;

	getpeername(fd, (struct sockaddr *)&sa, &len);
	if (sa.ss_family != AF_UNIX) {
		address_text(&sa, out);
		return;
	}
	len = sizeof peer;
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	snprintf(out, ADDRESS_TEXT_SIZE, "unix:%u", (unsigned)peer.uid);
}

void exchange_connection(void *arg, struct MHD_Connection *connection,
			 void **context,
			 enum MHD_ConnectionNotificationCode code)
{
	struct httpd_door *door = arg;
	const union MHD_ConnectionInfo *info;
	char peer[ADDRESS_TEXT_SIZE];

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (*context)
			http_watch_remove(*context);
		*context = NULL;
		return;
	}
	info = MHD_get_connection_info(connection,
				       MHD_CONNECTION_INFO_CONNECTION_FD);
	peer_text(info->connect_fd, peer);
	*context = http_watch_add(door->watch, info->connect_fd, peer);
}
