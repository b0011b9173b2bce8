# SPDX-License-Identifier: Apache-2.0
"""The admin program, its API, and configuration that is declared."""

import json
import os
import shlex
import signal
import stat
import subprocess
import threading

import pytest

from conftest import public
from daemon import HEADWATER, HEADWATERD, PATIENCE, Git, wait_for


def code(daemon, *words, **how):
    return daemon.cli_run(*words, **how).returncode


def refused(daemon, *words, **how):
    """What a verb says that must be refused."""
    done = daemon.cli_run(*words, **how)
    assert done.returncode == 1, (words, done)
    assert done.stderr.startswith("headwater: ")
    return done.stderr


def api(daemon, method, path, body=None):
    """curl at the socket: the status and the JSON."""
    command = ["curl", "-s", "-w", "\n%{http_code}", "--unix-socket",
               str(daemon.socket), "-X", method, "http://x" + path]
    if body is not None:
        command += ["-d", body if isinstance(body, str) else json.dumps(body)]
    said = subprocess.run(command, capture_output=True, text=True, check=True,
                          timeout=PATIENCE).stdout
    text, status = said.rsplit("\n", 1)
    return int(status), json.loads(text) if text.strip() else None


def test_does_everything_twice_with_one_result(daemon, keys):
    verbs = [
        ("repo", "create", "a", "--description", "one"),
        ("repo", "set", "a", "public=true"),
        ("key", "create", "k", "--public-key", public(keys("k")),
         "--write", "a", "--read", "b/**"),
        ("key", "set", "k", "read=c"),
        ("token", "create", "t", "--read", "a"),
        ("hook", "create", "h", "--repo", "a", "--url", "http://127.0.0.1:9/"),
        ("hook", "set", "h", "branch=main"),
        ("hook", "delete", "h"), ("token", "delete", "t"),
        ("key", "delete", "k"), ("repo", "delete", "a", "--yes")]
    state = daemon.data / "state.conf"
    for verb in verbs:
        daemon.cli(*verb)
        once = state.read_bytes(), state.stat().st_ino
        daemon.cli(*verb)
        assert (state.read_bytes(), state.stat().st_ino) == once, verb
    assert "was not there" in daemon.cli("repo", "delete", "a", "--yes")
    assert not list((daemon.data / "repos").glob("*.git"))
    assert not list((daemon.data / "repos" / ".trash").iterdir())
    assert list((daemon.data / "secrets").rglob("*.*")) == []


def test_refuses_to_create_what_differs(daemon, keys):
    one, two = public(keys("k")), public(keys("other"))
    daemon.cli("repo", "create", "a")
    daemon.cli("key", "create", "k", "--public-key", one, "--read", "a")
    daemon.cli("hook", "create", "h", "--repo", "a",
               "--url", "http://127.0.0.1:9/")
    for verb, what in [
            (("repo", "create", "a", "--public"), "public"),
            (("key", "create", "k", "--public-key", one, "--read", "b"),
             "read"),
            (("key", "create", "k", "--public-key", two, "--read", "a"),
             "public-key"),
            (("hook", "create", "h", "--url", "http://127.0.0.1:8/"), "url")]:
        said = refused(daemon, *verb)
        assert "differs" in said and what in said and "--replace" in said
        daemon.cli(*verb, "--replace")
        daemon.cli(*verb)
    said = refused(daemon, "key", "create", "again", "--public-key", two,
                   "--read", "a")
    assert '"k"' in said


