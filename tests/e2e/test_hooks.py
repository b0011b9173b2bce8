# SPDX-License-Identifier: Apache-2.0
"""Webhooks: when they are sent, what they say, what survives."""

import base64
import hashlib
import hmac
import json
import subprocess

import pytest

from daemon import Receiver, free_port, wait_for
from wire import ZERO


@pytest.fixture
def work(owner):
    path = owner.init()
    owner.commit(path)
    return path


def create_hook(daemon, url, *words, secret=b"s3cret\n"):
    file = daemon.directory / "secret"
    file.write_bytes(secret)
    daemon.cli("hook", "create", "flux", "--repo", "cluster", "--url", url,
               "--secret-file", file, *words)


def push(owner, work, *refs):
    return owner("push", "-q", owner.daemon.ssh_url("cluster"),
                 *(refs or ["main"]), cwd=work)


def test_fires_when_the_ref_can_be_seen(owner, work, receiver):
    daemon = owner.daemon
    seen = []

    def look():
        seen.append(subprocess.run(
            ["git", "ls-remote", daemon.ssh_url("cluster"), "main"],
            env=owner.environment(), capture_output=True, text=True).stdout)

    receiver.before_answer = look
    create_hook(daemon, receiver.url())
    push(owner, work)
    tip = owner("rev-parse", "main", cwd=work).strip()
    receiver.wait(lambda r: tip.encode() in r[2])
    assert seen[0].startswith(tip)


@pytest.mark.parametrize("secret", [b"x", b"line\n", b"\xff\xfe binary",
                                    b"k" * 200])
def test_signs_with_the_exact_bytes(owner, work, receiver, secret):
    create_hook(owner.daemon, receiver.url("/a/b"), secret=secret)
    push(owner, work)
    path, headers, body = receiver.wait()
    assert path == "/a/b"
    kind, given = headers["X-Signature"].split("=")
    assert given == hmac.new(secret, body, kind).hexdigest()
    assert kind == "sha256" and json.loads(body)
    assert hashlib.sha256(secret).hexdigest() not in owner.daemon.log()


def test_delivers_the_newest_when_the_receiver_returns(owner, work):
    port = free_port()
    create_hook(owner.daemon, f"http://127.0.0.1:{port}/hook")
    for _ in range(3):
        owner.commit(work)
        push(owner, work)
    tip = owner("rev-parse", "main", cwd=work).strip()
    wait_for(lambda: owner.daemon.api("hook", "show", "flux")["delivery"][
        "attempts"], "a try")
    receiver = Receiver(port=port)
    owner.daemon.cli("sync", "cluster")
    receiver.wait(lambda r: tip.encode() in r[2])
    receiver.close()
    wait_for(lambda: owner.daemon.api("status")["outbox"]["backlog"] == 0,
             "an empty outbox")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_remembers_what_is_not_delivered(owner, work, how):
    port = free_port()
    daemon = owner.daemon
    create_hook(daemon, f"http://127.0.0.1:{port}/hook")
    push(owner, work)
    tip = owner("rev-parse", "main", cwd=work).strip()
    getattr(daemon, how)()
    receiver = Receiver(port=port)
    daemon.start()
    receiver.wait(lambda r: tip.encode() in r[2])
    receiver.close()


def test_says_where_a_push_fires_nothing(owner, work, receiver):
    create_hook(owner.daemon, receiver.url(), "--branch", "main")
    pushed = owner.run("push", owner.daemon.ssh_url("cluster"),
                       "main:refs/heads/other", cwd=work)
    assert pushed.returncode == 0
    assert "hook flux listens to branch main: not fired" in pushed.stderr
    push(owner, work)
    receiver.wait()
    assert all(b"refs/heads/other" not in r[2] for r in receiver.requests)


