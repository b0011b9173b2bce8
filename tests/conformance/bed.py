# SPDX-License-Identifier: Apache-2.0
"""A place where git's test scripts run against one server, and running them."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from shadow import make_shadow

# As root the scripts skip what is about permissions, and all of HTTP.
ORDINARY_USER = 65534  # nobody
SCRIPT_SECONDS = 900
APACHE = pathlib.Path("/usr/sbin/apache2")

# "not ok 12 - title # TODO known breakage"
TAP = re.compile(r"(?P<no>not )?ok (?P<number>\d+)(?: - (?P<title>.*?))?"
                 r"(?: # (?P<mark>TODO|skip|SKIP)\b.*)?")
SKIPPED = re.compile(r"ok (?P<number>\d+) # (?:skip|SKIP) (?P<title>.*?)"
                     r"(?: \(.*\))?")


def parse_tap(text):
    """{number: (result, title)}; results are pass, fail and skip."""
    results = {}
    for line in text.splitlines():
        skipped = SKIPPED.fullmatch(line)
        match = skipped or TAP.fullmatch(line)
        if not match:
            continue
        if skipped or match["mark"] in ("skip", "SKIP"):
            result = "skip"
        else:
            result = "fail" if match["no"] else "pass"
        results[int(match["number"])] = (result, match["title"])
    return results


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(process, seconds):
    """End it when its time is over; first so that it ends its web server."""
    for patience, blow in ((seconds, signal.SIGTERM), (20, signal.SIGKILL)):
        try:
            process.wait(patience)
            return
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, blow)
    process.wait()


def as_user(user):
    if user is None:
        return {}
    return {"user": user, "group": user, "extra_groups": []}


class Bed:
    """A directory below /tmp that an ordinary user may walk through; removed
    at the end, but for the outputs where `keep` is set."""

    def __init__(self, tree, server, keep=False):
        """`server` is the path of headwaterd; None: stock git's own."""
        self.keep = keep
        self.user = ORDINARY_USER if os.getuid() == 0 else None
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="conformance-"))
        self.root.chmod(0o755)
        tree = self.within_reach(tree, "tree")
        if server:
            command = [str(self.within_reach(server, "headwaterd")), "stdio"]
        else:
            command = [str(tree / "git")]
        self.shadow = self.root / "shadow"
        make_shadow(tree, self.shadow, command)
        self.outputs = self.root / "out"
        self.outputs.mkdir()

    def within_reach(self, path, name):
        """The path, or a copy where the user cannot get there. A program is
        always copied: it may be built anew meanwhile."""
        copy = self.root / name
        if path.is_file():
            shutil.copy(path, copy)
            return copy
        seen = subprocess.run(["test", "-x", path / "git"],
                              cwd="/", **as_user(self.user))
        if not seen.returncode:
            return path
        shutil.copytree(path, copy, symlinks=True)
        return copy

    def environment(self, output, protocol):
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
               "HOME": str(output), "TMPDIR": str(output), "SHELL": "/bin/sh",
               "TERM": "dumb",
               "TEST_OUTPUT_DIRECTORY": str(output),
               "GIT_TEST_CHAIN_LINT": "0", "GIT_TEST_EXT_CHAIN_LINT": "0",
               "GIT_TEST_GIT_DAEMON": "true",
               "GIT_TEST_HTTPD": "true" if APACHE.exists() else "false",
               "LIB_GIT_DAEMON_PORT": str(free_port()),
               "LIB_HTTPD_PORT": str(free_port())}
        if protocol != 2:  # stock git's default, and so the scripts' own
            env["GIT_TEST_PROTOCOL_VERSION"] = str(protocol)
        return env

    def run(self, script, protocol, options=()):
        """What one script says, as parse_tap() gives it."""
        output = self.outputs / f"{script}-{protocol}"
        output.mkdir()
        if self.user is not None:
            os.chown(output, self.user, self.user)
        with open(self.outputs / f"{script}-{protocol}.tap", "w+") as tap:
            process = subprocess.Popen(
                ["sh", f"./{script}.sh", *options], cwd=self.shadow / "t",
                env=self.environment(output, protocol), stdout=tap,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                start_new_session=True, **as_user(self.user))
            wait_for(process, SCRIPT_SECONDS)
            tap.seek(0)
            text = tap.read()
        if not self.keep:
            shutil.rmtree(output, ignore_errors=True)
        return parse_tap(text)

    def close(self):
        if not self.keep:
            shutil.rmtree(self.root, ignore_errors=True)
