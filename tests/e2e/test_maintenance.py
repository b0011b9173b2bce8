# SPDX-License-Identifier: Apache-2.0
"""Repositories stay small while they are pushed to, cloned, and repacked by
others; nothing is lost.
"""

import json
import subprocess
import threading

import pytest

from daemon import HEADWATER, CliError, Git, wait_for

FEW = """
[limits]
	maintenance-packs = 4
	maintenance-refs = 8
	maintenance-grace = 0s
"""
OFF = """
[server]
	maintenance = false
"""


@pytest.fixture
def few(tmp_path):
    config = tmp_path / "few.conf"
    config.write_text(FEW)
    return config


@pytest.fixture
def daemon(make_daemon, few):
    return make_daemon(config=few)


def packs(daemon, repo="cluster"):
    return list((daemon.repo_dir(repo) / "objects/pack").glob("*.pack"))


def packs_are_few(daemon, most):
    wait_for(lambda: len(packs(daemon)) <= most, f"no more than {most} packs")


def push_many(git, work, n, url=None):
    for _ in range(n):
        git.commit(work, "file", content=None)
        git("push", "-q", url or git.daemon.ssh_url("cluster"), "main",
            cwd=work)


def refs(daemon):
    return subprocess.run(
        ["git", "-C", daemon.repo_dir("cluster"), "for-each-ref"],
        capture_output=True, text=True, check=True).stdout


def test_many_pushes_leave_few_packs(owner):
    daemon = owner.daemon
    work = owner.init()
    push_many(owner, work, 15)
    packs_are_few(daemon, 6)
    assert daemon.metric('headwater_maintenance_runs_total{result="done"}') > 0
    daemon.wait_log("event=maintenance repo=cluster")
    owner("clone", "-q", daemon.ssh_url("cluster"), "out")
    assert (owner("rev-list", "--objects", "--all", cwd=work) ==
            owner("rev-list", "--objects", "--all",
                  cwd=owner.directory / "out"))
    status = daemon.api("status")["maintenance"]
    assert status["runs"] > 0 and status["last_repo"] == "cluster"


def test_it_can_be_asked_for_and_says_what_it_did(owner):
    daemon = owner.daemon
    work = owner.init()
    push_many(owner, work, 3)
    for i in range(5):
        owner("push", "-q", daemon.ssh_url("cluster"), f"main:branch{i}",
              cwd=work)
    before = refs(daemon)
    done = daemon.api("repo", "maintain", "cluster")
    assert done["packs"] == 1 and done["refs"] == 6
    assert "problem" not in done
    assert refs(daemon) == before
    assert "now 1" in daemon.cli("repo", "maintain")
    assert "packs 1, now 1" in daemon.cli("repo", "maintain", local=True)
    with pytest.raises(CliError, match="no repository"):
        daemon.cli("repo", "maintain", "absent")


def test_what_was_deleted_goes_in_the_end(owner, few):
    daemon = owner.daemon
    few.write_text(FEW + OFF)
    daemon.restart()
    work = owner.init()
    push_many(owner, work, 1)
    owner("checkout", "-q", "-b", "gone", cwd=work)
    gone = owner.commit(work, "other")
    url = daemon.ssh_url("cluster")
    owner("push", "-q", url, "gone", cwd=work)
    owner("push", "-q", url, ":gone", cwd=work)
    assert daemon.api("repo", "maintain", "cluster")["unreachable"] == 3
    assert daemon.api("repo", "maintain", "cluster")["expired"] == 3
    # Pushing it again brings it back whole.
    owner("push", "-q", url, "gone", cwd=work)
    owner("clone", "-q", "-b", "gone", url, "out")
    assert owner("rev-parse", "HEAD",
                 cwd=owner.directory / "out").strip() == gone


def test_off_means_off_unless_it_is_asked_for(make_daemon, few, keys,
                                              tmp_path):
    few.write_text(FEW + OFF)
    daemon = make_daemon(config=few)
    daemon.cli("repo", "create", "cluster")
    key = keys("owner")
    daemon.cli("key", "create", "owner", "--public-key",
               key.with_name(key.name + ".pub"), "--write", "cluster")
    git = Git(tmp_path / "client", daemon, key)
    work = git.init()
    push_many(git, work, 8)
    assert daemon.api("status")["maintenance"]["state"] == "off"
    assert len(packs(daemon)) == 8
    assert daemon.api("repo", "maintain", "cluster")["packs"] == 1
    assert daemon.fsck("cluster") == ""


