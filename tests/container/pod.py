# SPDX-License-Identifier: Apache-2.0
"""The pod of chart/manifests/headwater.yaml as a container of Docker's.

What the kubelet does for it is done here: the volume is given to the group,
ConfigMaps and Secrets are directories whose content is swapped by a link, and
the user id is any.
"""

import json
import os
import pathlib
import re
import secrets
import shutil
import subprocess
import sys
import time

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from daemon import Git, wait_for  # noqa: E402

IMAGE = "headwater-test:image"
TOOLS = "headwater-test:build"
MANIFEST = ROOT / "chart" / "manifests" / "headwater.yaml"
MEMORY = "64m"
FLUX_SERVICE = "webhook-receiver.flux-system.svc"


def docker(*words, check=True, binary=False):
    """Standard output of a docker command."""
    result = subprocess.run(["docker", *map(str, words)], capture_output=True,
                            text=not binary, timeout=300)
    if check and result.returncode:
        raise AssertionError(f"docker {words}: {result.stderr}")
    return result.stdout if binary else result.stdout.strip()


def logs(name):
    """What a container wrote."""
    result = subprocess.run(["docker", "logs", name], text=True,
                            capture_output=True, timeout=60)
    return result.stdout + result.stderr


class Manifest:
    """What the plain manifest says of the pod."""

    def __init__(self):
        self.objects = {
            f"{one['kind']}/{one['metadata']['name']}": one
            for one in yaml.safe_load_all(MANIFEST.read_text())}
        pod = self.objects["StatefulSet/headwater"]["spec"]["template"]["spec"]
        self.spec = pod
        self.container, = pod["containers"]
        self.group = pod["securityContext"]["fsGroup"]
        self.mounts = {one["name"]: one["mountPath"]
                       for one in self.container["volumeMounts"]}

    def data(self, name):
        return self.objects[f"ConfigMap/{name}"]["data"]

    def security(self):
        """Flags of docker for the container's security context."""
        context = self.container["securityContext"]
        assert context["readOnlyRootFilesystem"]
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["allowPrivilegeEscalation"] is False
        return ["--read-only", "--cap-drop=ALL",
                "--security-opt=no-new-privileges"]


class Mount:
    """A ConfigMap or Secret as the kubelet mounts it."""

    def __init__(self, directory, group):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir()
        self.group = group
        self.serial = 0

    def swap(self, files):
        """All of `files`, {path: text}, at once."""
        self.serial += 1
        version = self.directory / f"..{self.serial}"
        for name, text in files.items():
            path = version / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            os.chown(path, 0, self.group)
            path.chmod(0o440)
        old = self.directory / "..data"
        new = self.directory / "..data_tmp"
        new.symlink_to(version.name)
        new.rename(old)
        for name in {one.split("/")[0] for one in files}:
            link = self.directory / name
            if not link.is_symlink():
                link.symlink_to(f"..data/{name}")
        for other in self.directory.iterdir():
            if other.is_dir() and not other.is_symlink() and other != version:
                shutil.rmtree(other)
            elif other.is_symlink() and other.name != "..data" \
                    and not other.exists():
                other.unlink()


