# SPDX-License-Identifier: Apache-2.0
"""Rows, lines and how a server is measured."""

import contextlib
import dataclasses
import statistics

from clients import Ssh
from servers import user

ROWS = {}


@dataclasses.dataclass
class Row:
    name: str
    what: str
    quick: bool
    function: object


def row(name, what, quick=True):
    """Decorate a generator of Lines that is given the Bench."""
    def add(function):
        ROWS[name] = Row(name, what, quick, function)
        return function
    return add


@dataclasses.dataclass
class Line:
    """One figure. What a goal bounds is `kind`:

    ratio: ours / stock at most; times: ours / stock at least;
    most, least: our own figure.
    """

    what: str
    unit: str
    ours: float
    stock: dict = dataclasses.field(default_factory=dict)
    goal: float = None
    kind: str = "ratio"

    @property
    def best(self):
        """The state of stock git that did best, or None."""
        if not self.stock:
            return None
        better = max if self.kind in ("times", "least") else min
        return better(self.stock, key=self.stock.get)

    @property
    def ratio(self):
        stock = self.stock.get(self.best)
        return self.ours / stock if stock else None

    @property
    def met(self):
        """None where there is no goal."""
        if self.goal is None:
            return None
        if self.kind in ("most", "least"):
            value = self.ours
        else:
            value = self.ratio
        if value is None:
            return None
        return value <= self.goal if self.kind in ("ratio", "most") \
            else value >= self.goal


@dataclasses.dataclass
class Sample:
    """Medians of one operation: seconds of CPU and wall, bytes."""

    cpu: float
    wall: float
    first: float
    n_bytes: int


def measure(server, operation, n=1, batches=5, warm=1):
    """CPU is the median of `batches` means over `n`; the rest are medians."""
    for _ in range(warm):
        operation()
    cpus, trips = [], []
    for _ in range(batches):
        before = server.settle()
        trips += [operation() for _ in range(n)]
        cpus.append((server.settle() - before) / n)
    return Sample(statistics.median(cpus),
                  statistics.median(t.wall for t in trips),
                  statistics.median(t.first for t in trips),
                  trips[-1].n_bytes)


def each(server, operations):
    """The same of operations that can be done once only."""
    queue = iter(operations)
    return measure(server, lambda: next(queue)(), 1, len(operations), warm=0)


def compare(what, ours, stock, cpu=None, wall=None, first=None,
            metrics=("cpu", "wall")):
    """Lines of samples: ours, and stock's by state."""
    goals = {"cpu": cpu, "wall": wall, "first": first}
    names = {"cpu": "server CPU", "wall": "wall", "first": "first byte"}
    for metric in ("cpu", "wall", "first"):
        if metric in metrics:
            yield Line(f"{what}: {names[metric]}", "ms",
                       getattr(ours, metric) * 1e3,
                       {k: getattr(s, metric) * 1e3 for k, s in stock.items()},
                       goals[metric])
    if "bytes" in metrics:
        yield Line(f"{what}: bytes", "MB", ours.n_bytes / 1e6,
                   {k: s.n_bytes / 1e6 for k, s in stock.items()})


@contextlib.contextmanager
def ssh_to(bench, server, protocol=2):
    with Ssh(bench.ssh_client, server, user(), protocol) as ssh:
        yield ssh
