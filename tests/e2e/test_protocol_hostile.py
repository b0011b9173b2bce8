# SPDX-License-Identifier: Apache-2.0
"""git's protocol as no git speaks it, over both doors."""

import gzip
import json
import os
import pathlib
import subprocess
import time

import pytest

from crowd import is_sanitized
from daemon import PATIENCE, wait_for
from test_http_hostile import post, statuses
from wire import (ZERO, errors, execute, exit_code, hear, login, pack, pkt,
                  read_list, small_commit)

V2 = "Git-Protocol: version=2"
CPU_S = 60 if is_sanitized() else 10
MEMORY_KB = 2 << 20 if is_sanitized() else 200 << 10


def cpu_s(daemon):
    fields = pathlib.Path(
        f"/proc/{daemon.process.pid}/stat").read_text().rsplit(") ")[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def door(owner, keys):
    """A daemon whose public `cluster` has one commit, and its owner."""
    owner.daemon.cli("repo", "set", "cluster", "public=true")
    alice = login(owner.daemon, keys("owner"))
    channel = execute(alice, "git-receive-pack 'cluster'")
    read_list(channel)
    tip, objects = small_commit()
    channel.sendall(pkt(f"{ZERO} {tip} refs/heads/main\0report-status") +
                    b"0000" + pack(*objects))
    channel.shutdown_write()
    assert b"ok refs/heads/main" in hear(channel)
    spent = cpu_s(owner.daemon)
    yield owner.daemon, alice, tip
    assert cpu_s(owner.daemon) - spent < CPU_S
    assert owner.daemon.memory_kb("VmHWM") < MEMORY_KB
    alice.close()
    listed = owner("ls-remote", owner.daemon.ssh_url("cluster"))
    assert listed == f"{tip}\tHEAD\n{tip}\trefs/heads/main\n"
    assert not list(owner.daemon.repo_dir("cluster").glob("objects/*incom*"))


BAD_LINES = [b"zzzz", b"0003", b"fff1", b"-001", b"0x10", b"    ", b"\0" * 4,
             b"0009nonsense", b"0032want", b"\xff" * 99, b"0005", b"ffff"]


def test_answers_bad_lines_over_http(door):
    daemon, _, _ = door
    for line in BAD_LINES:
        for headers in ([], [V2]):
            for before in (b"", b"0014command=ls-refs\n", b"0012command=fetch"
                           b"0001"):
                answer = post(daemon.http_port, "/cluster/git-upload-pack",
                              before + line, *headers)
                status, = statuses(answer)
                assert status in (200, 400), line
                assert b"PACK" not in answer
                assert b"ERR " in answer or status == 400, (line, answer)


def test_answers_bad_lines_in_v2_over_ssh(door):
    _, alice, _ = door
    for line in BAD_LINES[:-3] + [b"0001", b"0002"]:
        channel = execute(alice, "git-upload-pack 'cluster'",
                          env=[("GIT_PROTOCOL", "version=2")])
        read_list(channel)
        channel.sendall(line)
        if len(line) > 4 or line == b"0032want":
            channel.shutdown_write()
        assert exit_code(channel) != 0, line
        # One that ended its input in the midst of a line is told nothing.
        assert hear(channel) + errors(channel) or channel.eof_sent, line


def fetch(*lines, version=2):
    """The body of a fetch."""
    if version == 2:
        return (pkt("command=fetch") + b"0001" + b"".join(map(pkt, lines)) +
                b"0000")
    return b"".join(map(pkt, lines)) + b"0000" + pkt("done\n")


def requests(tip):
    """Bodies, with what they are."""
    want = f"want {tip}\n"
    for number in ("0", "-1", "2147483647", "2147483648", "4294967295",
                   "4294967296", "9223372036854775808", "99999999999999999999",
                   "x", "", "1e3", "0x1"):
        yield f"deepen {number}", fetch(want, f"deepen {number}\n", "done\n")
        yield f"since {number}", fetch(want, f"deepen-since {number}\n",
                                       "done\n")
    yield "contradiction", fetch(want, "deepen 1\n", "deepen-since 5\n",
                                 "deepen-not refs/heads/main\n", "done\n")
    for spec in ("combine:" * 3000 + "blob:none", "blob:limit=99999999999999g",
                 "blob:limit=-1", "tree:99999999999999999999", "tree:-1",
                 "sparse:path=/etc/passwd", "sparse:oid=" + tip, "nonsense",
                 "", "combine:" + "+".join(["blob:none"] * 5000), "object:type="
                 "x", "combine:blob%253anone%2", "combine:" + "%25" * 9000):
        yield f"filter {spec[:30]}", fetch(want, f"filter {spec}\n", "done\n")
    for oid in ("1" * 40, "1" * 39, "1" * 64, "g" * 40, "", ZERO):
        yield f"want {oid}", fetch(f"want {oid}\n", "done\n")
        yield f"v0 want {oid}", fetch(f"want {oid}\n", version=0)
    yield "no want", fetch("done\n")
    yield "nothing", b"0000"
    yield "command", pkt("command=nonsense") + b"0000"
    yield "push", pkt("command=push") + b"0000"
    yield "twice", pkt("command=fetch") + pkt("command=ls-refs") + b"0000"
    yield "format", pkt("command=fetch") + pkt("object-format=sha256") + \
        b"0001" + pkt(want) + pkt("done\n") + b"0000"
    yield "caps", fetch(f"want {tip} " + "x" * 60000 + "\n", version=0)
    yield "odd caps", fetch(f"want {tip} a\0b \x1b[2J =\n", version=0)


def test_answers_odd_requests(door):
    daemon, _, tip = door
    for name, body in requests(tip):
        answer = post(daemon.http_port, "/cluster/git-upload-pack", body,
                      *([] if name.startswith(("v0", "caps", "odd")) else
                        [V2]))
        status, = statuses(answer)
        assert status in (200, 400), name
        if name.startswith(("want", "v0 want")):
            assert b"PACK" not in answer, name
    assert "\x1b" not in daemon.log()


def floods(tip):
    million = 1 << 20
    yield "flushes", b"0000" * million
    yield "wants", fetch(*[f"want {tip}\n"] * 90000, "done\n")
    yield "haves", fetch(f"want {tip}\n", *[
        f"have {i:040x}\n" for i in range(90000)], "done\n")
    yield "shallows", fetch(f"want {tip}\n", *[
        f"shallow {i:040x}\n" for i in range(90000)], "done\n")
    yield "prefixes", pkt("command=ls-refs") + b"0001" + b"".join(
        pkt(f"ref-prefix refs/{i}\n") for i in range(120000)) + b"0000"
    yield "arguments", fetch(*[f"nonsense {i}\n" for i in range(120000)])
    yield "capabilities", b"".join(
        pkt(f"server-option={i}\n") for i in range(120000)) + b"0000"


@pytest.mark.parametrize("name", [name for name, _ in floods(ZERO)])
def test_bounds_floods(door, name):
    """As gzip, too: that is how git sends long requests."""
    daemon, _, tip = door
    body = dict(floods(tip))[name]
    assert len(body) < 10 << 20
    answer = post(daemon.http_port, "/cluster/git-upload-pack",
                  gzip.compress(body, 1), V2, "Content-Encoding: gzip")
    assert statuses(answer)[0] in (200, 400, 413)


def test_answers_thousands_of_requests_and_no_more(door):
    _, alice, _ = door
    channel = execute(alice, "git-upload-pack 'cluster'",
                      env=[("GIT_PROTOCOL", "version=2")])
    read_list(channel)
    ask = pkt("command=ls-refs") + b"0000"
    for _ in range(300):
        channel.sendall(ask * 10)
        for _ in range(10):
            assert len(read_list(channel)) == 2
    channel.sendall(b"0000")
    assert exit_code(channel) == 0


def push(alice, *parts, end=True):
    channel = execute(alice, "git-receive-pack 'cluster'")
    read_list(channel)
    channel.sendall(b"".join(parts))
    if end:
        channel.shutdown_write()
    return channel


def commands(tip, *refs, caps="report-status"):
    lines = [f"{ZERO} {tip} {ref}" for ref in refs]
    return pkt(lines[0] + "\0" + caps) + b"".join(map(pkt, lines[1:])) + b"0000"


BAD_REFS = [
    "HEAD", "FETCH_HEAD", "config", "refs", "refs/", "refs/heads",
    "refs/heads/",
    "refs/heads/../../config", "refs/heads/a..b", "refs/heads/.a", "/refs/x",
    "refs/heads/a.lock", "refs/heads/a.lock/b", "refs/heads//a", "../refs/x",
    "refs/heads/a b", "refs/heads/\x1b", "refs/heads/a\x7f", "refs/heads/a~1",
    "refs/heads/a^", "refs/heads/a:b", "refs/heads/a?", "refs/heads/a*",
    "refs/heads/[", "refs/heads/a\\b", "refs/heads/@{", "@", "objects/x/y",
    "refs/heads/" + "x" * 10000, "refs/heads/" + "x/" * 3000 + "x",
    "refs/heads/-", "logs/refs/heads/x", "hooks/post-receive"]


def test_makes_no_ref_of_a_bad_name(door):
    daemon, alice, tip = door
    before = sorted(p for p in daemon.repo_dir("cluster").rglob("*")
                    if "pack" not in p.parts)
    for ref in BAD_REFS:
        if ref == "refs/heads/-":  # git takes it
            continue
        channel = push(alice, commands(tip, ref), pack())
        said = hear(channel)
        assert f"ok {ref}".encode() not in said, ref
        assert b"ng " in said or b"unpack " in said or exit_code(channel), ref
        assert b"\x1b" not in said
    after = sorted(p for p in daemon.repo_dir("cluster").rglob("*")
                   if "pack" not in p.parts)
    assert before == after


def test_answers_odd_pushes(door):
    _, alice, tip = door
    for parts in (
            [pkt("nonsense")], [pkt(f"{ZERO} {tip}")], [pkt(f"{tip} main\0")],
            [pkt(f"{ZERO} {tip[:-1]} refs/heads/x\0report-status"), b"0000"],
            [pkt(f"{ZERO} {'1' * 40} refs/heads/x\0report-status"), b"0000",
             pack()],
            [commands(tip, "refs/heads/x", caps="push-cert=x report-status"),
             b"nonsense"],
            [pkt("push-cert\0report-status"), pkt("certificate version 0.1"),
             pkt("push-cert-end"), b"0000"],
            [commands(tip, "refs/heads/x", caps="report-status " + "x" * 60000 +
                      "\x1b[2J"),
             b"PACK\0\0\0\2"],
            [pkt("shallow " + "1" * 39), b"0000"],
            [pkt("shallow " + "g" * 40), b"0000"]):
        channel = push(alice, *parts)
        said = hear(channel) + errors(channel)
        assert b"ok refs" not in said, parts
        assert said or exit_code(channel) != 0, parts
    for parts in ([commands(tip, "refs/heads/x")],
                  [commands(tip, "refs/heads/x")[:20]],
                  [commands(tip, "refs/heads/x"), pack()[:20]]):
        push(alice, *parts, end=False).close()  # gone in the midst


def test_bounds_commands_and_options(door):
    daemon, alice, tip = door
    many = [f"refs/heads/n{i}" for i in range(100002)]
    said = hear(push(alice, commands(tip, *many), pack()))
    assert b"ok refs" not in said and b"100000" in said, said[:300]
    options = b"".join(pkt(f"option-{i}") for i in range(5000)) + b"0000"
    said = hear(push(alice, commands(
        tip, "refs/heads/x", caps="report-status push-options"), options,
        pack()))
    assert b"ok refs" not in said and b"push options" in said, said[:300]
    wait_for(lambda: not list(daemon.repo_dir("cluster").glob(
        "objects/*incom*")), "no leavings")


NAMES = ["..", "%2e%2e", "..%2fx", "%2e%2e%2fx", "a%2f..%2fb", "a%00b", "a%0ab",
         "%2fetc", "a%2f%2fb", "a%5cb", "%c0%ae%c0%ae", "%ff", "%252e%252e",
         "a.git", "a.lock", ".git", "a%20b", "%1b%5b31m", "x" * 300, "~",
         "%7eroot",
         "a%2fb%2fc%2fd%2fe%2ff%2fg%2fh%2fi", "*", "a%3bb", "%e2%80%ae"]


def test_makes_nothing_of_a_bad_name_at_the_admin_socket(door):
    daemon, _, _ = door
    before = (daemon.data / "state.conf").read_bytes()
    bodies = {"repos": {}, "tokens": {"read": ["**"]},
              "hooks": {"repo": ["cluster"], "url": "http://127.0.0.1:9/"}}
    for kind, body in bodies.items():
        for name in NAMES:
            if kind != "repos" and name in ("a.git", "a.lock"):
                continue
            done = subprocess.run(
                ["curl", "-s", "--path-as-is", "-w", "\n%{http_code}",
                 "--unix-socket", str(daemon.socket), "-X", "PUT", "-d",
                 json.dumps(body), f"http://x/v1/{kind}/{name}"],
                capture_output=True, text=True, timeout=PATIENCE)
            text, status = done.stdout.rsplit("\n", 1)
            assert 400 <= int(status) < 500, (kind, name, text)
            assert json.loads(text)["error"]["message"], (kind, name)
    assert (daemon.data / "state.conf").read_bytes() == before
    assert sorted(p.name for p in (daemon.data / "repos").iterdir()
                  if not p.name.startswith(".")) == ["cluster.git"]