class Cluster:
    """A private network, a volume, and what the pods on it are given."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.name = f"headwater-test-{secrets.token_hex(4)}"
        self.manifest = Manifest()
        self.group = self.manifest.group
        self.containers = []
        docker("network", "create", self.name)
        docker("volume", "create", self.name)
        # As the kubelet does for fsGroup.
        docker("run", "--rm", "-v", f"{self.name}:/volume", TOOLS, "sh", "-c",
               f"chown 0:{self.group} /volume && chmod 2770 /volume")
        self.config = Mount(self.directory / "config", self.group)
        self.owners = Mount(self.directory / "owners", self.group)
        self.config.swap({"conf.d/headwater.conf":
                          self.manifest.data("headwater")["headwater.conf"]})
        self.directory.chmod(0o755)

    def run(self, *words, name):
        """A container of this cluster, in the background."""
        full = f"{self.name}-{name}"
        self.containers.append(full)
        docker("run", "-d", "--name", full, "--network", self.name, *words)
        return full

    def close(self):
        for name in self.containers:
            docker("rm", "-f", "-v", name, check=False)
        docker("volume", "rm", "-f", self.name, check=False)
        docker("network", "rm", self.name, check=False)


class Pod:
    """headwaterd in a container; also what Git and Daemon's users expect."""

    def __init__(self, cluster, name, user, memory=MEMORY):
        self.cluster = cluster
        spec = cluster.manifest
        self.began = time.time()
        self.name = cluster.run(
            *spec.security(),
            f"--user={user}:{cluster.group}",
            f"--memory={memory}", f"--memory-swap={memory}",
            "--mount", f"type=volume,src={cluster.name},"
            f"dst={spec.mounts['data']},volume-nocopy",
            f"--tmpfs={spec.mounts['run']}:size=1m,mode=2777,"
            f"gid={cluster.group}",
            "-v", f"{cluster.config.directory}:{spec.mounts['config']}:ro",
            "-v", f"{cluster.owners.directory}:{spec.mounts['owners']}:ro",
            *(f"--env={one['name']}={one['value']}"
              for one in spec.container["env"]),
            *(f"--publish=127.0.0.1::{one['containerPort']}"
              for one in spec.container["ports"]),
            IMAGE, *spec.container["args"], name=name)
        self.ready = re.search(r"event=ready .*\bstart_ms=(\d+)",
                               self.wait_log("event=ready "))
        self.start_ms = int(self.ready[1])

    # -- what it says ---------------------------------------------------------

    def log(self):
        return logs(self.name)

    def wait_log(self, pattern):
        def found():
            lines = [line for line in self.log().splitlines()
                     if re.search(pattern, line)]
            if not lines and not self.is_running():
                raise AssertionError(f"{self.name} ended: {self.log()}")
            return lines

        return wait_for(found, f"a log line {pattern!r}")[0]

    def inspect(self, what):
        return json.loads(docker("inspect", "-f", "{{json " + what + "}}",
                                 self.name))

    def is_running(self):
        return self.inspect(".State.Running")

    def cli(self, *words):
        """As `kubectl exec` would."""
        return docker("exec", self.name, "/usr/bin/headwater", *words)

    # -- how it ends ----------------------------------------------------------

    def kill(self):
        docker("kill", "-s", "KILL", self.name)
        docker("wait", self.name)

    def stop(self):
        """SIGTERM; the exit code, and the seconds until it had ended."""
        begun = time.monotonic()
        docker("kill", "-s", "TERM", self.name)
        code = int(docker("wait", self.name))
        return code, time.monotonic() - begun

    # -- its doors ------------------------------------------------------------

    def port(self, container_port):
        return int(docker("port", self.name, f"{container_port}/tcp"
                          ).splitlines()[0].rsplit(":", 1)[1])

    @property
    def ssh_port(self):
        return self.port(2222)

    def ssh_url(self, repo):
        return f"ssh://git@127.0.0.1:{self.ssh_port}/{repo}"


class Receiver:
    """Flux's Receiver in a container of its own, by its Service's name."""

    PROGRAM = """
import http.server, json, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        print(json.dumps({"time": time.time(), "path": self.path,
                          "headers": dict(self.headers),
                          "body": body.decode()}), flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
print("ready", flush=True)
http.server.ThreadingHTTPServer(("", 80), Handler).serve_forever()
"""

    def __init__(self, cluster):
        self.name = cluster.run("--network-alias", FLUX_SERVICE, TOOLS,
                                "python3", "-c", self.PROGRAM,
                                name="receiver")
        wait_for(lambda: "ready" in docker("logs", self.name), "the receiver")

    def requests(self):
        return [json.loads(line) for line in
                docker("logs", self.name).splitlines() if line[:1] == "{"]

    def wait(self, commit):
        """The first request that tells of this commit."""
        return wait_for(
            lambda: [one for one in self.requests() if commit in one["body"]],
            f"a webhook of {commit}")[0]
