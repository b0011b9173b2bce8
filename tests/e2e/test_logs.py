# SPDX-License-Identifier: Apache-2.0
"""What the log says of everything that happens, and what it never says."""

import base64
import fcntl
import json
import os
import re
import select
import subprocess

import paramiko
import pytest

from conftest import public
from daemon import Daemon, Git
from test_http_hostile import get, post, talk
from test_http_tls import make_certificate
from wire import ZERO, execute, exit_code, hear, login, pkt, read_list

PAIR = re.compile(r'([a-z0-9_-]+)=("(?:[^"\\]|\\.)*"|[^\s"]+)(?: |$)')
EVIL = "\x1b[31mred\x07\r\n\u202eevent=forged level=error"


# More refs than fit into a value.
MANY = [f"many/branch-{i}" for i in range(40)]


def parse(line, form):
    """The pairs of a line, which has nothing else."""
    if form == "json":
        def once(pairs):
            assert len(dict(pairs)) == len(pairs), line
            return dict(pairs)
        return json.loads(line, object_pairs_hook=once)
    assert PAIR.sub("", line) == "", line
    return {name: json.loads(value) if value.startswith('"') else value
            for name, value in PAIR.findall(line)}


@pytest.fixture(params=["text", "json"])
def logged(request, make_daemon, tmp_path, keys):
    """A daemon, its format, and every secret it is given."""
    crt, key = make_certificate(tmp_path, "door")
    config = tmp_path / "log.conf"
    (tmp_path / "token").write_text("declared-token-of-the-operator\n")
    config.write_text(
        f"[server]\n\ttls-cert = {crt}\n\ttls-key = {key}\n"
        '[repo "cluster"]\n\tprotect-branch = main\n[token "declared"]\n'
        f'\tfile = {tmp_path}/token\n\tread = **\n')
    daemon = make_daemon(config=config, options=[
        f"--log-format={request.param}", "--log-level=debug",
        "--https=127.0.0.1:0"])
    secrets = ["declared-token-of-the-operator",
               "".join(key.read_text().split("\n")[1:-2])]
    return daemon, request.param, secrets


def lines_of(key):
    """The body of a private key, line by line."""
    return [line for line in key.splitlines() if line and line[0] != "-"]


def give_secrets(daemon, secrets, receiver, keys, tmp_path):
    """Keys, tokens and hooks in every way there is."""
    daemon.cli("key", "create", "owner", "--public-key", public(keys("owner")),
               "--write", "**")
    secrets += lines_of(daemon.cli("key", "create", "made", "--generate", "-",
                                   "--read", "**"))
    host = daemon.data / "ssh" / "ssh_host_ed25519_key"
    secrets += lines_of(host.read_text())
    token = daemon.cli("token", "create", "ci", "--read", "**").strip()
    secrets.append(token)
    for name, text in (("secret", "hook-secret-of-mine"),
                       ("bearer", "bearer-of-the-receiver")):
        (tmp_path / name).write_text(text)
        secrets.append(text)
    daemon.cli("hook", "create", "h", "--repo", "cluster", "--url",
               receiver.url("/path?key=url-secret-too"), "--secret-file",
               tmp_path / "secret", "--bearer-file", tmp_path / "bearer")
    secrets.append("url-secret-too")
    daemon.cli("hook", "create", "random", "--repo", "cluster", "--url",
               receiver.url())
    done = subprocess.run(
        ["curl", "-s", "--unix-socket", str(daemon.socket),
         "http://x/v1/hooks/random/secret"], capture_output=True, text=True,
        check=True)
    secrets.append(json.loads(done.stdout)["secret"])
    daemon.cli_run("token", "create", "odd", "--read", EVIL)
    daemon.cli_run("repo", "create", "--", EVIL)
    return token


def use_git(daemon, token, receiver, keys, tmp_path):
    """A push, a clone and refusals, with the secrets at hand."""
    git = Git(tmp_path / "git", daemon, keys("owner"))
    work = git.init()
    tip = git.commit(work)
    git("push", "-q", daemon.ssh_url("cluster"), "main", cwd=work)
    git("push", "-q", daemon.ssh_url("cluster"),
        *(f"main:refs/heads/{name}" for name in MANY), cwd=work)
    git("clone", "-q", daemon.ssh_url("cluster"), "out")
    git("commit", "-q", "--amend", "-m", "other", cwd=work)
    git.run("push", "-f", daemon.ssh_url("cluster"), "main", cwd=work)
    url = daemon.http_url("cluster").replace("//", f"//git:{token}@")
    git("ls-remote", url)
    assert git.run("ls-remote", url.replace(token, token + "x")).returncode
    receiver.wait(lambda r: tip.encode() in r[2])
    Git(tmp_path / "stranger", daemon, keys("stranger")).run(
        "ls-remote", daemon.ssh_url("cluster"))
    return tip


