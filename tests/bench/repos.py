# SPDX-License-Identifier: Apache-2.0
"""What is served: repositories made here or from a bundle, and packs to push.

Made ones are the same in every run: their bytes come from a seeded generator.
"""

import hashlib
import os
import pathlib
import random
import shutil
import subprocess
import zlib

GIT_S = 900
ZERO = "0" * 40
GIT_ENV = {
    "PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
}


def git(*words, cwd=None, stdin=None):
    """Standard output of a git that must succeed."""
    result = subprocess.run(["git", *map(str, words)], cwd=cwd, input=stdin,
                            capture_output=True, env=GIT_ENV, timeout=GIT_S)
    if result.returncode:
        raise RuntimeError(f"git {words[0]}: {result.stderr.decode()}")
    return result.stdout


def init(path):
    git("-c", "init.defaultBranch=main", "init", "-q", "--bare", path)
    return path


# -- repositories -------------------------------------------------------------

def changed(rng, old, size):
    """A file with a few of its bytes replaced, so that deltas are small."""
    at = rng.randrange(size - 200)
    return old[:at] + rng.randbytes(160) + old[at + 160:]


def history(n_commits, size, fresh):
    """A fast-import stream: each commit changes one file of a small tree.

    The last thirtieth is a branch of its own; there are some tags.
    """
    rng = random.Random(4)
    files = {}
    fork = n_commits - n_commits // 30
    for i in range(n_commits):
        number = rng.randrange(400)
        old = None if fresh else files.get(number)
        new = changed(rng, old, size) if old else rng.randbytes(size)
        if not fresh:
            files[number] = new
        if i == fork:
            yield b"reset refs/heads/side\nfrom refs/heads/main\n\n"
        branch = "main" if i < fork else "side"
        message = f"change {i}\n"
        yield (f"commit refs/heads/{branch}\n"
               f"committer C O Mitter <committer@example.invalid> "
               f"{1700000000 + i} +0000\n"
               f"data {len(message)}\n{message}"
               f"M 100644 inline d{number % 20:02}/f{number:03}\n"
               f"data {len(new)}\n").encode() + new + b"\n"
        if i % (n_commits // 20) == 0:
            yield (f"reset refs/tags/v{i}\nfrom refs/heads/{branch}\n\n"
                   ).encode()


def make(path, n_commits, size, fresh):
    """A bare repository of four objects a commit, in one pack."""
    init(path)
    process = subprocess.Popen(
        ["git", "fast-import", "--quiet"], cwd=path, env=GIT_ENV,
        stdin=subprocess.PIPE)
    try:
        for piece in history(n_commits, size, fresh):
            process.stdin.write(piece)
        process.stdin.close()
        if process.wait(GIT_S):
            raise RuntimeError("git fast-import failed")
    finally:
        process.kill()
    window = "pack.window=0" if fresh else "pack.window=10"
    git("-c", window, "-c", "repack.writeBitmaps=false", "repack", "-adq",
        cwd=path)
    return path


def clone_bundle(bundle, path):
    git("clone", "-q", "--mirror", bundle, path)
    git("-c", "repack.writeBitmaps=false", "repack", "-adq", cwd=path)
    git("pack-refs", "--all", cwd=path)
    git("remote", "remove", "origin", cwd=path)
    return path


def with_marks(source, path):
    """The same with bitmaps and a commit-graph."""
    shutil.copytree(source, path)
    git("repack", "-adbq", cwd=path)
    git("commit-graph", "write", "--reachable", cwd=path)
    return path


def many_refs(source, path, n_refs):
    """The same with that many packed refs more."""
    shutil.copytree(source, path)
    commits = git("rev-list", "-n", "5000", "HEAD", cwd=path).split()
    old = [l for l in git("for-each-ref", "--format=%(objectname) %(refname)",
                          cwd=path).decode().splitlines()]
    new = [f"{commits[i % len(commits)].decode()} refs/many/{i // 1000:03}/"
           f"{i:06}" for i in range(n_refs)]
    shutil.rmtree(path / "refs")
    (path / "refs" / "heads").mkdir(parents=True)
    # Not peeled: most are commits, and git says so by "^" lines only.
    rows = sorted(old + new, key=lambda l: l.split(" ", 1)[1].encode())
    (path / "packed-refs").write_text(
        "# pack-refs with: sorted \n" + "\n".join(rows) + "\n")
    git("pack-refs", "--all", cwd=path)
    return path


class Repo:
    """A bare repository and what rows ask about it."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.head = git("rev-parse", "HEAD", cwd=path).decode().strip()
        self.head_ref = git("symbolic-ref", "HEAD", cwd=path).decode().strip()
        rows = git("for-each-ref", "--format=%(objectname)", cwd=path)
        self.tips = sorted(set(rows.decode().split()))

    def pack(self):
        return max((self.path / "objects" / "pack").glob("*.pack"),
                   key=lambda p: p.stat().st_size)

    def describe(self):
        counts = dict(l.split(": ") for l in git(
            "count-objects", "-v", cwd=self.path).decode().splitlines())
        size = self.pack().stat().st_size / 1e6
        return (f"{counts['in-pack']} objects, a pack of {size:.1f} MB, "
                f"{len(self.tips)} tips")


# -- packs to push ------------------------------------------------------------

def object_id(kind, data):
    return hashlib.sha1(f"{kind} {len(data)}\0".encode() + data).hexdigest()


def build_pack(objects):
    """A pack of whole objects: pairs of kind and bytes."""
    kinds = {"commit": 1, "tree": 2, "blob": 3}
    out = b"PACK" + (2).to_bytes(4, "big") + len(objects).to_bytes(4, "big")
    for kind, data in objects:
        size = len(data)
        byte = kinds[kind] << 4 | (size & 15)
        size >>= 4
        while size:
            out += bytes([byte | 0x80])
            byte, size = size & 127, size >> 7
        out += bytes([byte]) + zlib.compress(data)
    return out + hashlib.sha1(out).digest()


def tree_with(tree, name, blob):
    """The bytes of a tree with one file more, or other."""
    entries, at = [], 0
    while at < len(tree):
        end = tree.index(0, at)
        mode, entry = tree[at:end].split(b" ", 1)
        entries.append((entry, mode, tree[end + 1:end + 21]))
        at = end + 21
    entries = [e for e in entries if e[0] != name]
    entries.append((name, b"100644", bytes.fromhex(blob)))
    entries.sort(key=lambda e: e[0] + (b"/" if e[1] == b"40000" else b""))
    return b"".join(m + b" " + n + b"\0" + i for n, m, i in entries)


def small_pushes(repo, n, salt=""):
    """A chain of (old, new, pack): one commit of three objects each."""
    tree = git("cat-file", "tree", "HEAD^{tree}", cwd=repo.path)
    old = repo.head
    for i in range(n):
        blob = f"{salt} {i}\n".encode()
        tree = tree_with(tree, b"zz-bench", object_id("blob", blob))
        who = f"A U Thor <author@example.invalid> {1800000000 + i} +0000"
        commit = (f"tree {object_id('tree', tree)}\nparent {old}\n"
                  f"author {who}\ncommitter {who}\n\npush {i}\n").encode()
        new = object_id("commit", commit)
        yield old, new, build_pack([("commit", commit), ("tree", tree),
                                    ("blob", blob)])
        old = new


def whole_push(repo):
    """Every ref into an empty repository, in one request."""
    from clients import FLUSH, pkt
    rows = git("for-each-ref", "--format=%(objectname) %(refname)",
               cwd=repo.path).decode().splitlines()
    lines = [f"{ZERO} {row}" for row in rows]
    lines[0] += "\0 report-status agent=git/2.39.5"
    pack = git("pack-objects", "--all", "--stdout", "--delta-base-offset",
               "-q", cwd=repo.path, stdin=b"")
    return b"".join(map(pkt, lines)) + FLUSH + pack
