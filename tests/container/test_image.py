# SPDX-License-Identifier: Apache-2.0
"""What is in the image, and what is not."""

import gzip
import io
import json
import tarfile

import pytest

from pod import IMAGE, docker, logs, wait_for

MEBIBYTE = 1 << 20
COMPRESSED_MAX = 12 * MEBIBYTE


@pytest.fixture(scope="module")
def content():
    """The files of the image, {path: member}, and its tar."""
    name = docker("create", IMAGE)
    try:
        data = docker("export", name, binary=True)
    finally:
        docker("rm", "-v", name)
    tar = tarfile.open(fileobj=io.BytesIO(data))
    return {member.name: member for member in tar}, tar


def test_is_small():
    data = docker("save", IMAGE, binary=True)
    size = len(gzip.compress(data, 6))
    assert size < COMPRESSED_MAX, size


def test_holds_two_programs_and_their_libraries(content):
    members, _ = content
    programs = {name for name, one in members.items()
                if one.isfile() and one.mode & 0o111 and one.size}
    libraries = {name for name in programs
                 if name.startswith(("lib/", "lib64/", "usr/lib/"))}
    assert programs - libraries == {"usr/bin/headwaterd", "usr/bin/headwater"}
    for name, one in members.items():
        assert not one.mode & 0o6000 or name == "var/lib/headwater", name


def test_lists_what_is_in_it(content):
    members, tar = content
    listed = json.load(tar.extractfile("usr/share/headwater/sbom.spdx.json"))
    packages = {one["name"]: one["versionInfo"] for one in listed["packages"]}
    assert packages.pop("headwater")
    status = {name.rsplit("/", 1)[1] for name, one in members.items()
              if name.startswith("var/lib/dpkg/status.d/") and one.isfile()}
    assert status == set(packages) >= {"libc6", "libssh-4", "ca-certificates"}
    for name, version in packages.items():
        entry = tar.extractfile(f"var/lib/dpkg/status.d/{name}").read().decode()
        assert f"\nVersion: {version}\n" in entry
        assert f"usr/share/doc/{name}/copyright" in members
    assert "etc/ssl/certs/ca-certificates.crt" in members


def test_says_what_it_is():
    config = json.loads(docker("inspect", "-f", "{{json .Config}}", IMAGE))
    labels = config["Labels"]
    for name in ("title", "description", "licenses", "version", "revision",
                 "created"):
        assert labels[f"org.opencontainers.image.{name}"]
    assert config["User"] == "65532"
    assert config["Entrypoint"] == ["/usr/bin/headwaterd"]
    version = docker("run", "--rm", "--network=none", IMAGE, "--version")
    assert version.split()[-1] == labels["org.opencontainers.image.version"]


def test_starts_without_a_word():
    name = docker("run", "-d", "--network=none", "--read-only",
                  "--cap-drop=ALL", IMAGE)
    try:
        wait_for(lambda: "event=ready" in logs(name), "ready")
        assert "in force" in docker("exec", name, "/usr/bin/headwater",
                                    "status")
    finally:
        docker("rm", "-f", "-v", name)
