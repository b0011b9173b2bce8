# SPDX-License-Identifier: Apache-2.0
"""At the doors nothing is given that no visible ref reaches: commits, trees,
blobs and tags alike, in every protocol version; what a ref reaches is, by its
id alone, as partial clones ask for it."""

import pytest

HIDDEN = "refs/hidden/secret"


@pytest.fixture
def ids(cluster, owner):
    """By name, what is reachable and what is not, after a force-push took a
    secret back."""
    work = owner.init()
    owner.commit(work, "deep/er/file", "kept")
    url = cluster.ssh_url("cluster")
    owner("push", "-q", url, "HEAD:refs/heads/main", cwd=work)
    kept = "HEAD", "HEAD^{tree}", "HEAD:deep", "HEAD:deep/er/file"
    found = {"kept": [owner("rev-parse", k, cwd=work).strip() for k in kept]}
    owner.commit(work, "secret/file", "the password")
    owner("tag", "-a", "-m", "x", "secret", cwd=work)
    owner("push", "-q", url, "HEAD:refs/heads/main", "secret", cwd=work)
    lost = "HEAD", "HEAD^{tree}", "HEAD:secret", "HEAD:secret/file", "secret"
    found["lost"] = [owner("rev-parse", k, cwd=work).strip() for k in lost]
    owner("push", "-q", url, "+HEAD^:refs/heads/main", ":secret", cwd=work)
    owner.commit(work, "hidden/file", "hidden")
    owner("push", "-q", url, f"HEAD:{HIDDEN}", cwd=work)
    hidden = "HEAD", "HEAD^{tree}", "HEAD:hidden/file"
    found["hidden"] = [owner("rev-parse", k, cwd=work).strip() for k in hidden]
    owner("config", "--add", "transfer.hideRefs", "refs/hidden",
          cwd=cluster.repo_dir("cluster"))
    return found


def fetch(git, url, version, wanted, number):
    """Fetch one object by its id, into a repository of its own."""
    target = f"t{number}.git"
    git("init", "-q", "--bare", target)
    return git.run("-c", f"protocol.version={version}", "fetch", "-q",
                   "--depth=1", url, wanted, cwd=git.directory / target)


@pytest.mark.parametrize("version", [0, 1, 2])
def test_only_what_is_reached_is_given(cluster, ids, reader, version):
    url = cluster.ssh_url("cluster")
    for number, wanted in enumerate(ids["kept"]):
        result = fetch(reader, url, version, wanted, number)
        assert result.returncode == 0, result.stderr
    for number, wanted in enumerate(ids["lost"] + ids["hidden"]):
        result = fetch(reader, url, version, wanted, f"no{number}")
        assert result.returncode != 0
        assert f"not our ref {wanted}" in result.stderr, result.stderr
