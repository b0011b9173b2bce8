# SPDX-License-Identifier: Apache-2.0
"""headwater flux: what is printed, and that nothing is wasted."""

import hashlib
import hmac
import json
import re
import shlex
import subprocess
import urllib.parse

import pytest

from conftest import public
from daemon import ROOT, Git, Receiver, make_key, wait_for

NAME = "headwater.headwater.svc.cluster.local"


@pytest.fixture
def server(make_daemon, tmp_path):
    config = tmp_path / "headwater.conf"
    config.write_text(f"[server]\n\tname = {NAME}\n")
    daemon = make_daemon(config=config)
    daemon.cli("repo", "create", "cluster")
    return daemon


def items(daemon, *words):
    """What --json prints, by kind."""
    found = {}
    for item in daemon.api("flux", *words)["items"]:
        found.setdefault(item["kind"], []).append(item)
    return found


def git_secret(daemon, *words):
    """The Secret with a key in it; None where it was not printed."""
    for secret in items(daemon, "secrets", *words).get("Secret", []):
        if "identity" in secret.get("stringData", {}):
            return secret
    return None


def client(daemon, secret, directory):
    """git with what stands in a Secret."""
    directory.mkdir()
    key = directory / "identity"
    key.touch(0o600)
    key.write_text(secret["stringData"]["identity"])
    return Git(directory, daemon, key)


GOLDEN = """\
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: flux-system
  namespace: flux-system
spec:
  interval: 1m0s
  ref:
    branch: main
  secretRef:
    name: flux-system
  url: ssh://git@headwater.headwater.svc.cluster.local/cluster
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: flux-system
  namespace: flux-system
spec:
  interval: 10m0s
  path: ./clusters/c1
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
---
apiVersion: notification.toolkit.fluxcd.io/v1
kind: Receiver
metadata:
  name: flux-system
  namespace: flux-system
spec:
  type: generic-hmac
  interval: 10m0s
  secretRef:
    name: flux-cluster-token
  resources:
    - apiVersion: source.toolkit.fluxcd.io/v1
      kind: GitRepository
      name: flux-system
"""


def test_prints_what_may_be_committed(server):
    words = ("flux", "sync", "cluster", "--path", "./clusters/c1")
    assert server.cli(*words) == GOLDEN
    assert server.cli(*words) == GOLDEN
    # Nothing is made by looking.
    assert server.api("hook", "list")["hooks"] == []
    assert server.api("key", "list")["keys"] == []


def test_prints_secrets_that_work(server, tmp_path):
    secret = git_secret(server, "cluster")
    assert secret["metadata"] == {"name": "flux-system",
                                  "namespace": "flux-system"}
    host_key = server.cli("known-hosts", "x").split(" ", 1)[1]
    assert secret["stringData"]["known_hosts"] == (
        f"{NAME},headwater.headwater.svc,headwater.headwater {host_key}")
    git = client(server, secret, tmp_path / "flux")
    git("ls-remote", server.ssh_url("cluster"))
    key = server.api("key", "list")["keys"][0]
    assert key["read"] == ["cluster"] and key["write"] == []
    assert (secret["stringData"]["identity.pub"].split()[:2]
            == key["public_key"].split()[:2])
    work = git.init()
    git.commit(work)
    assert git.run("push", server.ssh_url("cluster"), "main",
                   cwd=work).returncode != 0


def test_prints_the_secret_of_the_hook(server):
    kinds = items(server, "all", "cluster", "--create-namespace")
    assert [n["metadata"]["name"] for n in kinds["Namespace"]] == [
        "flux-system"]
    token = [s for s in kinds["Secret"] if "token" in s["stringData"]][0]
    receiver = kinds["Receiver"][0]
    assert token["metadata"]["name"] == receiver["spec"]["secretRef"]["name"]
    assert token["metadata"]["labels"] == {
        "reconcile.fluxcd.io/watch": "Enabled"}
    assert token["stringData"]["token"] == server.cli(
        "hook", "secret", "flux-cluster")
    assert server.api("hook", "show", "flux-cluster")["receiver"] == (
        "flux-system/flux-system")


def test_orders_what_kubectl_applies(server):
    kinds = [item["kind"] for item in server.api(
        "flux", "all", "cluster", "--create-namespace")["items"]]
    assert kinds == ["Namespace", "Secret", "Secret", "GitRepository",
                     "Kustomization", "Receiver"]


