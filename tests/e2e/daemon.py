# SPDX-License-Identifier: Apache-2.0
"""A real headwaterd on free ports and a throw-away data directory.

Nothing here sleeps: the daemon says one `ready` line with every bound
address, and everything else that must be waited for has a deadline.
"""

import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HEADWATER_BUILD", ROOT / "build"))
HEADWATERD = pathlib.Path(
    os.environ.get("HEADWATERD", BUILD / "server" / "app" / "headwaterd"))
HEADWATER = pathlib.Path(
    os.environ.get("HEADWATER", BUILD / "admin" / "headwater"))
# Sanitizers slow everything down; CI says by how much.
PATIENCE = float(os.environ.get("HEADWATER_TEST_PATIENCE", "20"))


def wait_for(condition, what, patience=PATIENCE):
    """Ask until `condition()` is true; the answer is returned."""
    deadline = time.monotonic() + patience
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience} s for {what}")
        threading.Event().wait(0.01)


class CliError(Exception):
    def __init__(self, result):
        super().__init__(
            f"exit {result.returncode}: {result.stderr or result.stdout}")
        self.code = result.returncode
        self.stdout = result.stdout
        self.stderr = result.stderr


class Daemon:
    """headwaterd serve, its admin CLI, and what it logs."""

    def __init__(self, directory, config=None, options=(), env=None):
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"
        self.socket = self.data / "run" / "admin.sock"
        self.config = config
        self.options = list(options)
        self.env = dict(env or {})
        self.process = None
        self.lines = []
        self.addresses = {}

    # -- life -----------------------------------------------------------------

    def command(self):
        command = [str(HEADWATERD), "serve", "--data", str(self.data)]
        for option in ("ssh", "http", "probe"):
            if not any(o.startswith(f"--{option}=") for o in self.options):
                command.append(f"--{option}=127.0.0.1:0")
        if self.config is not None:
            command.append(f"--config={self.config}")
        return command + self.options

    def start(self, wait=True):
        self.lines = []
        self.process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            errors="backslashreplace", env={**os.environ, **self.env})
        threading.Thread(target=self._read_log, args=(self.process,),
                         daemon=True).start()
        if wait:
            self.wait_ready()
        return self

    def _read_log(self, process):
        for line in process.stderr:
            self.lines.append(line.rstrip("\n"))
        process.stderr.close()

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError("headwaterd ended: " + self.log())
            return [l for l in self.lines
                    if re.search('event"?[=:]"?ready', l)]

        line = wait_for(ready, "the ready line")[0]
        self.addresses = dict(re.findall(
            r'\b(ssh|http|https|probe)"?[=:]"?([^\s"]+)', line))

    def stop(self, sig=signal.SIGTERM, patience=PATIENCE + 20):
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else None
        self.process.send_signal(sig)
        return self.process.wait(patience)

    def kill(self):
        return self.stop(signal.SIGKILL)

    def restart(self):
        self.stop()
        return self.start()

    def log(self):
        return "\n".join(self.lines)

    def wait_log(self, pattern, patience=PATIENCE):
        """The first logged line that matches."""
        def found():
            return [l for l in list(self.lines) if re.search(pattern, l)]

        return wait_for(found, f"a log line {pattern!r}", patience)[0]

    # -- doors ----------------------------------------------------------------

    def port(self, door):
        return int(self.addresses[door].rsplit(":", 1)[1])

    @property
    def ssh_port(self):
        return self.port("ssh")

    @property
    def http_port(self):
        return self.port("http")

    @property
    def probe_port(self):
        return self.port("probe")

    def ssh_url(self, repo):
        return f"ssh://git@127.0.0.1:{self.ssh_port}/{repo}"

    def http_url(self, repo):
        return f"http://127.0.0.1:{self.http_port}/{repo}"

    # -- admin ----------------------------------------------------------------

    def cli_run(self, *words, stdin=None, local=False, binary=False):
        where = (["--data", str(self.data)] if local else
                 ["--socket", str(self.socket)])
        return subprocess.run(
            [str(HEADWATER), *where, *map(str, words)], input=stdin,
            capture_output=True, text=not binary, timeout=PATIENCE + 30)

    def cli(self, *words, stdin=None, local=False):
        """Standard output of a verb that must succeed."""
        result = self.cli_run(*words, stdin=stdin, local=local)
        if result.returncode:
            raise CliError(result)
        return result.stdout

    def api(self, *words):
        return json.loads(self.cli("--json", *words))

    def metric(self, name):
        """The value of a sample, 0 where it is not there."""
        import urllib.request
        text = urllib.request.urlopen(
            f"http://127.0.0.1:{self.probe_port}/metrics",
            timeout=PATIENCE).read().decode()
        for line in text.splitlines():
            if line.rsplit(" ", 1)[0] == name:
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    # -- repositories ---------------------------------------------------------

    def repo_dir(self, repo):
        return self.data / "repos" / f"{repo}.git"

    def fsck(self, repo):
        """What stock git says of the directory; "" where nothing is wrong."""
        result = subprocess.run(
            ["git", "-c", "safe.directory=*", "fsck", "--full", "--strict",
             "--no-dangling"], cwd=self.repo_dir(repo), capture_output=True,
            text=True)
        noise = ("notice: HEAD points to an unborn branch",
                 "notice: No default references")
        words = [l for l in (result.stdout + result.stderr).splitlines()
                 if not l.startswith(noise)]
        return "\n".join(words) if result.returncode or words else ""

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def memory_kb(self, field="RssAnon"):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+)", status, re.M).group(1))


