# SPDX-License-Identifier: Apache-2.0
"""Polls, clones and fetches, one at a time."""

import statistics
import time

from clients import (FLUSH, Http, Trip, fetch_v2, http_fetch, http_ls_refs, ls_refs, push_request, shallow_v0)
from repos import ZERO, small_pushes
from table import Line, compare, each, measure, row, ssh_to

STATES = ("plain", "marks")  # stock without, and with bitmaps and a graph
N_COLD = 5


def stock_states(bench, doors, sample, states=STATES):
    """`sample(server, name)` of stock git in every state."""
    with bench.stock(*doors) as server:
        for name in states:
            server.place(name, bench.repo(name).path)
        return {name: sample(server, name) for name in states}


# -- polls --------------------------------------------------------------------

def kept(n):
    def sample(server, name):
        with Http(server.http_port) as http:
            return measure(server, lambda: http_ls_refs(http, name), n)
    return sample


def fresh(n):
    def sample(server, name):
        def operation():
            with Http(server.http_port) as http:
                return http_ls_refs(http, name)
        return measure(server, operation, n)
    return sample


def ours_plain(bench, sample, source="plain"):
    server = bench.headwater()
    server.place("plain", bench.repo(source).path)
    with server:
        return sample(server, "plain")


@row("http-ls-refs", "GET and ls-refs over HTTP")
def http_polls(bench):
    for what, make, goal in (("kept connection", kept, 0.005),
                             ("fresh connections", fresh, 0.015)):
        stock = stock_states(bench, ["http"], make(20))
        ours = ours_plain(bench, make(300))
        yield from compare(f"HTTP ls-refs, {what}", ours, stock, cpu=goal)


def ssh_poll(bench, protocol, n):
    body = bench.file(FLUSH if protocol == 0 else ls_refs())

    def sample(server, name):
        with ssh_to(bench, server, protocol) as ssh:
            command = server.command("upload-pack", name)
            return measure(server, lambda: ssh.run(command, "", [body])[0], n)
    return sample


@row("ssh-ls-remote", "ls-remote over SSH, protocols 2 and 0")
def ssh_polls(bench):
    for protocol in (2, 0):
        stock = stock_states(bench, ["ssh"], ssh_poll(bench, protocol, 5))
        ours = ours_plain(bench, ssh_poll(bench, protocol, 20))
        yield from compare(f"SSH ls-remote, v{protocol}", ours, stock,
                           cpu=0.06, wall=0.05)


# -- clones -------------------------------------------------------------------

def clone_operation(bench, server, ssh, name, wants, shallow=False):
    """One clone, over HTTP or over `ssh`."""
    if ssh is None:
        body = shallow_v0(wants[0]) if shallow else fetch_v2(wants)
        version = 0 if shallow else 2
        return lambda: http_fetch(server.http_port, name, body, version)
    files = [bench.file(shallow_v0(wants[0]))] if shallow else \
        [bench.file(ls_refs()), bench.file(fetch_v2(wants))]
    command = server.command("upload-pack", name)
    return lambda: ssh.run(command, "PACK", files)[0]


def clone_sample(bench, door, wants, shallow):
    def sample(server, name):
        if door == "http":
            return measure(server, clone_operation(
                bench, server, None, name, wants, shallow))
        with ssh_to(bench, server, 0 if shallow else 2) as ssh:
            return measure(server, clone_operation(
                bench, server, ssh, name, wants, shallow))
    return sample


def cold_sample(bench, server, door, wants, shallow):
    """Of repositories that nobody has asked for before."""
    names = [f"cold{i}" for i in range(N_COLD)]
    if door == "http":
        return each(server, [clone_operation(bench, server, None, n, wants,
                                             shallow) for n in names])
    with ssh_to(bench, server, 0 if shallow else 2) as ssh:
        return each(server, [clone_operation(bench, server, ssh, n, wants,
                                             shallow) for n in names])


def clones(bench, what, door, wants, shallow=False, cold={}, again={}):
    sample = clone_sample(bench, door, wants, shallow)
    stock = stock_states(bench, [door], sample)
    server = bench.headwater()
    for name in ("plain", *(f"cold{i}" for i in range(N_COLD))):
        server.place(name, bench.repo("plain").path)
    with server:
        first = cold_sample(bench, server, door, wants, shallow)
        ours = sample(server, "plain")
    metrics = ("cpu", "wall", "first", "bytes")
    yield from compare(f"{what}, first of a repository", first, stock,
                       metrics=metrics[:3], **cold)
    yield from compare(f"{what}, again", ours, stock, metrics=metrics, **again)


def clone_row(door, goal):
    @row(f"clone-{door}", f"full clone over {door.upper()}")
    def full(bench):
        yield from clones(bench, f"full clone, {door.upper()}", door,
                          bench.repo("plain").tips,
                          again={"cpu": goal, "first": 0.1})


def part_row(door, goal):
    @row(f"clone-part-{door}", "clone of one branch, a part of the pack, "
         f"over {door.upper()}")
    def part(bench):
        yield from clones(bench, f"clone of a part, {door.upper()}", door,
                          [bench.repo("plain").head], again={"cpu": goal})


