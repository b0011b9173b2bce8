# SPDX-License-Identifier: Apache-2.0
"""Pushes, one at a time, and the indexing of a pack."""

import pathlib
import re
import resource
import subprocess
import time

from clients import Trip, fetch_v2, http_fetch, push_request
from repos import GIT_ENV, ZERO, init, small_pushes, whole_push
from rows_load import durable
from table import Line, compare, each, measure, row, ssh_to

N_PUSHES = 15


def push_operation(ssh, server, name, path):
    """A push; its wall ends when the server acknowledges."""
    def operation():
        trip, acknowledged = ssh.run(server.command("receive-pack", name),
                                     "unpack ok", [path])
        return Trip(acknowledged, 0.0, trip.n_bytes)
    return operation


@row("push-small", "a push of one commit, three objects, over SSH")
def push_small(bench):
    repo = bench.repo("plain")
    files = [bench.file(push_request(old if i else ZERO, new,
                                     "refs/heads/bench", pack))
             for i, (old, new, pack) in enumerate(
                 small_pushes(repo, N_PUSHES))]

    def sample(server, name):
        with ssh_to(bench, server, 0) as ssh:
            return each(server, [push_operation(ssh, server, name, f)
                                 for f in files])

    stock = {}
    with bench.stock("ssh") as server:
        for state in ("default", "fsync=all"):
            server.place(state, repo.path)
            if state != "default":
                durable(server.path(state))
            stock[state] = sample(server, state)
    server = bench.headwater()
    server.place("plain", repo.path)
    with server:
        ours = sample(server, "plain")
    for state in stock:
        yield from compare(f"small push, stock with {state}", ours,
                           {state: stock[state]}, cpu=0.08, wall=0.1)


@row("push-whole", "a push of the whole repository into an empty one")
def push_whole(bench):
    request = bench.file(whole_push(bench.repo("plain")))
    names = [f"empty{i}" for i in range(3)]

    def sample(server):
        for name in names:
            server.place(name, init(bench.directory()))

        with server, ssh_to(bench, server, 0) as ssh:
            return each(server, [push_operation(ssh, server, n, request)
                                 for n in names])

    stock = {"default": sample(bench.stock("ssh"))}
    size = request.stat().st_size / 1e6
    yield from compare(f"push of {size:.0f} MB", sample(bench.headwater()),
                       stock, cpu=0.5)


def disk_kb(path):
    """What a repository takes on disk, in KB."""
    return sum(f.stat().st_blocks for f in path.rglob("*")) / 2


@row("push-many", "what 1,000 small pushes leave behind", quick=False)
def push_many(bench):
    n, some = bench.args.pushes, 20
    repo = bench.repo("plain")
    files = [bench.file(push_request(old if i else ZERO, new,
                                     "refs/heads/bench", pack))
             for i, (old, new, pack) in enumerate(small_pushes(repo, n))]
    server = bench.headwater()
    server.place("plain", repo.path)

    def clone():
        return measure(server, lambda: http_fetch(
            server.http_port, "plain", fetch_v2(repo.tips)))

    with server, ssh_to(bench, server, 0) as ssh:
        operations = [push_operation(ssh, server, "plain", f) for f in files]
        before = clone()
        operations.pop(0)()
        size = disk_kb(server.path("plain"))
        first = each(server, operations[:some])
        for operation in operations[some:-some]:
            operation()
        last = each(server, operations[-some:])
        after = clone()
        grown = disk_kb(server.path("plain")) - size
    yield Line(f"{n} small pushes: CPU of the last {some} against the first",
               "ms", last.cpu * 1e3, {"first": first.cpu * 1e3}, 1.2)
    yield Line(f"{n} small pushes: CPU of a full clone after and before",
               "ms", after.cpu * 1e3, {"before": before.cpu * 1e3}, 1.1)
    yield Line(f"{n} small pushes: disk, each", "KB", grown / (n - 1), {}, 4,
               "most")


# -- index-pack ---------------------------------------------------------------

def run_counted(command, path):
    """CPU seconds and peak anonymous MB of a program fed with a file."""
    with open(path, "rb") as source:
        process = subprocess.Popen(
            list(map(str, command)), stdin=source, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, env=GIT_ENV)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = 0
    status = pathlib.Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        try:
            match = re.search(r"RssAnon:\s+(\d+)", status.read_text())
            peak = max(peak, int(match[1]) if match else 0)
        except OSError:
            pass
        time.sleep(0.003)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    error = process.stderr.read().decode()
    process.stderr.close()
    if process.returncode:
        raise RuntimeError(f"{command[0]}: {error}")
    return (after.ru_utime + after.ru_stime
            - before.ru_utime - before.ru_stime), peak / 1e3


def index_pack(bench, source, what):
    repo = bench.repo(source)
    request = bench.file(whole_push(repo))
    headwaterd = bench.build / "server" / "app" / "headwaterd"

    def sample(make_command, path):
        cpus, peaks = [], []
        for _ in range(3):
            target = init(bench.directory())
            cpu, peak = run_counted(make_command(target), path)
            cpus.append(cpu)
            peaks.append(peak)
        return sorted(cpus)[1], max(peaks)

    alone = sample(lambda d: ["git", "-C", d, "index-pack", "--stdin",
                              "--threads=1"], repo.pack())
    whole = sample(lambda d: ["git", "-c", "pack.threads=1", "receive-pack",
                              d], request)
    ours = sample(lambda d: [headwaterd, "stdio", "receive-pack", d], request)
    yield Line(f"{what}: CPU of stdio receive-pack / git index-pack", "ms",
               ours[0] * 1e3, {"index-pack": alone[0] * 1e3}, 0.6)
    yield Line(f"{what}: CPU of stdio receive-pack / git receive-pack", "ms",
               ours[0] * 1e3, {"receive-pack": whole[0] * 1e3})
    yield Line(f"{what}: peak anonymous memory", "MB", ours[1],
               {"index-pack": alone[1]}, 64, "most")


@row("index-pack", "a pack checked and indexed by `headwaterd stdio`")
def index_pack_small(bench):
    yield from index_pack(bench, "plain", "index-pack")


@row("index-pack-big", "the same with the big repository", quick=False)
def index_pack_big(bench):
    yield from index_pack(bench, "big", "index-pack, big")


