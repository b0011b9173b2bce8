# SPDX-License-Identifier: Apache-2.0
"""A server that does nothing yet: its memory, its start."""

import statistics
import subprocess
import time

from repos import init
from servers import START_S, Unable
from table import Line, row


@row("idle", "memory of a server that nobody has asked anything")
def idle(bench):
    def sample(server, name):
        server.place(name, bench.repo("plain").path)
        with server:
            return (server.meter.proportional("Pss_Anon") / 1e3,
                    server.meter.proportional("Pss") / 1e3)

    stock = sample(bench.stock(), "plain")
    ours = sample(bench.headwater(), "plain")
    yield Line("idle: anonymous memory", "MB", ours[0], {"plain": stock[0]},
               3.5, "most")
    yield Line("idle: proportional set size", "MB", ours[1],
               {"plain": stock[1]}, 12, "most")


def start_once(server):
    """Milliseconds from spawning to the ready line."""
    start = time.monotonic()
    process = subprocess.Popen(
        [server.program, "serve", "--data", server.data, "--ssh=127.0.0.1:0",
         "--http=127.0.0.1:0", "--probe=127.0.0.1:0"],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        for line in process.stderr:
            if b"event=ready" in line:
                return (time.monotonic() - start) * 1e3
        raise Unable("headwaterd did not start")
    finally:
        process.terminate()
        process.communicate(timeout=START_S)


@row("start", "from start to ready with 1 and with 500 repositories")
def start(bench):
    server = bench.headwater()
    server.place("plain", bench.repo("plain").path)
    empty = init(bench.directory())
    done = 1
    for n, goal in ((1, 20), (500, 40)):
        for i in range(done, n):
            server.place(f"team-{i % 20}/r{i}", empty)
        done = n
        times = [start_once(server) for _ in range(9)]
        yield Line(f"start to ready, repositories: {n}", "ms",
                   statistics.median(times), {}, goal, "most")
