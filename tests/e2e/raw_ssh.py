# SPDX-License-Identifier: Apache-2.0
"""An SSH client that sends whatever a test wants, in whatever order."""

import hashlib
import hmac
import os
import struct

from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import (
    Encoding, PublicFormat, load_ssh_private_key, load_ssh_public_key)

from crowd import IDENTIFICATION, dial, ssh_packet, ssh_string
from daemon import PATIENCE

(DISCONNECT, IGNORE, UNIMPLEMENTED, DEBUG, SERVICE_REQUEST, SERVICE_ACCEPT,
 EXT_INFO, KEXINIT, NEWKEYS, KEX_INIT, KEX_REPLY) = (
     1, 2, 3, 4, 5, 6, 7, 20, 21, 30, 31)
AUTH_REQUEST, AUTH_FAILURE, AUTH_SUCCESS, AUTH_PK_OK = 50, 51, 52, 60
GLOBAL_REQUEST, REQUEST_FAILURE = 80, 82
(OPEN, OPEN_CONFIRMATION, OPEN_FAILURE, WINDOW_ADJUST, DATA, EXTENDED, EOF,
 CLOSE, REQUEST, SUCCESS, FAILURE) = range(90, 101)


def u32(n):
    return struct.pack(">I", n)


def mpint(data):
    data = data.lstrip(b"\0")
    return ssh_string((b"\0" if data and data[0] & 128 else b"") + data)


def take(data, at=0):
    """A string of a payload and where it ends."""
    n = struct.unpack_from(">I", data, at)[0]
    return data[at + 4:at + 4 + n], at + 4 + n


def public_blob(path):
    key = load_ssh_public_key(path.with_name(path.name + ".pub").read_bytes())
    import base64
    return base64.b64decode(key.public_bytes(
        Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1])


