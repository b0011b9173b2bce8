# SPDX-License-Identifier: Apache-2.0
"""Backups: taken while serving, restored into nothing."""

import fcntl
import hashlib
import io
import json
import os
import random
import subprocess
import tarfile
from pathlib import Path

import pytest

from conftest import public
from daemon import HEADWATER, PATIENCE, Git, Receiver, wait_for
from gomodule import GoModule


def cli(daemon, *words, stdin=None):
    """The admin program with bytes on its pipes."""
    return subprocess.run(
        [str(HEADWATER), "--socket", str(daemon.socket), *map(str, words)],
        input=stdin, capture_output=True, timeout=PATIENCE + 60)


@pytest.fixture
def full(owner, tmp_path):
    """A daemon with all that a backup must hold, and what it said."""
    daemon = owner.daemon
    work = owner.init()
    owner.commit(work)
    owner("branch", "other", cwd=work)
    owner("tag", "-a", "-m", "one", "v1", cwd=work)
    owner.commit(work)
    owner("push", "-q", daemon.ssh_url("cluster"), "main", "other", "v1",
          cwd=work)
    daemon.cli("repo", "create", "team/app", "--branch", "trunk",
               "--description", "an app")
    daemon.cli("repo", "set", "team/app", "receive.denyDeletes=true")
    daemon.cli("key", "set", "owner", "write=**")
    owner("push", "-q", daemon.ssh_url("team/app"), "main:trunk",
          "main:another", cwd=work)  # HEAD's value is not only trunk's
    daemon.cli("repo", "create", "empty", "--branch", "first")
    token = daemon.cli("token", "create", "ci", "--read", "**").split()[-1]
    return owner, token


def repositories(git, daemon, token):
    """What a client sees of everything, by name."""
    seen = {}
    for name in ("cluster", "team/app", "empty"):
        seen[name] = git("ls-remote", "--symref",
                         daemon.http_url(name).replace("//", f"//x:{token}@"))
    return seen


def test_everything_comes_back_from_nothing(full, make_daemon, tmp_path):
    git, token = full
    daemon = git.daemon
    receiver = Receiver()
    daemon.cli("hook", "create", "flux", "--repo", "**", "--type",
               "generic-hmac", "--url", receiver.url())
    secret = daemon.cli("hook", "secret", "flux")
    seen = repositories(git, daemon, token)
    listed = daemon.cli("--json", "repo", "show", "team/app")
    backup = tmp_path / "backup.tar"
    daemon.cli("backup", backup)
    assert backup.stat().st_mode & 0o777 == 0o600
    daemon.kill()

    new = make_daemon("second", options=[
        f"--ssh=127.0.0.1:{daemon.ssh_port}"])
    assert new.api("status")["keys"] == 0
    done = cli(new, "restore", "-", stdin=backup.read_bytes())
    assert done.returncode == 0, done.stderr
    assert b"restored 3 repositories, 5 refs" in done.stdout
    assert b"restart headwaterd" in done.stderr
    new.restart()
    git.pinned = new.ssh_port  # known_hosts stays as it was written
    assert git("ls-remote", new.ssh_url("cluster"), "main")
    assert repositories(git, new, token) == seen
    assert new.cli("hook", "secret", "flux") == secret
    for name in ("description", "head", "branch"):
        assert new.api("repo", "show", "team/app").get(name) == \
            json.loads(listed).get(name)
    assert "denyDeletes" in (new.repo_dir("team/app") / "config"
                             ).read_text()
    for name in seen:
        assert new.fsck(name) == ""
    # and it goes on: a push is taken and told
    before = len(receiver.requests)
    git.commit(git.directory / "work", content="new")
    git("push", "-q", "-f", new.ssh_url("cluster"), "main",
        cwd=git.directory / "work")
    wait_for(lambda: len(receiver.requests) > before, "the webhook")


def test_flux_goes_on_after_the_drill(full, make_daemon):
    """The same URL, identity and known_hosts, and the same commit."""
    flux = GoModule("flux")
    git, _ = full
    daemon = git.daemon
    git("ls-remote", daemon.ssh_url("cluster"))  # known_hosts is written

    def clone():
        done = flux.run("run", "./clone", daemon.ssh_url("cluster"), "main",
                        git.key, git.known_hosts, timeout=PATIENCE + 300)
        assert done.returncode == 0, done.stdout
        return done.stdout.split()[-1]

    commit = clone()
    backup = cli(daemon, "backup", "-").stdout
    daemon.kill()
    new = make_daemon("second", options=[
        f"--ssh=127.0.0.1:{daemon.ssh_port}"])
    assert cli(new, "restore", "-", stdin=backup).returncode == 0
    new.restart()
    assert clone() == commit