def test_wastes_nothing_where_an_apply_failed(server, tmp_path):
    first = git_secret(server, "cluster")
    second = git_secret(server, "cluster")
    assert first["stringData"]["identity"] != second["stringData"]["identity"]
    gits = [client(server, secret, tmp_path / f"flux{i}")
            for i, secret in enumerate((first, second))]
    url = server.ssh_url("cluster")
    for git in gits:  # whichever was applied
        git("ls-remote", url)
    wait_for(lambda: server.api("key", "show", "flux-cluster")[
        "previous_key"] is None, "the end of the first one")
    # One that is in use is not printed again.
    printed = server.cli("flux", "secrets", "cluster")
    assert "identity" not in printed
    assert re.search("# Secret flux-system/flux-system: key 'flux-cluster' "
                     "is in use", printed)
    assert "token:" in printed
    gits[1]("ls-remote", url)


def test_rotates_without_a_gap(server, tmp_path):
    url = server.ssh_url("cluster")
    old = client(server, git_secret(server, "cluster"), tmp_path / "old")
    old("ls-remote", url)
    lost = git_secret(server, "cluster", "--rotate")
    new = client(server, git_secret(server, "cluster", "--rotate"),
                 tmp_path / "new")
    assert lost["stringData"]["identity"] != (
        tmp_path / "new" / "identity").read_text()
    old("ls-remote", url)
    new("ls-remote", url)
    wait_for(lambda: old.run("ls-remote", url).returncode, "the old one's end")
    new("ls-remote", url)


def test_takes_a_key_that_is_there(server, tmp_path):
    key = make_key(tmp_path / "mine")
    words = ("cluster", "--identity", str(key))
    secret = git_secret(server, *words)
    assert secret["stringData"]["identity"] == key.read_text()
    client(server, secret, tmp_path / "flux")(
        "ls-remote", server.ssh_url("cluster"))
    assert git_secret(server, *words) == secret
    other = make_key(tmp_path / "other")
    words = ("cluster", "--identity", str(other))
    assert git_secret(server, *words) is None
    assert git_secret(server, *words, "--rotate") is not None


def test_reads_over_http(server, tmp_path):
    words = ("cluster", "--http")
    secret = [s for s in items(server, "secrets", *words)["Secret"]
              if "password" in s["stringData"]][0]
    token = secret["stringData"]["password"]
    git = Git(tmp_path / "http", server)
    url = urllib.parse.urlsplit(server.http_url("cluster"))
    git("ls-remote", f"http://git:{token}@{url.netloc}{url.path}")
    source = items(server, "sync", *words)["GitRepository"][0]["spec"]
    assert source["url"] == f"http://{NAME}/cluster"
    assert source["secretRef"] == {"name": "flux-system"}
    assert "# Secret" in server.cli("flux", "secrets", *words)
    server.cli("repo", "set", "cluster", "public=true")
    assert "secretRef" not in items(server, "sync", *words)[
        "GitRepository"][0]["spec"]
    assert len(items(server, "secrets", *words)["Secret"]) == 1


def test_serves_tenants_with_one_key_and_one_hook(server, tmp_path):
    for repo in ("tenants/a", "tenants/deep/b"):
        server.cli("repo", "create", repo)
    words = ("tenants/**", "--namespace", "apps", "--secret-ref", "git",
             "--target-namespace", "{basename}", "--service-account",
             "{basename}")
    kinds = items(server, "all", *words)
    assert len(kinds["Secret"]) == 2
    assert [s["metadata"]["name"] for s in kinds["GitRepository"]] == [
        "a", "b"]
    for k in kinds["Kustomization"]:
        assert k["spec"]["targetNamespace"] == k["metadata"]["name"]
        assert k["spec"]["serviceAccountName"] == k["metadata"]["name"]
    assert [r["metadata"]["name"] for r in kinds["Receiver"]] == ["a", "b"]
    assert server.api("hook", "list")["hooks"][0]["receiver"] == (
        "apps/{basename}")
    secret = [s for s in kinds["Secret"] if "identity" in s["stringData"]][0]
    git = client(server, secret, tmp_path / "flux")
    git("ls-remote", server.ssh_url("tenants/deep/b"))
    assert git.run("ls-remote", server.ssh_url("cluster")).returncode
    # Of one of them: the same hook, the same Secret.
    one = items(server, "sync", "tenants/a", "--namespace", "apps",
                "--secret-ref", "git", "--name", "a")
    assert one["Receiver"][0] in kinds["Receiver"]


