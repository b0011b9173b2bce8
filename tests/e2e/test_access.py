# SPDX-License-Identifier: Apache-2.0
"""Who gets in over SSH, and what they may touch."""

import socket
import subprocess

import paramiko
import pytest

from conftest import public
from daemon import CliError, Git, PATIENCE, make_key
from wire import errors, execute, exit_code, hear, login, read_list


@pytest.fixture
def alice(owner, keys):
    """A logged-in connection of the owner's."""
    transport = login(owner.daemon, keys("owner"))
    yield transport
    transport.close()


def test_lets_every_type_of_key_in(cluster, keys, tmp_path):
    for kind, bits in [("ed25519", None), ("ecdsa", 256), ("ecdsa", 384),
                       ("ecdsa", 521), ("rsa", 2048), ("rsa", 3072),
                       ("rsa", 4096)]:
        name = f"{kind}-{bits}"
        key = keys(name, kind, bits)
        cluster.cli("key", "create", name, "--public-key", public(key),
                    "--write", "cluster")
        git = Git(tmp_path / name, cluster, key)
        work = git.init()
        git.commit(work)
        git("push", "-q", cluster.ssh_url("cluster"),
            f"main:refs/heads/{name}", cwd=work)
    assert len(cluster.api("key", "list")["keys"]) == 7