class RawClient:
    """Plaintext until exchange(); then AES-CTR with HMAC-SHA-256."""

    def __init__(self, daemon, identification=IDENTIFICATION):
        self.socket = dial(daemon.ssh_port)
        self.stream = self.socket.makefile("rb")
        self.sealing = self.opening = None
        self.n_sent = self.n_received = 0
        self.identification = identification
        self.socket.sendall(identification)
        self.server_identification = self.stream.readline()

    def close(self):
        self.stream.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # -- packets --------------------------------------------------------------

    def read(self, n):
        try:
            data = self.stream.read(n)
        except ConnectionError:
            data = b""
        if len(data) < n:
            raise EOFError
        return data

    def send(self, *parts):
        payload = b"".join(bytes([p]) if isinstance(p, int) else p
                           for p in parts)
        self.send_packet(self.frame(payload))

    def frame(self, payload):
        if not self.sealing:
            return ssh_packet(payload)
        padding = 16 - (5 + len(payload)) % 16
        padding += 16 if padding < 4 else 0
        return u32(1 + len(payload) + padding) + bytes([padding]) + payload + \
            bytes(padding)

    def send_packet(self, packet):
        """A packet framed by the caller, for better or worse."""
        mac = b""
        if self.sealing:
            cipher, key = self.sealing
            mac = hmac.digest(key, u32(self.n_sent) + packet, "sha256")
            packet = cipher.update(packet)
        self.n_sent = self.n_sent + 1 & 0xffffffff
        try:
            self.socket.sendall(packet + mac)
        except OSError:
            pass  # who reads next sees that it ended

    def receive_any(self):
        """The next payload."""
        if not self.opening:
            head = self.read(5)
            length = struct.unpack(">I", head[:4])[0]
            body = self.read(length - 1)
        else:
            cipher, key = self.opening
            head = cipher.update(self.read(16))
            length = struct.unpack(">I", head[:4])[0]
            plain = head + cipher.update(self.read(length - 12))
            assert self.read(32) == hmac.digest(
                key, u32(self.n_received) + plain, "sha256")
            head, body = plain[:5], plain[5:]
        self.n_received += 1
        return body[:len(body) - head[4]]

    def receive(self, *skipped):
        """The next payload that says something."""
        while True:
            payload = self.receive_any()
            if payload[0] == DISCONNECT:
                raise EOFError(payload[5:])
            if payload[0] not in (IGNORE, DEBUG, EXT_INFO, *skipped):
                return payload

    def is_over(self):
        """Read to the end; never the success of a login."""
        try:
            while True:
                assert self.receive()[0] != AUTH_SUCCESS
        except EOFError:
            return True

    # -- keys -----------------------------------------------------------------

    def kexinit(self, kex=b"curve25519-sha256,ext-info-c"):
        lists = [kex, b"ssh-ed25519", b"aes128-ctr", b"aes128-ctr",
                 b"hmac-sha2-256", b"hmac-sha2-256", b"none", b"none", b"", b""]
        return bytes([KEXINIT]) + os.urandom(16) + \
            b"".join(map(ssh_string, lists)) + bytes(5)

    def exchange(self, between=(), **how):
        """A whole key exchange; `between` is sent before the new keys."""
        mine = self.kexinit(**how)
        self.send(mine)
        self.server_kexinit = theirs = self.receive_any()
        secret = x25519.X25519PrivateKey.generate()
        point = secret.public_key().public_bytes(Encoding.Raw,
                                                 PublicFormat.Raw)
        self.send(KEX_INIT, ssh_string(point))
        for payload in between:
            self.send(payload)
        reply = self.receive()
        assert reply[0] == KEX_REPLY
        host, at = take(reply, 1)
        their_point, at = take(reply, at)
        shared = mpint(secret.exchange(
            x25519.X25519PublicKey.from_public_bytes(their_point)))
        digest = hashlib.sha256(
            ssh_string(self.identification.rstrip(b"\r\n")) +
            ssh_string(self.server_identification.rstrip(b"\r\n")) +
            b"".join(map(ssh_string, (mine, theirs, host, point,
                                      their_point))) + shared).digest()
        self.session_id = digest

        def derive(letter, n):
            return hashlib.sha256(shared + digest + letter +
                                  digest).digest()[:n]

        def cipher(key, iv):
            return Cipher(algorithms.AES(derive(key, 16)),
                          modes.CTR(derive(iv, 16)))

        self.send(NEWKEYS)
        self.sealing = cipher(b"C", b"A").encryptor(), derive(b"E", 32)
        assert self.receive()[0] == NEWKEYS
        self.opening = cipher(b"D", b"B").decryptor(), derive(b"F", 32)
        if b"kex-strict" in how.get("kex", b""):
            self.n_sent = self.n_received = 0
        return self

    # -- login ----------------------------------------------------------------

    def ask_service(self):
        self.send(SERVICE_REQUEST, ssh_string(b"ssh-userauth"))
        assert self.receive()[0] == SERVICE_ACCEPT
        return self

    def request(self, method, rest=b"", user=b"git", service=b"ssh-connection"):
        self.send(AUTH_REQUEST, ssh_string(user), ssh_string(service),
                  ssh_string(method), rest)
        return self.receive()[0]

    def probe(self, blob, algorithm=b"ssh-ed25519", **how):
        return self.request(b"publickey", b"\0" + ssh_string(algorithm) +
                            ssh_string(blob), **how)

    def signed(self, blob, algorithm=b"ssh-ed25519", user=b"git",
               session_id=None, service=b"ssh-connection"):
        """What a signature is made over."""
        return ssh_string(session_id or self.session_id) + \
            bytes([AUTH_REQUEST]) + b"".join(map(ssh_string, (
                user, service, b"publickey"))) + b"\1" + \
            ssh_string(algorithm) + ssh_string(blob)

    def offer(self, blob, signature, algorithm=b"ssh-ed25519", **how):
        return self.request(b"publickey", b"\1" + ssh_string(algorithm) +
                            ssh_string(blob) + ssh_string(signature), **how)

    def login(self, path, **how):
        """With an Ed25519 key; the answer."""
        key = load_ssh_private_key(path.read_bytes(), None)
        blob = public_blob(path)
        return self.offer(blob, ssh_string(b"ssh-ed25519") + ssh_string(
            key.sign(self.signed(blob, **how))), **how)

    # -- channels -------------------------------------------------------------

    def open(self, number=0, window=1 << 20, maximum=32768, kind=b"session"):
        """The server's number; None where it refuses."""
        self.send(OPEN, ssh_string(kind), u32(number), u32(window),
                  u32(maximum))
        answer = self.receive()
        if answer[0] == OPEN_FAILURE:
            return None
        assert answer[0] == OPEN_CONFIRMATION, answer
        return struct.unpack_from(">I", answer, 5)[0]

    def run(self, channel, command, kind=b"exec"):
        """Whether it is accepted."""
        self.send(REQUEST, u32(channel), ssh_string(kind), 1,
                  ssh_string(command) if kind == b"exec" else b"")
        while (answer := self.receive(WINDOW_ADJUST))[0] not in (
                SUCCESS, FAILURE):
            pass
        return answer[0] == SUCCESS


def connect(daemon, key=None):
    """Keys exchanged, and logged in where a key is given."""
    client = RawClient(daemon).exchange().ask_service()
    if key:
        assert client.login(key) == AUTH_SUCCESS
    return client
