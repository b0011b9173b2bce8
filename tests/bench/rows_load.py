# SPDX-License-Identifier: Apache-2.0
"""Many clients at once, and the memory of a big clone."""

import statistics
import threading
import time

from clients import Failed, fetch_v2, http_fetch, ls_refs, push_request
from repos import ZERO, small_pushes
from rows_read import ours_plain
from servers import Unable
from table import Line, row, ssh_to


def at_once(operations, patience=180):
    """Run each in a thread of its own; their answers. All or Failed."""
    answers, errors = [], []

    def run(operation):
        try:
            answers.append(operation())
        except Exception as e:  # told below, where it is heard
            errors.append(e)

    threads = [threading.Thread(target=run, args=(o,), daemon=True)
               for o in operations]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + patience
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    if errors:
        raise Failed(f"{len(errors)} of {len(threads)} clients: {errors[0]}")
    if len(answers) != len(threads):
        raise Failed(f"{len(threads) - len(answers)} of {len(threads)} "
                     f"clients were not done in {patience} s")
    return answers


def clone_at_once(bench, door, n):
    """GB per CPU second of n identical clones of all that there is."""
    wants = bench.repo("plain").tips
    files = [bench.file(ls_refs()), bench.file(fetch_v2(wants))]

    def one(server, name):
        if door == "http":
            return http_fetch(server.http_port, name, fetch_v2(wants))
        with ssh_to(bench, server) as ssh:
            return ssh.run(server.command("upload-pack", name), "PACK",
                           files)[0]

    def sample(server, name):
        one(server, name)
        rates = []
        for _ in range(5):
            before = server.settle()
            trips = at_once([lambda: one(server, name)] * n)
            cpu = server.settle() - before
            rates.append(sum(t.n_bytes for t in trips) / 1e9 / cpu)
        return statistics.median(rates)
    return sample


@row("clones-at-once", "8 and 32 identical clones at once")
def clones_at_once(bench):
    for door, goal in (("http", 3), ("ssh", 1.4)):
        for n in (8, 32):
            sample = clone_at_once(bench, door, n)
            with bench.stock(door) as server:
                server.place("marks", bench.repo("marks").path)
                stock = {"marks": sample(server, "marks")}
            yield Line(f"{n} clones at once, {door.upper()}", "GB/CPU s",
                       ours_plain(bench, sample), stock, goal, "least")


# -- pushes per second --------------------------------------------------------

N_CLIENTS, N_EACH = 16, 12


def push_rate(bench, server, names):
    """Pushes per second; client i pushes to names[i % len(names)]."""
    repo = bench.repo("plain")
    plans = []
    for i in range(N_CLIENTS):
        plan = []
        for k, (old, new, pack) in enumerate(
                small_pushes(repo, N_EACH, f"client {i}")):
            plan.append(bench.file(push_request(
                old if k else ZERO, new, f"refs/heads/client-{i}", pack)))
        plans.append((names[i % len(names)], plan))

    def client(name, plan):
        with ssh_to(bench, server, 0) as ssh:
            for path in plan:
                ssh.run(server.command("receive-pack", name), "unpack ok",
                        [path])

    start = time.monotonic()
    at_once([lambda n=n, p=p: client(n, p) for n, p in plans])
    return N_CLIENTS * N_EACH / (time.monotonic() - start)


@row("push-rate", "pushes per second of 16 clients")
def push_rates(bench):
    source = bench.repo("plain").path
    many = [f"r{i}" for i in range(N_CLIENTS)]
    for what, names, goal in (("to different repositories", many, 8),
                              ("to one repository", ["one"], 3)):
        stock = {}
        for state in ("default", "fsync"):
            with bench.stock("ssh") as server:
                for name in names:
                    server.place(name, source)
                    if state == "fsync":
                        durable(server.path(name))
                stock[state] = push_rate(bench, server, names)
        server = bench.headwater()
        for name in names:
            server.place(name, source)
        with server:
            ours = push_rate(bench, server, names)
        for state, rate in stock.items():
            yield Line(f"pushes of 16 clients {what}, stock with "
                       f"{state}", "/s", ours, {state: rate}, goal, "times")


