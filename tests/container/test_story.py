# SPDX-License-Identifier: Apache-2.0
"""The whole story: first push, webhook, Flux's clone, a kill, another pod."""

import hashlib
import hmac

import pytest

from conftest import some_user
from gomodule import GoModule
from pod import IMAGE, Pod, docker, wait_for

TAKEOVER_SECONDS = 1.0


def admit(cluster, key):
    """What `kubectl create secret generic headwater-owners` does."""
    cluster.owners.swap(
        {"id_ed25519.pub": key.with_name(key.name + ".pub").read_text()})


def push(git, pod, branch="main"):
    """A commit more on the branch; its id."""
    work = git.directory / "work"
    if not work.exists():
        git("clone", "-q", pod.ssh_url("cluster"), work)
        git("checkout", "-q", "-B", branch, cwd=work)
    commit = git.commit(work)
    git("push", "-q", pod.ssh_url("cluster"), f"HEAD:{branch}", cwd=work)
    return commit


def tip(git, pod, branch="main"):
    return git("ls-remote", pod.ssh_url("cluster"),
               f"refs/heads/{branch}").split("\t")[0]


@pytest.fixture(scope="module")
def told():
    """What one chapter leaves for the next."""
    return {}


def test_first_push(cluster, key, receiver, pod, owner, told):
    admit(cluster, key)
    git = owner(pod)
    wait_for(lambda: git.run("ls-remote", pod.ssh_url("cluster")
                             ).returncode == 0, "the owner's key")
    told["commit"] = push(git, pod)
    request = receiver.wait(told["commit"])
    told["secret"] = secret = pod.cli("hook", "secret", "flux")
    path = hashlib.sha256(
        (secret + "flux-system" + "flux-system").encode()).hexdigest()
    assert request["path"] == f"/hook/{path}"
    digest = hmac.new(secret.encode(), request["body"].encode(), "sha256")
    assert request["headers"]["X-Signature"] == "sha256=" + digest.hexdigest()
    told["host_key"] = pod.cli("known-hosts", "localhost")
    manifests = pod.cli("flux", "all", "cluster")
    assert "kind: Receiver\n" in manifests and secret in manifests
    assert "url: ssh://git@headwater.headwater.svc" in manifests
    pod.kill()


def test_finds_everything_under_another_user(pod, owner, receiver, told):
    git = owner(pod)
    assert pod.cli("known-hosts", "localhost") == told["host_key"]
    assert tip(git, pod) == told["commit"]
    told["commit"] = push(git, pod)
    receiver.wait(told["commit"])
    assert pod.cli("hook", "secret", "flux") == told["secret"]


def test_helm_test(cluster, pod):
    """As chart/templates/tests does, without a Service between."""
    said = docker("run", "--rm", "--network", cluster.name, "--read-only",
                  "--cap-drop=ALL", "--entrypoint=headwater", IMAGE, "ping",
                  f"{pod.name}:2222")
    assert f"{pod.name} port 2222 answers: SSH-2.0-" in said


def test_flux_clones(pod, key, tmp_path, told):
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(
        pod.cli("known-hosts", f"127.0.0.1:{pod.ssh_port}") + "\n")
    result = GoModule("flux").run(
        "run", "./clone", pod.ssh_url("cluster"), "main", key, known_hosts,
        timeout=600)
    assert result.returncode == 0, result.stdout
    assert result.stdout.split()[-1] == told["commit"]


def test_two_on_one_volume(cluster, pod, owner, receiver, told):
    other = Pod(cluster, "other", some_user())
    git = owner(pod)
    first = push(git, pod)
    assert tip(owner(other), other) == first
    receiver.wait(first)
    second = push(owner(other), other, "side")
    assert tip(git, pod, "side") == second
    code, seconds = pod.stop()
    assert code == 0 and seconds < TAKEOVER_SECONDS
    third = push(owner(other), other)
    receiver.wait(third)
    assert other.cli("known-hosts", "localhost") == told["host_key"]
    assert other.stop()[0] == 0
    told["commit"] = third


def test_takes_over_within_a_second(cluster, pod, owner, told):
    assert tip(owner(pod), pod) == told["commit"]
    code, ending = pod.stop()
    successor = Pod(cluster, "successor", some_user())
    assert code == 0
    assert ending + successor.start_ms / 1000 < TAKEOVER_SECONDS
    assert tip(owner(successor), successor) == told["commit"]
    assert successor.stop()[0] == 0


def test_config_map_that_changes(cluster, pod, owner):
    text = cluster.manifest.data("headwater")["headwater.conf"]
    git = owner(pod)

    def can_read(repo):
        return git.run("ls-remote", pod.ssh_url(repo)).returncode == 0

    cluster.config.swap(
        {"conf.d/headwater.conf": text + '[repo "more"]\n'})
    wait_for(lambda: can_read("more"), "the new repository")
    cluster.config.swap({"conf.d/headwater.conf": text + "[nonsense]\n"})
    pod.wait_log("event=config.refused")
    assert can_read("more")
    assert "refused" in pod.cli("status")
    cluster.config.swap({"conf.d/headwater.conf": text})
    wait_for(lambda: not can_read("more"), "the end of the other")
    assert can_read("cluster")
