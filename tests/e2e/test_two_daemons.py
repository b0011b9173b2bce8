# SPDX-License-Identifier: Apache-2.0
"""Two daemons on one data directory, as over a shared volume."""

import threading

import pytest

from conftest import public
from daemon import Git, wait_for
from wire import (ZERO, execute, exit_code, hear, login, pack, pkt, read_list,
                  small_commit)

CAPS = "report-status"


@pytest.fixture
def pair(make_daemon, keys, tmp_path):
    """A daemon with a repository, and what starts a second beside it."""
    config = tmp_path / "pair.conf"
    config.write_text(f'[repo "cluster"]\n[key "k"]\n'
                      f'\tfile = {public(keys("k"))}\n\twrite = **\n')
    first = make_daemon(config=config)

    def second():
        return make_daemon(
            config=config, options=[f"--admin={tmp_path}/second.sock"])

    yield first, second
    assert first.fsck("cluster") == ""


def offer(daemon, key, old, new, ref):
    """A push whose pack is yet to be sent."""
    channel = execute(login(daemon, key), "git-receive-pack 'cluster'")
    read_list(channel)
    channel.sendall(pkt(f"{old} {new} {ref}\0{CAPS}") + b"0000")
    return channel


def finish(channel, data):
    """The report."""
    channel.sendall(data)
    channel.shutdown_write()
    report = hear(channel)
    assert exit_code(channel) == 0
    channel.get_transport().close()
    return report


def quarantines(daemon):
    return list(daemon.repo_dir("cluster").glob("objects/*incoming*"))


def test_a_start_disturbs_no_push_of_another(pair, keys):
    first, second = pair
    one, objects = small_commit()
    data = pack(*objects)
    push = offer(first, keys("k"), ZERO, one, "refs/heads/main")
    push.sendall(data[:40])
    wait_for(lambda: quarantines(first), "the quarantine")
    two = second()
    more, others = small_commit(b"more\n", parent=None)
    assert b"ok refs/heads/other\n" in finish(
        offer(two, keys("k"), ZERO, more, "refs/heads/other"), pack(*others))
    assert b"ok refs/heads/main\n" in finish(push, data[40:])
    for daemon in (first, two):
        git = Git(first.directory / f"git{daemon.ssh_port}", daemon, keys("k"))
        listed = git("ls-remote", daemon.ssh_url("cluster"))
        assert one in listed and more in listed
    assert quarantines(first) == []


def test_the_dead_ones_leavings_are_swept_and_the_livings_kept(pair, keys):
    first, second = pair
    one, objects = small_commit()
    data = pack(*objects)
    two = second()
    pushes = [offer(daemon, keys("k"), ZERO, one, ref) for daemon, ref in
              ((first, "refs/heads/main"), (two, "refs/heads/dead"))]
    for push in pushes:
        push.sendall(data[:40])
    wait_for(lambda: len(quarantines(first)) == 2, "both quarantines")
    two.kill()
    third = second()
    wait_for(lambda: len(quarantines(first)) == 1, "the sweep")
    assert b"ok refs/heads/main\n" in finish(pushes[0], data[40:])
    git = Git(first.directory / "git", third, keys("k"))
    assert "dead" not in git("ls-remote", third.ssh_url("cluster"))


def test_one_of_two_wins(pair, keys):
    first, second = pair
    daemons = first, second()
    old, objects = small_commit()
    assert b"ok refs/heads/main\n" in finish(
        offer(first, keys("k"), ZERO, old, "refs/heads/main"), pack(*objects))
    for i in range(8):
        offers, reports = [], [None, None]
        for j, daemon in enumerate(daemons):
            new, objects = small_commit(b"%d %d\n" % (i, j), parent=old)
            offers.append((new, pack(*objects), offer(
                daemon, keys("k"), old, new, "refs/heads/main")))

        def race(j):
            reports[j] = finish(offers[j][2], offers[j][1])

        threads = [threading.Thread(target=race, args=(j,)) for j in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        won = [b"ok refs/heads/main\n" in report for report in reports]
        assert sorted(won) == [False, True], reports
        assert b"ng refs/heads/main " in reports[won.index(False)]
        old = offers[won.index(True)][0]
        for daemon in daemons:  # the winner's value, at once, from both
            channel = execute(login(daemon, keys("k")),
                              "git-upload-pack 'cluster'")
            assert read_list(channel)[0].startswith(old.encode())
            channel.get_transport().close()


def test_both_take_different_branches_and_tell_of_them(pair, keys, receiver):
    first, second = pair
    first.cli("hook", "create", "h", "--repo", "cluster", "--url",
              receiver.url())
    daemons = first, second()
    tips = []

    def work(j):
        old = ZERO
        for i in range(6):
            new, objects = small_commit(
                b"%d %d\n" % (i, j), parent=None if old == ZERO else old)
            assert b"ok refs" in finish(
                offer(daemons[j], keys("k"), old, new, f"refs/heads/b{j}"),
                pack(*objects))
            old = new
        tips.append(old)

    threads = [threading.Thread(target=work, args=(j,)) for j in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tips) == 2
    for tip in tips:
        receiver.wait(lambda r: tip.encode() in r[2])
    # Verbs at one are seen by the other.
    first.cli("repo", "create", "new")
    git = Git(first.directory / "git", daemons[1], keys("k"))
    wait_for(lambda: git.run("ls-remote", daemons[1].ssh_url("new")
                             ).returncode == 0, "the new one")
