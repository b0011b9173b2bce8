#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What many small pushes do to a repository: the cost of a push, of a clone and
the disk, before and after.

    HEADWATER_BUILD=build tests/bench/many_pushes.py [PUSHES [BUNDLE]]

With a bundle the repository has what that holds before. Each push is one commit, one tree, one blob, sent as git sends them, over one
SSH connection (ControlMaster), so that the server's part can be seen. CPU is the
daemon's, from /proc; that of the maintenance thread is told apart.
"""

import hashlib
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))
from daemon import Daemon, Git, make_key, wait_for  # noqa: E402

BATCH = 100
TICK = os.sysconf("SC_CLK_TCK")


def cpu(daemon):
    """Seconds: of all threads, and of maintenance."""
    total = care = 0.0
    for task in pathlib.Path(f"/proc/{daemon.process.pid}/task").iterdir():
        name, rest = (task / "stat").read_text().rsplit(")", 1)
        if "maintenance" in name:
            care = sum(map(int, rest.split()[11:13])) / TICK
    fields = pathlib.Path(
        f"/proc/{daemon.process.pid}/stat").read_text().rsplit(")", 1)[1]
    total = sum(map(int, fields.split()[11:13])) / TICK
    return total - care, care


def entry(kind, data):
    size, head = len(data), bytearray([kind << 4 | len(data) & 15])
    size >>= 4
    while size:
        head[-1] |= 0x80
        head.append(size & 0x7f)
        size >>= 7
    return bytes(head) + zlib.compress(data)


def named(kind, data):
    return hashlib.sha1(b"%s %d\0" % (kind, len(data)) + data).digest()


class Pusher:
    """Pushes without git: what costs is the server's."""

    def __init__(self, git, repo, files):
        self.ssh = git.environment()["GIT_SSH_COMMAND"].split() + [
            "-o", f"ControlPath={git.directory}/control",
            "-p", str(git.daemon.ssh_port), "git@127.0.0.1"]
        self.master = subprocess.Popen(
            self.ssh[:1] + ["-M", "-N"] + self.ssh[1:], env=git.environment())
        wait_for(lambda: (git.directory / "control").exists(), "a connection")
        self.repo, self.n = repo, 0
        self.tree = {f"file{i}": named(b"blob", b"%d\n" % i)
                     for i in range(files)}
        self.blobs = [b"%d\n" % i for i in range(files)]
        self.tip = None

    def push(self):
        self.n += 1
        blob = b"change %d\n" % self.n
        self.tree["file0"] = named(b"blob", blob)
        tree = b"".join(b"100644 %s\0" % name.encode() + oid
                        for name, oid in sorted(self.tree.items()))
        parent = b"parent %s\n" % self.tip.encode() if self.tip else b""
        commit = b"tree %s\n%sauthor A <a@b> %d +0000\n" % (
            named(b"tree", tree).hex().encode(), parent, 1700000000 + self.n)
        commit += commit[commit.index(b"author"):].replace(
            b"author", b"committer") + b"\nn\n"
        objects = [(1, commit), (2, tree), (3, blob)]
        if not self.tip:
            objects += [(3, b) for b in self.blobs]
        pack = b"PACK\0\0\0\2" + len(objects).to_bytes(4, "big")
        pack += b"".join(entry(*o) for o in objects)
        pack += hashlib.sha1(pack).digest()
        new = named(b"commit", commit).hex()
        line = (f"{self.tip or '0' * 40} {new} refs/heads/many\0"
                "report-status").encode()
        request = b"%04x" % (len(line) + 4) + line + b"0000" + pack
        out = subprocess.run(
            self.ssh + [f"git-receive-pack '{self.repo}'"], input=request,
            capture_output=True, check=True).stdout
        assert b"ok refs/heads/many" in out, out
        self.tip = new

    def close(self):
        self.master.terminate()
        self.master.wait()


def disk(path):
    return sum(f.stat().st_blocks * 512 for f in path.rglob("*"))


def clone_cpu(daemon, git, name):
    before = cpu(daemon)[0]
    for i in range(10):
        git("clone", "-q", "--bare", daemon.ssh_url("r"), f"{name}{i}")
    return (cpu(daemon)[0] - before) / 10


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        (scratch / "server").mkdir()
        conf = scratch / "conf"
        conf.write_text("[limits]\n\tcache-size = 0\n")
        daemon = Daemon(scratch / "server", config=conf).start()
        daemon.cli("repo", "create", "r",
                   *(["--seed", sys.argv[2]] if len(sys.argv) > 2 else []))
        key = make_key(scratch / "key")
        daemon.cli("key", "create", "k", "--public-key",
                   key.with_name("key.pub"), "--write", "r")
        git = Git(scratch / "client", daemon, key)
        pusher = Pusher(git, "r", 20)
        repo = daemon.repo_dir("r")
        pusher.push()
        clone_before = clone_cpu(daemon, git, "before")
        begun = disk(repo)
        costs = []
        for _ in range(n // BATCH):
            at = cpu(daemon)
            for _ in range(BATCH):
                pusher.push()
            now = cpu(daemon)
            costs.append(((now[0] - at[0]) / BATCH, (now[1] - at[1]) / BATCH))
        print(f"push, CPU: first {BATCH} {costs[0][0] * 1e3:.2f} ms each, "
              f"last {costs[-1][0] * 1e3:.2f} ms, median "
              f"{statistics.median(c[0] for c in costs) * 1e3:.2f} ms; "
              f"maintenance beside it {costs[0][1] * 1e3:.2f} and "
              f"{costs[-1][1] * 1e3:.2f} ms")
        print(f"disk: {(disk(repo) - begun) / n:.0f} bytes a push, packs "
              f"{len(list((repo / 'objects/pack').glob('*.pack')))}")
        after = clone_cpu(daemon, git, "after")
        print(f"clone, CPU: {clone_before * 1e3:.1f} ms before, "
              f"{after * 1e3:.1f} ms after")
        daemon.cli("repo", "maintain", "r")
        print(f"after repo maintain: clone {clone_cpu(daemon, git, 'm') * 1e3:.1f}"
              f" ms, disk {(disk(repo) - begun) / n:.0f} bytes a push")
        pusher.close()
        daemon.stop()


main()