def several(*jobs):
    """Run them side by side; the first failure is ours."""
    failures = []

    def run(job):
        try:
            job()
        except BaseException as failure:  # shown by the main thread
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_pushes_clones_maintenance_and_git_gc_at_once(owner, reader, daemon):
    work = owner.init()
    push_many(owner, work, 2)
    url = daemon.ssh_url("cluster")

    def clones():
        for i in range(6):
            reader("clone", "-q", url, f"out{i}")
            reader("fsck", "--full", "--strict",
                   cwd=reader.directory / f"out{i}")

    def maintains():
        for _ in range(6):
            try:
                daemon.cli("repo", "maintain", "cluster")
            except CliError as refused:
                assert "is at it" in str(refused)

    def collects():
        for _ in range(4):
            # Refused where maintenance is at it, as we are where it is.
            subprocess.run(["git", "-C", daemon.repo_dir("cluster"), "gc",
                            "-q", "--prune=1.hour.ago"],
                           capture_output=True, check=False)

    several(lambda: push_many(owner, work, 15), clones, maintains, collects)
    assert refs(daemon).split()[0] == owner("rev-parse", "main",
                                            cwd=work).strip()


def test_two_daemons_on_one_directory(owner, daemon, few, make_daemon,
                                      tmp_path):
    """Each is pushed to; both maintain. A replaced pack stays where another
    machine may have it mapped.
    """
    second = make_daemon(
        config=few, options=[f"--admin={tmp_path}/second.sock"])
    other = Git(tmp_path / "other", second, owner.key)
    one, two = owner.init(), other.init()

    def pushes(git, work, branch):
        for i in range(12):
            git.commit(work, f"{branch}{i}")
            git("push", "-q", git.daemon.ssh_url("cluster"),
                f"main:{branch}", cwd=work)

    several(lambda: pushes(owner, one, "a"), lambda: pushes(other, two, "b"))
    wait_for(lambda: len(packs(daemon)) <= 10, "few packs")
    assert list((daemon.repo_dir("cluster") / "objects/replaced").iterdir())
    for git, name in ((owner, "from-one"), (other, "from-two")):
        git("clone", "-q", git.daemon.ssh_url("cluster"), "-b", "a", name)
        git("fsck", "--full", "--strict", cwd=git.directory / name)
    assert {line.split()[2] for line in refs(daemon).splitlines()} == {
        "refs/heads/a", "refs/heads/b"}


def test_a_daemon_that_is_killed_leaves_nothing(owner, daemon):
    work = owner.init()
    push_many(owner, work, 3)
    wanted = refs(daemon)
    repo = daemon.repo_dir("cluster")
    for _ in range(3):
        push_many(owner, work, 2)
        wanted = refs(daemon)
        asked = subprocess.Popen(
            [HEADWATER, "--socket", daemon.socket, "repo", "maintain",
             "cluster"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        daemon.kill()
        asked.wait()
        daemon.restart()
        assert refs(daemon) == wanted
        assert daemon.fsck("cluster") == ""
    json.loads(daemon.cli("--json", "repo", "maintain", "cluster"))
    assert len(packs(daemon)) == 1
    wait_for(lambda: not list((repo / "objects").glob("incoming-*")),
             "no left-overs")


def test_a_check_tells_and_exits_for_scripts(owner, daemon, make_daemon):
    work = owner.init()
    push_many(owner, work, 2)
    checked = daemon.api("repo", "check", "cluster")
    assert checked["sound"] and checked["objects"] >= 6
    assert "problems 0" in daemon.cli("repo", "check", local=True)
    wrong = daemon.repo_dir("cluster") / "refs/heads/wrong"
    wrong.write_text("0123456789" * 4 + "\n")
    result = daemon.cli_run("repo", "check", "cluster")
    assert result.returncode == 1
    assert "cluster: ref refs/heads/wrong:" in result.stdout
    wrong.unlink()
