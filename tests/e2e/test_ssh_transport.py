# SPDX-License-Identifier: Apache-2.0
"""The SSH transport below git: packets, keys, channels, windows."""

import os
import random
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from crowd import is_sanitized, IDENTIFICATION, dial, ssh_string
from daemon import PATIENCE, wait_for
from raw_ssh import (CLOSE, DATA, EOF, IGNORE, KEX_INIT, REQUEST,
                     WINDOW_ADJUST, RawClient, connect, take, u32)


@pytest.fixture
def door(owner):
    yield owner.daemon
    owner("ls-remote", owner.daemon.ssh_url("cluster"))  # it still serves


@pytest.fixture
def full(door, owner):
    """A daemon whose `cluster` holds more than a window."""
    work = owner.init()
    owner("config", "core.compression", 0, cwd=work)
    owner.commit(work, content=os.urandom(4 << 20))
    owner("push", "-q", owner.daemon.ssh_url("cluster"), "main", cwd=work)
    return door


def test_offers_nothing_weak(door):
    with RawClient(door) as client:
        assert client.server_identification.startswith(b"SSH-2.0-")
        payload = client.receive_any()
    at, lists = 17, []
    for _ in range(10):
        names, at = take(payload, at)
        lists.append(names.split(b","))
    offered = b",".join(b",".join(names) for names in lists)
    for weak in (b"sha1,", b"sha1-", b"cbc", b"3des", b"md5", b"arcfour",
                 b"zlib", b"group1-", b"dss", b"umac-64"):
        assert weak not in offered + b",", weak
    assert b"curve25519-sha256" in lists[0]
    assert b"kex-strict-s-v00@openssh.com" in lists[0]
    assert lists[1] == [b"ssh-ed25519"]
    assert lists[6] == lists[7] == [b"none"]
    assert {b"aes128-gcm@openssh.com", b"aes128-ctr"} <= set(lists[2])


STRICT = b"curve25519-sha256,kex-strict-c-v00@openssh.com"


def test_enforces_strict_key_exchange(door, keys):
    with RawClient(door).exchange(kex=STRICT).ask_service() as client:
        assert client.login(keys("owner")) == 52
    with RawClient(door) as client:
        with pytest.raises((EOFError, AssertionError)):
            client.exchange(kex=STRICT, between=[
                bytes([IGNORE]) + ssh_string(b"x")])
            client.ask_service()


BAD_POINTS = [
    bytes(32), b"\1" + bytes(31), b"\xed" + b"\xff" * 30 + b"\x7f",
    b"", bytes(31), bytes(33), b"\4" + bytes(64), bytes(20000)]


def test_refuses_keys_of_low_order_or_wrong_length(door):
    for point in BAD_POINTS:
        with RawClient(door) as client:
            client.send(client.kexinit())
            client.receive_any()
            client.send(KEX_INIT, ssh_string(point))
            assert client.is_over()


NOT_SSH = [
    b"SSH-1.5-old\r\n", b"SSH-9.0-new\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\r\n",
    b"nonsense\n", b"SSH-2.0-" + b"x" * (1 << 20), b"\0" * 4096,
    b"line\r\n" * 100000]


def test_closes_on_who_does_not_speak_ssh(door):
    for data in NOT_SSH:
        begun = time.monotonic()
        with dial(door.ssh_port) as connection:
            try:
                connection.sendall(data)
                while connection.recv(65536):
                    pass
            except ConnectionError:
                pass
        assert time.monotonic() - begun < PATIENCE / 2


BAD_HEADS = [
    u32(0), u32(1), u32(4), u32(35001), u32(1 << 20), u32(0x7fffffff),
    u32(0xffffffff), u32(12) + b"\xff", u32(12) + b"\0", u32(13) + b"\4"]


def test_refuses_packets_of_wrong_length(door):
    for head in BAD_HEADS:
        def send(client):
            client.send_packet(head + bytes(64))
            client.socket.shutdown(1)
            return client.is_over()

        with RawClient(door) as client:
            client.receive_any()
            assert send(client)
        with connect(door) as client:
            assert send(client)


def test_bears_mutated_packets_at_every_stage(door, keys):
    """What it answers is not judged here, only that it lives and ends."""
    def attack(seed):
        chance = random.Random(seed)
        client = RawClient(door)
        client.socket.settimeout(PATIENCE)
        fuzzed = chance.randrange(8)
        count = -1
        send = client.send

        def mutate(*parts):
            nonlocal count
            count += 1
            data = bytearray(b"".join(
                bytes([p]) if isinstance(p, int) else p for p in parts))
            if count >= fuzzed:
                for _ in range(chance.randrange(1, 4)):
                    where = chance.randrange(len(data))
                    data[where] = chance.choice((0, 1, 127, 255,
                                                 chance.randrange(256)))
                if chance.randrange(4) == 0:
                    del data[chance.randrange(len(data)):]
            send(bytes(data))

        client.send = mutate
        try:
            client.socket.settimeout(0.3)
            client.exchange().ask_service()
            client.login(keys("owner"))
            channel = client.open()
            client.run(channel, b"git-upload-pack 'cluster'")
            client.send(WINDOW_ADJUST, u32(channel), u32(9))
            client.send(DATA, u32(channel), ssh_string(b"0000"))
            client.send(EOF, u32(channel))
            client.send(CLOSE, u32(channel))
        except (EOFError, AssertionError, OSError, struct.error, TypeError,
                ValueError, IndexError):
            pass
        client.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(attack, range(160)))
    assert door.process.poll() is None


