# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a running daemon, clients with and without rights."""

import pytest

from daemon import Daemon, Git, Receiver, make_key


def end(daemon):
    """Stop it, and see that it has nothing to complain of."""
    code = daemon.stop()
    assert code in (0, None, -9), f"exit {code}\n{daemon.log()}"
    for report in ("AddressSanitizer", "runtime error:",
                   "ThreadSanitizer", "LeakSanitizer"):
        assert report not in daemon.log(), daemon.log()


@pytest.fixture
def make_daemon(tmp_path):
    """Start daemons that are stopped, and checked, at the end."""
    daemons = []

    def make(name="server", start=True, **settings):
        directory = tmp_path / name
        directory.mkdir(exist_ok=True)
        daemon = Daemon(directory, **settings)
        daemons.append(daemon)
        return daemon.start() if start else daemon

    yield make
    for daemon in daemons:
        end(daemon)


@pytest.fixture
def daemon(make_daemon):
    return make_daemon()


@pytest.fixture
def cluster(daemon):
    """A daemon that has the repository `cluster`."""
    daemon.cli("repo", "create", "cluster")
    yield daemon
    assert daemon.fsck("cluster") == ""


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """Key pairs made once, by name."""
    directory = tmp_path_factory.mktemp("keys")
    made = {}

    def key(name, kind="ed25519", bits=None):
        if name not in made:
            made[name] = make_key(directory / name, kind, bits, name)
        return made[name]

    return key


def public(path):
    return path.with_name(path.name + ".pub")


@pytest.fixture
def owner(cluster, keys, tmp_path):
    """git of somebody who may push to `cluster`."""
    key = keys("owner")
    cluster.cli("key", "create", "owner", "--public-key", public(key),
                "--write", "cluster")
    return Git(tmp_path / "owner", cluster, key)


@pytest.fixture
def reader(cluster, keys, tmp_path):
    """git of somebody who may only read."""
    key = keys("reader")
    cluster.cli("key", "create", "reader", "--public-key", public(key),
                "--read", "cluster")
    return Git(tmp_path / "reader", cluster, key)


@pytest.fixture
def stranger(cluster, keys, tmp_path):
    return Git(tmp_path / "stranger", cluster, keys("stranger"))


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()