def test_exits_as_promised(daemon):
    daemon.cli("repo", "create", "a")
    assert code(daemon, "repo", "delete", "a") == 2
    for words in ([], ["nonsense"], ["repo"], ["repo", "nonsense"],
                  ["repo", "create"], ["repo", "create", ""],
                  ["repo", "create", "a", "b"], ["repo", "set", "a", "b"],
                  ["repo", "create", "x", "--nonsense"],
                  ["repo", "create", "x", "--branch"],
                  ["repo", "create", "x", "--public=yes"],
                  ["key", "create", "x", "--read", "a"]):
        assert code(daemon, *words) == 2, words
    for words in (["repo", "show", "b"], ["repo", "set", "b", "public=true"],
                  ["key", "show", "b"], ["hook", "test", "b"], ["sync", "b"],
                  ["hook", "redeliver", "b", "x"], ["repo", "export", "b", "-"],
                  ["key", "create", "x", "--public-key", "/nowhere",
                   "--read", "a"]):
        refused(daemon, *words)
    assert code(daemon, "--help") == code(daemon, "repo", "--help") == 0
    assert daemon.data.stat().st_mode & 0o777 == 0o700
    assert daemon.socket.stat().st_mode & 0o777 == 0o600
    daemon.stop()
    assert code(daemon, "status") == 3


def test_refuses_names_that_are_forbidden(daemon):
    for name in ("..", "a/../b", ".git", "x.git", "x.lock", "/x", "x/", "a//b",
                 "-x", "x y", "x\n", "é", "a" * 201, "a/b/c/d/e/f/g/h/i",
                 "a\x1b", "a.lock/b", "b.git/c", "a\\b", "~x", "x:y", "*"):
        refused(daemon, "repo", "create", "--", name)
    for kind in (["key", "create", "--generate", "-"], ["token", "create"]):
        for name in ("a/b", ".x", "-x", "x y", "x" * 65, "é", "x\n[key]"):
            refused(daemon, *kind, "--read", "**", "--", name)
    assert list((daemon.data / "repos").iterdir()) == []
    assert daemon.api("status")["repos"] == 0


def test_answers_bad_bodies_with_json_and_changes_nothing(daemon):
    daemon.cli("repo", "create", "a")
    before = (daemon.data / "state.conf").read_bytes()
    config = (daemon.repo_dir("a") / "config").read_bytes()
    for body in ("[]", "null", "{", '"x"', {"public": "maybe"},
                 {"nope": 1}, {"branch": "../x"}, {"branch": "a b"},
                 '{"branch": "a\\u0000b"}', {"quota": "-1"},
                 {"description": 'x\n[key "e"]\n\twrite = **'},
                 {"description": ["a", "b"]}, {"public": [True, False]},
                 {"git_config": "x"}, {"git_config": ["x"]},
                 {"git_config": {"receive.denyDeletes": True}},
                 {"git_config": {"receive.denyDeletes": [None]}},
                 {"git_config": {"receive.denyDeletes": {"a": "b"}}},
                 {"git_config": {"receive.denyDeletes": ["true"] * 100}},
                 {"git_config": {"core.sshCommand": "x"}},
                 {"git_config": {"receive.denyDeletes\n[x]": "true"}}):
        for method in ("PATCH", "PUT"):
            status, answer = api(daemon, method, "/v1/repos/a", body)
            assert 400 <= status < 500, (method, body, answer)
            assert answer["error"]["code"] and answer["error"]["message"]
    assert (daemon.data / "state.conf").read_bytes() == before
    assert (daemon.repo_dir("a") / "config").read_bytes() == config


def test_leaves_nothing_of_a_creation_that_failed(daemon):
    status, _ = api(daemon, "PUT", "/v1/repos/a",
                    {"git_config": {"core.sshCommand": "x"}})
    assert status == 403
    assert daemon.api("repo", "list") == {"repos": []}
    assert not daemon.repo_dir("a").exists()


def test_is_an_api_for_curl(daemon):
    assert api(daemon, "PUT", "/v1/repos/team%2Fapp", {})[0] == 201
    assert api(daemon, "PUT", "/v1/repos/team%2Fapp", {})[0] == 200
    status, answer = api(daemon, "PUT", "/v1/repos/team%2Fapp",
                         {"public": True})
    assert status == 409 and answer["error"]["code"] == "repo-exists"
    assert api(daemon, "PUT", "/v1/repos/team%2Fapp?replace=true",
               {"public": True})[0] == 200
    shown = api(daemon, "GET", "/v1/repos/team%2Fapp")[1]
    assert shown["public"] is True
    assert shown == daemon.api("repo", "show", "team/app")
    assert api(daemon, "GET", "/v1/status")[1]["ssh"]["address"] == \
        daemon.addresses["ssh"]
    assert api(daemon, "DELETE", "/v1/repos/team%2Fapp")[0] == 204
    assert api(daemon, "GET", "/v1/repos/team%2Fapp")[0] == 404


