#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No include climbs a floor, and every library has its few doors.

An include of ours is written "floor/file.h". A floor may include itself and
what stands below it; both programs stand on top and not on each other.
"""

import re
from fnmatch import fnmatch
from pathlib import Path

import source

# From the ground up: the folder of each floor.
FOLDERS = {
    "base": "server/base",
    "git": "server/git",
    "store": "server/store",
    "hooks": "hooks",
    "net": "server/net",
    "app": "server/app",
    "admin": "admin",
}
RANK = {floor: rank for rank, floor in enumerate(FOLDERS)}
PROGRAMS = {"app", "admin"}

# Headers of a library: the only files that may include them.
LIBRARIES = {
    "libssh/*": ("server/net/sshd*.c",),
    "microhttpd*.h": ("server/net/httpd_exchange.h",),
    "gnutls/*": ("server/net/httpd_tls.h",),
    "curl/*": ("hooks/delivery.c", "admin/client.c"),
    "git2.h": ("server/git/*", "server/store/*"),
    "git2/*": ("server/git/*", "server/store/*"),
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]*)"|<([^>]*)>|(\S.*))')


def floor_of(path):
    """The floor a file of the house stands on, None for none."""
    for floor, folder in FOLDERS.items():
        if path.startswith(folder + "/"):
            return floor
    return None


def judge_ours(root, path, name):
    """What is wrong with the include of `name` in quotes, None for nothing."""
    here = floor_of(path)
    there, _, rest = name.partition("/")
    if here is None:
        return "the file stands on no floor"
    if there not in FOLDERS or not rest or ".." in name:
        return f'"{name}" is not written "floor/file.h"'
    if not Path(root, FOLDERS[there], rest).is_file():
        return f'"{name}" does not exist'
    if RANK[there] > RANK[here]:
        return f'"{name}" is above: {here} must not know {there}'
    if {here, there} == PROGRAMS:
        return f'"{name}" is another program'
    return None


def judge_library(path, name):
    """What is wrong with a library's header in this file."""
    for headers, allowed in LIBRARIES.items():
        if fnmatch(name, headers):
            if not any(fnmatch(path, door) for door in allowed):
                return f"<{name}> belongs in {' '.join(allowed)} only"
    return None


def judge_brackets(root, path, name):
    """What is wrong with an include in angle brackets, None for nothing."""
    there, _, rest = name.partition("/")
    if there in FOLDERS and Path(root, FOLDERS[there], rest).is_file():
        return f'<{name}> is ours: write "{name}"'
    return judge_library(path, name)


def check_line(root, path, line):
    """What is wrong with one line, None for nothing."""
    match = INCLUDE.match(line)
    if not match:
        return None
    ours, library, other = match.groups()
    if other:
        return f"include of {other.strip()}: name the file"
    if library is not None:
        return judge_brackets(root, path, library)
    return judge_ours(root, path, ours)


def check(root):
    """Every problem of the tree."""
    for file in source.files(root, source.HOUSE):
        path = file.relative_to(root).as_posix()
        for number, line in enumerate(file.read_text().splitlines(), 1):
            problem = check_line(root, path, line)
            if problem:
                yield f"{path}:{number}: {problem}"


if __name__ == "__main__":
    source.main(check)
