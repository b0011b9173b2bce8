# SPDX-License-Identifier: Apache-2.0
"""The other side of faults.h: what happens where, and what was done."""

import mmap
import pathlib
import struct

KINDS = {
    "none": 0,
    "enospc": 1,
    "eio": 2,
    "short-write": 3,
    "kill-before": 4,
    "kill-after": 5,
    "disk-full": 6,
}
OPS = {
    1: "create", 2: "write", 3: "truncate", 4: "sync", 5: "rename", 6: "link",
    7: "unlink", 8: "mkdir", 9: "rmdir", 10: "mode", 11: "writeback", 12: "symlink",
}

PATH_MAX = 1024
CONTROL = struct.Struct("<8I")
RECORD = struct.Struct("<4Iq")
ARMED, POINTS, TARGET, KIND, FIRED, FIRED_OP, LOGGING, LOGGED = range(
    0, 32, 4)


class Record:
    """One thing that was done to the disk."""

    __slots__ = ("op", "path", "to", "data", "offset")

    def __repr__(self):
        to = f" -> {self.to}" if self.to else ""
        size = f" {len(self.data)}@{self.offset}" if self.op == "write" else ""
        return f"{self.op} {self.path}{to}{size}"


class Faults:
    """Arms the library in a program that runs with `environment()`."""

    def __init__(self, library, directory, root):
        self.library = pathlib.Path(library)
        self.directory = pathlib.Path(directory)
        self.root = pathlib.Path(root)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log = self.directory / "log"
        self.log.write_bytes(b"")
        control = self.directory / "control"
        control.write_bytes(b"\0" * (CONTROL.size + PATH_MAX))
        with open(control, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)

    def environment(self):
        return {
            "LD_PRELOAD": str(self.library),
            "HEADWATER_FAULTS": str(self.directory),
            "HEADWATER_FAULTS_ROOT": str(self.root),
        }

    def _get(self, at):
        return struct.unpack_from("<I", self.map, at)[0]

    def _put(self, at, value):
        struct.pack_into("<I", self.map, at, value)

    def arm(self, kind="none", target=0):
        self._put(ARMED, 0)
        for at, value in ((POINTS, 0), (TARGET, target), (KIND, KINDS[kind]),
                          (FIRED, 0), (FIRED_OP, 0)):
            self._put(at, value)
        self._put(ARMED, 1)

    def disarm(self):
        self._put(ARMED, 0)

    @property
    def points(self):
        return self._get(POINTS)

    @property
    def fired(self):
        """(operation, path) of the first that happened; None for none."""
        if not self._get(FIRED):
            return None
        path = self.map[CONTROL.size:].split(b"\0", 1)[0].decode()
        return OPS[self._get(FIRED_OP)], path

    def logging(self, on):
        self._put(LOGGING, int(on))

    @property
    def logged(self):
        return self._get(LOGGED)

    def records(self):
        data = self.log.read_bytes()
        at = 0
        while at < len(data):
            op, n, n_to, n_data, offset = RECORD.unpack_from(data, at)
            at += RECORD.size
            r = Record()
            r.op = OPS[op]
            r.path = data[at:at + n].decode()
            at += n
            r.to = data[at:at + n_to].decode() or None
            at += n_to
            r.data = data[at:at + n_data]
            at += n_data
            r.offset = offset
            yield r
