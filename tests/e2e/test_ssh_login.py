# SPDX-License-Identifier: Apache-2.0
"""Logging in over SSH, with messages that no decent client sends."""

import base64
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from conftest import public
from crowd import ssh_string
from raw_ssh import (AUTH_FAILURE, AUTH_PK_OK, AUTH_REQUEST, AUTH_SUCCESS,
                     DATA, EXT_INFO, GLOBAL_REQUEST, OPEN, OPEN_CONFIRMATION,
                     RawClient, SERVICE_ACCEPT, connect, public_blob, take, u32)

ED = b"ssh-ed25519"


@pytest.fixture
def door(owner):
    yield owner.daemon
    owner("ls-remote", owner.daemon.ssh_url("cluster"))  # it still serves


def sign(client, key, **how):
    private = load_ssh_private_key(key.read_bytes(), None)
    return private.sign(client.signed(public_blob(key), **how))


def test_names_no_weak_signatures(door):
    with RawClient(door).exchange() as client:
        while (payload := client.receive_any())[0] != EXT_INFO:
            pass
        name, at = take(payload, 5)
        algorithms, _ = take(payload, at)
    assert name == b"server-sig-algs"
    listed = algorithms.split(b",")
    assert {ED, b"rsa-sha2-256", b"rsa-sha2-512"} <= set(listed)
    assert not {b"ssh-rsa", b"ssh-dss"} & set(listed)
    assert b"cert" not in algorithms


OTHER_METHODS = [
    (b"none", b""), (b"password", b"\0" + ssh_string(b"x")),
    (b"keyboard-interactive", 2 * ssh_string(b"")),
    (b"hostbased", ssh_string(ED) + 4 * ssh_string(b"x")),
    (b"gssapi-with-mic", u32(1) + ssh_string(b"x")), (b"nonsense", b""),
    (b"", b""), (b"\xff\0" * 999, b"")]


@pytest.mark.parametrize("with_key", [False, True])
def test_offers_keys_only(door, keys, with_key):
    """Also to whom a key was refused."""
    for method, rest in OTHER_METHODS:
        with connect(door) as client:
            if with_key:
                blob = public_blob(keys("stranger"))
                assert client.probe(blob) == AUTH_FAILURE
            client.send(AUTH_REQUEST, ssh_string(b"git"),
                        ssh_string(b"ssh-connection"), ssh_string(method), rest)
            answer = client.receive()
            assert answer[0] == AUTH_FAILURE
            assert take(answer, 1)[0] == b"publickey"


def test_refuses_a_stranger_at_both_stages(door, keys):
    with connect(door) as client:
        assert client.probe(public_blob(keys("stranger"))) == AUTH_FAILURE
        assert client.login(keys("stranger")) == AUTH_FAILURE


def test_a_probe_opens_nothing(door, keys):
    blob = public_blob(keys("owner"))
    with connect(door) as client:
        assert client.probe(blob) == AUTH_PK_OK
        client.send(OPEN, ssh_string(b"session"), u32(0), u32(99), u32(99))
        try:
            assert client.receive()[0] not in (OPEN_CONFIRMATION, AUTH_SUCCESS)
        except EOFError:
            pass


def test_the_session_is_the_signers(door, keys):
    door.cli("key", "create", "other", "--public-key", public(keys("other")),
             "--read", "cluster")
    for order in (("owner", "other"), ("other", "owner")):
        with connect(door) as client:
            for name in order:
                assert client.probe(public_blob(keys(name))) == AUTH_PK_OK
            assert client.login(keys(order[0])) == AUTH_SUCCESS
            channel = client.open()
            assert client.run(channel, b"", kind=b"shell")
            while (said := client.receive())[0] != DATA:
                pass
            assert f"You are '{order[0]}'".encode() in said


def test_refuses_signatures_that_are_not_right(door, keys):
    """Each with an answer or the end, and never in."""
    owner, other = public_blob(keys("owner")), public_blob(keys("stranger"))

    def tries(client):
        good = sign(client, keys("owner"))
        named = ssh_string(ED) + ssh_string(good)
        yield owner, ssh_string(ED) + ssh_string(
            sign(client, keys("stranger"))), ED
        yield other, named, ED
        yield owner, b"", ED
        yield owner, ssh_string(ED), ED
        yield owner, ssh_string(ED) + ssh_string(b""), ED
        yield owner, ssh_string(ED) + ssh_string(bytes(64)), ED
        yield owner, ssh_string(ED) + ssh_string(good[:63]), ED
        yield owner, ssh_string(ED) + ssh_string(good + b"\0"), ED
        yield owner, ssh_string(b"rsa-sha2-256") + ssh_string(good), ED
        yield owner, named, b"rsa-sha2-512"
        yield owner, named, b"ssh-ed25519-cert-v01@openssh.com"
        yield owner, named, b"ssh-rsa"
        yield owner, named, b""
        yield owner, named, b"x" * 100000
        yield owner[:-1], named, ED
        yield b"", named, ED
        yield bytes(100000), named, ED
        for how in ({"session_id": b"s" * 32}, {"user": b"root"},
                    {"service": b"other"}):
            yield owner, ssh_string(ED) + ssh_string(
                sign(client, keys("owner"), **how)), ED

    with connect(door) as client:
        n = len(list(tries(client)))

    def offer(i):
        with connect(door) as client:
            blob, signature, algorithm = list(tries(client))[i]
            try:
                return client.offer(blob, signature, algorithm)
            except EOFError:
                return AUTH_FAILURE

    # Together: the library is silent on some, and the door ends those late.
    with ThreadPoolExecutor(n) as pool:
        assert list(pool.map(offer, range(n))) == [AUTH_FAILURE] * n


