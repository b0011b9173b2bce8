# SPDX-License-Identifier: Apache-2.0
"""dulwich, a git client of its own, over SSH (by paramiko) and HTTP."""

import paramiko
import pytest
import urllib3
from dulwich import client, porcelain
from dulwich.contrib.paramiko_vendor import ParamikoSSHVendor
from dulwich.repo import Repo

from daemon import PATIENCE


@pytest.fixture
def ssh(owner, keys):
    """A client of dulwich's, and the path of the repository."""
    vendor = ParamikoSSHVendor(
        pkey=paramiko.Ed25519Key.from_private_key_file(str(keys("owner"))),
        look_for_keys=False, allow_agent=False, timeout=PATIENCE)
    return client.SSHGitClient("127.0.0.1", port=owner.daemon.ssh_port,
                               username="git", vendor=vendor), "/cluster"


@pytest.fixture
def pushed(owner):
    work = owner.init()
    for i in range(3):
        owner.commit(work, f"dir/file{i}")
    owner("tag", "-a", "-m", "one", "v1", cwd=work)
    owner("push", "-q", owner.daemon.ssh_url("cluster"), "main", "v1",
          cwd=work)
    return work


def tip(git, path):
    return git("rev-parse", "main", cwd=path).strip().encode()


@pytest.mark.parametrize("depth", [None, 1])
def test_clones_over_ssh(owner, ssh, pushed, tmp_path, depth):
    git, path = ssh
    clone = git.clone(path, str(tmp_path / "out"), mkdir=True, depth=depth)
    assert clone.refs[b"refs/heads/main"] == tip(owner, pushed)
    assert (tmp_path / "out" / "dir" / "file2").exists()
    owner("fsck", "--full", "--strict", cwd=tmp_path / "out")
    clone.close()


def test_fetches_and_pushes_over_ssh(owner, ssh, pushed, tmp_path):
    git, path = ssh
    clone = git.clone(path, str(tmp_path / "out"), mkdir=True)
    new = owner.commit(pushed)
    owner("push", "-q", owner.daemon.ssh_url("cluster"), "main", cwd=pushed)
    fetched = git.fetch(path, clone)
    assert fetched.refs[b"refs/heads/main"] == new.encode()
    (tmp_path / "out" / "more").write_text("more\n")
    clone.stage(["more"])
    mine = clone.do_commit(b"mine", committer=b"C <c@example.invalid>",
                           author=b"A <a@example.invalid>")
    result = git.send_pack(
        path, lambda refs: {b"refs/heads/mine": mine},
        clone.object_store.generate_pack_data)
    assert result.ref_status.get(b"refs/heads/mine") is None, result.ref_status
    listed = owner("ls-remote", owner.daemon.ssh_url("cluster"))
    assert f"{mine.decode()}\trefs/heads/mine\n" in listed
    git.send_pack(path, lambda refs: {b"refs/heads/mine": b"0" * 40},
                  clone.object_store.generate_pack_data)
    assert "mine" not in owner("ls-remote", owner.daemon.ssh_url("cluster"))
    clone.close()


def test_clones_over_http_with_a_token_where_one_is_needed(owner, pushed,
                                                           tmp_path):
    daemon = owner.daemon
    token = daemon.cli("token", "create", "ci", "--read", "cluster").strip()
    url = daemon.http_url("cluster")
    with pytest.raises(client.HTTPUnauthorized):
        porcelain.clone(url, str(tmp_path / "none"))
    porcelain.clone(url, str(tmp_path / "basic"), username="git",
                    password=token).close()
    bearer = client.HttpGitClient(
        f"http://127.0.0.1:{daemon.http_port}",
        pool_manager=urllib3.PoolManager(
            headers={"Authorization": f"Bearer {token}",
                     "User-Agent": "git/dulwich"}))
    bearer.clone("/cluster", str(tmp_path / "bearer"), mkdir=True).close()
    daemon.cli("repo", "set", "cluster", "public=true")
    porcelain.clone(url, str(tmp_path / "public")).close()
    for name in ("basic", "bearer", "public"):
        clone = Repo(str(tmp_path / name))
        assert clone.refs[b"refs/heads/main"] == tip(owner, pushed)
        clone.close()
        owner("fsck", "--full", "--strict", cwd=tmp_path / name)
