# SPDX-License-Identifier: Apache-2.0
"""Keys that nobody knows: remembered, shown, let in; and keys that follow."""

import subprocess

import paramiko

from conftest import public
from daemon import Git, make_key, wait_for


def fingerprint(key):
    words = subprocess.run(["ssh-keygen", "-lf", public(key)], check=True,
                           capture_output=True, text=True).stdout.split()
    return words[1]


def pending(daemon):
    return {key["fingerprint"]: key
            for key in daemon.api("key", "pending")["pending"]}


def talkative(git, *keys):
    """ssh as a person runs it: not in batch mode, with these keys."""
    command = git.environment()["GIT_SSH_COMMAND"].replace(
        "BatchMode=yes", "BatchMode=no")
    return command + "".join(f" -i {key}" for key in keys)


def test_remembers_who_was_refused_and_lets_him_in(cluster, stranger, keys):
    mine = fingerprint(keys("stranger"))
    url = cluster.ssh_url("cluster")
    for _ in range(2):
        assert stranger.run("ls-remote", url).returncode == 128
    wait_for(lambda: pending(cluster).get(mine, {}).get("connections") == 2,
             "the key")
    one = pending(cluster)[mine]
    assert one["address"] == "127.0.0.1" and one["type"] == "ssh-ed25519"
    assert one["public_key"].split() == public(
        keys("stranger")).read_text().split()[:2]
    assert one["last_time"] >= one["first_time"]
    assert mine in cluster.cli("key", "pending")
    assert cluster.api("status")["pending_keys"] == 1
    assert cluster.cli_run("key", "approve", mine, "guest").returncode == 1
    cluster.cli("key", "approve", mine, "guest", "--read", "cluster")
    assert pending(cluster) == {}
    stranger("ls-remote", url)
    # Again: it waits no longer.
    done = cluster.cli_run("key", "approve", mine, "guest", "--read",
                           "cluster")
    assert done.returncode == 1 and "has tried to log in" in done.stderr


def test_forgets_the_other_keys_of_who_logs_in(cluster, owner, keys):
    git = Git(owner.directory / "many", cluster)
    git("ls-remote", cluster.ssh_url("cluster"), env={
        **git.environment(),
        "GIT_SSH_COMMAND": talkative(git, keys("other"), keys("owner"))})
    cluster.wait_log("event=ssh.session|fetch")
    assert pending(cluster) == {}


def test_remembers_over_a_restart(cluster, stranger, keys):
    stranger.run("ls-remote", cluster.ssh_url("cluster"))
    mine = fingerprint(keys("stranger"))
    wait_for(lambda: mine in pending(cluster), "the key")
    cluster.restart()
    assert mine in pending(cluster)
    assert mine in cluster.cli("key", "pending", local=True)
    file = cluster.data / "pending-keys"
    assert file.stat().st_mode & 0o777 == 0o600


def test_takes_a_fingerprint_in_short(cluster, stranger, keys):
    stranger.run("ls-remote", cluster.ssh_url("cluster"))
    mine = fingerprint(keys("stranger"))
    wait_for(lambda: mine in pending(cluster), "the key")
    for given in ("", "SHA256:", mine[7:12], "SHA256:nosuchkeyhere"):
        assert cluster.cli_run("key", "approve", given, "guest", "--read",
                               "**").returncode in (1, 2)
    cluster.cli("key", "approve", mine[7:17], "guest", "--read", "**")
    assert cluster.api("key", "show", "guest")["fingerprint"] == mine


def test_stays_bounded_under_a_flood_of_keys(cluster, tmp_path):
    flood = [make_key(tmp_path / f"k{i}") for i in range(24)]
    for at in range(0, len(flood), 3):
        transport = paramiko.Transport(("127.0.0.1", cluster.ssh_port))
        transport.start_client(timeout=30)
        for key in flood[at:at + 3]:
            try:
                transport.auth_publickey(
                    "git", paramiko.Ed25519Key.from_private_key_file(key))
            except paramiko.AuthenticationException:
                pass
        transport.close()
    wait_for(lambda: len(pending(cluster)) == 16, "as many as there may be")
    cluster.stop()  # all that came are in by then
    assert len((cluster.data / "pending-keys").read_text().splitlines()) == 16


def test_makes_no_key_called_pending(cluster, keys):
    done = cluster.cli_run("key", "create", "pending", "--public-key",
                           public(keys("owner")), "--read", "**")
    assert done.returncode == 1 and "no key is called" in done.stderr


def test_replaces_a_key_once_the_new_one_has_come(cluster, keys, tmp_path):
    old, new = keys("old"), keys("new")
    cluster.cli("key", "create", "flux", "--public-key", public(old),
                "--read", "cluster")
    show = lambda: cluster.api("key", "show", "flux")
    assert show()["last_login"] is None
    gits = {key: Git(tmp_path / key.name, cluster, key) for key in (old, new)}
    url = cluster.ssh_url("cluster")
    gits[old]("ls-remote", url)
    assert show()["last_login"] is not None
    cluster.cli("key", "set", "flux",
                f"public-key={public(new).read_text().strip()}",
                f"previous-key={public(old).read_text().strip()}")
    assert show()["last_login"] is None
    assert show()["previous_last_login"] is not None
    gits[old]("ls-remote", url)  # both may come as long as the new one has not
    gits[new]("ls-remote", url)
    wait_for(lambda: show()["previous_key"] is None, "the end of the old one")
    assert gits[old].run("ls-remote", url).returncode == 128
    gits[new]("ls-remote", url)
    cluster.restart()
    assert show()["last_login"] is not None
    assert len(list((cluster.data / "logins").iterdir())) == 1
