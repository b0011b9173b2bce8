# SPDX-License-Identifier: Apache-2.0
"""Clients that cost little: raw sockets for HTTP, a small C program for SSH.

Every operation gives a Trip. What is received is counted and thrown away.
"""

import dataclasses
import select
import socket
import subprocess
import time

SILENCE_S = 60
CHUNK = 1 << 18
PACK = b"PACK"


class Failed(Exception):
    """A server that answered otherwise than expected."""


@dataclasses.dataclass
class Trip:
    """One operation as the client saw it; seconds and bytes."""

    wall: float
    first: float = 0.0  # from the last request to the first byte of interest
    n_bytes: int = 0


# -- requests -----------------------------------------------------------------

def pkt(text):
    data = text.encode() if isinstance(text, str) else text
    return b"%04x" % (len(data) + 4) + data


FLUSH, DELIM = b"0000", b"0001"


def ls_refs(prefixes=("HEAD", "refs/heads/", "refs/tags/")):
    return (pkt("command=ls-refs\n") + pkt("agent=git/2.39.5")
            + pkt("object-format=sha1") + DELIM + pkt("peel\n")
            + pkt("symrefs\n")
            + b"".join(pkt(f"ref-prefix {p}\n") for p in prefixes) + FLUSH)


def fetch_v2(wants, haves=(), options=("thin-pack", "no-progress",
                                       "ofs-delta")):
    """As `git fetch` asks when it needs no negotiation."""
    return (pkt("command=fetch") + pkt("agent=git/2.39.5")
            + pkt("object-format=sha1") + DELIM
            + b"".join(pkt(o) for o in options)
            + b"".join(pkt(f"want {w}\n") for w in wants)
            + b"".join(pkt(f"have {h}\n") for h in haves)
            + pkt("done\n") + FLUSH)


def shallow_v0(want):
    """As go-git asks for one branch with a depth of 1."""
    return (pkt(f"want {want} multi_ack_detailed side-band-64k ofs-delta "
                "agent=go-git/5.x shallow no-progress\n")
            + pkt("deepen 1\n") + FLUSH + pkt("done\n"))


def push_request(old, new, ref, pack):
    return (pkt(f"{old} {new} {ref}\0 report-status agent=git/2.39.5")
            + FLUSH + pack)


# -- HTTP ---------------------------------------------------------------------

class Http:
    """A connection that is kept."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port),
                                               timeout=SILENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, path, body=None, version=2, close=False):
        head = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1",
                "Host: 127.0.0.1", "User-Agent: git/2.39.5", "Accept: */*"]
        if version:
            head.append(f"Git-Protocol: version={version}")
        if close:
            head.append("Connection: close")
        if body is not None:
            head += ["Content-Type: application/x-git-upload-pack-request",
                     f"Content-Length: {len(body)}"]
        text = "\r\n".join(head).encode() + b"\r\n\r\n"
        self.socket.sendall(text + (body or b""))

    def _more(self):
        data = self.socket.recv(CHUNK)
        if not data:
            raise Failed("the server closed the connection")
        self.rest += data

    def _until(self, mark):
        while mark not in self.rest:
            self._more()
        taken, self.rest = self.rest.split(mark, 1)
        return taken

    def _exactly(self, n):
        while len(self.rest) < n:
            self._more()
        taken, self.rest = self.rest[:n], self.rest[n:]
        return taken

    def receive(self):
        """A whole answer whose length is known; its body."""
        head = self._until(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        if b" 200 " not in lines[0] + b" ":
            raise Failed(lines[0].decode())
        for line in lines:
            if line.startswith(b"content-length:"):
                return self._exactly(int(line.split(b":")[1]))
        body = []
        while True:
            size = int(self._until(b"\r\n"), 16)
            body.append(self._exactly(size))
            self._exactly(2)
            if size == 0:
                return b"".join(body)

    def drain(self, mark):
        """All to the end of the connection; when the mark came, how much."""
        buffer = bytearray(CHUNK)
        view = memoryview(buffer)
        marked, total, seam = 0.0, 0, b""
        while True:
            n = self.socket.recv_into(buffer)
            if n == 0:
                break
            if not marked:
                seam = seam[-len(mark):] + bytes(view[:n])
                if total == 0 and not seam.startswith(b"HTTP/1.1 200"):
                    raise Failed(seam.split(b"\r\n")[0].decode())
                if mark in seam:
                    marked = time.monotonic()
            total += n
        if not marked:
            raise Failed(f"an answer without {mark.decode()}")
        return marked, total


def service_path(name):
    return f"/{name}.git/info/refs?service=git-upload-pack"


def http_ls_refs(http, name, prefixes=None):
    """GET and POST on one connection."""
    start = time.monotonic()
    http.send(service_path(name))
    http.receive()
    http.send(f"/{name}.git/git-upload-pack",
              ls_refs(prefixes) if prefixes is not None else ls_refs())
    body = http.receive()
    return Trip(time.monotonic() - start, 0.0, len(body))


def http_advertise(http, name, version):
    start = time.monotonic()
    http.send(service_path(name), version=version)
    body = http.receive()
    return Trip(time.monotonic() - start, 0.0, len(body))


def http_fetch(port, name, body, version=2, lists=True):
    """A whole fetch as a client makes it, on one connection."""
    start = time.monotonic()
    with Http(port) as http:
        http.send(service_path(name), version=version)
        http.receive()
        if version == 2 and lists:
            http.send(f"/{name}.git/git-upload-pack", ls_refs())
            http.receive()
        asked = time.monotonic()
        http.send(f"/{name}.git/git-upload-pack", body, version=version,
                  close=True)
        marked, total = http.drain(PACK)
    return Trip(time.monotonic() - start, marked - asked, total)


# -- SSH ----------------------------------------------------------------------

class Ssh:
    """The C client; one process makes as many connections as it is told."""

    def __init__(self, program, server, user, protocol=2,
                 cipher="aes128-gcm@openssh.com"):
        self.process = subprocess.Popen(
            [program, str(server.ssh_port), str(server.key), user, cipher,
             str(protocol)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def order(self, *fields):
        self.process.stdin.write("\t".join(map(str, fields)).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self, patience=2 * SILENCE_S):
        """Seconds of login, mark and end, bytes; Failed with what it says."""
        if not select.select([self.process.stdout], [], [], patience)[0]:
            raise Failed(f"no answer in {patience} s over SSH")
        words = self.process.stdout.readline().decode().split()
        if not words or words[0] != "ok":
            raise Failed("SSH: " + " ".join(words[1:] or ["client died"]))
        login, mark, end, n_bytes, status = map(int, words[1:])
        if status > 0:
            raise Failed(f"SSH: exit status {status}")
        return Trip(end / 1e6, (mark - login) / 1e6 if mark >= 0 else 0.0,
                    n_bytes), mark / 1e6

    def run(self, command, mark="", files=()):
        self.order("run", command, mark, *files)
        trip, marked = self.answer()
        if mark and marked < 0:
            raise Failed(f"SSH: an answer without {mark}")
        return trip, marked

    def hold(self, n, command=None):
        self.order("hold", n, *([command] if command else []))
        self.answer()
