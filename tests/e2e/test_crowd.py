# SPDX-License-Identifier: Apache-2.0
"""Clients that idle, drip, or never read, beside one that works."""

import os
import signal
import subprocess
import time

import pytest

from conftest import public
from crowd import (IDENTIFICATION, dial, disperse, gather, is_sanitized,
                   kexinit, need_files, ssh_packet)
from daemon import Git, PATIENCE, wait_for
from test_http_hostile import post
from test_http_tls import make_certificate
from wire import execute, login, pkt, receive

CROWD = 250 if is_sanitized() else 1000
LOGGED_IN = 60 if is_sanitized() else 200
# Beside the threads, stacks and buffers of the daemon's own connections.
MEMORY_KB_EACH = 64
# Limits that are to pass while a test waits; long enough for a login.
SHORT_S = 6 if is_sanitized() else 1
IDLE_S = 20 if is_sanitized() else 6
SERVED_WITHIN = PATIENCE / 3 if is_sanitized() else 2


def configured(make_daemon, tmp_path, keys, limits, **settings):
    """A daemon with short limits, a public repository, and git of its key."""
    config = tmp_path / "short.conf"
    config.write_text(
        "[limits]\n" + "".join(f"\t{k} = {v}\n" for k, v in limits.items()) +
        settings.pop("more", "") + '[repo "open"]\n\tpublic = true\n'
        f'[key "k"]\n\tfile = {public(keys("k"))}\n\twrite = **\n')
    daemon = make_daemon(config=config, **settings)
    return daemon, Git(tmp_path / "git", daemon, keys("k"))


def sessions(daemon):
    return daemon.metric("headwater_ssh_open_sessions")


def timed(git, url, **how):
    """Seconds of a listing."""
    begun = time.monotonic()
    git("ls-remote", url, **how)
    return time.monotonic() - begun


def test_serves_beside_a_thousand_idle_connections(make_daemon, tmp_path,
                                                   keys):
    need_files(4 * CROWD + 500)
    crt, key = make_certificate(tmp_path, "door")
    daemon, git = configured(
        make_daemon, tmp_path, keys,
        {"login-timeout": f"{IDLE_S}s", "http-head-timeout": f"{IDLE_S}s",
         "http-request-timeout": f"{IDLE_S}s"},
        more=f"[server]\n\ttls-cert = {crt}\n\ttls-key = {key}\n",
        options=["--https=127.0.0.1:0"])
    doors = [(daemon.ssh_url("open"), {}), (daemon.http_url("open"), {}),
             (f"https://127.0.0.1:{daemon.port('https')}/open",
              {"env": {"GIT_SSL_CAINFO": str(crt)}})]
    alone = [timed(git, url, **how) for url, how in doors]
    before = daemon.memory_kb()
    descriptors, threads = daemon.descriptors(), daemon.threads()
    crowd = gather(daemon.ssh_port, CROWD, b"", IDENTIFICATION, b"SSH-",
                   IDENTIFICATION + kexinit(), IDENTIFICATION + b"\0\0\1")
    for connection in crowd:
        assert connection.recv(7) == b"SSH-2.0"  # nobody is left in silence
    crowd += gather(daemon.http_port, CROWD, b"", b"GET /open/info",
                    b"POST /open/git-upload-pack HTTP/1.1\r\nHost: x\r\n"
                    b"Content-Length: 9\r\n\r\n")
    crowd += gather(daemon.port("https"), CROWD, b"", b"\x16\x03\x01\x02\0")
    for (url, how), before_crowd in zip(doors, alone):
        assert timed(git, url, **how) < before_crowd + SERVED_WITHIN, url
    assert sessions(daemon) >= CROWD * 0.9
    if not is_sanitized():
        assert daemon.memory_kb() - before < 3 * CROWD * MEMORY_KB_EACH
    wait_for(lambda: daemon.descriptors() <= descriptors, "their end")
    wait_for(lambda: daemon.threads() <= threads, "their threads' end")
    disperse(crowd)


def test_serves_beside_idle_sessions(make_daemon, tmp_path, keys):
    daemon, git = configured(make_daemon, tmp_path, keys, {})
    alone = timed(git, daemon.ssh_url("open"))
    before = daemon.memory_kb()
    crowd = [login(daemon, keys("k")) for _ in range(LOGGED_IN)]
    assert sessions(daemon) >= LOGGED_IN
    assert timed(git, daemon.ssh_url("open")) < alone + SERVED_WITHIN
    if not is_sanitized():
        assert daemon.memory_kb() - before < LOGGED_IN * 2 * MEMORY_KB_EACH
    for transport in crowd:
        transport.close()
    wait_for(lambda: not sessions(daemon), "their end")


def test_makes_room_for_who_comes_last(make_daemon, tmp_path, keys):
    daemon, git = configured(make_daemon, tmp_path, keys,
                             {"unauthenticated": 20, "sessions": 40})
    crowd = gather(daemon.ssh_port, 300, b"", IDENTIFICATION)
    git("ls-remote", daemon.ssh_url("open"))
    # The oldest went, not the newest.
    assert crowd[-1].recv(7) == b"SSH-2.0"
    disperse(crowd)


