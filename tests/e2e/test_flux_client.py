# SPDX-License-Identifier: Apache-2.0
"""Flux's own git client, as the Go module in tests/flux drives it."""

import os
import shutil
import subprocess

import pytest

from daemon import BUILD, ROOT

MODULE = ROOT / "tests" / "flux"
DOWNLOAD_PATIENCE = 120
# Compiling the client in a cold cache is most of it.
TEST_PATIENCE = 600


def find_go():
    return shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")


def run_go(*words, timeout):
    return subprocess.run(
        [find_go(), *words], cwd=MODULE, stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
        env={**os.environ, "HEADWATER_BUILD": str(BUILD.resolve())})


@pytest.fixture(scope="module")
def modules():
    if find_go() is None:
        pytest.skip("there is no go")
    try:
        download = run_go("mod", "download", timeout=DOWNLOAD_PATIENCE)
    except subprocess.TimeoutExpired:
        pytest.skip("go mod download takes too long")
    if download.returncode:
        pytest.skip(f"go mod download: {download.stdout.strip()[-300:]}")


def test_serves_the_git_client_of_flux(modules):
    result = run_go("test", "-count=1", "-timeout", f"{TEST_PATIENCE - 60}s",
                    "./...", timeout=TEST_PATIENCE)
    assert result.returncode == 0, result.stdout
