# SPDX-License-Identifier: Apache-2.0
"""One fetch in one request, asked of any upload-pack, and its answer taken in
by stock git."""

import hashlib
import os
import re
import struct
import subprocess

from tangle import ENV, git

IDS = re.compile(rb"[0-9a-f]{40}")


def pkt(text):
    line = text.encode() + b"\n"
    return b"%04x%s" % (len(line) + 4, line)


class Request:
    """What is drawn, as the bytes of any protocol version."""

    def __init__(self, version, wants, haves, shallow, deepen, is_relative,
                 filter_spec, words):
        self.version = version
        self.wants, self.haves, self.shallow = wants, haves, shallow
        self.deepen, self.is_relative = deepen, is_relative
        self.filter_spec = filter_spec
        self.words = words

    def lines(self):
        for line in self.shallow:
            yield f"shallow {line}"
        yield from self.deepen
        if self.filter_spec:
            yield f"filter {self.filter_spec}"

    def bytes(self):
        if self.version == 2:
            words = [w for w in self.words if not w.startswith("multi_ack")]
            words += self.extra()
            body = [pkt("command=fetch"), b"0001", *map(pkt, words)]
            body += [pkt(f"want {w}") for w in self.wants]
            body += [pkt(line) for line in self.lines()]
            body += [pkt(f"have {h}") for h in self.haves]
            return b"".join(body + [pkt("done"), b"0000"])
        words = self.words + ["side-band-64k"] + self.extra()
        if self.filter_spec:
            words.append("filter")
        body = [pkt(f"want {self.wants[0]} {' '.join(words)}")]
        body += [pkt(f"want {w}") for w in self.wants[1:]]
        body += [pkt(line) for line in self.lines()] + [b"0000"]
        body += [pkt(f"have {h}") for h in self.haves]
        return b"".join(body + [pkt("done")])

    def extra(self):
        return ["deepen-relative"] if self.is_relative else []

    def __str__(self):
        return f"version {self.version}: " + " | ".join(
            re.findall(r"[\x20-\x7e]+", self.bytes().decode()))


class Answer:
    """Shallow lines, the pack, or the reason why there is none."""

    def __init__(self, program, request, repo):
        env = {**ENV, "GIT_PROTOCOL": f"version={request.version}"}
        result = subprocess.run(
            [*program, "--stateless-rpc", repo], input=request.bytes(), env=env,
            capture_output=True, check=False)
        self.unshallow = set()
        # In versions 0 and 1 this comes with the advertisement.
        self.shallow = {s.encode() for s in shallow_of(repo)
                        if request.version != 2}
        self.error = None
        self.pack = bytearray()
        self.is_cut = False
        self.code = result.returncode
        self.parse(result.stdout)
        if not self.pack and not self.error:
            self.error = result.stderr.decode() or "no pack"

    def parse(self, data):
        at = 0
        while at + 4 <= len(data):
            n = int(data[at:at + 4], 16)
            line = data[at + 4:at + max(n, 4)]
            at += max(n, 4)
            if n > 4:
                self.take(line)

    def take(self, line):
        if line.startswith(b"ERR "):
            self.error = line[4:].decode().strip()
        elif line[:8] in (b"shallow ", b"unshallo"):
            where = self.shallow if line[0] == ord("s") else self.unshallow
            where.update(IDS.findall(line))
        elif line[:1] == b"\1":
            self.pack += line[1:]
        elif line[:1] == b"\3":
            self.error = line[1:].decode().strip()


def shallow_of(repo):
    """Its commits whose parents it does not have."""
    if not os.path.exists(f"{repo}/shallow"):
        return []
    with open(f"{repo}/shallow", encoding="ascii") as file:
        return file.read().split()


class Client:
    """A repository that has something of the origin's."""

    def __init__(self, path, origin=None, tips=(), depth=None):
        self.path = path
        git("init", "-q", "--bare", path)
        if tips:
            cut = [f"--depth={depth}"] if depth else []
            git("-C", path, "fetch", "-q", *cut, f"file://{origin}",
                *[f"{t}:refs/heads/t{i}" for i, t in enumerate(tips)])
        self.objects = set(git(
            "-C", path, "cat-file", "--batch-all-objects",
            "--batch-check=%(objectname)").split())
        self.commits = git("-C", path, "rev-list", "--all").decode().split()
        self.shallow = shallow_of(path)

    def take(self, answer, request, scratch):
        """Complete the pack with what is here and nothing else, check it, and
        say which objects travelled."""
        scratch.mkdir()
        cut = {s.encode() for s in self.shallow}
        cut = (cut | answer.shallow) - answer.unshallow
        shallow = scratch / "shallow-lines"
        shallow.write_bytes(b"".join(s + b"\n" for s in sorted(cut)))
        env = {"GIT_OBJECT_DIRECTORY": str(scratch),
               "GIT_ALTERNATE_OBJECT_DIRECTORIES": f"{self.path}/objects"}
        strict = [] if request.filter_spec else ["--strict"]
        here = ["-C", self.path, "--shallow-file", str(shallow)]
        out = git(*here, "index-pack", "--stdin", "--fix-thin", *strict,
                  data=bytes(answer.pack), env=env)
        if not request.filter_spec:
            git(*here, "rev-list", "--objects", "--quiet", *request.wants,
                env=env)
        name = out.split()[-1].decode()
        return sent(scratch / "pack" / f"pack-{name}.idx", answer.pack)


def sent(index, pack):
    """The ids of the objects that were in the pack before it was completed."""
    assert hashlib.sha1(pack[:-20]).digest() == pack[-20:]
    data = index.read_bytes()
    n, = struct.unpack(">I", data[8 + 255 * 4:8 + 256 * 4])
    ids = 8 + 256 * 4
    offsets = struct.unpack(f">{n}I", data[ids + 24 * n:ids + 28 * n])
    found = {data[ids + 20 * i:ids + 20 * i + 20].hex().encode()
             for i in range(n) if offsets[i] < len(pack) - 20}
    count, = struct.unpack(">I", pack[8:12])
    assert len(found) == count
    return found
