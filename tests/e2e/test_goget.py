# SPDX-License-Identifier: Apache-2.0
"""What go-git, and so Flux, says and expects, byte by byte."""

import pytest

from wire import (ZERO, errors, execute, exit_code, git_object, hear, login,
                  pack, pkt, read_list, read_pkt, small_commit)

PUSH_CAPS = "agent=go-git/5.x report-status"
FETCH_CAPS = "multi_ack_detailed side-band-64k ofs-delta agent=go-git/5.x"


@pytest.fixture
def alice(owner, keys):
    transport = login(owner.daemon, keys("owner"))
    yield transport
    transport.close()


def push(alice, old, new, data, ref="refs/heads/main"):
    """The report of a push as go-git makes it."""
    channel = execute(alice, "git-receive-pack '/cluster'")
    listed = read_list(channel)
    channel.sendall(pkt(f"{old} {new} {ref}\0{PUSH_CAPS}") + b"0000" + data)
    channel.shutdown_write()
    report = hear(channel)
    assert exit_code(channel) == 0, errors(channel)
    channel.close()
    return listed, report


def unframe(data):
    """The pack in side-band packets, and what follows its flush."""
    got, errors_seen = b"", b""
    while data[:4] != b"0000":
        length = int(data[:4], 16)
        assert length >= 5
        if data[4] == 1:
            got += data[5:length]
        assert data[4] in (1, 2), data[:length]
        data = data[length:]
    return got, data[4:]


OK = b"000eunpack ok\n0017ok refs/heads/main\n0000"


def test_pushes_as_go_git_does(alice, owner):
    one, objects = small_commit()
    listed, report = push(alice, ZERO, one, pack(*objects))
    assert report == OK
    assert listed[0].startswith(f"{ZERO} capabilities^{{}}\0".encode())
    assert b"report-status" in listed[0]
    two, more = small_commit(b"more\n", parent=one)
    assert push(alice, one, two, pack(*more))[1] == OK
    # A branch of what is there: a pack of nothing, 32 bytes.
    listed, report = push(alice, ZERO, two, pack(), "refs/heads/copy")
    assert len(pack()) == 32
    assert report == b"000eunpack ok\n0017ok refs/heads/copy\n0000"
    assert owner.daemon.fsck("cluster") == ""


def test_says_in_the_report_why_not(alice, owner):
    one, objects = small_commit()
    assert push(alice, ZERO, one, pack(*objects))[1] == OK
    two, more = small_commit(b"two\n", parent=one)
    for old, data, says in [
            (two, pack(*more), b"ng refs/heads/main "),     # not the old value
            (one, pack(more[0]), b"ng refs/heads/main "),   # no tree
            (one, pack(*more)[:-1] + b"x", b"unpack "),     # a bad trailer
            (one, b"PACX" + pack(*more)[4:], b"unpack ")]:
        report = push(alice, old, two, data)[1]
        assert says in report and not report.startswith(OK), report
        assert report.endswith(b"0000")
    assert owner("ls-remote", owner.daemon.ssh_url("cluster"),
                 "main").startswith(one)
    assert push(alice, one, two, pack(*more))[1] == OK


def clone(alice, *lines):
    """The advertisement, and all after a request."""
    channel = execute(alice, "git-upload-pack '/cluster'")
    listed = read_list(channel)
    channel.sendall(b"".join(lines))
    channel.shutdown_write()
    answer = hear(channel)
    assert exit_code(channel) == 0, errors(channel)
    channel.close()
    return listed, answer


def test_clones_as_flux_does_every_minute(alice):
    one, objects = small_commit()
    two, more = small_commit(b"two\n", parent=one)
    push(alice, ZERO, two, pack(*objects, *more))
    want = pkt(f"want {two} {FETCH_CAPS} shallow no-progress\n")
    assert want.startswith(b"0082")
    listed, answer = clone(alice, want, pkt("deepen 1\n"), b"0000",
                           b"0009done\n")
    assert listed[0].startswith(f"{two} HEAD\0".encode())
    caps = listed[0].split(b"\0")[1].split()
    assert b"symref=HEAD:refs/heads/main" in caps
    for wanted in (b"shallow", b"side-band-64k", b"ofs-delta",
                   b"multi_ack_detailed"):
        assert wanted in caps
    assert all(cap.partition(b"=")[2] for cap in caps if b"=" in cap)
    assert [line.split()[1] for line in listed[1:]] == [b"refs/heads/main"]
    assert answer[:4] in (b"0034", b"0035")
    assert answer[4:52] == f"shallow {two}".encode()
    rest = answer[int(answer[:4], 16):]
    assert rest.startswith(b"00000008NAK\n")
    sent, after = unframe(rest[12:])
    assert sent[:12] == b"PACK\0\0\0\2\0\0\0\3" and after == b""


