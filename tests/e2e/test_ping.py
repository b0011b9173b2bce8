# SPDX-License-Identifier: Apache-2.0
"""headwater ping: what answers at an address, asked without a shell."""

import socket
import subprocess
import threading

import pytest

from daemon import HEADWATER, PATIENCE, free_port


def ping(*names):
    return subprocess.run([str(HEADWATER), "ping", *names], text=True,
                          capture_output=True, timeout=PATIENCE + 30)


@pytest.fixture
def talker():
    """A server that says one thing and hangs up."""
    server = socket.create_server(("127.0.0.1", 0))

    def say(what):
        def serve():
            connection, _ = server.accept()
            connection.sendall(what)
            connection.close()

        threading.Thread(target=serve, daemon=True).start()
        return f"127.0.0.1:{server.getsockname()[1]}"

    yield say
    server.close()


def test_finds_the_server(daemon):
    for host in ("127.0.0.1", "[127.0.0.1]", "localhost"):
        result = ping(f"{host}:{daemon.ssh_port}")
        assert result.returncode == 0, result.stderr
        assert f"port {daemon.ssh_port} answers: SSH-2.0-" in result.stdout


def test_says_who_is_not_there(daemon):
    nobody = f"127.0.0.1:{free_port()}"
    result = ping(nobody, f"127.0.0.1:{daemon.ssh_port}")
    assert result.returncode == 3
    assert "Connection refused" in result.stderr
    assert "answers" in result.stdout
    assert ping("nowhere.invalid").returncode == 3
    assert ping().returncode == 2


@pytest.mark.parametrize("said, shown", [
    (b"HTTP/1.1 \x1b[1m400 Bad\r\n", '"HTTP/1.1 ?[1m400 Bad"'),
    (b"", '""'),
    (b"x" * 100000, '"' + "x" * 255 + '"'),
])
def test_says_who_else_is_there(talker, said, shown):
    result = ping(talker(said))
    assert result.returncode == 1
    assert "no SSH server" in result.stderr and shown in result.stderr


def test_does_not_wait_for_whoever_never_ends_a_line():
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        def drip():
            connection, _ = server.accept()
            with connection:
                while not over.wait(0.5):
                    connection.send(b"x")

        threading.Thread(target=drip, daemon=True).start()
        result = ping(f"127.0.0.1:{server.getsockname()[1]}")
        over.set()
    assert result.returncode == 1 and '"xxx' in result.stderr
