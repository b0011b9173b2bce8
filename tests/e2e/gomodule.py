# SPDX-License-Identifier: Apache-2.0
"""Tests that are Go modules of their own, run where there is Go."""

import os
import shutil
import subprocess

import pytest

from daemon import BUILD, ROOT

DOWNLOAD_PATIENCE = 300


def find_go():
    return shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")


class GoModule:
    """tests/NAME; a test is skipped, with a word, where Go or one of the
    module's dependencies cannot be had.
    """

    def __init__(self, name):
        self.directory = ROOT / "tests" / name
        if find_go() is None:
            pytest.skip("there is no go")
        try:
            fetched = self.run("list", "-deps", "-test", "./...",
                               timeout=DOWNLOAD_PATIENCE)
        except subprocess.TimeoutExpired:
            pytest.skip("fetching modules takes too long")
        if fetched.returncode:
            pytest.skip(f"go list: {fetched.stdout.strip()[-300:]}")

    def run(self, *words, timeout, env=None):
        return subprocess.run(
            [find_go(), *words], cwd=self.directory, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=timeout,
            env={**os.environ, "HEADWATER_BUILD": str(BUILD.resolve()),
                 **(env or {})})

    def test(self, patience, *words, env=None):
        result = self.run("test", "-count=1", f"-timeout={patience - 60}s",
                          *words, "./...", timeout=patience, env=env)
        assert result.returncode == 0, result.stdout