for _door, _full, _part in (("http", 0.10, 0.15), ("ssh", 0.15, 0.20)):
    clone_row(_door, _full)
    part_row(_door, _part)


@row("depth1-http", "depth-1 clone as go-git asks over HTTP")
def depth1_http(bench):
    yield from clones(bench, "depth 1, HTTP", "http",
                      [bench.repo("plain").head], True,
                      cold={"cpu": 0.25}, again={"cpu": 0.005})


@row("depth1-ssh", "depth-1 clone as go-git asks over SSH")
def depth1_ssh(bench):
    lines = list(clones(bench, "depth 1, SSH", "ssh",
                        [bench.repo("plain").head], True, cold={"cpu": 0.25}))
    yield from lines
    login = ours_plain(bench, ssh_poll(bench, 0, 20)).cpu
    floor = login * 1e3 + 500 * lines[-1].ours / 1e3
    yield Line("depth 1, SSH, again: server CPU against login + 0.5 s/GB",
               "ms", lines[3].ours, {"floor": floor}, 1.5)


# -- fetch after a push -------------------------------------------------------

N_PUSHES = 8


def fetches(bench, server, name, door):
    """A push, then the fetch of what it brought; only this is measured."""
    repo = bench.repo("plain")
    operations = []
    measured = []
    with ssh_to(bench, server, 0) as pusher, \
            ssh_to(bench, server, 2) as ssh:
        chain = list(small_pushes(repo, N_PUSHES, name))
        for i, (old, new, pack) in enumerate(chain):
            request = push_request(old if i else ZERO, new, "refs/heads/fetch",
                                   pack)
            pusher.run(server.command("receive-pack", name), "unpack ok",
                       [bench.file(request)])
            body = fetch_v2([new], [old], ("thin-pack", "no-progress",
                                           "ofs-delta", "include-tag"))
            if door == "http":
                operations = [lambda: http_fetch(server.http_port, name, body)]
            else:
                files = [bench.file(ls_refs()), bench.file(body)]
                operations = [lambda: ssh.run(server.command(
                    "upload-pack", name), "PACK", files)[0]]
            measured.append(each(server, operations))
    measured.sort(key=lambda s: s.cpu)
    middle = measured[len(measured) // 2]
    walls = sorted(s.wall for s in measured)
    return type(middle)(middle.cpu, walls[len(walls) // 2], middle.first,
                        middle.n_bytes)


def fetch_row(door, goal):
    @row(f"fetch-{door}", "fetch of one commit just pushed, over "
         f"{door.upper()}")
    def fetch(bench):
        def sample(server, name):
            return fetches(bench, server, name, door)

        with bench.stock("ssh", door) as server:
            stock = {}
            for name in STATES:
                server.place(name, bench.repo(name).path)
                stock[name] = sample(server, name)
        ours = ours_plain(bench, sample)
        yield from compare(f"fetch after a small push, {door.upper()}", ours,
                           stock, cpu=goal)


fetch_row("http", 0.01)
fetch_row("ssh", 0.06)


# -- many refs ----------------------------------------------------------------

@row("refs-100k", "a repository with 100,000 refs: one prefix, all of them")
def refs_100k(bench):
    def one(server, name):
        with Http(server.http_port) as http:
            return measure(server, lambda: http_post_refs(
                http, name, ("refs/many/042/042042",)), 20)

    def all_http(server, name):
        with Http(server.http_port) as http:
            return measure(server, lambda: http_post_refs(http, name, ()))

    cases = (("one prefix, HTTP v2", "http", one, 0.01),
             ("all, HTTP v2", "http", all_http, 0.05),
             ("all, SSH v0", "ssh", ssh_poll(bench, 0, 1), 0.1))
    for what, door, sample, goal in cases:
        stock = stock_states(bench, [door], sample, ["many-refs"])
        ours = ours_plain(bench, sample, "many-refs")
        yield from compare(f"100k refs, {what}", ours, stock, cpu=goal,
                           metrics=("cpu", "wall", "bytes"))


def http_post_refs(http, name, prefixes):
    start = time.monotonic()
    http.send(f"/{name}.git/git-upload-pack", ls_refs(prefixes))
    body = http.receive()
    return Trip(time.monotonic() - start, 0.0, len(body))


# -- size of the repository ---------------------------------------------------

@row("poll-big", "a poll on a big repository against one on a small one",
     quick=False)
def poll_big(bench):
    def both(server, sample):
        """CPU of both in turn, since the machine is not the same all along."""
        pairs = [(sample(server, "small").cpu, sample(server, "big").cpu)
                 for _ in range(5)]
        return statistics.median(b / s for s, b in pairs)

    cases = (("HTTP, kept connection", "http", kept(50)),
             ("SSH v0", "ssh", ssh_poll(bench, 0, 10)))
    for what, door, sample in cases:
        ratios = []
        for server in (bench.headwater(), bench.stock(door)):
            for name in ("small", "big"):
                server.place(name, bench.repo(name).path)
            with server:
                ratios.append(both(server, sample))
        yield Line(f"poll of a big repository / of a small one, {what}", "x",
                   ratios[0], {}, 1.1, "most")
        yield Line("the same of stock git", "x", ratios[1])