class Git:
    """Stock git with one key, one known_hosts and no configuration of ours;
    without a daemon, git on its own disk."""

    def __init__(self, directory, daemon, key=None):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.daemon = daemon
        self.key = key
        self.known_hosts = self.directory / "known_hosts"
        self.pinned = None  # the port it was written for

    def environment(self):
        if self.daemon and self.pinned != self.daemon.ssh_port:
            self.pinned = self.daemon.ssh_port
            self.known_hosts.write_text(self.daemon.cli(
                "known-hosts", f"127.0.0.1:{self.pinned}"))
        ssh = ["ssh", "-F", "none", "-o", "IdentitiesOnly=yes",
               "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes",
               "-o", f"UserKnownHostsFile={self.known_hosts}",
               "-o", "GlobalKnownHostsFile=/dev/null"]
        if self.key:
            ssh += ["-i", str(self.key)]
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "LC_ALL": "C",
            "GIT_SSH_COMMAND": " ".join(ssh),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": "ssh:http:https:file",
            "GIT_AUTHOR_NAME": "A U Thor",
            "GIT_AUTHOR_EMAIL": "author@example.invalid",
            "GIT_COMMITTER_NAME": "C O Mitter",
            "GIT_COMMITTER_EMAIL": "committer@example.invalid",
        }

    def run(self, *words, cwd=None, env=None, stdin=None):
        return subprocess.run(
            ["git", "-c", "init.defaultBranch=main",
             "-c", "protocol.file.allow=always", *map(str, words)],
            cwd=cwd or self.directory, capture_output=True, text=True,
            errors="surrogateescape", input=stdin,
            env={**self.environment(), **(env or {})}, timeout=PATIENCE + 100)

    def __call__(self, *words, cwd=None, env=None, stdin=None):
        result = self.run(*words, cwd=cwd, env=env, stdin=stdin)
        assert result.returncode == 0, f"git {words}: {result.stderr}"
        return result.stdout

    def ssh(self, *words, stdin=None):
        """The stock ssh client, straight at the door."""
        command = self.environment()["GIT_SSH_COMMAND"].split()
        return subprocess.run(
            [*command, "-p", str(self.daemon.ssh_port), "git@127.0.0.1",
             *words], capture_output=True, text=True, input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            env=self.environment(), timeout=PATIENCE + 30)

    def init(self, name="work"):
        path = self.directory / name
        self("init", "-q", path)
        return path

    def commit(self, path, name="file", content=None, message="a change"):
        """One commit more; its id."""
        file = pathlib.Path(path) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            content = hashlib.sha256(os.urandom(16)).hexdigest() + "\n"
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            file.write_text(content)
        self("add", "-A", cwd=path)
        self("commit", "-q", "-m", message, cwd=path)
        return self("rev-parse", "HEAD", cwd=path).strip()


def make_key(path, kind="ed25519", bits=None, comment="key"):
    command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment,
               "-f", str(path)]
    if bits:
        command += ["-b", str(bits)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return pathlib.Path(path)


class Receiver:
    """An HTTP server that remembers what it was told."""

    def __init__(self, status=200, port=0):
        self.status = status
        self.requests = []
        self.arrived = threading.Condition()
        self.before_answer = None
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.before_answer:
                    receiver.before_answer()
                with receiver.arrived:
                    receiver.requests.append((self.path, self.headers, body))
                    receiver.arrived.notify_all()
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def url(self, path="/hook"):
        return f"http://127.0.0.1:{self.port}{path}"

    def wait(self, match=lambda request: True, patience=PATIENCE):
        """The first request that matches."""
        def found():
            return [r for r in self.requests if match(r)]

        with self.arrived:
            self.arrived.wait_for(found, patience)
            assert found(), f"no such request; there were {self.requests}"
            return found()[0]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def have(program):
    return shutil.which(program) is not None
