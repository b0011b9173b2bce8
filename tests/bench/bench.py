# SPDX-License-Identifier: Apache-2.0
"""Measure stock git and Headwater in turn; see README.md here."""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import repos
import report
import rows_load
import rows_push
import rows_read
import rows_rest
from repos import Repo
from servers import ROOT, Headwater, Stock, Unable
from table import ROWS

assert rows_load and rows_push and rows_read and rows_rest  # they fill ROWS


class Timeout(Exception):
    pass


class Bench:
    """What rows share: where things are, repositories made when asked for."""

    def __init__(self, args, work):
        self.args = args
        self.work = pathlib.Path(work)
        self.build = pathlib.Path(args.build).resolve()
        self.ssh_client = self.build / "tests" / "bench" / "bench_ssh_client"
        self.key = self.work / "key"
        self.n_servers = 0
        self.n_files = 0
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                        self.key], check=True, timeout=20)

    # -- repositories ---------------------------------------------------------

    def repo(self, name):
        """One of: plain, marks, many-refs, small, big, big-marks."""
        path = self.work / "sources" / f"{name}.git"
        if not path.exists():
            half = path.with_suffix(".half")
            shutil.rmtree(half, ignore_errors=True)
            half.parent.mkdir(exist_ok=True)
            self.say(f"making the repository {name}")
            with self.limit(self.args.making):
                self.make(name, half)
            half.rename(path)
        return Repo(path)

    def make(self, name, path):
        if name == "plain" and self.args.bundle:
            repos.clone_bundle(self.args.bundle, path)
        elif name == "plain":
            repos.make(path, 6000, 4000, fresh=False)
        elif name in ("small", "big"):
            n = 7000 if name == "small" else self.args.big_commits
            repos.make(path, n, 4096, fresh=True)
        elif name == "many-refs":
            repos.many_refs(self.repo("plain").path, path, 100000)
        else:
            source = {"marks": "plain", "big-marks": "big"}[name]
            repos.with_marks(self.repo(source).path, path)

    def file(self, data):
        """A file with these bytes, for the SSH client."""
        self.n_files += 1
        path = self.work / f"request-{self.n_files}"
        path.write_bytes(data)
        return path

    # -- servers --------------------------------------------------------------

    def directory(self):
        self.n_servers += 1
        return self.work / f"server-{self.n_servers}"

    def stock(self, *doors):
        return Stock(self.directory(), self.key, doors or ("ssh", "http"))

    def headwater(self):
        return Headwater(self.directory(), self.key, self.build)

    # -- running --------------------------------------------------------------

    def say(self, text):
        print(f"-- {text}", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def limit(self, seconds):
        """No step lasts longer; limits nest, the inner one counts."""
        def over(*_):
            raise Timeout(f"not done after {seconds} s")

        before = signal.signal(signal.SIGALRM, over)
        left = signal.alarm(seconds)
        start = time.monotonic()
        try:
            yield
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
            if left:
                spent = int(time.monotonic() - start)
                # Making a repository does not count as measuring.
                signal.alarm(left if seconds > left else max(1, left - spent))

    def run_row(self, row):
        """Lines of a row; one line with a sentence where it fails."""
        start = time.monotonic()
        lines, failure = [], None
        try:
            with self.limit(self.args.patience):
                for line in row.function(self):
                    lines.append(line)
        except Unable as e:
            failure = f"skipped: {e}"
        except Exception as e:  # a row that fails must not end the others
            failure = f"failed: {type(e).__name__}: {e}"
            if self.args.debug:
                traceback.print_exc()
        self.say(f"{row.name}: {time.monotonic() - start:.1f} s"
                 + (f", {failure}" if failure else ""))
        if not self.args.keep:
            for path in self.work.glob("server-*"):
                shutil.rmtree(path, ignore_errors=True)
        return lines, failure


def arguments():
    parser = argparse.ArgumentParser(
        prog="tests/bench/run", description="Stock git behind sshd and nginx "
        "against Headwater: CPU, wall, bytes, memory.")
    parser.add_argument("rows", nargs="*", metavar="ROW",
                        help="rows to measure; without any the quick ones")
    parser.add_argument("--all", action="store_true",
                        help="every row, also those on a big repository")
    parser.add_argument("--list", action="store_true", help="name the rows")
    parser.add_argument("--bundle", metavar="FILE",
                        help="the repository; without it one is made")
    parser.add_argument("--big-commits", type=int, default=80000, metavar="N",
                        help="size of the big repository: four objects and "
                        "4 KB a commit (80000)")
    parser.add_argument("--pushes", type=int, default=1000, metavar="N",
                        help="how many the row push-many makes (1000)")
    parser.add_argument("--build", default=str(ROOT / "build"), metavar="DIR")
    parser.add_argument("--out", default=str(ROOT / "build" / "bench"),
                        metavar="DIR", help="where table and plot go")
    parser.add_argument("--sources", metavar="DIR",
                        help="keep the repositories there for the next run")
    parser.add_argument("--patience", type=int, default=240, metavar="S",
                        help="seconds after which a row is given up (240)")
    parser.add_argument("--making", type=int, default=900, metavar="S",
                        help="seconds for making a repository (900)")
    parser.add_argument("--keep", action="store_true",
                        help="leave the work directory")
    parser.add_argument("--debug", action="store_true",
                        help="show where a row failed")
    return parser.parse_args()


def chosen(args):
    unknown = [r for r in args.rows if r not in ROWS]
    if unknown:
        sys.exit(f"tests/bench/run: there is no row {unknown[0]}; --list "
                 "names them")
    if args.rows:
        return [ROWS[r] for r in args.rows]
    return [r for r in ROWS.values() if args.all or r.quick]


def main():
    args = arguments()
    if args.list:
        for row in ROWS.values():
            print(f"{row.name:24} {row.what}" + ("" if row.quick else
                                                 " (not in the quick set)"))
        return
    rows = chosen(args)
    work = tempfile.mkdtemp(prefix="headwater-bench-", dir="/var/tmp")
    try:
        if args.sources:
            os.makedirs(args.sources, exist_ok=True)
            os.symlink(os.path.abspath(args.sources), f"{work}/sources")
        bench = Bench(args, work)
        machine = report.machine(bench)
        results = [(row, *bench.run_row(row)) for row in rows]
    finally:
        if args.keep:
            print(f"kept {work}", file=sys.stderr)
        else:
            shutil.rmtree(work, ignore_errors=True)
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    text = report.table(machine, results)
    print(text)
    (out / "table.txt").write_text(text + "\n")
    (out / "plot.svg").write_text(report.svg(machine, results))
    (out / "results.json").write_text(json.dumps(
        report.plain(machine, results), indent=1))
    print(f"table.txt, plot.svg and results.json are in {out}",
          file=sys.stderr)


if __name__ == "__main__":
    main()