def durable(path):
    """Stock git as careful as Headwater always is."""
    with open(path / "config", "a") as config:
        config.write("[core]\n\tfsync = all\n\tfsyncMethod = fsync\n")


LIMIT = 64 << 20


# -- memory -------------------------------------------------------------------

@row("ssh-memory", "memory of an SSH session, logged in and in upload-pack")
def ssh_memory(bench):
    n = 60

    def sample(server, name, command):
        with ssh_to(bench, server, 0) as ssh:
            ssh.hold(1, command)  # what is loaded once
            base = server.meter.proportional("Pss_Anon")
            ssh.hold(n, command)
            held = server.meter.proportional("Pss_Anon")
            return (held - base) / (n - 1)

    for what, goal in (("logged in", 40), ("inside upload-pack", 64)):
        command = None if what == "logged in" else "upload-pack"
        with bench.stock("ssh") as server:
            server.place("plain", bench.repo("plain").path)
            stock = {"plain": sample(server, "plain", command and
                                     server.command(command, "plain"))}
        ours = ours_plain(bench, lambda s, name: sample(
            s, name, command and s.command(command, name)))
        yield Line(f"anonymous memory per SSH session, {what}", "KB", ours,
                   stock, goal, "most")


def peak_while(server, operation):
    """KB of anonymous memory above idle; the operation's answer."""
    base = server.meter.anonymous()
    peak, done = [base], threading.Event()

    def watch():
        while not done.is_set():
            peak[0] = max(peak[0], server.meter.anonymous())
            time.sleep(0.003)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        answer = operation()
    finally:
        done.set()
        watcher.join(10)
    return peak[0] - base, answer


@row("big-clone", "memory and CPU of a clone of the big repository",
     quick=False)
def big_clone(bench):
    for door in ("http", "ssh"):
        yield from big_clone_door(bench, door)


def big_clone_door(bench, door):
    repo = bench.repo("big")
    files = [bench.file(ls_refs()), bench.file(fetch_v2(repo.tips))]

    def one(server, name):
        if door == "http":
            return http_fetch(server.http_port, name, fetch_v2(repo.tips))
        with ssh_to(bench, server) as ssh:
            return ssh.run(server.command("upload-pack", name), "PACK",
                           files)[0]

    def sample(server, name):
        before = server.settle()
        peak, trip = peak_while(server, lambda: one(server, name))
        return peak / 1e3, server.settle() - before, trip

    with bench.stock(door) as server:
        stock = {}
        for state, source in (("plain", "big"), ("marks", "big-marks")):
            server.place(state, bench.repo(source).path)
            stock[state] = sample(server, state)
        if server.meter.limit_memory(LIMIT):
            stock["marks, 64 MiB"] = sample(server, "marks")
    samples = []
    for limit in (0, LIMIT):
        server = bench.headwater()
        server.place("big", repo.path)
        with server:
            if limit and not server.meter.limit_memory(limit):
                raise Unable("no memory control group here")
            samples.append([sample(server, "big"), sample(server, "big")])
    (first, again), (_, limited) = samples
    what = f"clone of {again[2].n_bytes / 1e6:.0f} MB, {door.upper()}"
    small = stock.pop("marks, 64 MiB", None)
    memory = {k: s[0] for k, s in stock.items()}
    cpu = {k: s[1] * 1e3 for k, s in stock.items()}
    yield Line(f"{what}, first: peak memory above idle", "MB", first[0],
               memory)
    yield Line(f"{what}, again: peak memory above idle", "MB", again[0],
               memory, 4, "most")
    yield Line(f"{what}, first: server CPU", "ms", first[1] * 1e3, cpu)
    yield Line(f"{what}, again: server CPU", "ms", again[1] * 1e3, cpu)
    yield Line(f"{what}, in 64 MiB: server CPU against without limit", "ms",
               limited[1] * 1e3, {"no limit": again[1] * 1e3}, 1.1)
    if small:
        yield Line(f"{what}, in 64 MiB: server CPU", "ms", limited[1] * 1e3,
                   {"marks": small[1] * 1e3})


