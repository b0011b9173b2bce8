# SPDX-License-Identifier: Apache-2.0
"""A repository of real size, pushed and cloned every way there is."""

import pytest

import history
from conftest import end, public
from daemon import Daemon, Git

EXPECTED_MB = 10, 15


@pytest.fixture(scope="module")
def served(tmp_path_factory, keys):
    """The history, its owner's git, and a daemon to which it was pushed."""
    directory = tmp_path_factory.mktemp("history")
    config = directory / "history.conf"
    config.write_text('[repo "cluster"]\n\tpublic = true\n'
                      f'[key "k"]\n\tfile = {public(keys("k"))}\n'
                      '\twrite = **\n')
    daemon = Daemon(directory, config=config).start()
    git = Git(directory / "git", daemon, keys("k"))
    origin = history.make(git, directory / "origin.git")
    git("push", "-q", daemon.ssh_url("cluster"), "refs/*:refs/*", cwd=origin)
    yield daemon, git, origin
    assert daemon.fsck("cluster") == ""
    end(daemon)


def refs(git, path):
    form = "--format=%(refname) %(objectname) %(*objectname)"
    return git("for-each-ref", form, cwd=path)


def test_is_pushed_whole(served):
    daemon, git, origin = served
    repo = daemon.repo_dir("cluster")
    assert refs(git, repo) == refs(git, origin)
    counted = dict(line.split(": ") for line in git(
        "count-objects", "-v", cwd=repo).splitlines())
    low, high = EXPECTED_MB
    assert low << 10 < int(counted["size-pack"]) < high << 10, counted
    assert int(counted["in-pack"]) > 10000 and counted["garbage"] == "0"


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize("door", ["ssh_url", "http_url"])
def test_is_cloned_whole(served, tmp_path, door, version):
    daemon, git, origin = served
    git("-c", f"protocol.version={version}", "-c", "fetch.fsckObjects=true",
        "clone", "-q", "--mirror", getattr(daemon, door)("cluster"), tmp_path)
    assert refs(git, tmp_path) == refs(git, origin)


@pytest.mark.parametrize("version", [0, 2])
@pytest.mark.parametrize("door", ["ssh_url", "http_url"])
def test_is_cloned_shallow_and_deepened(served, tmp_path, door, version):
    daemon, git, _ = served
    out = tmp_path / "out"
    git("-c", f"protocol.version={version}", "clone", "-q", "--depth", 1,
        getattr(daemon, door)("cluster"), out)
    assert git("rev-list", "--all", cwd=out).count("\n") == 1
    assert (out / "link").is_symlink() and (out / "tool/run").stat().st_mode & 1
    assert history.SUBMODULE in git("ls-tree", "-r", "main", cwd=out)
    git("-c", f"protocol.version={version}", "fetch", "-q", "--deepen=30",
        cwd=out)
    assert git("fsck", "--full", "--strict", "--no-dangling", cwd=out) == ""


def test_is_fetched_from_where_one_was(served, tmp_path):
    """Each fetch costs what is new, not the whole."""
    daemon, git, origin = served
    git("init", "-q", "--bare", tmp_path)
    for tag in ("v500", "v1600", "v2300"):
        git("fetch", "-q", "--no-tags", daemon.ssh_url("cluster"),
            f"refs/tags/{tag}:refs/tags/{tag}", cwd=tmp_path)
    new = git("rev-list", "--objects", "v1600..v2300", cwd=origin).count("\n")
    fetched = [line for line in daemon.lines if "event=fetch " in line][-1]
    assert f" objects={new} " in fetched and " haves=0 " not in fetched
