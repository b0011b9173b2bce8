# SPDX-License-Identifier: Apache-2.0
"""A daemon with faults in it, one client, and what must hold afterwards."""

import collections
import logging
import pathlib
import re
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import paramiko  # noqa: E402

from daemon import (BUILD, Daemon, Receiver, make_key,  # noqa: E402
                    wait_for)
from faults import Faults  # noqa: E402
from wire import (ZERO, execute, hear, login, pack, pkt,  # noqa: E402
                  read_list, small_commit)

LIBRARY = BUILD / "tests" / "crash" / "libfaults.so"
REPO = "cluster"
HOOKED = "hooked"  # its hook is called

# Files that are there while something is under way, and only then.
PASSING = re.compile(
    r"/(incoming-[^/]*|tmp_[^/]*|[^/]*\.tmp-[^/]*|[^/]*\.new-[^/]*|\.trash/.*"
    r"|outbox/staged/.+|outbox/damaged/.+)$")
LOCK = re.compile(r"\.lock$")
LIVING = re.compile(r"/run/[0-9a-f]{32}\.lock$|/run/state\.lock$")

# It says on standard error what is expected here.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

GONE = (EOFError, OSError, paramiko.SSHException, ConnectionError)


class Broken(AssertionError):
    """Something that must hold does not."""


def require(condition, sentence):
    if not condition:
        raise Broken(sentence)


def git(directory, *words):
    result = subprocess.run(
        ["git", "-c", "safe.directory=*", *words], cwd=directory,
        capture_output=True, text=True)
    require(result.returncode == 0, f"git {words}: {result.stderr}")
    return result.stdout


def refs_of(directory):
    """What stock git says the refs are."""
    lines = git(directory, "for-each-ref", "--format=%(refname) %(objectname)")
    return dict(line.split(" ") for line in lines.splitlines())


Pushed = collections.namedtuple(
    "Pushed", "repo commands answers atomic began answered")
Made = collections.namedtuple("Made", "kind name began answered")


class Client:
    """Pushes, and tells what the server answered."""

    def __init__(self, scene):
        self.scene = scene

    def push(self, commands, entries, atomic=False, repo=REPO, ends=()):
        """{ref: "ok" or why not, or None where no answer came}. `ends`: where
        the history of a shallow client ends."""
        began = self.scene.faults.logged
        self.scene.answered_at = None
        answers = self._try(commands, entries, atomic, repo, ends)
        self.scene.pushes.append(Pushed(repo, commands, answers, atomic, began,
                                        self.scene.answered_at))
        return answers

    def _try(self, commands, entries, atomic, repo, ends):
        answers = {ref: None for _, _, ref in commands}
        try:
            transport = login(self.scene.daemon, self.scene.key)
        except GONE:
            return answers
        try:
            channel = execute(transport, f"git-receive-pack '{repo}'")
            report = self._push(channel, commands, entries, atomic, ends)
        except GONE:
            return answers
        finally:
            transport.close()
        for line in report:
            words = line.decode().rstrip("\n").split(" ", 2)
            if words[0] == "ok":
                answers[words[1]] = "ok"
            elif words[0] == "ng":
                answers[words[1]] = words[2]
            elif words[0] == "ERR":
                return {ref: line.decode() for ref in answers}
        return answers

    def _push(self, channel, commands, entries, atomic, ends):
        first = read_list(channel)
        if first and first[0].startswith(b"ERR "):
            return first[:1]
        caps = "\0report-status" + (" atomic" if atomic else "")
        request = b"".join(pkt(f"shallow {commit}") for commit in ends)
        for old, new, ref in commands:
            request += pkt(f"{old} {new} {ref}{caps}")
            caps = ""
        request += b"0000"
        if any(new != ZERO for _, new, _ in commands):
            request += pack(*entries)
        channel.sendall(request)
        channel.shutdown_write()
        report = read_list(channel)
        if report and report[0].startswith(b"unpack ") and (
                report[0].strip() == b"unpack ok"):
            self.scene.answered()
        hear(channel)
        return report


