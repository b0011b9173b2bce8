# SPDX-License-Identifier: Apache-2.0
"""What a server costs: CPU time and memory of all its processes.

A server lives in a control group of its own, which counts the children that
are long gone too. Where groups cannot be made (no root, no cpuacct or cpu
controller), /proc is added up instead: the living and what they have reaped,
in ticks of 10 ms.
"""

import contextlib
import os
import pathlib
import re
import signal
import time

V1 = pathlib.Path("/sys/fs/cgroup")
V2 = [pathlib.Path("/sys/fs/cgroup"), pathlib.Path("/sys/fs/cgroup/unified")]
TICK = os.sysconf("SC_CLK_TCK")


def make_group(parent, name, marker):
    """A control group, or None where this machine gives none."""
    path = parent / name
    with contextlib.suppress(OSError):
        path.mkdir(exist_ok=True)
        if (path / marker).exists():
            return path
        path.rmdir()
    return None


def stat_fields(pid):
    """Parent and CPU ticks (its own and its reaped children's) of a process."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    fields = text.rsplit(")", 1)[1].split()
    return int(fields[1]), sum(map(int, fields[11:15]))


class Meter:
    """Start processes with `join` as preexec_fn; then ask."""

    def __init__(self, name):
        name = f"headwater-bench-{os.getpid()}-{name}"
        self.roots = []
        self.cpu_v1 = make_group(V1 / "cpuacct", name, "cpuacct.usage")
        self.memory_v1 = make_group(V1 / "memory", name,
                                    "memory.limit_in_bytes")
        self.cpu_v2 = None
        if not self.cpu_v1:
            for root in V2:
                self.cpu_v2 = self.cpu_v2 or make_group(root, name, "cpu.stat")

    @property
    def how(self):
        if self.cpu_v1:
            return "cpuacct control group"
        if self.cpu_v2:
            return "control group (v2)"
        return "/proc, in ticks of 10 ms"

    def groups(self):
        return [g for g in (self.cpu_v1, self.memory_v1, self.cpu_v2) if g]

    def join(self):
        """For preexec_fn: the child enters the groups."""
        for group in self.groups():
            (group / "cgroup.procs").write_text(str(os.getpid()))

    def add(self, process):
        self.roots.append(process)
        return process

    def limit_memory(self, n_bytes):
        """False where this machine cannot."""
        if not self.memory_v1:
            return False
        (self.memory_v1 / "memory.limit_in_bytes").write_text(str(n_bytes))
        return True

    def pids(self):
        """Every living process of the server."""
        group = self.cpu_v1 or self.cpu_v2
        if group:
            return list(map(int, (group / "cgroup.procs").read_text().split()))
        parents = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with contextlib.suppress(OSError, IndexError):
                    parents[int(entry)] = stat_fields(entry)[0]
        found = {p.pid for p in self.roots if p.pid in parents}
        grown = True
        while grown:
            more = {c for c, p in parents.items() if p in found} - found
            grown = bool(more)
            found |= more
        return sorted(found)

    def cpu(self):
        """Seconds of CPU so far."""
        if self.cpu_v1:
            return int((self.cpu_v1 / "cpuacct.usage").read_text()) / 1e9
        if self.cpu_v2:
            text = (self.cpu_v2 / "cpu.stat").read_text()
            return int(re.search(r"usage_usec (\d+)", text)[1]) / 1e6
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError, IndexError):
                total += stat_fields(pid)[1]
        return total / TICK

    def settle(self, n_processes, patience=5.0):
        """Wait until helpers are gone and nobody works; CPU so far."""
        deadline = time.monotonic() + patience
        before = self.cpu()
        quiet = 0
        while time.monotonic() < deadline and quiet < 2:
            time.sleep(0.004)
            after = self.cpu()
            still = after - before < 0.00005
            quiet = quiet + 1 if still and len(self.pids()) <= n_processes \
                else 0
            before = after
        return before

    def anonymous(self):
        """KB of anonymous memory, by counters that are cheap to read."""
        return self._sum("status", r"RssAnon:\s+(\d+)")

    def proportional(self, field="Pss"):
        """KB of Pss or Pss_Anon, where what is shared is divided."""
        return self._sum("smaps_rollup", rf"^{field}:\s+(\d+)")

    def _sum(self, file, pattern):
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                text = pathlib.Path(f"/proc/{pid}/{file}").read_text()
                match = re.search(pattern, text, re.M)
                total += int(match[1]) if match else 0
        return total

    def end(self, patience=5.0):
        """End every process of the server, first politely."""
        for sig in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + patience
            for pid in self.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sig)
            while time.monotonic() < deadline:
                for process in self.roots:
                    process.poll()
                if not self.pids():
                    break
                time.sleep(0.01)
        for group in self.groups():
            with contextlib.suppress(OSError):
                group.rmdir()