def test_sends_nothing_for_what_did_not_happen(owner, reader, work, receiver):
    push(owner, work)
    create_hook(owner.daemon, receiver.url())
    url = owner.daemon.ssh_url("cluster")
    owner("ls-remote", url)
    reader("clone", "-q", url, "out")
    push(owner, work)  # up to date
    assert owner.run("push", url, "main:refs/heads/bad.lock",
                     cwd=work).returncode != 0
    assert reader.run("push", url, "main:refs/heads/x",
                      cwd=reader.directory / "out").returncode != 0
    owner.commit(work)
    push(owner, work)
    tip = owner("rev-parse", "main", cwd=work).strip()
    receiver.wait(lambda r: tip.encode() in r[2])
    assert len(receiver.requests) == 1


def test_says_what_the_receiver_answered(owner, work, receiver):
    daemon = owner.daemon
    create_hook(daemon, receiver.url())
    push(owner, work)
    receiver.wait()
    assert "200" in daemon.cli("hook", "test", "flux")
    assert "200" in daemon.cli("sync", "cluster")
    wait_for(lambda: len(daemon.api("hook", "log", "flux")["deliveries"]) >= 3,
             "the log")
    assert "200" in daemon.cli("hook", "redeliver", "flux")
    for status in (202, 400, 401, 403, 404, 413, 500, 301):
        receiver.status = status
        done = daemon.cli_run("hook", "test", "flux")
        assert done.returncode == 1, status
        assert str(status) in done.stdout + done.stderr
    assert receiver.wait(lambda r: True)[0] == "/hook"


def test_delays_no_push_for_a_receiver_that_hangs(owner, work, receiver):
    import threading
    import time
    gate = threading.Event()
    receiver.before_answer = gate.wait
    create_hook(owner.daemon, receiver.url())
    begun = time.monotonic()
    for _ in range(3):
        owner.commit(work)
        push(owner, work)
    assert time.monotonic() - begun < 20
    gate.set()
    tip = owner("rev-parse", "main", cwd=work).strip()
    receiver.wait(lambda r: tip.encode() in r[2])


def test_tells_of_deletions(owner, work, receiver):
    push(owner, work, "main", "main:refs/heads/gone")
    create_hook(owner.daemon, receiver.url())
    push(owner, work, ":refs/heads/gone")
    body = receiver.wait(lambda r: b"refs/heads/gone" in r[2])[2]
    assert ZERO.encode() in body


def test_shows_refs_in_the_log(owner, work, receiver):
    daemon = owner.daemon
    create_hook(daemon, receiver.url())
    push(owner, work, "main:refs/heads/feature/ü")
    receiver.wait()
    log = daemon.api("hook", "log", "flux")["deliveries"]
    assert log[0]["event"]["ref"] == "refs/heads/feature/ü"
    assert "refs/heads/feature/ü" in daemon.cli("hook", "log", "flux")


@pytest.mark.parametrize("secret", [b"x\n", b"\xff\x00binary"])
def test_hands_out_the_secret_on_request_only(owner, receiver, secret):
    daemon = owner.daemon
    create_hook(daemon, receiver.url(), secret=secret)
    out = daemon.directory / "out"
    daemon.cli("hook", "secret", "flux", "--out", out)
    assert out.read_bytes() == secret
    assert out.stat().st_mode & 0o777 == 0o600
    assert base64.b64decode(
        daemon.api("hook", "secret", "flux")["secret_base64"]) == secret
    for words in (["hook", "show", "flux"], ["hook", "list"]):
        assert "binary" not in daemon.cli(*words)


def test_says_why_a_hook_does_not_hear(owner, work, receiver):
    daemon = owner.daemon
    push(owner, work)
    for url, sentence in {
            f"http://127.0.0.1:{free_port()}/": "connection refused",
            "http://nowhere.invalid/": "there is no such host",
            f"https://127.0.0.1:{receiver.port}/": "TLS"}.items():
        daemon.cli("hook", "create", "bad", "--repo", "cluster", "--url", url,
                   "--replace")
        done = daemon.cli_run("hook", "test", "bad")
        assert done.returncode == 1
        assert sentence in done.stdout, done.stdout
        assert done.stdout.count("\n") == 1
