#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The documents tell what there is: no more, and no less.

Paths that READMEs name exist. headwater.conf(5) has every option that
`headwaterd --print-config` has, every key of the table of objects, and no
others; server/README.md the limits with their defaults. headwater(1) has the verbs and options of `headwater --help`.
openapi.yaml has the routes of the table. mandoc finds no fault in the manuals.
"""

import re
import subprocess
import sys
from pathlib import Path

import source

READMES = {
    # Where else than beside itself a document's paths may begin.
    "README.md": (".",),
    "CONTRIBUTING.md": (".",),
    "server/README.md": ("server", "."),
    "hooks/README.md": ("hooks", "server", "."),
    "chart/README.md": ("chart", "."),
    "hooks/flux.md": ("hooks", "."),
}
CONF_MANUAL = "server/man/headwater.conf.5"
ADMIN_MANUAL = "admin/man/headwater.1"
LIMITS = "server/README.md"
MANUALS = (CONF_MANUAL, ADMIN_MANUAL, "server/man/headwaterd.8")
SCHEMA = "server/store/state_schema.c"
ROUTES = "server/net/admin_routes.c"
OPENAPI = "server/net/openapi.yaml"

# A word in backquotes is a path of ours if it begins with a folder of the
# house, or if it is a file of one.
FOLDERS = r"(?:server|hooks|admin|chart|tests|base|git|store|net|app|man)"
PATH = re.compile(rf"`((?:\.\./)?{FOLDERS}/[\w./-]*|[\w-]+\.(?:[ch]|md|yaml))`")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


# -- paths --------------------------------------------------------------------

def paths_of(text):
    """Every path that a document names, with its line."""
    for number, line in enumerate(text.split("\n"), 1):
        for match in LINK.finditer(line):
            yield number, match[1], True
        for match in PATH.finditer(line):
            yield number, match[1], False


def is_there(root, document, path, is_link):
    """A link is relative to its document, as browsers follow it; a path may
    also name a module, which is its header or source.
    """
    if is_link:
        return Path(root, document).parent.joinpath(path).exists()
    return any(
        Path(root, start, path + suffix).exists()
        for start in READMES[document]
        for suffix in ("", ".h", ".c")
    )


def check_paths(root):
    """Paths that lead nowhere."""
    for document in READMES:
        for number, path, is_link in paths_of(Path(root, document).read_text()):
            if not is_there(root, document, path, is_link):
                yield f"{document}:{number}: there is no {path}"


# -- what two sides have ------------------------------------------------------

def difference(there, told, document, where):
    """What one side has and the other has not, in both directions."""
    for one in sorted(there - told):
        yield f"{document}: '{one}' is missing, which {where} has"
    for one in sorted(told - there):
        yield f"{document}: '{one}' is not in {where}"


def options_printed(text):
    """("limits", "sessions") and so on, of --print-config."""
    section = None
    for line in text.split("\n"):
        header = re.fullmatch(r"\[(\w+)\]", line)
        option = re.match(r"\s; ([a-z-]+) = ?", line)
        if header:
            section = header[1]
        elif option:
            yield f"{section}.{option[1]}"


def limits_printed(text):
    """("sessions", "2000") and so on, of --print-config."""
    return re.findall(
        r"^\t; ([a-z-]+) = (.*)$", text.split("[limits]")[1], re.MULTILINE
    )


def limits_of_readme(text):
    """The same of the list that server/README.md holds."""
    part = re.search(r"\n## Limits\n(.*?)\n## ", text, re.DOTALL)[1]
    return re.findall(r"^    ([a-z-]+) +(\S+)$", part, re.MULTILINE)


def options_of_schema(text):
    """The same of the table of objects."""
    for kind, rows in re.findall(
        r"state_option (\w+)_options\[\] = \{(.*?)\n\};", text, re.DOTALL
    ):
        for key in re.findall(r'\{ "([a-z-]+)", OPTION_', rows):
            yield f"{kind}.{key}"


def options_of_manual(text):
    """The same of headwater.conf(5)."""
    section = None
    for line in text.split("\n"):
        header = re.match(r"\.S[sh] (?:Sections? )?(\w+)", line)
        item = re.match(r"\.It Cm ([a-z-]+) = ", line)
        if header:
            section = header[1]
        elif item:
            yield f"{section}.{item[1]}"


def verbs_of_help(text):
    """"repo create" and so on, of `headwater --help`."""
    for line in text.split("\n"):
        verb = re.match(r"  ([a-z-]+(?: [a-z-]+)?)  ", line)
        if verb:
            yield verb[1]


def verbs_of_manual(text):
    """Each verb of headwater(1) with its options, {"sync": set()}."""
    verbs, verb, is_head = {}, None, False
    for line in text.split("\n"):
        item = re.match(r"\.It (?:Xo )?Ic (.*)", line)
        if item:
            words = re.match(r"(?:[a-z-]+ ?)+", item[1])[0].split()
            verb = " ".join(words)
            verbs[verb] = set()
            is_head = True
        if verb and is_head:
            verbs[verb].update(re.findall(r"\bFl (-[a-z-]+)", line))
        if line == ".Xc" or (item and " Xo " not in f" {line} "):
            is_head = False
    return verbs


def routes_of_table(text):
    """"GET /v1/status" and so on, the macro of four kinds written out."""
    define = re.search(r"#define OBJECTS(?:.*\\\n)*.*\n", text)[0]
    table = text.replace(define, "")
    rows = re.findall(r'ROUTE\("([A-Z]+ /v1/)" plural(?: "([^"]*)")?', define)
    for plural in re.findall(r'OBJECTS\("(\w+)"', table):
        for head, tail in rows:
            yield head + plural + tail
    yield from re.findall(r'ROUTE\("([A-Z]+ /v1/[^"]*)"', table)


def routes_of_openapi(text):
    """The same of the paths of openapi.yaml."""
    path = None
    for line in text.split("\ncomponents:")[0].split("\n"):
        key = re.match(r"  (/[^:]*):$", line)
        method = re.match(r"    (get|put|patch|post|delete):$", line)
        if key:
            path = key[1]
        elif method:
            yield f"{method[1].upper()} {path}"


# -- the lint -----------------------------------------------------------------

def said_by(*command):
    """Standard output of a program of ours."""
    return subprocess.run(
        command, check=True, capture_output=True, text=True
    ).stdout


def check_configuration(root, daemon):
    """headwater.conf(5) and the list of limits against the tables."""
    printed = said_by(daemon, "--print-config")
    limits = [" ".join(one) for one in limits_printed(printed)]
    listed = limits_of_readme(Path(root, LIMITS).read_text())
    listed = [" ".join(one) for one in listed]
    yield from difference(set(limits), set(listed), LIMITS, "[limits]")
    there = set(options_printed(printed))
    there |= set(options_of_schema(Path(root, SCHEMA).read_text()))
    told = set(options_of_manual(Path(root, CONF_MANUAL).read_text()))
    yield from difference(there, told, CONF_MANUAL, "the configuration")


def check_verbs(root, admin):
    """headwater(1) against the program's own help."""
    there = set(verbs_of_help(said_by(admin, "--help")))
    told = verbs_of_manual(Path(root, ADMIN_MANUAL).read_text())
    yield from difference(there, set(told), ADMIN_MANUAL, "headwater --help")
    for verb in sorted(there & set(told)):
        usage = said_by(admin, *verb.split(), "--help").split("\n")[0]
        options = set(re.findall(r"-(-[a-z-]+)", usage))
        yield from difference(
            options, told[verb], f"{ADMIN_MANUAL}: {verb}", "its --help"
        )


def check_routes(root):
    """openapi.yaml against the table."""
    there = set(routes_of_table(Path(root, ROUTES).read_text()))
    told = set(routes_of_openapi(Path(root, OPENAPI).read_text()))
    yield from difference(there, told, OPENAPI, "the route table")


def check_manuals(root):
    """What mandoc finds, but for manuals that are not installed yet."""
    for manual in MANUALS:
        found = subprocess.run(
            ["mandoc", "-Tlint", manual],
            cwd=root, capture_output=True, text=True, check=False,
        ).stdout
        for line in found.splitlines():
            if "referenced manual not found" not in line:
                yield line.removeprefix("mandoc: ")


def check(root, daemon, admin):
    """Every problem of the documents."""
    yield from check_paths(root)
    yield from check_configuration(root, daemon)
    yield from check_verbs(root, admin)
    yield from check_routes(root)
    yield from check_manuals(root)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(f"usage: {sys.argv[0]} ROOT HEADWATERD HEADWATER")
    sys.exit(source.report(check(*sys.argv[1:])))
