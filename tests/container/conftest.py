# SPDX-License-Identifier: Apache-2.0
"""One cluster for the whole story, told in the order of the tests."""

import secrets
import subprocess

import pytest

from pod import Cluster, Git, Pod, Receiver


def some_user():
    return 10000 + secrets.randbelow(50000)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.close()


@pytest.fixture(scope="session")
def key(tmp_path_factory):
    path = tmp_path_factory.mktemp("key") / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path],
                   check=True, stdin=subprocess.DEVNULL)
    return path


@pytest.fixture(scope="session")
def receiver(cluster):
    return Receiver(cluster)


@pytest.fixture
def pod(cluster, request):
    """A pod under a user id that nobody had before."""
    pod = Pod(cluster, request.node.name, some_user())
    yield pod
    if pod.is_running():
        assert pod.stop()[0] == 0
    assert not pod.inspect(".State.OOMKilled")


@pytest.fixture
def owner(tmp_path, key):
    """git with the owner's key, towards any pod."""
    return lambda pod: Git(tmp_path / pod.name, pod, key)