def test_shows_a_token_once_and_keeps_its_hash(daemon):
    daemon.cli("repo", "create", "a")
    token = daemon.cli("token", "create", "t", "--read", "a").strip()
    again = daemon.cli_run("token", "create", "t", "--read", "a")
    assert (again.returncode, again.stdout) == (0, "")
    assert "already" in again.stderr
    for path in daemon.data.rglob("*"):
        if path.is_file():
            assert token.encode() not in path.read_bytes(), path
            assert path.stat().st_mode & 0o077 == 0 or "repos" in path.parts
    assert token not in daemon.log()
    assert token not in daemon.cli("--json", "token", "list")
    new = daemon.cli("token", "create", "t", "--read", "a", "--replace")
    assert new.strip() != token
    out = daemon.directory / "token"
    daemon.cli("token", "create", "u", "--read", "a", "--out", out)
    assert out.stat().st_mode & 0o777 == 0o600
    git = Git(daemon.directory / "git", daemon)
    for given, result in ((token, 128), (new.strip(), 0),
                          (out.read_text(), 0)):
        assert git.run("ls-remote", daemon.http_url("a").replace(
            "//", f"//git:{given}@")).returncode == result


def test_reads_and_makes_secrets_of_hooks(daemon):
    daemon.cli("repo", "create", "a")
    hook = ("--repo", "a", "--url", "http://127.0.0.1:9/")
    daemon.cli("hook", "create", "random", *hook)
    first = api(daemon, "GET", "/v1/hooks/random/secret")[1]["secret"]
    assert len(first) == 64 and int(first, 16)
    daemon.cli("hook", "create", "random", *hook)
    assert api(daemon, "GET", "/v1/hooks/random/secret")[1]["secret"] == first
    file = daemon.directory / "secret"
    for secret in (b"x", b"line\n", "sch\u00f6n".encode(), bytes(range(256))):
        file.write_bytes(secret)
        done = daemon.cli_run("hook", "create", "h", *hook, "--secret-file",
                              file, "--replace")
        assert done.returncode == 0
        assert ("newline" in done.stderr) == secret.endswith(b"\n")
        import base64
        answer = api(daemon, "GET", "/v1/hooks/h/secret")[1]
        assert base64.b64decode(answer["secret_base64"]) == secret
    file.write_bytes(b"")
    assert "empty" in refused(daemon, "hook", "create", "h", *hook,
                              "--secret-file", file, "--replace")
    assert first not in daemon.log() + daemon.cli("--json", "hook", "list")


def test_generates_keys_that_work_and_overwrites_none(cluster, tmp_path):
    file = tmp_path / "made"
    cluster.cli("key", "create", "made", "--generate", file,
                "--write", "cluster")
    assert file.stat().st_mode & 0o777 == 0o600
    assert public(file).read_text().split()[:2] == \
        cluster.api("key", "show", "made")["public_key"].split()[:2]
    private = file.read_bytes()
    cluster.cli("key", "create", "made", "--generate", file,
                "--write", "cluster")
    assert file.read_bytes() == private
    Git(tmp_path / "one", cluster, file)("ls-remote",
                                         cluster.ssh_url("cluster"))
    said = cluster.cli("key", "create", "piped", "--generate", "-",
                       "--read", "cluster")
    file = tmp_path / "piped"
    file.write_text(said)
    file.chmod(0o600)
    Git(tmp_path / "two", cluster, file)("ls-remote",
                                         cluster.ssh_url("cluster"))
    again = cluster.cli_run("key", "create", "piped", "--generate", "-",
                            "--read", "cluster")
    assert (again.returncode, again.stdout) == (1, "")
    public(tmp_path / "other").write_text("precious")
    refused(cluster, "key", "create", "bad", "--generate", tmp_path / "other",
            "--read", "a")
    assert public(tmp_path / "other").read_text() == "precious"
    assert not (tmp_path / "other").exists()
    file.write_text("no key\n")
    refused(cluster, "key", "create", "bad", "--generate", file, "--read", "a")
    assert file.read_text() == "no key\n"