def test_refuses_sha1_under_any_name(door, keys):
    key = keys("rsa-login", "rsa", 2048)
    door.cli("key", "create", "rsa", "--public-key", public(key), "--read",
             "cluster")
    private = load_ssh_private_key(key.read_bytes(), None)
    blob = public_blob(key)
    cases = [
        (hashes.SHA1(), b"ssh-rsa", b"ssh-rsa", AUTH_FAILURE),
        (hashes.SHA1(), b"ssh-rsa", b"rsa-sha2-256", AUTH_FAILURE),
        (hashes.SHA1(), b"rsa-sha2-256", b"rsa-sha2-256", AUTH_FAILURE),
        (hashes.SHA256(), b"rsa-sha2-256", b"rsa-sha2-256", AUTH_SUCCESS),
        (hashes.SHA512(), b"rsa-sha2-512", b"rsa-sha2-512", AUTH_SUCCESS)]

    def offer(case):
        digest, named, algorithm, _ = case
        with connect(door) as client:
            signature = private.sign(client.signed(blob, algorithm),
                                     padding.PKCS1v15(), digest)
            try:
                return client.offer(
                    blob, ssh_string(named) + ssh_string(signature), algorithm)
            except EOFError:
                return AUTH_FAILURE

    with ThreadPoolExecutor(len(cases)) as pool:
        assert list(pool.map(offer, cases)) == [case[3] for case in cases]


def test_refuses_certificates(door, keys, tmp_path):
    key, ca = keys("owner"), keys("authority")
    copy = tmp_path / "id"
    copy.write_bytes(key.read_bytes())
    copy.with_name("id.pub").write_bytes(public(key).read_bytes())
    subprocess.run(["ssh-keygen", "-q", "-s", str(ca), "-I", "me", "-n", "git",
                    str(copy) + ".pub"], check=True)
    line = (tmp_path / "id-cert.pub").read_text().split()
    blob, algorithm = base64.b64decode(line[1]), line[0].encode()
    with connect(door) as client:
        try:
            assert client.probe(blob, algorithm) == AUTH_FAILURE
            signature = load_ssh_private_key(key.read_bytes(), None).sign(
                client.signed(blob, algorithm))
            assert client.offer(blob, ssh_string(ED) + ssh_string(signature),
                                algorithm) == AUTH_FAILURE
        except EOFError:
            pass


TOO_EARLY = [
    bytes([AUTH_SUCCESS]), bytes([SERVICE_ACCEPT]) + ssh_string(b"x"),
    bytes([AUTH_PK_OK]) + 2 * ssh_string(b"x"),
    bytes([OPEN]) + ssh_string(b"session") + u32(0) + u32(1) + u32(1),
    bytes([GLOBAL_REQUEST]) + ssh_string(b"tcpip-forward") + b"\1" +
    ssh_string(b"") + u32(0),
    bytes([DATA]) + u32(0) + ssh_string(b"x"), bytes([255]), b"",
    bytes([AUTH_REQUEST]), bytes([98]) + u32(0) + ssh_string(b"shell") + b"\1",
    bytes([5]) + ssh_string(b"ssh-connection")]


def test_nothing_but_a_signature_authenticates(door):
    for payload in TOO_EARLY:
        for before in (True, False):
            with RawClient(door).exchange() as client:
                if not before:
                    client.ask_service()
                client.send(payload)
                client.send(OPEN, ssh_string(b"session"), 3 * u32(1))
                client.socket.settimeout(0.1)
                try:
                    while True:
                        assert client.receive()[0] not in (
                            OPEN_CONFIRMATION, AUTH_SUCCESS)
                except (EOFError, TimeoutError):
                    pass


USERS = [
    b"", b"\xff\xfe\x80", b"\x1b[2J\r\nlevel=error", b"u" * 4096]


def test_takes_any_user_name(door, keys):
    for user in USERS:
        with connect(door) as client:
            assert client.login(keys("owner"), user=user) == AUTH_SUCCESS
        door.wait_log("event=ssh.session .*key=owner")
        assert "\x1b" not in door.log() and "\nlevel=error" not in door.log()


def test_answers_a_user_name_that_holds_a_nul(door, keys):
    with connect(door) as client:
        with pytest.raises(EOFError, match="bad signature or request"):
            client.login(keys("owner"), user=b"a\0b")


def test_bears_an_agents_keys_and_no_flood(door, keys):
    blob = public_blob(keys("stranger"))
    others = [blob[:-2] + bytes([i, j]) for i in range(10) for j in range(10)]
    with connect(door) as client:
        for other in others[:20]:
            assert client.probe(other) == AUTH_FAILURE
        assert client.login(keys("owner")) == AUTH_SUCCESS
    with connect(door) as client:
        with pytest.raises(EOFError):
            for other in others:
                assert client.probe(other) == AUTH_FAILURE
    with connect(door) as client:
        with pytest.raises(EOFError):
            for _ in range(1000):
                assert client.request(b"none") == AUTH_FAILURE
