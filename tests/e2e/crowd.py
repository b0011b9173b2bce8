# SPDX-License-Identifier: Apache-2.0
"""Many connections of one address that do nothing more."""

import resource
import socket
import struct

import pytest

from daemon import HEADWATERD, PATIENCE

IDENTIFICATION = b"SSH-2.0-crowd\r\n"


def is_sanitized():
    """Whether the daemon is instrumented, and so slow and large."""
    program = HEADWATERD.read_bytes()
    return b"__tsan_init" in program or b"__asan_init" in program


def need_files(n):
    """Let this process open `n` files, or skip the test."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < n:
        if hard < n:
            pytest.skip(f"may open {hard} files only")
        resource.setrlimit(resource.RLIMIT_NOFILE, (n, hard))


def ssh_packet(payload):
    """A packet as it travels before there are keys."""
    padding = 8 - (5 + len(payload)) % 8
    if padding < 4:
        padding += 8
    return struct.pack(">IB", 1 + len(payload) + padding, padding) + \
        payload + bytes(padding)


def ssh_string(data):
    return struct.pack(">I", len(data)) + data


def kexinit(**lists):
    """What a client that can do little offers."""
    names = {"kex": b"curve25519-sha256", "hostkey": b"ssh-ed25519",
             "cipher": b"aes128-gcm@openssh.com", "mac": b"hmac-sha2-256",
             "compression": b"none", **lists}
    order = ["kex", "hostkey", "cipher", "cipher", "mac", "mac",
             "compression", "compression"]
    return ssh_packet(b"\x14" + bytes(16) +
                      b"".join(ssh_string(names[n]) for n in order) +
                      2 * ssh_string(b"") + bytes(5))


def dial(port):
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def gather(port, n, *stages):
    """`n` connections that stop at one of the stages each."""
    connections = []
    for i in range(n):
        connection = dial(port)
        connection.sendall(stages[i % len(stages)])
        connections.append(connection)
    return connections


def disperse(connections):
    for connection in connections:
        connection.close()