def test_takes_a_source_that_is_there(server):
    kinds = items(server, "all", "cluster", "--name", "apps", "--source",
                  "GitRepository/flux-system.other")
    assert "GitRepository" not in kinds and len(kinds["Secret"]) == 1
    assert kinds["Kustomization"][0]["spec"]["sourceRef"] == {
        "kind": "GitRepository", "name": "flux-system", "namespace": "other"}
    assert kinds["Receiver"][0]["spec"]["resources"][0]["namespace"] == "other"


@pytest.mark.parametrize("words, ref", [
    ((), {"branch": "trunk"}), (("--branch", "x"), {"branch": "x"}),
    (("--tag", "v1"), {"tag": "v1"}),
    (("--tag-semver", ">=1.0.0 <2"), {"semver": ">=1.0.0 <2"}),
    (("--ref-name", "refs/pull/1/head"), {"name": "refs/pull/1/head"}),
    (("--commit", "a" * 40), {"commit": "a" * 40}),
    (("--commit", "a" * 40, "--branch", "x"),
     {"commit": "a" * 40, "branch": "x"}),
])
def test_names_the_ref(make_daemon, words, ref):
    daemon = make_daemon()
    daemon.cli("repo", "create", "r", "--branch", "trunk")
    spec = items(daemon, "sync", "r", *words)["GitRepository"][0]["spec"]
    assert spec["ref"] == ref


def test_follows_head_where_it_really_is(server, keys, tmp_path):
    server.cli("key", "create", "me", "--public-key", public(keys("owner")),
               "--write", "cluster")
    git = Git(tmp_path / "git", server, keys("owner"))
    work = git.init()
    git.commit(work)
    git("push", "-q", server.ssh_url("cluster"), "HEAD:refs/heads/deploy",
        cwd=work)
    assert "branch: deploy\n" in server.cli("flux", "sync", "cluster")
    assert "--branch=deploy" in server.cli("flux", "bootstrap", "cluster")


def test_fills_the_bootstrap_command(server):
    assert shlex.split(server.cli(
        "flux", "bootstrap", "cluster", "--path", "clusters/a b")) == [
            "flux", "bootstrap", "git", "--url=ssh://git@localhost:2222/"
            "cluster", f"--ssh-hostname={NAME}", "--branch=main",
            "--path=clusters/a b"]
    done = server.cli_run("flux", "bootstrap", "cluster", "--url",
                          "ssh://git@node:30022/cluster", "--namespace",
                          "flux", "--ssh-hostname", "h.h.svc.example:22",
                          "--cluster-domain", "example")
    assert shlex.split(done.stdout)[3:] == [
        "--url=ssh://git@node:30022/cluster",
        "--ssh-hostname=h.h.svc.example:22", "--branch=main", "--path=./",
        "--namespace=flux", "--cluster-domain=example"]
    assert "known-hosts node:30022" in done.stderr
    assert server.api("flux", "bootstrap", "cluster")[0] == "flux"


def test_knows_the_host_under_the_names_of_its_urls(server):
    words = ("cluster", "--ssh-hostname", "git.example:30022")
    secret = git_secret(server, *words)
    lines = secret["stringData"]["known_hosts"].splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("[git.example]:30022 ssh-ed25519 ")
    url = items(server, "sync", *words)["GitRepository"][0]["spec"]["url"]
    assert url == "ssh://git@git.example:30022/cluster"


def test_is_understood_by_its_own_hook(server):
    """Path and signature as the Receiver will compute them."""
    receiver = Receiver()
    try:
        kinds = items(server, "all", "cluster", "--service",
                      f"127.0.0.1:{receiver.port}")
        token = [s for s in kinds["Secret"] if "token" in s["stringData"]][0][
            "stringData"]["token"]
        server.cli("hook", "test", "flux-cluster")
        path, headers, body = receiver.wait()
        where = kinds["Receiver"][0]["metadata"]
        assert path == "/hook/" + hashlib.sha256(
            (token + where["name"] + where["namespace"]).encode()).hexdigest()
        assert headers["X-Signature"] == "sha256=" + hmac.new(
            token.encode(), body, "sha256").hexdigest()
    finally:
        receiver.close()


def test_uses_the_hook_that_is_there(server):
    server.cli("hook", "create", "mine", "--repo", "*", "--receiver",
               "flux-system/cluster", "--type", "github")
    receiver = items(server, "sync", "cluster")["Receiver"][0]
    assert receiver["metadata"]["name"] == "cluster"
    assert receiver["spec"]["type"] == "github"
    assert receiver["spec"]["secretRef"] == {"name": "mine-token"}
    server.cli("flux", "secrets", "cluster")
    assert len(server.api("hook", "list")["hooks"]) == 1


