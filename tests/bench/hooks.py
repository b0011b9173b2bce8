#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How soon a receiver hears of a push, and what a dead one costs.

    HEADWATER_BUILD=build tests/bench/hooks.py [--pushes N] [--dead N]

Latency: from the moment the client has "unpack ok" until the first byte of the
webhook is read by the receiver, a process of its own; one pusher alone, then
sixteen at once, each with a connection of its own. Both clocks are the
machine's monotonic one. Negative: the receiver heard before the client did.

Dead receiver: so many pushes while nothing listens; the most that
DATA/outbox held, and how long its return took to be noticed.
"""

import argparse
import hashlib
import multiprocessing
import os
import pathlib
import re
import socket
import statistics
import struct
import sys
import tempfile
import threading
import time
import zlib

import paramiko

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))

from daemon import Daemon, free_port, make_key  # noqa: E402

ZERO = "0" * 40
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


# -- the receiver -------------------------------------------------------------

def answer(connection, tell):
    with connection:
        text = connection.recv(65536)
        now = time.monotonic_ns()
        while b'"after":"' not in text or b"}}" not in text[-8:]:
            more = connection.recv(65536)
            if not more:
                return
            text += more
        tell.put((re.search(rb'"after":"([0-9a-f]+)"', text)[1].decode(), now))
        connection.sendall(ANSWER)


def receive(port, tell):
    listener = socket.create_server(("127.0.0.1", port), backlog=512)
    tell.put(None)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection, tell),
                         daemon=True).start()


class Receiver:
    def __init__(self, port):
        self.calls = multiprocessing.Queue()
        self.process = multiprocessing.Process(
            target=receive, args=(port, self.calls), daemon=True)
        self.process.start()
        self.calls.get()  # it listens

    def wait(self, wanted, patience=60):
        """When each of `wanted` was first heard."""
        heard = {}
        end = time.monotonic() + patience
        while wanted - heard.keys() and time.monotonic() < end:
            try:
                after, at = self.calls.get(timeout=1)
            except Exception:  # queue.Empty
                continue
            heard.setdefault(after, at)
        return heard

    def close(self):
        self.process.kill()
        self.process.join()


# -- pushes, without git ------------------------------------------------------

def entry(kind, content):
    head, rest = kind << 4 | len(content) & 15, len(content) >> 4
    out = bytearray()
    while rest:
        out.append(head | 0x80)
        head, rest = rest & 127, rest >> 7
    out.append(head)
    return bytes(out) + zlib.compress(content)


def commit(parent, branch, number):
    text = (f"tree {EMPTY_TREE}\n"
            + (f"parent {parent}\n" if parent != ZERO else "")
            + f"author a <a@example.invalid> {1700000000 + number} +0000\n"
              f"committer a <a@example.invalid> {1700000000 + number} +0000\n"
              f"\n{branch}: change {number}\n").encode()
    return hashlib.sha1(b"commit %d\0" % len(text) + text).hexdigest(), text


def pack(objects):
    body = b"PACK" + struct.pack(">II", 2, len(objects))
    body += b"".join(entry(kind, content) for kind, content in objects)
    return body + hashlib.sha1(body).digest()


def pkt(text):
    return b"%04x" % (len(text) + 4) + text


class Pusher:
    """One connection that pushes one commit after another to its branch."""

    def __init__(self, daemon, key, branch):
        self.transport = paramiko.Transport(("127.0.0.1", daemon.ssh_port))
        self.transport.start_client(timeout=30)
        self.transport.auth_publickey(
            "git", paramiko.Ed25519Key.from_private_key_file(str(key)))
        self.branch = branch
        self.tip, self.number = ZERO, 0

    def push(self):
        """The new commit, and when it was acknowledged."""
        self.number += 1
        new, text = commit(self.tip, self.branch, self.number)
        objects = [(1, text)] + ([(2, b"")] if self.tip == ZERO else [])
        line = (f"{self.tip} {new} refs/heads/{self.branch}\0"
                "report-status").encode()
        channel = self.transport.open_session()
        channel.exec_command("git-receive-pack 'cluster'")
        advert = b""
        while not advert.endswith(b"0000"):
            advert += channel.recv(65536)
        channel.sendall(pkt(line) + b"0000" + pack(objects))
        report = b""
        while b"unpack ok" not in report:
            more = channel.recv(65536)
            assert more, report
            report += more
        now = time.monotonic_ns()
        while channel.recv(65536):
            pass
        channel.close()
        self.tip = new
        return new, now


def work(pusher, n, out):
    for _ in range(n):
        out.append(pusher.push())


def crew(daemon, key, names, n):
    """Pushes of `names` at once: [(commit, acknowledged)]."""
    done = [[] for _ in names]
    pushers = [Pusher(daemon, key, name) for name in names]
    threads = [threading.Thread(target=work, args=(p, n, out))
               for p, out in zip(pushers, done)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for pusher in pushers:
        pusher.transport.close()
    return [push for out in done for push in out]


# -- figures ------------------------------------------------------------------

def show(name, pushes, heard):
    late = sorted((heard[new] - at) / 1e6 for new, at in pushes
                  if new in heard)
    centile = statistics.quantiles(late, n=100)
    print(f"{name}: {len(late)} of {len(pushes)} pushes heard one by one; "
          f"ms from acknowledgement to first byte: p50 {centile[49]:.2f}, "
          f"p90 {centile[89]:.2f}, p99 {centile[98]:.2f}, "
          f"worst {late[-1]:.2f}", flush=True)


def measure_latency(daemon, key, receiver, n):
    alone = crew(daemon, key, ["alone"], n)
    show("one pusher", alone, receiver.wait({new for new, _ in alone}, 10))
    names = [f"of16-{i}" for i in range(16)]
    many = crew(daemon, key, names, max(1, n // 8))
    # A push that was overtaken while one was in flight is not told.
    show("16 pushers", many, receiver.wait({new for new, _ in many}, 10))


def outbox_size(daemon):
    files = [f for f in (daemon.data / "outbox").rglob("*") if f.is_file()]
    return len(files), sum(f.stat().st_blocks * 512 for f in files
                           if f.exists())


def measure_dead(daemon, key, port, n):
    most = [0, 0]
    ended = threading.Event()

    def watch():
        while not ended.wait(0.2):
            try:
                size = outbox_size(daemon)
            except FileNotFoundError:  # removed while we looked
                continue
            most[0], most[1] = max(most[0], size[0]), max(most[1], size[1])

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun = time.monotonic()
    names = [f"dead-{i}" for i in range(4)]
    pushes = crew(daemon, key, names, n // 4)
    took = time.monotonic() - begun
    ended.set()
    watcher.join()
    print(f"dead receiver: {len(pushes)} pushes in {took:.0f} s; DATA/outbox "
          f"held {most[0]} files and {most[1] // 1024} KiB at most, "
          f"{outbox_size(daemon)} at the end; backlog "
          f"{daemon.api('status')['outbox']['backlog']}", flush=True)
    newest = {pushes[(i + 1) * (n // 4) - 1][0] for i in range(4)}
    time.sleep(40)  # the longest pause between attempts has been reached
    receiver = Receiver(port)
    begun = time.monotonic_ns()
    heard = receiver.wait(newest)
    assert newest <= heard.keys()
    print("its return was noticed within "
          f"{(max(heard.values()) - begun) / 1e9:.1f} s, "
          f"{len(heard)} events were told", flush=True)
    receiver.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pushes", type=int, default=400)
    parser.add_argument("--dead", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as work_dir:
        daemon = Daemon(pathlib.Path(work_dir)).start()
        try:
            key = make_key(pathlib.Path(work_dir) / "key")
            daemon.cli("repo", "create", "cluster")
            daemon.cli("key", "create", "bench", "--public-key", f"{key}.pub",
                       "--write", "cluster")
            port = free_port()
            receiver = Receiver(port)
            daemon.cli("hook", "create", "bench", "--repo", "cluster",
                       "--url", f"http://127.0.0.1:{port}/", "--type",
                       "generic", "--no-secret")
            measure_latency(daemon, key, receiver, args.pushes)
            receiver.close()
            if args.dead:
                measure_dead(daemon, key, port, args.dead)
        finally:
            daemon.stop()
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