class Scene:
    """Everything a scenario plays in."""

    def __init__(self, directory, log=False):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.config = self.directory / "headwater.conf"
        # What runs by itself would be among the points, and under git fsck.
        self.config.write_text("[server]\n\tmaintenance = false\n")
        self.daemon = Daemon(self.directory, config=self.config)
        self.faults = Faults(LIBRARY, self.directory / "faults",
                             self.daemon.data)
        if log:
            self.faults.logging(True)
        self.daemon.env = self.faults.environment()
        self.receiver = Receiver()
        self.client = Client(self)
        self.key = make_key(self.directory / "key")
        self.fault = ("none", 0)  # what the next play is armed with
        self.n = 0
        # What happened, by the number of log records before and after it.
        self.pushes = []
        self.made = []
        self.answered_at = None
        self.daemon.start()
        for repo in (REPO, HOOKED):
            self.make("repo", "create", repo)
        self.make("key", "create", "owner", "--public-key",
                  self.key.with_name("key.pub"), "--write", "*")
        self.make("hook", "create", "receiver", "--repo", HOOKED, "--url",
                  self.receiver.url(), "--no-secret", "--type", "generic")

    def close(self):
        self.faults.disarm()
        self.daemon.stop()
        self.receiver.close()

    def make(self, kind, verb, name, *words):
        """A verb of the CLI; what it answered."""
        began = self.faults.logged
        result = self.daemon.cli_run(kind, verb, name, *words)
        done = self.faults.logged if result.returncode == 0 else None
        self.made.append(Made(kind, name, began, done))
        return result

    # -- life -----------------------------------------------------------------

    def answered(self):
        """The client has its answer: what is in the log by now made it."""
        self.answered_at = self.faults.logged

    def restart(self):
        self.daemon.stop()
        self.daemon.start()

    # -- contents -------------------------------------------------------------

    def commit(self, parent=None):
        """A commit that nobody has yet, and what a pack of it holds."""
        self.n += 1
        return small_commit(f"content {self.n}\n".encode(), parent)

    def repo_dir(self, repo=REPO):
        return self.daemon.repo_dir(repo)

    def refs(self, repo=REPO):
        return refs_of(self.repo_dir(repo))

    # -- what must hold -------------------------------------------------------

    def leftovers(self):
        found = []
        packs = {}
        for path in self.daemon.data.rglob("*"):
            name = "/" + str(path.relative_to(self.daemon.data))
            if PASSING.search(name):
                found.append(name)
            elif LOCK.search(name) and not LIVING.search(name):
                found.append(name)
            elif "/objects/pack/" in name:
                packs.setdefault(name.rsplit(".", 1)[0], set()).add(
                    path.suffix)
        for name, suffixes in packs.items():
            if not {".pack", ".idx"} <= suffixes:
                found.append(f"{name} {sorted(suffixes)}")
        return found

    def check_clean(self, tolerated=()):
        """Nothing is left of what did not happen."""
        def rest():
            return [f for f in self.leftovers()
                    if not any(t in str(self.daemon.data) + f
                               for t in tolerated)]

        try:
            wait_for(lambda: not rest(), "a clean directory", 5)
        except AssertionError:
            raise Broken(f"left over: {rest()}") from None

    def check_repo(self, repo):
        words = self.daemon.fsck(repo)
        require(not words, f"git fsck of {repo}: {words}")

    def check_next_push(self, repo=REPO):
        tip = self.refs(repo).get("refs/heads/next", ZERO)
        commit, entries = self.commit(None if tip == ZERO else tip)
        answers = self.client.push([(tip, commit, "refs/heads/next")], entries,
                                   repo=repo)
        require(answers["refs/heads/next"] == "ok",
                f"the next push is refused: {answers}")
        require(self.refs(repo)["refs/heads/next"] == commit,
                "the next push did not arrive")

    def check_heard(self, oid):
        """The receiver was told of this commit."""
        try:
            self.receiver.wait(lambda r: oid.encode() in r[2], 15)
        except AssertionError:
            raise Broken(f"no event for {oid}") from None