def test_works_without_a_daemon(full, make_daemon, tmp_path):
    git, token = full
    seen = repositories(git, git.daemon, token)
    git.daemon.stop()
    backup = tmp_path / "backup.tar"
    git.daemon.cli("backup", backup, local=True)
    new = make_daemon("second", start=False)
    said = new.cli("restore", backup, local=True)
    assert "restored 3 repositories" in said
    new.start()
    assert repositories(git, new, token) == seen
    assert not list(new.data.glob("repos/**/incoming*"))


def test_can_be_used_by_hand(full, tmp_path):
    git, _ = full
    done = cli(git.daemon, "backup", "-")
    assert done.returncode == 0, done.stderr
    subprocess.run(["tar", "xf", "-"], cwd=tmp_path, input=done.stdout,
                   check=True)
    subprocess.run(["sha256sum", "--check", "--quiet", "checksums"],
                   cwd=tmp_path, check=True)
    git("clone", "-q", tmp_path / "repos/team/app.bundle", "by-hand")
    names = tarfile.open(fileobj=io.BytesIO(done.stdout)).getnames()
    assert {"ssh/ssh_host_ed25519_key", "state.conf"} <= set(names)
    assert any(name.startswith("logins/") for name in names)


def test_is_taken_while_pushes_go_on(full, tmp_path, make_daemon):
    git, _ = full
    work = git.directory / "work"
    pushes = []
    for i in range(8):
        git.commit(work, content=f"push {i}")
        pushes.append(subprocess.Popen(
            ["git", "push", "-q", git.daemon.ssh_url("cluster"),
             f"HEAD:refs/heads/p{i}"], cwd=work, env=git.environment()))
    backup = tmp_path / "backup.tar"
    git.daemon.cli("backup", backup)
    for push in pushes:
        assert push.wait(PATIENCE) == 0
    new = make_daemon("second", start=False)
    new.cli("restore", backup, local=True)
    assert new.fsck("cluster") == ""