def test_exports_and_seeds_by_pipe(owner):
    daemon = owner.daemon
    work = owner.init()
    tip = owner.commit(work)
    owner("tag", "-a", "-m", "one", "v1", cwd=work)
    owner("push", "-q", daemon.ssh_url("cluster"), "main", "v1", cwd=work)
    bundle = daemon.cli_run("repo", "export", "cluster", "-", binary=True)
    assert bundle.returncode == 0 and bundle.stdout.startswith(b"# v2 git")
    seeded = subprocess.run(
        [*cli(daemon), "repo", "create", "copy", "--seed", "-"],
        input=bundle.stdout, capture_output=True, timeout=PATIENCE)
    assert seeded.returncode == 0, seeded.stderr
    assert daemon.fsck("copy") == ""
    refs = daemon.repo_dir("copy")
    assert owner("rev-parse", "main", "v1^{}", cwd=refs).split() == [tip] * 2
    again = subprocess.run(
        [*cli(daemon), "repo", "create", "copy", "--seed", "-"],
        input=bundle.stdout, capture_output=True, timeout=PATIENCE)
    assert again.returncode == 0
    broken = subprocess.run(
        [*cli(daemon), "repo", "create", "broken", "--seed", "-"],
        input=bundle.stdout[:-30], capture_output=True, timeout=PATIENCE)
    assert broken.returncode == 1 and broken.stderr


def cli(daemon):
    from daemon import HEADWATER
    return [str(HEADWATER), "--socket", str(daemon.socket)]


def test_exports_leave_what_was_there_until_they_are_whole(owner, tmp_path):
    daemon = owner.daemon
    file = tmp_path / "bundle"
    file.write_text("precious")
    refused(daemon, "repo", "export", "absent", file)
    refused(daemon, "repo", "export", "cluster", file)  # it is empty
    assert file.read_text() == "precious"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    refused(daemon, "repo", "export", "absent", pipe)
    reader.join(PATIENCE)
    assert stat.S_ISFIFO(pipe.lstat().st_mode) and got == [b""]
    work = owner.init()
    owner.commit(work)
    owner("push", "-q", daemon.ssh_url("cluster"), "main", cwd=work)
    daemon.cli("repo", "export", "cluster", file)
    owner("bundle", "verify", file, cwd=work)
    assert sorted(p.name for p in tmp_path.glob("bundle*")) == ["bundle"]


def test_works_on_files_beside_a_daemon_and_without_one(make_daemon, keys):
    daemon = make_daemon(start=False)
    daemon.cli("repo", "create", "cluster", local=True)
    daemon.cli("key", "create", "k", "--public-key", public(keys("k")),
               "--write", "**", local=True)
    assert not list(daemon.data.glob("run/*.sock"))
    daemon.start()
    git = Git(daemon.directory / "git", daemon, keys("k"))
    work = git.init()
    git.commit(work)
    git("push", "-q", daemon.ssh_url("cluster"), "main", cwd=work)
    done = daemon.cli_run("repo", "create", "more", local=True)
    assert (done.returncode, done.stderr) == (0, "")
    wait_for(lambda: git.run(
        "ls-remote", daemon.ssh_url("more")).returncode == 0, "it to be seen")
    daemon.cli("key", "delete", "k", local=True)
    wait_for(lambda: git.run(
        "ls-remote", daemon.ssh_url("more")).returncode == 128, "the end")


