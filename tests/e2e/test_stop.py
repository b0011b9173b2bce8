# SPDX-License-Identifier: Apache-2.0
"""SIGTERM while clients are at work, and while they are not."""

import hashlib
import os
import signal
import socket
import time

import pytest

from conftest import public
from crowd import dial, gather
from daemon import Git, PATIENCE, wait_for
from wire import (ZERO, execute, exit_code, hear, login, pack, pkt, read_list,
                  receive, small_commit)

# Beyond this an idle client has delayed the end.
AT_ONCE = PATIENCE / 2


@pytest.fixture
def large(make_daemon, tmp_path, keys):
    """A repository that fills every buffer between it and a client."""
    config = tmp_path / "large.conf"
    config.write_text('[repo "large"]\n\tpublic = true\n'
                      f'[key "k"]\n\tfile = {public(keys("k"))}\n'
                      '\twrite = **\n')
    daemon = make_daemon(config=config)
    git = Git(tmp_path / "git", daemon, keys("k"))
    work = git.init()
    git("config", "core.compression", 0, cwd=work)
    tip = git.commit(work, content=os.urandom(16 << 20))
    git("push", "-q", daemon.ssh_url("large"), "main", cwd=work)
    return daemon, tip


def terminate(daemon):
    """Ask it to stop; when it has begun to."""
    daemon.process.send_signal(signal.SIGTERM)
    daemon.wait_log("event=stopping")
    for door in ("ssh", "http", "probe"):
        wait_for(lambda: is_refused(daemon.port(door)), "closed doors")


def is_refused(port):
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as c:
            return not c.recv(1)  # it waited in the queue of a closed door
    except OSError:
        return True


def is_whole(data):
    """Whether a pack is followed by the digest of what it holds."""
    at = data.index(b"PACK")
    return hashlib.sha1(data[at:-20]).digest() == data[-20:]


def clone_over_ssh(daemon, key, tip):
    channel = execute(login(daemon, key), "git-upload-pack 'large'")
    read_list(channel)
    channel.sendall(pkt(f"want {tip}\n") + b"0000" + pkt("done\n"))
    return channel


def clone_over_http(daemon, tip):
    body = pkt(f"want {tip}\n") + b"0000" + pkt("done\n")
    connection = dial(daemon.http_port)
    connection.sendall(
        b"POST /large/git-upload-pack HTTP/1.0\r\nHost: x\r\n"
        b"Content-Type: application/x-git-upload-pack-request\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body) + body)
    return connection


def test_finishes_what_is_under_way(large, keys):
    daemon, tip = large
    clone = clone_over_ssh(daemon, keys("k"), tip)
    web = clone_over_http(daemon, tip)
    one, objects = small_commit()
    data = pack(*objects)
    push = execute(login(daemon, keys("k")), "git-receive-pack 'large'")
    read_list(push)
    push.sendall(pkt(f"{ZERO} {one} refs/heads/late\0report-status") +
                 b"0000" + data[:50])
    assert receive(clone, 4) and web.recv(4)
    wait_for(lambda: list(daemon.repo_dir("large").glob(
        "objects/*incoming*")), "the push to begin")
    terminate(daemon)
    push.sendall(data[50:])
    push.shutdown_write()
    assert b"ok refs/heads/late\n" in hear(push)
    assert exit_code(push) == 0
    assert is_whole(hear(clone)) and exit_code(clone) == 0
    answer = b""
    while part := web.recv(1 << 20):
        answer += part
    assert is_whole(answer)
    assert daemon.process.wait(PATIENCE) == 0
    daemon.start()
    assert daemon.fsck("large") == ""
    assert (daemon.repo_dir("large") / "refs/heads/late").read_text() == \
        one + "\n"


def test_is_not_delayed_by_who_does_nothing(large, keys):
    daemon, _ = large
    idle = login(daemon, keys("k"))
    opened = idle.open_session(timeout=PATIENCE)
    crowd = gather(daemon.ssh_port, 2, b"", b"SSH-2.0-x\r\n")
    crowd += gather(daemon.http_port, 3, b"", b"GET /", (
        b"POST /large/git-upload-pack HTTP/1.1\r\nHost: x\r\n"
        b"Content-Length: 9\r\n"
        b"Content-Type: application/x-git-upload-pack-request\r\n\r\n0"))
    begun = time.monotonic()
    terminate(daemon)
    assert daemon.process.wait(PATIENCE) == 0
    assert time.monotonic() - begun < AT_ONCE
    assert opened.closed or not idle.is_active()
    for connection in crowd:
        connection.close()


def test_leaves_clients_that_never_read_behind(large, keys, tmp_path):
    daemon, tip = large
    config = tmp_path / "large.conf"
    config.write_text(config.read_text() + "[server]\n\tdrain-timeout = 1s\n")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_log("event=config.taken")
    clone = clone_over_ssh(daemon, keys("k"), tip)
    web = clone_over_http(daemon, tip)
    assert receive(clone, 4) and web.recv(4)
    begun = time.monotonic()
    terminate(daemon)
    assert daemon.process.wait(PATIENCE) == 0
    assert time.monotonic() - begun < AT_ONCE
    web.close()


@pytest.mark.parametrize("given", [None, "glibc.malloc.check=0"])
def test_sets_the_allocator_unless_the_operator_did(make_daemon, monkeypatch,
                                                    given):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    daemon = make_daemon(env={"GLIBC_TUNABLES": given} if given else None)
    with open(f"/proc/{daemon.process.pid}/environ", "rb") as environ:
        variables = environ.read().decode().split("\0")
    expected = given or "glibc.malloc.tcache_max=128"
    assert f"GLIBC_TUNABLES={expected}" in variables
