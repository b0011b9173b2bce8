# SPDX-License-Identifier: Apache-2.0
"""What a stranger may send to the HTTP doors, byte by byte."""

import gzip
import re
import socket
import threading
import time
import zlib

import pytest

PATIENCE = 10
LIST = "/info/refs?service=git-upload-pack"
REQUEST = "application/x-git-upload-pack-request"


def dial(port):
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def hear(connection):
    """All until the door closes."""
    got = b""
    try:
        while part := connection.recv(65536):
            got += part
    except ConnectionResetError:
        pass
    return got


def talk(port, data):
    with dial(port) as connection:
        try:
            connection.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return hear(connection)


def head(line, *headers, host="x"):
    lines = [line, f"Host: {host}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def statuses(answer):
    return [int(s) for s in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def get(port, target, *headers):
    return talk(port, head(f"GET {target} HTTP/1.1", *headers))


def post(port, target, body, *headers, kind=REQUEST):
    return talk(port, head(f"POST {target} HTTP/1.1", f"Content-Type: {kind}",
                           f"Content-Length: {len(body)}", *headers) + body)


def without_date(answer):
    return re.sub(rb"\r\nDate: [^\r]*", b"", answer)


@pytest.fixture
def door(cluster):
    """A daemon with the repositories `cluster` (private) and `open`."""
    cluster.cli("repo", "create", "open", "--public")
    yield cluster
    answer = get(cluster.http_port, "/open" + LIST)
    assert statuses(answer) == [200], "it no longer serves"


@pytest.fixture
def quick(make_daemon, tmp_path):
    """A daemon that waits a second for requests."""
    config = tmp_path / "quick.conf"
    config.write_text('[limits]\n\thttp-head-timeout = 1s\n'
                      '\thttp-request-timeout = 1s\n'
                      '[repo "open"]\n\tpublic = true\n')
    daemon = make_daemon(config=config)
    yield daemon
    answer = get(daemon.http_port, "/open" + LIST)
    assert statuses(answer) == [200], "it no longer serves"


@pytest.mark.parametrize("target", [
    "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/open/../cluster" + LIST,
    "/%252e%252e/x" + LIST, "/..%2f..%2fetc/passwd", "/%c0%ae%c0%ae/x" + LIST,
    "/open%00" + LIST, "/open;x" + LIST, "/..\\..\\x" + LIST, "/open%5c" + LIST,
    "http://127.0.0.1/open" + LIST, "http://other.example/open" + LIST, "*",
    "open" + LIST, "", "/open" + LIST + "%0d%0aX-Injected:%20y", "//", "/%",
    "/%zz", "/open/HEAD", "/open.git/config", "/open/objects/info/packs",
    "/open/info/refs", "/open/info/refs?service=git-upload-archive",
    "/repos/open.git" + LIST, "/open" + LIST + "&service=git-upload-pack",
    "/v1/status", "/metrics", "/healthz"])
def test_refuses_odd_targets(door, target):
    answer = get(door.http_port, target)
    assert len(statuses(answer)) == 1
    assert 400 <= statuses(answer)[0] < 500
    assert b"X-Injected" not in answer
    assert b"root:" not in answer and b"ref:" not in answer


@pytest.mark.parametrize("method", [
    "TRACE", "OPTIONS", "PUT", "DELETE", "PATCH", "PROPFIND", "CONNECT",
    "get", "BREW"])
def test_refuses_other_methods(door, method):
    answer = talk(door.http_port,
                  head(f"{method} /open{LIST} HTTP/1.1", "X-Echo: secret"))
    assert len(statuses(answer)) == 1
    assert statuses(answer)[0] in (400, 405, 501)
    assert b"secret" not in answer


def test_head_has_no_body(door):
    answer = talk(door.http_port, head(f"HEAD /open{LIST} HTTP/1.1"))
    assert statuses(answer) == [200]
    assert answer.endswith(b"\r\n\r\n")
    assert b"service=git-upload-pack" not in answer


@pytest.mark.parametrize("headers", [
    ["Content-Length: 4", "Content-Length: 4"],
    ["Content-Length: 4", "Content-Length: 5"],
    ["Content-Length: 4", "Transfer-Encoding: chunked"],
    ["Transfer-Encoding: chunked", "Content-Length: 4"],
    ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
    ["Transfer-Encoding: gzip, chunked"], ["Transfer-Encoding: xchunked"],
    ["Transfer-Encoding : chunked"], ["Transfer-Encoding: chunked\x0b"],
    ["Content-Length: +4"], ["Content-Length: -4"], ["Content-Length: 4 4"],
    ["Content-Length: 0x4"], ["Content-Length: 4,4"], ["Content-Length: "],
    ["Content-Length: 99999999999999999999999"], ["Content-Length : 4"],
    ["X: a\r\n Content-Length: 4"], ["X: a\rContent-Length: 4"],
    ["X: a\nContent-Length: 4"], ["X: a\0"], ["Host: y"], ["no colon"]])
def test_gives_one_answer_to_ambiguous_framing(door, headers):
    data = head("POST /open/git-upload-pack HTTP/1.1",
                f"Content-Type: {REQUEST}", *headers)
    answer = talk(door.http_port,
                  data + b"0\r\n\r\n" + head(f"GET /open{LIST} HTTP/1.1"))
    assert len(statuses(answer)) == 1
    assert 400 <= statuses(answer)[0] < 500


def test_refuses_a_missing_host(door):
    answer = talk(door.http_port,
                  f"GET /open{LIST} HTTP/1.1\r\n\r\n".encode())
    assert statuses(answer) == [400]


@pytest.mark.parametrize("chunks", [
    b"ffffffffffffffff\r\n", b"fffffffffffffffff\r\n", b"-1\r\n", b"0x4\r\n",
    b"+4\r\n0000\r\n0\r\n\r\n", b"4 \r\n0000\r\n0\r\n\r\n", b"4\r\n0000XX",
    b"zz\r\n", b"\r\n", b"4;" + b"x" * 200000], ids=range(10))
def test_bounds_chunks(quick, chunks):
    data = head("POST /open/git-upload-pack HTTP/1.1",
                f"Content-Type: {REQUEST}", "Transfer-Encoding: chunked")
    with dial(quick.http_port) as connection:
        try:
            connection.sendall(data + chunks)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        answer = hear(connection)
    assert len(statuses(answer)) <= 1
    # The library calls an endless extension an error of its own.
    assert all(400 <= s <= 500 for s in statuses(answer))


@pytest.mark.parametrize("data", [
    b"GET /" + b"a" * (1 << 20), b"A" * (1 << 20),
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * (1 << 20),
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 200000],
    ids=["target", "method", "header", "headers"])
def test_bounds_heads(door, data):
    before = door.memory_kb()
    for _ in range(5):
        answer = talk(door.http_port, data)
        assert all(400 <= s < 500 for s in statuses(answer))
    assert door.memory_kb() < before + 4096


def bomb():
    """16 KB or so that inflate to 16 MB."""
    return gzip.compress(bytes(16 << 20), 9)


@pytest.mark.parametrize("body,headers,expected", [
    (bomb(), ["Content-Encoding: gzip"], {413}),
    (gzip.compress(gzip.compress(b"0000")), ["Content-Encoding: gzip, gzip"],
     {415}),
    (zlib.compress(b"0000"), ["Content-Encoding: deflate"], {415}),
    (b"0000", ["Content-Encoding: br"], {415}),
    (b"0000", ["Content-Encoding: gzip"], {400}),
    (gzip.compress(b"0000")[:-4], ["Content-Encoding: gzip"], {400}),
    (gzip.compress(b"0000") + b"x", ["Content-Encoding: gzip"], {400}),
    (gzip.compress(b"0000") * 2, ["Content-Encoding: gzip"], {400})],
    ids=["bomb", "nested", "deflate", "br", "none", "cut", "more", "twice"])
def test_bounds_compressed_bodies(door, body, headers, expected):
    start = time.monotonic()
    answer = post(door.http_port, "/open/git-upload-pack", body, *headers)
    assert len(statuses(answer)) == 1
    assert statuses(answer)[0] in expected
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP", "identity"])
def test_takes_bodies_as_git_sends_them(door, encoding):
    body = b"0014command=ls-refs\n00010000"
    if "gzip" in encoding.lower():
        body = gzip.compress(body)
    answer = post(door.http_port, "/open/git-upload-pack", body,
                  f"Content-Encoding: {encoding}", "Git-Protocol: version=2")
    assert statuses(answer) == [200]


@pytest.mark.parametrize("kind", ["text/plain", "", "application/json",
                                  REQUEST + "x"])
def test_refuses_other_content_types(door, kind):
    answer = post(door.http_port, "/open/git-upload-pack", b"0000", kind=kind)
    assert statuses(answer) == [415]


@pytest.mark.parametrize("name", ["open", "cluster", "none", "a/b", "..x"])
def test_says_where_to_push(door, name):
    for answer in (
            get(door.http_port,
                f"/{name}/info/refs?service=git-receive-pack"),
            post(door.http_port, f"/{name}/git-receive-pack", b"0000",
                 kind="application/x-git-receive-pack-request")):
        assert statuses(answer) == [403]
        assert b"ssh://git@" in answer
        assert b"Content-Type: text/plain" in answer


def test_private_and_absent_look_alike(door, tmp_path):
    door.cli("token", "create", "other", "--read", "open", "--out",
             tmp_path / "token")
    token = (tmp_path / "token").read_text().strip()
    for headers, status in (([], 401), (["Authorization: Bearer x"], 401),
                            (["Authorization: Basic !"], 401),
                            (["Authorization: Bearer " + "x" * 8000], 401),
                            ([f"Authorization: Bearer {token[:-1]}"], 401),
                            ([f"Authorization: Bearer {token}"], 404)):
        seen = {without_date(get(door.http_port, f"/{name}{LIST}", *headers))
                for name in ("cluster", "none", "cluster.git", "a/b/c")}
        assert len(seen) == 1
        assert statuses(seen.pop()) == [status]
    assert token not in door.log()


def test_takes_a_token_as_basic_and_as_bearer(door, tmp_path):
    import base64

    door.cli("token", "create", "ci", "--read", "cluster", "--out",
             tmp_path / "token")
    token = (tmp_path / "token").read_text().strip()
    for user in ("", "git"):
        pair = base64.b64encode(f"{user}:{token}".encode()).decode()
        answer = get(door.http_port, "/cluster" + LIST,
                     f"Authorization: Basic {pair}")
        assert statuses(answer) == [200]
    assert statuses(get(door.http_port, "/cluster" + LIST,
                        f"Authorization: Bearer {token}")) == [200]
    assert token not in door.log()
    assert pair not in door.log()


def test_ignores_credentials_that_are_not_needed(door):
    for value in ("Basic Z2l0Og==", "Bearer x", "Digest y", "z"):
        assert statuses(get(door.http_port, "/open" + LIST,
                            f"Authorization: {value}")) == [200]


def test_serves_others_beside_idle_connections(door):
    idle = [dial(door.http_port) for _ in range(300)]
    for connection in idle[::2]:
        connection.sendall(b"GET /open")
    start = time.monotonic()
    assert statuses(get(door.http_port, "/open" + LIST)) == [200]
    assert time.monotonic() - start < 2
    for connection in idle:
        connection.close()


def test_makes_room_when_it_is_full(make_daemon, tmp_path):
    config = tmp_path / "small.conf"
    config.write_text('[limits]\n\thttp-connections = 20\n'
                      '[repo "open"]\n\tpublic = true\n')
    daemon = make_daemon(config=config)
    idle = [dial(daemon.http_port) for _ in range(200)]
    assert statuses(get(daemon.http_port, "/open" + LIST)) == [200]
    for connection in idle:
        connection.close()


@pytest.mark.parametrize("begin", [
    "", "GET /open HTTP/1.1\r\nX: ",
    "POST /open/git-upload-pack HTTP/1.1\r\nHost: x\r\n"
    f"Content-Type: {REQUEST}\r\nContent-Length: 9000\r\n\r\n",
    "POST /open/git-upload-pack HTTP/1.1\r\nHost: x\r\n"
    f"Content-Type: {REQUEST}\r\nTransfer-Encoding: chunked\r\n\r\n9000\r\n"],
    ids=["nothing", "head", "body", "chunk"])
def test_cuts_requests_that_drip(quick, begin):
    start = time.monotonic()
    with dial(quick.http_port) as connection:
        connection.sendall(begin.encode())
        connection.settimeout(0.1)
        while time.monotonic() - start < PATIENCE:
            try:
                if not connection.recv(1):
                    break
            except TimeoutError:
                pass
            except OSError:
                break
            try:
                connection.sendall(b"a")
            except OSError:
                break
    assert time.monotonic() - start < 5


def test_gives_descriptors_and_threads_back(door):
    for _ in range(3):
        get(door.http_port, "/open" + LIST)
    descriptors, threads = door.descriptors(), door.threads()
    clients = [threading.Thread(target=get,
                                args=(door.http_port, "/open" + LIST))
               for _ in range(40)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    deadline = time.monotonic() + PATIENCE
    while door.descriptors() > descriptors and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    assert door.descriptors() <= descriptors
    assert door.threads() <= threads


def test_the_probe_port_serves_no_repository(door):
    for target in ("/open" + LIST, "/v1/status", "/"):
        assert statuses(get(door.probe_port, target)) == [404]
    answer = get(door.probe_port, "/metrics")
    assert statuses(answer) == [200]
    assert answer.endswith(b"# EOF\n")
    assert (b"Content-Type: application/openmetrics-text; version=1.0.0; "
            b"charset=utf-8") in answer
    for target in ("/healthz", "/readyz"):
        assert statuses(get(door.probe_port, target)) == [200]


@pytest.mark.parametrize("data", [
    b"GET /v1/repos/.. HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v1/repos/%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"BREW /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /v1/status HTTP/1.1\r\n\r\n",
    b"PUT /v1/repos/x HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
    b"PUT /v1/repos/x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n{}"])
def test_the_admin_socket_says_errors_as_json(daemon, data):
    import json

    data = data.replace(b"Host: x\r\n\r\n",
                        b"Host: x\r\nConnection: close\r\n\r\n")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(daemon.socket))
        connection.sendall(data)
        answer = hear(connection)
    assert len(statuses(answer)) == 1
    assert 400 <= statuses(answer)[0] <= 501
    error = json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"]
    assert error["code"] and error["message"]
