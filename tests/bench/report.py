# SPDX-License-Identifier: Apache-2.0
"""The measured figures as a table, as a plot and as JSON."""

import html
import math
import os
import pathlib
import platform
import re
import subprocess

from meter import Meter
from servers import ROOT


def first_line(*command):
    try:
        result = subprocess.run(command, capture_output=True, text=True,
                                timeout=10)
        return (result.stdout + result.stderr).strip().split("\n")[0]
    except OSError:
        return f"no {command[0]}"


def machine(bench):
    """Lines that say where this was measured and what."""
    cpu = re.search(r"model name\s*: (.*)",
                    pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)",
                       pathlib.Path("/proc/meminfo").read_text())
    meter = Meter("probe")
    how = meter.how
    meter.end()
    load = os.getloadavg()[0]
    return [
        f"machine: {os.cpu_count()} x {cpu[1] if cpu else 'unknown CPU'}, "
        f"{int(memory[1]) / 1e6:.0f} GB, Linux {platform.release()}, "
        f"load {load:.1f} at the start",
        "stock: " + ", ".join((
            first_line("git", "--version"), first_line("ssh", "-V"),
            first_line("/usr/sbin/nginx", "-v"))),
        "headwater: " + first_line("git", "-c", "safe.directory=*", "-C",
                                   str(ROOT), "log", "-1", "--format=%h %s"),
        f"repository: {bench.repo('plain').describe()}",
        f"CPU by: {how}; client: raw sockets and libssh, on the same machine",
    ]


def number(value):
    if value is None:
        return ""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def goal_text(line):
    if line.goal is None:
        return ""
    sign = {"ratio": "<=", "times": ">=", "most": "<=", "least": ">="}
    unit = line.unit if line.kind in ("most", "least") else "x"
    return f"{sign[line.kind]} {line.goal:g} {unit}"


VERDICT = {True: "yes", False: "NO", None: ""}


def stock_text(line):
    """The best state first."""
    states = sorted(line.stock, key=lambda k: k != line.best)
    return ", ".join(f"{number(line.stock[k])} ({k})" for k in states)


def table(machine_lines, results):
    rows = [("operation", "unit", "headwater", "stock, best first", "ratio",
             "goal", "met")]
    for row, lines, failure in results:
        for line in lines:
            rows.append((line.what, line.unit, number(line.ours),
                         stock_text(line), number(line.ratio),
                         goal_text(line), VERDICT[line.met]))
        if failure:
            rows.append((f"{row.name} {failure}", *[""] * 6))
    widths = [max(len(r[i]) for r in rows if r[1] or i) for i in range(7)]
    text = ["  ".join(c.ljust(w) for c, w in zip(r, widths)).rstrip()
            for r in rows]
    return "\n".join([*machine_lines, "", text[0], "-" * len(text[0]),
                      *text[1:]])


def plain(machine_lines, results):
    return {"machine": machine_lines, "rows": [
        {"row": row.name, "failure": failure, "lines": [
            {"what": l.what, "unit": l.unit, "headwater": l.ours,
             "stock": l.stock, "ratio": l.ratio, "goal": l.goal,
             "kind": l.kind, "met": l.met} for l in lines]}
        for row, lines, failure in results]}


# -- the plot -----------------------------------------------------------------

LEFT, WIDTH, STEP, TOP = 430, 460, 18, 60


def cost(line):
    """Ours relative to stock, smaller being better; the same of the goal."""
    ratio, goal = line.ratio, line.goal if line.kind in ("ratio", "times") \
        else None
    if line.kind in ("times", "least"):
        ratio = 1 / ratio
        goal = 1 / goal if goal else None
    return ratio, goal


def svg(machine_lines, results):
    """A bar for each ratio to stock, on a logarithmic axis, goals as ticks."""
    lines = [l for _, ls, _ in results for l in ls
             if l.ratio and l.ratio > 0 and "bytes" not in l.what]
    low = min([0.01] + [cost(l)[0] for l in lines])
    decades = math.ceil(-math.log10(low))

    def x(value):
        place = (math.log10(max(value, 10 ** -decades)) + decades)
        return LEFT + WIDTH * min(place / (decades + 0.5), 1)

    height = TOP + STEP * len(lines) + 20 + 14 * len(machine_lines)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 90}"'
           f' height="{height}" font-family="sans-serif" font-size="11">',
           '<rect width="100%" height="100%" fill="white"/>',
           '<text x="10" y="20" font-size="15">Headwater against stock git '
           '(1 = stock; smaller is better; line = goal)</text>']
    for d in range(-decades, 1):
        at = x(10 ** d)
        out.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 8}" '
                   f'y2="{TOP + STEP * len(lines)}" stroke="#ddd"/>'
                   f'<text x="{at:.1f}" y="{TOP - 12}" text-anchor="middle">'
                   f'{10.0 ** d:g}</text>')
    for i, line in enumerate(lines):
        y = TOP + STEP * i
        ratio, goal = cost(line)
        colour = {True: "#3a7d44", False: "#b3412f", None: "#7a8794"}[line.met]
        out.append(f'<text x="{LEFT - 8}" y="{y + 11}" text-anchor="end">'
                   f'{html.escape(line.what)}</text>'
                   f'<rect x="{LEFT}" y="{y + 2}" width='
                   f'"{max(1, x(ratio) - LEFT):.1f}" height="{STEP - 6}" '
                   f'fill="{colour}"/>'
                   f'<text x="{x(ratio) + 4:.1f}" y="{y + 11}">'
                   f'{number(ratio)}</text>')
        if goal:
            out.append(f'<line x1="{x(goal):.1f}" x2="{x(goal):.1f}" '
                       f'y1="{y}" y2="{y + STEP - 2}" stroke="black" '
                       'stroke-width="2"/>')
    for i, text in enumerate(machine_lines):
        y = TOP + STEP * len(lines) + 24 + 14 * i
        out.append(f'<text x="10" y="{y}" fill="#555">{html.escape(text)}'
                   '</text>')
    return "\n".join([*out, "</svg>", ""])