def test_clones_whole_and_a_root_shallowly(alice):
    one, objects = small_commit()
    push(alice, ZERO, one, pack(*objects))
    _, answer = clone(alice, pkt(f"want {one} {FETCH_CAPS}\n"), b"0000",
                      b"0009done\n")
    assert answer.startswith(b"0008NAK\n")
    assert unframe(answer[8:])[0][:12] == b"PACK\0\0\0\2\0\0\0\3"
    _, answer = clone(alice, pkt(f"want {one} {FETCH_CAPS} shallow\n"),
                      pkt("deepen 1\n"), b"0000", b"0009done\n")
    # As stock git, which counts a root among the commits that are cut.
    assert answer.startswith(pkt(f"shallow {one}") + b"00000008NAK\n")


def test_sends_an_annotated_tag(alice):
    one, objects = small_commit()
    push(alice, ZERO, one, pack(*objects))
    tag, entry = git_object("tag", (
        f"object {one}\ntype commit\ntag v1\n"
        "tagger A U Thor <a@example.invalid> 1700000000 +0000\n\nv1\n"
    ).encode())
    push(alice, ZERO, tag, pack(entry), "refs/tags/v1")
    listed, answer = clone(alice, pkt(f"want {tag} {FETCH_CAPS} shallow\n"),
                           pkt("deepen 1\n"), b"0000", b"0009done\n")
    assert f"{one} refs/tags/v1^{{}}".encode() in [l.rstrip() for l in listed]
    sent, _ = unframe(answer[answer.index(b"0008NAK\n") + 8:])
    assert sent[8:12] == b"\0\0\0\4"


def test_lists_and_hangs_up(alice):
    one, objects = small_commit()
    push(alice, ZERO, one, pack(*objects))
    channel = execute(alice, "git-upload-pack '/cluster'")
    assert read_list(channel)
    channel.sendall(b"0000")
    channel.shutdown_write()
    assert hear(channel) == b"" and exit_code(channel) == 0


def test_answers_haves_in_gits_order(alice):
    one, objects = small_commit()
    two, more = small_commit(b"two\n", parent=one)
    push(alice, ZERO, two, pack(*objects, *more))
    channel = execute(alice, "git-upload-pack '/cluster'")
    read_list(channel)
    channel.sendall(pkt(f"want {two} {FETCH_CAPS}\n") + b"0000" +
                    pkt(f"have {one}\n") + b"0000")
    assert read_pkt(channel) == f"ACK {one} common\n".encode()
    assert read_pkt(channel) == f"ACK {one} ready\n".encode()
    assert read_pkt(channel) == b"NAK\n"
    channel.sendall(b"0009done\n")
    assert read_pkt(channel) == f"ACK {one}\n".encode()
    sent, _ = unframe(hear(channel))
    assert sent[8:12] == b"\0\0\0\3"


@pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
def test_ends_at_once_at_lines_that_are_none(alice, owner, service):
    one, objects = small_commit()
    push(alice, ZERO, one, pack(*objects))
    for line in (b"zzzz", b"0001", b"0002", b"0003", b"fff1", b"-001",
                 b"0x10", b"    ", b"\0\0\0\0", b"0009nonsense", b"\xff" * 99):
        channel = execute(alice, f"{service} '/cluster'")
        read_list(channel)
        channel.sendall(line)  # and the line stays open
        assert exit_code(channel) != 0, line
        assert hear(channel) + errors(channel), line
        channel.close()
    assert owner("ls-remote", owner.daemon.ssh_url("cluster")).startswith(one)


@pytest.mark.parametrize("version", [0, 1, 2])
def test_serves_no_object_that_no_ref_reaches(alice, owner, version):
    one, objects = small_commit()
    two, more = small_commit(b"two\n", parent=one)
    push(alice, ZERO, one, pack(*objects))
    push(alice, ZERO, two, pack(*more), "refs/heads/x")
    push(alice, two, ZERO, b"", "refs/heads/x")
    for oid in (two, "1" * 40, objects and git_object("blob", b"two\n")[0]):
        done = owner.run("-c", f"protocol.version={version}", "fetch-pack",
                         owner.daemon.ssh_url("cluster"), oid)
        assert done.returncode != 0, oid
