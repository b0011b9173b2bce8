# SPDX-License-Identifier: Apache-2.0
"""Configuration in a directory whose content is swapped by a link, as the
kubelet mounts ConfigMaps and Secrets.
"""

import hashlib
import hmac
import os
import shutil

import pytest

from conftest import public
from daemon import Git, wait_for


class Volume:
    """A mounted ConfigMap or Secret."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir()
        self.serial = 0

    def swap(self, files):
        """All of `files`, {name: text}, at one moment."""
        self.serial += 1
        version = self.directory / f"..{self.serial}"
        version.mkdir()
        for name, text in files.items():
            (version / name).write_text(text)
            # Even the time of the change may be the same.
            os.utime(version / name, (1, 1))
        link = self.directory / "..data_tmp"
        link.symlink_to(version.name)
        link.rename(self.directory / "..data")
        for name in files:
            if not (self.directory / name).is_symlink():
                (self.directory / name).symlink_to(f"..data/{name}")
        for path in self.directory.iterdir():
            if path.name[2:].isdigit() and path != version:
                shutil.rmtree(path)
            elif path.is_symlink() and not path.exists():
                path.unlink()


CONFIG = """
[repo "one"]
[keys "owners"]
	directory = {owners}
	write = **
[token "ci"]
	file = {tokens}/ci
	read = **
[hook "flux"]
	repo = **
	url = {url}
	secret-file = {tokens}/hook
"""


@pytest.fixture
def mounted(make_daemon, tmp_path, keys, receiver):
    """A daemon that is given all by volumes."""
    config, owners, tokens = (Volume(tmp_path / name)
                              for name in ("config", "owners", "tokens"))
    text = CONFIG.format(owners=owners.directory, tokens=tokens.directory,
                         url=receiver.url())
    config.swap({"headwater.conf": text})
    owners.swap({"a.pub": public(keys("a")).read_text()})
    tokens.swap({"ci": "first-token", "hook": "first secret"})
    daemon = make_daemon(config=config.directory)
    daemon.volumes = {"config": config, "owners": owners, "tokens": tokens}
    daemon.text = text
    return daemon


def can_read(daemon, tmp_path, key, repo="one"):
    git = Git(tmp_path / "git" / key.name, daemon, key)
    return git.run("ls-remote", daemon.ssh_url(repo)).returncode == 0


def test_takes_what_is_new_and_drops_what_is_gone(mounted, tmp_path, keys):
    assert can_read(mounted, tmp_path, keys("a"))
    config = mounted.volumes["config"]
    config.swap({"headwater.conf": mounted.text, "more.conf": '[repo "two"]\n'})
    wait_for(lambda: can_read(mounted, tmp_path, keys("a"), "two"), "two")
    config.swap({"headwater.conf": mounted.text})
    wait_for(lambda: not can_read(mounted, tmp_path, keys("a"), "two"),
             "the end of two")
    assert mounted.repo_dir("two").is_dir()
    assert can_read(mounted, tmp_path, keys("a"))


def test_takes_keys_of_a_secret_that_changes(mounted, tmp_path, keys):
    mounted.volumes["owners"].swap({"b.pub": public(keys("b")).read_text()})
    wait_for(lambda: can_read(mounted, tmp_path, keys("b")), "the new key")
    assert not can_read(mounted, tmp_path, keys("a"))


def test_takes_tokens_and_secrets_that_change(mounted, tmp_path, keys,
                                              receiver):
    git = Git(tmp_path / "owner", mounted, keys("a"))

    def listed(token):
        url = mounted.http_url("one").replace("//", f"//x:{token}@")
        return git.run("ls-remote", url).returncode == 0

    assert listed("first-token")
    mounted.volumes["tokens"].swap({"ci": "other-token", "hook": "other"})
    wait_for(lambda: listed("other-token"), "the new token")
    assert not listed("first-token")
    work = git.init()
    commit = git.commit(work)
    git("push", "-q", mounted.ssh_url("one"), "main", cwd=work)
    request = receiver.wait(lambda r: commit.encode() in r[2])
    digest = hmac.new(b"other", request[2], hashlib.sha256).hexdigest()
    assert request[1]["X-Signature"] == "sha256=" + digest


def test_refuses_a_broken_one_as_a_whole(mounted, tmp_path, keys):
    config = mounted.volumes["config"]
    config.swap({"headwater.conf": mounted.text.replace('"one"', '"three"') +
                 "[repo \"one\"]\n\tcolour = blue\n"})
    mounted.wait_log("event=config.refused")
    mounted.wait_log("mistake=.*colour")
    assert can_read(mounted, tmp_path, keys("a"))
    assert not can_read(mounted, tmp_path, keys("a"), "three")
    assert "refused" in mounted.cli("status")
    assert mounted.metric("headwater_config_refused") == 1
    config.swap({"headwater.conf": mounted.text})
    wait_for(lambda: mounted.metric("headwater_config_refused") == 0,
             "the good one")
    assert can_read(mounted, tmp_path, keys("a"))
