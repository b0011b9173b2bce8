# SPDX-License-Identifier: Apache-2.0
"""A small repository with every shape of history, drawn from a seed, and the
same history in every state that stock git leaves a repository in."""

import os
import subprocess

COMMITS = 70
BRANCHES = [f"b{i}" for i in range(5)]
WHO = b"A U Thor <author@example.invalid>"
ENV = {
    "PATH": os.environ["PATH"], "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.invalid",
    "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.invalid",
    "GIT_AUTHOR_DATE": "1600000000 +0000",
    "GIT_COMMITTER_DATE": "1600000000 +0000",
}


def git(*args, data=None, env=None):
    """Stock git; its output as bytes."""
    result = subprocess.run(
        ["git", *map(str, args)], input=b"" if data is None else data,
        env={**ENV, **(env or {})}, capture_output=True, check=False)
    assert not result.returncode, f"git {args}: {result.stderr.decode()}"
    return result.stdout


class History:
    """What git fast-import reads: branches that fork, merge and begin anew,
    files that change a little, move, and come back as they were."""

    def __init__(self, chance):
        self.chance = chance
        self.out = bytearray()
        self.tips = {}
        self.texts = {}

    def add(self, line, content=None):
        self.out += line + b"\n"
        if content is not None:
            self.out += b"data %d\n%s\n" % (len(content), content)

    def content(self, path):
        """A new version of what the path holds, close to the last one."""
        chance = self.chance
        lines = self.texts.setdefault(path, [
            f"{path} {chance.randrange(1 << 40):x}"
            for _ in range(chance.choice((1, 20, 80)))])
        for _ in range(1 + chance.randrange(3)):
            lines[chance.randrange(len(lines))] = f"{chance.randrange(1 << 60):x}"
        return "\n".join(lines).encode()

    def path(self):
        parts = [f"d{self.chance.choice('abc')}"
                 for _ in range(self.chance.randrange(4))]
        return "/".join(parts + [f"f{self.chance.choice('abcd')}"])

    def change(self):
        path = self.path()
        kind = self.chance.randrange(12)
        if kind == 0:
            self.add(b"D " + path.encode())
        elif kind == 1:
            self.add(b"M 160000 %s sub" % (b"1" * 40))
        elif kind == 2:
            self.add(b"M 120000 inline link", path.encode())
        elif kind == 3 and self.texts:
            other = self.chance.choice(sorted(self.texts))
            self.add(b"M 100755 inline %s.copy" % path.encode(),
                     "\n".join(self.texts[other]).encode())
        else:
            self.add(b"M 100644 inline " + path.encode(), self.content(path))

    def parents(self, branch):
        chance = self.chance
        known = sorted(set(self.tips.values()))
        if not known or chance.random() < 0.06:
            return []
        parents = [self.tips.get(branch) or chance.choice(known)]
        if chance.random() < 0.25:
            others = [m for m in known if m not in parents]
            parents += chance.sample(others, min(len(others),
                                                 1 + chance.randrange(2)))
        return parents

    def commit(self, mark):
        branch = self.chance.choice(BRANCHES)
        parents = self.parents(branch)
        if not parents:
            self.add(b"reset refs/heads/%s\n" % branch.encode())
        self.add(b"commit refs/heads/%s\nmark :%d" % (branch.encode(), mark))
        date = 1500000000 + 3600 * mark + self.chance.randrange(-7200, 7200)
        self.add(b"committer %s %d +0000" % (WHO, date), b"number %d" % mark)
        for i, parent in enumerate(parents):
            self.add(b"%s :%d" % (b"merge" if i else b"from", parent))
        for _ in range(self.chance.choice((0, 1, 1, 2, 4))):
            self.change()
        self.tips[branch] = mark

    def stream(self):
        for mark in range(1, COMMITS + 1):
            self.commit(mark)
        return bytes(self.out)


def add_tags(chance, repo):
    """Annotated ones, of commits, of tags, of a tree and of a blob."""
    commits = git("-C", repo, "rev-list", "--all").split()
    for i in range(8):
        git("-C", repo, "tag", "-a", "-m", "x", f"v{i}",
            chance.choice(commits).decode())
    git("-C", repo, "tag", "light", chance.choice(commits).decode())
    git("-C", repo, "tag", "-a", "-m", "of a tag", "nested", "v3")
    git("-C", repo, "tag", "-a", "-m", "of a tree", "tree", "v1^{tree}")
    blob = git("-C", repo, "hash-object", "-w", "--stdin", data=b"alone\n")
    git("-C", repo, "tag", "-a", "-m", "of a blob", "blob",
        blob.decode().strip())


def configure(repo):
    for key in ("allowFilter", "allowAnySHA1InWant"):
        git("-C", repo, "config", f"uploadpack.{key}", "true")
    git("-C", repo, "config", "gc.auto", "0")


def make_origin(chance, path):
    """Packs of several sizes beside loose objects, refs loose and packed."""
    git("init", "-q", "--bare", "-b", BRANCHES[0], path)
    configure(path)
    git("-C", path, "-c", "fastimport.unpackLimit=1000000", "fast-import",
        "--quiet", data=History(chance).stream())
    commits = git("-C", path, "rev-list", "--reverse", "--all").split()
    for part in (commits[:COMMITS // 3], commits[:COMMITS // 2]):
        git("-C", path, "pack-objects", "-q", "--revs",
            os.path.join(path, "objects/pack/pack"), data=b"\n".join(part))
        git("-C", path, "prune-packed", "-q")
    git("-C", path, "pack-refs", "--all")
    add_tags(chance, path)
    return path


def copied(origin, path):
    git("clone", "-q", "--mirror", f"file://{origin}", path)
    configure(path)
    return path


def make_packed(origin, path):
    """One pack with all that helps git: none of it must be in the way."""
    copied(origin, path)
    git("-C", path, "-c", "pack.writeReverseIndex=true", "repack", "-adfq",
        "--write-bitmap-index")
    git("-C", path, "commit-graph", "write", "--reachable", "--changed-paths")
    git("-C", path, "pack-refs", "--all")
    return path


def make_multi(origin, path):
    """Several packs under one index, with one bitmap."""
    copied(origin, path)
    git("-C", path, "repack", "-adq", "--no-write-bitmap-index")
    tree = git("-C", path, "rev-parse", "b0^{tree}").decode().strip()
    for i in range(3):
        commit = git("-C", path, "commit-tree", "-m", f"{i}", "-p", "b1",
                     tree).decode().strip()
        git("-C", path, "update-ref", "refs/heads/b1", commit)
        git("-C", path, "repack", "-dq", "--no-write-bitmap-index")
    git("-C", path, "multi-pack-index", "write", "--bitmap")
    git("-C", path, "commit-graph", "write", "--reachable", "--split")
    return path


def make_borrowing(origin, path):
    """Nearly everything comes from another repository."""
    git("clone", "-q", "--mirror", "--shared", origin, path)
    configure(path)
    tree = git("-C", path, "rev-parse", "b2^{tree}").decode().strip()
    commit = git("-C", path, "commit-tree", "-m", "own", "-p", "b2", "-p", "b0",
                 tree).decode().strip()
    git("-C", path, "update-ref", "refs/heads/b2", commit)
    return path


def make_shallow(origin, path):
    """Itself without the older part of history."""
    git("clone", "-q", "--bare", "--no-single-branch", "--depth=5",
        f"file://{origin}", path)
    configure(path)
    return path


STATES = {
    "packed": make_packed, "multi": make_multi, "borrowing": make_borrowing,
    "shallow": make_shallow,
}
