#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure the container: tests/container/run --figures. No test; the figures
depend on the machine.
"""

import gzip
import pathlib
import re
import statistics
import subprocess
import tempfile
import threading
import time

from conftest import some_user
from pod import IMAGE, Cluster, Git, Pod, Receiver, docker, wait_for

STARTS = 5
LARGE_FILES = 300
MEBIBYTE = 1 << 20


def say(what, value):
    print(f"{what:56} {value}", flush=True)


def control_group(pid):
    """Where the kernel accounts the memory of a process's container."""
    lines = pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            return pathlib.Path(f"/sys/fs/cgroup/memory{path}")
        if not controllers and len(lines) == 1:
            return pathlib.Path(f"/sys/fs/cgroup{path}")
    return None


def number(path, pattern):
    """A number in a file of the kernel's."""
    return int(re.search(pattern, path.read_text(), re.MULTILINE)[1])


class Watch:
    """The most memory that a process had of its own, and the most that its
    container had besides files that may go: what `kubectl top` calls memory.
    """

    def __init__(self, pod):
        pid = pod.inspect(".State.Pid")
        self.status = pathlib.Path(f"/proc/{pid}/status")
        self.group = control_group(pid)
        self.most = self.most_set = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.look)

    def anonymous(self):
        """Kibibytes that are the process's own."""
        return number(self.status, r"^RssAnon:\s+(\d+)")

    def working_set(self):
        """Bytes."""
        usage = self.group / "memory.usage_in_bytes"
        if not usage.exists():
            usage = self.group / "memory.current"
        return number(usage, r"(\d+)") - number(
            self.group / "memory.stat", r"^(?:total_)?inactive_file (\d+)")

    def look(self):
        while not self.ended.wait(0.02):
            self.most = max(self.most, self.anonymous())
            self.most_set = max(self.most_set, self.working_set())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def text(self):
        return (f"{self.most / 1024:.1f} MiB, working set "
                f"{self.most_set / MEBIBYTE:.1f} MiB")


def make_large(git):
    """A repository of 300 MiB that nothing compresses."""
    work = git.init("large")
    git("config", "core.compression", 0, cwd=work)
    for i in range(LARGE_FILES):
        with open("/dev/urandom", "rb") as source:
            (work / f"file{i}").write_bytes(source.read(MEBIBYTE))
    git.commit(work)
    return work


def first_push(cluster, receiver, directory, key):
    """From docker run to the webhook of a first push."""
    cluster.owners.swap({"a.pub": key.with_name(key.name + ".pub").read_text()})
    begun = time.time()
    pod = Pod(cluster, "first", some_user())
    running = time.time()
    git = Git(directory / "first", pod, key)
    work = git.init()
    commit = git.commit(work)
    git.environment()
    prepared = time.time()
    git("push", "-q", pod.ssh_url("cluster"), "HEAD:main", cwd=work)
    pushed = time.time()
    heard = receiver.wait(commit)["time"]
    say("docker run until the log says ready", f"{running - begun:.2f} s")
    say("  of it the server's own start", f"{pod.start_ms} ms")
    say("git push", f"{pushed - prepared:.2f} s")
    say("git push begun until the webhook arrived",
        f"{heard - prepared:.2f} s")
    say("docker run until the webhook arrived, without the commit",
        f"{running - begun + heard - prepared:.2f} s")
    return pod


def memory(pod, directory, key):
    """Idle, and while 300 MiB come and go."""
    with Watch(pod) as watch:
        time.sleep(0.5)
    say("anonymous memory, idle", watch.text())
    git = Git(directory / "memory", pod, key)
    work = make_large(git)
    pod.cli("repo", "create", "large")
    with Watch(pod) as watch:
        git("push", "-q", pod.ssh_url("large"), "HEAD:main", cwd=work)
    say("  at most, during a push of 300 MiB", watch.text())
    for when in ("first", "second"):
        with Watch(pod) as watch:
            begun = time.time()
            git("clone", "-q", "--bare", pod.ssh_url("large"), when)
            seconds = time.time() - begun
        say(f"  at most, during a {when} clone ({seconds:.1f} s)",
            watch.text())
    killed = pod.inspect(".State.OOMKilled")
    say("killed for want of memory, with 64 MiB", "yes" if killed else "no")


def measure(directory):
    """All of it."""
    data = docker("save", IMAGE, binary=True)
    say("image, compressed by gzip -6",
        f"{len(gzip.compress(data, 6)) / 1e6:.2f} MB")
    say("image, as it is", f"{len(data) / 1e6:.2f} MB")
    key = directory / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key],
                   check=True, stdin=subprocess.DEVNULL)
    (directory / "cluster").mkdir()
    cluster = Cluster(directory / "cluster")
    try:
        receiver = Receiver(cluster)
        pod = first_push(cluster, receiver, directory, key)
        memory(pod, directory, key)
        ends = [pod.stop()[1]]
        starts = []
        for i in range(STARTS):
            pod = Pod(cluster, f"start{i}", some_user())
            starts.append(pod.start_ms)
            wait_for(lambda: "ready" in pod.log(), "ready")
            ends.append(pod.stop()[1])
        say("start until ready, median of 5", f"{statistics.median(starts)} ms")
        say("SIGTERM until ended, idle, median (docker's own included)",
            f"{statistics.median(ends) * 1000:.0f} ms")
    finally:
        cluster.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        measure(pathlib.Path(name))