def attack(daemon, token, keys):
    """Bytes of a client's choice wherever they could reach the log."""
    with paramiko.Transport(("127.0.0.1", daemon.ssh_port)) as transport:
        transport.start_client()
        with pytest.raises(paramiko.SSHException):
            transport.auth_publickey(EVIL, paramiko.Ed25519Key
                                     .from_private_key_file(
                                         str(keys("stranger"))))
    alice = login(daemon, keys("owner"))
    for command in (f"git-upload-pack '{EVIL}'", EVIL,
                    f"git-receive-pack 'cluster{EVIL}'"):
        assert exit_code(execute(alice, command)) != 0
    channel = execute(alice, "git-receive-pack 'cluster'",
                      env=[("GIT_PROTOCOL", EVIL)])
    read_list(channel)
    channel.sendall(pkt(f"{ZERO} {'1' * 40} refs/heads/{EVIL}\0report-status "
                        f"agent={EVIL}") + b"0000")
    channel.shutdown_write()
    hear(channel)
    channel = execute(alice, "git-upload-pack 'cluster'")
    tip = read_list(channel)[0][:40].decode()
    channel.sendall(pkt(f"want {tip} agent=\x1b[31mred") + b"0000" +
                    pkt("done\n"))
    hear(channel)
    alice.close()
    port = daemon.http_port
    get(port, "/cluster%1b[31m/info/refs?service=git-upload-pack&x=%0aforged")
    get(port, "/cluster\x9b31m/info/refs", f"User-Agent: \x9b31m\xe2\x80\xae",
        f"Authorization: Bearer {token}")
    get(port, f"/cluster/info/refs?service=git-upload-pack&token={token[:3]}")
    talk(port, b"GET /\x1b[31m HTTP/1.1\r\nHost: \x1b[31m\r\n\r\n")
    post(port, "/cluster/git-upload-pack", EVIL.encode(),
         "Authorization: Basic " + base64.b64encode(
             f"git:{token}".encode()).decode())


# Which pairs say who did what to what, by event.
EXPECTED = [
    ("ssh.session", {"command": "git-receive-pack", "exit": "0"},
     "peer user key repo in out ms"),
    ("ssh.session", {"command": "git-upload-pack", "exit": "0"},
     "peer user key repo in out ms"),
    ("ssh.refused", {}, "peer user keys fingerprint ms"),
    ("fetch", {"kind": "clone"},
     "repo key peer agent objects bytes duration_us"),
    ("http.request", {"status": "200", "door": "http"},
     "peer method target bytes us what who agent"),
    ("http.request", {"status": "401"}, "peer method target"),
    ("admin.verb", {"method": "PUT", "route": "/v1/keys/{name}",
                    "name": "owner", "status": "201"}, "peer fields"),
    ("admin.verb", {"method": "PUT", "route": "/v1/tokens/{name}",
                    "name": "ci"}, "peer fields"),
]


def test_says_what_happened_and_no_secret(logged, receiver, keys, tmp_path):
    daemon, form, secrets = logged
    token = give_secrets(daemon, secrets, receiver, keys, tmp_path)
    tip = use_git(daemon, token, receiver, keys, tmp_path)
    attack(daemon, token, keys)
    daemon.stop()
    raw = daemon.log()
    secrets.append(base64.b64encode(f"git:{token}".encode()).decode())
    for secret in secrets:
        assert secret not in raw, secret
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", raw)
    events = [parse(line, form) for line in daemon.lines]
    for event in events:
        assert {"time", "level", "event"} <= event.keys(), event
        assert event["event"] != "forged"
    for name, having, has in EXPECTED:
        found = [e for e in events if e["event"] == name and
                 having.items() <= e.items()]
        assert found, (name, having)
        assert set(has.split()) <= found[0].keys(), (has, found[0])
    pushes = [e for e in events if e["event"] == "push"]
    assert pushes[0]["result"] == "accepted" and pushes[0]["key"] == "owner"
    assert pushes[0]["refs"] == f"refs/heads/main {ZERO}..{tip}"
    assert {"peer", "repo", "bytes", "duration_us"} <= pushes[0].keys()
    said = ", ".join(e["refs"] for e in events
                     if e["event"].startswith("push"))
    for name in MANY:
        assert f"refs/heads/{name} {ZERO}..{tip}" in said
    assert pushes[2]["result"] == "rejected"
    assert f"refs/heads/main {tip}.." in pushes[2]["refs"]
    assert " rejected: " in pushes[2]["refs"]
    assert all(e["peer"].startswith("unix:") for e in events
               if e["event"] == "admin.verb")


def test_serves_on_while_nobody_reads_its_log(tmp_path, keys):
    daemon = Daemon(tmp_path, options=["--log-level=debug"])
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 16 << 10)
    daemon.process = subprocess.Popen(daemon.command(), stderr=writer,
                                      stdin=subprocess.DEVNULL)
    os.close(writer)
    try:
        begun = b""
        while b"event=ready" not in begun or not begun.endswith(b"\n"):
            begun += os.read(reader, 65536)
        daemon.addresses = dict(re.findall(r"\b(ssh|http|probe)=(\S+)",
                                           begun.decode()))
        # 20 KB at least, none of which is read.
        for _ in range(200):
            assert b"HTTP/1.1 404" in get(daemon.http_port, "/absent")
        dropped = daemon.metric("headwater_log_dropped_total")
        assert dropped > 0
        text = b""
        while b"event=log.dropped" not in text or not text.endswith(b"\n"):
            if not select.select([reader], [], [], 0)[0]:
                get(daemon.http_port, "/absent")
            text += os.read(reader, 65536)
        lines = text.decode().splitlines()
        for line in lines:
            parse(line, "text")
        told = sum(int(parse(line, "text")["lines"]) for line in lines
                   if "event=log.dropped" in line)
        assert told >= dropped
    finally:
        daemon.stop()
        os.close(reader)