def weak_rsa():
    """The public half of 1024 bits; ssh-keygen may no longer make one."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    key = rsa.generate_private_key(65537, 1024).public_key()
    return key.public_bytes(serialization.Encoding.OpenSSH,
                            serialization.PublicFormat.OpenSSH).decode()


def dss():
    message = paramiko.Message()
    message.add_string("ssh-dss")
    for bits in (1024, 160, 1020, 1020):
        message.add_mpint((1 << bits) - 12345)
    import base64
    return "ssh-dss " + base64.b64encode(message.asbytes()).decode()


@pytest.mark.parametrize("line", [
    weak_rsa(), dss(), "", "\n", "nonsense", "ssh-ed25519", "ssh-ed25519 AAAA",
    "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJ0000000000000000000000000000000000"
    "0000000", "-----BEGIN OPENSSH PRIVATE KEY-----\n"],
    ids=["rsa-1024", "dss", "empty", "newline", "nonsense", "type", "short",
         "other type", "private"])
def test_refuses_to_register_what_is_no_good_key(cluster, line):
    done = cluster.cli_run("key", "create", "bad", "--public-key", "-",
                           "--read", "cluster", stdin=line)
    assert done.returncode == 1, done
    assert done.stderr.startswith("headwater: ")
    assert cluster.api("key", "list")["keys"] == []


def test_refuses_a_key_that_is_not_registered(stranger):
    done = stranger.run("ls-remote", stranger.daemon.ssh_url("cluster"))
    assert done.returncode == 128
    assert "Permission denied (publickey)." in done.stderr


def test_refuses_pushes_of_readers_with_words(owner, reader):
    work = owner.init()
    owner.commit(work)
    url = owner.daemon.ssh_url("cluster")
    owner("push", "-q", url, "main", cwd=work)
    before = reader("ls-remote", url)
    reader("clone", "-q", url, "out")
    reader.commit(reader.directory / "out")
    refused = reader.run("push", cwd=reader.directory / "out")
    assert refused.returncode != 0
    assert "may only read" in refused.stderr
    assert reader("ls-remote", url) == before


@pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
def test_says_the_same_of_forbidden_and_absent_repositories(alice, owner,
                                                            service):
    owner.daemon.cli("repo", "create", "secret")
    answers = []
    for name in ("secret", "absent"):
        channel = execute(alice, f"{service} '{name}'")
        answers.append((exit_code(channel), hear(channel), errors(channel)))
        channel.close()
    forbidden, absent = answers
    assert forbidden[0] != 0
    assert [part.replace(b"secret", b"absent") for part in forbidden[1:]] == \
        list(absent[1:])
    assert forbidden[0] == absent[0]
    assert not owner.daemon.repo_dir("absent").exists()


def test_says_who_you_are(owner):
    done = owner.ssh("-T")
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "owner" in said and "SHA256:" in said
    assert "cluster" in said


COMMANDS = [
    "id", "git-upload-pack 'cluster'; id", "git-upload-pack 'cluster' && id",
    "git-upload-pack `id`", "git-upload-pack $(touch x)",
    "git-upload-pack --help", "git-upload-pack 'cluster' --strict",
    "git-upload-pack --timeout=1 'cluster'", "git-upload-archive 'cluster'",
    "git upload-archive 'cluster'", "scp -f /etc/passwd",
    "rsync --server . x", "git-lfs-authenticate cluster download",
    "git-upload-pack 'cluster'\nid", "git config -l", "x" * 100_000, " ",
    "git-upload-pack", "git-upload-pack ''", "git-upload-pack 'cluster",
    b"git-upload-pack 'cluster'\0; id", b"git-upload-pack '\xff\xfe'",
    "/bin/sh", "git-shell -c id"]


def test_answers_other_commands_with_a_sentence(alice):
    for command in COMMANDS:
        channel = execute(alice, command)
        assert exit_code(channel) not in (0, 255), command
        said = hear(channel) + errors(channel)
        assert said and len(said) < 1000, command
        assert b"uid=" not in said and b"root:" not in said
        channel.close()


def test_sees_a_nul_between_the_packets_of_another_channel(alice):
    other = alice.open_session(timeout=PATIENCE)
    channel = alice.open_session(timeout=PATIENCE)
    other.close()
    channel.settimeout(PATIENCE)
    channel.exec_command(b"git-upload-pack 'cluster'\0; id")
    assert exit_code(channel) == 128
    assert b"holds a NUL" in errors(channel)


def test_runs_what_was_asked_meanwhile(alice):
    first = execute(alice, "git-receive-pack 'cluster'")
    read_list(first)
    second = execute(alice, "git-receive-pack 'cluster'")
    first.sendall(b"0000")
    first.shutdown_write()
    assert exit_code(first) == 0
    assert read_list(second)  # and nothing more is sent that would wake it
    second.sendall(b"0000")
    assert exit_code(second) == 0


def test_opens_nothing_but_exec(alice):
    for ask in (lambda c: c.get_pty(), lambda c: c.invoke_subsystem("sftp"),
                lambda c: c.request_x11()):
        channel = alice.open_session(timeout=PATIENCE)
        channel.settimeout(PATIENCE)
        with pytest.raises(paramiko.SSHException):
            ask(channel)
        channel.close()
    with pytest.raises(paramiko.SSHException):
        alice.request_port_forward("127.0.0.1", 0)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.05)
        for kind in ("direct-tcpip", "forwarded-tcpip", "x11",
                     "auth-agent@openssh.com", "tun@openssh.com", "nonsense"):
            with pytest.raises(paramiko.SSHException):
                alice.open_channel(kind, listener.getsockname(),
                                   ("127.0.0.1", 22), timeout=PATIENCE)
        with pytest.raises(TimeoutError):
            listener.accept()
    channel = execute(alice, "git-upload-pack 'cluster'")
    assert channel.recv(4)


def test_takes_only_the_protocol_from_the_environment(alice):
    for value in ("version=2", "version=99", "\x1b;$(id)\n" * 20, "v" * 60000):
        channel = alice.open_session(timeout=PATIENCE)
        channel.settimeout(PATIENCE)
        for name, text in (("GIT_PROTOCOL", value), ("GIT_DIR", "/"),
                           ("LD_PRELOAD", "x"), ("PATH", "/evil")):
            try:
                channel.set_environment_variable(name, text)
            except paramiko.SSHException:
                break  # refused; paramiko ends the channel
        if not channel.closed:
            channel.exec_command("git-upload-pack 'cluster'")
            assert channel.recv(4)
        channel.close()


def test_ends_logins_of_a_removed_key(owner, keys):
    daemon = owner.daemon
    connected = login(daemon, keys("owner"))
    owner("ls-remote", daemon.ssh_url("cluster"))
    daemon.cli("key", "delete", "owner")
    done = owner.run("ls-remote", daemon.ssh_url("cluster"))
    assert done.returncode == 128 and "Permission denied" in done.stderr
    try:
        channel = execute(connected, "git-upload-pack 'cluster'")
        assert exit_code(channel) != 0
        assert b"removed" in errors(channel)
    except (paramiko.SSHException, EOFError):
        pass  # the connection may have ended as well
    connected.close()


def test_ends_rights_that_are_taken_away(owner):
    daemon = owner.daemon
    work = owner.init()
    owner.commit(work)
    daemon.cli("key", "set", "owner", "write=", "read=cluster")
    refused = owner.run("push", daemon.ssh_url("cluster"), "main", cwd=work)
    assert refused.returncode != 0
    owner("ls-remote", daemon.ssh_url("cluster"))


def test_keeps_its_host_key_and_names_it_truly(daemon):
    def scan():
        done = subprocess.run(
            ["ssh-keyscan", "-p", str(daemon.ssh_port), "127.0.0.1"],
            capture_output=True, text=True, timeout=PATIENCE, check=True)
        return [line for line in done.stdout.splitlines()
                if not line.startswith("#")]

    name = f"[127.0.0.1]:{daemon.ssh_port}"
    scanned = scan()
    assert len(scanned) == 1 and " ssh-ed25519 " in scanned[0]
    assert daemon.cli("known-hosts", name).split() == scanned[0].split()
    assert daemon.cli("known-hosts", f"127.0.0.1:{daemon.ssh_port}").split() \
        == scanned[0].split()
    assert daemon.cli("known-hosts", "host.example").split() == \
        ["host.example", *scanned[0].split()[1:]]
    path = daemon.data / "ssh" / "ssh_host_ed25519_key"
    assert path.stat().st_mode & 0o777 == 0o600
    daemon.restart()
    assert scan()[0].split()[1:] == scanned[0].split()[1:]


@pytest.mark.parametrize("kind,bits", [
    ("ed25519", None), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521),
    ("rsa", 3072)])
def test_shows_the_host_key_it_is_given_and_no_other(make_daemon, keys,
                                                     tmp_path, kind, bits):
    given = make_key(tmp_path / "host", kind, bits)
    config = tmp_path / "host.conf"
    config.write_text(f'[server]\n\thost-key = {given}\n[repo "cluster"]\n'
                      f'[key "k"]\n\tfile = {public(keys("k"))}\n'
                      '\tread = **\n')
    daemon = make_daemon(config=config)
    blob = public(given).read_text().split()[:2]
    scanned = subprocess.run(
        ["ssh-keyscan", "-t", "ed25519,ecdsa,rsa", "-p", str(daemon.ssh_port),
         "127.0.0.1"], capture_output=True, text=True, timeout=PATIENCE)
    assert [line.split()[1:] for line in scanned.stdout.splitlines()
            if not line.startswith("#")] == [blob]
    git = Git(tmp_path / "git", daemon, keys("k"))
    git("ls-remote", daemon.ssh_url("cluster"))  # pinned by known-hosts
    other = make_key(tmp_path / "other", kind, bits)
    git.known_hosts.write_text(" ".join(
        [f"[127.0.0.1]:{daemon.ssh_port}",
         *public(other).read_text().split()[:2]]) + "\n")
    refused = git.run("ls-remote", daemon.ssh_url("cluster"))
    assert refused.returncode == 128
    assert "Host key verification failed" in refused.stderr
    git.pinned = None
    daemon.restart()
    git("ls-remote", daemon.ssh_url("cluster"))


def test_opens_every_spelling_of_a_name(alice, owner):
    for path in ("cluster", "/cluster", "cluster.git", "/cluster.git",
                 "~/cluster", "~/cluster.git", "cluster/", "/cluster.git/"):
        channel = execute(alice, f"git-upload-pack '{path}'")
        assert int(channel.recv(4), 16) >= 0, path
        channel.close()
    for user in ("git", "root", "somebody"):
        owner("ls-remote", f"ssh://{user}@127.0.0.1:{owner.daemon.ssh_port}"
              "/cluster.git")


PATHS = [
    "../cluster", "./cluster", "/../../etc", "cluster/../secret",
    "cluster/../../repos/secret", "//secret", "/secret.git/", "~/../secret",
    "~root/cluster", "~git/secret", "secret.git.git", "..", ".", "/", "~",
    "cluster.git/HEAD", "cluster/refs", "%2e%2e/secret", "secret%00",
    "..\\secret", "cluster\\..\\secret", "clu\u0455ter", "CLUSTER",
    "cluster.lock", "-cluster", "a/" * 200 + "b", "x" * 5000, "secret ",
    "secret\t", "cluster\x1b[31m", "/repos/secret.git"]


def test_climbs_nowhere(alice, owner):
    owner.daemon.cli("repo", "create", "secret")
    for path in PATHS:
        for service in ("git-upload-pack", "git-receive-pack"):
            channel = execute(alice, f"{service} '{path}'")
            assert exit_code(channel) != 0, path
            said = hear(channel) + errors(channel)
            assert said and b"\x1b" not in said, path
            channel.close()
    assert sorted(p.name for p in (owner.daemon.data / "repos").iterdir()) == \
        ["cluster.git", "secret.git"]
    assert "\x1b" not in owner.daemon.log()


def test_follows_no_link_out_of_its_directory(alice, owner, tmp_path):
    outside = tmp_path / "outside.git"
    owner("init", "-q", "--bare", outside)
    (owner.daemon.data / "repos" / "link.git").symlink_to(outside)
    with pytest.raises(CliError):
        owner.daemon.cli("repo", "create", "link")
    assert len(owner.daemon.api("repo", "list")["repos"]) == 1
    channel = execute(alice, "git-upload-pack 'link'")
    assert exit_code(channel) != 0