def damaged(whole):
    """Archives that are none any more, by name."""
    rand = random.Random(1)
    yield "empty", b""
    yield "no archive", b"x" * 4096
    yield "cut", whole[:len(whole) * 2 // 3]
    yield "without its end", whole[:-10240] if len(whole) > 20480 \
        else whole[:-1024 - 512]
    for i in range(12):
        at = rand.randrange(len(whole) - 1024)
        yield f"byte {at}", (whole[:at] + bytes([whole[at] ^ 0x41]) +
                             whole[at + 1:])
    for name in ("repos/../../x.bundle", "/etc/passwd", "ssh/../state.conf",
                 "secrets/.hidden", "repos/a.git/hooks/update", "run/x"):
        yield name, forged(whole, name)


def archive_of(contents):
    """An archive of (name, bytes), with checksums that fit."""
    out = io.BytesIO()
    sums = [f"{hashlib.sha256(data).hexdigest()}  {name}\n"
            for name, data in contents]
    with tarfile.open(fileobj=out, mode="w") as new:
        for name, data in [*contents, ("checksums", "".join(sums).encode())]:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            new.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def contents_of(whole):
    with tarfile.open(fileobj=io.BytesIO(whole)) as old:
        return [(member.name, old.extractfile(member).read())
                for member in old.getmembers()[:-1]]


def forged(whole, name):
    """The archive with one file more."""
    return archive_of(contents_of(whole) + [(name, b"x")])


def files(daemon):
    return {path.relative_to(daemon.data): path.read_bytes()
            for top in ("repos", "secrets", "ssh", "state.conf")
            for path in [daemon.data / top, *(daemon.data / top).rglob("*")]
            if path.is_file()}


def test_a_damaged_backup_leaves_everything_as_it_was(full, make_daemon):
    whole = cli(full[0].daemon, "backup", "-").stdout
    new = make_daemon("second")
    before = files(new)
    for name, archive in damaged(whole):
        done = cli(new, "restore", "-", stdin=archive)
        assert done.returncode == 1, name
        assert done.stderr.startswith(b"headwater: "), name
        assert files(new) == before, name
    assert "status=500" not in new.log()  # nothing of the server's broke
    assert cli(new, "restore", "-", stdin=whole).returncode == 0
    assert new.fsck("cluster") == ""


def test_goes_into_an_empty_directory_only(full, make_daemon):
    git, _ = full
    whole = cli(git.daemon, "backup", "-").stdout
    before = files(git.daemon)
    done = cli(git.daemon, "restore", "-", stdin=whole)
    assert done.returncode == 1 and b"empty data directory" in done.stderr
    assert files(git.daemon) == before
    new = make_daemon("second")
    new.cli("key", "create", "k", "--public-key", public(git.key),
            "--read", "**")
    done = cli(new, "restore", "-", stdin=whole)
    assert done.returncode == 1 and b"'k' is in state.conf" in done.stderr


def test_restores_what_is_declared_already(full, make_daemon, tmp_path):
    git, token = full
    whole = cli(git.daemon, "backup", "-").stdout
    config = tmp_path / "declared.conf"
    config.write_text('[repo "cluster"]\n[repo "team/app"]\n\tpublic = true\n')
    new = make_daemon("second", config=config)
    anybody = Git(tmp_path / "anybody", new)
    done = cli(new, "restore", "-", stdin=whole[:-1536])
    assert done.returncode == 1
    assert anybody("ls-remote", new.http_url("team/app")) == ""
    done = cli(new, "restore", "-", stdin=whole)
    assert done.returncode == 0, done.stderr
    assert git("ls-remote", "--symref", new.http_url("team/app")).startswith(
        "ref: refs/heads/trunk\tHEAD")


def test_says_which_repository_cannot_be_read(full, tmp_path):
    git, _ = full
    for index in git.daemon.repo_dir("team/app").glob("objects/pack/*.idx"):
        index.chmod(0o600)
        index.write_bytes(b"nonsense")
    backup = tmp_path / "backup.tar"
    done = git.daemon.cli_run("backup", backup)
    assert done.returncode in (1, 3) and not backup.exists()
    assert "team/app" in done.stderr + git.daemon.log()


def test_a_state_that_would_be_refused_is_not_restored(full, make_daemon):
    whole = cli(full[0].daemon, "backup", "-").stdout
    broken = [(name, data + b"[repo \"x\"]\n\tnonsense = 1\n"
               if name == "state.conf" else data)
              for name, data in contents_of(whole)]
    new = make_daemon("second")
    before = files(new)
    done = cli(new, "restore", "-", stdin=archive_of(broken))
    assert done.returncode == 1 and b"nonsense" in done.stderr
    assert files(new) == before
    assert cli(new, "restore", "-", stdin=whole).returncode == 0


def test_a_failure_at_the_end_can_be_tried_again(full, make_daemon):
    whole = cli(full[0].daemon, "backup", "-").stdout
    new = make_daemon("second", start=False)
    new.cli("status", local=True)  # makes the directories
    secret = next(name for name, _ in contents_of(whole)
                  if name.startswith("secrets/"))
    (new.data / secret / "in the way").mkdir(parents=True)
    backup = new.data.parent / "backup.tar"
    backup.write_bytes(whole)
    assert new.cli_run("restore", backup, local=True).returncode == 1
    assert not list((new.data / "repos").glob("**/*.git"))
    (new.data / secret / "in the way").rmdir()
    (new.data / secret).rmdir()
    assert "restored 3" in new.cli("restore", backup, local=True)


def test_more_repositories_than_checksums_of_4_mib(make_daemon, tmp_path):
    """The list grows with the repositories, and a backup of many restores."""
    name = "a" * 190
    parts = [("headwater-backup", b"format = 1\n")] + [
        (f"repos/{i:05}{name}.git/config", b"") for i in range(15500)]
    backup = tmp_path / "backup.tar"
    backup.write_bytes(archive_of(parts))
    new = make_daemon("second", start=False)
    assert "restored 0" in new.cli("restore", backup, local=True)


def test_one_restore_at_a_time(full, make_daemon):
    whole = cli(full[0].daemon, "backup", "-").stdout
    new = make_daemon("second")
    with open(new.data / "run/restore.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = cli(new, "restore", "-", stdin=whole)
        assert done.returncode == 1 and b"another restore" in done.stderr
    assert cli(new, "restore", "-", stdin=whole).returncode == 0


def test_secrets_are_of_the_moment_of_the_state(full):
    """Whoever changes them is waited for."""
    daemon = full[0].daemon
    path = daemon.data / "run/state.lock"
    with open(path, "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        backup = subprocess.Popen(
            [str(HEADWATER), "--socket", str(daemon.socket), "backup",
             "/dev/null"])
        opened = Path(f"/proc/{daemon.process.pid}/fd")
        wait_for(lambda: any(os.path.realpath(fd) == str(path.resolve())
                             for fd in opened.iterdir()), "the lock")
        assert backup.poll() is None
    assert backup.wait(PATIENCE) == 0


def test_is_for_its_owner_alone_behind_a_link_too(full, tmp_path):
    real = tmp_path / "real.tar"
    link = tmp_path / "link.tar"
    link.symlink_to(real)
    full[0].daemon.cli("backup", link)  # leads nowhere yet
    assert link.stat().st_mode & 0o777 == 0o600
    link.unlink(missing_ok=True)
    real.write_bytes(b"what was there")
    link.symlink_to(real)
    assert full[0].daemon.cli_run("backup", link).returncode == 0
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    assert tarfile.is_tarfile(real)