def test_bounds_channels_and_takes_one_command_on_each(door, keys):
    with connect(door, keys("owner")) as client:
        opened = [client.open(number) for number in range(60)]
        given = [channel for channel in opened if channel is not None]
        assert 1 <= len(given) <= 8 and opened[0] is not None
        assert client.run(given[0], b"git-receive-pack 'cluster'")
        assert not client.run(given[0], b"git-upload-pack 'cluster'")
        assert not client.run(given[0], b"", kind=b"shell")
        client.send(DATA, u32(given[0]), ssh_string(b"0000"))
        client.send(EOF, u32(given[0]))
        status = None
        while status is None:
            payload = client.receive()
            if payload[0] == REQUEST and b"exit-status" in payload:
                status = payload[-1]
        assert status == 0


def fetch_everything(client, channel, tip):
    client.send(DATA, u32(channel), ssh_string(
        b"0032want %s\n00000009done\n" % tip))


def listen(client, seconds):
    """Payloads of data that come within a time."""
    client.socket.settimeout(seconds)
    got = []
    try:
        while True:
            payload = client.receive()
            if payload[0] == DATA:
                got.append(take(payload, 5)[0])
    except (TimeoutError, EOFError):
        return got


WINDOWS = [
    (1, 32768), (100, 32768), (5000, 50), (1 << 20, 1), (1 << 20, 0),
    (1 << 20, 10), (100000, 20), (0xffffffff, 0xffffffff), (0, 32768)]


def test_sends_no_more_than_the_window(full, owner, keys):
    for window, maximum in WINDOWS:
        tip = owner("rev-parse", "main", cwd=owner.directory / "work").strip()
        with connect(full, keys("owner")) as client:
            client.socket.settimeout(1)
            try:
                channel = client.open(0, window, maximum)
                if channel is None:
                    continue
                client.run(channel, b"git-upload-pack 'cluster'")
            except (EOFError, TimeoutError):
                continue
            fetch_everything(client, channel, tip.encode())
            got = listen(client, 0.3)
            assert sum(map(len, got)) <= window
            if maximum >= 50:
                assert all(len(part) <= maximum for part in got)
            owner("ls-remote", full.ssh_url("cluster"))


def test_bears_windows_and_data_that_make_no_sense(door, keys):
    with connect(door, keys("owner")) as client:
        channel = client.open()
        assert client.run(channel, b"git-receive-pack 'cluster'")
        for _ in range(10):
            client.send(WINDOW_ADJUST, u32(channel), u32(0xffffffff))
        for number in (channel + 1, 77, 0xffffffff):
            client.send(DATA, u32(number), ssh_string(b"x"))
            client.send(WINDOW_ADJUST, u32(number), u32(9))
            client.send(CLOSE, u32(number))
        client.send(DATA, u32(channel), u32(99999) + b"short")
        listen(client, 0.2)
    before = door.memory_kb()
    with connect(door, keys("owner")) as client:
        channel = client.open()
        for _ in range(1000):  # 32 MB that nobody reads
            client.send(DATA, u32(channel), ssh_string(bytes(32000)))
        listen(client, 0.2)
        if not is_sanitized():
            assert door.memory_kb() - before < 48 << 10
    with connect(door, keys("owner")) as client:
        channel = client.open()
        client.send(CLOSE, u32(channel))
        client.send(DATA, u32(channel), ssh_string(b"x"))
        client.send(EOF, u32(channel))
        listen(client, 0.2)
    wait_for(lambda: not door.metric("headwater_ssh_open_sessions"), "the end")


def test_keys_may_be_renewed_in_the_midst(full, owner):
    """Every 64 KB, both ways."""
    ssh = owner.environment()["GIT_SSH_COMMAND"] + " -o RekeyLimit=64K"
    env = {"GIT_SSH_COMMAND": ssh}
    url = full.ssh_url("cluster")
    owner("clone", "-q", "--no-checkout", url, "out", env=env)
    owner("fsck", "--full", "--strict", cwd=owner.directory / "out")
    work = owner.directory / "work"
    owner.commit(work, content=os.urandom(4 << 20))
    owner("push", "-q", url, "main", cwd=work, env=env)
    assert owner("ls-remote", url, "main").split()[0] == \
        owner("rev-parse", "main", cwd=work).strip()
