# SPDX-License-Identifier: Apache-2.0
"""Pushing and cloning with stock git over SSH and HTTP."""

import pathlib

import pytest


@pytest.fixture
def pushed(owner):
    work = owner.init()
    for i in range(5):
        owner.commit(work, f"dir{i % 2}/file{i}")
    owner("push", "-q", owner.daemon.ssh_url("cluster"), "main", cwd=work)
    return work


@pytest.mark.parametrize("version", [0, 1, 2])
def test_clones_over_ssh_in_every_protocol_version(owner, pushed, version):
    owner("-c", f"protocol.version={version}", "clone", "-q",
          owner.daemon.ssh_url("cluster"), "out")
    out = owner.directory / "out"
    assert (owner("rev-parse", "HEAD", cwd=out) ==
            owner("rev-parse", "HEAD", cwd=pushed))
    owner("fsck", "--full", "--strict", cwd=out)


@pytest.mark.parametrize("version", [0, 1, 2])
def test_clones_a_public_repository_over_http(owner, pushed, version):
    owner.daemon.cli("repo", "set", "cluster", "public=true")
    owner("-c", f"protocol.version={version}", "clone", "-q",
          owner.daemon.http_url("cluster"), "out")
    owner("fsck", "--full", "--strict", cwd=owner.directory / "out")


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize("depth", [1, 2, 4, 100])
def test_clones_shallowly(owner, pushed, version, depth):
    owner("-c", f"protocol.version={version}", "clone", "-q", "--depth", depth,
          owner.daemon.ssh_url("cluster"), "out")
    out = owner.directory / "out"
    assert len(owner("rev-list", "HEAD", cwd=out).split()) == min(depth, 5)
    owner("fetch", "-q", "--unshallow" if depth < 5 else "--all", cwd=out)
    assert len(owner("rev-list", "HEAD", cwd=out).split()) == 5
    owner("fsck", "--full", "--strict", cwd=out)


def test_copies_no_pack_that_goes_out_as_it_lies(owner, pushed):
    def kept():
        """Mapped answers that are files of their own."""
        maps = pathlib.Path(f"/proc/{owner.daemon.process.pid}/maps")
        return [line for line in maps.read_text().splitlines()
                if f"{owner.daemon.data}/run/" in line and "deleted" in line]

    url = owner.daemon.ssh_url("cluster")
    for name in ("first", "again"):
        owner("clone", "-q", url, name)
        owner("fsck", "--full", "--strict", cwd=owner.directory / name)
    assert not kept()
    owner("clone", "-q", "--depth", "1", url, "shallow")
    assert kept()


@pytest.mark.parametrize("version", [0, 2])
def test_fetches_what_was_pushed_since(owner, pushed, version):
    url = owner.daemon.ssh_url("cluster")
    owner("clone", "-q", url, "out")
    new = owner.commit(pushed)
    owner("push", "-q", url, "main", cwd=pushed)
    out = owner.directory / "out"
    owner("-c", f"protocol.version={version}", "pull", "-q", cwd=out)
    assert owner("rev-parse", "HEAD", cwd=out).strip() == new


def test_clones_an_empty_repository_and_learns_its_branch(owner):
    url = owner.daemon.ssh_url("cluster")
    cloned = owner.run("clone", url, "out")
    assert cloned.returncode == 0
    assert "empty repository" in cloned.stderr
    head = (owner.directory / "out" / ".git" / "HEAD").read_text()
    assert head == "ref: refs/heads/main\n"


def test_points_head_at_the_first_branch_when_there_is_no_main(owner):
    work = owner.init()
    owner.commit(work)
    url = owner.daemon.ssh_url("cluster")
    said = owner.run("push", url, "main:refs/heads/trunk", cwd=work)
    assert said.returncode == 0 and "trunk" in said.stderr
    listed = owner("ls-remote", "--symref", url, "HEAD")
    assert listed.startswith("ref: refs/heads/trunk\tHEAD")


def test_pushes_tags_branches_and_deletes_them(owner, pushed):
    url = owner.daemon.ssh_url("cluster")
    owner("tag", "light", cwd=pushed)
    owner("tag", "-a", "-m", "annotated", "v1", cwd=pushed)
    owner("push", "-q", url, "--tags", "main:refs/heads/feature/one",
          cwd=pushed)
    listed = owner("ls-remote", url)
    for name in ("refs/tags/light", "refs/tags/v1", "refs/tags/v1^{}",
                 "refs/heads/feature/one"):
        assert f"\t{name}\n" in listed
    owner("push", "-q", url, ":refs/tags/light", ":refs/heads/feature/one",
          cwd=pushed)
    listed = owner("ls-remote", url)
    assert "light" not in listed and "feature" not in listed


