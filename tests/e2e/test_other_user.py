# SPDX-License-Identifier: Apache-2.0
"""A restart may use another user id of the same group, as in a cluster whose
volumes are given to a group and whose pods get ids at random.
"""

import os
import pathlib
import shutil
import stat
import tempfile

import pytest

import daemon as programs
from conftest import public
from daemon import Daemon, Git, Receiver

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="only root may run programs under other ids")

GROUP = 20000
OTHER_GROUP = 20001


class DaemonOf(Daemon):
    """A daemon of some user id, which is in GROUP, if not by its own group."""

    def __init__(self, directory, user, group=GROUP):
        super().__init__(directory)
        self.as_user(user, group)

    def as_user(self, user, group=GROUP):
        self.user, self.group = user, group
        return self

    def command(self):
        program, *words = super().command()
        return ["setpriv", f"--reuid={self.user}", f"--regid={self.group}",
                f"--groups={GROUP}", "--",
                self.directory / pathlib.Path(program).name, *words]


@pytest.fixture(params=["volume", "directory of it"])
def shared(request):
    """A volume as a cluster hands it out, that is the data directory or will
    hold it, and programs that any user can reach.
    """
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        directory.chmod(0o755)
        shutil.copy(programs.HEADWATERD, directory)
        volume = directory / "data"
        if request.param != "volume":
            directory = directory / "program"
            directory.mkdir()
            shutil.copy(programs.HEADWATERD, directory)
            volume = directory
        volume.mkdir(exist_ok=True)
        os.chown(volume, 0, GROUP)
        volume.chmod(0o2770)
        yield directory


@pytest.fixture
def started(shared):
    daemon = DaemonOf(shared, 31001).start()
    yield daemon
    assert daemon.stop() in (0, -9), daemon.log()


def with_owner(daemon, tmp_path, keys):
    daemon.cli("repo", "create", "team/cluster")
    daemon.cli("key", "create", "owner", "--public-key", public(keys("owner")),
               "--write", "**")
    return Git(tmp_path / "owner", daemon, keys("owner"))


def everything(data):
    yield data
    for directory, names, files in os.walk(data):
        yield from (pathlib.Path(directory, one) for one in names + files)


# Only the daemon itself and root may use the socket, and it does not outlive
# the daemon.
OWN = {"admin.sock"}


def test_all_that_is_made_is_the_groups(started, tmp_path, keys, receiver):
    owner = with_owner(started, tmp_path, keys)
    started.cli("hook", "create", "flux", "--repo", "**", "--url",
                receiver.url(), "--type", "generic-hmac")
    work = owner.init()
    owner.commit(work)
    owner("push", "-q", started.ssh_url("team/cluster"), "main", cwd=work)
    receiver.wait()
    for path in everything(started.data):
        status = path.lstat()
        mode = stat.S_IMODE(status.st_mode)
        assert status.st_gid == GROUP, path
        assert mode & 0o007 == 0, f"{path}: {mode:o}"
        if path.name not in OWN:
            wanted = 0o070 if path.is_dir() else 0o040
            assert mode & wanted == wanted, f"{path}: {mode:o}"


@pytest.mark.parametrize("group", [GROUP, OTHER_GROUP])
@pytest.mark.parametrize("signal", ["TERM", "KILL"])
def test_goes_on_under_another_id(shared, tmp_path, keys, group, signal):
    receiver = Receiver(status=503)
    daemon = DaemonOf(shared, 31001, group).start()
    owner = with_owner(daemon, tmp_path, keys)
    daemon.cli("hook", "create", "flux", "--repo", "**", "--url",
               receiver.url())
    secret = (daemon.data / "secrets").iterdir()
    assert list(secret)
    work = owner.init()
    first = owner.commit(work)
    owner("push", "-q", daemon.ssh_url("team/cluster"), "main", cwd=work)
    receiver.wait()
    identity = daemon.cli("known-hosts", "localhost")
    daemon.kill() if signal == "KILL" else daemon.stop()

    receiver.status = 200
    receiver.requests.clear()
    daemon.as_user(31002, group).start()
    try:
        assert daemon.cli("known-hosts", "localhost") == identity
        receiver.wait(lambda request: first.encode() in request[2])
        second = owner.commit(work)
        owner("push", "-q", daemon.ssh_url("team/cluster"), "main", "main:new",
              cwd=work)
        receiver.wait(lambda request: second.encode() in request[2])
        daemon.cli("repo", "create", "team/other")
        assert daemon.fsck("team/cluster") == ""
        assert "error" not in daemon.log().replace('"errors"', ""), \
            daemon.log()
    finally:
        daemon.stop()
        receiver.close()


def test_sweeps_what_another_id_left(started, tmp_path, keys):
    with_owner(started, tmp_path, keys)
    started.kill()
    objects = started.repo_dir("team/cluster") / "objects"
    lock, = started.data.glob("run/" + "[0-9a-f]" * 32 + ".lock")
    left = objects / f"incoming-{lock.stem}-abcdef"
    left.mkdir(0o770)
    left.chmod(0o2770)
    os.chown(left, 31001, GROUP)
    started.as_user(31002).start()
    programs.wait_for(lambda: not left.exists(), "the sweep")
    programs.wait_for(lambda: not lock.exists(), "the lock's going")