@pytest.fixture
def declared(make_daemon, tmp_path, keys):
    """A daemon with a configuration of its own, and git of its key."""
    config = tmp_path / "conf"
    config.mkdir()
    (config / "a.conf").write_text(
        f'[repo "cluster"]\n[key "k"]\n\tfile = {public(keys("k"))}\n'
        '\twrite = cluster\n')
    daemon = make_daemon(config=config)
    return daemon, config, Git(tmp_path / "git", daemon, keys("k"))


def listing(git, repo):
    return git.run("ls-remote", git.daemon.ssh_url(repo)).returncode


def test_heeds_what_is_declared_and_what_is_no_longer(declared):
    daemon, config, git = declared
    work = git.init()
    git.commit(work)
    git("push", "-q", daemon.ssh_url("cluster"), "main", cwd=work)
    assert daemon.api("repo", "show", "cluster")["declared"] is True
    daemon.cli("repo", "create", "cluster")
    for verb in (("repo", "set", "cluster", "public=true"),
                 ("repo", "create", "cluster", "--public", "--replace"),
                 ("key", "delete", "k"), ("repo", "delete", "cluster",
                                          "--yes")):
        assert "a.conf" in refused(daemon, *verb)
    (config / "b.conf").write_text('[repo "second"]\n[key "k2"]\n'
                                   f'\tpublic-key = {"x"}\n\tread = **\n')
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_log(r"b\.conf:3")
    assert listing(git, "second") == 128 and listing(git, "cluster") == 0
    check = subprocess.run(
        [str(HEADWATERD), "check", "--config", str(config)],
        capture_output=True, text=True, timeout=PATIENCE)
    assert check.returncode == 1 and "b.conf:3" in check.stdout + check.stderr
    (config / "b.conf").write_text('[repo "second"]\n\tpublic = true\n')
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: git.run("ls-remote", daemon.http_url("second")
                             ).returncode == 0, "the second")
    (config / "b.conf").unlink()  # nobody says so: the files changed
    wait_for(lambda: git.run("ls-remote", daemon.http_url("second")
                             ).returncode == 128, "its end")
    assert daemon.repo_dir("second").is_dir()
    (config / "a.conf").write_text("")
    wait_for(lambda: listing(git, "cluster") == 128, "the end of access")
    assert daemon.fsck("cluster") == ""
    assert daemon.api("status")["keys"] == 0


def test_keeps_a_good_configuration_where_a_new_one_is_broken(declared):
    daemon, config, git = declared
    good = (config / "a.conf").read_text()
    for i, broken in enumerate((
            "[repo", '[nonsense "x"]\n', '[repo "x"]\n\tnope = 1\n',
            '[repo "../x"]\n', '[key "x"]\n\tpublic-key = y\n',
            "\0\1\2", '[token "t"]\n\tfile = /nowhere\n\tread = **\n')):
        before = len(daemon.lines)
        (config / "a.conf").write_text("\n" * i + broken)
        daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: any("a.conf:" in l for l in daemon.lines[before:]),
                 f"a word on {broken!r}")
        assert listing(git, "cluster") == 0
    (config / "a.conf").write_text(good + '[repo "mended"]\n')
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: daemon.api("status")["repos"] == 2, "the mended one")


@pytest.mark.parametrize("words, offered", [
    ([""], ["repo", "status", "backup", "--json"]),
    (["re"], ["repo", "restore"]),
    (["--data", "repo", "re"], ["repo", "restore"]),
    (["repo", "cr"], ["create"]),
    (["--json", "key", "create", "k", "--pub"], ["--public-key"]),
    (["status", "--"], ["--help"]),
    (["nonsense", ""], [])])