def test_heeds_limits_that_change(make_daemon, tmp_path, keys):
    daemon, _ = configured(make_daemon, tmp_path, keys, {})
    config = tmp_path / "short.conf"
    config.write_text(config.read_text().replace(
        "[limits]", "[limits]\n\tlogin-timeout = 1s\n\tfetch-wants = 1"))
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_log("event=config.taken")
    with dial(daemon.ssh_port) as connection:
        while connection.recv(65536):
            pass
    answer = post(daemon.http_port, "/open/git-upload-pack",
                  2 * pkt("shallow " + "1" * 40 + "\n"))
    assert b"1 shallow lines" in answer, answer


@pytest.fixture
def hasty(make_daemon, tmp_path, keys):
    """A daemon that waits for nobody, and git of its key."""
    daemon, git = configured(
        make_daemon, tmp_path, keys,
        {**dict.fromkeys(("login-timeout", "idle-timeout", "silence-timeout",
                          "http-stall-timeout"), f"{SHORT_S}s"),
         "stall-timeout": f"{2 * SHORT_S}s", "keepalive": "1s"})
    yield daemon, git
    git("ls-remote", daemon.ssh_url("open"))
    git("ls-remote", daemon.http_url("open"))


DRIPS = [
    (b"", b"S"), (b"SSH-2.0-", b"x"), (IDENTIFICATION, b"\0"),
    (IDENTIFICATION + kexinit(), b"\0"),
    (IDENTIFICATION, ssh_packet(b"\2" + bytes(40))),
    (IDENTIFICATION + kexinit(), ssh_packet(b"\2" + bytes(40)))]


def test_ends_logins_that_drip(hasty):
    daemon, _ = hasty
    begun = time.monotonic()
    crowd = []
    for begin, drip in DRIPS:
        crowd.append((dial(daemon.ssh_port), drip))
        crowd[-1][0].sendall(begin)
        crowd[-1][0].settimeout(0.02)
    while crowd:
        assert time.monotonic() - begun < SHORT_S + SERVED_WITHIN * 2
        for connection, drip in list(crowd):
            try:
                connection.sendall(drip)
                if connection.recv(65536):
                    continue
            except TimeoutError:
                continue
            except OSError:
                pass
            connection.close()
            crowd.remove((connection, drip))
    wait_for(lambda: not sessions(daemon), "their end")


def test_ends_sessions_that_do_nothing(hasty, keys):
    daemon, _ = hasty
    idle = login(daemon, keys("k"))
    channel = login(daemon, keys("k")).open_session(timeout=PATIENCE)
    silent = execute(login(daemon, keys("k")), "git-receive-pack 'open'")
    for transport in (idle, channel.get_transport(), silent.get_transport()):
        wait_for(lambda: not transport.is_active(), "its end")
    wait_for(lambda: not sessions(daemon), "their end")
    assert "end=idle" in daemon.log()


@pytest.fixture
def large(hasty, tmp_path):
    """`open` holds more than every buffer on the way to a client."""
    daemon, git = hasty
    work = git.init()
    git("config", "core.compression", 0, cwd=work)
    git.commit(work, content=os.urandom(16 << 20))
    git("push", "-q", daemon.ssh_url("open"), "main", cwd=work)
    return daemon, git


def test_drops_a_client_that_never_reads(large, keys):
    daemon, git = large
    tip = git("ls-remote", daemon.ssh_url("open"), "main").split()[0]
    before = daemon.memory_kb()
    channel = execute(login(daemon, keys("k")), "git-upload-pack 'open'")
    channel.sendall(b"0032want %s\n00000009done\n" % tip.encode())
    body = (f"0032want {tip}\n00000009done\n").encode()
    web = dial(daemon.http_port)
    web.sendall(b"POST /open/git-upload-pack HTTP/1.1\r\nHost: x\r\n"
                b"Content-Type: application/x-git-upload-pack-request\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert receive(channel, 4) and web.recv(4) == b"HTTP"
    assert timed(git, daemon.ssh_url("open")) < SERVED_WITHIN * 2
    daemon.wait_log("event=fetch .*takes no byte")
    daemon.wait_log("event=http.request .*cut=.*took no byte")
    if not is_sanitized():
        assert daemon.memory_kb() - before < 16 << 10
    web.close()
    wait_for(lambda: not sessions(daemon), "its end")


def test_drops_a_client_that_froze(large):
    daemon, git = large
    command = git.environment()["GIT_SSH_COMMAND"].split()
    tip = git("ls-remote", daemon.ssh_url("open"), "main").split()[0]
    frozen = []
    for words in (["git-upload-pack 'open'"], ["-N"]):
        client = subprocess.Popen(
            [*command, "-p", str(daemon.ssh_port), "git@127.0.0.1", *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        frozen.append(client)
    reading, idle = frozen
    assert reading.stdout.read(4)
    reading.stdin.write(f"0032want {tip}\n00000009done\n".encode())
    reading.stdin.flush()
    wait_for(lambda: sessions(daemon) == 2, "both")
    for client in frozen:
        client.send_signal(signal.SIGSTOP)
    wait_for(lambda: not sessions(daemon), "their end")
    for client in frozen:
        client.kill()
        client.wait(PATIENCE)
        client.stdout.close()
        client.stdin.close()
    assert timed(git, daemon.ssh_url("open")) < SERVED_WITHIN * 2
