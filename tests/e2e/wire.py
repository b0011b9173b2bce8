# SPDX-License-Identifier: Apache-2.0
"""SSH below git: bytes of our choice, and answers as they came."""

import hashlib
import socket
import zlib

import paramiko

from daemon import PATIENCE

ZERO = "0" * 40


def login(daemon, key, kind=paramiko.Ed25519Key):
    """A connection that has logged in; the caller closes it."""
    transport = paramiko.Transport(socket.create_connection(
        ("127.0.0.1", daemon.ssh_port), timeout=PATIENCE))
    transport.start_client(timeout=PATIENCE)
    transport.auth_publickey("git", kind.from_private_key_file(str(key)))
    return transport


def execute(transport, command, env=()):
    """A channel that runs `command`."""
    channel = transport.open_session(timeout=PATIENCE)
    channel.settimeout(PATIENCE)
    for name, value in env:
        channel.set_environment_variable(name, value)
    channel.exec_command(command)
    return channel


def receive(channel, n):
    """Exactly n bytes, fewer at the end."""
    got = b""
    while len(got) < n:
        part = channel.recv(n - len(got))
        if not part:
            break
        got += part
    return got


def hear(channel):
    """All that still comes."""
    got = b""
    while part := channel.recv(65536):
        got += part
    return got


def errors(channel):
    got = b""
    while part := channel.recv_stderr(65536):
        got += part
    return got


def exit_code(channel):
    assert channel.status_event.wait(PATIENCE), "no exit status"
    return channel.recv_exit_status()


def pkt(text):
    data = text if isinstance(text, bytes) else text.encode()
    return b"%04x" % (len(data) + 4) + data


def read_pkt(channel):
    """One line; None for a flush or the end."""
    length = receive(channel, 4)
    if length in (b"", b"0000"):
        return None
    return receive(channel, int(length, 16) - 4)


def read_list(channel):
    """Lines up to a flush."""
    lines = []
    while (line := read_pkt(channel)) is not None:
        lines.append(line)
    return lines


def git_object(kind, body):
    """Its id and its entry in a pack."""
    number = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}[kind]
    size = len(body)
    head = bytearray([number << 4 | size & 15])
    size >>= 4
    while size:
        head[-1] |= 128
        head.append(size & 127)
        size >>= 7
    oid = hashlib.sha1(b"%s %d\0" % (kind.encode(), len(body)) + body)
    return oid.hexdigest(), bytes(head) + zlib.compress(body)


def pack(*entries):
    body = b"PACK\0\0\0\2" + len(entries).to_bytes(4, "big") + b"".join(entries)
    return body + hashlib.sha1(body).digest()


def small_commit(text=b"hello\n", parent=None):
    """The id of a commit of one file, and what a pack of it holds."""
    blob, one = git_object("blob", text)
    tree, two = git_object(
        "tree", b"100644 file\0" + bytes.fromhex(blob))
    lines = f"tree {tree}\n" + (f"parent {parent}\n" if parent else "")
    who = "A U Thor <author@example.invalid> 1700000000 +0000"
    commit, three = git_object(
        "commit", f"{lines}author {who}\ncommitter {who}\n\nmessage\n".encode())
    return commit, [three, two, one]
