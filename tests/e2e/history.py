# SPDX-License-Identifier: Apache-2.0
"""A repository as years of work leave it, made in a second, always the same.

Some 12 MB: thousands of commits on a main line and topics that are merged, a
few hundred files in nested directories that change again and again, pictures
that do not compress, tags of both kinds, a submodule, links, programs, and
names that are not ASCII.
"""

import random

COMMITS = 2400
PICTURES = 200          # of 64 KB: most of the bytes
FILES = 300
EVERY_TOPIC = 20        # commits between merges
EVERY_TAG = 100
SUBMODULE = "1" * 40
WHO = "A U Thor <author@example.invalid>"
WORDS = ("kind metadata spec replicas image labels selector ports volume "
         "mount path secret config cluster node pod service größe 名前 name "
         "value true false timeout interval branch url").split()


def data(content):
    return b"data %d\n" % len(content) + content + b"\n"


def file_path(i):
    """Nested unevenly, as people nest."""
    parts = ["apps", "base", "überblick", "clusters/a", "clusters/b"]
    return f"{parts[i % 5]}/d{i % 17}/file-{i}.yaml"


class Stream:
    """What git fast-import reads."""

    def __init__(self):
        self.chance = random.Random(12)
        self.parts = []
        self.files = {}
        self.mark = 0

    def add(self, *parts):
        for part in parts:
            self.parts.append(part if isinstance(part, bytes) else
                              part.encode() + b"\n")

    def text(self, lines):
        chance = self.chance
        return [f"{chance.choice(WORDS)}: {chance.choice(WORDS)}-"
                f"{chance.randrange(1 << 40):x}" for _ in range(lines)]

    def changed(self):
        """One of the files, a few of its lines new."""
        path = file_path(self.chance.randrange(FILES))
        lines = self.files.setdefault(path, self.text(60))
        for line in self.text(3):
            lines[self.chance.randrange(len(lines))] = line
        return path, "\n".join(lines).encode()

    def commit(self, branch, number, merges=None):
        self.mark += 1
        path, content = self.changed()
        self.add(f"commit refs/heads/{branch}", f"mark :{self.mark}",
                 f"committer {WHO} {1500000000 + 3600 * number} +0200",
                 data(f"{branch}: change {path} ({number})\n".encode()))
        if merges:
            self.add(f"from :{merges[0]}", f"merge :{merges[1]}")
        self.add(f"M 100644 inline {path}", data(content))
        return self.mark

    def first(self):
        mark = self.commit("main", 0)
        self.add(f"M 160000 {SUBMODULE} modules/other",
                 "M 100644 inline .gitmodules",
                 data(b'[submodule "other"]\n\tpath = modules/other\n'
                      b"\turl = ../other\n"),
                 "M 120000 inline link", data(b"apps"),
                 "M 100755 inline tool/run", data(b"#!/bin/sh\n"))
        return mark


def stream():
    """All of it as bytes."""
    s = Stream()
    main = s.first()
    topic = None
    for number in range(1, COMMITS):
        place = number % EVERY_TOPIC
        if place == EVERY_TOPIC // 2:
            s.add(f"reset refs/heads/topic/t{number // EVERY_TOPIC}",
                  f"from :{main}")
        if place > EVERY_TOPIC // 2:
            topic = s.commit(f"topic/t{number // EVERY_TOPIC}", number)
            continue
        merges = (main, topic) if topic and place == 0 else None
        main = s.commit("main", number, merges)
        if number % (COMMITS // PICTURES) == 1:
            s.add(f"M 100644 inline pictures/p{number}.png",
                  data(s.chance.randbytes(65536)))
        if number % EVERY_TAG == 0:
            s.add(f"tag v{number}", f"from :{main}",
                  f"tagger {WHO} {1500000000 + 3600 * number} +0200",
                  data(b"a release\n"))
    return b"".join(s.parts)


def make(git, path):
    """A bare repository of it at `path`."""
    git("init", "-q", "--bare", path)
    git("fast-import", "--quiet", cwd=path,
        stdin=stream().decode("utf-8", "surrogateescape"))
    return path
