# SPDX-License-Identifier: Apache-2.0
"""What a disk may look like when the power is back.

Replays the log of what was done. Of a file only what was there at its last
fsync is certain, of a directory the entries at its own; whatever came after
may have reached the disk or not. A rename is in both directories or in none.
"""

import os
import pathlib

RENAME_EXCHANGE = 2


class File:
    def __init__(self):
        self.live = bytearray()
        self.durable = b""
        self.pending = []  # (offset, bytes), or (size, None) for a cut

    def write(self, offset, data):
        self._apply(self.live, offset, data)
        self.pending.append((offset, data))

    @staticmethod
    def _apply(content, offset, data):
        if data is None:
            del content[offset:]
            return
        if len(content) < offset:
            content.extend(bytes(offset - len(content)))
        content[offset:offset + len(data)] = data

    def sync(self):
        self.durable = bytes(self.live)
        self.pending = []

    def after_loss(self, keeps):
        """Its content where `keeps()` says what reached the disk."""
        content = bytearray(self.durable)
        for offset, data in self.pending:
            if keeps():
                self._apply(content, offset, data)
        return bytes(content)


class Directory:
    def __init__(self):
        self.live = {}
        self.durable = {}


class Symlink:
    """Its target is there whenever its name is."""

    def __init__(self, target):
        self.target = target


class Change:
    """Entries that change together: [(directory, name, inode or None)]."""

    def __init__(self, entries):
        self.entries = entries


class Disk:
    """Everything below one root."""

    def __init__(self, root):
        self.root_path = str(root)
        self.root = Directory()
        self.pending = []  # changes that no fsync has made certain

    def load(self, path):
        """Begin with what is in a directory, all of it certain."""
        inodes = {}

        def read(directory, below):
            for entry in os.scandir(below):
                if entry.is_dir(follow_symlinks=False):
                    inode = Directory()
                    read(inode, entry.path)
                elif entry.is_file(follow_symlinks=False):
                    inode = inodes.setdefault(entry.inode(), File())
                    inode.live = bytearray(pathlib.Path(
                        entry.path).read_bytes())
                    inode.sync()
                elif entry.is_symlink():
                    inode = Symlink(os.readlink(entry.path))
                else:
                    continue  # the admin socket
                directory.live[entry.name] = inode
            directory.durable = dict(directory.live)

        read(self.root, path)

    # -- replaying ------------------------------------------------------------

    def _parent(self, path):
        assert path.startswith(self.root_path + "/"), path
        *parents, name = path[len(self.root_path) + 1:].split("/")
        here = self.root
        for part in parents:
            here = here.live[part]
        return here, name

    def find(self, path):
        """None where the file has no name any more."""
        if path == self.root_path:
            return self.root
        try:
            parent, name = self._parent(path)
            return parent.live.get(name)
        except (KeyError, AttributeError):
            return None

    def _change(self, *entries):
        resolved = []
        for path, inode in entries:
            parent, name = self._parent(path)
            resolved.append((parent, name, inode))
        self._apply(resolved, "live")
        self.pending.append(Change(resolved))

    @staticmethod
    def _apply(entries, which):
        for parent, name, inode in entries:
            there = getattr(parent, which)
            if inode is None:
                there.pop(name, None)
            else:
                there[name] = inode

    def _sync_directory(self, directory):
        rest = []
        for change in self.pending:
            if any(parent is directory for parent, _, _ in change.entries):
                self._apply(change.entries, "durable")
            else:
                rest.append(change)
        self.pending = rest

    def play(self, r):
        inode = self.find(r.path)
        if r.op == "create":
            if inode is None:
                self._change((r.path, File()))
            else:
                inode.write(0, None)
        elif r.op == "mkdir":
            if r.path != self.root_path:
                self._change((r.path, Directory()))
        elif r.op == "write" and inode:
            inode.write(r.offset, r.data)
        elif r.op == "truncate" and inode:
            inode.write(r.offset, None)
        elif r.op == "sync" and isinstance(inode, File):
            inode.sync()
        elif r.op == "sync" and inode:
            self._sync_directory(inode)
        elif r.op == "rename":
            other = None
            if r.offset & RENAME_EXCHANGE:
                other = self.find(r.to)
            self._change((r.path, other), (r.to, inode))
        elif r.op == "link":
            self._change((r.to, inode))
        elif r.op == "symlink":
            self._change((r.path, Symlink(r.to)))
        elif r.op in ("unlink", "rmdir"):
            self._change((r.path, None))

    # -- losing power ---------------------------------------------------------

    def after_loss(self, target, keeps_names, keeps_data):
        """Write it to `target`. The two functions are asked of everything
        that is not certain, in the order in which it was done."""
        entries = {}

        def entries_of(directory):
            return entries.setdefault(id(directory), dict(directory.durable))

        for change in self.pending:
            if not keeps_names():
                continue
            for parent, name, inode in change.entries:
                if inode is None:
                    entries_of(parent).pop(name, None)
                else:
                    entries_of(parent)[name] = inode
        written = {}

        def put(directory, path):
            path.mkdir(mode=0o700)
            for name, inode in entries_of(directory).items():
                below = path / name
                if isinstance(inode, Directory):
                    put(inode, below)
                elif isinstance(inode, Symlink):
                    below.symlink_to(inode.target)
                elif id(inode) in written:
                    os.link(written[id(inode)], below)
                else:
                    below.write_bytes(inode.after_loss(keeps_data))
                    below.chmod(0o600)
                    written[id(inode)] = below

        put(self.root, pathlib.Path(target))
