# SPDX-License-Identifier: Apache-2.0
"""kill -9 at whatever moment of concurrent pushes."""

import random
import threading

import paramiko

from conftest import public
from crowd import is_sanitized
from daemon import wait_for
from wire import (ZERO, execute, hear, login, pack, pkt, read_list,
                  small_commit)

ROUNDS = 8 if is_sanitized() else 20
# A push takes a few milliseconds; the kill comes anywhere within some.
KILL_WITHIN_S = 0.3 if is_sanitized() else 0.04


class Pusher:
    """Pushes to its branch as fast as it can, and knows what was promised."""

    def __init__(self, daemon, key, name):
        self.daemon = daemon
        self.key = key
        self.branch = f"refs/heads/{name}"
        self.name = name
        self.n = 0
        self.promised = {}      # what the reports said
        self.doubtful = {}      # asked for by the push that broke off
        self.is_promised = threading.Event()

    def commands(self, new):
        """One ref to move; at times also one to make and one to remove."""
        wanted = {self.branch: new}
        if self.n % 3 == 0:
            wanted[f"refs/tags/{self.name}-{self.n}"] = new
            for ref in self.promised:
                if ref.startswith("refs/tags/"):
                    wanted[ref] = None
                    break
        return wanted

    def push(self, transport):
        self.n += 1
        new, objects = small_commit(f"{self.name} {self.n}\n".encode(),
                                    self.promised.get(self.branch))
        self.doubtful = self.commands(new)
        lines = [f"{self.promised.get(ref, ZERO)} {value or ZERO} {ref}"
                 for ref, value in self.doubtful.items()]
        channel = execute(transport, "git-receive-pack 'cluster'")
        read_list(channel)
        channel.sendall(pkt(lines[0] + "\0report-status atomic delete-refs") +
                        b"".join(map(pkt, lines[1:])) + b"0000" +
                        pack(*objects))
        channel.shutdown_write()
        report = hear(channel)
        if not report.endswith(b"0000"):
            raise EOFError
        assert b"ng " not in report and report.startswith(b"000eunpack ok\n")
        self.settle(self.doubtful)
        self.is_promised.set()

    def settle(self, values):
        for ref, value in values.items():
            if value:
                self.promised[ref] = value
            else:
                self.promised.pop(ref, None)
        self.doubtful = {}

    def run(self):
        """Until the daemon is gone."""
        try:
            transport = login(self.daemon, self.key)
            while True:
                self.push(transport)
        except (paramiko.SSHException, EOFError, OSError):
            pass

    def check(self, listed):
        """What is there is what was promised, or all of what was asked."""
        mine = {ref: value for ref, value in listed.items()
                if ref.split("/")[2].split("-")[0] == self.name}
        before = dict(self.promised)
        if mine != before:
            self.settle(self.doubtful)
            assert mine == self.promised, (mine, before)
        self.doubtful = {}


def listing(daemon, key):
    transport = login(daemon, key)
    lines = read_list(execute(transport, "git-upload-pack 'cluster'"))
    transport.close()
    pairs = (line.split(b"\0")[0].decode().split() for line in lines)
    return {ref: value for value, ref in pairs
            if ref.startswith("refs/") and not ref.endswith("^{}")}


def leavings(daemon):
    repo = daemon.repo_dir("cluster")
    return [p for pattern in ("objects/*incoming*", "**/*.lock", "**/tmp_*")
            for p in repo.glob(pattern)]


def test_keeps_what_was_acknowledged(make_daemon, tmp_path, keys, receiver):
    secret = tmp_path / "secret"
    secret.write_text("s")
    config = tmp_path / "kill.conf"
    config.write_text(
        f'[repo "cluster"]\n[key "k"]\n\tfile = {public(keys("k"))}\n'
        f'\twrite = **\n[hook "h"]\n\trepo = cluster\n'
        f'\turl = {receiver.url()}\n\tsecret-file = {secret}\n')
    daemon = make_daemon(config=config)
    chance = random.Random(20)
    pushers = [Pusher(daemon, keys("k"), name) for name in ("a", "b")]
    for _ in range(ROUNDS):
        threads = [threading.Thread(target=p.run) for p in pushers]
        for pusher, thread in zip(pushers, threads):
            pusher.is_promised.clear()
            thread.start()
        for pusher in pushers:
            assert pusher.is_promised.wait(20), daemon.log()
        threads[0].join(chance.random() * KILL_WITHIN_S)
        daemon.kill()
        for thread in threads:
            thread.join()
        daemon.start()
        listed = listing(daemon, keys("k"))
        for pusher in pushers:
            pusher.check(listed)
        wait_for(lambda: not leavings(daemon), "the sweep")
        assert daemon.fsck("cluster") == ""
    for pusher in pushers:
        tip = pusher.promised[pusher.branch]
        receiver.wait(lambda r: tip.encode() in r[2])
    wait_for(lambda: daemon.api("status")["outbox"]["backlog"] == 0,
             "an empty outbox")