def test_writes_for_image_automation(server, tmp_path):
    secret = git_secret(server, "cluster", "--write", "--secret-ref",
                        "flux-system-rw")
    git = client(server, secret, tmp_path / "automation")
    work = git.init()
    git.commit(work)
    git("push", "-q", server.ssh_url("cluster"), "main", cwd=work)
    assert server.api("key", "list")["keys"][0]["name"] == (
        "flux-cluster-flux-system-flux-system-rw")


def test_works_without_a_daemon(server):
    server.stop()
    printed = server.cli("flux", "secrets", "cluster", "--ssh-hostname", NAME,
                         local=True)
    assert "BEGIN OPENSSH PRIVATE KEY" in printed


@pytest.mark.parametrize("words, code, sentence", [
    (("secrets", "absent"), 1, "there is no repo"),
    (("sync", "none/**"), 1, "no repository matches"),
    (("secrets",), 2, "a name is missing"),
    (("sync", "cluster", "--namespace", "Flux\n"), 2, "no name for a"),
    (("sync", "cluster", "--name", "a b"), 1, "no name for"),
    (("sync", "cluster", "--service-account", "X"), 1, "allows no service"),
    (("bootstrap", "**"), 2, "one repository"),
    (("bootstrap", "cluster", "--http"), 2, "over SSH"),
    (("secrets", "cluster", "--type", "gitea"), 2, "no Receiver takes"),
    (("secrets", "cluster", "--identity", "/nonexistent"), 1, "nonexistent"),
    (("secrets", "cluster", "--hook", "other"), 0, ""),
    (("secrets", "cluster", "--frob"), 2, "there is no option"),
])
def test_says_what_is_wrong(server, words, code, sentence):
    done = server.cli_run("flux", *words)
    assert done.returncode == code, done
    assert sentence in done.stderr
    if code:
        assert done.stdout == ""


def test_says_that_a_key_does_something_else(server):
    server.cli("repo", "create", "other")
    server.cli("flux", "secrets", "cluster", "--key", "flux")
    done = server.cli_run("flux", "secrets", "other", "--key", "flux")
    assert done.returncode == 1
    assert "key 'flux' may not read other" in done.stderr


def test_keeps_values_from_becoming_yaml(server):
    value = "x\n---\nkind: Evil # {a: b}"
    printed = server.cli("flux", "sync", "cluster", "--path", value,
                         "--branch", "yes", "--interval", "1e3")
    assert not re.search(r"^kind: Evil", printed, re.M)
    assert 'branch: "yes"' in printed and 'interval: "1e3"' in printed
    assert items(server, "sync", "cluster", "--path", value)["Kustomization"][
        0]["spec"]["path"] == value


def commands_of(document):
    """Every line of a document that begins with headwater, made whole."""
    text = re.sub(r"\\\n\s*", " ", document.read_text())
    return [shlex.split(line.split("|")[0].split(">")[0], comments=True)[1:]
            for line in re.findall(r"^    (headwater .*)$", text, re.M)]


def test_runs_every_command_of_the_recipes(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_key(tmp_path / "alice")
    ran = commands_of(ROOT / "hooks" / "flux.md")
    assert len(ran) > 15
    for words in ran:
        server.cli(*words)


@pytest.mark.parametrize("kind, bits", [("rsa", 2048), ("ecdsa", 256),
                                        ("ecdsa", 384), ("ecdsa", 521)])
@pytest.mark.parametrize("form", ["PEM", "PKCS8"])
def test_takes_keys_in_other_formats(server, tmp_path, kind, bits, form):
    key = make_key(tmp_path / "mine", kind, bits)
    line = public(key).read_text().split()[:2]
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "", "-m", form, "-f", key],
                   check=True)
    assert "OPENSSH" not in key.read_text()
    secret = git_secret(server, "cluster", "--identity", str(key))
    assert secret["stringData"]["identity.pub"].split() == line
    client(server, secret, tmp_path / "flux")(
        "ls-remote", server.ssh_url("cluster"))


def test_takes_no_key_with_a_passphrase_in_pem(server, tmp_path):
    key = make_key(tmp_path / "mine", "rsa", 2048)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-m", "PEM",
                    "-f", key], check=True)
    done = server.cli_run("flux", "secrets", "cluster", "--identity", key)
    assert done.returncode == 1 and "passphrase" in done.stderr
