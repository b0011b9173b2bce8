# SPDX-License-Identifier: Apache-2.0
"""A built tree of stock git, with its tests: Debian's source package.

Fetched with an apt of its own (directories and sources file below the cache;
nothing under /etc changes) and built once; what is there is used again.
"""

import os
import pathlib
import re
import shutil
import subprocess

APT = pathlib.Path("/etc/apt")
# The tests want a git soon, not a fast one.
MAKE = ("CFLAGS=-O0 -pipe", "NO_TCLTK=1", "NO_GETTEXT=1", "NO_PYTHON=1",
        "NO_EXPAT=1")
NEEDED = ("apt-get", "dpkg-source", "make", "cc", "perl", "curl-config")


class Unavailable(Exception):
    """Why there is no tree here: a sentence."""


def as_source_entry(name, text):
    """An apt sources file, with the same places asked for source packages."""
    if name.endswith(".sources"):
        return re.sub(r"(?m)^Types:.*$", "Types: deb-src", text)
    return "\n".join(re.sub(r"^deb(-src)?(?=\s)", "deb-src", line)
                     for line in text.splitlines()
                     if re.match(r"deb(-src)?\s", line)) + "\n"


def write_sources(directory):
    directory.mkdir(parents=True, exist_ok=True)
    known = [APT / "sources.list", *APT.glob("sources.list.d/*.list"),
             *APT.glob("sources.list.d/*.sources")]
    for path in known:
        if path.is_file():
            text = as_source_entry(path.name, path.read_text())
            (directory / path.name).write_text(text)


def apt(cache, *arguments, cwd=None):
    """apt-get with directories of its own; returns the finished process."""
    private = cache / "apt"
    for name in ("lists/partial", "cache/archives/partial"):
        (private / name).mkdir(parents=True, exist_ok=True)
    return subprocess.run(
        ["apt-get", "-q", "-o", "Dir::Etc::sourcelist=/dev/null",
         "-o", f"Dir::Etc::sourceparts={private}/sources",
         "-o", f"Dir::State::lists={private}/lists",
         "-o", f"Dir::Cache={private}/cache",
         "-o", "APT::Sandbox::User=", *arguments],
        cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL)


def last_lines(text, n=5):
    return "\n".join(text.splitlines()[-n:])


def fetch(cache, version):
    """The .dsc of git's source package, beside what it names."""
    write_sources(cache / "apt" / "sources")
    # A source without source packages fails here, and does not matter.
    update = apt(cache, "update")
    package = cache / "package"
    shutil.rmtree(package, ignore_errors=True)
    package.mkdir(parents=True)
    source = apt(cache, "source", "--download-only", "git", cwd=package)
    found = list(package.glob("git_*.dsc"))
    if source.returncode or not found:
        raise Unavailable("apt gives no source package of git:\n"
                          + last_lines(update.stdout + source.stdout))
    if not found[0].name.startswith(f"git_{version}-"):
        raise Unavailable(f"the table is for git {version}, and Debian's "
                          f"source package here is {found[0].name}")
    return found[0]


def run_logged(command, log, cwd):
    with open(log, "w") as out:
        done = subprocess.run(command, cwd=cwd, stdout=out, stderr=out,
                              stdin=subprocess.DEVNULL)
    if done.returncode:
        raise Unavailable(f"{command[0]} failed, see {log}:\n"
                          + last_lines(log.read_text(errors="replace")))


def build(cache, dsc, tree):
    unfinished = cache / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    run_logged(["dpkg-source", "--no-check", "-x", str(dsc), str(unfinished)],
               cache / "unpack.log", cache)
    run_logged(["make", "-s", f"-j{os.cpu_count()}", *MAKE, "all"],
               cache / "make.log", unfinished)
    # Another user is going to run it.
    run_logged(["chmod", "-R", "a+rX", "."], cache / "chmod.log", unfinished)
    unfinished.rename(tree)


def git_tree(cache, version):
    """The built tree, from the cache where it is there."""
    tree = cache / f"git-{version}"
    if tree.is_dir():
        return tree
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing:
        raise Unavailable(f"not installed: {', '.join(missing)} (tests/packages"
                          " build conformance)")
    cache.mkdir(parents=True, exist_ok=True)
    build(cache, fetch(cache, version), tree)
    return tree