def test_refuses_to_rewind_only_where_the_repository_says_so(owner, pushed):
    url = owner.daemon.ssh_url("cluster")
    owner("commit", "-q", "--amend", "-m", "other", cwd=pushed)
    assert owner.run("push", url, "main", cwd=pushed).returncode != 0
    owner.daemon.cli("repo", "set", "cluster",
                     "receive.denyNonFastForwards=true")
    refused = owner.run("push", "-f", url, "main", cwd=pushed)
    assert refused.returncode == 1 and "non-fast-forward" in refused.stderr
    owner.daemon.cli("repo", "set", "cluster",
                     "receive.denyNonFastForwards=false")
    owner("push", "-q", "-f", url, "main", cwd=pushed)


def test_refuses_to_delete_the_branch_of_head(owner, pushed):
    refused = owner.run("push", owner.daemon.ssh_url("cluster"),
                        ":refs/heads/main", cwd=pushed)
    assert refused.returncode == 1
    assert "deletion of the current branch prohibited" in refused.stderr


def test_applies_an_atomic_push_whole_or_not_at_all(owner, pushed):
    url = owner.daemon.ssh_url("cluster")
    before = owner("ls-remote", url)
    owner("commit", "-q", "--amend", "-m", "other", cwd=pushed)
    refused = owner.run("push", "--atomic", url, "main:refs/heads/new",
                        "+main:refs/heads/bad.lock", cwd=pushed)
    assert refused.returncode != 0
    assert owner("ls-remote", url) == before
    owner("push", "-q", "--atomic", url, "main:refs/heads/a",
          "main:refs/heads/b", cwd=pushed)
    listed = owner("ls-remote", url)
    assert "refs/heads/a\n" in listed and "refs/heads/b\n" in listed


def test_takes_push_options(owner, pushed):
    owner.commit(pushed)
    owner("push", "-q", "-o", "ci.skip", "-o", "x=y",
          owner.daemon.ssh_url("cluster"), "main", cwd=pushed)


def test_serves_branches_with_names_that_are_not_ascii(owner, pushed):
    url = owner.daemon.ssh_url("cluster")
    owner("push", "-q", url, "main:refs/heads/größe/ünïcödé", cwd=pushed)
    owner("clone", "-q", "-b", "größe/ünïcödé", url, "out")


def test_serves_a_thousand_refs(owner, pushed):
    url = owner.daemon.ssh_url("cluster")
    refs = [f"main:refs/heads/many/b{i:04}" for i in range(1000)]
    owner("push", "-q", url, *refs, cwd=pushed)
    assert owner("ls-remote", "--heads", url).count("\n") == 1001
    owner("clone", "-q", "--mirror", url, "out")
    assert owner("for-each-ref", cwd=owner.directory / "out").count("\n") == 1001


def test_keeps_submodules_as_they_are(owner, pushed):
    url = owner.daemon.ssh_url("cluster")
    owner("update-index", "--add", "--cacheinfo",
          "160000," + "1" * 40 + ",modules/other", cwd=pushed)
    (pushed / ".gitmodules").write_text(
        '[submodule "other"]\n\tpath = modules/other\n\turl = ../other\n')
    owner("add", ".gitmodules", cwd=pushed)
    owner("commit", "-q", "-m", "submodule", cwd=pushed)
    owner("push", "-q", url, "main", cwd=pushed)
    owner("clone", "-q", url, "out")
    assert "160000" in owner("ls-tree", "-r", "HEAD",
                             cwd=owner.directory / "out")


def test_filters_blobs_of_a_partial_clone(owner, pushed):
    url = owner.daemon.ssh_url("cluster")
    owner("clone", "-q", "--filter=blob:none", "--no-checkout", url, "out")
    out = owner.directory / "out"
    missing = owner("rev-list", "--objects", "--missing=print", "HEAD",
                    cwd=out)
    assert missing.count("\n?") + missing.startswith("?") == 5
    owner("checkout", "-q", "main", cwd=out)
    assert (out / "dir0" / "file0").exists()