def test_completes_what_it_knows(words, offered):
    script = subprocess.run([HEADWATER, "completion", "bash"],
                            capture_output=True, text=True, check=True).stdout
    quoted = " ".join(shlex.quote(word) for word in ["headwater", *words])
    said = subprocess.run(
        ["bash", "-c", f"{script}\nCOMP_WORDS=({quoted})\n"
         f"COMP_CWORD={len(words)}\n_headwater\n"
         'printf "%s\\n" "${COMPREPLY[@]}"'],
        capture_output=True, text=True, check=True).stdout.split()
    if words[-1]:
        assert said == offered
    else:
        assert set(offered) <= set(said) and len(said) == len(set(said))


def test_says_its_last_errors(declared):
    daemon, config, _ = declared
    assert daemon.api("status")["last_errors"] == []
    assert "Last errors" not in daemon.cli("status")
    (config / "a.conf").write_text("[repo")
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(daemon.api("status")["last_errors"]) == 2, "errors")
    said = daemon.cli("status")
    assert "Last errors:\n  time=" in said and "a.conf:1" in said


@pytest.fixture
def bundle(tmp_path):
    """A bundle of one branch, which is not called main, and its tip."""
    git = Git(tmp_path / "seed", None)
    work = git.init()
    tip = git.commit(work)
    git("branch", "-q", "-m", "trunk", cwd=work)
    git("bundle", "create", "-q", "../seed.bundle", "--all", "HEAD", cwd=work)
    return git.directory / "seed.bundle", tip


def test_seeds_a_declared_repository_once(make_daemon, bundle, tmp_path, keys):
    file, tip = bundle
    config = tmp_path / "seeded.conf"
    config.write_text(f'[repo "cluster"]\n\tseed = {file}\n[key "k"]\n'
                      f"\tpublic-key = {public(keys('k')).read_text()}"
                      "\twrite = cluster\n")
    daemon = make_daemon(config=config)
    git = Git(tmp_path / "git", daemon, keys("k"))
    url = daemon.ssh_url("cluster")
    assert "event=repo.seeded" in daemon.log().split("event=ready")[0]
    assert git("ls-remote", "--symref", url).split() == [
        "ref:", "refs/heads/trunk", "HEAD", tip, "HEAD", tip,
        "refs/heads/trunk"]
    git("clone", "-q", url, "out")
    newer = git.commit(git.directory / "out")
    git("push", "-q", "origin", "trunk", cwd=git.directory / "out")
    daemon.restart()
    url = daemon.ssh_url("cluster")
    assert git("rev-parse", newer, cwd=daemon.repo_dir("cluster")).strip() \
        == git("ls-remote", url, "HEAD").split()[0] == newer
    assert "repo.seed" not in daemon.log()
    assert daemon.fsck("cluster") == ""


def test_serves_a_repository_whose_seed_cannot_be_taken(make_daemon, bundle,
                                                        tmp_path):
    file, tip = bundle
    whole = file.read_bytes()
    file.write_bytes(whole[:-30])
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    config = tmp_path / "seeded.conf"
    config.write_text("".join(
        f'[repo "{name}"]\n\tseed = {path}\n' for name, path in [
            ("broken", file), ("absent", tmp_path / "absent"),
            ("pipe", pipe), ("directory", tmp_path)]))
    daemon = make_daemon(config=config)
    errors = "\n".join(daemon.api("status")["last_errors"])
    for name in ("broken", "absent", "pipe", "directory"):
        assert f"event=repo.seed repo={name}" in errors
    assert not list(daemon.repo_dir("broken").glob("objects/**/incoming*"))
    file.write_bytes(whole)
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_log("event=config.unchanged|event=config.taken")
    with config.open("a") as more:
        more.write('[repo "more"]\n')
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_log("event=repo.seeded repo=broken")
    assert daemon.fsck("broken") == ""


def test_does_not_start_with_a_broken_configuration(make_daemon, tmp_path):
    config = tmp_path / "bad.conf"
    config.write_text('[server]\n\tnonsense = 1\n')
    daemon = make_daemon(start=False, config=config)
    daemon.start(wait=False)
    assert daemon.process.wait(PATIENCE) == 1
    daemon.wait_log(r"bad\.conf:2")
    daemon.process = None
