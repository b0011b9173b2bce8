# SPDX-License-Identifier: Apache-2.0
"""A repository in which a byte is another one than stock git wrote: whoever
clones gets everything, or the reason with the file's name; never a crash, and
never less than everything without a word.

HEADWATER_FLIPS asks for another number than the usual one,
HEADWATER_FETCH_SEED for those of an earlier run (said where one goes wrong).
"""

import os
import pathlib
import random
import shutil

import pytest

from daemon import HEADWATERD, PATIENCE
from fetched import Answer, Client, Request
from tangle import git, make_multi, make_origin, make_packed

FLIPS = int(os.environ.get("HEADWATER_FLIPS", 8 if PATIENCE < 60 else 3))
SEED = int(os.environ.get("HEADWATER_FETCH_SEED",
                          random.SystemRandom().randrange(1 << 32)))
OURS = [str(HEADWATERD), "stdio", "upload-pack"]
# What git helps itself with; nothing of ours may depend on it.
ASIDE = ["*.rev", "*.bitmap", "info/commit-graph", "commit-graph-*",
         "multi-pack-index"]


@pytest.fixture(scope="module")
def repos(tmp_path_factory):
    directory = tmp_path_factory.mktemp("damage")
    origin = make_origin(random.Random(SEED), str(directory / "origin.git"))
    return {"packed": make_packed(origin, str(directory / "packed.git")),
            "multi": make_multi(origin, str(directory / "multi.git"))}


def clone(repo, scratch, depth=None):
    """What travels in a clone of all refs, or the error."""
    tips = git("-C", repo, "for-each-ref",
               "--format=%(objectname)").decode().split()
    request = Request(2, list(dict.fromkeys(tips)), [], [],
                      [f"deepen {depth}"] if depth else [], False, None,
                      ["ofs-delta"])
    answer = Answer(OURS, request, repo)
    assert answer.code >= 0, f"signal {-answer.code}"
    if answer.error:
        return answer.error
    client = Client(str(scratch / "client"))
    return client.take(answer, request, scratch / "taken")


def flip(path, chance):
    data = bytearray(path.read_bytes())
    at = chance.randrange(len(data))
    data[at] ^= 1 << chance.randrange(8)
    path.chmod(0o644)
    path.write_bytes(data)
    return f"{path.name} at {at}"


def each_flip(repo, patterns, tmp_path):
    """A damaged copy after the other, and what was done to it."""
    chance = random.Random(f"{SEED} {repo} {patterns}")
    for i in range(FLIPS):
        scratch = tmp_path / str(i)
        copy = scratch / "copy.git"
        shutil.copytree(repo, copy)
        objects = pathlib.Path(copy) / "objects"
        files = sorted(p for pattern in patterns
                       for p in objects.rglob(pattern) if p.is_file())
        assert files
        what = flip(chance.choice(files), chance)
        yield str(copy), scratch, f"HEADWATER_FETCH_SEED={SEED}, {what}"
        shutil.rmtree(scratch)


@pytest.mark.parametrize("state", ["packed", "multi"])
def test_packs_and_indexes(repos, state, tmp_path):
    (tmp_path / "whole").mkdir()
    whole = clone(repos[state], tmp_path / "whole")
    for copy, scratch, what in each_flip(repos[state], ["*.pack", "*.idx"],
                                         tmp_path):
        got = clone(copy, scratch)
        if isinstance(got, str):
            assert "objects/pack/pack-" in got, f"{what}: {got}"
        else:
            assert got == whole, what


@pytest.mark.parametrize("state", ["packed", "multi"])
def test_files_that_only_help_git(repos, state, tmp_path):
    (tmp_path / "whole").mkdir()
    whole = clone(repos[state], tmp_path / "whole", 3)
    for copy, scratch, what in each_flip(repos[state], ASIDE, tmp_path):
        assert clone(copy, scratch, 3) == whole, what
