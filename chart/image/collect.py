#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Put programs and all that they need into a directory: an image.

    collect.py DIRECTORY PROGRAM...

The shared libraries are those that ldd names, by the paths it names. glibc
resolves names without plug-ins (its files and dns are in libc), so there are
none. Of each Debian package that a file came from there is its entry for
scanners (/var/lib/dpkg/status.d, and /etc/os-release to read it by), its
copyright, and a part of the list of materials,
/usr/share/headwater/sbom.spdx.json.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

RELEASE = "/etc/os-release"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
SBOM = "usr/share/headwater/sbom.spdx.json"
DATA = "var/lib/headwater"
DATA_OWNER, DATA_GROUP = 65532, 0
NSSWITCH = "hosts: files dns\n"
FIELDS = ("Package", "Version", "Architecture", "source:Package",
          "source:Version")


def said_by(*command):
    """Standard output of a program that must succeed."""
    return subprocess.run(
        command, check=True, capture_output=True, text=True
    ).stdout


def libraries_of(program):
    """Paths that ldd names, the loader's among them."""
    said = said_by("ldd", program)
    if "not found" in said:
        sys.exit(f"collect.py: {program} lacks libraries:\n{said}")
    return re.findall(r"^\s+(?:\S+ => )?(/\S+) \(0x", said, re.MULTILINE)


def package_of(path):
    """The Debian package that a file came from. dpkg knows it by the name it
    had before /lib became a link to /usr/lib, or by the one after.
    """
    real = os.path.realpath(path)
    names = {path, real, real.removeprefix("/usr")}
    for name in sorted(names):
        found = subprocess.run(
            ["dpkg", "-S", name], capture_output=True, text=True, check=False
        ).stdout
        if found:
            return found.split(": ")[0]
    sys.exit(f"collect.py: {path} is of no package")


def facts_of(package):
    """The fields of a package, by their names."""
    said = said_by(
        "dpkg-query", "-W", "-f",
        "\n".join("${%s}" % field for field in FIELDS), package)
    return dict(zip(FIELDS, said.split("\n")))


def copy(source, target):
    """A file with the links that led to it followed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(os.path.realpath(source), target)


def put(target, text):
    """A text file that everybody may read."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def put_package(image, package):
    """What scanners and licences ask of a package."""
    name = package.split(":")[0]
    put(image / "var/lib/dpkg/status.d" / name,
        said_by("dpkg-query", "-s", package))
    copy(f"/usr/share/doc/{name}/copyright",
         image / "usr/share/doc" / name / "copyright")


def material_of(facts):
    """A package in the words of SPDX."""
    name, version = facts["Package"], facts["Version"]
    return {
        "SPDXID": "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", name),
        "name": name,
        "versionInfo": version,
        "supplier": "Organization: Debian",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "sourceInfo": (f"built from {facts['source:Package']} "
                       f"{facts['source:Version']}"),
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": (
                f"pkg:deb/debian/{name}@{version.replace('+', '%2B')}"
                f"?arch={facts['Architecture']}&distro=debian-12"),
        }],
    }


def materials(version, packages, created):
    """The whole list: ourselves, and what came with us."""
    ours = {
        "SPDXID": "SPDXRef-headwater",
        "name": "headwater",
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseDeclared": "Apache-2.0",
    }
    theirs = [material_of(facts_of(package)) for package in packages]
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", ours["SPDXID"])] + [
        (ours["SPDXID"], "DEPENDS_ON", one["SPDXID"]) for one in theirs]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"headwater-{version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/headwater-{version}",
        "creationInfo": {"created": created,
                         "creators": ["Tool: headwater-collect"]},
        "packages": [ours, *theirs],
        "relationships": [
            {"spdxElementId": one, "relationshipType": kind,
             "relatedSpdxElement": other} for one, kind, other in relations],
    }


def settle(image, seconds):
    """One time for everything, so that the same files are the same layer."""
    for directory, _, files in os.walk(image, topdown=False):
        for path in [*(Path(directory, name) for name in files),
                     Path(directory)]:
            os.utime(path, (seconds, seconds), follow_symlinks=False)


def collect(image, programs, seconds):
    """Everything, in the order of the text above."""
    libraries = sorted({one for program in programs
                        for one in libraries_of(program)})
    for program in programs:
        target = image / "usr/bin" / Path(program).name
        copy(program, target)
        said_by("strip", "--strip-all", str(target))
    for library in libraries:
        copy(library, image / library.lstrip("/"))
    copy(AUTHORITIES, image / AUTHORITIES.lstrip("/"))
    copy(RELEASE, image / RELEASE.lstrip("/"))
    put(image / "etc/nsswitch.conf", NSSWITCH)
    packages = sorted({package_of(one) for one in libraries}
                      | {"ca-certificates"})
    for package in packages:
        put_package(image, package)
    version = said_by(programs[0], "--version").split()[-1]
    created = said_by("date", "-u", "-d", f"@{seconds}",
                      "+%Y-%m-%dT%H:%M:%SZ").strip()
    put(image / SBOM,
        json.dumps(materials(version, packages, created), indent=1) + "\n")
    data = image / DATA
    data.mkdir(parents=True)
    os.chown(data, DATA_OWNER, DATA_GROUP)
    data.chmod(0o2770)
    settle(image, seconds)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(f"usage: {sys.argv[0]} DIRECTORY PROGRAM...")
    os.umask(0o022)
    collect(Path(sys.argv[1]), sys.argv[2:],
            int(os.environ["SOURCE_DATE_EPOCH"]))
