# SPDX-License-Identifier: Apache-2.0
"""SSH clients that are neither OpenSSH nor Go: dropbear, PuTTY, JGit."""

import os
import pathlib
import subprocess

import pytest

from conftest import public
from daemon import PATIENCE, Git, have, make_key


JGIT = pathlib.Path("/usr/share/java/org.eclipse.jgit.pgm.jar")


def run(*words, **options):
    done = subprocess.run([str(word) for word in words], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL,
                          timeout=4 * PATIENCE, **options)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def register(daemon, key):
    daemon.cli("key", "create", "client", "--public-key", public(key),
               "--write", "cluster")


def push_and_clone(daemon, directory, environment):
    """A push and a clone by git over another client's ssh."""
    git = Git(directory, daemon)
    environment = {**git.environment(), **environment}
    work = git.init()
    for i in range(20):  # more than one window of small objects
        (work / f"file{i}").write_bytes(os.urandom(20000))
    tip = git.commit(work)
    url = daemon.ssh_url("cluster")
    # Protocol 0: these clients take no -o SendEnv.
    for words in (["push", "-q", url, "main"], ["ls-remote", url],
                  ["clone", "-q", url, "copy"]):
        done = git.run("-c", "protocol.version=0", *words, cwd=work,
                       env=environment)
        assert done.returncode == 0, done.stderr
    assert git("rev-parse", "HEAD", cwd=work / "copy").strip() == tip


@pytest.mark.parametrize("kind, bits", [("ed25519", None), ("ecdsa", 256),
                                        ("rsa", 2048)])
def test_serves_dropbear(cluster, tmp_path, kind, bits):
    if not have("dbclient") or not have("dropbearconvert"):
        pytest.skip("there is no dropbear")
    key = make_key(tmp_path / "key", kind, bits)
    register(cluster, key)
    # What ssh-keygen writes by default dropbear may not read.
    other = tmp_path / "key.db"
    run("dropbearconvert", "openssh", "dropbear", key, other)
    push_and_clone(cluster, tmp_path / "git", {
        "GIT_SSH_COMMAND": f"dbclient -y -i {other}",
        "GIT_SSH_VARIANT": "ssh"})


@pytest.mark.parametrize("kind, bits", [("ed25519", None), ("ecdsa", 384),
                                        ("rsa", 2048)])
def test_serves_putty(cluster, tmp_path, kind, bits):
    if not have("plink") or not have("puttygen"):
        pytest.skip("there is no PuTTY")
    key = make_key(tmp_path / "key", kind, bits)
    register(cluster, key)
    other = tmp_path / "key.ppk"
    run("puttygen", key, "-O", "private", "-o", other)
    fingerprint = cluster.api("status")["ssh"]["fingerprint"]
    push_and_clone(cluster, tmp_path / "git", {
        "GIT_SSH_COMMAND": f"plink -batch -hostkey {fingerprint} -i {other}",
        "GIT_SSH_VARIANT": "plink"})


def test_serves_jgit(make_daemon, tmp_path):
    """Debian's JGit has an SSH client that knows neither ed25519 nor RSA with
    SHA-2: it takes ECDSA on both sides."""
    if not JGIT.exists() or not have("java"):
        pytest.skip("there is no JGit")
    host_key = make_key(tmp_path / "host", "ecdsa", 256)
    daemon = make_daemon(config=write_config(tmp_path, host_key))
    daemon.cli("repo", "create", "cluster")
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    key = make_key(home / ".ssh" / "id_ecdsa", "ecdsa", 256)
    run("ssh-keygen", "-q", "-p", "-N", "", "-m", "PEM", "-f", key)
    register(daemon, key)
    (home / ".ssh" / "config").write_text(f"Host *\n  IdentityFile {key}\n")
    (home / ".ssh" / "known_hosts").write_text(
        daemon.cli("known-hosts", f"127.0.0.1:{daemon.ssh_port}"))
    git = Git(tmp_path / "git", daemon, key)
    work = git.init()
    tip = git.commit(work)
    git("push", "-q", daemon.ssh_url("cluster"), "main", cwd=work)
    # Debian's own launcher leaves a jar out that its program needs.
    jgit = ["java", f"-Duser.home={home}", "-cp", f"{JGIT.parent}/*",
            "org.eclipse.jgit.pgm.Main"]
    environment = {**os.environ, "HOME": str(home)}
    run(*jgit, "clone", daemon.ssh_url("cluster"), tmp_path / "copy",
        env=environment)
    assert git("rev-parse", "HEAD", cwd=tmp_path / "copy").strip() == tip
    tip = git.commit(tmp_path / "copy")
    run(*jgit, "push", "origin", "main", env=environment,
        cwd=tmp_path / "copy")
    assert tip in git("ls-remote", daemon.ssh_url("cluster"))


def write_config(directory, host_key):
    config = directory / "headwater.conf"
    config.write_text(f"[server]\n\thost-key = {host_key}\n")
    return config
